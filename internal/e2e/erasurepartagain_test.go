package e2e_test

import (
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// stoppedAt stops whoever comes to a point first, until it is let go, and nobody who comes after.
type stoppedAt struct {
	point        string
	met          atomic.Bool
	there, letGo chan struct{}
}

func (s *stoppedAt) set(c *node.Config) {
	s.there, s.letGo = make(chan struct{}), make(chan struct{})
	c.Reach = func(point string) {
		if point == s.point && s.met.CompareAndSwap(false, true) {
			close(s.there)
			<-s.letGo
		}
	}
}

// What somebody gives anew while the erasure of a part has yet to be ended, because Vault is away for instance, is theirs to give: whoever goes on
// with the erasure does not take it.
func TestErasureOfAPartTakesNothingGivenSince(t *testing.T) {
	s := &stoppedAt{point: "part_deleted"}
	v := setupWith(t, s.set)
	goOn := sync.OnceFunc(func() { close(s.letGo) })
	t.Cleanup(goOn)
	id := v.store("anew@example.com", object{"email": "anew@example.com", "given_name": "Adalgisa", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	subject, err := privacy.ParseSubjectID(id)
	if err != nil {
		t.Fatal(err)
	}
	var r rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}}}}, http.StatusCreated).into(t, &r)
	<-s.there
	v.patch(id, object{"given_name": "Griselda"})
	if err := v.node.Rights.CarryOut(t.Context(), rights.Ref{Subject: subject, ID: v.ref(r.ID, id).ID}); err != nil {
		t.Fatal(err)
	}
	goOn()
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
	s := &stoppedAt{point: "part_rekeyed"}
	v := setupWith(t, s.set)
	goOn := sync.OnceFunc(func() { close(s.letGo) })
	t.Cleanup(goOn)
	id := v.store("twice@example.com", object{"email": "twice@example.com", "given_name": "Adalgisa", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	only := object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}, "backups": true}}}
	var first, second rightsRequest
	v.post("/v1/me/requests", v.self(id), only, http.StatusCreated).into(t, &first)
	<-s.there
	v.patch(id, object{"given_name": "Griselda"})
	dump := v.dump()
	v.post("/v1/me/requests", v.self(id), only, http.StatusOK).into(t, &second)
	if second.ID != first.ID {
		t.Fatalf("it did not join: %+v", second)
	}
	goOn()
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
	s := &stoppedAt{point: "part_deleted"}
	v := setupWith(t, s.set)
	goOn := sync.OnceFunc(func() { close(s.letGo) })
	t.Cleanup(goOn)
	id := v.store("overtaken@example.com", object{"email": "overtaken@example.com", "given_name": "Adalgisa", "country": "DE", "birth_date": "1990-12-10"})
	v.consent(id, "marketing.email", "grant")
	var part, all rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}, "backups": true}}}, http.StatusCreated).into(t, &part)
	<-s.there
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &all)
	if all = v.closed(all.ID); all.State != "completed" {
		t.Fatalf("the erasure of all: %+v", all)
	}
	goOn()
	if part = v.closed(part.ID); part.State != "completed" || !part.Certificate {
		t.Fatalf("the erasure of a part: %+v", part)
	}
	if c, _ := v.certified(part.ID); c.Part.Key != rights.KeyErased || slices.Contains(c.Kept, "all other attributes, identifiers and evidence") {
		t.Errorf("certified: %+v, kept %v", c.Part, c.Kept)
	}
}
