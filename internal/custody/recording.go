package custody

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// recording is a consent on its way to the ledger. What can be done before the subject is locked is done before, under
// the revision that was in force last time; when the write finds another, all of it is done again.
type recording struct {
	service   *Service
	caller    Caller
	operation policy.Operation // to be authorised; "" when that was done
	ref       SubjectRef
	consent   Consent
	imported  bool // with many others, from elsewhere
	once      Once

	revision privacy.RevisionID
	id       privacy.SubjectID
	prepared *store.ConsentRecord
	purpose  policy.Purpose // zero when the revision does not know it
	known    bool           // what the consent is about
	payload  string         // of the receipt
	receipt  string         // signed; "" when the keyring is away
	pending  *pending       // nil: nothing is to be confirmed
	moved    bool           // another revision is in force by now
	question store.LedgerQuestion

	sealed   []byte // evidence; nil: none
	recorded Recorded
}

func (s *Service) recordConsent(ctx context.Context, r *recording) (Recorded, error) {
	recorded, err := s.putOnLedger(ctx, r)
	if err != nil && r.ref.ID.IsZero() && !r.id.IsZero() && privacy.KindOf(err) != privacy.KindUnavailable {
		// A refusal tells that the identifier is somebody's, and more: there is no record, so the look-up is put on record.
		if err := s.recordLookup(ctx, r.caller, r.id); err != nil {
			return Recorded{}, err
		}
	}
	return recorded, err
}

func (s *Service) putOnLedger(ctx context.Context, r *recording) (Recorded, error) {
	r.revision = s.lastRevision()
	for range decisionRounds {
		if err := r.prepare(ctx); err != nil {
			if privacy.KindOf(err) != privacy.KindForbidden {
				if answered, err := s.Answered(ctx, r.once, &r.recorded); answered || err != nil {
					return r.recorded, err // what can no longer be done was done before
				}
			}
			current, currentErr := s.InForce(ctx)
			if currentErr != nil || current == r.revision {
				return Recorded{}, cmp.Or(currentErr, err)
			}
			r.revision = current // which may see it otherwise
			continue
		}
		err := s.ledgers.write(ctx, r)
		if !r.moved {
			if err == nil && r.pending != nil {
				s.wakeMessenger()
			}
			return r.recorded, err
		}
	}
	return Recorded{}, privacy.Unavailable(nil, "policy_changing", "the policy is being published again and again; try again")
}

// lastRevision is the revision that was in force when consent was last recorded here, "" before that.
func (s *Service) lastRevision() privacy.RevisionID {
	last, _ := s.latest.Load().(privacy.RevisionID)
	return last
}

// prepare does what needs no lock: may the caller, is it a consent that can be, on a notice that was shown; and what its
// receipt says.
func (r *recording) prepare(ctx context.Context) (err error) {
	s := r.service
	r.moved, r.receipt = false, ""
	if r.revision == "" {
		r.revision, err = s.InForce(ctx)
	} else {
		err = s.LoadRevision(ctx, r.revision)
	}
	if err == nil && r.operation != "" {
		err = s.authorise(ctx, r.revision, r.caller.Caller, string(r.operation), r.ref.ID)
	}
	if err != nil {
		return err
	}
	if r.prepared, err = s.consentRecord(r.caller, &r.consent, s.instant()); err != nil {
		return err
	}
	r.known = s.scopeKnown(r.revision, &r.consent)
	if !r.known && r.consent.Action == privacy.ActionGrant {
		return ErrUnknownPurpose
	}
	r.purpose, _ = s.policy.Purpose(r.revision, r.consent.Purpose)
	if err := s.shown(ctx, r.prepared, &r.purpose); err != nil {
		return err
	}
	if err := s.lastAsUsual(r.prepared, &r.purpose); err != nil {
		return err
	}
	channel, err := r.confirmBy()
	if err != nil {
		return err
	}
	r.prepared.ConfirmBy = string(channel)
	if err := r.findSubject(ctx); err != nil {
		return err
	}
	if err := r.ownWord(); err != nil {
		return err
	}
	if r.imported {
		channel = "" // it waits, and nobody is written to
	}
	if r.pending, err = s.preparePending(ctx, r.id, channel); err != nil {
		return err
	}
	r.question = store.LedgerQuestion{Subject: r.id, Purpose: r.consent.Purpose, All: r.consent.Action.AboutStanding(), Record: r.consent.Record, Key: s.idempotencyKey(r.once)}
	if r.pending != nil {
		r.question.AskedSince = s.instant().Add(-24 * time.Hour)
	}
	r.payload, err = s.receiptPayload(r.revision, r.id, r.prepared)
	return err
}

// findSubject looks the subject up, once, when an identifier names them.
func (r *recording) findSubject(ctx context.Context) (err error) {
	if !r.id.IsZero() {
		return nil
	}
	if r.id = r.ref.ID; !r.id.IsZero() {
		return nil
	}
	r.id, err = r.service.Subject(ctx, r.caller, r.ref)
	if err != nil && privacy.KindOf(err) == privacy.KindNotFound && !r.known {
		return ErrUnknownPurpose // what is wrong with a call must not depend on whether somebody is known
	}
	return err
}

var (
	errOwnGuardian = privacy.Invalid("not_own_guardian", "nobody is their own guardian: leave by out, or have it recorded by somebody who has checked who the guardian is")
	errOwnSignal   = privacy.Invalid("not_a_signal", "a consent by signal is read out of the signal: send that instead, or leave the method out")
)

// ownWord holds people who call for themselves to their own word. Whether somebody is a guardian is for a steward or an agent to
// check (GDPR 8(2)), and what a signal said for the vault to read. What takes permission back is recorded all
// the same, as theirs.
func (r *recording) ownWord() error {
	if r.caller.Subject.IsZero() || r.id != r.caller.Subject {
		return nil
	}
	permits := r.prepared.Action == privacy.ActionGrant || r.prepared.Action == privacy.ActionLift
	switch {
	case !permits:
		r.prepared.By = privacy.BySelf
	case r.prepared.By != privacy.BySelf:
		return errOwnGuardian
	case r.prepared.Method == methodTCF:
		return errOwnSignal
	}
	return nil
}

// write decides what goes on the ledger, as of a time; the subject is locked. What nothing is written for leaves no audit
// entry either.
func (r *recording) write(ctx context.Context, head *store.LedgerHead, at time.Time, w *store.Writes) (*audit.Draft, error) {
	s := r.service
	if head.Revision != r.revision {
		// To load it takes another connection: not while this one is held.
		r.revision, r.moved = head.Revision, true
		return nil, errNotYet
	}
	s.latest.Store(r.revision)
	if head.Reused != nil {
		return nil, head.Reused
	}
	if head.Answer != nil {
		return nil, recall(head.Answer, &r.recorded)
	}
	record := *r.prepared // the transaction may run again
	on := ledger.Open(r.id, head)
	if !r.known && !on.Mentions(&record) {
		return nil, ErrUnknownPurpose
	}
	if head.Subject.ID.IsZero() {
		return nil, errNoSubject
	}
	record.RecordedAt = at // after the wait for the lock: the ledger's times follow its order
	if head.Known {
		r.recorded = r.answer(&on, &record, at)
		return nil, nil //nolint:nilnil // documented
	}
	if err := r.given(ctx, head, &record, at); err != nil {
		return nil, err
	}
	on.Append(w, &record)
	if r.sealed != nil {
		w.AppendEvidence(r.id, record.Seq, r.sealed)
	}
	if r.pending != nil && head.Asked >= confirmationsADay {
		return nil, errTooManyMessages
	}
	if err := r.pending.start(s, w, r.id, &record); err != nil {
		return nil, err
	}
	if r.receipt != "" {
		w.PutReceipt(r.id, record.ID, r.receipt)
	}
	r.recorded = r.answer(&on, &record, at)
	r.recorded.Receipt = r.receipt
	draft := recordDraft(r.caller, r.id, &record)
	return &draft, s.remember(w, r.question.Key, &r.recorded, at)
}

// answer says where a record has left the subject, and what it does not reach.
func (r *recording) answer(on *ledger.Head, record *store.ConsentRecord, at time.Time) Recorded {
	recorded := recordedOn(on, record, r.purpose.MinimumNoticeVersion, at)
	recorded.Unaffected = r.service.unaffected(r.revision, record)
	return recorded
}

// refusable are the bases that yield to a refusal on record: consent, and those that let people refuse.
var refusable = []string{"consent", "notice", "legitimate_interest"}

// unaffected gives the bases of what a refusal is about that do not yield to it (GDPR 7(3), 21(1)). An objection stops marketing
// and profiling on any basis (GDPR 21(2)).
func (s *Service) unaffected(revision privacy.RevisionID, record *store.ConsentRecord) (bases []string) {
	if record.Action == privacy.ActionGrant || record.Action == privacy.ActionLift {
		return nil
	}
	for name, purpose := range s.policy.Purposes(revision) {
		objection := record.Action.AboutObjection()
		if objection && (!privacy.ObjectionScope(record.Purpose).Covers(name) || purpose.Marketing || purpose.Profiling) || !objection && name != record.Purpose {
			continue
		}
		for _, basis := range purpose.Basis {
			if !slices.Contains(refusable, basis) && !slices.Contains(bases, basis) {
				bases = append(bases, basis)
			}
		}
	}
	slices.Sort(bases)
	return bases
}

// recordDraft is the audit entry of a record, which it names by its hash.
func recordDraft(caller Caller, id privacy.SubjectID, record *store.ConsentRecord) audit.Draft {
	return audit.Draft{Action: ledger.Action(record.Action), Client: caller.Client, RequestID: caller.Request, Subject: id, Purpose: record.Purpose, Object: ledger.Object(record.Hash)}
}

// given opens what is needed of the subject: to see whether they may give a consent, and to seal its
// evidence. A refusal needs neither, and is recorded while no key can be had.
func (r *recording) given(ctx context.Context, head *store.LedgerHead, record *store.ConsentRecord, at time.Time) (err error) {
	r.sealed = nil
	if !r.needsKey(record) {
		return nil
	}
	s := r.service
	key, err := s.keyAtHand(ctx, r.id, head.Subject.Slot)
	if err != nil {
		return err
	}
	if record.Action == privacy.ActionGrant {
		if err := s.mayGive(ctx, key, head, record, at); err != nil {
			return err
		}
	}
	if !r.consent.Evidence.IsEmpty() {
		r.sealed, record.Evidence, err = s.sealEvidence(key, head.Seq+1, r.consent.Evidence)
	}
	return err
}

func (r *recording) needsKey(record *store.ConsentRecord) bool {
	return record.Action == privacy.ActionGrant || !r.consent.Evidence.IsEmpty()
}

// firstZone is how far ahead of UTC a day begins somewhere: who was born there on a date may consent, or be consented for, on that date. Only the
// year is told of: whoever may record consents must not find a birthday by trying dates.
const firstZone = 14 * time.Hour

// mayGive refuses a consent from before the subject was born, and asks the policy whether their own word is enough for one.
func (s *Service) mayGive(ctx context.Context, key *keyring.Subject, head *store.LedgerHead, record *store.ConsentRecord, at time.Time) error {
	st, err := openState(key, &head.Subject)
	if err != nil {
		return err
	}
	if born := s.facts(st).Born; record.OccurredAt.Year() < born.Add(-firstZone).Year() {
		return privacy.Invalid("consent_before_birth", "occurred_at lies before the year of birth that is held of the subject: one of the two is wrong")
	}
	if record.By != privacy.BySelf {
		return nil
	}
	given := *record
	given.ConfirmBy = "" // the question is what they may give once it is confirmed
	after := ledger.Fold(store.ConsentState{}, false, given)
	refusal, err := s.policy.Refusal(ctx, head.Revision, record.Purpose, s.policyState(head.Revision, record.Purpose, st, head.Subject.Standing, after, at))
	switch {
	case err != nil:
		return err
	case refusal == privacy.ReasonGuardianConsentRequired:
		return privacy.Invalid(string(refusal), "below the age of consent a parent or guardian gives it: record it with by guardian")
	case refusal != "":
		return privacy.Invalid(string(refusal), "the policy in force does not let this consent be recorded")
	}
	return nil
}

// receive takes the signed receipt, or that there is none, which not every record can do without.
func (r *recording) receive(jws string, err error) error {
	if err != nil && !receiptMayWait(r.prepared.Action, err) {
		return err
	}
	r.receipt = jws
	return nil
}
