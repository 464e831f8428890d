package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// onAColdNode loses key page 0, and has a node without it in memory answer from then on. It gives what the page held.
func (v *vault) onAColdNode(lose func()) (page map[string]any) {
	v.t.Helper()
	t := v.t.(*testing.T) //nolint:forcetypeassert // not in a benchmark
	var read struct{ Data struct{ Data map[string]any } }
	if err := json.Unmarshal(v.vault(t, http.MethodGet, "data/pages/0", nil), &read); err != nil || read.Data.Data["wrapped"] == nil {
		t.Fatalf("the page: %+v: %v", read, err)
	}
	lose()
	v.node, v.url = v.start()
	return read.Data.Data
}

// Nothing is left in Vault of the page that somebody's key was on. They are erased all the same, and the certificate says how it stood with their key. When the
// page comes back, from a backup, their key goes at once, and the others on it read as before.
func TestLaw4ErasureOnAPageThatIsGone(t *testing.T) {
	for name, lose := range map[string]func(v *vault){
		"deleted":   func(v *vault) { v.vault(t, http.MethodDelete, "metadata/pages/0", nil) },
		"destroyed": func(v *vault) { v.vault(t, http.MethodPut, "destroy/pages/0", object{"versions": []int{1}}) },
	} {
		t.Run(name, func(t *testing.T) {
			v := setup(t)
			give := func(email string) (privacy.SubjectID, string) {
				text := v.store(email, object{"email": email, "country": "DE", "birth_date": "1990-12-10"})
				v.consent(text, "marketing.email", "grant")
				id, err := privacy.ParseSubjectID(text)
				if err != nil {
					t.Fatal(err)
				}
				return id, text
			}
			subject, id := give("gone.page@example.com")
			other, otherID := give("same.page@example.com")
			slot := func(of string) privacy.KeySlot {
				return privacy.KeySlot(v.number(`SELECT key_slot FROM subject WHERE subject_id = $1`, of))
			}
			slots := map[privacy.SubjectID]privacy.KeySlot{subject: slot(id), other: slot(otherID)}
			page := v.onAColdNode(func() { lose(v) })

			var r rightsRequest
			v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
			if r = v.closed(r.ID); r.State != "completed" || !r.Certificate {
				t.Fatalf("the request: %+v", r)
			}
			if c, _ := v.certified(r.ID); !c.Key.PageGone || c.Key.Version != 0 || c.KeyErasedAt.IsZero() || len(c.Erased.Attributes) != 3 {
				t.Errorf("the certificate: %+v", c)
			}
			if n := v.number(`SELECT count(*) FROM attribute_value WHERE subject_id = $1`, id); n != 0 || v.number(`SELECT count(*) FROM attribute_value WHERE subject_id = $1`, otherID) != 3 {
				t.Errorf("%d values of theirs are left, or the other has lost some", n)
			}
			if v.alarms() == 0 || !strings.Contains(v.logs.String(), "a key page is gone") {
				t.Error("nobody is told that a page is gone")
			}

			v.vault(t, http.MethodPost, "data/pages/0", object{"data": page})
			for range 2 { // the second finds nothing to do
				if err := v.node.Rights.Resume(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			keys, err := keyring.OpenVault(t.Context(), v.keys, keyring.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = keys.Close() }()
			for who, want := range map[privacy.SubjectID]string{subject: "key_erased", other: ""} {
				if _, err := keys.Subject(t.Context(), who, slots[who]); (err == nil) != (want == "") || err != nil && privacy.CodeOf(err) != want {
					t.Errorf("the page is back, and a key on it: %v, want %q", err, want)
				}
			}
			if n := v.number(`SELECT count(*) FROM audit_entry WHERE action = 'erasure.repeat' AND object = 'request/' || $1`, r.ID); n != 1 {
				t.Errorf("%d entries tell of it", n)
			}
			if d := v.disclose("marketing.email", []string{"email"}, otherID).Disclosures[0]; d.Attributes["email"] != "same.page@example.com" {
				t.Errorf("the other: %+v", d)
			}
			if a := v.call(http.MethodPost, v.url+"/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "gone.page@example.com"}}, "source": "crm"}); a.code() != "erased_before" {
				t.Errorf("they come in again: %d %s", a.status, a.body)
			}
		})
	}
}

// A page that was merely deleted can be had again where it lies, and the keys with it: who asks to be erased is heard, and is erased once it is there.
func TestErasureWaitsForAPageThatCanBeHadAgain(t *testing.T) {
	v := setup(t)
	id := v.store("deleted.page@example.com", object{"email": "deleted.page@example.com", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	v.onAColdNode(func() { v.vault(t, http.MethodDelete, "data/pages/0", nil) })
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &r)
	waitUntil(t, func() bool { return v.alarms() > 0 })
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "erased" {
		t.Errorf("while it waits: %+v", d)
	}
	if r = v.requestOf(r.ID); r.State != "in_progress" || r.Step != "buried" || v.number(`SELECT count(*) FROM attribute_value`) != 3 {
		t.Errorf("the request, while it waits: %+v", r)
	}
	v.vault(t, http.MethodPut, "undelete/pages/0", object{"versions": []int{1}})
	if r = v.closed(r.ID); r.State != "completed" || r.Step != "certified" {
		t.Errorf("once it is there again: %+v", r)
	}
	if c, _ := v.certified(r.ID); c.Key.PageGone || c.Key.Version != 2 {
		t.Errorf("the certificate: %+v", c.Key)
	}
}
