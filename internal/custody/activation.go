package custody

import (
	"bytes"
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
	"github.com/consentry/consentry/internal/store"
)

// Activating a segment is no aggregate: it discloses the members one by one, for a campaign. Each is a disclosure, decided at the moment of
// sending and on record before it is sent; its entry names the activation, and besides what was asked for the attributes behind the facets: whoever
// is on the list is known to have those. So only they are on it of whom the policy releases every one of them, as fine as the facet
// is, and something of what was asked for.

// Activation is a campaign to the members of a segment.
type Activation = store.Activation

var (
	errCohortTooSmall   = privacy.Invalid("cohort_too_small", "the segment has too few people who may be named for this purpose to be activated; widen it")
	errActivationOver   = privacy.Conflict("activation_over", "an activation can be gone on with for a week, and while its facets are made of the same attributes; begin another")
	errActivationPolicy = privacy.Unavailable(nil, "policy_changing", "a policy was published meanwhile; resume after the last subject that came through")
)

// activationLasts is for how long an activation can be gone on with. It is to be long enough for an interruption to end, and no longer: who
// comes into the segment later is told of as well.
const activationLasts = 7 * 24 * time.Hour

// Activate begins a campaign. Whether there are enough people is decided on a noisy count, which costs the budget like any other.
func (s *Service) Activate(ctx context.Context, caller Caller, id SegmentID, purpose privacy.PurposeName, attributes []privacy.AttributeName) (*Activation, error) {
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

// SendActivation discloses the members of a campaign in the order of their ids, from after one on, to send. It can be begun again after
// the last one that came through.
func (s *Service) SendActivation(ctx context.Context, caller Caller, a *Activation, after privacy.SubjectID, send func([]Disclosure) error) error {
	if s.instant().Sub(a.At) > activationLasts {
		return errActivationOver
	}
	c, err := s.campaign(ctx, caller, a)
	if err != nil {
		return err
	}
	slices.SortFunc(c.members, compareSubjects)
	start, found := slices.BinarySearchFunc(c.members, after, compareSubjects)
	if found {
		start++
	}
	for ids := range slices.Chunk(c.members[start:], activationStep) {
		disclosures, err := s.discloseTo(ctx, caller, c, ids)
		if err != nil {
			return err
		}
		if err := send(c.told(disclosures)); err != nil {
			return err
		}
	}
	return nil
}

// discloseTo discloses members of a campaign. Those of whom something does not open are left out, and keep nobody else from being told of.
func (s *Service) discloseTo(ctx context.Context, caller Caller, c *campaign, ids []privacy.SubjectID) ([]Disclosure, error) {
	refs := make([]SubjectRef, len(ids))
	for i, id := range ids {
		refs[i].ID = id
	}
	disclosed, err := s.Disclose(ctx, caller, Request{Purpose: c.Purpose, Attributes: c.all(), Subjects: refs, Object: activationObject(c.ID)})
	if isDamage(err) {
		return oneByOne(ids, func(one []privacy.SubjectID) ([]Disclosure, error) { return s.discloseTo(ctx, caller, c, one) }, nil)
	}
	if err != nil {
		return nil, err
	}
	if disclosed.Revision != c.revision {
		return nil, errActivationPolicy
	}
	return disclosed.Disclosures, nil
}

// oneByOne does for each of several what went wrong for all of them, and gives alone for a single one.
func oneByOne[T any](ids []privacy.SubjectID, do func([]privacy.SubjectID) ([]T, error), alone []T) (all []T, err error) {
	if len(ids) == 1 {
		return alone, nil
	}
	for i := range ids {
		part, err := do(ids[i : i+1])
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return all, nil
}

// campaign is an activation, and whom it is for as of a moment.
type campaign struct {
	*Activation
	members  []privacy.SubjectID
	revision privacy.RevisionID // that lets them be named
}

// all lists what members are told of, in the list or by being on it.
func (c *campaign) all() []privacy.AttributeName {
	return distinct(slices.Concat(c.Attributes, c.Behind))
}

// told leaves out whoever may not be named any more, and of the rest what was not asked for.
func (c *campaign) told(disclosures []Disclosure) []Disclosure {
	var told []Disclosure
	for _, d := range disclosures {
		if slices.ContainsFunc(d.Withheld, func(w Withheld) bool { return w.Reason != privacy.ReasonNoValue && slices.Contains(c.Behind, w.Name) }) {
			continue
		}
		d.Attributes = slices.DeleteFunc(d.Attributes, func(r Released) bool { return !slices.Contains(c.Attributes, r.Name) })
		d.Withheld = slices.DeleteFunc(d.Withheld, func(w Withheld) bool { return !slices.Contains(c.Attributes, w.Name) })
		if len(d.Attributes) > 0 {
			told = append(told, d)
		}
	}
	return told
}

func compareSubjects(a, b privacy.SubjectID) int { return bytes.Compare(a[:], b[:]) }

// campaign finds who is in the segment of an activation now and may be named. A list of too few is none.
func (s *Service) campaign(ctx context.Context, caller Caller, a *Activation) (*campaign, error) {
	_, _, canonical, err := s.storedSegment(ctx, a.Segment, a.Version)
	if err == nil && !slices.Equal(s.attributesOf(canonical.Uses()), a.Behind) {
		err = errActivationOver
	}
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
	account, err := s.account(view.revision, caller.Client, a.Purpose, view.at)
	if err != nil {
		return nil, err
	}
	members, err := ask(ctx, newGroupAsker(s, caller, view, a.Purpose, a.Behind, a.Attributes), func(x *segment.Index, permission segment.Permission) ([]privacy.SubjectID, bool) {
		return x.Members(permission, canonical)
	})
	if err == nil && int64(len(members)) < account.setting.Minimum {
		err = errCohortTooSmall
	}
	return &campaign{Activation: a, members: members, revision: view.revision}, err
}

// WithdrawnSince lists, in order from after one on, those to whom a campaign was sent and who may not be told of for its purpose any more: who
// is to be taken off what was sent, or has yet to be. more tells whether there may be others behind last. Nothing is opened, and neither the
// segment nor its facets need be there any more.
func (s *Service) WithdrawnSince(ctx context.Context, caller Caller, a *Activation, after privacy.SubjectID, limit int) (gone []privacy.SubjectID, last privacy.SubjectID, more bool, err error) {
	sent, err := s.store.ReleasedUnder(ctx, activationObject(a.ID), a.Behind, a.Attributes, after, limit)
	if err != nil || len(sent) == 0 {
		return nil, after, false, err
	}
	gone, err = s.withdrawn(ctx, caller, &campaign{Activation: a}, sent)
	return gone, sent[len(sent)-1], len(sent) == limit, err
}

// withdrawn tells who of those to whom a campaign was sent may not be told of any more. Of whom that cannot be read may not.
func (s *Service) withdrawn(ctx context.Context, caller Caller, c *campaign, sent []privacy.SubjectID) (gone []privacy.SubjectID, err error) {
	asked, err := s.askedAttributes(c.all())
	if privacy.KindOf(err) == privacy.KindInvalid { // the catalogue has one of them no more, so nothing permits it
		return sent, nil
	}
	if err != nil {
		return nil, err
	}
	now := s.instant()
	revision, snapshots, err := s.store.ReadForDisclosure(ctx, c.Purpose, nil, sent, now)
	if err != nil {
		return nil, err
	}
	if err := s.LoadRevision(ctx, revision); err != nil {
		return nil, err
	}
	release := &release{service: s, caller: caller, request: Request{Purpose: c.Purpose}, asked: asked, now: now}
	part := releasePart{release: release, revision: revision, ids: sent}
	if err := part.decideAll(ctx, snapshots); isDamage(err) {
		return oneByOne(sent, func(one []privacy.SubjectID) ([]privacy.SubjectID, error) { return s.withdrawn(ctx, caller, c, one) }, sent)
	} else if err != nil {
		return nil, err
	}
	for i := range part.cases {
		if !s.nameable(&part.cases[i].outcome, c.Behind, c.Attributes) {
			gone = append(gone, sent[i])
		}
	}
	return gone, nil
}
