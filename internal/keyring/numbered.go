package keyring

import (
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
)

// numbered is a folder of files named 1, 2, 3 …, each written once, by whoever is first.
// A destroyed one stays, empty, so that its number is never given again.
type numbered string

func (n numbered) path(number int) string { return filepath.Join(string(n), strconv.Itoa(number)) }

// all lists the numbers ever given, ascending.
func (n numbered) all() ([]int, error) {
	entries, err := os.ReadDir(string(n))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var numbers []int
	for _, entry := range entries {
		if number, err := strconv.Atoi(entry.Name()); err == nil {
			numbers = append(numbers, number)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// newest gives the highest number ever given, 0 when there is none.
func (n numbered) newest() (int, error) {
	numbers, err := n.all()
	if err != nil || len(numbers) == 0 {
		return 0, err
	}
	return numbers[len(numbers)-1], nil
}

// present lists the numbers not destroyed.
func (n numbered) present() ([]int, error) {
	numbers, err := n.all()
	if err != nil {
		return nil, err
	}
	var present []int
	for _, number := range numbers {
		info, err := os.Stat(n.path(number))
		if err != nil {
			return nil, err
		}
		if info.Size() > 0 {
			present = append(present, number)
		}
	}
	return present, nil
}

// read gives a file, or errAbsent when it is not there or destroyed.
func (n numbered) read(number int) ([]byte, error) {
	data, err := os.ReadFile(n.path(number))
	if errors.Is(err, os.ErrNotExist) || (err == nil && len(data) == 0) {
		return nil, errAbsent
	}
	return data, err
}

// add writes a file whole or not at all, or gives errConflict when the number is taken.
// Nobody but the owner may read it.
func (n numbered) add(number int, data []byte) (err error) {
	if err := os.MkdirAll(string(n), 0o700); err != nil {
		return err
	}
	draft, err := os.CreateTemp(string(n), ".draft-*") // of mode 0600
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(draft.Name())) }()
	_, err = draft.Write(data)
	if err := errors.Join(err, draft.Sync(), draft.Close()); err != nil {
		return err
	}
	err = os.Link(draft.Name(), n.path(number))
	if errors.Is(err, os.ErrExist) {
		return errConflict
	}
	return err
}

func (n numbered) destroy(number int) error { return os.Truncate(n.path(number), 0) }

// private reports whether only the owner may read the files. Windows keeps that elsewhere.
func (n numbered) private() (bool, error) {
	numbers, err := n.all()
	if err != nil || runtime.GOOS == "windows" {
		return true, err
	}
	for _, number := range numbers {
		info, err := os.Stat(n.path(number))
		if err != nil {
			return false, err
		}
		if info.Mode().Perm()&0o077 != 0 {
			return false, nil
		}
	}
	return true, nil
}
