package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/localserver"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

// Whatever is wrong with Vault, callers hear so within seconds, and nothing is written.
func TestBadInputVaultAway(t *testing.T) {
	for name, c := range map[string]struct {
		fail func(t *testing.T, own *localserver.Vault, token string) error
		heal func(t *testing.T, own *localserver.Vault) error // nil: it is gone for good
	}{
		"sealed": {func(t *testing.T, own *localserver.Vault, _ string) error { return own.Seal(t.Context()) },
			func(t *testing.T, own *localserver.Vault) error { return own.Unseal(t.Context()) }},
		"slow": {func(_ *testing.T, own *localserver.Vault, _ string) error { return own.Pause() },
			func(_ *testing.T, own *localserver.Vault) error { return own.Resume() }},
		"token revoked": {func(t *testing.T, own *localserver.Vault, token string) error {
			vaultCall(t, http.MethodPost, own.Addr(), own.RootToken(), "auth/token/revoke", object{"token": token})
			return nil
		}, nil},
		"down": {func(_ *testing.T, own *localserver.Vault, _ string) error { return own.Crash() }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			own := testenv.OwnVault(t)
			var issued struct {
				Auth struct {
					Token string `json:"client_token"`
				}
			}
			if err := json.Unmarshal(vaultCall(t, http.MethodPost, own.Addr(), own.RootToken(), "auth/token/create", object{"policies": []string{"root"}, "ttl": "1h"}), &issued); err != nil {
				t.Fatal(err)
			}
			v := setupOn(t, testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) }), own.Addr(), own.RootToken(), withoutSegments)
			id, request := v.permitted("vault@example.com")
			v.keys.Auth.Token, v.keys.Timeout = keyring.Secret(issued.Auth.Token), time.Second // of patience with one that is slow
			second, url := v.start()                                                           // with no key page in memory
			before := v.rows(t)
			if err := c.fail(t, own, issued.Auth.Token); err != nil {
				t.Fatal(err)
			}
			calls := v.keyedCalls(id, request)
			for what, call := range calls {
				start := time.Now()
				a := call(url)
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("%s: answered after %s", what, took)
				}
				v.wantProblem(t, a, http.StatusServiceUnavailable, "keyring_unavailable")
			}
			lines := importLines(t, v.do(importRequest(t.Context(), t, url, v.steward(), strings.NewReader(profileLine("fresh@example.com", "")))))
			if len(lines) != 2 || lines[0].Problem == nil || lines[0].Problem.Code != "keyring_unavailable" || lines[1].Summary == nil || lines[1].Summary.Complete {
				t.Errorf("import: %+v", lines)
			}
			if a := v.call(http.MethodGet, url+"/readyz", "", nil); a.status != http.StatusServiceUnavailable || a.code() != "not_ready" {
				t.Errorf("ready: status %d: %s", a.status, a.body)
			}
			if after := v.rows(t); after != before {
				t.Errorf("something was written: %s, before %s", after, before)
			}
			if c.heal == nil {
				return
			}
			if err := c.heal(t, own); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, func() bool { return second.Service.Ready(t.Context()) == nil })
			for what, call := range calls {
				if a := call(url); a.status >= 300 {
					t.Errorf("%s afterwards: status %d: %s", what, a.status, a.body)
				}
			}
		})
	}
}

// keyedCalls are those that need the key of a subject.
func (v *vault) keyedCalls(id string, request object) map[string]func(url string) answer {
	return map[string]func(url string) answer{
		"disclosure": func(url string) answer {
			return v.call(http.MethodPost, url+"/v1/disclosures", v.consumer(), request)
		},
		"change": func(url string) answer {
			return v.call(http.MethodPatch, url+"/v1/subjects/"+id+"/attributes", v.steward(), object{"attributes": object{"city": marker}, "source": "test"})
		},
		"new profile": func(url string) answer {
			return v.call(http.MethodPost, url+"/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "new@example.com"}}, "attributes": object{"city": marker}, "source": "test"})
		},
		"known profile": func(url string) answer {
			return v.call(http.MethodPost, url+"/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "vault@example.com"}}, "attributes": object{"city": marker}, "source": "test"})
		},
		"explanation": func(url string) answer {
			return v.call(http.MethodPost, url+"/v1/decisions/explain", v.token("desk", "officer"), object{"client": "crm-mailer", "purpose": "marketing.email", "attributes": []string{"email"}, "subject": object{"id": id}})
		},
	}
}

// A key page that is damaged or gone is reported, and never replaced: a fresh page in its place would hide
// the loss, and turn everybody's data to waste for good.
func TestBadInputKeyPages(t *testing.T) {
	junk := func(fields object) func(t *testing.T, v *vault) {
		return func(t *testing.T, v *vault) {
			v.vault(t, http.MethodPost, "data/pages/0", object{"data": fields})
		}
	}
	for name, c := range map[string]struct {
		damage func(t *testing.T, v *vault)
		code   string
	}{
		"junk":            {junk(object{"wrapped": "bm90IGEgcGFnZQ=="}), "key_page_corrupt"},
		"junk of Transit": {junk(object{"wrapped": "vault:v1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}), "key_page_corrupt"},
		"empty":           {junk(object{"wrapped": ""}), "key_page_corrupt"},
		"another field":   {junk(object{"note": marker}), "key_page_corrupt"},
		"another type":    {junk(object{"wrapped": 4711}), "key_page_corrupt"},
		"newest deleted":  {func(t *testing.T, v *vault) { v.vault(t, http.MethodDelete, "data/pages/0", nil) }, "key_page_missing"},
		"destroyed": {func(t *testing.T, v *vault) {
			v.vault(t, http.MethodPut, "destroy/pages/0", object{"versions": []int{1}})
		}, "key_page_missing"},
		"gone": {func(t *testing.T, v *vault) { v.vault(t, http.MethodDelete, "metadata/pages/0", nil) }, "key_page_missing"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := setup(t)
			id, request := v.permitted("vault@example.com")
			before := v.rows(t)
			c.damage(t, v)
			page := v.vault(t, http.MethodGet, "data/pages/0", nil)
			_, url := v.start()
			for what, call := range v.keyedCalls(id, request) {
				a := call(url)
				if a.status != http.StatusInternalServerError || a.code() != c.code {
					t.Errorf("%s: status %d, want 500 %s: %s", what, a.status, c.code, a.body)
				}
				v.wantSilence(t, a)
			}
			if after := v.rows(t); after != before {
				t.Errorf("something was written: %s, before %s", after, before)
			}
			if now := v.vault(t, http.MethodGet, "data/pages/0", nil); !samePage(now, page) {
				t.Errorf("the page was written over: %s", now)
			}
			if !strings.Contains(v.logs.String(), c.code) {
				t.Error("the log does not say what is wrong")
			}
		})
	}
}

func samePage(a, b []byte) bool {
	var left, right struct{ Data struct{ Data, Metadata any } }
	_ = json.Unmarshal(a, &left)
	_ = json.Unmarshal(b, &right)
	return fmt.Sprint(left) == fmt.Sprint(right)
}

// vault calls the test's key-value mount.
func (v *vault) vault(t *testing.T, method, path string, body any) []byte {
	t.Helper()
	return vaultCall(t, method, v.keys.Address, string(v.keys.Auth.Token), v.keys.KVMount+"/"+path, body)
}

func vaultCall(t *testing.T, method, address, token, path string, body any) []byte {
	t.Helper()
	content, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), method, address+"/v1/"+path, bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Vault-Token", token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	answered, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode >= 300 && (method != http.MethodGet || response.StatusCode != http.StatusNotFound) {
		t.Fatalf("Vault: %s %s: status %d: %s %v", method, path, response.StatusCode, answered, err)
	}
	return answered
}
