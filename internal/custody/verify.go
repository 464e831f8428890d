package custody

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// LedgerFinding is something that is wrong with a subject's ledger.
type LedgerFinding struct {
	Kind    LedgerFault       `json:"kind"`
	Subject privacy.SubjectID `json:"subject"`
	Seq     int32             `json:"seq,omitempty"` // of the record it is about
	Detail  string            `json:"detail"`
}

// LedgerFault says what is wrong.
type LedgerFault string

// The faults. The first group says that the ledger is not what was recorded, the second that what was worked out
// from it is not what follows from it, which a rebuild mends.
const (
	FaultGap       LedgerFault = "gap"            // a number is missing, or comes twice
	FaultChanged   LedgerFault = "changed"        // a record is not what its hash says
	FaultLink      LedgerFault = "broken_link"    // a record does not follow the one before
	FaultUnchained LedgerFault = "unchained"      // a record without a hash after the chain began
	FaultUnaudited LedgerFault = "not_in_audit"   // the audit log does not know the record
	FaultMissing   LedgerFault = "missing"        // the audit log knows a record that is not there
	FaultState     LedgerFault = "wrong_state"    // a state of consent that does not follow from the ledger
	FaultStanding  LedgerFault = "wrong_standing" // objections or signals that do not follow
)

// Derived reports whether a rebuild mends the fault.
func (f LedgerFault) Derived() bool { return f == FaultState || f == FaultStanding }

// LedgerReport is what a walk over all ledgers found.
type LedgerReport struct {
	Subjects  int             `json:"subjects"`
	Records   int             `json:"records"`
	Chained   int             `json:"chained"` // records that have a hash
	Rebuilt   int             `json:"rebuilt"` // subjects whose state was written anew
	Findings  []LedgerFinding `json:"findings"`
	Omitted   int             `json:"omitted,omitempty"` // findings beyond the first thousand
	Remaining int             `json:"remaining"`         // findings that were not mended
}

// maxLedgerFindings keeps a report readable, and a walk over a ruined database within memory.
const maxLedgerFindings = 1000

// OK reports whether all is well, by now.
func (r *LedgerReport) OK() bool { return r.Remaining == 0 }

func (r *LedgerReport) add(findings []LedgerFinding) {
	for _, finding := range findings {
		r.Remaining++
		if len(r.Findings) < maxLedgerFindings {
			r.Findings = append(r.Findings, finding)
		} else {
			r.Omitted++
		}
	}
}

// VerifyLedgers checks every ledger: its chain, against the audit log, and that where it is said to leave the
// subject follows from it. That the audit log itself is whole is for `audit verify` to say.
func VerifyLedgers(ctx context.Context, db *store.Store) (*LedgerReport, error) {
	return walkLedgers(ctx, db, func(context.Context, *store.Ledger) error { return nil })
}

// walkLedgers verifies range by range, so that memory is bounded, and gives those whose state does not follow to mend.
func walkLedgers(ctx context.Context, db *store.Store, mend func(context.Context, *store.Ledger) error) (*LedgerReport, error) {
	report := &LedgerReport{Findings: []LedgerFinding{}}
	for in, err := range db.SubjectRanges(ctx) {
		if err != nil {
			return nil, err
		}
		ledgers, err := db.Ledgers(ctx, in)
		if err != nil {
			return nil, err
		}
		for _, l := range ledgers {
			report.Subjects++
			report.Records += len(l.Records)
			for i := range l.Records {
				if l.Records[i].Hash != nil {
					report.Chained++
				}
			}
			findings := verifyLedger(l)
			report.add(findings)
			if len(findings) > 0 && !slices.ContainsFunc(findings, func(f LedgerFinding) bool { return !f.Kind.Derived() }) {
				if err := mend(ctx, l); err != nil {
					return nil, err
				}
			}
		}
	}
	return report, nil
}

// verifyLedger gives what is wrong with one ledger.
func verifyLedger(l *store.Ledger) []LedgerFinding {
	var findings []LedgerFinding
	find := func(kind LedgerFault, seq int32, detail string) {
		findings = append(findings, LedgerFinding{Kind: kind, Subject: l.Subject, Seq: seq, Detail: detail})
	}
	verifyChain(l, find)
	verifyAudited(l, find)
	states, standing := derive(l)
	for _, detail := range differences(l.States, states) {
		find(FaultState, 0, detail)
	}
	if l.Exists && !standing.Equal(l.Standing) {
		find(FaultStanding, 0, "objections or signals do not follow from the ledger")
	}
	return findings
}

type finder func(kind LedgerFault, seq int32, detail string)

func verifyChain(l *store.Ledger, find finder) {
	prev := make([]byte, len(audit.Hash{}))
	chained := false
	for i := range l.Records {
		r := &l.Records[i]
		if r.Seq != int32(i+1) {
			find(FaultGap, r.Seq, "expected number "+strconv.Itoa(i+1))
		}
		if r.Hash == nil {
			if chained {
				find(FaultUnchained, r.Seq, "has no hash, and records before it have")
			}
			continue
		}
		if hash := RecordHash(l.Subject, r); !bytes.Equal(hash[:], r.Hash) {
			find(FaultChanged, r.Seq, "is not what its hash says")
		}
		if !bytes.Equal(r.Prev, prev) {
			find(FaultLink, r.Seq, "does not follow the record before it")
		}
		prev, chained = r.Hash, true
	}
}

// verifyAudited compares the ledger with what the audit log says was put on it, so that a chain that was made anew or
// cut short is found too.
func verifyAudited(l *store.Ledger, find finder) {
	audited := make(map[string]store.AuditedRecord, len(l.Audited))
	for _, a := range l.Audited {
		audited[a.Object] = a
	}
	for i := range l.Records {
		r := &l.Records[i]
		if r.Hash == nil {
			continue
		}
		object := recordObject(r.Hash)
		if a, ok := audited[object]; !ok || a.Purpose != r.Purpose || a.Action != string(consentAction(r.Action)) {
			find(FaultUnaudited, r.Seq, "no audit entry names it")
		}
		delete(audited, object)
	}
	for range audited {
		find(FaultMissing, 0, "an audit entry names a record that is not on the ledger")
	}
}

// derive works out where a ledger leaves its subject, from nothing.
func derive(l *store.Ledger) ([]store.ConsentState, privacy.Standing) {
	folded := ledger{id: l.Subject}
	for i := range l.Records {
		folded.apply(&l.Records[i])
	}
	slices.SortFunc(folded.states, func(a, b store.ConsentState) int { return bytes.Compare([]byte(a.Purpose), []byte(b.Purpose)) })
	return folded.states, foldSignals(folded.standing, l.Signals)
}

// differences says in what two lists of states differ, without saying what either holds.
func differences(stored, derived []store.ConsentState) (details []string) {
	find := func(list []store.ConsentState, purpose privacy.PurposeName) *store.ConsentState {
		if i := slices.IndexFunc(list, func(s store.ConsentState) bool { return s.Purpose == purpose }); i >= 0 {
			return &list[i]
		}
		return nil
	}
	for i := range derived {
		if have := find(stored, derived[i].Purpose); have == nil || !sameState(have, &derived[i]) {
			details = append(details, "the state on "+string(derived[i].Purpose)+" does not follow from the ledger")
		}
	}
	for i := range stored {
		if find(derived, stored[i].Purpose) == nil {
			details = append(details, "there is a state on a purpose that the ledger says nothing of")
		}
	}
	return details
}

func sameState(a, b *store.ConsentState) bool {
	return a.Seq == b.Seq && a.Status == b.Status && a.Explicit == b.Explicit && slices.Equal(a.SeparateFor, b.SeparateFor) && a.By == b.By &&
		a.OccurredAt.Equal(b.OccurredAt) && a.ExpiresAt.Equal(b.ExpiresAt) && a.Notice == b.Notice && a.UpdatedAt.Equal(b.UpdatedAt)
}

// RebuildLedgers is VerifyLedgers that writes anew where a ledger leaves its subject, wherever that does not follow from
// it. A ledger that is itself not what was recorded is left alone: nothing follows from it. Each rebuild is put on record.
func RebuildLedgers(ctx context.Context, db *store.Store, write func(at time.Time, drafts []audit.Draft) (audit.Batch, error), now func() time.Time) (*LedgerReport, error) {
	rebuilt, mended := 0, 0
	report, err := walkLedgers(ctx, db, func(ctx context.Context, seen *store.Ledger) error {
		done := false
		err := db.Write(ctx, func(tx *store.Tx) (err error) {
			done, err = rebuild(ctx, tx, seen.Subject, write, now().UTC().Truncate(time.Microsecond))
			return err
		})
		if err == nil && done {
			rebuilt++
			mended += len(verifyLedger(seen))
		}
		return err
	})
	if report != nil {
		report.Rebuilt = rebuilt
		report.Remaining -= mended
	}
	return report, err
}

// rebuild writes anew what does not follow, of a subject that is locked and read again. It reports whether all follows then.
func rebuild(ctx context.Context, tx *store.Tx, id privacy.SubjectID, write func(time.Time, []audit.Draft) (audit.Batch, error), at time.Time) (bool, error) {
	row, err := tx.LockAnySubject(ctx, id)
	if err != nil {
		return false, err
	}
	l, err := tx.ReadLedger(ctx, row)
	if err != nil {
		return false, err
	}
	states, standing := derive(l)
	w := &store.Writes{}
	for i := range states {
		if !slices.ContainsFunc(l.States, func(s store.ConsentState) bool { return s.Purpose == states[i].Purpose && sameState(&s, &states[i]) }) {
			w.PutConsentState(id, &states[i])
		}
	}
	if !standing.Equal(l.Standing) {
		w.PutStanding(id, standing, at)
	}
	batch, err := write(at, []audit.Draft{{At: at, Action: audit.ActionConsentRebuild, Client: systemClient, Subject: id}})
	if err != nil {
		return false, err
	}
	w.AppendAudit(batch)
	w.AppendChange(privacy.Event{ID: batch.ID, Kind: privacy.EventSubjectsChanged, At: at, Subject: id})
	// A state that the ledger says nothing of cannot be taken away: nothing is deleted here.
	extra := slices.ContainsFunc(l.States, func(s store.ConsentState) bool {
		return !slices.ContainsFunc(states, func(d store.ConsentState) bool { return d.Purpose == s.Purpose })
	})
	return !extra, tx.Send(ctx, w)
}
