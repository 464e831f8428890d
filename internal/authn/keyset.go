package authn

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/consentry/consentry/internal/privacy"
)

const (
	// freshFor is how long a key set is used before it is read again.
	freshFor = time.Minute
	// usableFor is how long it is still used while it cannot be read: an issuer's short
	// outage stops nobody, and a removed key does not live on behind a long one.
	usableFor = time.Hour
	// retryAfter spaces out the reading, so that forged tokens with made-up key ids do
	// not become requests to the issuer.
	retryAfter = 10 * time.Second

	fetchLimit  = 5 * time.Second
	maxKeyBytes = 1 << 20
)

// keySet holds the issuer's public keys. It reads them again when a token comes and they
// are no longer fresh, or when a token names a key they do not have: so a new key works
// at once and a removed one stops within freshFor, with no goroutine in the background.
type keySet struct {
	now     func() time.Time
	fetch   func(context.Context) ([]byte, error)
	current atomic.Pointer[keys] // nil until read once

	reading sync.Mutex
	tried   time.Time // of the last reading, guarded by reading
}

type keys struct {
	find keyfunc.Keyfunc
	read time.Time
}

func newKeySet(config Config, now func() time.Time) (*keySet, error) {
	switch {
	case (config.JWKSURL == "") == (config.JWKSFile == ""):
		return nil, privacy.Invalid("authn_config", "name either a URL or a file for the issuer's keys")
	case config.JWKSFile != "":
		return &keySet{now: now, fetch: fromFile(config.JWKSFile)}, nil
	case !trustworthy(config.JWKSURL):
		return nil, privacy.Invalid("authn_config", "the URL of the issuer's keys must be https; http is for this machine alone")
	default:
		return &keySet{now: now, fetch: fromURL(config.JWKSURL)}, nil
	}
}

// key finds the key that a token names.
func (s *keySet) key(ctx context.Context, token *jwt.Token) (any, error) {
	held, err := s.usable(ctx)
	if err != nil {
		return nil, err
	}
	key, err := held.find.KeyfuncCtx(ctx)(token)
	if err == nil {
		return key, nil
	}
	if renewed := s.refresh(ctx); renewed != nil && renewed != held {
		if key, err := renewed.find.KeyfuncCtx(ctx)(token); err == nil {
			return key, nil
		}
	}
	return nil, errUnknownKey
}

// usable gives the keys to verify with now, read again when they are no longer fresh.
func (s *keySet) usable(ctx context.Context) (*keys, error) {
	held := s.current.Load()
	if held == nil || s.now().Sub(held.read) >= freshFor {
		held = s.refresh(ctx)
	}
	if held == nil || s.now().Sub(held.read) >= usableFor {
		return nil, errNoKeys
	}
	return held, nil
}

// errNoKeys has no cause: it goes to every caller, and an address is not theirs to know.
var errNoKeys = privacy.Unavailable(nil, "token_keys_unavailable", "the issuer's keys cannot be read now; try again")

// refresh reads the key set, unless that was tried just now, and gives what there is
// after it. While one call reads, others go on with the keys they have.
func (s *keySet) refresh(ctx context.Context) *keys {
	if held := s.current.Load(); held == nil {
		s.reading.Lock()
	} else if !s.reading.TryLock() {
		return held
	}
	defer s.reading.Unlock()
	if now := s.now(); s.tried.IsZero() || now.Sub(s.tried) >= retryAfter {
		s.tried = now
		// The caller who happens to come first may go away; the others still want the keys.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), fetchLimit)
		defer cancel()
		if find, err := s.read(ctx); err == nil {
			s.current.Store(&keys{find, now})
		}
	}
	return s.current.Load()
}

func (s *keySet) read(ctx context.Context) (keyfunc.Keyfunc, error) {
	content, err := s.fetch(ctx)
	if err != nil {
		return nil, err
	}
	usable, err := signatureKeys(content)
	if err != nil {
		return nil, err
	}
	return keyfunc.NewJWKSetJSON(usable)
}

// signatureKeys keeps the keys of a set that our algorithms can use, so that one we do
// not know spoils nothing (RFC 7517 §5), and an encryption key verifies nothing.
func signatureKeys(content []byte) ([]byte, error) {
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(content, &set); err != nil {
		return nil, fmt.Errorf("read a key set: %w", err)
	}
	usable := make([]json.RawMessage, 0, len(set.Keys))
	for _, key := range set.Keys {
		if verifiesSignatures(key) {
			usable = append(usable, key)
		}
	}
	set.Keys = usable
	return json.Marshal(set)
}

func verifiesSignatures(key json.RawMessage) bool {
	var about struct{ Kty, Crv, Use, N string }
	if json.Unmarshal(key, &about) != nil || (about.Use != "" && about.Use != "sig") {
		return false
	}
	switch about.Kty {
	case "RSA":
		return base64.RawURLEncoding.DecodedLen(len(about.N)) >= 2048/8 // RFC 7518 §3.3
	case "EC":
		return about.Crv == "P-256"
	case "OKP":
		return about.Crv == "Ed25519"
	default:
		return false
	}
}

// trustworthy reports whether nobody between us and the address can swap the keys.
func trustworthy(address string) bool {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" {
		return false
	}
	ip := net.ParseIP(parsed.Hostname())
	local := parsed.Hostname() == "localhost" || (ip != nil && ip.IsLoopback())
	return parsed.Scheme == "https" || (parsed.Scheme == "http" && local)
}

func fromFile(path string) func(context.Context) ([]byte, error) {
	return func(context.Context) ([]byte, error) {
		return os.ReadFile(path)
	}
}

func fromURL(address string) func(context.Context) ([]byte, error) {
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error {
		return http.ErrUseLastResponse // a redirect could lead away from https
	}}
	return func(ctx context.Context) ([]byte, error) {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
		if err != nil {
			return nil, err
		}
		response, err := client.Do(request)
		if err != nil {
			return nil, err
		}
		defer response.Body.Close() //nolint:errcheck // read to the limit or given up
		if response.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("key set: HTTP status %d", response.StatusCode)
		}
		content, err := io.ReadAll(io.LimitReader(response.Body, maxKeyBytes+1))
		if err == nil && len(content) > maxKeyBytes {
			err = errors.New("key set: too large")
		}
		return content, err
	}
}
