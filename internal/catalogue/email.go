package catalogue

import (
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

const (
	maxEmail = 254 // octets: RFC 5321 §4.5.3.1.3, less the angle brackets of a path
	maxLocal = 64  // octets: RFC 5321 §4.5.3.1.1
)

// cleanEmail reads an address as people write it: a dot-atom (RFC 5322 §3.4.1, with the
// letters of RFC 6531), "@", a domain of at least two labels. Quoted local parts, comments
// and address literals are refused: nobody types them and they hide tricks. The whole is
// lower-cased, although RFC 5321 lets a host tell cases apart, because none does and one
// person must not become two; the domain goes to its ASCII form (UTS #46, IDNA 2008).
func cleanEmail(text, _ string) (string, bool) {
	text, ok := cleanText(text, maxEmail)
	if !ok {
		return "", false
	}
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return "", false
	}
	local := fold(text[:at])
	domain, ok := cleanDomain(text[at+1:])
	if !ok || !isDotAtom(local) || len(local) > maxLocal || len(local)+1+len(domain) > maxEmail {
		return "", false
	}
	return local + "@" + domain, true
}

func isDotAtom(local string) bool {
	for _, atom := range strings.Split(local, ".") {
		if atom == "" || strings.IndexFunc(atom, func(r rune) bool { return !isAtomRune(r) }) >= 0 {
			return false
		}
	}
	return true
}

func isAtomRune(r rune) bool {
	if r < 0x80 {
		return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
	}
	return unicode.IsLetter(r) || unicode.IsMark(r) || unicode.IsDigit(r)
}

func cleanDomain(domain string) (string, bool) {
	domain = strings.ToLower(domain)
	if !isPlainDomain(domain) {
		var err error
		profile := idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(true),
			idna.VerifyDNSLength(true), idna.Transitional(false))
		if domain, err = profile.ToASCII(domain); err != nil {
			return "", false
		}
	}
	dot := strings.LastIndexByte(domain, '.')
	if dot <= 0 || strings.IndexFunc(domain[dot+1:], unicode.IsLetter) < 0 {
		return "", false // one label, a trailing dot, or an IPv4 address
	}
	return domain, true
}

// isPlainDomain recognises the common domain that IDNA would leave as it is.
func isPlainDomain(domain string) bool {
	if len(domain) > 253 {
		return false
	}
	for _, label := range strings.Split(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.Contains(label, "--") {
			return false
		}
		for i := range len(label) {
			if b := label[i]; (b < 'a' || b > 'z') && (b < '0' || b > '9') && b != '-' {
				return false
			}
		}
	}
	return true
}
