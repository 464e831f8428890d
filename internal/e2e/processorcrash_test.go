package e2e_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// A process is killed when it has told the processors, before that, and when the last has confirmed but the certificate is not written. The
// erasure is never reported completed before both have confirmed it, and then it is, once.
func TestErasureSurvivesAKillWhileItWaitsForProcessors(t *testing.T) {
	for _, point := range []string{"deleted", "told", "signed"} {
		t.Run(point, func(t *testing.T) {
			v := setupWith(t, soon)
			both := []*downstream{v.downstream(always(http.StatusServiceUnavailable), nil), v.downstream(always(http.StatusServiceUnavailable), object{"name": "CRM"})}
			id := v.store("wait.and.die@example.com", object{"email": "wait.and.die@example.com", "country": "DE", "birth_date": "1990-12-10"})
			v.consent(id, "marketing.email", "grant")
			if point == "signed" {
				v.waiting(id)
			}
			if err := v.node.Close(t.Context()); err != nil { // so that it is the other process that goes on
				t.Fatal(err)
			}
			if point == "signed" {
				v.doom(doomedProcess{Point: point, Confirmed: v.onlyRequest(), Processors: []privacy.ProcessorID{both[0].processor(), both[1].processor()}})
			} else {
				v.erasedByADoomedProcess(id, point)
			}
			request := v.onlyRequest().String()
			var state string
			var certified bool
			if err := v.connect().QueryRow(t.Context(), `SELECT r.state, e.certificate IS NOT NULL FROM rights_request r JOIN erasure e USING (subject_id, request_id)`).Scan(&state, &certified); err != nil || certified || state == "completed" {
				t.Errorf("killed: the request is %s, certified %t: %v", state, certified, err)
			}

			next := &vault{t: t, database: v.database, keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client, adjust: v.adjust}
			next.node, next.url = next.start()
			for i, d := range both {
				if point == "signed" {
					break // both have confirmed
				}
				waitUntil(t, func() bool { return next.requestOf(request).State == "awaiting_processors" })
				if a := next.call(http.MethodGet, next.url+"/v1/requests/"+request+"/certificate", next.officer(), nil); a.code() != "not_erased_yet" {
					t.Errorf("%d of two have confirmed: %d %s", i, a.status, a.body)
				}
				if a := next.acknowledge(d, callback{body: naming(request), at: time.Now()}); a.status != http.StatusOK {
					t.Errorf("the call-back: %d %s", a.status, a.body)
				}
			}
			if r := next.closed(request); r.State != "completed" || !r.Certificate {
				t.Errorf("the request: %+v", r)
			}
			var answer struct{ Certificate string }
			next.get("/v1/requests/"+request+"/certificate", next.officer()).into(t, &answer)
			if c, err := rights.VerifyCertificate(answer.Certificate, next.trusted()); err != nil || len(c.Processors) != 2 {
				t.Errorf("the certificate: %+v, %v", c, err)
			}
			for action, want := range map[string]int{"erasure.execute": 1, "request.acknowledge": 2, "request.complete": 1} {
				var n int
				if err := v.connect().QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = $1`, action).Scan(&n); err != nil || n != want {
					t.Errorf("%d entries %s: %v", n, action, err)
				}
			}
		})
	}
}

// waiting has a subject erased here, until it waits for processors.
func (v *vault) waiting(id string) {
	v.t.Helper()
	var lodged rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(v.t, &lodged)
	waitUntil(v.t, func() bool { return v.requestOf(lodged.ID).State == "awaiting_processors" })
}

func (v *vault) onlyRequest() (id privacy.RightsRequestID) {
	v.t.Helper()
	if err := v.connect().QueryRow(v.t.Context(), `SELECT request_id FROM rights_request`).Scan((*[16]byte)(&id)); err != nil {
		v.t.Fatal(err)
	}
	return id
}

func (d *downstream) processor() privacy.ProcessorID {
	d.t.Helper()
	id, err := privacy.ParseProcessorID(d.id)
	if err != nil {
		d.t.Fatal(err)
	}
	return id
}
