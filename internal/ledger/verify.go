package ledger

import (
	"bytes"
	"context"
	"slices"
	"strconv"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Verify checks every ledger: its chain, against the audit log, and that where it is said to leave the
// subject follows from it. That the audit log itself is whole is for `audit verify` to say.
func Verify(ctx context.Context, db *store.Store) (*Report, error) {
	return walk(ctx, db, func(context.Context, *store.Ledger) error { return nil })
}

// walk verifies range by range, so that memory is bounded, and gives those whose state does not follow to mend.
func walk(ctx context.Context, db *store.Store, mend func(context.Context, *store.Ledger) error) (*Report, error) {
	report := &Report{Findings: []Finding{}}
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
			findings := verify(l)
			report.add(findings)
			if len(findings) > 0 && !slices.ContainsFunc(findings, func(f Finding) bool { return !f.Kind.Derived() }) {
				if err := mend(ctx, l); err != nil {
					return nil, err
				}
			}
		}
	}
	return report, nil
}

// verify gives what is wrong with one ledger.
func verify(l *store.Ledger) []Finding {
	var findings []Finding
	find := func(kind Fault, seq int32, detail string) {
		findings = append(findings, Finding{Kind: kind, Subject: l.Subject, Seq: seq, Detail: detail})
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

type finder func(kind Fault, seq int32, detail string)

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
		if hash := Hash(l.Subject, r); !bytes.Equal(hash[:], r.Hash) {
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
		object := Object(r.Hash)
		if a, ok := audited[object]; !ok || a.Purpose != r.Purpose || a.Action != string(Action(r.Action)) {
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
	folded := Head{ID: l.Subject}
	for i := range l.Records {
		folded.apply(&l.Records[i])
	}
	slices.SortFunc(folded.States, func(a, b store.ConsentState) int { return bytes.Compare([]byte(a.Purpose), []byte(b.Purpose)) })
	return folded.States, foldSignals(folded.Standing, l.Signals)
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
