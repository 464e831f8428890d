package receipt_test

import (
	"bytes"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/golang-jwt/jwt/v5"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// keyOf gives a key that is the same in every run.
func keyOf(seed byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{seed}, ed25519.SeedSize))
}

func publicOf(private ed25519.PrivateKey) ed25519.PublicKey {
	return private.Public().(ed25519.PublicKey)
}

// sign makes a JWS of a header and a payload, both as JSON.
func sign(private ed25519.PrivateKey, header, payload string) string {
	input := base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload))
	return receipt.Compact([]byte(input), ed25519.Sign(private, []byte(input)))
}

func signed(t testing.TB, private ed25519.PrivateKey) string {
	t.Helper()
	controller, about, e := privacy.ExampleController(), terms(), event()
	r := receipt.New(&controller, &about, &e)
	encoded, err := receipt.Payload(&r)
	if err != nil {
		t.Fatal(err)
	}
	input := receipt.SigningInput(receipt.Header(receipt.Thumbprint(publicOf(private)), receipt.MediaType), encoded)
	return receipt.Compact(input, ed25519.Sign(private, input))
}

func TestVerify(t *testing.T) {
	t.Parallel()
	private := keyOf(1)
	jws := signed(t, private)
	r, err := receipt.Verify(jws, receipt.NewKeys(publicOf(keyOf(2)), publicOf(private)))
	if err != nil {
		t.Fatal(err)
	}
	if r.PIIPrincipalID != event().Subject.String() || r.ConsentReceiptID != privacy.SubjectID(event().ID).String() {
		t.Errorf("it says %+v", r)
	}
	// Anybody else's library comes to the same.
	parsed, err := jwt.NewParser(jwt.WithValidMethods([]string{"EdDSA"}), jwt.WithStrictDecoding()).Parse(jws, func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != receipt.Thumbprint(publicOf(private)) {
			t.Errorf("kid %v", token.Header["kid"])
		}
		return publicOf(private), nil
	})
	if err != nil || !parsed.Valid {
		t.Error(err)
	}
}

// Whatever byte is changed, into whatever passes for base64 or not, the receipt does not verify.
func TestVerifyRefusesEveryChangedByte(t *testing.T) {
	t.Parallel()
	private := keyOf(1)
	keys := receipt.NewKeys(publicOf(private))
	jws := []byte(signed(t, private))
	for i := range jws {
		for _, to := range []byte{'A', 'B', '_', '.', '\n', jws[i] ^ 1, jws[i] ^ 0x20} {
			if to == jws[i] {
				continue
			}
			changed := bytes.Clone(jws)
			changed[i] = to
			if _, err := receipt.Verify(string(changed), keys); privacy.KindOf(err) != privacy.KindInvalid {
				t.Fatalf("byte %d, %q for %q: %v", i, to, jws[i], err)
			}
		}
		if _, err := receipt.Verify(string(jws[:i]), keys); err == nil {
			t.Fatalf("cut at %d it verifies", i)
		}
	}
	for _, longer := range []string{string(jws) + "A", string(jws) + "=", string(jws) + "\n", " " + string(jws), string(jws) + "."} {
		if _, err := receipt.Verify(longer, keys); err == nil {
			t.Errorf("with something added it verifies: %q", longer[len(longer)-4:])
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	private, stranger := keyOf(1), keyOf(2)
	public := publicOf(private)
	keys, kid := receipt.NewKeys(public), receipt.Thumbprint(public)
	body := string(payload(t, event(), terms()))
	good := `{"alg":"EdDSA","kid":"` + kid + `","typ":"consent-receipt+jws"}`
	with := func(from, to string) string { return strings.Replace(good, from, to, 1) }
	embedded := `,"jwk":{"kty":"OKP","crv":"Ed25519","x":"` + base64.RawURLEncoding.EncodeToString(publicOf(stranger)) + `"}}`
	if _, err := receipt.Verify(sign(private, good, body), keys); err != nil {
		t.Fatal("the good one:", err)
	}
	for name, c := range map[string]struct{ jws, code string }{
		"empty":                {"", "receipt_malformed"},
		"two dots":             {"..", "receipt_header_refused"},
		"four parts":           {sign(private, good, body) + ".x", "receipt_malformed"},
		"JSON serialization":   {`{"payload":"","signatures":[]}`, "receipt_malformed"},
		"oversized":            {strings.Repeat("A", 70000), "receipt_malformed"},
		"none":                 {unsigned(with("EdDSA", "none"), body), "receipt_header_refused"},
		"none, signed":         {sign(private, with("EdDSA", "none"), body), "receipt_header_refused"},
		"another algorithm":    {sign(private, with("EdDSA", "ES256"), body), "receipt_header_refused"},
		"Ed25519 by its name":  {sign(private, with("EdDSA", "Ed25519"), body), "receipt_header_refused"},
		"HS256 by public key":  {hs256(with("EdDSA", "HS256"), body, public), "receipt_header_refused"},
		"case of alg":          {sign(private, with("EdDSA", "eddsa"), body), "receipt_header_refused"},
		"no typ":               {sign(private, with(`,"typ":"consent-receipt+jws"`, ""), body), "receipt_header_refused"},
		"another typ":          {sign(private, with("consent-receipt+jws", "JWT"), body), "receipt_header_refused"},
		"no kid":               {sign(private, with(kid, ""), body), "receipt_header_refused"},
		"crit":                 {sign(private, with("}", `,"crit":["b64"]}`), body), "receipt_header_refused"},
		"key brought along":    {sign(stranger, with("}", embedded), body), "receipt_header_refused"},
		"address of a key":     {sign(stranger, with("}", `,"jku":"https://example.com/jwks"}`), body), "receipt_header_refused"},
		"stranger's key":       {sign(stranger, with(kid, receipt.Thumbprint(publicOf(stranger))), body), "receipt_key_unknown"},
		"stranger, our kid":    {sign(stranger, good, body), "receipt_signature_invalid"},
		"header of two values": {sign(private, good+"{}", body), "receipt_header_refused"},
		"not a receipt":        {sign(private, good, `{"sub":"x"}`), "receipt_payload_refused"},
		"not an object":        {sign(private, good, `[1]`), "receipt_payload_refused"},
		"another version":      {sign(private, good, strings.Replace(body, "KI-CR-v1.1.0", "KI-CR-v2", 1)), "receipt_payload_refused"},
		"of nobody":            {sign(private, good, strings.Replace(body, event().Subject.String(), "somebody", 1)), "receipt_payload_refused"},
		"two payloads":         {sign(private, good, body+body), "receipt_payload_refused"},
		"no services":          {sign(private, good, strings.Replace(body, `"services"`, `"service"`, 1)), "receipt_payload_refused"},
	} {
		if r, err := receipt.Verify(c.jws, keys); privacy.CodeOf(err) != c.code || r.Version != "" {
			t.Errorf("%s: %v, want %s", name, err, c.code)
		}
	}
}

func unsigned(header, payload string) string {
	return base64.RawURLEncoding.EncodeToString([]byte(header)) + "." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + "."
}

func hs256(header, payload string, secret []byte) string {
	input := strings.TrimSuffix(unsigned(header, payload), ".")
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(input))
	return receipt.Compact([]byte(input), mac.Sum(nil))
}

// RFC 8037, appendix A.3.
func TestThumbprint(t *testing.T) {
	t.Parallel()
	public, err := base64.RawURLEncoding.DecodeString("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")
	if err != nil {
		t.Fatal(err)
	}
	if got := receipt.Thumbprint(public); got != "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k" {
		t.Error(got)
	}
}

func TestKeysThereAndBack(t *testing.T) {
	t.Parallel()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := receipt.NewKeys(public, publicOf(keyOf(1)))
	text, err := json.Marshal(keys)
	if err != nil {
		t.Fatal(err)
	}
	back, err := receipt.ParseKeys(text)
	if err != nil || len(back) != 2 || !bytes.Equal(back[receipt.Thumbprint(public)], public) {
		t.Errorf("%v, %v", back, err)
	}
	if strings.Contains(string(text), `"d"`) {
		t.Error("the set has a private member")
	}
}

func TestParseKeysRefuses(t *testing.T) {
	t.Parallel()
	const x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
	for name, text := range map[string]string{
		"nothing":       ``,
		"no JSON":       `keys`,
		"empty":         `{"keys":[]}`,
		"two sets":      `{"keys":[]}{"keys":[]}`,
		"RSA alone":     `{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}]}`,
		"X25519 alone":  `{"keys":[{"kty":"OKP","crv":"X25519","x":"` + x + `"}]}`,
		"to encrypt":    `{"keys":[{"kty":"OKP","crv":"Ed25519","use":"enc","x":"` + x + `"}]}`,
		"short key":     `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"AQAB"}]}`,
		"not base64url": `{"keys":[{"kty":"OKP","crv":"Ed25519","x":"` + x[:42] + `+"}]}`,
		"another name":  `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","x":"` + x + `"}]}`,
		"oversized":     `{"keys":[` + strings.Repeat(" ", 70000) + `]}`,
	} {
		if keys, err := receipt.ParseKeys([]byte(text)); privacy.CodeOf(err) != "jwks_malformed" || keys != nil {
			t.Errorf("%s: %v, %v", name, keys, err)
		}
	}
	if keys, err := receipt.ParseKeys([]byte(`{"keys":[{"kty":"RSA"},{"kty":"OKP","crv":"Ed25519","x":"` + x + `"}]}`)); err != nil || len(keys) != 1 {
		t.Errorf("a mixed set: %v, %v", keys, err)
	}
}

// What was not signed does not verify, whatever it is, and nothing panics.
func FuzzVerify(f *testing.F) {
	private := keyOf(1)
	keys := receipt.NewKeys(publicOf(private))
	whole := signed(f, private)
	for _, seed := range []string{"", "..", whole, whole[:len(whole)-1], strings.Replace(whole, ".", "..", 1),
		sign(private, `{"alg":"none"}`, `{}`), unsigned(`{"alg":"none","typ":"consent-receipt+jws","kid":"x"}`, `{}`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, jws string) {
		if _, err := receipt.Verify(jws, keys); err == nil && jws != whole {
			t.Error("something else verifies")
		} else if err != nil && privacy.KindOf(err) != privacy.KindInvalid {
			t.Error(err)
		}
	})
}

func FuzzParseKeys(f *testing.F) {
	text, err := json.Marshal(receipt.NewKeys(publicOf(keyOf(1))))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(text)
	f.Add([]byte(`{"keys":[{"kty":"OKP","crv":"Ed25519","x":""}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		keys, err := receipt.ParseKeys(text)
		if err != nil {
			return
		}
		for id, public := range keys {
			if receipt.Thumbprint(public) != id {
				t.Error("a key goes by another name")
			}
		}
	})
}
