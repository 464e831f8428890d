package custody_test

import (
	"crypto/rand"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/privacy"
)

// owned is the database as an operator sees it, who may change anything.
func (v *vault) verify() *ledger.Report {
	v.t.Helper()
	report, err := ledger.Verify(v.t.Context(), v.store)
	if err != nil {
		v.t.Fatal(err)
	}
	return report
}

func (v *vault) rebuild() *ledger.Report {
	v.t.Helper()
	batch := func(at time.Time, drafts []audit.Draft) (audit.Batch, error) {
		return audit.NewBatch(at, rand.Reader, drafts, nil)
	}
	report, err := ledger.Rebuild(v.t.Context(), v.store, batch, v.clock.Read)
	if err != nil {
		v.t.Fatal(err)
	}
	return report
}

func (v *vault) wantFaults(report *ledger.Report, want ...ledger.Fault) {
	v.t.Helper()
	var found []ledger.Fault
	for _, f := range report.Findings {
		if !slices.Contains(found, f.Kind) {
			found = append(found, f.Kind)
		}
	}
	slices.Sort(found)
	slices.Sort(want)
	if !slices.Equal(found, want) {
		v.t.Errorf("found %v, want %v: %+v", found, want, report.Findings)
	}
}

// ledgerOfFour stores somebody who granted, withdrew, granted again and objected.
func (v *vault) ledgerOfFour() privacy.SubjectID {
	v.t.Helper()
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	for _, action := range []privacy.ConsentAction{privacy.ActionGrant, privacy.ActionWithdraw, privacy.ActionGrant} {
		v.decide(id, action)
	}
	v.mustAct(id, privacy.ActionObject, "sales.*", time.Time{})
	return id
}

// What a superuser does to a ledger is found, though they may make hashes as they like: not without the audit log.
func TestLedgerForgeryIsFound(t *testing.T) {
	t.Parallel()
	type faults = []ledger.Fault
	for name, c := range map[string]struct {
		statements []string
		want       faults
	}{
		"nothing": {nil, nil},
		"a changed record": {[]string{`UPDATE consent_record SET action = 'grant' WHERE seq = 2`},
			faults{ledger.FaultChanged, ledger.FaultUnaudited}},
		"a changed time": {[]string{`UPDATE consent_record SET occurred_at = occurred_at - interval '1 day' WHERE seq = 3`},
			faults{ledger.FaultChanged, ledger.FaultState}},
		"a record removed from the middle": {[]string{`DELETE FROM consent_record WHERE seq = 2`},
			faults{ledger.FaultGap, ledger.FaultLink, ledger.FaultMissing}},
		"the last record removed": {[]string{`DELETE FROM consent_record WHERE seq = 4`, `UPDATE subject SET standing = '{}'`},
			faults{ledger.FaultMissing}},
		"all records removed": {[]string{`DELETE FROM consent_state`, `DELETE FROM consent_record`, `UPDATE subject SET standing = '{}'`},
			faults{ledger.FaultMissing}},
		"a reordered ledger": {[]string{`UPDATE consent_record SET seq = seq + 10 WHERE seq < 3`, `UPDATE consent_record SET seq = 13 - seq + 0 WHERE seq IN (11, 12)`},
			faults{ledger.FaultChanged, ledger.FaultLink}},
		"a hash taken away": {[]string{`UPDATE consent_record SET hash = NULL WHERE seq = 4`},
			faults{ledger.FaultMissing, ledger.FaultUnchained}},
		"a state that was made up": {[]string{`UPDATE consent_state SET status = 'denied'`}, faults{ledger.FaultState}},
		"an objection taken away":  {[]string{`UPDATE subject SET standing = '{}'`}, faults{ledger.FaultStanding}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := setup(t)
			v.ledgerOfFour()
			if name != "nothing" {
				v.exec(`ALTER TABLE consent_state DROP CONSTRAINT consent_state_subject_id_seq_fkey`)
			}
			for _, statement := range c.statements {
				v.exec(statement)
			}
			report := v.verify()
			if name == "nothing" && (report.Subjects != 1 || report.Records != 4 || report.Chained != 4) {
				t.Errorf("%+v", report)
			}
			v.wantFaults(report, c.want...)
		})
	}
}

// A made-up record with a hash of its own that follows the chain is not in the audit log.
func TestLedgerForgedEndIsFound(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.ledgerOfFour()
	history, err := v.ConsentHistory(t.Context(), id, 0, 10)
	if err != nil {
		t.Fatal(err)
	}
	forged := history[1] // a grant
	forged.Seq, forged.ID, forged.Prev, forged.Purpose = 5, [16]byte{5}, history[0].Hash, "sales.outreach"
	hash := ledger.Hash(id, &forged)
	v.exec(`INSERT INTO consent_record (subject_id, seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, expires_at, recorded_by, recorded_at, prev_hash, hash)
		SELECT subject_id, 5, $1, 'sales.outreach', action, explicit, separate_for, given_by, channel, method, occurred_at, expires_at, recorded_by, recorded_at, $2, $3 FROM consent_record WHERE seq = 3`,
		forged.ID, forged.Prev, hash[:])
	v.wantFaults(v.verify(), ledger.FaultUnaudited, ledger.FaultState)
	if report := v.rebuild(); report.Rebuilt != 0 || report.OK() {
		t.Errorf("a forged ledger was made the state: %+v", report)
	}
}

func TestRebuildMendsWhatDoesNotFollow(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.ledgerOfFour()
	v.wantTold(id, told{"given_name": `"Ada"`})
	v.exec(`UPDATE consent_state SET status = 'withdrawn', occurred_at = occurred_at + interval '1 day'`)
	v.exec(`UPDATE subject SET standing = '{"objections":[{"scope":"*","at":"2026-03-02T00:00:00Z"}]}'`)
	v.wantTold(id, told{"given_name": "!objected"})
	report := v.rebuild()
	v.wantFaults(report, ledger.FaultState, ledger.FaultStanding)
	if report.Rebuilt != 1 || !report.OK() {
		t.Errorf("%+v", report)
	}
	v.wantTold(id, told{"given_name": `"Ada"`})
	v.wantFaults(v.verify())
	entries := v.newest(id, 3)
	if !slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Action == audit.ActionConsentRebuild }) {
		t.Errorf("no rebuild on record: %+v", entries)
	}
}

// Records from before there was a chain are no fault; the chain begins with the first that has a hash.
func TestLedgerFromBeforeTheChain(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	v.exec(`INSERT INTO consent_record (subject_id, seq, record_id, purpose, action, explicit, separate_for, given_by, channel, method, occurred_at, recorded_by, recorded_at)
		SELECT subject_id, 1, gen_random_uuid(), 'marketing.email', 'grant', false, '{}', 'self', '', '', '2026-01-01', 'crm', '2026-01-01' FROM subject`)
	v.exec(`INSERT INTO consent_state (subject_id, purpose, seq, status, explicit, separate_for, given_by, occurred_at, updated_at)
		SELECT subject_id, 'marketing.email', 1, 'granted', false, '{}', 'self', '2026-01-01', '2026-01-01' FROM subject`)
	v.decide(id, privacy.ActionWithdraw)
	report := v.verify()
	v.wantFaults(report)
	if report.Records != 2 || report.Chained != 1 {
		t.Errorf("%+v", report)
	}
}

// Whatever is recorded in whatever order and with whatever dates, the state that was written step by step is the one that
// follows from the ledger as a whole.
func TestRebuildOfAnyLedgerIsTheState(t *testing.T) {
	t.Parallel()
	v := setup(t)
	people := 0
	rapid.Check(t, func(rt *rapid.T) {
		if people == 25 {
			return // the database is real, and 25 ledgers of ten are enough to look at
		}
		people++
		id := v.put("ada"+string(rune('a'+people))+"@example.com", nil)
		for range rapid.IntRange(1, 10).Draw(rt, "records") {
			action := rapid.SampledFrom(privacy.ConsentActions()).Draw(rt, "action")
			scopes := []privacy.PurposeName{"marketing.email", "marketing.sms", "sales.outreach"}
			if action.AboutObjection() {
				scopes = append(scopes, "marketing.*", "*")
			}
			if action.AboutRestriction() {
				scopes = []privacy.PurposeName{"*"}
			}
			at := v.clock.Read().Add(-time.Duration(rapid.IntRange(0, 3).Draw(rt, "ago")) * time.Hour)
			v.mustAct(id, action, rapid.SampledFrom(scopes).Draw(rt, "scope"), at)
		}
		v.wantFaults(v.verify())
	})
}
