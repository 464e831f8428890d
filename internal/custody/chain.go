package custody

import (
	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
	"github.com/consentry/consentry/internal/store"
)

// RecordHash is the link of a record in the chain of its ledger: [proofpack.Record.ChainHash]. A record from before there was a
// chain has no hash. The chain of a ledger begins, with zeros for the hash before, at the first record that has one.
func RecordHash(id privacy.SubjectID, r *store.ConsentRecord) audit.Hash {
	packed := packRecord(r)
	return packed.ChainHash(id)
}

// packRecord gives a record in the form in which it is hashed, and shown to others.
func packRecord(r *store.ConsentRecord) proofpack.Record {
	packed := proofpack.Record{Seq: r.Seq, ID: r.ID, Purpose: r.Purpose, Action: r.Action, Explicit: r.Explicit, SeparateFor: r.SeparateFor, By: r.By,
		Channel: r.Channel, Method: r.Method, ConfirmBy: r.ConfirmBy, Confirms: r.Confirms, OccurredAt: r.OccurredAt.UTC(), ExpiresAt: r.ExpiresAt, RecordedBy: r.RecordedBy, RecordedAt: r.RecordedAt.UTC(),
		NoticeHash: r.NoticeHash, Locale: r.Locale, Evidence: r.Evidence, Prev: r.Prev, Hash: r.Hash}
	if packed.SeparateFor == nil {
		packed.SeparateFor = []privacy.ConsentScope{}
	}
	if !r.ExpiresAt.IsZero() {
		packed.ExpiresAt = r.ExpiresAt.UTC()
	}
	if r.Notice != (NoticeRef{}) {
		packed.Notice = &proofpack.NoticeRef{ID: r.Notice.ID, Version: r.Notice.Version}
	}
	return packed
}

// chain puts a record behind the last one of its ledger.
func (l *ledger) chain(r *store.ConsentRecord) {
	r.Seq = l.seq + 1
	r.Prev = make([]byte, len(audit.Hash{}))
	copy(r.Prev, l.hash)
	hash := RecordHash(l.id, r)
	r.Hash = hash[:]
	l.seq, l.hash = r.Seq, r.Hash
}

// recordObject names a record in the audit log, by its hash.
func recordObject(hash []byte) string { return proofpack.Object(hash) }
