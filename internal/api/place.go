package api

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// proxies are the networks of the proxies in front, whose word about where a request came from is taken.
type proxies []netip.Prefix

// place names where a request comes from: its address, of IPv6 the network, since one customer has all of that.
//
// A proxy appends whom it was called by to X-Forwarded-For, behind what it was told itself. So the list is read from
// its end, for as long as the one who said it is a proxy of ours: whatever a caller has put in front counts for nothing.
func (p proxies) place(r *http.Request) privacy.ClientID {
	address, ok := parseAddress(r.RemoteAddr)
	if !ok {
		return "elsewhere"
	}
	said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
	for _, text := range slices.Backward(said) {
		if !p.trust(address) {
			break
		}
		before, ok := parseAddress(strings.TrimSpace(text))
		if !ok {
			break
		}
		address = before
	}
	if address.Is6() {
		network, _ := address.Prefix(64)
		address = network.Addr()
	}
	return privacy.ClientID(address.String())
}

func (p proxies) trust(address netip.Addr) bool {
	return slices.ContainsFunc(p, func(network netip.Prefix) bool { return network.Contains(address) })
}

// parseAddress reads an address, with or without a port.
func parseAddress(text string) (netip.Addr, bool) {
	if host, _, err := net.SplitHostPort(text); err == nil {
		text = host
	}
	address, err := netip.ParseAddr(text)
	return address.Unmap().WithZone(""), err == nil
}
