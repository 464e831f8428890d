package events

import (
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Message is an event as others get it (schemas/event.schema.json).
type Message struct {
	Type      privacy.EventKind `json:"type"`
	Timestamp time.Time         `json:"timestamp"`
	Data      MessageData       `json:"data"`
}

// MessageData is what happened. Subject is a pseudonym, and Sequence the event's place among all events: of two about one
// subject the higher is the later.
type MessageData struct {
	Sequence int64               `json:"sequence"`
	Subject  string              `json:"subject,omitempty"`
	Purpose  privacy.PurposeName `json:"purpose,omitempty"`
	privacy.EventDetail
	Rectified []custody.Rectified `json:"rectified,omitempty"` // in a call to a processor, never in the feed
}

func messageOf(e *store.Logged) Message {
	data := MessageData{Sequence: e.Index, Purpose: e.Purpose, EventDetail: e.Detail}
	if !e.Subject.IsZero() {
		data.Subject = e.Subject.String()
	}
	return Message{Type: e.Kind, Timestamp: e.At.UTC(), Data: data}
}
