package ledger

import (
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// event is what a record leads to. A grant that changed nothing, such as one older than the withdrawal it
// follows, is no event. It has the name of the record, so that it is the same however
// often it is sent.
func (h *Head) event(record store.ConsentRecord) (privacy.Event, bool) {
	event := privacy.Event{ID: record.ID, At: record.RecordedAt, Subject: h.ID, Purpose: record.Purpose, Detail: privacy.EventDetail{Record: privacy.SubjectID(record.ID).String()}}
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
	i := h.find(record.Purpose)
	if i < 0 || !h.States[i].UpdatedAt.Equal(record.RecordedAt) {
		return event, false
	}
	var ok bool
	event.Detail.Status = h.States[i].Status
	event.Kind, ok = privacy.ConsentEvent(event.Detail.Status)
	return event, ok
}
