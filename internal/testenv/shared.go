package testenv

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/localserver"
)

// The variables that name servers that run already.
const (
	EnvPostgresURL = "CONSENTRY_TEST_POSTGRES_URL" // a superuser's, of any database
	EnvVaultAddr   = "CONSENTRY_TEST_VAULT_ADDR"
	EnvVaultToken  = "CONSENTRY_TEST_VAULT_TOKEN"
)

// startLimit bounds the start and the end of a server.
const startLimit = time.Minute

// Main runs a package's tests and then stops the servers they started:
//
//	func TestMain(m *testing.M) { testenv.Main(m) }
func Main(m *testing.M) {
	code := m.Run()
	if err := servers.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, "testenv:", err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// Shared are the servers that the tests of one binary, or of all binaries under
// `make test`, have in common. The zero Shared has started none.
type Shared struct {
	mu       sync.Mutex
	folder   string
	postgres *localserver.Postgres
	vault    *localserver.Vault
}

// servers are this binary's: tests have no common owner to hand them down but the process.
var servers Shared

// StartShared starts the servers that the environment does not name yet, for `make test`.
// Stop them with Stop.
func StartShared(ctx context.Context) (*Shared, error) {
	shared := &Shared{}
	_, errPostgres := shared.postgresURL(ctx)
	_, _, errVault := shared.vaultAddr(ctx)
	if err := errors.Join(errPostgres, errVault); err != nil {
		return nil, errors.Join(err, shared.Stop())
	}
	return shared, nil
}

// Environ gives the variables that point tests to the servers it started, as in os.Environ.
func (s *Shared) Environ() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var variables []string
	if s.postgres != nil {
		variables = append(variables, EnvPostgresURL+"="+s.postgres.URL("postgres"))
	}
	if s.vault != nil {
		variables = append(variables, EnvVaultAddr+"="+s.vault.Addr(), EnvVaultToken+"="+s.vault.RootToken())
	}
	return variables
}

// Stop ends the servers and deletes their data.
func (s *Shared) Stop() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	var errs []error
	if s.vault != nil {
		errs = append(errs, s.vault.Stop(ctx))
		s.vault = nil
	}
	if s.postgres != nil {
		errs = append(errs, s.postgres.Stop(ctx), s.postgres.Remove())
		s.postgres = nil
	}
	if s.folder != "" {
		errs = append(errs, os.RemoveAll(s.folder))
		s.folder = ""
	}
	return errors.Join(errs...)
}

func (s *Shared) postgresURL(ctx context.Context) (string, error) {
	if url := os.Getenv(EnvPostgresURL); url != "" {
		return url, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.postgres == nil {
		folder, err := s.ownFolder()
		if err != nil {
			return "", err
		}
		s.postgres, err = startPostgres(ctx, filepath.Join(folder, "postgres"), Volatile)
		if err != nil {
			return "", err
		}
	}
	return s.postgres.URL("postgres"), nil
}

// ownFolder makes the folder for the servers' data. Its name has our process id, so that
// the next binary can tell what a killed one left and clear it away.
func (s *Shared) ownFolder() (string, error) {
	if s.folder != "" {
		return s.folder, nil
	}
	clearAbandoned(os.TempDir())
	folder, err := os.MkdirTemp("", fmt.Sprintf("%s%d-", folderPrefix, os.Getpid()))
	if err != nil {
		return "", err
	}
	s.folder = folder
	return folder, os.Chmod(folder, 0o711) //nolint:gosec // the database's account passes through
}

const folderPrefix = "consentry-test-"

func clearAbandoned(parent string) {
	folders, err := filepath.Glob(filepath.Join(parent, folderPrefix+"*"))
	if err != nil {
		return
	}
	for _, folder := range folders {
		owner, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(folder), folderPrefix), "-")
		pid, err := strconv.Atoi(owner)
		if err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			_ = os.RemoveAll(folder) // another binary may be at it too
		}
	}
}
