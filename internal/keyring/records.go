package keyring

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
)

const pageFolder = "pages"

func pageRecord(page PageNo) string { return pageFolder + "/" + strconv.FormatInt(int64(page), 10) }

// readPage reads the newest version of a page past the cache.
func (k *Keyring) readPage(ctx context.Context, page PageNo) (tree, int, error) {
	rec, err := k.backend.read(ctx, pageRecord(page))
	return k.openPage(ctx, page, rec, err)
}

// readPageVersion reads one version of a page.
func (k *Keyring) readPageVersion(ctx context.Context, page PageNo, version int) (tree, error) {
	rec, err := k.backend.readVersion(ctx, pageRecord(page), version)
	t, _, err := k.openPage(ctx, page, rec, err)
	return t, err
}

// openPage unwraps and parses what a read gave.
func (k *Keyring) openPage(ctx context.Context, page PageNo, rec record, err error) (tree, int, error) {
	if err != nil {
		return nil, 0, pageError(page, err)
	}
	plain, err := k.backend.unwrap(ctx, rec.wrapped, pageRecord(page))
	if err != nil {
		return nil, 0, pageError(page, err)
	}
	defer clear(plain)
	t, err := parseTree(plain)
	if err != nil {
		return nil, 0, pageError(page, err)
	}
	return t, rec.version, nil
}

// pageError says what a failure means for a page.
func pageError(page PageNo, err error) error {
	switch {
	case errors.Is(err, errAbsent):
		return fmt.Errorf("page %d: %w", page, ErrPageMissing)
	case errors.Is(err, errUnwrap), errors.Is(err, errMalformedPage):
		return fmt.Errorf("page %d: %w: %w", page, ErrPageCorrupt, err)
	default:
		return fmt.Errorf("page %d: %w", page, err)
	}
}

// secret reads one of the keys that are kept beside the pages.
func (k *Keyring) secret(ctx context.Context, name string) (key, error) {
	rec, err := k.backend.read(ctx, name)
	if errors.Is(err, errAbsent) {
		return key{}, ErrNotInitialised
	}
	if err != nil {
		return key{}, err
	}
	plain, err := k.backend.unwrap(ctx, rec.wrapped, name)
	if errors.Is(err, errUnwrap) || (err == nil && len(plain) != keySize) {
		return key{}, fmt.Errorf("%w: %s does not unwrap", ErrKeysLost, name)
	}
	if err != nil {
		return key{}, err
	}
	defer clear(plain)
	return key(plain), nil
}

// writeFirst writes a record that must not exist yet. Finding it there is no error.
func (k *Keyring) writeFirst(ctx context.Context, name string, plain []byte) (written bool, err error) {
	defer clear(plain)
	wrapped, err := k.backend.wrap(ctx, plain, name)
	if err != nil {
		return false, err
	}
	_, err = k.backend.write(ctx, name, wrapped, 0)
	if errors.Is(err, errConflict) {
		return false, nil
	}
	return err == nil, err
}

// pageNumbers lists the pages there are.
func (k *Keyring) pageNumbers(ctx context.Context) ([]PageNo, error) {
	names, err := k.backend.list(ctx, pageFolder)
	if err != nil {
		return nil, err
	}
	pages := make([]PageNo, 0, len(names))
	for _, name := range names {
		n, err := strconv.ParseInt(name, 10, 64)
		if err != nil || n < 0 {
			return nil, fmt.Errorf("%w: a record in the folder of pages is not a page", ErrPageCorrupt)
		}
		pages = append(pages, PageNo(n))
	}
	slices.Sort(pages)
	return pages, nil
}

// settle destroys all versions of a record before the one that has been verified.
func (k *Keyring) settle(ctx context.Context, name string, verified int) (destroyed int, err error) {
	versions, err := k.backend.versions(ctx, name)
	if err != nil {
		return 0, err
	}
	var older []int
	for _, version := range versions {
		if version < verified {
			older = append(older, version)
		}
	}
	if len(older) == 0 {
		return 0, nil
	}
	return len(older), k.backend.destroy(ctx, name, older)
}
