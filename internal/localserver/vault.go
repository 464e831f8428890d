package localserver

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// VaultVersion is the version the project is built and tested with.
const VaultVersion = "1.21.0"

// ErrNoVault says that no Vault server program was found.
var ErrNoVault = errors.New("no Vault server program found: build it with `make vault`, or set CONSENTRY_VAULT_BIN to it")

// VaultConfig says where and how a private Vault runs.
type VaultConfig struct {
	// Binary is the server program; empty for what [FindVault] finds.
	Binary string
	// Dir keeps Vault's data, and its unseal key and root token in Dir/vault.json, so
	// that the next start unseals by itself: right for one developer's machine only.
	// Empty for a Vault in memory, which is new at every start.
	Dir string
	// Logger gets the server's log, at debug level.
	Logger *slog.Logger
}

// Vault is a private, unsealed Vault server.
type Vault struct {
	config  VaultConfig
	home    string // where its configuration and data are
	lock    *os.File
	process *process // nil while stopped
	port    int      // chosen at the first start, and kept over restarts
	keys    vaultKeys
	client  vaultClient
}

// FindVault gives the path of a Vault program: $CONSENTRY_VAULT_BIN, the one `make vault`
// built into the user's cache, then the PATH. It returns [ErrNoVault] when there is none.
func FindVault() (string, error) {
	candidates := []string{"vault"}
	if cache, err := os.UserCacheDir(); err == nil {
		candidates = []string{filepath.Join(cache, "consentry", "vault", VaultVersion, "vault"), "vault"}
	}
	if chosen := os.Getenv("CONSENTRY_VAULT_BIN"); chosen != "" {
		candidates = []string{chosen}
	}
	for _, candidate := range candidates {
		if path, err := exec.LookPath(candidate); err == nil {
			return path, nil
		}
	}
	return "", ErrNoVault
}

// StartVault starts a server, initialises it the first time, unseals it, and returns when
// it is active. The context bounds the start only; Stop ends the server.
func StartVault(ctx context.Context, config VaultConfig) (*Vault, error) {
	if config.Binary == "" {
		found, err := FindVault()
		if err != nil {
			return nil, err
		}
		config.Binary = found
	}
	v := &Vault{config: config}
	if err := v.Start(ctx); err != nil {
		return nil, err
	}
	return v, nil
}

// Start starts a stopped server again, at the same address. A Vault in memory starts
// empty and with a new root token.
func (v *Vault) Start(ctx context.Context) error {
	if v.process != nil {
		return errors.New("start Vault: it runs already")
	}
	if err := v.open(); err != nil {
		return fmt.Errorf("prepare Vault's data: %w", err)
	}
	if err := v.serve(ctx); err != nil {
		return errors.Join(fmt.Errorf("start Vault: %w", err), v.close())
	}
	if err := v.activate(ctx); err != nil {
		return errors.Join(fmt.Errorf("unseal Vault: %w", err), v.process.kill(), v.close())
	}
	if v.config.Dir == "" {
		// It has read its configuration; what is gone now cannot be left behind by a kill.
		return os.RemoveAll(v.home)
	}
	return nil
}

// open takes the data folder into use, a temporary one for a Vault in memory.
func (v *Vault) open() (err error) {
	if v.config.Dir == "" {
		v.home, err = os.MkdirTemp("", "consentry-vault-")
		return err
	}
	if v.home, err = filepath.Abs(v.config.Dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(v.home, "raft"), 0o700); err != nil {
		return err
	}
	v.lock, err = lockFile(filepath.Join(v.home, "lock"))
	return err
}

func (v *Vault) close() error {
	v.process = nil
	if v.config.Dir == "" {
		return os.RemoveAll(v.home)
	}
	return v.lock.Close()
}

// serve picks ports and starts the server on them, a few times if others take them first.
func (v *Vault) serve(ctx context.Context) error {
	var failures error
	for range 3 {
		err := v.launch(ctx)
		if err == nil {
			return nil
		}
		failures = errors.Join(failures, err)
		if !strings.Contains(err.Error(), "address already in use") {
			break
		}
	}
	return failures
}

func (v *Vault) launch(ctx context.Context) (err error) {
	port := v.port
	if port == 0 {
		if port, err = freePort(ctx); err != nil {
			return err
		}
	}
	clusterPort, err := freePort(ctx)
	if err != nil {
		return err
	}
	config := filepath.Join(v.home, "config.hcl")
	if err := os.WriteFile(config, []byte(v.configuration(port, clusterPort)), 0o600); err != nil {
		return err
	}
	command := exec.Command(v.config.Binary, "server", "-config", config) //nolint:gosec,noctx // found by us; stopped in order, not killed with a context
	command.Dir = "/"
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + v.home}
	log := newLineLog(v.config.Logger)
	command.Stdout, command.Stderr = log, log

	started, err := startProcess(command)
	if err != nil {
		return err
	}
	v.client = newVaultClient(loopback(port))
	if err := started.await(ctx, v.client.answers); err != nil {
		return errors.Join(fmt.Errorf("%w: %s", err, log.tail()), started.kill())
	}
	v.process, v.port = started, port
	return nil
}

// configuration uses the storage that the minimal build has: raft for data that stays,
// as a cluster of one node.
func (v *Vault) configuration(port, clusterPort int) string {
	storage := `storage "inmem" {}`
	if v.config.Dir != "" {
		storage = fmt.Sprintf("storage \"raft\" {\n  path = %q\n  node_id = \"local\"\n  performance_multiplier = 1\n}",
			filepath.Join(v.home, "raft"))
	}
	return fmt.Sprintf(`%s
listener "tcp" {
  address         = "127.0.0.1:%d"
  cluster_address = "127.0.0.1:%d"
  tls_disable     = true
}
api_addr      = "http://127.0.0.1:%[2]d"
cluster_addr  = "https://127.0.0.1:%[3]d"
disable_mlock = true
log_level     = "warn"
`, storage, port, clusterPort)
}

// Addr gives the server's address, as in VAULT_ADDR.
func (v *Vault) Addr() string { return v.client.address }

// RootToken gives the token that may do everything, as in VAULT_TOKEN.
func (v *Vault) RootToken() string { return v.keys.RootToken }

// Stop ends the server in order. A context that ends first kills it. Stopping a stopped
// server does nothing.
func (v *Vault) Stop(ctx context.Context) error {
	return v.end(func() error {
		// A paused server would take the interrupt only when it is resumed.
		return errors.Join(v.Resume(), v.process.stop(ctx, syscall.SIGINT))
	})
}

// Crash ends the server as a power cut would.
func (v *Vault) Crash() error {
	return v.end(func() error { return v.process.kill() })
}

func (v *Vault) end(how func() error) error {
	if v.process == nil {
		return nil
	}
	return errors.Join(how(), v.close())
}

// Pause makes the server hang: it takes connections and does not answer, as behind a
// broken network. It returns when the server hangs, for the signal takes a moment to
// reach all of its threads.
func (v *Vault) Pause() error {
	ctx, cancel := context.WithTimeout(context.Background(), vaultPatience)
	defer cancel()
	if err := v.process.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	return v.process.await(ctx, v.client.hangs)
}

// Resume ends a pause.
func (v *Vault) Resume() error { return v.process.signal(syscall.SIGCONT) }

// Seal makes the server forget its master key, so that it refuses every request.
func (v *Vault) Seal(ctx context.Context) error {
	return v.client.call(ctx, v.keys.RootToken, "sys/seal", nil, nil)
}

// Unseal undoes Seal and returns when the server is active again.
func (v *Vault) Unseal(ctx context.Context) error {
	unseal := map[string]string{"key": v.keys.UnsealKey}
	if err := v.client.call(ctx, "", "sys/unseal", unseal, nil); err != nil {
		return err
	}
	return v.process.await(ctx, v.client.active)
}

func loopback(port int) string {
	return "http://" + net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// vaultPatience bounds one request to a server on this machine.
const vaultPatience = 30 * time.Second

// Exited is closed when the server has ended, on request or by itself. Ask again after Start.
func (v *Vault) Exited() <-chan struct{} { return v.process.exited }
