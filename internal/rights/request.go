package rights

import (
	"cmp"
	"context"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Request is a request as it stands, with what stands in its way and who has to be told.
type Request struct {
	store.RightsRequest
	Holds      []store.LegalHold // that stop it
	Recipients []store.Recipient
	Step       store.ErasureStep // how far the erasure of everything has come; "" before it has begun, and in lists
	Certified  bool
}

// RequestSubject tells whose request it is, for whoever is to decide who may see it; zero when there is none.
func (s *Service) RequestSubject(ctx context.Context, id privacy.RightsRequestID) (privacy.SubjectID, error) {
	r, err := s.store.RightsRequest(ctx, id)
	if privacy.CodeOf(err) == "request_not_found" {
		err = nil
	}
	return r.Subject, err
}

// Request reads a request. One that has joined another shows how far that one is, under its own name.
func (s *Service) Request(ctx context.Context, id privacy.RightsRequestID) (Request, error) {
	r, err := s.store.RightsRequest(ctx, id)
	if err != nil {
		return Request{}, err
	}
	at := carriedOutAs(&r)
	if at != r.ID {
		joined, err := s.store.RightsRequest(ctx, at)
		if err != nil {
			return Request{}, err
		}
		r.State, r.DueAt, r.LegalDueOn, r.ClosedAt, r.Ground = joined.State, joined.DueAt, joined.LegalDueOn, joined.ClosedAt, joined.Ground
	}
	request := Request{RightsRequest: r}
	if r.State == privacy.RequestVerifying {
		return request, nil
	}
	if request.Recipients, err = s.told(ctx, r.Subject, at); err != nil || r.Type != privacy.RequestErasure {
		return request, err
	}
	holds, err := s.store.Holds(ctx, r.Subject)
	if err != nil {
		return Request{}, err
	}
	for _, hold := range holds {
		if hold.ReleasedAt.IsZero() && !r.State.Closed() {
			request.Holds = append(request.Holds, hold)
		}
	}
	certificate, err := s.store.Certificate(ctx, r.Subject, at)
	if err != nil {
		return Request{}, err
	}
	request.Certified = certificate != ""
	erasures, err := s.store.Erasures(ctx, []privacy.SubjectID{r.Subject})
	for i := range erasures {
		if erasures[i].Request == at {
			request.Step = erasures[i].Step
		}
	}
	return request, err
}

// carriedOutAs gives the request as which one is carried out: itself, unless it has joined another.
func carriedOutAs(r *store.RightsRequest) privacy.RightsRequestID {
	if r.JoinedTo.IsZero() {
		return r.ID
	}
	return r.JoinedTo
}

// Filter selects requests.
type Filter = store.RightsFilter

// Recipient is a processor that was told of what a request led to.
type Recipient = store.Recipient

// Hold is a legal hold.
type Hold = store.LegalHold

// Requests lists requests, newest first, without what stands in their way.
func (s *Service) Requests(ctx context.Context, filter Filter) ([]Request, error) {
	found, err := s.store.RightsRequests(ctx, filter)
	list := make([]Request, len(found))
	for i := range found {
		list[i] = Request{RightsRequest: found[i], Certified: erasesAll(&found[i]) && found[i].State == privacy.RequestCompleted}
	}
	if err != nil {
		return nil, err
	}
	return list, s.seeParts(ctx, list)
}

// seeParts notes which of the erasures of a part have a certificate: those from before there were any have none.
func (s *Service) seeParts(ctx context.Context, list []Request) error {
	var parts []store.RightsRequestRef
	for i := range list {
		if r := &list[i]; erasesPart(&r.RightsRequest) && r.State == privacy.RequestCompleted {
			parts = append(parts, store.RightsRequestRef{Subject: r.Subject, ID: carriedOutAs(&r.RightsRequest)})
		}
	}
	certified, err := s.store.PartsCertified(ctx, parts)
	for i := range list {
		list[i].Certified = list[i].Certified || certified[carriedOutAs(&list[i].RightsRequest)]
	}
	return err
}

// change locks a request with its subject, lets work change it, and writes it with an audit entry.
func (s *Service) change(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, action audit.Action, work func(tx *store.Tx, r *store.RightsRequest, at time.Time) error) (Request, error) {
	return s.changeAnd(ctx, caller, id, []audit.Action{action}, work)
}

// changeAnd is change with an entry for each of several actions.
func (s *Service) changeAnd(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, actions []audit.Action, work func(tx *store.Tx, r *store.RightsRequest, at time.Time) error) (Request, error) {
	found, err := s.store.RightsRequest(ctx, id)
	if err != nil {
		return Request{}, err
	}
	err = s.vault.WriteOnce(ctx, custody.Once{}, nil, func(tx *store.Tx) error {
		if _, err := tx.LockAnySubject(ctx, found.Subject); err != nil && privacy.KindOf(err) != privacy.KindNotFound {
			return err
		}
		r, err := tx.RightsRequest(ctx, found.Subject, id)
		if err != nil {
			return err
		}
		if r.State.Closed() {
			return errClosed
		}
		at := s.vault.Instant()
		if err := work(tx, &r, at); err != nil {
			return err
		}
		r.UpdatedAt = at
		if err := tx.UpdateRightsRequest(ctx, &r); err != nil {
			return err
		}
		batch, err := s.entries(caller, &r, at, actions...)
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	if err != nil {
		return Request{}, err
	}
	return s.Request(ctx, id)
}

var errClosed = privacy.Conflict("request_closed", "the request is closed; nothing of it can be changed")

// ExtensionReasons are those for which the laws that allow more time allow it (GDPR Art. 12(3), 11 CCR 7021(b)).
func ExtensionReasons() []string { return []string{"complexity", "number_of_requests"} }

// Extend uses the time that the law allows besides. The person has to be told within the first term, so that is when it can be done.
func (s *Service) Extend(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, reason string) (Request, error) {
	found, err := s.store.RightsRequest(ctx, id)
	if err != nil {
		return Request{}, err
	}
	law, err := s.lawAgain(ctx, &found)
	if err != nil {
		return Request{}, err
	}
	began, err := s.began(ctx, &found, &law)
	if err != nil {
		return Request{}, err
	}
	return s.change(ctx, caller, id, audit.ActionRequestExtend, func(_ *store.Tx, r *store.RightsRequest, at time.Time) error {
		d, tellBy, ok := extended(law, began, s.calendars)
		switch {
		case !ok:
			return privacy.Conflict("no_extension", "the law that holds for the request allows no more time")
		case !r.ExtendedAt.IsZero():
			return privacy.Conflict("extended_already", "the request was extended before; there is no second time")
		case at.After(tellBy):
			return privacy.Conflict("too_late_to_extend", "the person had to be told earlier; the term cannot be extended any more")
		}
		r.Extension, r.ExtendedAt, r.DueAt, r.LegalDueOn = reason, at, d.DueAt, d.LegalDueOn
		return nil
	})
}

// lawAgain gives the law that a request's dates follow, as it is now. Who has moved since has not taken the request along.
func (s *Service) lawAgain(ctx context.Context, r *store.RightsRequest) (custody.Law, error) {
	law, err := s.vault.LawOf(ctx, r.Subject, r.Type)
	if err != nil && privacy.KindOf(err) == privacy.KindNotFound {
		law, err = s.vault.StrictestLaw(ctx, r.Type)
	}
	if err == nil && law.Regime != r.Regime {
		law, err = s.vault.LawNamed(ctx, r.Regime, r.Type)
	}
	return law, err
}

// began tells when the time of a request began: with its receipt, or with the first proof, which the audit log tells of.
func (s *Service) began(ctx context.Context, r *store.RightsRequest, law *custody.Law) (time.Time, error) {
	began := r.ReceivedAt
	if law.Terms.Starts == "receipt" || r.Identified != privacy.IdentifiedByCode && r.Identified != privacy.IdentifiedByAgent {
		return began, nil
	}
	entries, _, err := s.vault.Entries(ctx, store.AuditFilter{Object: custody.RequestObject(r.ID), Action: audit.ActionRequestIdentify, Limit: 10})
	for i := range entries {
		if i == 0 || entries[i].At.Before(began) {
			began = entries[i].At
		}
	}
	return began, err
}

// Reject refuses a request on a ground of the law that holds for it. One that has been carried out, if only in part, cannot be refused any more.
func (s *Service) Reject(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, ground string) (Request, error) {
	return s.change(ctx, caller, id, audit.ActionRequestReject, func(tx *store.Tx, r *store.RightsRequest, at time.Time) error {
		if !groundAllowed(r.Regime, r.Type, ground) {
			return privacy.Invalid("ground_not_in_law", "the law that holds for the request knows no such ground of refusal for it; GET /v1/requests/grounds lists them")
		}
		if r.State == privacy.RequestAwaiting || r.Effected >= 0 {
			return errBegun
		}
		if r.Type == privacy.RequestErasure {
			if begun, err := tx.ErasureBegun(ctx, r.Subject); err != nil || begun {
				return cmp.Or(err, error(errBegun))
			}
		}
		verifying := r.State == privacy.RequestVerifying
		r.State, r.Ground, r.ClosedAt = privacy.RequestRejected, ground, at
		if verifying {
			return forget(ctx, tx, r)
		}
		return nil
	})
}

var errBegun = privacy.Conflict("request_begun", "what was asked for has been done, or has begun and cannot be stopped")

// Complete closes a request that an officer has answered: of a rectification it writes the values that were asked for. What the vault
// carries out itself it also closes itself: approving an erasure must not be able to stand in for it.
func (s *Service) Complete(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID) (Request, error) {
	r, err := s.store.RightsRequest(ctx, id)
	if err != nil {
		return Request{}, err
	}
	switch {
	case r.State.Closed():
		return Request{}, errClosed
	case r.State != privacy.RequestInProgress:
		return Request{}, errMovedOn
	case r.Type != privacy.RequestRectification:
		return Request{}, privacy.Conflict("carried_out_by_vault", "the vault carries the request out and closes it once that is done")
	}
	c, err := s.correctionOf(ctx, &r)
	if err != nil {
		return Request{}, err
	}
	if c.empty() { // it was put right by other means
		return s.change(ctx, caller, id, audit.ActionRequestComplete, completed(&r))
	}
	if err := s.putRight(ctx, caller, &r, &c); err != nil {
		return Request{}, err
	}
	return s.Request(ctx, id)
}
