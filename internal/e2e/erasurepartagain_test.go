package e2e_test

import (
	"net/http"
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// erasingPart has the name of somebody found by an email erased, and the first to carry that out stopped at a point, until the test goes on or is over.
func erasingPart(t *testing.T, point, email string, only object) (v *vault, h *heldUp, id string, r rightsRequest) {
	t.Helper()
	h = &heldUp{at: point, alone: true}
	v = setupWith(t, h.set)
	t.Cleanup(h.goOn)
	id = v.store(email, object{"email": email, "given_name": "Adalgisa", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	v.post("/v1/me/requests", v.self(id), only, http.StatusCreated).into(t, &r)
	<-h.reached
	return v, h, id, r
}

// The name alone, in the database, or in its backups as well.
var (
	nameOnly        = object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}}}}
	nameWithBackups = object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}, "backups": true}}}
)

// What somebody gives anew while the erasure of a part has yet to be ended, because Vault is away for instance, is theirs to give: whoever goes on
// with the erasure does not take it.
func TestErasureOfAPartTakesNothingGivenSince(t *testing.T) {
	v, h, id, r := erasingPart(t, "part_deleted", "anew@example.com", nameOnly)
	subject, err := privacy.ParseSubjectID(id)
	if err != nil {
		t.Fatal(err)
	}
	v.patch(id, object{"given_name": "Griselda"})
	if err := v.node.Rights.CarryOut(t.Context(), rights.Ref{Subject: subject, ID: v.ref(r.ID, id).ID}); err != nil {
		t.Fatal(err)
	}
	h.goOn()
	if r = v.closed(r.ID); r.State != "completed" || !r.Certificate {
		t.Errorf("the request: %+v", r)
	}
	if d := v.disclose("marketing.email", []string{"given_name"}, id).Disclosures[0]; d.Attributes["given_name"] != "Griselda" {
		t.Errorf("what was given since: %+v", d)
	}
	if c, _ := v.certified(r.ID); len(c.Erased.Attributes) != 1 {
		t.Errorf("certified: %+v", c.Erased)
	}
}

// Who asks again for the same before it is ended has what came in between erased as well, and no backup of that time opens it either.
func TestErasureOfAPartThatIsJoinedReplacesTheKeyAgain(t *testing.T) {
	v, h, id, first := erasingPart(t, "part_rekeyed", "twice@example.com", nameWithBackups)
	var second rightsRequest
	v.patch(id, object{"given_name": "Griselda"})
	dump := v.dump()
	v.post("/v1/me/requests", v.self(id), nameWithBackups, http.StatusOK).into(t, &second)
	if second.ID != first.ID {
		t.Fatalf("it did not join: %+v", second)
	}
	h.goOn()
	if first = v.closed(first.ID); first.State != "completed" || !first.Certificate {
		t.Errorf("the request: %+v", first)
	}
	c, _ := v.certified(first.ID)
	if c.Part.Key != rights.KeyReplaced || c.KeyErasedAt.Before(c.DeletedAt) {
		t.Errorf("certified: %+v, %+v", c, c.Part)
	}
	if d := v.disclose("marketing.email", []string{"given_name", "email"}, id).Disclosures[0]; d.Withheld["given_name"] != "no_value" || d.Attributes["email"] != "twice@example.com" {
		t.Errorf("after it: %+v", d)
	}
	if n := v.number(`SELECT count(*) FROM spent_slot WHERE punctured_at IS NOT NULL`); n != 2 {
		t.Errorf("%d keys are gone", n)
	}
	restored := &vault{t: t, database: restore(t, dump), keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
	restored.node, restored.url = restored.start()
	if d := restored.disclose("marketing.email", []string{"given_name", "email"}, id).Disclosures[0]; len(d.Attributes) > 0 {
		t.Errorf("a backup from in between opens: %+v", d)
	}
}

// Who is erased altogether while the erasure of a part waits has nothing left that its certificate could say is kept.
func TestErasureOfAPartOvertakenByOneOfAll(t *testing.T) {
	v, h, id, part := erasingPart(t, "part_deleted", "overtaken@example.com", nameWithBackups)
	var all rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &all)
	if all = v.closed(all.ID); all.State != "completed" {
		t.Fatalf("the erasure of all: %+v", all)
	}
	h.goOn()
	if part = v.closed(part.ID); part.State != "completed" || !part.Certificate {
		t.Fatalf("the erasure of a part: %+v", part)
	}
	if c, _ := v.certified(part.ID); c.Part.Key != rights.KeyErased || slices.Contains(c.Kept, "all other attributes, identifiers and evidence") {
		t.Errorf("certified: %+v, kept %v", c.Part, c.Kept)
	}
}
