package e2e_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

// heldUp stops those who come to a point in what requests lead to, or the first of them alone, until they are let go.
type heldUp struct {
	at      string
	alone   bool // whoever comes after the first goes past
	met     atomic.Bool
	reached chan struct{} // closed when the first is there
	goOn    func()        // may be called again
}

func (h *heldUp) set(c *node.Config) {
	letGo := make(chan struct{})
	h.reached, h.goOn = make(chan struct{}), sync.OnceFunc(func() { close(letGo) })
	c.Reach = func(point string) {
		if point != h.at {
			return
		}
		first := h.met.CompareAndSwap(false, true)
		if first {
			close(h.reached)
		}
		if first || !h.alone {
			<-letGo
		}
	}
}

func (v *vault) number(sql string, args ...any) (n int) {
	v.t.Helper()
	conn := v.connect()
	if err := conn.QueryRow(v.t.Context(), sql, args...).Scan(&n); err != nil {
		v.t.Fatal(err)
	}
	_ = conn.Close(v.t.Context())
	return n
}

// Who is erased while their file is made leaves nothing of it behind, nor a word that it was made.
func TestExportIsNotMadeOfTheErased(t *testing.T) {
	h := &heldUp{at: "exported"}
	v := setupWith(t, h.set)
	id := v.store("late@example.com", object{"email": "late@example.com", "country": "DE"})
	var access, erasure rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "access"}, http.StatusCreated).into(t, &access)
	<-h.reached
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &erasure)
	v.closed(erasure.ID)
	h.goOn()
	if r := v.closed(access.ID); r.State != "rejected" || r.Ground != "subject_erased" {
		t.Errorf("the access: %+v", r)
	}
	if n := v.number(`SELECT (SELECT count(*) FROM export) + (SELECT count(*) FROM export_chunk)`); n != 0 {
		t.Errorf("%d rows are left", n)
	}
	if n := v.number(`SELECT count(*) FROM audit_entry WHERE action = 'export.make'`); n != 0 {
		t.Error("a file was made, it says")
	}
}

// What is put right while a file is made is right in it.
func TestExportIsMadeAnewOfWhatHasChanged(t *testing.T) {
	h := &heldUp{at: "exported"}
	v := setupWith(t, h.set)
	id := v.store("hasty@example.com", object{"email": "hasty@example.com", "country": "DE", "city": "Köln"})
	var access rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "access"}, http.StatusCreated).into(t, &access)
	<-h.reached
	v.patch(id, object{"city": "Bonn"})
	h.goOn()
	v.closed(access.ID)
	if data, _ := v.takeAway(access.ID, id); data.value("city") != "Bonn" {
		t.Errorf("they live in %v", data.value("city"))
	}
	if n := v.number(`SELECT count(*) FROM export`); n != 1 {
		t.Errorf("there are %d files", n)
	}
}

func (v *vault) patch(id string, attributes object) {
	v.t.Helper()
	if a := v.call(http.MethodPatch, v.url+"/v1/subjects/"+id+"/attributes", v.steward(), object{"attributes": attributes, "source": "test"}); a.status != http.StatusOK {
		v.t.Fatalf("patch: %d %s", a.status, a.body)
	}
}

// A file goes with any value that is in it, and stays as long as all of them do.
func TestExportGoesWithWhatItHolds(t *testing.T) {
	clock := &clock{}
	v := setupWith(t, clock.set)
	for name, c := range map[string]struct {
		change func(id string)
		stays  bool
	}{
		"corrected": {change: func(id string) { v.patch(id, object{"city": "Bonn"}) }},
		"deleted":   {change: func(id string) { v.patch(id, object{"given_name": nil}) }},
		"said once more": {stays: true, change: func(id string) {
			v.patch(id, object{"city": "Köln", "given_name": "Ada"})
		}},
		"something else": {stays: true, change: func(id string) { v.patch(id, object{"gender": "female"}) }},
		"erased": {change: func(id string) {
			var r rightsRequest
			v.post("/v1/me/requests", v.self(id), object{"type": "erasure", "details": object{"only": object{"attributes": []string{"given_name"}}}}, http.StatusCreated).into(t, &r)
			v.closed(r.ID)
		}},
		"kept for long enough": {change: func(string) {
			clock.pass(48 * time.Hour)
			v.retain(false)
		}},
	} {
		email := name[:4] + "@example.com"
		collected := clock.now().AddDate(-3, 0, 1).UTC().Format(time.RFC3339) // a name is kept for three years
		var stored struct{ ID string }
		v.post("/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": email}}, "source": "test", "collected_at": collected,
			"attributes": object{"email": email, "country": "DE", "city": "Köln", "given_name": "Ada"}}, http.StatusCreated).into(t, &stored)
		request := v.askFor("access", stored.ID)
		link := v.link(request, stored.ID)
		c.change(stored.ID)
		told := v.call(http.MethodGet, v.url+"/v1/requests/"+request+"/export", v.self(stored.ID), nil)
		file := v.fetch(link)
		if stayed := told.status == http.StatusOK && file.status == http.StatusOK; stayed != c.stays {
			t.Errorf("%s: told %d %.200s, fetched %d", name, told.status, told.body, file.status)
		}
		if !c.stays && (told.code() != "export_expired" || file.code() != "export_link_invalid") {
			t.Errorf("%s: told %.200s, fetched %.200s", name, told.body, file.body)
		}
	}
}

// A request is not closed without an answer because something was not to be found that the answer needs.
func TestExportThatLacksSomethingIsTriedAgain(t *testing.T) {
	v := setup(t)
	id := v.store("lacking@example.com", object{"email": "lacking@example.com", "country": "DE"})
	v.disclose("marketing.email", []string{"email"}, id)
	db := v.connect()
	for _, sql := range []string{`CREATE TABLE aside AS SELECT * FROM decision`, `DELETE FROM decision`} {
		if _, err := db.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	var access rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "access"}, http.StatusCreated).into(t, &access)
	ref := rights.Ref{}
	var err error
	if ref.ID, err = privacy.ParseRightsRequestID(access.ID); err != nil {
		t.Fatal(err)
	}
	if ref.Subject, err = privacy.ParseSubjectID(id); err != nil {
		t.Fatal(err)
	}
	if err := v.node.Rights.CarryOut(t.Context(), ref); privacy.CodeOf(err) != "decision_not_found" {
		t.Errorf("carried out without a decision: %v", err)
	}
	var r rightsRequest
	if v.get("/v1/requests/"+access.ID, v.officer()).into(t, &r); r.State != "in_progress" {
		t.Errorf("the request: %+v", r)
	}
	if _, err := db.Exec(t.Context(), `INSERT INTO decision SELECT * FROM aside`); err != nil {
		t.Fatal(err)
	}
	v.closed(access.ID) // by the job, which has not given up
	if data, _ := v.takeAway(access.ID, id); len(data.Disclosures) != 1 {
		t.Errorf("the disclosures are %+v", data.Disclosures)
	}
}

// While the keyring is away a link gives nothing, and is not used up by it.
func TestExportLinkOutlivesAnOutage(t *testing.T) {
	own := testenv.OwnVault(t)
	v := setupOn(t, testenv.Template(t, "schema", func(url string) error { return store.Migrate(t.Context(), url) }), own.Addr(), own.RootToken(), withoutSegments)
	id := v.store("outage@example.com", object{"email": "outage@example.com", "country": "DE"})
	link := v.link(v.askFor("access", id), id)
	second, url := v.start() // with no key page in memory
	if err := own.Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	fetch := func() answer { return v.call(http.MethodPost, url+"/v1/exports/fetch", "", object{"token": link}) }
	if a := fetch(); a.status != http.StatusServiceUnavailable {
		t.Errorf("sealed: %d %s", a.status, a.body)
	}
	if err := own.Unseal(t.Context()); err != nil {
		t.Fatal(err)
	}
	waitUntil(t, func() bool { return second.Service.Ready(t.Context()) == nil })
	if a := fetch(); a.status != http.StatusOK {
		t.Errorf("unsealed: %d %s", a.status, a.body)
	}
}
