package ledger

import (
	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
	"github.com/consentry/consentry/internal/store"
)

// Hash is the link of a record in the chain of its ledger: [proofpack.Record.ChainHash]. A record from before there was a
// chain has no hash. The chain of a ledger begins, with zeros for the hash before, at the first record that has one.
func Hash(id privacy.SubjectID, r *store.ConsentRecord) audit.Hash {
	packed := Pack(r)
	return packed.ChainHash(id)
}

// Pack gives a record in the form in which it is hashed, and shown to others.
func Pack(r *store.ConsentRecord) proofpack.Record {
	packed := proofpack.Record{Seq: r.Seq, ID: r.ID, Purpose: r.Purpose, Action: r.Action, Explicit: r.Explicit, SeparateFor: r.SeparateFor, By: r.By,
		Channel: r.Channel, Method: r.Method, ConfirmBy: r.ConfirmBy, Confirms: r.Confirms, OccurredAt: r.OccurredAt.UTC(), ExpiresAt: r.ExpiresAt, RecordedBy: r.RecordedBy, RecordedAt: r.RecordedAt.UTC(),
		NoticeHash: r.NoticeHash, Locale: r.Locale, Evidence: r.Evidence, Prev: r.Prev, Hash: r.Hash}
	if packed.SeparateFor == nil {
		packed.SeparateFor = []privacy.ConsentScope{}
	}
	if !r.ExpiresAt.IsZero() {
		packed.ExpiresAt = r.ExpiresAt.UTC()
	}
	if r.Notice != (store.NoticeRef{}) {
		packed.Notice = &proofpack.NoticeRef{ID: r.Notice.ID, Version: r.Notice.Version}
	}
	return packed
}

// chain puts a record behind the last one of its ledger.
func (h *Head) chain(r *store.ConsentRecord) {
	r.Seq = h.seq + 1
	r.Prev = make([]byte, len(audit.Hash{}))
	copy(r.Prev, h.hash)
	hash := Hash(h.ID, r)
	r.Hash = hash[:]
	h.seq, h.hash = r.Seq, r.Hash
}

// Object names a record in the audit log, by its hash.
func Object(hash []byte) string { return proofpack.Object(hash) }

// Action is that under which a record is in the audit log.
func Action(action privacy.ConsentAction) audit.Action {
	switch action {
	case privacy.ActionGrant:
		return audit.ActionConsentGrant
	case privacy.ActionDeny:
		return audit.ActionConsentDeny
	case privacy.ActionObject:
		return audit.ActionConsentObject
	case privacy.ActionLift:
		return audit.ActionConsentLift
	case privacy.ActionRestrict:
		return audit.ActionConsentRestrict
	case privacy.ActionUnrestrict:
		return audit.ActionConsentUnrestrict
	default:
		return audit.ActionConsentWithdraw
	}
}
