package webhook

import (
	"errors"
	"net/netip"
	"net/url"
	"strings"
	"syscall"

	"github.com/consentry/consentry/internal/privacy"
)

const maxURL = 512

// The rules that an address may break. None repeats it.
var (
	errURL  = privacy.Invalid("invalid_url", "the url is https://host[:port]/path, without user, query or fragment")
	errHTTP = privacy.Invalid("url_not_https", "the url must begin with https://")
)

// CheckURL reports whether calls may be sent to a URL. The host is looked at when a call is made.
func (s *Sender) CheckURL(text string) error {
	u, err := url.Parse(text)
	if err != nil || len(text) > maxURL || u.Opaque != "" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" ||
		strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return errURL
	}
	switch {
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && s.plain && isLoopbackName(u.Hostname()):
		return nil
	default:
		return errHTTP
	}
}

func isLoopbackName(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}

// errAddress is what a connection to an address that is not allowed fails with.
var errAddress = errors.New("the address is not allowed")

// guard refuses to connect to addresses that are not on the public Internet. It is run for each
// address as it is connected to, after the name was resolved, so a name that resolves to one thing when
// it is checked and another when it is used gains nothing.
func (s *Sender) guard(_, address string, _ syscall.RawConn) error {
	endpoint, err := netip.ParseAddrPort(address)
	if err != nil || !isAllowed(endpoint.Addr().Unmap(), s.private) {
		return errAddress
	}
	return nil
}

// isAllowed tells public addresses, and with private those of the own network, from the rest. Link-local
// addresses are never allowed: the metadata services of clouds, which give out credentials, are there.
func isAllowed(address netip.Addr, private bool) bool {
	if private && (address.IsPrivate() || address.IsLoopback() || sharedSpace.Contains(address)) {
		return true
	}
	if !address.IsGlobalUnicast() || address.IsPrivate() || address.IsLoopback() || address.IsLinkLocalUnicast() {
		return false
	}
	for _, special := range specialSpaces {
		if special.Contains(address) {
			return false
		}
	}
	return true
}

var sharedSpace = netip.MustParsePrefix("100.64.0.0/10") // RFC 6598

// specialSpaces are not for public use, or lead on to IPv4 addresses (IANA special-purpose address registries).
var specialSpaces = []netip.Prefix{
	sharedSpace,
	netip.MustParsePrefix("0.0.0.0/8"), netip.MustParsePrefix("192.0.0.0/24"), netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("192.88.99.0/24"),
	netip.MustParsePrefix("198.18.0.0/15"), netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("203.0.113.0/24"), netip.MustParsePrefix("240.0.0.0/4"),
	netip.MustParsePrefix("::/96"), netip.MustParsePrefix("64:ff9b::/96"), netip.MustParsePrefix("64:ff9b:1::/48"), netip.MustParsePrefix("100::/64"),
	netip.MustParsePrefix("2001::/23"), netip.MustParsePrefix("2001:db8::/32"), netip.MustParsePrefix("2002::/16"), netip.MustParsePrefix("3fff::/20"),
	netip.MustParsePrefix("5f00::/16"), netip.MustParsePrefix("fec0::/10"),
}
