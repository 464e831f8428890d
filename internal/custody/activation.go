package custody

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Activating a segment is no aggregate: it discloses the members one by one, for a campaign. Each is a disclosure, decided at the moment of
// sending and on record before it is sent; its entry names the activation, and besides what was asked for the attributes behind the facets: whoever
// is on the list is known to have those. So only they are on it of whom the policy releases every one of them, as fine as the facet
// is, and something of what was asked for.

// Activation is a campaign to the members of a segment.
type Activation = store.Activation

var (
	errCohortTooSmall = privacy.Invalid("cohort_too_small", "the segment has too few people who may be named for this purpose to be activated; widen it")
	errActivationOver = privacy.Conflict("activation_over", "an activation can be gone on with for a week, and while its facets are made of the same attributes; begin another")
)

// activationLasts is for how long an activation can be gone on with. It is to be long enough for an interruption to end, and no longer: who
// comes into the segment later is told of as well.
const activationLasts = 7 * 24 * time.Hour

// Activate begins a campaign. Whether there are enough people is decided on a noisy count, which costs the budget like any other, and then as
// whenever a campaign is sent.
func (s *Service) Activate(ctx context.Context, caller Caller, id SegmentID, purpose privacy.PurposeName, attributes []privacy.AttributeName) (*Campaign, error) {
	asked, err := s.askedAttributes(attributes)
	if err != nil {
		return nil, err
	}
	row, _, canonical, err := s.storedSegment(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	told, err := s.countSegment(ctx, caller, id, row.Version, purpose, store.ReleaseActivation, asked.names)
	if err != nil {
		return nil, err
	}
	if told.Cells[0].Count == nil {
		return nil, errCohortTooSmall
	}
	name, err := s.newID()
	if err != nil {
		return nil, err
	}
	at := s.instant()
	activation := &Activation{ID: name, Segment: id, Version: row.Version, Client: caller.Client, Purpose: purpose, Attributes: asked.names, Behind: s.attributesOf(canonical.Uses()), At: at}
	campaign, err := s.campaign(ctx, caller, activation, privacy.SubjectID{})
	if err != nil {
		return nil, err
	}
	batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionSegmentActivate, Client: caller.Client, RequestID: caller.Request, Purpose: purpose, Attributes: asked.names, Object: activationObject(name)}})
	if err != nil {
		return nil, err
	}
	return campaign, s.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutActivation(ctx, *activation); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
}

func activationObject(id [16]byte) string { return "activation/" + formatID(id) }

// ResumeActivation goes on with a campaign after the last subject that came through, or from the beginning after a zero id.
func (s *Service) ResumeActivation(ctx context.Context, caller Caller, id [16]byte, after privacy.SubjectID) (*Campaign, error) {
	activation, err := s.Activation(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	return s.campaign(ctx, caller, activation, after)
}

// Activation gives a campaign that the caller's application began. To others there is none.
func (s *Service) Activation(ctx context.Context, caller Caller, id [16]byte) (*Activation, error) {
	activation, err := s.store.Activation(ctx, id)
	if err == nil && activation.Client != caller.Client {
		err = privacy.NotFound("activation_not_found", "there is no such activation")
	}
	return &activation, err
}

// WithdrawnSince lists, in order from after one on, those to whom a campaign was sent and who may not be told of for its purpose any more: who
// is to be taken off what was sent, or has yet to be. That somebody was sent is on record before it is, so those are among them whose lines were lost
// on the way: better one too many than one too few. more tells whether there may be others behind last. Nothing is opened, and neither the
// segment nor its facets need be there any more.
func (s *Service) WithdrawnSince(ctx context.Context, caller Caller, a *Activation, after privacy.SubjectID, limit int) (gone []privacy.SubjectID, last privacy.SubjectID, more bool, err error) {
	sent, err := s.store.ReleasedUnder(ctx, activationObject(a.ID), a.Behind, a.Attributes, after, limit)
	if err != nil || len(sent) == 0 {
		return nil, after, false, err
	}
	gone, err = s.withdrawn(ctx, caller, a, sent)
	return gone, sent[len(sent)-1], len(sent) == limit, err
}

// withdrawn tells who of those to whom a campaign was sent may not be told of any more. Of whom that cannot be read may not.
func (s *Service) withdrawn(ctx context.Context, caller Caller, a *Activation, sent []privacy.SubjectID) (gone []privacy.SubjectID, err error) {
	asked, err := s.askedAttributes(toldBy(a))
	if privacy.KindOf(err) == privacy.KindInvalid { // the catalogue has one of them no more, so nothing permits it
		return sent, nil
	}
	if err != nil {
		return nil, err
	}
	now := s.instant()
	revision, snapshots, err := s.store.ReadForDisclosure(ctx, a.Purpose, nil, sent, now)
	if err != nil {
		return nil, err
	}
	if err := s.LoadRevision(ctx, revision); err != nil {
		return nil, err
	}
	release := &release{service: s, caller: caller, request: Request{Purpose: a.Purpose}, asked: asked, now: now}
	part := releasePart{release: release, revision: revision, ids: sent}
	if err := part.decideAll(ctx, snapshots); isDamage(err) {
		return oneByOne(sent, func(one []privacy.SubjectID) ([]privacy.SubjectID, error) { return s.withdrawn(ctx, caller, a, one) }, sent)
	} else if err != nil {
		return nil, err
	}
	for i := range part.cases {
		if !s.nameable(&part.cases[i].outcome, a.Behind, a.Attributes) {
			gone = append(gone, sent[i])
		}
	}
	return gone, nil
}
