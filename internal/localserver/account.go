package localserver

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// account is the operating system user a server runs as. The zero account is the one
// this process runs as.
type account struct {
	credential *syscall.Credential
}

// serverAccount gives the account for a server that refuses root.
func serverAccount() (account, error) {
	if os.Geteuid() != 0 {
		return account{}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return account{}, fmt.Errorf("look up account %s: %w", name, err)
		}
		return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}}, nil
	}
	return account{}, errors.New("this process is root, and there is no account postgres or nobody to run PostgreSQL as")
}

// own hands a file or folder to the account.
func (a account) own(path string) error {
	if a.credential == nil {
		return nil
	}
	return os.Lchown(path, int(a.credential.Uid), int(a.credential.Gid))
}

// owns reports whether the path is a folder, no link, that belongs to the account: what
// somebody else put at a remembered place is not ours to use.
func (a account) owns(path string) bool {
	info, err := os.Lstat(path)
	if err != nil || !info.IsDir() {
		return false
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && stat.Uid == a.uid()
}

func (a account) uid() uint32 {
	if a.credential == nil {
		return uint32(os.Geteuid()) //nolint:gosec // a uid has 32 bits
	}
	return a.credential.Uid
}

// reaches reports whether the account can walk to the folder: on every step, the owner,
// group or world search bit that applies to it must be set (path_resolution(7)).
func (a account) reaches(folder string) bool {
	if a.credential == nil {
		return true
	}
	resolved, err := filepath.EvalSymlinks(folder)
	if err != nil {
		return false
	}
	for step := resolved; ; step = filepath.Dir(step) {
		info, err := os.Stat(step)
		if err != nil || !a.mayEnter(info) {
			return false
		}
		if step == filepath.Dir(step) {
			return true
		}
	}
}

func (a account) mayEnter(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return false
	case stat.Uid == a.credential.Uid:
		return info.Mode()&0o100 != 0
	case stat.Gid == a.credential.Gid:
		return info.Mode()&0o010 != 0
	default:
		return info.Mode()&0o001 != 0
	}
}
