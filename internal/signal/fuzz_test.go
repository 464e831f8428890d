package signal_test

import (
	"errors"
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/signal"
	"github.com/consentry/consentry/internal/testenv"
)

// wellRefused: an error is typed, says nothing of the string, and comes with no result.
func wellRefused[T any](t *testing.T, got *T, err error) {
	var typed *privacy.Error
	if !errors.As(err, &typed) || typed.Cause != nil || got != nil {
		t.Fatalf("%v with %v", err, got)
	}
}

// FuzzTCF: nothing panics, what is refused is refused well, and sets that were read hold what they list.
func FuzzTCF(f *testing.F) {
	s := good()
	f.Add(s.Text())
	s.Features, s.Publisher, s.Restrictions, s.PurposeOne = []int{2}, []int{1, 2}, [][3]int{{1, 1, 9}, {2, 0, 65535}}, true
	f.Add(s.Text())
	f.Add((testenv.TCString{}).Text() + ".QAAA")
	f.Add("C.")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := signal.DecodeTCF(text)
		if err != nil {
			wellRefused(t, c, err)
			return
		}
		last := 0
		for id := range c.VendorConsents.All() {
			if id <= last || id > 65535 || !c.VendorConsents.Has(id) {
				t.Fatalf("vendor %d after %d", id, last)
			}
			last = id
		}
		again, err := signal.DecodeTCF(text + "AA")
		if c.Disclosed == nil && c.Allowed == nil && c.Publisher == nil && (err != nil || !slices.Equal(again.Consents.IDs(), c.Consents.IDs())) {
			t.Fatalf("padding changes it: %v", err)
		}
	})
}

// FuzzGPP: nothing panics, what is refused is refused well, and every section has a name.
func FuzzGPP(f *testing.F) {
	f.Add(testenv.GPPString([]int{2, 6}, good().Text(), "1YNN"))
	f.Add(testenv.GPPString([]int{7, 8}, testenv.USSection(2, slices.Repeat([]int{1}, 32)...)+".YA", testenv.USSection(1, slices.Repeat([]int{2}, 20)...)))
	f.Add(testenv.GPPString([]int{5, 11, 27}, "BPSG", testenv.USSection(1, slices.Repeat([]int{1}, 18)...), "A"))
	f.Add((&testenv.SignalBits{}).Int(3, 6).Int(1, 6).Int(1, 12).Int(1, 1).Fibonacci(5).Fibonacci(1).Text() + "~B~1---")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := signal.DecodeGPP(text)
		if err != nil {
			wellRefused(t, g, err)
			return
		}
		last := 0
		for _, s := range g.Sections {
			if s.ID <= last || s.Name == "" {
				t.Fatalf("section %d after %d", s.ID, last)
			}
			last = s.ID
			if s.US == nil {
				continue
			}
			for name, values := range s.US.Fields {
				for _, value := range values {
					if value < 0 || value > 2 {
						t.Fatalf("%s is %d", name, value)
					}
				}
			}
		}
	})
}
