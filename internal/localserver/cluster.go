package localserver

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// superuser is the database role that owns a private server.
const superuser = "consentry"

// cluster is PostgreSQL's data on disk.
//
//	DIR/password   the superuser's password, for the owner of DIR only
//	DIR/lock       locked while a process uses the data
//	DIR/location   where HOME is, when the server's account cannot reach DIR
//	HOME/data      PostgreSQL's data folder, the server account's
type cluster struct {
	dir      string
	home     string
	bin      string
	account  account
	password string
	lock     *os.File
}

// openCluster takes the data in dir into use, and makes it when there is none.
func openCluster(ctx context.Context, dir, bin string) (_ *cluster, err error) {
	c := &cluster{bin: bin}
	if c.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	if c.account, err = serverAccount(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.dir, 0o755); err != nil { //nolint:gosec // the server's account must pass; what is in it is closed
		return nil, err
	}
	if c.lock, err = lockFile(filepath.Join(c.dir, "lock")); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, c.close())
		}
	}()
	if c.home, err = c.findHome(); err != nil {
		return nil, err
	}
	if c.password, err = c.readPassword(); err != nil {
		return nil, err
	}
	if _, err := os.Stat(c.data()); errors.Is(err, fs.ErrNotExist) {
		return c, c.create(ctx)
	}
	return c, c.stopLeftover(ctx)
}

func (c *cluster) data() string { return filepath.Join(c.home, "data") }

// close lets the next process use the data.
func (c *cluster) close() error { return c.lock.Close() }

// remove deletes the data.
func (c *cluster) remove() error {
	return errors.Join(os.RemoveAll(c.home), os.RemoveAll(c.dir))
}

// findHome gives the folder the server's account writes to: DIR/server where it can
// reach that, else a folder in /var/tmp, which unlike /tmp outlives a reboot.
func (c *cluster) findHome() (string, error) {
	if c.account.reaches(c.dir) {
		home := filepath.Join(c.dir, "server")
		if err := os.Mkdir(home, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		return home, c.account.own(home)
	}
	location := filepath.Join(c.dir, "location")
	if remembered, err := os.ReadFile(location); err == nil && c.account.owns(string(remembered)) {
		return string(remembered), nil
	}
	for _, parent := range []string{"/var/tmp", os.TempDir()} {
		if !c.account.reaches(parent) {
			continue
		}
		home, err := os.MkdirTemp(parent, "consentry-postgres-")
		if err != nil {
			continue
		}
		return home, errors.Join(c.account.own(home), os.WriteFile(location, []byte(home), 0o600))
	}
	return "", fmt.Errorf("the account that runs PostgreSQL (uid %d) can reach neither the data folder nor a temporary one", c.account.uid())
}

// readPassword reads the superuser's password, and draws it the first time.
func (c *cluster) readPassword() (string, error) {
	path := filepath.Join(c.dir, "password")
	stored, err := os.ReadFile(path)
	if err == nil && len(stored) > 0 {
		return string(stored), nil
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return "", err
	}
	password := rand.Text()
	return password, os.WriteFile(path, []byte(password), 0o600)
}

// create runs initdb. The data gets its name when it is complete, so that an interrupted
// initdb leaves nothing that looks like a database.
func (c *cluster) create(ctx context.Context) error {
	unfinished := c.data() + ".new"
	if err := os.RemoveAll(unfinished); err != nil {
		return err
	}
	passwordFile := filepath.Join(c.home, "initial-password")
	if err := errors.Join(os.WriteFile(passwordFile, []byte(c.password), 0o600), c.account.own(passwordFile)); err != nil {
		return err
	}
	initdb := c.command("initdb",
		"--pgdata", unfinished, "--username", superuser, "--pwfile", passwordFile,
		"--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync")
	if err := errors.Join(run(ctx, initdb), os.Remove(passwordFile)); err != nil {
		return err
	}
	return os.Rename(unfinished, c.data())
}

// stopLeftover stops a server that outlived its owner. We hold the lock, so whoever
// still serves this data is nobody's.
func (c *cluster) stopLeftover(ctx context.Context) error {
	content, err := os.ReadFile(filepath.Join(c.data(), "postmaster.pid"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(content), "\n")
	if !c.servedBy(line) {
		return nil // PostgreSQL itself clears a stale file
	}
	return run(ctx, c.command("pg_ctl", "stop", "--pgdata", c.data(), "--mode", "fast", "--wait"))
}

// servedBy reports whether the process is a server on this data, and not another that got
// the same number since.
func (c *cluster) servedBy(number string) bool {
	pid, err := strconv.Atoi(number)
	if err != nil || syscall.Kill(pid, 0) != nil {
		return false
	}
	folder, err := os.Readlink(filepath.Join("/proc", number, "cwd"))
	if errors.Is(err, fs.ErrNotExist) {
		_, noProc := os.Stat("/proc/self")
		return noProc != nil // without /proc, PostgreSQL's own file is all we know
	}
	resolved, errResolve := filepath.EvalSymlinks(c.data())
	return err == nil && errResolve == nil && folder == resolved
}

// command prepares one of PostgreSQL's programs: as the server's account, and with
// nothing of our environment that could change what it does.
func (c *cluster) command(program string, args ...string) *exec.Cmd {
	command := exec.Command(filepath.Join(c.bin, program), args...) //nolint:gosec,noctx // found by us; stopped in order, not killed with a context
	command.Dir = c.home
	command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.home, "LC_ALL=C", "TZ=UTC"}
	command.SysProcAttr = &syscall.SysProcAttr{Credential: c.account.credential}
	return command
}

// lockFile locks a file for this process (flock(2): the lock ends with it).
func lockFile(path string) (*os.File, error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(fmt.Errorf("%s is in use by another process: %w", filepath.Dir(path), err), file.Close())
	}
	return file, nil
}
