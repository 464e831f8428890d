package authn

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/consentry/consentry/internal/privacy"
)

const (
	issuerName = "https://issuer.test"
	audience   = "consentry"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// clock is a time that tests move by hand.
type clock struct{ unix atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.unix.Store(start.Unix())
	return c
}

func (c *clock) now() time.Time           { return time.Unix(c.unix.Load(), 0).UTC() }
func (c *clock) advance(by time.Duration) { c.unix.Add(int64(by / time.Second)) }
func (c *clock) config(file string) Config {
	return Config{Issuer: issuerName, Audience: audience, JWKSFile: file}
}
func (c *clock) fromURL(address string) Config {
	return Config{Issuer: issuerName, Audience: audience, JWKSURL: address}
}

func edKey(t testing.TB) ed25519.PrivateKey {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func write(t testing.TB, jwks []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, jwks, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func newVerifier(t testing.TB, config Config, c *clock) *Verifier {
	t.Helper()
	v, err := New(t.Context(), config, c.now)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(v.Close)
	return v
}

func sign(t testing.TB, method jwt.SigningMethod, key any, header map[string]any, held jwt.MapClaims) string {
	t.Helper()
	token := jwt.NewWithClaims(method, held)
	for name, value := range header {
		token.Header[name] = value
	}
	signed, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

// good are the claims of a token that is taken, with some replaced; nil takes one out.
func good(changes jwt.MapClaims) jwt.MapClaims {
	held := jwt.MapClaims{
		"iss": issuerName, "aud": audience, "client_id": "crm-mailer", "roles": []string{"consumer"},
		"exp": start.Add(time.Hour).Unix(), "nbf": start.Unix(),
	}
	for name, value := range changes {
		if held[name] = value; value == nil {
			delete(held, name)
		}
	}
	return held
}

func wantRefusal(t *testing.T, err error, kind privacy.Kind, code string) {
	t.Helper()
	if err == nil {
		t.Fatalf("taken, want %s", code)
	}
	if privacy.KindOf(err) != kind || privacy.CodeOf(err) != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

func TestVerifyRefuses(t *testing.T) {
	key, stranger := edKey(t), edKey(t)
	issuer := NewIssuer(key, issuerName, audience)
	public := publicPart(key)
	kid := map[string]any{"kid": issuer.keyID}
	v := newVerifier(t, newClock().config(write(t, issuer.JWKS())), newClock())
	ed := jwt.SigningMethodEdDSA

	valid := sign(t, ed, key, kid, good(nil))
	parts := strings.Split(valid, ".")
	forged, err := json.Marshal(good(jwt.MapClaims{"roles": []string{"admin"}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, token, code string }{
		{"nothing", "", "token_missing"},
		{"no token", "not-a-token", "token_invalid"},
		{"two parts", parts[0] + "." + parts[1], "token_invalid"},
		{"long", strings.Repeat("a", maxTokenBytes+1), "token_invalid"},
		{"unsigned", sign(t, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, kid, good(nil)), "token_invalid"},
		{"signature cut off", parts[0] + "." + parts[1] + ".", "token_invalid"},
		{"claims swapped", parts[0] + "." + base64.RawURLEncoding.EncodeToString(forged) + "." + parts[2], "token_invalid"},
		{"public key as HMAC secret", sign(t, jwt.SigningMethodHS256, []byte(public), kid, good(nil)), "token_invalid"},
		{"key set as HMAC secret", sign(t, jwt.SigningMethodHS256, issuer.JWKS(), kid, good(nil)), "token_invalid"},
		{"another's key under our key's name", sign(t, ed, stranger, kid, good(nil)), "token_invalid"},
		{"another's key without a name", sign(t, ed, stranger, nil, good(nil)), "token_invalid"},
		{"another's key under its own name", sign(t, ed, stranger, map[string]any{"kid": "other"}, good(nil)), "token_unknown_key"},
		{"key in the header", sign(t, ed, stranger, map[string]any{"jwk": json.RawMessage(issuer.JWKS())}, good(nil)), "token_invalid"},
		{"key id is no text", sign(t, ed, key, map[string]any{"kid": 7}, good(nil)), "token_unknown_key"},
		{"insists on an extension", sign(t, ed, key, map[string]any{"kid": issuer.keyID, "crit": []string{"b64"}}, good(nil)), "token_invalid"},
		{"expired", sign(t, ed, key, kid, good(jwt.MapClaims{"exp": start.Unix() - 1})), "token_expired"},
		{"expires now", sign(t, ed, key, kid, good(jwt.MapClaims{"exp": start.Unix()})), "token_expired"},
		{"never expires", sign(t, ed, key, kid, good(jwt.MapClaims{"exp": nil})), "token_claim_missing"},
		{"exp is a number in quotes", sign(t, ed, key, kid, good(jwt.MapClaims{"exp": strconv.FormatInt(start.Add(time.Hour).Unix(), 10)})), "token_invalid"},
		{"nbf is a number in quotes", sign(t, ed, key, kid, good(jwt.MapClaims{"nbf": strconv.FormatInt(start.Unix(), 10)})), "token_invalid"},
		{"iat is a number in quotes", sign(t, ed, key, kid, good(jwt.MapClaims{"iat": strconv.FormatInt(start.Unix(), 10)})), "token_invalid"},
		{"exp is text", sign(t, ed, key, kid, good(jwt.MapClaims{"exp": "tomorrow"})), "token_invalid"},
		{"not yet valid", sign(t, ed, key, kid, good(jwt.MapClaims{"nbf": start.Unix() + 1})), "token_not_yet_valid"},
		{"wrong audience", sign(t, ed, key, kid, good(jwt.MapClaims{"aud": "somebody-else"})), "token_wrong_audience"},
		{"no audience", sign(t, ed, key, kid, good(jwt.MapClaims{"aud": nil})), "token_claim_missing"},
		{"wrong issuer", sign(t, ed, key, kid, good(jwt.MapClaims{"iss": "https://issuer.test/"})), "token_wrong_issuer"},
		{"no issuer", sign(t, ed, key, kid, good(jwt.MapClaims{"iss": nil})), "token_claim_missing"},
		{"no client", sign(t, ed, key, kid, good(jwt.MapClaims{"client_id": nil})), "token_claim_missing"},
		{"client of other letters", sign(t, ed, key, kid, good(jwt.MapClaims{"client_id": "CRM mailer"})), "token_invalid_client"},
		{"client with a line break", sign(t, ed, key, kid, good(jwt.MapClaims{"client_id": "crm\n"})), "token_invalid_client"},
		{"client too long", sign(t, ed, key, kid, good(jwt.MapClaims{"client_id": strings.Repeat("a", 65)})), "token_invalid_client"},
		{"subject without an id", sign(t, ed, key, kid, good(jwt.MapClaims{"roles": "subject", "sub": "jane"})), "token_invalid_subject"},
		{"subject with the zero id", sign(t, ed, key, kid, good(jwt.MapClaims{"roles": "subject", "sub": privacy.SubjectID{}.String()})), "token_invalid_subject"},
		{"subject without a client", sign(t, ed, key, kid, good(jwt.MapClaims{"roles": "subject", "client_id": nil, "sub": "0195a000-0000-7000-8000-000000000001"})), "token_claim_missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := v.Verify(t.Context(), c.token)
			wantRefusal(t, err, privacy.KindUnauthenticated, c.code)
			for _, part := range strings.Split(c.token, ".") {
				if len(part) > 6 && strings.Contains(err.Error(), part) {
					t.Error("the error echoes the token")
				}
			}
		})
	}
	for _, roles := range []any{nil, []string{}, "", "root superuser", []string{"Admin"}} {
		_, err := v.Verify(t.Context(), sign(t, ed, key, kid, good(jwt.MapClaims{"roles": roles})))
		wantRefusal(t, err, privacy.KindForbidden, "token_no_role")
	}
}

func TestVerifyReadsTheCaller(t *testing.T) {
	key := edKey(t)
	issuer := NewIssuer(key, issuerName, audience)
	v := newVerifier(t, newClock().config(write(t, issuer.JWKS())), newClock())
	const subject = "0195a000-0000-7000-8000-000000000001"
	id, err := privacy.ParseSubjectID(subject)
	if err != nil {
		t.Fatal(err)
	}
	consumer := []privacy.Role{privacy.RoleConsumer}
	for _, c := range []struct {
		name    string
		changes jwt.MapClaims
		want    privacy.Caller
	}{
		{"client_id", nil, privacy.Caller{Client: "crm-mailer", Roles: consumer}},
		{"azp", jwt.MapClaims{"client_id": nil, "azp": "app"}, privacy.Caller{Client: "app", Roles: consumer}},
		{"sub", jwt.MapClaims{"client_id": nil, "sub": "svc_1.x"}, privacy.Caller{Client: "svc_1.x", Roles: consumer}},
		{"sub of an application is no subject", jwt.MapClaims{"sub": subject}, privacy.Caller{Client: "crm-mailer", Roles: consumer}},
		{"one audience of several", jwt.MapClaims{"aud": []string{"other", audience}}, privacy.Caller{Client: "crm-mailer", Roles: consumer}},
		{"roles as text, unknown and double ones", jwt.MapClaims{"roles": "officer root auditor officer"},
			privacy.Caller{Client: "crm-mailer", Roles: []privacy.Role{privacy.RoleAuditor, privacy.RoleOfficer}}},
		{"subject", jwt.MapClaims{"roles": []string{"subject"}, "sub": subject},
			privacy.Caller{Client: "crm-mailer", Roles: []privacy.Role{privacy.RoleSubject}, Subject: id}},
	} {
		t.Run(c.name, func(t *testing.T) {
			token := sign(t, jwt.SigningMethodEdDSA, key, map[string]any{"kid": issuer.keyID}, good(c.changes))
			for range 2 { // the second is remembered
				got, err := v.Verify(t.Context(), token)
				if err != nil {
					t.Fatal(err)
				}
				if got.Client != c.want.Client || got.Subject != c.want.Subject || !slices.Equal(got.Roles, c.want.Roles) {
					t.Errorf("got %+v, want %+v", got, c.want)
				}
				got.Roles[0] = privacy.RoleAdmin // must not reach the next call
			}
		})
	}
}

// Two people who work through one console are two; one who comes by two ways is one.
func TestVerifyTellsHoldersApart(t *testing.T) {
	key := edKey(t)
	issuer := NewIssuer(key, issuerName, audience)
	v := newVerifier(t, newClock().config(write(t, issuer.JWKS())), newClock())
	holder := func(client, sub any) [32]byte {
		caller, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodEdDSA, key, map[string]any{"kid": issuer.keyID}, good(jwt.MapClaims{"client_id": client, "sub": sub})))
		if err != nil {
			t.Fatal(err)
		}
		return caller.Holder
	}
	if holder("console", "olga@bank.example") == holder("console", "anton@bank.example") {
		t.Error("two people count as one")
	}
	if holder("console", "olga@bank.example") != holder("cli", "olga@bank.example") {
		t.Error("one person counts as two")
	}
	if holder("cli", nil) != holder("cli", "cli") || holder("cli", nil) == holder("console", nil) {
		t.Error("an application counts as another")
	}
}

func TestVerifyTakesEachAlgorithmForItsOwnKeyOnly(t *testing.T) {
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	strong, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	weak, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.RawURLEncoding.EncodeToString
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	rsaJWK := func(kid, rest string, key *rsa.PrivateKey) string {
		return fmt.Sprintf(`{"kty":"RSA","kid":%q,%s"n":%q,"e":%q}`, kid, rest, b64(key.N.Bytes()), b64(big.NewInt(int64(key.E)).Bytes()))
	}
	jwks := `{"keys":[` + strings.Join([]string{
		fmt.Sprintf(`{"kty":"EC","crv":"P-256","kid":"ec","x":%q,"y":%q}`, b64(point[1:33]), b64(point[33:])),
		rsaJWK("rsa", "", strong),
		rsaJWK("weak", "", weak),
		rsaJWK("encryption", `"use":"enc",`, strong),
		rsaJWK("other-algorithm", `"alg":"RS512",`, strong),
		`{"kty":"oct","kid":"secret","k":"c2VjcmV0c2VjcmV0c2VjcmV0"}`,
		`{"kty":"OKP","crv":"Ed448","kid":"ed448","x":"AA"}`,
		`{"kty":"new","kid":"new"}`,
	}, ",") + `]}`
	v := newVerifier(t, newClock().config(write(t, []byte(jwks))), newClock())
	for _, c := range []struct {
		kid    string
		method jwt.SigningMethod
		key    any
		code   string
	}{
		{"ec", jwt.SigningMethodES256, ec, ""},
		{"rsa", jwt.SigningMethodRS256, strong, ""},
		{"rsa", jwt.SigningMethodRS512, strong, "token_invalid"},
		{"rsa", jwt.SigningMethodPS256, strong, "token_invalid"},
		{"ec", jwt.SigningMethodRS256, strong, "token_invalid"},
		{"weak", jwt.SigningMethodRS256, weak, "token_unknown_key"},
		{"encryption", jwt.SigningMethodRS256, strong, "token_unknown_key"},
		{"other-algorithm", jwt.SigningMethodRS256, strong, "token_unknown_key"},
		{"secret", jwt.SigningMethodHS256, []byte("secretsecretsecret"), "token_invalid"},
	} {
		t.Run(c.kid+" "+c.method.Alg(), func(t *testing.T) {
			_, err := v.Verify(t.Context(), sign(t, c.method, c.key, map[string]any{"kid": c.kid}, good(nil)))
			if c.code != "" {
				wantRefusal(t, err, privacy.KindUnauthenticated, c.code)
			} else if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestVerifyHonoursExpiryOfARememberedToken(t *testing.T) {
	issuer, c := NewIssuer(edKey(t), issuerName, audience), newClock()
	v := newVerifier(t, c.config(write(t, issuer.JWKS())), c)
	token, err := issuer.Token(privacy.Caller{Client: "app", Roles: []privacy.Role{privacy.RoleAgent}}, 30*time.Second, c.now())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Fatal(err)
	}
	c.advance(30 * time.Second)
	_, err = v.Verify(t.Context(), token)
	wantRefusal(t, err, privacy.KindUnauthenticated, "token_expired")
}

func TestVerifyAllowsTheLeeway(t *testing.T) {
	key, c := edKey(t), newClock()
	issuer := NewIssuer(key, issuerName, audience)
	config := c.config(write(t, issuer.JWKS()))
	config.Leeway = 10 * time.Second
	v := newVerifier(t, config, c)
	for _, changes := range []jwt.MapClaims{{"exp": start.Unix() - 9}, {"nbf": start.Unix() + 9}} {
		if _, err := v.Verify(t.Context(), sign(t, jwt.SigningMethodEdDSA, key, nil, good(changes))); err != nil {
			t.Error(err)
		}
	}
}

// published is a key set on the network that can change and go away.
type published struct {
	jwks  atomic.Pointer[[]byte] // nil: the endpoint fails
	asked atomic.Int32
}

func publish(t *testing.T, jwks []byte) (*published, string) {
	t.Helper()
	p := &published{}
	p.jwks.Store(&jwks)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		p.asked.Add(1)
		if content := p.jwks.Load(); content != nil {
			_, _ = w.Write(*content)
			return
		}
		http.Error(w, "away", http.StatusBadGateway)
	}))
	t.Cleanup(server.Close)
	return p, server.URL
}

func TestVerifyFollowsKeyRotation(t *testing.T) {
	c := newClock()
	before, after := NewIssuer(edKey(t), issuerName, audience), NewIssuer(edKey(t), issuerName, audience)
	p, address := publish(t, before.JWKS())
	v := newVerifier(t, c.fromURL(address), c)
	caller := privacy.Caller{Client: "app", Roles: []privacy.Role{privacy.RoleAgent}}
	token := func(issuer *Issuer) string {
		token, err := issuer.Token(caller, time.Hour, c.now())
		if err != nil {
			t.Fatal(err)
		}
		return token
	}
	removed := token(before)
	if _, err := v.Verify(t.Context(), removed); err != nil {
		t.Fatal(err)
	}
	jwks := after.JWKS()
	p.jwks.Store(&jwks)
	c.advance(retryAfter)
	if _, err := v.Verify(t.Context(), token(after)); err != nil {
		t.Errorf("a new key is not taken at once: %v", err)
	}
	c.advance(rememberFor)
	_, err := v.Verify(t.Context(), removed)
	wantRefusal(t, err, privacy.KindUnauthenticated, "token_unknown_key")
}

func TestVerifyFailsClosedWithoutKeys(t *testing.T) {
	c := newClock()
	issuer := NewIssuer(edKey(t), issuerName, audience)
	token, err := issuer.Token(privacy.Caller{Client: "app", Roles: []privacy.Role{privacy.RoleAgent}}, 24*time.Hour, c.now())
	if err != nil {
		t.Fatal(err)
	}
	p, address := publish(t, issuer.JWKS())
	healthy := p.jwks.Swap(nil)
	v := newVerifier(t, c.fromURL(address), c)

	_, err = v.Verify(t.Context(), token)
	wantRefusal(t, err, privacy.KindUnavailable, "token_keys_unavailable")
	if v.Ready(t.Context()) == nil {
		t.Error("ready without keys")
	}
	for range 20 {
		_, _ = v.Verify(t.Context(), token)
	}
	if got := p.asked.Load(); got != 1 {
		t.Errorf("the issuer was asked %d times at once", got)
	}

	p.jwks.Store(healthy)
	c.advance(retryAfter)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("the issuer is back: %v", err)
	}
	p.jwks.Store(nil)
	c.advance(usableFor - time.Second)
	if _, err := v.Verify(t.Context(), token); err != nil {
		t.Errorf("a short outage: %v", err)
	}
	c.advance(rememberFor)
	_, err = v.Verify(t.Context(), token)
	wantRefusal(t, err, privacy.KindUnavailable, "token_keys_unavailable")
}

func TestVerifyAsksTheIssuerSparinglyForUnknownKeys(t *testing.T) {
	c := newClock()
	p, address := publish(t, NewIssuer(edKey(t), issuerName, audience).JWKS())
	v := newVerifier(t, c.fromURL(address), c)
	c.advance(retryAfter)
	for i := range 50 {
		forged := sign(t, jwt.SigningMethodEdDSA, edKey(t), map[string]any{"kid": fmt.Sprint(i)}, good(nil))
		_, err := v.Verify(t.Context(), forged)
		wantRefusal(t, err, privacy.KindUnauthenticated, "token_unknown_key")
	}
	if got := p.asked.Load(); got != 2 {
		t.Errorf("the issuer was asked %d times, want once at the start and once more", got)
	}
}

func TestVerifySurvivesACallerThatGoesAway(t *testing.T) {
	c := newClock()
	issuer := NewIssuer(edKey(t), issuerName, audience)
	p, address := publish(t, issuer.JWKS())
	healthy := p.jwks.Swap(nil)
	v := newVerifier(t, c.fromURL(address), c)
	p.jwks.Store(healthy)
	c.advance(retryAfter)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Ready(gone); err != nil {
		t.Errorf("a caller who went away left the others without keys: %v", err)
	}
}

func TestNewRefusesABadConfig(t *testing.T) {
	c := newClock()
	file := write(t, NewIssuer(edKey(t), issuerName, audience).JWKS())
	for name, config := range map[string]Config{
		"no issuer":       {Audience: audience, JWKSFile: file},
		"no audience":     {Issuer: issuerName, JWKSFile: file},
		"no keys":         {Issuer: issuerName, Audience: audience},
		"URL and file":    {Issuer: issuerName, Audience: audience, JWKSFile: file, JWKSURL: "https://issuer.test/jwks"},
		"http":            c.fromURL("http://issuer.test/jwks"),
		"no URL":          c.fromURL("issuer.test"),
		"file missing":    c.config(file + ".none"),
		"file is no JSON": c.config(write(t, []byte("keys"))),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := New(t.Context(), config, c.now)
			wantRefusal(t, err, privacy.KindInvalid, "authn_config")
		})
	}
}

func FuzzVerify(f *testing.F) {
	key, c := edKey(f), newClock()
	issuer := NewIssuer(key, issuerName, audience)
	v := newVerifier(f, c.config(write(f, issuer.JWKS())), c)
	valid := sign(f, jwt.SigningMethodEdDSA, key, map[string]any{"kid": issuer.keyID}, good(nil))
	f.Add(valid)
	f.Add(sign(f, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType, nil, good(nil)))
	f.Add("e30.e30.")
	f.Add("..")
	f.Fuzz(func(t *testing.T, token string) {
		token = strings.NewReplacer("\r", "", "\n", "").Replace(token) // no header has them, and base64 passes over them
		_, err := v.Verify(t.Context(), token)
		if (err == nil) != (token == valid) {
			t.Errorf("token taken: %v", err == nil)
		}
		var typed *privacy.Error
		if err != nil && (!errors.As(err, &typed) || typed.Kind == privacy.KindInternal) {
			t.Errorf("untyped error %T", err)
		}
	})
}

func BenchmarkVerify(b *testing.B) {
	issuer, c := NewIssuer(edKey(b), issuerName, audience), newClock()
	v := newVerifier(b, c.config(write(b, issuer.JWKS())), c)
	token, err := issuer.Token(privacy.Caller{Client: "app", Roles: []privacy.Role{privacy.RoleAgent}}, time.Hour, c.now())
	if err != nil {
		b.Fatal(err)
	}
	b.Run("remembered", func(b *testing.B) {
		for b.Loop() {
			_, _ = v.Verify(b.Context(), token)
		}
	})
	b.Run("signature", func(b *testing.B) {
		for b.Loop() {
			v.remembered.InvalidateAll()
			_, _ = v.Verify(b.Context(), token)
		}
	})
}
