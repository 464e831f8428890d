package custody

import (
	"bytes"
	"context"
	"slices"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
	"github.com/consentry/consentry/internal/store"
)

// Activating a segment is no aggregate: it discloses the members one by one, for a campaign. Each is a disclosure like any other, decided at the
// moment of sending and on record before it is sent; its entry names the activation.

// Activation is a campaign to the members of a segment.
type Activation = store.Activation

var errCohortTooSmall = privacy.Invalid("cohort_too_small", "the segment has too few people for this purpose to be activated; widen it")

// Activate begins a campaign. Whether there are enough people is decided on a noisy count, which costs the budget like any other.
func (s *Service) Activate(ctx context.Context, caller Caller, id SegmentID, purpose privacy.PurposeName, attributes []privacy.AttributeName) (*Activation, error) {
	asked, err := s.askedAttributes(attributes)
	if err != nil {
		return nil, err
	}
	row, _, _, err := s.storedSegment(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	told, err := s.countSegment(ctx, caller, id, row.Version, purpose, store.ReleaseActivation)
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
	activation := &Activation{ID: name, Segment: id, Version: row.Version, Client: caller.Client, Purpose: purpose, Attributes: asked.names, At: at}
	batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionSegmentActivate, Client: caller.Client, RequestID: caller.Request, Purpose: purpose, Attributes: asked.names, Object: activationObject(name)}})
	if err != nil {
		return nil, err
	}
	return activation, s.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutActivation(ctx, *activation); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
}

func activationObject(id [16]byte) string { return "activation/" + formatID(id) }

// Activation gives a campaign that the caller's application began. To others there is none.
func (s *Service) Activation(ctx context.Context, caller Caller, id [16]byte) (*Activation, error) {
	activation, err := s.store.Activation(ctx, id)
	if err == nil && activation.Client != caller.Client {
		err = privacy.NotFound("activation_not_found", "there is no such activation")
	}
	return &activation, err
}

// activationStep is how many members are decided on at a time.
const activationStep = 250

// SendActivation discloses the members of a campaign in the order of their ids, from after one on, to send: those of whom something may be
// released. It can be begun again after the last one that came through.
func (s *Service) SendActivation(ctx context.Context, caller Caller, a *Activation, after privacy.SubjectID, send func([]Disclosure) error) error {
	members, err := s.members(ctx, caller, a)
	if err != nil {
		return err
	}
	slices.SortFunc(members, compareSubjects)
	start, found := slices.BinarySearchFunc(members, after, compareSubjects)
	if found {
		start++
	}
	for ids := range slices.Chunk(members[start:], activationStep) {
		refs := make([]SubjectRef, len(ids))
		for i, id := range ids {
			refs[i].ID = id
		}
		disclosed, err := s.Disclose(ctx, caller, Request{Purpose: a.Purpose, Attributes: a.Attributes, Subjects: refs, Object: activationObject(a.ID)})
		if err != nil {
			return err
		}
		permitted := slices.DeleteFunc(disclosed.Disclosures, func(d Disclosure) bool { return len(d.Attributes) == 0 })
		if err := send(permitted); err != nil {
			return err
		}
	}
	return nil
}

func compareSubjects(a, b privacy.SubjectID) int { return bytes.Compare(a[:], b[:]) }

// members lists who is in the segment of a campaign now.
func (s *Service) members(ctx context.Context, caller Caller, a *Activation) ([]privacy.SubjectID, error) {
	_, _, canonical, err := s.storedSegment(ctx, a.Segment, a.Version)
	if err != nil {
		return nil, err
	}
	view, err := s.segments.current(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.mayCount(view.revision, caller, a.Purpose); err != nil {
		return nil, err
	}
	attributes, err := s.facetAttributes(view.revision, a.Purpose, canonical.Uses())
	if err != nil {
		return nil, err
	}
	return ask(ctx, newGroupAsker(s, caller, view, a.Purpose, attributes, true), func(x *segment.Index, permission segment.Permission) ([]privacy.SubjectID, bool) {
		return x.Members(permission, canonical)
	})
}

// WithdrawnSince lists, in order from after one on, those to whom a campaign was sent and of whom nothing may be released for its purpose any more: who
// is to be taken off what was sent, or has yet to be. more tells whether there may be others behind last. Nothing is opened.
func (s *Service) WithdrawnSince(ctx context.Context, caller Caller, a *Activation, after privacy.SubjectID, limit int) (gone []privacy.SubjectID, last privacy.SubjectID, more bool, err error) {
	sent, err := s.store.DisclosedUnder(ctx, activationObject(a.ID), after, limit)
	if err != nil || len(sent) == 0 {
		return nil, after, false, err
	}
	asked, err := s.askedAttributes(a.Attributes)
	if err != nil {
		return nil, after, false, err
	}
	now := s.instant()
	revision, snapshots, err := s.store.ReadForDisclosure(ctx, a.Purpose, nil, sent, now)
	if err != nil {
		return nil, after, false, err
	}
	if err := s.LoadRevision(ctx, revision); err != nil {
		return nil, after, false, err
	}
	release := &release{service: s, caller: caller, request: Request{Purpose: a.Purpose}, asked: asked, now: now}
	part := releasePart{release: release, revision: revision, ids: sent}
	if err := part.decideAll(ctx, snapshots); err != nil {
		return nil, after, false, err
	}
	for i := range part.cases {
		if len(part.cases[i].outcome.Permitted) == 0 {
			gone = append(gone, sent[i])
		}
	}
	return gone, sent[len(sent)-1], len(sent) == limit, nil
}
