package custody

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// event is what a record leads to. A grant that changed nothing, such as one older than the withdrawal it
// follows, is no event. It has the name of the record, so that it is the same however
// often it is sent.
func (l *ledger) event(record store.ConsentRecord) (privacy.Event, bool) {
	event := privacy.Event{ID: record.ID, At: record.RecordedAt, Subject: l.id, Purpose: record.Purpose, Detail: privacy.EventDetail{Record: formatID(record.ID)}}
	switch record.Action {
	case privacy.ActionObject:
		event.Kind = privacy.EventObjectionRecorded
		return event, true
	case privacy.ActionLift:
		event.Kind = privacy.EventObjectionLifted
		return event, true
	case privacy.ActionRestrict:
		event.Kind = privacy.EventRestrictionRecorded
		return event, true
	case privacy.ActionUnrestrict:
		event.Kind = privacy.EventRestrictionLifted
		return event, true
	}
	i := l.find(record.Purpose)
	if i < 0 || !l.states[i].UpdatedAt.Equal(record.RecordedAt) {
		return event, false
	}
	var ok bool
	event.Detail.Status = l.states[i].Status
	event.Kind, ok = privacy.ConsentEvent(event.Detail.Status)
	return event, ok
}

// TellOfPublication puts the event of a revision that is in force from now on into the outbox. The publications
// must be locked ([store.Tx.Publication]).
func (s *Service) TellOfPublication(ctx context.Context, tx *store.Tx, kind privacy.EventKind, revision privacy.RevisionID, at time.Time) error {
	id, err := s.newID()
	if err != nil {
		return err
	}
	return tx.AppendChange(ctx, privacy.Event{ID: id, Kind: kind, At: at, Detail: privacy.EventDetail{Revision: revision}})
}
