package e2e_test

import (
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// doomedProcess is what the process that is killed is told, as JSON in its environment.
type doomedProcess struct {
	Database, Vault, Token, KV, Transit string
	Authn                               authn.Config
	Subject                             privacy.SubjectID
	Point                               string
	Confirmed                           privacy.RightsRequestID // a request that the processors confirm, rather than one that is lodged
	Processors                          []privacy.ProcessorID
	Only                                *rights.Part            // what alone is erased
	Retain                              bool                    // it deletes what has been kept for long enough, rather than anybody
	Completed                           privacy.RightsRequestID // a request that an officer completes, rather than one that is lodged
}

const doomedEnv = "CONSENTRY_TEST_DOOMED"

// A process that erases somebody is killed at every step. It never reports the erasure completed before it is; whoever starts next ends
// it, once, with a certificate that is valid.
func TestErasureSurvivesAKillAtEveryStep(t *testing.T) {
	for _, point := range []string{"marked", "buried", "punctured", "deleted", "told", "signed", "certified"} {
		t.Run(point, func(t *testing.T) {
			v := setup(t)
			id := v.store("kill.me@example.com", object{"email": "kill.me@example.com", "country": "DE", "birth_date": "1990-12-10"})
			v.consent(id, "marketing.email", "grant")
			if err := v.node.Close(t.Context()); err != nil { // so that it is the other process that erases
				t.Fatal(err)
			}
			v.erasedByADoomedProcess(id, point)

			db := v.connect()
			var state, request string
			var certified bool
			if err := db.QueryRow(t.Context(), `SELECT r.state, r.request_id::text, e.certificate IS NOT NULL FROM rights_request r JOIN erasure e USING (subject_id, request_id)`).Scan(&state, &request, &certified); err != nil {
				t.Fatal(err)
			}
			if completed := state == "completed"; completed != certified || completed != (point == "certified") {
				t.Errorf("killed at %s: the request is %s, certified %t", point, state, certified)
			}
			v.adjust = nil
			next := &vault{t: t, database: v.database, keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
			next.node, next.url = next.start()
			if d := next.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "erased" {
				t.Errorf("after the kill: %+v", d)
			}
			if r := next.closed(request); r.State != "completed" || !r.Certificate {
				t.Errorf("the request: %+v", r)
			}
			var answer struct{ Certificate string }
			next.get("/v1/requests/"+request+"/certificate", next.officer()).into(t, &answer)
			if _, err := rights.VerifyCertificate(answer.Certificate, next.trusted()); err != nil {
				t.Error(err)
			}
			for action, want := range map[string]int{"erasure.mark": 1, "erasure.execute": 1, "request.complete": 1, "request.lodge": 1} {
				var n int
				if err := db.QueryRow(t.Context(), `SELECT count(*) FROM audit_entry WHERE action = $1 AND object = 'request/' || $2`, action, request).Scan(&n); err != nil || n != want {
					t.Errorf("%d entries %s: %v", n, action, err)
				}
			}
			var left int
			if err := db.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM attribute_value) + (SELECT count(*) FROM subject_identifier) + (SELECT count(*) FROM identifier)`).Scan(&left); err != nil || left != 0 {
				t.Errorf("%d rows are left: %v", left, err)
			}
		})
	}
}

// A process that erases a part of somebody's data, backups included, is killed in between. Whoever starts next ends it: the part is gone, the key
// that backups open under is gone, once, and what was not to be erased reads as before.
func TestErasureOfAPartSurvivesAKill(t *testing.T) {
	for _, point := range []string{"part_deleted", "part_rekeyed", "part_signed"} {
		t.Run(point, func(t *testing.T) {
			v := setup(t)
			id := v.store("kill.a.part@example.com", object{"email": "kill.a.part@example.com", "given_name": "Ada", "country": "DE", "birth_date": "1990-12-10"})
			v.consent(id, "marketing.email", "grant")
			if err := v.node.Close(t.Context()); err != nil {
				t.Fatal(err)
			}
			subject, err := privacy.ParseSubjectID(id)
			if err != nil {
				t.Fatal(err)
			}
			v.doom(doomedProcess{Subject: subject, Point: point, Only: &rights.Part{Attributes: []privacy.AttributeName{"given_name"}, Backups: true}})
			var request, state string
			if err := v.connect().QueryRow(t.Context(), `SELECT request_id::text, state FROM rights_request`).Scan(&request, &state); err != nil || state != "in_progress" {
				t.Fatalf("killed at %s: %s, %v", point, state, err)
			}
			if n := v.number(`SELECT count(*) FROM spent_slot WHERE punctured_at IS NOT NULL`); n != map[string]int{"part_deleted": 0, "part_rekeyed": 1, "part_signed": 1}[point] {
				t.Errorf("killed at %s: %d keys are gone", point, n)
			}
			next := &vault{t: t, database: v.database, keys: v.keys, issuer: v.issuer, logs: v.logs, client: v.client}
			next.node, next.url = next.start()
			if r := next.closed(request); r.State != "completed" || !r.Certificate {
				t.Errorf("the request: %+v", r)
			}
			if c, _ := next.certified(request); c.Part.Key != rights.KeyReplaced || len(c.Erased.Attributes) != 1 {
				t.Errorf("the certificate: %+v, %+v", c, c.Part)
			}
			if d := next.disclose("marketing.email", []string{"email", "given_name"}, id).Disclosures[0]; d.Attributes["email"] != "kill.a.part@example.com" || d.Withheld["given_name"] != "no_value" {
				t.Errorf("after the kill: %+v", d)
			}
			if v.number(`SELECT count(*) FROM spent_slot`) != 1 || v.number(`SELECT count(*) FROM spent_slot WHERE punctured_at IS NULL`) != 0 {
				t.Error("the key was not changed once")
			}
			for action, want := range map[string]int{"erasure.fields": 1, "subject.rekey": 1, "request.complete": 1} {
				if n := v.number(`SELECT count(*) FROM audit_entry WHERE action = $1 AND object = 'request/' || $2`, action, request); n != want {
					t.Errorf("%d entries %s", n, action)
				}
			}
		})
	}
}

// erasedByADoomedProcess has another process erase a subject, and kills it at a point.
func (v *vault) erasedByADoomedProcess(id, point string) {
	v.t.Helper()
	subject, err := privacy.ParseSubjectID(id)
	if err != nil {
		v.t.Fatal(err)
	}
	v.doom(doomedProcess{Subject: subject, Point: point})
}

// doom has another process do something, and kills it at a point.
func (v *vault) doom(what doomedProcess) {
	v.t.Helper()
	what.Database, what.Vault, what.Token, what.KV, what.Transit, what.Authn = v.database, v.keys.Address, string(v.keys.Auth.Token), v.keys.KVMount, v.keys.TransitMount, v.issuer.Config
	order, err := json.Marshal(what)
	if err != nil {
		v.t.Fatal(err)
	}
	command := exec.CommandContext(v.t.Context(), os.Args[0], "-test.run=^TestDoomedProcess$")
	command.Env = append(os.Environ(), doomedEnv+"="+string(order))
	output, err := command.CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		v.t.Fatalf("the process was not killed: %v: %s", err, output)
	}
}

// This is the process that is killed.
func TestDoomedProcess(t *testing.T) {
	text := os.Getenv(doomedEnv)
	if text == "" {
		t.Skip("only as a process of its own")
	}
	var order doomedProcess
	if err := json.Unmarshal([]byte(text), &order); err != nil {
		t.Fatal(err)
	}
	keys, err := keyring.OpenVault(t.Context(), keyring.VaultConfig{Address: order.Vault, KVMount: order.KV, TransitMount: order.Transit,
		Auth: keyring.VaultAuth{Method: keyring.AuthToken, Token: keyring.Secret(order.Token)}}, keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	n, err := node.Open(t.Context(), node.Config{DatabaseURL: order.Database, Keyring: keys, Authn: order.Authn, Log: slog.New(slog.DiscardHandler), Reach: func(point string) {
		if point == order.Point {
			_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !order.Confirmed.IsZero() {
		if err := n.Rights.Acknowledge(t.Context(), custody.System(), order.Processors, []privacy.RightsRequestID{order.Confirmed}, rights.AcknowledgedByPoll); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done() // until it is killed
	}
	if order.Retain {
		if _, err := n.Service.StartRetention(t.Context(), custody.System(), false); err != nil {
			t.Fatal(err)
		}
		<-t.Context().Done() // until it is killed
	}
	if !order.Completed.IsZero() {
		officer := custody.Caller{Caller: privacy.Caller{Client: "back-office", Roles: []privacy.Role{privacy.RoleOfficer}}}
		_, err := n.Rights.Complete(t.Context(), officer, order.Completed)
		t.Fatalf("it was completed: %v", err)
	}
	caller := custody.Caller{Caller: privacy.Caller{Client: "portal", Roles: []privacy.Role{privacy.RoleSubject}, Subject: order.Subject}}
	if _, err := n.Rights.Lodge(t.Context(), caller, rights.Asked{Type: privacy.RequestErasure, Subject: order.Subject, Lodged: privacy.LodgedBySubject, Details: rights.Details{Only: order.Only}}, custody.Once{}); err != nil {
		t.Fatal(err)
	}
	<-t.Context().Done() // until it is killed
}
