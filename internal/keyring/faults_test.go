package keyring

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// faulty is the file backend with a wrench in it: a hook that is set runs instead.
type faulty struct {
	backend
	onRead    func(ctx context.Context, name string) (record, error)
	onWrite   func(ctx context.Context, name, wrapped string, newest int) (int, error)
	onDestroy func(ctx context.Context, name string, versions []int) error
}

func (f *faulty) read(ctx context.Context, name string) (record, error) {
	if f.onRead != nil {
		return f.onRead(ctx, name)
	}
	return f.backend.read(ctx, name)
}

func (f *faulty) write(ctx context.Context, name, wrapped string, newest int) (int, error) {
	if f.onWrite != nil {
		return f.onWrite(ctx, name, wrapped, newest)
	}
	return f.backend.write(ctx, name, wrapped, newest)
}

func (f *faulty) destroy(ctx context.Context, name string, versions []int) error {
	if f.onDestroy != nil {
		return f.onDestroy(ctx, name, versions)
	}
	return f.backend.destroy(ctx, name, versions)
}

// openFaulty gives a keyring with page 0 over a backend whose hooks are not set yet.
func openFaulty(t *testing.T) (*Keyring, *faulty) {
	t.Helper()
	k, err := OpenFile(t.TempDir(), Options{Dev: true, Init: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	if _, err := k.EnsurePage(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	f := &faulty{backend: k.backend}
	k.backend = f
	return k, f
}

func keyAt(t *testing.T, k *Keyring, slot privacy.KeySlot) (key, bool) {
	t.Helper()
	current, _, err := k.readPage(t.Context(), PageOf(slot))
	if err != nil {
		t.Fatal(err)
	}
	return newPage(current).derive(indexOf(slot))
}

func mustVersions(t *testing.T, k *Keyring, want ...int) {
	t.Helper()
	got, err := k.backend.versions(t.Context(), "pages/0")
	if err != nil || len(got) != len(want) {
		t.Fatalf("versions %v, want %v (%v)", got, want, err)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Fatalf("versions %v, want %v", got, want)
		}
	}
}

var errCut = unavailable(errors.New("the line was cut"))

func TestCrashBetweenWriteAndDestroyIsSwept(t *testing.T) {
	k, f := openFaulty(t)
	kept, _ := keyAt(t, k, 2)
	f.onDestroy = func(context.Context, string, []int) error { return errCut }
	if err := k.Puncture(t.Context(), 1); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	f.onDestroy = nil
	mustVersions(t, k, 1, 2)
	report, err := k.Sweep(t.Context())
	if err != nil || report.Finished != 1 || report.Destroyed != 1 || report.Damaged != nil {
		t.Fatalf("%+v, %v", report, err)
	}
	mustVersions(t, k, 2)
	if _, live := keyAt(t, k, 1); live {
		t.Error("the erased slot derives")
	}
	if now, _ := keyAt(t, k, 2); now != kept {
		t.Error("another slot changed")
	}
}

func TestPunctureWhoseAnswerWasLostCanBeRepeated(t *testing.T) {
	k, f := openFaulty(t)
	f.onWrite = func(ctx context.Context, name, wrapped string, newest int) (int, error) {
		if _, err := f.backend.write(ctx, name, wrapped, newest); err != nil {
			return 0, err
		}
		return 0, errCut
	}
	if _, err := k.Subject(t.Context(), privacy.SubjectID{1}, 1); err != nil {
		t.Fatal(err)
	}
	if err := k.Puncture(t.Context(), 1); !errors.Is(err, ErrUnavailable) {
		t.Fatalf("got %v", err)
	}
	if _, err := k.Subject(t.Context(), privacy.SubjectID{1}, 1); !errors.Is(err, ErrPunctured) {
		t.Errorf("the page of before is still in use: %v", err)
	}
	f.onWrite = nil
	if err := k.Puncture(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	mustVersions(t, k, 2)
}

// What reads back after the write is not what it should be: then nothing is destroyed.
func TestPunctureThatReadsBackWrongDestroysNothing(t *testing.T) {
	for name, wrong := range map[string]func(before tree) tree{
		"still there":      func(before tree) tree { return before },
		"another page":     func(tree) tree { return newTree(key{42}).without([]int{1}) },
		"more is missing":  func(before tree) tree { return before.without([]int{1, 9}) },
		"everything gone":  func(tree) tree { return tree{} },
		"a new slot there": func(before tree) tree { return append(before.without([]int{1, 4095}), node{prefix{3, 4095}, key{7}}) },
	} {
		t.Run(name, func(t *testing.T) {
			k, f := openFaulty(t)
			before, _, err := k.readPage(t.Context(), 0)
			if err != nil {
				t.Fatal(err)
			}
			f.onWrite = func(ctx context.Context, name, _ string, newest int) (int, error) {
				wrapped, err := f.wrap(ctx, wrong(before).encode(), name)
				if err != nil {
					return 0, err
				}
				return f.backend.write(ctx, name, wrapped, newest)
			}
			if err := k.Puncture(t.Context(), 1); !errors.Is(err, ErrPageCorrupt) {
				t.Errorf("got %v", err)
			}
			mustVersions(t, k, 1, 2)
		})
	}
}

func TestEndlessConflictIsGivenUp(t *testing.T) {
	k, f := openFaulty(t)
	f.onWrite = func(context.Context, string, string, int) (int, error) { return 0, errConflict }
	if err := k.Puncture(t.Context(), 1); !errors.Is(err, ErrBusy) || privacy.KindOf(err) != privacy.KindUnavailable {
		t.Errorf("got %v", err)
	}
	mustVersions(t, k, 1)
}

func TestRotationCutShortIsResumed(t *testing.T) {
	k, f := openFaulty(t)
	for _, page := range []PageNo{1, 2} {
		if _, err := k.EnsurePage(t.Context(), page); err != nil {
			t.Fatal(err)
		}
	}
	kept, _ := keyAt(t, k, 4097)
	writes := 0
	f.onWrite = func(ctx context.Context, name, wrapped string, newest int) (int, error) {
		if writes++; writes > 4 {
			return 0, errCut
		}
		return f.backend.write(ctx, name, wrapped, newest)
	}
	if report, err := k.Rotate(t.Context()); !errors.Is(err, ErrUnavailable) || report.Rewrapped != 4 {
		t.Fatalf("%+v, %v", report, err)
	}
	f.onWrite = nil
	report, err := k.Rotate(t.Context())
	want := RotateReport{KEKVersion: 2, Resumed: true, Records: 6, Rewrapped: 2}
	if err != nil || report != want {
		t.Fatalf("%+v, %v; want %+v", report, err, want)
	}
	if now, _ := keyAt(t, k, 4097); now != kept {
		t.Error("a key changed")
	}
}

func TestPunctureDuringRotationStays(t *testing.T) {
	k, f := openFaulty(t)
	var once atomic.Bool
	f.onWrite = func(ctx context.Context, name, wrapped string, newest int) (int, error) {
		if name == "pages/0" && once.CompareAndSwap(false, true) {
			// The rotation has read the page and is about to write it.
			if err := k.Puncture(ctx, 1); err != nil {
				t.Error(err)
			}
		}
		return f.backend.write(ctx, name, wrapped, newest)
	}
	if _, err := k.Rotate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, live := keyAt(t, k, 1); live {
		t.Error("the rotation brought an erased slot back")
	}
	mustVersions(t, k, 2)
}

func TestEnsurePageDoesNotTrustALoadFromBefore(t *testing.T) {
	k, f := openFaulty(t)
	reads := 0
	f.onRead = func(ctx context.Context, name string) (record, error) {
		if reads++; reads == 1 {
			return record{}, errAbsent
		}
		return f.backend.read(ctx, name)
	}
	k.Forget()
	// Told that the page is missing although it is there, it must find that out and keep it.
	created, err := k.EnsurePage(t.Context(), 0)
	if created || err != nil {
		t.Errorf("%v, %v", created, err)
	}
	mustVersions(t, k, 1)
}

func TestNoPageWithoutRandomness(t *testing.T) {
	k, _ := openFaulty(t)
	k.random = bytes.NewReader([]byte("not enough"))
	if created, err := k.EnsurePage(t.Context(), 7); created || err == nil {
		t.Errorf("%v, %v", created, err)
	}
	if _, err := k.Subject(t.Context(), privacy.SubjectID{}, 7*PageSize); !errors.Is(err, ErrPageMissing) {
		t.Errorf("got %v", err)
	}
}

func TestFileKeyringIsForDevelopmentAlone(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenFile(dir, Options{Init: true}); !errors.Is(err, ErrNotDev) {
		t.Fatalf("outside development: %v", err)
	}
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 0 {
		t.Errorf("it left %d files, %v", len(entries), err)
	}
	k, err := OpenFile(dir, Options{Dev: true, Init: true})
	if err != nil {
		t.Fatal(err)
	}
	_ = k.Close()
	err = filepath.WalkDir(dir, func(_ string, entry os.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil && info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", entry.Name(), info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Join(dir, "kek", "1"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenFile(dir, Options{Dev: true}); !errors.Is(err, ErrUnavailable) {
		t.Errorf("with keys that others may read: %v", err)
	}
}
