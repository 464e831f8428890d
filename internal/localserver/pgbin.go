package localserver

import (
	"cmp"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// ErrNoPostgres says that no PostgreSQL server programs were found.
var ErrNoPostgres = errors.New("no PostgreSQL server programs found: install PostgreSQL 15 or newer (Debian: apt-get install postgresql; macOS: brew install postgresql@17), or set CONSENTRY_PG_BIN to the folder that has initdb and postgres")

// FindPostgres gives the folder of PostgreSQL's server programs: $CONSENTRY_PG_BIN, what
// pg_config on the PATH says, then the newest in the usual places of Debian, Fedora and
// Homebrew. It returns [ErrNoPostgres] when there is none.
func FindPostgres(ctx context.Context) (string, error) {
	if folder := os.Getenv("CONSENTRY_PG_BIN"); folder != "" {
		if !hasServerPrograms(folder) {
			return "", ErrNoPostgres
		}
		return folder, nil
	}
	if out, err := exec.CommandContext(ctx, "pg_config", "--bindir").Output(); err == nil {
		// pg_config also comes with the client library, without a server beside it.
		if folder := strings.TrimSpace(string(out)); hasServerPrograms(folder) {
			return folder, nil
		}
	}
	if folder, found := newestInstalled(); found {
		return folder, nil
	}
	return "", ErrNoPostgres
}

func hasServerPrograms(folder string) bool {
	for _, program := range []string{"initdb", "postgres", "pg_ctl"} {
		if _, err := exec.LookPath(filepath.Join(folder, program)); err != nil {
			return false
		}
	}
	return true
}

func newestInstalled() (string, bool) {
	var folders []string
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin",
		"/usr/pgsql-*/bin",
		"/opt/homebrew/opt/postgresql@*/bin",
		"/usr/local/opt/postgresql@*/bin",
		"/usr/local/pgsql/bin",
	} {
		matches, err := filepath.Glob(pattern)
		if err == nil {
			folders = append(folders, matches...)
		}
	}
	folders = slices.DeleteFunc(folders, func(folder string) bool { return !hasServerPrograms(folder) })
	if len(folders) == 0 {
		return "", false
	}
	return slices.MaxFunc(folders, func(a, b string) int { return cmp.Compare(majorVersion(a), majorVersion(b)) }), true
}

var digits = regexp.MustCompile(`[0-9]+`)

// majorVersion reads the version out of a folder's name, 0 when it has none.
func majorVersion(folder string) int {
	version, _ := strconv.Atoi(digits.FindString(folder))
	return version
}
