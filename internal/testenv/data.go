package testenv

import (
	"os"
	"path/filepath"
	"testing"
)

// envShared names the folder with the shared test data, where it is not beside the checkout.
const envShared = "CONSENTRY_SHARED"

// SharedData gives the path of a file or folder of the shared test data, such as
// SharedData(t, "vectors", "keyring.json"). It looks in $CONSENTRY_SHARED, then in a
// folder `shared` that stands beside the checkout or above it, and skips the test where
// there is none: the data is no part of the repository.
func SharedData(t testing.TB, path ...string) string {
	t.Helper()
	relative := filepath.Join(path...)
	if folder := os.Getenv(envShared); folder != "" {
		file := filepath.Join(folder, relative)
		if _, err := os.Stat(file); err != nil {
			t.Fatalf("%s is set, but has no %s", envShared, relative)
		}
		return file
	}
	folder, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for parent := filepath.Dir(folder); parent != folder; folder, parent = parent, filepath.Dir(parent) {
		file := filepath.Join(parent, "shared", relative)
		if _, err := os.Stat(file); err == nil {
			return file
		}
	}
	t.Skipf("no test data %s: set %s to the folder that has it", relative, envShared)
	return ""
}
