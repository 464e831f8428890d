package api

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func TestPlaceOfARequest(t *testing.T) {
	t.Parallel()
	ours := proxies{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fd00::/8")}
	for _, c := range []struct {
		remote string
		said   []string
		place  privacy.ClientID
	}{
		{"192.0.2.7:4711", nil, "192.0.2.7"},
		{"[2001:db8:1:2:3:4:5:6]:4711", nil, "2001:db8:1:2::"},
		{"[::ffff:192.0.2.7]:4711", nil, "192.0.2.7"},
		{"@", nil, "elsewhere"},
		// Whoever is no proxy may say what they like.
		{"192.0.2.7:4711", []string{"198.51.100.1"}, "192.0.2.7"},
		{"10.0.0.1:80", []string{"198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:80", []string{"203.0.113.9, 198.51.100.1"}, "198.51.100.1"},
		{"10.0.0.1:80", []string{"203.0.113.9", "198.51.100.1 ,10.0.0.2"}, "198.51.100.1"},
		{"10.0.0.1:80", []string{"198.51.100.1:55555"}, "198.51.100.1"},
		{"[fd00::1]:80", []string{"2001:db8:1:2:3:4:5:6"}, "2001:db8:1:2::"},
		{"[::ffff:10.0.0.1]:80", []string{"198.51.100.1"}, "198.51.100.1"},
		// What cannot be read ends the list.
		{"10.0.0.1:80", []string{"198.51.100.1, unknown"}, "10.0.0.1"},
		{"10.0.0.1:80", nil, "10.0.0.1"},
	} {
		r := httptest.NewRequest(http.MethodPost, "/", nil)
		r.RemoteAddr = c.remote
		r.Header["X-Forwarded-For"] = c.said
		if place := ours.place(r); place != c.place {
			t.Errorf("%s, forwarded for %q: %s, want %s", c.remote, c.said, place, c.place)
		}
	}
}

// Behind a proxy people do not share one allowance, and nobody makes up others' addresses without one.
func TestLimitOfLinksIsByPerson(t *testing.T) {
	t.Parallel()
	const tries = confirmsBurst + 5
	limited := func(remote string, trusted []netip.Prefix, said func(i int) string) (n int) {
		f := newFace(t, Config{TrustedProxies: trusted})
		for i := range tries {
			r := httptest.NewRequest(http.MethodPost, "/v1/consents/confirm", strings.NewReader("{"))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-Forwarded-For", said(i))
			r.RemoteAddr = remote
			if w, _ := f.do(r); w.Code == http.StatusTooManyRequests {
				n++
			}
		}
		return n
	}
	proxy := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	each := func(i int) string { return "203.0.113." + strconv.Itoa(i) }
	one := func(int) string { return "203.0.113.1" }
	if n := limited("10.0.0.1:80", proxy, each); n != 0 {
		t.Errorf("%d of %d people were turned away for each other", n, tries)
	}
	if n := limited("10.0.0.1:80", proxy, one); n == 0 {
		t.Error("one person behind a proxy has no limit")
	}
	if n := limited("192.0.2.7:80", proxy, each); n == 0 {
		t.Error("whoever makes addresses up has no limit")
	}
	if n := limited("10.0.0.1:80", nil, each); n == 0 {
		t.Error("a proxy that nobody named is believed")
	}
}
