package webhook

import (
	"net/netip"
	"testing"
)

func TestIsAllowed(t *testing.T) {
	t.Parallel()
	for text, want := range map[string][2]bool{ // by default, with the own network
		"93.184.216.34": {true, true}, "2606:2800:220:1:248:1893:25c8:1946": {true, true},
		"10.0.0.1": {false, true}, "192.168.1.1": {false, true}, "172.16.0.1": {false, true}, "127.0.0.1": {false, true}, "::1": {false, true}, "fd00::1": {false, true}, "100.64.0.1": {false, true},
		"169.254.169.254": {}, "fe80::1": {}, "0.0.0.0": {}, "::": {}, "255.255.255.255": {}, "224.0.0.1": {}, "ff02::1": {}, "198.18.0.1": {}, "192.0.0.1": {},
		"64:ff9b::a00:1": {}, "2002:a00:1::": {}, "2001::1": {}, "240.0.0.1": {}, "0.1.2.3": {}, "::7f00:1": {},
	} {
		address := netip.MustParseAddr(text)
		for i, private := range []bool{false, true} {
			if got := isAllowed(address, private); got != want[i] {
				t.Errorf("%s, private %t: %t", text, private, got)
			}
		}
	}
}
