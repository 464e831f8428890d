package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

func TestSharedDataIsFoundAboveThePackage(t *testing.T) {
	t.Setenv(envShared, "")
	root := t.TempDir()
	folder, data := filepath.Join(root, "checkout", "internal", "store"), filepath.Join(root, "shared", "vectors")
	for _, path := range []string{folder, data} {
		if err := os.MkdirAll(path, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(folder)
	if got := SharedData(t, "vectors"); got != data {
		t.Errorf("got %s, want %s", got, data)
	}
	t.Run("none", func(t *testing.T) {
		t.Cleanup(func() {
			if !t.Skipped() {
				t.Error("a test without its data was not skipped")
			}
		})
		SharedData(t, "no-such-folder-anywhere")
	})
	t.Setenv(envShared, filepath.Dir(data))
	t.Chdir(root)
	if got := SharedData(t, "vectors"); got != data {
		t.Errorf("by the environment: got %s, want %s", got, data)
	}
}
