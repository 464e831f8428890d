package proofpack_test

import (
	"bytes"
	"context"
	"maps"
	"testing"

	"github.com/consentry/consentry/internal/proofpack"
)

// Whatever a file holds, it is read to an end, and passes only when it holds what was signed.
func FuzzVerify(f *testing.F) {
	good := write(f, source(ours, ledger()))
	want := unpack(f, good).contents
	f.Add(good)
	f.Add([]byte{})
	f.Add(unpack(f, good).zip())
	for name := range want {
		p := unpack(f, good)
		p.put(name, bytes.ToUpper(want[name]))
		f.Add(p.zip())
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		report, err := proofpack.Verify(context.Background(), bytes.NewReader(packed), int64(len(packed)), trusted(ours))
		if err != nil {
			t.Fatal(err)
		}
		if !report.OK() {
			return
		}
		if !maps.EqualFunc(unpack(t, packed).contents, want, bytes.Equal) {
			t.Error("something else passes")
		}
	})
}
