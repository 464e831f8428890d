package custody

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A request to correct values holds them. It does for as long as they have to be read there, and no longer (GDPR Art. 5(1)(c), (e)): one that is written
// lies in the profile, under its own retention, and one that is erased nowhere. That a correction was asked for and made, of which attributes, when and by
// whom, is in the audit log.

// Where a request has what it wants corrected, and the names of what was.
const (
	saidAttributes = "attributes"
	saidCorrected  = "corrected"
)

// said is what a request says in one place. What is not about attributes is kept as it is.
type said struct {
	rest       map[string]json.RawMessage
	attributes map[privacy.AttributeName]json.RawMessage
	corrected  []privacy.AttributeName
}

// forgetSaid takes attributes out of what requests of a locked subject say in detail: they are erased, and a request that is still open would bring them
// back. Whoever is carrying one out reads it again.
func (s *Service) forgetSaid(ctx context.Context, tx *store.Tx, subject *store.Subject, names []privacy.AttributeName) error {
	details, err := tx.RightsDetailsOf(ctx, subject.ID)
	if err != nil || len(details) == 0 {
		return err
	}
	if _, err := s.keyAtHand(ctx, subject.ID, subject.Slot); err != nil {
		if isDamage(err) { // a page that may be put back
			return nil
		}
		return err
	}
	changed, err := s.sayOtherwise(ctx, subject, details, func(d *said) bool {
		held := len(d.attributes)
		maps.DeleteFunc(d.attributes, func(name privacy.AttributeName, _ json.RawMessage) bool { return slices.Contains(names, name) })
		return len(d.attributes) < held
	})
	if err != nil {
		return err
	}
	w := &store.Writes{}
	for _, d := range changed {
		w.ReadAgain(subject.ID, d.Request)
		w.PutRightsDetail(subject.ID, d)
	}
	return tx.Send(ctx, w)
}

// forgetWritten has a request of a locked subject, and those that have joined it, say of the values that were written no more than which they were.
func (s *Service) forgetWritten(ctx context.Context, tx *store.Tx, subject *store.Subject, request privacy.RightsRequestID) error {
	details, err := tx.RightsDetailsWith(ctx, subject.ID, request)
	if err != nil {
		return err
	}
	changed, err := s.sayOtherwise(ctx, subject, details, func(d *said) bool {
		d.corrected = slices.AppendSeq(d.corrected, maps.Keys(d.attributes))
		slices.Sort(d.corrected)
		d.corrected = slices.Compact(d.corrected)
		some := len(d.attributes) > 0
		clear(d.attributes)
		return some
	})
	if err != nil {
		return err
	}
	w := &store.Writes{}
	for _, d := range changed {
		w.PutRightsDetail(subject.ID, d)
	}
	return tx.Send(ctx, w)
}

// sayOtherwise changes what requests say, and seals those places again where that changed something, as nil where nothing is left. So are those that do not
// open.
func (s *Service) sayOtherwise(ctx context.Context, subject *store.Subject, details []store.RightsDetail, change func(*said) bool) (changed []store.RightsDetail, err error) {
	for _, d := range details {
		var now said
		err := s.openDetail(ctx, subject, d.Request, d.Sealed, now.read)
		unreadable := errors.Is(err, keyring.ErrNotAuthentic)
		if err != nil && !unreadable {
			return nil, err
		}
		if !unreadable && !change(&now) {
			continue
		}
		if d.Sealed, err = nil, now.write(); err != nil {
			return nil, err
		}
		if len(now.rest) > 0 {
			if d.Sealed, err = s.SealDetail(ctx, subject, d.Request, now.rest); err != nil {
				return nil, err
			}
		}
		changed = append(changed, d)
	}
	return changed, nil
}

func (d *said) read(content []byte) error {
	if json.Unmarshal(content, &d.rest) != nil ||
		d.rest[saidAttributes] != nil && json.Unmarshal(d.rest[saidAttributes], &d.attributes) != nil ||
		d.rest[saidCorrected] != nil && json.Unmarshal(d.rest[saidCorrected], &d.corrected) != nil {
		return privacy.Internal(nil, "read a request")
	}
	return nil
}

// write puts the attributes back to the rest.
func (d *said) write() (err error) {
	delete(d.rest, saidAttributes)
	delete(d.rest, saidCorrected)
	if len(d.attributes) > 0 {
		d.rest[saidAttributes], err = json.Marshal(d.attributes)
	}
	if len(d.corrected) > 0 && err == nil {
		d.rest[saidCorrected], err = json.Marshal(d.corrected)
	}
	if err != nil {
		return privacy.Internal(nil, "encode a request")
	}
	return nil
}
