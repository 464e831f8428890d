package localserver

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// PostgresConfig says where and how a private PostgreSQL runs.
type PostgresConfig struct {
	// Dir is the server's folder, made when missing. When this process is root and
	// the account postgres cannot reach Dir, as below /root, the data is kept in a
	// folder of /var/tmp instead and Dir/location remembers which.
	Dir string
	// BinDir has the programs initdb and postgres; empty for what [FindPostgres] finds.
	BinDir string
	// Logger gets the server's log, at debug level.
	Logger *slog.Logger
	// Settings are configuration parameters over the defaults, e.g. fsync = off.
	Settings map[string]string
}

// Postgres is a private PostgreSQL server.
type Postgres struct {
	config  PostgresConfig
	cluster *cluster
	process *process // nil while stopped
	port    int      // chosen at the first start, and kept over restarts
}

// StartPostgres starts a server, making its data first when there is none, and returns
// when it answers. The context bounds the start only; Stop ends the server.
func StartPostgres(ctx context.Context, config PostgresConfig) (*Postgres, error) {
	if config.BinDir == "" {
		found, err := FindPostgres(ctx)
		if err != nil {
			return nil, err
		}
		config.BinDir = found
	}
	p := &Postgres{config: config}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// Start starts a stopped server again, on the same port.
func (p *Postgres) Start(ctx context.Context) error {
	if p.process != nil {
		return errors.New("start PostgreSQL: it runs already")
	}
	opened, err := openCluster(ctx, p.config.Dir, p.config.BinDir)
	if err != nil {
		return fmt.Errorf("prepare PostgreSQL's data: %w", err)
	}
	p.cluster = opened
	if err := p.serve(ctx); err != nil {
		return errors.Join(fmt.Errorf("start PostgreSQL: %w", err), opened.close())
	}
	return nil
}

// serve picks a port and starts the server on it. Between our look and the server's bind
// somebody else may take a free port, so a few are tried.
func (p *Postgres) serve(ctx context.Context) error {
	if p.port != 0 {
		return p.launch(ctx, p.port)
	}
	var failures error
	for range 3 {
		port, err := freePort(ctx)
		if err != nil {
			return err
		}
		if err = p.launch(ctx, port); err == nil {
			p.port = port
			return nil
		}
		failures = errors.Join(failures, err)
		if !strings.Contains(err.Error(), "Address already in use") {
			break
		}
	}
	return failures
}

func (p *Postgres) launch(ctx context.Context, port int) error {
	settings := map[string]string{
		"listen_addresses":        "127.0.0.1",
		"port":                    strconv.Itoa(port),
		"unix_socket_directories": "",
		"timezone":                "UTC",
		"log_timezone":            "UTC",
		"max_connections":         "200",
		// A server's log holds no statement, parameter or key value.
		"log_statement":                     "none",
		"log_min_error_statement":           "panic",
		"log_min_duration_statement":        "-1",
		"log_parameter_max_length":          "0",
		"log_parameter_max_length_on_error": "0",
		"log_error_verbosity":               "terse",
	}
	maps.Copy(settings, p.config.Settings)
	args := []string{"-D", p.cluster.data()}
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		args = append(args, "-c", name+"="+settings[name])
	}
	command := p.cluster.command("postgres", args...)
	log := newLineLog(p.config.Logger)
	command.Stdout, command.Stderr = log, log

	started, err := startProcess(command)
	if err != nil {
		return err
	}
	err = started.await(ctx, func(ctx context.Context) bool { return answersPostgres(ctx, port) })
	if err != nil {
		return errors.Join(fmt.Errorf("%w: %s", err, log.tail()), started.kill())
	}
	p.process = started
	return nil
}

// URL gives the connection string of a database for the superuser. It has the password in
// it: hand it to a driver, not to a log.
func (p *Postgres) URL(database string) string {
	address := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(superuser, p.cluster.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(p.port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return address.String()
}

// Stop ends the server in order ("fast": open sessions are rolled back) and keeps the
// data. A context that ends first kills it. Stopping a stopped server does nothing.
func (p *Postgres) Stop(ctx context.Context) error {
	return p.end(func() error { return p.process.stop(ctx, syscall.SIGINT) })
}

// Crash ends the server as a power cut would, for tests of what survives one.
func (p *Postgres) Crash() error { return p.end(func() error { return p.process.kill() }) }

func (p *Postgres) end(how func() error) error {
	if p.process == nil {
		return nil
	}
	err := errors.Join(how(), p.cluster.close())
	p.process = nil
	return err
}

// Remove deletes the data of a stopped server, wherever it is.
func (p *Postgres) Remove() error {
	if p.process != nil {
		return errors.New("remove PostgreSQL's data: the server runs")
	}
	return p.cluster.remove()
}

// freePort asks the kernel for a port of 127.0.0.1 that nobody uses.
func freePort(ctx context.Context) (int, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	return port, listener.Close()
}

// answersPostgres sends a startup message (PostgreSQL documentation, "Message Formats")
// and reports whether the server asks for the password, which it does when it takes
// sessions; before that it answers with an error.
func answersPostgres(ctx context.Context, port int) bool {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp4", net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	if err != nil {
		return false
	}
	defer connection.Close() //nolint:errcheck // only a question was asked on it
	if deadline, bounded := ctx.Deadline(); bounded && connection.SetDeadline(deadline) != nil {
		return false
	}
	const protocol = 3 << 16
	parameters := "user\x00" + superuser + "\x00database\x00postgres\x00\x00"
	message := binary.BigEndian.AppendUint32(nil, uint32(8+len(parameters))) //nolint:gosec // short
	message = binary.BigEndian.AppendUint32(message, protocol)
	if _, err := connection.Write(append(message, parameters...)); err != nil {
		return false
	}
	var answer [1]byte
	_, err = io.ReadFull(connection, answer[:])
	return err == nil && answer[0] == 'R'
}

// Exited is closed when the server has ended, on request or by itself. Ask again after Start.
func (p *Postgres) Exited() <-chan struct{} { return p.process.exited }
