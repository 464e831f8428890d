package rights

import (
	"cmp"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// What people say of themselves they put right themselves ([custody.Service.OwnWord]). At anything else an officer has looked before:
// by completing the request, which writes the values, or refusing it.

// correction is what is still to be done for a request to put values right.
type correction struct {
	fields  []custody.ProfileValue  // to be written
	written []privacy.AttributeName // are, and those who got the old values may not have been told
	inWords bool                    // somebody has said in words what is wrong, too
}

func (c *correction) empty() bool { return len(c.fields) == 0 && len(c.written) == 0 }

// attributes lists what was put right once all is written.
func (c *correction) attributes() []privacy.AttributeName {
	names := slices.Clone(c.written)
	for i := range c.fields {
		names = append(names, c.fields[i].Attribute.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// rectify writes the values that a request asks for, if the person may do so by themselves or an officer has done it and was interrupted, and has those told that got the old ones. What must be
// kept is put right by nobody's own word alone: what stood there before would be gone.
func (s *Service) rectify(ctx context.Context, r *store.RightsRequest) error {
	c, err := s.correctionOf(ctx, r)
	if gone(err) {
		return s.pastAnswering(ctx, r)
	}
	if err != nil || r.Effected < r.Joins && (c.empty() || c.inWords || !s.vault.OwnWord(c.fields)) {
		return err
	}
	if err = s.putRight(ctx, custody.System(), r, &c); privacy.CodeOf(err) == errHeld.Code {
		return nil // it waits for an officer
	}
	return err
}

var errHeld = privacy.Conflict("held", "a legal hold stands on the person, so an officer has to look")

// correctionOf opens what a request asks for, and checks it again: the catalogue may have changed. What was said later counts.
func (s *Service) correctionOf(ctx context.Context, r *store.RightsRequest) (c correction, err error) {
	asked := make(map[privacy.AttributeName]json.RawMessage)
	details, err := s.said(ctx, r)
	if err != nil {
		return c, err
	}
	for i := range details {
		d := &details[i]
		maps.Copy(asked, d.Attributes)
		c.written = append(c.written, d.Corrected...)
		c.inWords = c.inWords || d.inWords()
	}
	c.fields, err = s.vault.NormaliseAttributes(asked)
	return c, err
}

// putRight writes values, once, and has those told that got the old ones. To whom they were disclosed is read after they are in force: what is
// disclosed then is the right ones.
func (s *Service) putRight(ctx context.Context, caller custody.Caller, r *store.RightsRequest, c *correction) error {
	s.reach("correction_read")
	_, err := s.change(ctx, caller, r.ID, audit.ActionRequestRectify, func(tx *store.Tx, now *store.RightsRequest, _ time.Time) error {
		if now.State != privacy.RequestInProgress || now.Effected >= r.Joins {
			return errMovedOn
		}
		if now.Joins != r.Joins { // the values were read before that
			return errJoined
		}
		if caller.Client == custody.System().Client {
			if holds, err := tx.StandingHolds(ctx, now.Subject); err != nil || len(holds) > 0 {
				return cmp.Or(err, error(errHeld))
			}
		}
		now.Effected = r.Joins
		if len(c.fields) == 0 { // what has come since they were written is erased
			return nil
		}
		return s.vault.Rectify(ctx, tx, caller, now.Subject, now.ID, c.fields)
	})
	if unlessMovedOn(err) != nil {
		return err
	}
	s.reach("corrected")
	event := orderOf(privacy.EventSubjectRectified, r.Subject, r.ID, time.Time{})
	event.Detail.Attributes = c.attributes()
	told, err := s.receivers(ctx, r.Subject, event.Detail.Attributes)
	if err != nil {
		return err
	}
	return s.doneOnceConfirmed(ctx, r, event, told)
}
