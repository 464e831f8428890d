package custody

import (
	"bytes"
	"context"
	"slices"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
)

// Campaign is an activation that may be sent, and to whom as of a moment: there is none of an activation that is over, nor of too few
// people. So what is refused is refused before anything is sent.
type Campaign struct {
	*Activation
	service  *Service
	caller   Caller
	members  []privacy.SubjectID // in order, those to whom it is yet to be sent
	revision privacy.RevisionID  // that lets them be named
}

// campaign finds who is in the segment of an activation now and may be named, and of them those after one.
func (s *Service) campaign(ctx context.Context, caller Caller, a *Activation, after privacy.SubjectID) (*Campaign, error) {
	if s.over(a) {
		return nil, errActivationOver
	}
	_, _, canonical, err := s.storedSegment(ctx, a.Segment, a.Version)
	if err != nil {
		return nil, err
	}
	if !slices.Equal(s.attributesOf(canonical.Uses()), a.Behind) {
		return nil, errActivationOver
	}
	view, err := s.segments.current(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.mayCount(view.revision, caller, a.Purpose); err != nil {
		return nil, err
	}
	if err := s.mayName(view.revision, a.Purpose, a.Behind); err != nil {
		return nil, err
	}
	account, err := s.account(view.revision, caller.Client, a.Purpose, view.at)
	if err != nil {
		return nil, err
	}
	members, err := ask(ctx, newGroupAsker(s, caller, view, a.Purpose, a.Behind, a.Attributes), func(x *segment.Index, permission segment.Permission) ([]privacy.SubjectID, bool) {
		return x.Members(permission, canonical)
	})
	if err != nil {
		return nil, err
	}
	if int64(len(members)) < account.setting.Minimum {
		return nil, errCohortTooSmall
	}
	slices.SortFunc(members, compareSubjects)
	start, found := slices.BinarySearchFunc(members, after, compareSubjects)
	if found {
		start++
	}
	return &Campaign{Activation: a, service: s, caller: caller, members: members[start:], revision: view.revision}, nil
}

func (s *Service) over(a *Activation) bool { return s.instant().Sub(a.At) > activationLasts }

func compareSubjects(a, b privacy.SubjectID) int { return bytes.Compare(a[:], b[:]) }

// activationStep is how many members are decided on at a time.
const activationStep = 250

// Send discloses the members in the order of their ids. It can be gone on with after the last one that came through: [Service.ResumeActivation].
func (c *Campaign) Send(ctx context.Context, send func([]Disclosure) error) error {
	for ids := range slices.Chunk(c.members, activationStep) {
		if c.service.over(c.Activation) {
			return errActivationOver
		}
		disclosures, err := c.disclose(ctx, ids)
		if err != nil {
			return err
		}
		if err := send(c.told(disclosures)); err != nil {
			return err
		}
	}
	return nil
}

// disclose discloses members, unless a policy was published since they were found: nobody is on record then whom nothing is sent of. Those of whom something does not open are left out, and keep nobody else from being told of.
func (c *Campaign) disclose(ctx context.Context, ids []privacy.SubjectID) ([]Disclosure, error) {
	refs := make([]SubjectRef, len(ids))
	for i, id := range ids {
		refs[i].ID = id
	}
	disclosed, err := c.service.Disclose(ctx, c.caller, Request{Purpose: c.Purpose, Attributes: toldBy(c.Activation), Subjects: refs, Object: activationObject(c.ID), Revision: c.revision})
	if isDamage(err) {
		return oneByOne(ids, func(one []privacy.SubjectID) ([]Disclosure, error) { return c.disclose(ctx, one) }, nil)
	}
	if err != nil {
		return nil, err
	}
	return disclosed.Disclosures, nil
}

// toldBy lists what members are told of, in the list or by being on it.
func toldBy(a *Activation) []privacy.AttributeName {
	return distinct(slices.Concat(a.Attributes, a.Behind))
}

// told leaves out whom the decision at the moment of sending lets nobody name any more, and of the rest what was not asked for.
func (c *Campaign) told(disclosures []Disclosure) []Disclosure {
	var told []Disclosure
	for _, d := range disclosures {
		if !c.service.nameable(&d.outcome, c.Behind, c.Attributes) {
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
