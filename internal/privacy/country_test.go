package privacy_test

import (
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func TestIsCountry(t *testing.T) {
	t.Parallel()
	for code, want := range map[string]bool{
		"DE": true, "CN": true, "GB": true, "AD": true, "ZW": true, "AX": true,
		"UK": false, "EU": false, "XK": false, "ZZ": false, "AA": false, "de": false, "D": false, "": false, "DEU": false, "D ": false, " D": false, "DE CN": false,
	} {
		if privacy.IsCountry(code) != want {
			t.Errorf("%q: %t", code, !want)
		}
	}
}
