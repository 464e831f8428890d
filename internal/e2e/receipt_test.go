package e2e_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
	"github.com/consentry/consentry/internal/testenv"
)

func kantara(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := os.ReadFile(testenv.SharedData(t, "data", "consent_receipt", "kantara-consent-receipt-v1_1-schema.clean.json"))
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("kantara.json", document); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("kantara.json")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

type recorded struct{ ID, Subject, Status, Receipt string }

// keySet fetches the published keys, without a token.
func (v *vault) keySet() receipt.Keys {
	v.t.Helper()
	a := v.call(http.MethodGet, v.url+"/.well-known/jwks.json", "", nil)
	keys, err := receipt.ParseKeys(a.body)
	if err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Cache-Control"), "public") || a.header.Get("Content-Type") != "application/jwk-set+json" {
		v.t.Fatalf("status %d, %v: %s %v", a.status, err, a.body, a.header)
	}
	return keys
}

// 1,000 receipts, the signing key rotated in Vault halfway: each verifies offline with the key set as it is afterwards,
// follows Kantara's schema, and is the one that is kept.
func TestReceiptsVerifyOfflineOverAKeyRotation(t *testing.T) {
	schema := kantara(t)
	v := setup(t)
	const people, records, workers = 20, 1000, 16
	ids := make([]string, people)
	for i := range ids {
		ids[i] = v.store(fmt.Sprintf("r%d@example.com", i), object{"country": "DE"})
	}
	admin, err := keyring.OpenVault(t.Context(), v.keys, keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close() //nolint:errcheck // gives none
	before := v.keySet()
	steward := v.steward()
	made := make([]recorded, records)
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for {
				n := int(next.Add(1)) - 1
				if n >= records {
					return
				}
				if n == records/2 {
					if err := admin.RotateSigning(context.WithoutCancel(t.Context())); err != nil {
						t.Error(err)
					}
				}
				a := v.call(http.MethodPost, v.url+"/v1/consents", steward, object{"subject": object{"id": ids[n%people]}, "purpose": "marketing.email", "channel": "web",
					"action": []string{"grant", "deny", "withdraw"}[n%3]})
				if a.status != http.StatusCreated {
					t.Errorf("status %d: %s", a.status, a.body)
					return
				}
				a.into(t, &made[n])
			}
		})
	}
	all.Wait()
	keys := v.keySet()
	if len(before) != 1 || len(keys) != 2 {
		t.Fatalf("%d keys, then %d", len(before), len(keys))
	}
	older := 0
	for n, m := range made {
		r, err := receipt.Verify(m.Receipt, keys)
		if err != nil {
			t.Fatalf("receipt %d: %v", n, err)
		}
		if r.ConsentReceiptID != m.ID || r.PIIPrincipalID != m.Subject {
			t.Errorf("receipt %d is of another record", n)
		}
		payload, err := base64.RawURLEncoding.DecodeString(strings.Split(m.Receipt, ".")[1])
		if err != nil {
			t.Fatal(err)
		}
		document, err := jsonschema.UnmarshalJSON(bytes.NewReader(payload))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); err != nil {
			t.Errorf("receipt %d: %v", n, err)
		}
		if _, err := receipt.Verify(m.Receipt, before); err == nil {
			older++
		}
	}
	if older == 0 || older == records {
		t.Errorf("%d of %d are of the older key", older, records)
	}
	var kept struct{ ID, Subject, Receipt string }
	v.get("/v1/receipts/"+made[7].ID, steward).into(t, &kept)
	if kept.ID != made[7].ID || kept.Subject != made[7].Subject || kept.Receipt != made[7].Receipt {
		t.Errorf("kept is %+v", kept)
	}
}

// Whoever may not read the receipt is told the same, whether there is one or not.
func TestReceiptsAreForThoseWhoMayReadThem(t *testing.T) {
	v := setup(t)
	id, other := v.store("ada@example.com", nil), v.store("bob@example.com", nil)
	var made recorded
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": "grant"}, http.StatusCreated).into(t, &made)
	path, nowhere := v.url+"/v1/receipts/"+made.ID, v.url+"/v1/receipts/"+id
	for _, role := range []privacy.Role{privacy.RoleSteward, privacy.RoleAgent, privacy.RoleOfficer, privacy.RoleAuditor} {
		token := v.token("desk", role)
		if a := v.call(http.MethodGet, path, token, nil); a.status != http.StatusOK {
			t.Errorf("%s: status %d: %s", role, a.status, a.body)
		}
		v.wantProblem(t, v.call(http.MethodGet, nowhere, token, nil), http.StatusNotFound, "record_not_found")
		v.wantProblem(t, v.call(http.MethodGet, v.url+"/v1/receipts/"+marker, token, nil), http.StatusUnprocessableEntity, "invalid_id")
	}
	own, strange := v.issuer.SubjectToken(t, "portal", mustID(t, id)), v.issuer.SubjectToken(t, "portal", mustID(t, other))
	if a := v.call(http.MethodGet, path, own, nil); a.status != http.StatusOK {
		t.Errorf("the subject: status %d: %s", a.status, a.body)
	}
	for what, token := range map[string]string{"another subject": strange, "a consumer": v.consumer(), "an approver": v.token("desk", privacy.RoleApprover)} {
		for _, at := range []string{path, nowhere} {
			if a := v.call(http.MethodGet, at, token, nil); a.status != http.StatusForbidden || a.code() != "not_allowed" {
				t.Errorf("%s: status %d: %s", what, a.status, a.body)
			}
		}
	}
	if a := v.call(http.MethodGet, path, "", nil); a.status != http.StatusUnauthorized {
		t.Errorf("without a token: status %d", a.status)
	}
}
