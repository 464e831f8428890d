package rights

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/hex"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

const (
	codeWithin   = 10 * time.Minute
	codeAttempts = 5 // with a wrong code; then it is dead
	codesADay    = 5 // to one person by agents, and as many by the form: a stranger who fills it in leaves theirs alone
)

// Proof shows that the subject asks: the code they were sent, or what an agent has seen.
type Proof struct {
	Code privacy.Cleartext
	// Seen is what an agent or officer has seen instead, one of [ProofsSeen].
	Seen string
}

// ProofsSeen lists what an agent can have seen.
func ProofsSeen() []string {
	return []string{"in_person", "identity_document", "call_back", "power_of_attorney"}
}

var (
	errProof     = privacy.Invalid("code_invalid", "the code is wrong, has expired or was used before; ask for a new one")
	errNoProof   = privacy.Invalid("proof_missing", "give the code that was sent, or what was seen instead")
	errSameAgent = privacy.Forbidden("second_look_needed", "whoever brought the request, or has vouched for the person before, cannot vouch for them; have somebody else look")
	errNoVouch   = privacy.Forbidden("may_not_vouch", "only agents and officers can vouch for a person; give the code that was sent")
)

// freshCode is a code for a request, and the message that brings it to a verified address, if there is one.
type freshCode struct {
	subject privacy.SubjectID
	request privacy.RightsRequestID
	code    store.RightsCode
	message store.Writes
	dud     [32]byte // a hash that no code has, for those that nobody is sent: what cannot be known must not be guessed either
	unsent  error    // why there is no message: the keyring is away. An agent can vouch meanwhile
}

// drawCode draws a code. It is called before a transaction, because it reads: transactions that wait for a second connection while
// they hold one can use all of them up.
func (s *Service) drawCode(ctx context.Context, subject privacy.SubjectID, request privacy.RightsRequestID, byForm bool) (*freshCode, error) {
	code, err := s.vault.NewCode()
	if err != nil {
		return nil, err
	}
	never, err := s.vault.NewID()
	if err != nil {
		return nil, err
	}
	at := s.vault.Instant()
	fresh := &freshCode{subject: subject, request: request, code: store.RightsCode{CreatedAt: at, ExpiresAt: at.Add(codeWithin)}}
	fresh.code.Hash = s.vault.CodeHash(request, privacy.NewCleartext(hex.EncodeToString(never[:])))
	fresh.dud = fresh.code.Hash
	before, err := s.store.RightsCodesSince(ctx, subject, byForm, at.Add(-24*time.Hour))
	if err != nil || before >= codesADay {
		return fresh, err
	}
	sent, err := s.vault.QueueCode(ctx, &fresh.message, subject, request, code, at, fresh.code.ExpiresAt)
	if sent {
		fresh.code.Hash = s.vault.CodeHash(request, code)
	}
	if privacy.KindOf(err) == privacy.KindUnavailable && err != nil && ctx.Err() == nil {
		fresh.unsent, err = err, nil
	}
	return fresh, err
}

// give gives the code to its request. Where there is nobody to send it to, what is kept looks the same.
func (c *freshCode) give(w *store.Writes, known bool) {
	if known {
		w.Add(&c.message)
	} else {
		c.code.Hash = c.dud
	}
	w.PutRightsCode(c.subject, c.request, &c.code)
}

// Verify takes a proof. A code that is wrong, expired, used or tried too often is told apart from none of the others, nor is
// a request that there is not.
func (s *Service) Verify(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, proof Proof) (Request, error) {
	r, err := s.store.RightsRequest(ctx, id)
	if err != nil {
		return Request{}, cmp.Or(notFoundAs(err, errProof), err)
	}
	by, err := s.judge(ctx, caller, &r, proof)
	if err != nil {
		return Request{}, err
	}
	if err := s.identified(ctx, caller, &r, by, proof.Code); err != nil {
		return Request{}, err
	}
	s.carryAtOnce(ctx, r.Type, Ref{r.Subject, r.ID}, r.State)
	return s.Request(ctx, r.ID)
}

func notFoundAs(err, other error) error {
	if privacy.KindOf(err) == privacy.KindNotFound {
		return other
	}
	return nil
}

// judge says what a proof is worth.
func (s *Service) judge(ctx context.Context, caller custody.Caller, r *store.RightsRequest, proof Proof) (privacy.Identification, error) {
	if proof.Seen == "" {
		if proof.Code.IsEmpty() {
			return "", errNoProof
		}
		return privacy.IdentifiedByCode, s.tryCode(ctx, caller, r, proof.Code)
	}
	switch {
	case !caller.Has(privacy.RoleAgent) && !caller.Has(privacy.RoleOfficer):
		return "", errNoVouch
	case !slices.Contains(ProofsSeen(), proof.Seen):
		return "", privacy.Invalid("unknown_proof", "what was seen is not one of the proofs that count")
	}
	before, err := s.vouchers(ctx, r)
	if err == nil && slices.Contains(append(before, r.Actor), s.vault.Actor(caller)) {
		err = errSameAgent
	}
	return privacy.IdentifiedByAgent, err
}

// vouchers gives who has vouched for the person of a request.
func (s *Service) vouchers(ctx context.Context, r *store.RightsRequest) (actors []privacy.ActorID, err error) {
	if r.Identified != privacy.IdentifiedByAgent {
		return nil, nil
	}
	entries, _, err := s.vault.Entries(ctx, store.AuditFilter{Object: custody.RequestObject(r.ID), Action: audit.ActionRequestIdentify, Limit: 10})
	for i := range entries {
		actors = append(actors, entries[i].Actor)
	}
	return actors, err
}

// enough reports whether a proof shows that the subject asks, after the one that there was before, if any. Two are wanted where the policy says
// so; and of what came by the form an agent has to be the second, because whoever vouches may have filled it in.
func enough(r *store.RightsRequest, by privacy.Identification, handling *policy.Handling) bool {
	alone := by == privacy.IdentifiedByCode || r.Lodged != privacy.LodgedByForm
	return r.Identified != privacy.NotIdentified || alone && !handling.NeedsSecondLook(r.Type)
}

// tryCode counts a wrong code. A right one is used up in the transaction that takes the request up, so that whoever cannot be answered now
// can try it again.
func (s *Service) tryCode(ctx context.Context, caller custody.Caller, r *store.RightsRequest, code privacy.Cleartext) error {
	var answer error
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		at := s.vault.Instant()
		kept, live, err := liveCode(ctx, tx, r, at)
		if err != nil {
			return err
		}
		answer = errProof
		if !live {
			return nil
		}
		if s.isCode(r, &kept, code) {
			answer = nil
			return nil
		}
		kept.Attempts++
		batch, err := s.entries(caller, r, at, audit.ActionRequestRefuseProof)
		if err != nil {
			return err
		}
		if err := tx.AppendAudit(ctx, batch); err != nil {
			return err
		}
		return tx.UpdateRightsCode(ctx, r.Subject, r.ID, &kept)
	})
	return cmp.Or(err, answer)
}

// useCode lets a right code pass once.
func (s *Service) useCode(ctx context.Context, tx *store.Tx, r *store.RightsRequest, code privacy.Cleartext, at time.Time) error {
	kept, live, err := liveCode(ctx, tx, r, at)
	if err != nil {
		return err
	}
	if !live || !s.isCode(r, &kept, code) {
		return errProof
	}
	kept.UsedAt = at
	return tx.UpdateRightsCode(ctx, r.Subject, r.ID, &kept)
}

// liveCode locks the code of a request, and reports whether it can be tried still.
func liveCode(ctx context.Context, tx *store.Tx, r *store.RightsRequest, at time.Time) (kept store.RightsCode, live bool, err error) {
	kept, ok, err := tx.RightsCode(ctx, r.Subject, r.ID)
	return kept, ok && kept.Attempts < codeAttempts && kept.UsedAt.IsZero() && at.Before(kept.ExpiresAt), err
}

func (s *Service) isCode(r *store.RightsRequest, kept *store.RightsCode, code privacy.Cleartext) bool {
	hash := s.vault.CodeHash(r.ID, code)
	return subtle.ConstantTimeCompare(hash[:], kept.Hash[:]) == 1
}

// identified takes a request up once it is certain that the subject asks. It gets the dates of their own law, counted from its receipt or
// from the first proof as that law says, and joins the open request of its kind, which then says what it has said. Where one proof is not enough, it
// waits for another.
func (s *Service) identified(ctx context.Context, caller custody.Caller, r *store.RightsRequest, by privacy.Identification, code privacy.Cleartext) error {
	law, err := s.vault.LawOf(ctx, r.Subject, r.Type)
	if err != nil {
		return cmp.Or(notFoundAs(err, errProof), err)
	}
	handling, err := s.vault.Handling(ctx)
	if err != nil {
		return err
	}
	before := r.Identified
	return s.vault.WriteOnce(ctx, custody.Once{}, nil, func(tx *store.Tx) error {
		subject, err := tx.LockSubject(ctx, r.Subject)
		if err != nil {
			return cmp.Or(notFoundAs(err, errProof), err)
		}
		current, err := tx.RightsRequest(ctx, r.Subject, r.ID)
		if err != nil {
			return err
		}
		if current.State != privacy.RequestVerifying || current.Identified != before { // somebody else has just given the same proof
			return errMovedOn
		}
		*r = current
		at := s.vault.Instant()
		if by == privacy.IdentifiedByCode {
			if err := s.useCode(ctx, tx, r, code, at); err != nil {
				return err
			}
		}
		second := !enough(r, by, &handling)
		if r.Identified == privacy.NotIdentified { // whoever gives the second proof has no say in the dates
			s.date(r, law, at)
		}
		r.Identified, r.State, r.UpdatedAt = by, privacy.RequestInProgress, at
		open, found, err := openLike(ctx, tx, r)
		if err != nil {
			return err
		}
		actions := []audit.Action{audit.ActionRequestIdentify}
		if second {
			r.State, found = privacy.RequestVerifying, false
		}
		if found {
			r.JoinedTo, r.State, r.ClosedAt = open.ID, privacy.RequestCompleted, at
			actions = append(actions, audit.ActionRequestJoin)
			if err := s.vault.HandDetails(ctx, tx, &subject, r.ID, open.ID, at); err != nil {
				return err
			}
		}
		if err := tx.UpdateRightsRequest(ctx, r); err != nil {
			return err
		}
		batch, err := s.entries(caller, r, at, actions...)
		if err != nil {
			return err
		}
		if err := tx.AppendAudit(ctx, batch); err != nil || second {
			return err
		}
		if found {
			w := &store.Writes{}
			w.JoinRightsRequest(&open)
			return tx.Send(ctx, w)
		}
		return s.begin(ctx, tx, caller, subject, r, at)
	})
}

// date gives an identified request the dates of its subject's own law.
func (s *Service) date(r *store.RightsRequest, law custody.Law, at time.Time) {
	began := r.ReceivedAt
	if law.Terms.Starts != "receipt" {
		began = at
	}
	d := datesUnder(law, began, s.calendars)
	r.AcknowledgeBy, r.DueAt, r.LegalDueOn = d.AcknowledgeBy, d.DueAt, d.LegalDueOn
	r.Regime, r.Revision = law.Regime, law.Revision
}

var errMovedOn = privacy.Conflict("request_moved_on", "the request is in another state by now; read it again")
