package custody

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Consent is what somebody decided about one purpose, to be put on the ledger.
type Consent struct {
	Purpose     privacy.PurposeName // of an objection and its lifting: an ObjectionScope
	Action      privacy.ConsentAction
	Explicit    bool
	SeparateFor []privacy.ConsentScope
	By          privacy.ConsentBy // "" for self
	Channel     string
	Method      string
	OccurredAt  time.Time         // zero: now
	ExpiresAt   time.Time         // zero: as the purpose says
	Notice      NoticeRef         // what was shown; zero: nothing is known of it
	Locale      string            // in which language; "" when not said
	Evidence    privacy.Cleartext // a JSON text; empty: none
	// Record names the record, so that it is put on the ledger once however often it comes; zero: a fresh one.
	Record  [16]byte
	Confirm string // "email" or "sms": a grant that waits for the subject to confirm it there
}

// Recorded is the record made and where it leaves the subject on the purpose. Objected tells whether
// an objection stands against it; a scope wider than a purpose has no status of consent.
type Recorded struct {
	ID       string                `json:"id"`
	Subject  privacy.SubjectID     `json:"subject"`
	Purpose  privacy.PurposeName   `json:"purpose"`
	Status   privacy.ConsentStatus `json:"status,omitempty"`
	Objected bool                  `json:"objected"`
	AskAgain bool                  `json:"ask_again,omitempty" doc:"What was granted does not count any more, because it has run out or rests on a notice older than the policy accepts."`
	// Unaffected tells of a refusal what it does not reach.
	Unaffected []string `json:"unaffected_bases,omitempty" doc:"Of a denial, withdrawal or objection: the legal bases besides consent on which the purpose rests, for the subject or under some law. It is on record, and does not stop what rests on those."`
	Receipt    string   `json:"receipt,omitempty" doc:"The signed receipt, a compact JWS. Left out when the keyring was away while permission was taken back; GET /v1/receipts/{id} gives it later."`
}

// earliestConsent is before anything that a consent could be recorded of here: a time before it is one that was
// never set, or in another unit.
var earliestConsent = time.Unix(0, 0)

// clockSkew is how far ahead of this machine's clock a recorded consent may be dated.
const clockSkew = time.Minute

// RecordConsent appends to the subject's ledger and folds the record into their state, in one
// transaction: once it returns, every read that starts later sees it.
func (s *Service) RecordConsent(ctx context.Context, caller Caller, ref SubjectRef, consent Consent, once Once) (Recorded, error) {
	return s.recordConsent(ctx, &recording{service: s, caller: caller, ref: ref, consent: consent, once: once})
}

// TakeConsent is RecordConsent for a caller of whom it is yet to be decided whether they may: that is decided by the revision
// that the write itself finds in force.
func (s *Service) TakeConsent(ctx context.Context, caller Caller, ref SubjectRef, consent Consent, once Once) (Recorded, error) {
	return s.recordConsent(ctx, &recording{service: s, caller: caller, ref: ref, consent: consent, once: once, operation: "consents-record"})
}

// consentRecord makes the record of a consent, as of now.
func (s *Service) consentRecord(caller Caller, c *Consent, at time.Time) (*store.ConsentRecord, error) {
	occurred, err := checkConsent(c, at)
	if err != nil {
		return nil, err
	}
	scopes := slices.Clone(c.SeparateFor)
	slices.Sort(scopes)
	id := c.Record
	if id == ([16]byte{}) {
		if id, err = s.newID(); err != nil {
			return nil, err
		}
	}
	return &store.ConsentRecord{ID: id, Purpose: c.Purpose, Action: c.Action, Explicit: c.Explicit, SeparateFor: slices.Compact(scopes), By: cmp.Or(c.By, privacy.BySelf),
		Channel: c.Channel, Method: c.Method, OccurredAt: occurred, ExpiresAt: c.ExpiresAt.UTC().Truncate(time.Microsecond), RecordedBy: caller.Client, RecordedAt: at,
		Notice: c.Notice, Locale: c.Locale}, nil
}

// checkConsent refuses what cannot be, whoever it is about and whatever the policy, and says when it happened.
func checkConsent(c *Consent, at time.Time) (occurred time.Time, err error) {
	if !slices.Contains(privacy.ConsentActions(), c.Action) {
		return at, privacy.Invalid("unknown_action", "the action is grant, deny, withdraw, object or lift")
	}
	if c.Action.AboutRestriction() && privacy.ObjectionScope(c.Purpose) != privacy.ScopeEverything {
		return at, privacy.Invalid("invalid_scope", "a restriction is of everything: its purpose is *")
	}
	if c.Action.AboutObjection() && !privacy.ObjectionScope(c.Purpose).Valid() {
		return at, privacy.Invalid("invalid_scope", "an objection is to a purpose, to a family such as marketing.*, or to * for everything")
	}
	occurred = at
	if !c.OccurredAt.IsZero() {
		occurred = c.OccurredAt.UTC().Truncate(time.Microsecond)
	}
	if occurred.After(at.Add(clockSkew)) {
		return at, privacy.Invalid("consent_in_future", "occurred_at lies in the future")
	}
	if occurred.Before(earliestConsent) {
		return at, privacy.Invalid("consent_too_early", "occurred_at lies before 1970; is it in the right unit?")
	}
	if !c.ExpiresAt.IsZero() && (c.Action != privacy.ActionGrant || !c.ExpiresAt.After(occurred)) {
		return at, privacy.Invalid("invalid_expiry", "expires_at belongs to a grant and lies after occurred_at")
	}
	if c.By != "" && c.By != privacy.BySelf && c.By != privacy.ByGuardian {
		return at, privacy.Invalid("unknown_giver", "a consent is given by self or by a guardian")
	}
	return occurred, checkEvidence(c.Evidence)
}

// lastAsUsual gives a grant that names no end the one that the purpose has.
func (s *Service) lastAsUsual(record *store.ConsentRecord, purpose *policy.Purpose) error {
	if record.Action != privacy.ActionGrant || !record.ExpiresAt.IsZero() || purpose.Lifetime == "" {
		return nil
	}
	lifetime, err := catalogue.ParsePeriod(purpose.Lifetime)
	if err != nil || lifetime.IsZero() {
		return privacy.Unavailable(err, "policy_unavailable", "the policy in force gives the purpose a lifetime that is none; an officer must correct it")
	}
	record.ExpiresAt = lifetime.After(record.OccurredAt)
	return nil
}

// scopeKnown reports whether a revision knows what the consent is about: its purpose or, of
// an objection to more than that, some purpose it reaches.
func (s *Service) scopeKnown(revision privacy.RevisionID, consent *Consent) bool {
	scope := privacy.ObjectionScope(consent.Purpose)
	if _, single := scope.Purpose(); single || !consent.Action.AboutStanding() {
		return s.policy.PurposeKnown(revision, consent.Purpose)
	}
	for purpose := range s.policy.Purposes(revision) {
		if scope.Covers(purpose) {
			return true
		}
	}
	return false
}

// Stands is where a subject stands: on each purpose they ever decided about, and as a whole.
type Stands struct {
	Consents []PurposeStands
	Standing privacy.Standing
}

// PurposeStands is where a subject stands on one purpose, as of now.
type PurposeStands struct {
	store.ConsentState
	Objected bool
	AskAgain bool
}

// Stands says where a subject stands, under the policy in force.
func (s *Service) Stands(ctx context.Context, id privacy.SubjectID) (Stands, error) {
	revision, err := s.InForce(ctx)
	if err != nil {
		return Stands{}, err
	}
	standing, states, exists, err := s.store.Stands(ctx, id)
	if err == nil && !exists {
		err = errNoSubject
	}
	if err != nil {
		return Stands{}, err
	}
	now := s.instant()
	stands := Stands{Standing: standing, Consents: make([]PurposeStands, len(states))}
	for i, state := range states {
		purpose, _ := s.policy.Purpose(revision, state.Purpose)
		given := ledger.Given(state, now)
		again := askAgain(&state, given.Status, purpose.MinimumNoticeVersion)
		state.Status = given.Status
		stands.Consents[i] = PurposeStands{ConsentState: state, Objected: standing.Objected(state.Purpose, given), AskAgain: again}
	}
	return stands, nil
}

// Consents lists where a subject stands, expiry worked out as of now.
func (s *Service) Consents(ctx context.Context, id privacy.SubjectID) ([]store.ConsentState, error) {
	if err := s.mustExist(ctx, id); err != nil {
		return nil, err
	}
	states, err := s.store.ConsentStates(ctx, id)
	now := s.instant()
	for i := range states {
		states[i].Status = states[i].Status.StatusAt(now, states[i].ExpiresAt)
	}
	return states, err
}

// ConsentHistory lists the ledger of a subject, newest first.
func (s *Service) ConsentHistory(ctx context.Context, id privacy.SubjectID, before int32, limit int) ([]store.ConsentRecord, error) {
	if err := s.mustExist(ctx, id); err != nil {
		return nil, err
	}
	return s.store.ConsentHistory(ctx, id, before, limit)
}

func (s *Service) mustExist(ctx context.Context, id privacy.SubjectID) error {
	exists, err := s.store.SubjectExists(ctx, id)
	if err == nil && !exists {
		return errNoSubject
	}
	return err
}

func formatID(id [16]byte) string { return privacy.SubjectID(id).String() }
