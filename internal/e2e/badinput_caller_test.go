package e2e_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Tokens that are not good, or not for us, get a 401 that says which, and nothing of what they hold.
func TestBadInputTokens(t *testing.T) {
	v := setup(t)
	id, request := v.permitted("token@example.com")
	rsaKey, edKey, url := v.withKnownKeys(t)
	good := func(changes jwt.MapClaims) jwt.MapClaims {
		now := time.Now()
		claims := jwt.MapClaims{"iss": v.issuer.Config.Issuer, "aud": v.issuer.Config.Audience, "sub": "crm-mailer", "client_id": "crm-mailer", "roles": []string{"consumer"},
			"iat": now.Unix(), "nbf": now.Add(-time.Minute).Unix(), "exp": now.Add(time.Hour).Unix()}
		for name, value := range changes {
			if claims[name] = value; value == nil {
				delete(claims, name)
			}
		}
		return claims
	}
	sign := func(method jwt.SigningMethod, kid string, key any, claims jwt.MapClaims) string {
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	rs := func(changes jwt.MapClaims) string { return sign(jwt.SigningMethodRS256, "rsa", rsaKey, good(changes)) }
	part := func(token string, n int) string { return strings.Split(token, ".")[n] }
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	other := rs(jwt.MapClaims{"client_id": "other"})
	for _, c := range []struct {
		name, token string
		status      int
		code        string
	}{
		{"RS256", rs(nil), 200, ""},
		{"EdDSA", sign(jwt.SigningMethodEdDSA, "ed", edKey, good(nil)), 200, ""},
		{"none at all", "", 401, "token_missing"},
		{"no token", marker, 401, "token_invalid"},
		{"three empty parts", "..", 401, "token_invalid"},
		{"very long", marker + strings.Repeat("x", 20_000), 401, "token_invalid"},
		{"expired", rs(jwt.MapClaims{"exp": time.Now().Add(-time.Minute).Unix()}), 401, "token_expired"},
		{"not yet valid", rs(jwt.MapClaims{"nbf": time.Now().Add(time.Hour).Unix()}), 401, "token_not_yet_valid"},
		{"issued tomorrow", rs(jwt.MapClaims{"iat": time.Now().Add(24 * time.Hour).Unix()}), 401, "token_not_yet_valid"},
		{"an end that is a text", rs(jwt.MapClaims{"exp": fmt.Sprint(time.Now().Add(time.Hour).Unix())}), 401, "token_invalid"},
		{"an end that is a word", rs(jwt.MapClaims{"exp": marker}), 401, "token_invalid"},
		{"without end", rs(jwt.MapClaims{"exp": nil}), 401, "token_claim_missing"},
		{"another audience", rs(jwt.MapClaims{"aud": marker}), 401, "token_wrong_audience"},
		{"another issuer", rs(jwt.MapClaims{"iss": "https://" + marker}), 401, "token_wrong_issuer"},
		{"no client", rs(jwt.MapClaims{"client_id": nil, "sub": nil}), 401, "token_claim_missing"},
		{"client a sentence", rs(jwt.MapClaims{"client_id": marker + " it is"}), 401, "token_invalid_client"},
		{"no role", rs(jwt.MapClaims{"roles": nil}), 403, "token_no_role"},
		{"unknown role", rs(jwt.MapClaims{"roles": []string{marker}}), 403, "token_no_role"},
		{"a subject who is nobody", rs(jwt.MapClaims{"roles": []string{"subject"}, "sub": marker}), 401, "token_invalid_subject"},
		{"unsigned", sign(jwt.SigningMethodNone, "rsa", jwt.UnsafeAllowNoneSignatureType, good(nil)), 401, "token_invalid"},
		{"HS256 with the public RSA key", sign(jwt.SigningMethodHS256, "rsa", rsaKey.N.Bytes(), good(nil)), 401, "token_invalid"},
		{"HS256 with the public Ed25519 key", sign(jwt.SigningMethodHS256, "ed", []byte(edKey.Public().(ed25519.PublicKey)), good(nil)), 401, "token_invalid"},
		{"RS384", sign(jwt.SigningMethodRS384, "rsa", rsaKey, good(nil)), 401, "token_invalid"},
		{"RS256 under the other key's name", sign(jwt.SigningMethodRS256, "ed", rsaKey, good(nil)), 401, ""},
		{"a stranger's key", sign(jwt.SigningMethodRS256, "rsa", stranger, good(nil)), 401, "token_invalid"},
		{"a stranger's key by its own name", sign(jwt.SigningMethodRS256, marker, stranger, good(nil)), 401, "token_unknown_key"},
		{"claims of another token", part(rs(nil), 0) + "." + part(other, 1) + "." + part(rs(nil), 2), 401, "token_invalid"},
		{"signature cut off", strings.TrimSuffix(rs(nil), part(rs(nil), 2)), 401, "token_invalid"},
		{"claims no JSON", part(rs(nil), 0) + "." + base64.RawURLEncoding.EncodeToString([]byte(marker)) + "." + part(rs(nil), 2), 401, "token_invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := v.call(http.MethodPost, url+"/v1/disclosures", c.token, request)
			if c.status == http.StatusOK {
				if a.status != http.StatusOK {
					t.Fatalf("status %d: %s", a.status, a.body)
				}
				return
			}
			if c.code == "" {
				c.code = a.code()
			}
			v.wantProblem(t, a, c.status, c.code)
			if challenge := a.header.Get("WWW-Authenticate"); (challenge != "") != (c.status == http.StatusUnauthorized) {
				t.Errorf("WWW-Authenticate %q", challenge)
			}
			if strings.Contains(string(a.body), "token@example.com") || strings.Contains(string(a.body), id) {
				t.Errorf("released: %s", a.body)
			}
			if c.token != "" && len(c.token) > 20 && strings.Contains(v.logs.String(), c.token) {
				t.Error("the log holds the token")
			}
		})
	}
}

// withKnownKeys starts a node that takes tokens signed with the keys it gives.
func (v *vault) withKnownKeys(t *testing.T) (*rsa.PrivateKey, ed25519.PrivateKey, string) {
	t.Helper()
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	encoded := base64.RawURLEncoding.EncodeToString
	set, err := json.Marshal(object{"keys": []object{
		{"kty": "RSA", "use": "sig", "alg": "RS256", "kid": "rsa", "n": encoded(rsaKey.N.Bytes()), "e": encoded(big.NewInt(int64(rsaKey.E)).Bytes())},
		{"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": "ed", "x": encoded(edKey.Public().(ed25519.PublicKey))},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(v.issuer.Config.JWKSFile, set, 0o600); err != nil {
		t.Fatal(err)
	}
	_, url := v.start()
	return rsaKey, edKey, url
}

// Every operation answers the roles that the policy lists for it, and to all others 403 and nothing else,
// whatever they ask for.
func TestBadInputRoles(t *testing.T) {
	v := setup(t)
	id, _ := v.permitted("role@example.com")
	text, err := os.ReadFile("../../policies/data/operations.json")
	if err != nil {
		t.Fatal(err)
	}
	var operations map[string]struct {
		Roles []privacy.Role
		Own   bool
	}
	if err := json.Unmarshal(text, &operations); err != nil {
		t.Fatal(err)
	}
	if err := v.node.Service.Book().Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	var listed struct{ Entries []struct{ ID string } }
	v.get("/v1/audit/entries?subject="+id, v.auditor()).into(t, &listed)
	entry := listed.Entries[0].ID
	var made recorded
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": "grant"}, http.StatusCreated).into(t, &made)
	self := `{"id":"` + id + `"}`
	email := `{"type":"email","value":"role@example.com"}`
	// Each operation with a request that is in order, and with others that must not be told apart from it.
	probes := map[string][]probe{
		"subjects-upsert":         {{"POST", "/v1/subjects", `{"identifiers":[` + email + `],"source":"test"}`}, {"POST", "/v1/subjects", `{"identifiers":[{"type":"x","value":"x"}],"source":"test"}`}},
		"subjects-import":         {{"POST", "/v1/subjects/import", `{"identifiers":[` + email + `],"source":"test"}`}, {"POST", "/v1/subjects/import", "x"}},
		"subjects-lookup":         {{"POST", "/v1/subjects/lookup", `{"identifier":` + email + `}`}, {"POST", "/v1/subjects/lookup", `{"identifier":{"type":"email","value":"nobody@example.com"}}`}},
		"attributes-update":       {{"PATCH", "/v1/subjects/" + id + "/attributes", `{"attributes":{"city":"Berlin"},"source":"test"}`}, {"PATCH", "/v1/subjects/" + nobody + "/attributes", `{"attributes":{"x":1},"source":"test"}`}},
		"consents-record":         {{"POST", "/v1/consents", `{"subject":` + self + `,"purpose":"marketing.sms","action":"grant"}`}, {"POST", "/v1/consents", `{"subject":{"identifier":` + email + `},"purpose":"x","action":"grant"}`}},
		"consents-list":           {{"GET", "/v1/subjects/" + id + "/consents", ""}, {"GET", "/v1/subjects/" + nobody + "/consents", ""}, {"GET", "/v1/subjects/x/consents", ""}},
		"consents-history":        {{"GET", "/v1/subjects/" + id + "/consents/history", ""}, {"GET", "/v1/subjects/" + nobody + "/consents/history?cursor=x", ""}},
		"consents-proof":          {{"GET", "/v1/subjects/" + id + "/consents/proof", ""}, {"GET", "/v1/subjects/" + nobody + "/consents/proof", ""}, {"GET", "/v1/subjects/x/consents/proof", ""}},
		"receipts-get":            {{"GET", "/v1/receipts/" + made.ID, ""}, {"GET", "/v1/receipts/" + nobody, ""}, {"GET", "/v1/receipts/x", ""}},
		"signals-record":          {{"POST", "/v1/subjects/" + id + "/signals", `{"gpc":true}`}, {"POST", "/v1/subjects/" + nobody + "/signals", `{"tcf":"x"}`}},
		"signals-list":            {{"GET", "/v1/subjects/" + id + "/signals", ""}, {"GET", "/v1/subjects/" + nobody + "/signals?cursor=x", ""}},
		"disclosures-create":      {{"POST", "/v1/disclosures", `{"purpose":"marketing.email","attributes":["email"],"subjects":[` + self + `]}`}, {"POST", "/v1/disclosures", `{"purpose":"marketing.email","attributes":["email"],"subjects":[` + self + `,{"identifier":` + email + `}]}`}, {"POST", "/v1/disclosures", `{"purpose":"x","attributes":["x"],"subjects":[` + self + `]}`}, {"POST", "/v1/disclosures", `x`}},
		"decisions-explain":       {{"POST", "/v1/decisions/explain", `{"client":"crm-mailer","purpose":"marketing.email","attributes":["email"],"subject":` + self + `}`}, {"POST", "/v1/decisions/explain", `{"client":"crm-mailer","purpose":"x","attributes":["email"],"subject":{"identifier":` + email + `}}`}},
		"audit-entries-list":      {{"GET", "/v1/audit/entries?subject=" + id, ""}, {"GET", "/v1/audit/entries?cursor=x", ""}},
		"audit-entry-get":         {{"GET", "/v1/audit/entries/" + entry, ""}, {"GET", "/v1/audit/entries/" + nobody + ".0", ""}},
		"audit-entry-replay":      {{"GET", "/v1/audit/entries/" + entry + "/replay", ""}, {"GET", "/v1/audit/entries/" + nobody + ".0/replay", ""}},
		"audit-checkpoint":        {{"GET", "/v1/audit/checkpoint", ""}},
		"audit-proof-inclusion":   {{"GET", "/v1/audit/proof/inclusion?entry=" + entry, ""}},
		"audit-proof-consistency": {{"GET", "/v1/audit/proof/consistency?from=1", ""}},
	}
	maps.Copy(probes, policyProbes(v.begin("Roles")))
	maps.Copy(probes, registryProbes())
	maps.Copy(probes, rightsProbes(id))
	for _, name := range v.operationIDs(t) {
		if _, ruled := operations[name]; !ruled || len(probes[name]) == 0 {
			t.Errorf("%s: ruled by policy %v, tried here %v", name, ruled, len(probes[name]) > 0)
		}
	}
	for name, tries := range probes {
		for _, role := range privacy.Roles() {
			tokens := map[string]bool{v.token("crm-mailer", role): slices.Contains(operations[name].Roles, role)}
			if role == privacy.RoleSubject {
				// The audit log is read by subjects through the list alone: one entry does not say whose it is.
				own := operations[name].Own && name != "audit-entry-get"
				tokens = map[string]bool{
					v.issuer.SubjectToken(t, "portal", mustID(t, id)):     own || slices.Contains(operations[name].Roles, role),
					v.issuer.SubjectToken(t, "portal", mustID(t, nobody)): strings.HasPrefix(name, "me-") || slices.Contains(operations[name].Roles, role),
				}
			}
			for token, allowed := range tokens {
				for i, p := range tries {
					if allowed && i > 0 {
						continue
					}
					if strings.Contains(p.path, nobody) && role == privacy.RoleSubject {
						continue // their own
					}
					a := v.call(p.method, v.url+p.path, token, p.body)
					if refused := a.status == http.StatusForbidden; refused == allowed {
						t.Errorf("%s by %s, try %d: status %d: %.300s", name, role, i, a.status, a.body)
					}
					if !allowed && (a.code() != "not_allowed" || bytes.Contains(a.body, []byte(id))) {
						t.Errorf("%s by %s, try %d: %.300s", name, role, i, a.body)
					}
				}
			}
		}
	}
}

func mustID(t *testing.T, text string) privacy.SubjectID {
	t.Helper()
	id, err := privacy.ParseSubjectID(text)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// operationIDs lists what the service says it can do, open operations apart.
func (v *vault) operationIDs(t *testing.T) []string {
	t.Helper()
	var document struct {
		Paths map[string]map[string]struct {
			OperationID string
			Security    []any
		}
	}
	v.get("/openapi.json", "").into(t, &document)
	var ids []string
	for _, methods := range document.Paths {
		for _, operation := range methods {
			if len(operation.Security) > 0 {
				ids = append(ids, operation.OperationID)
			}
		}
	}
	return ids
}

// Who sends their headers a byte at a time is cut off.
func TestBadInputSlowHeaders(t *testing.T) {
	t.Parallel()
	v := setup(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	go func() { served <- v.node.Serve(ctx, listener) }()
	connection, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close() //nolint:errcheck // read to its end
	start := time.Now()
	if _, err := io.WriteString(connection, "POST /v1/disclosures HTTP/1.1\r\nHost: x\r\nX-Slow: "); err != nil {
		t.Fatal(err)
	}
	_ = connection.SetDeadline(start.Add(20 * time.Second))
	if _, err := io.Copy(io.Discard, connection); err != nil || time.Since(start) > 10*time.Second {
		t.Errorf("still open after %s: %v", time.Since(start), err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

// readAnswer reads one answer from a connection.
func readAnswer(t *testing.T, connection io.Reader) answer {
	t.Helper()
	response, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(fmt.Errorf("read an answer: %w", err))
	}
	return answer{response.StatusCode, response.Header, content}
}

// Two tokens in one request are refused: a proxy in front may have looked at the one that we do not.
func TestBadInputTwoTokens(t *testing.T) {
	v := setup(t)
	for want, tokens := range map[int][]string{
		http.StatusOK:           {v.auditor()},
		http.StatusUnauthorized: {v.auditor(), v.consumer()},
	} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, v.url+"/v1/audit/entries", http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		for _, token := range tokens {
			request.Header.Add("Authorization", "Bearer "+token)
		}
		if got := v.do(request); got.status != want {
			t.Errorf("%d tokens: %d, want %d", len(tokens), got.status, want)
		}
	}
}
