package custody

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"slices"
	"time"

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
	Rectified []Rectified `json:"rectified,omitempty"` // in a call to a processor, never in the feed
}

func messageOf(e *store.Logged) Message {
	data := MessageData{Sequence: e.Index, Purpose: e.Purpose, EventDetail: e.Detail}
	if !e.Subject.IsZero() {
		data.Subject = e.Subject.String()
	}
	return Message{Type: e.Kind, Timestamp: e.At.UTC(), Data: data}
}

// EventCursor is a place in the log of events.
type EventCursor int64

// ParseEventCursor reads the text form; "" is the beginning.
func ParseEventCursor(text string) (EventCursor, error) {
	if text == "" {
		return 0, nil
	}
	packed, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(packed) != 8 || packed[0] > 0x7f {
		return 0, privacy.Invalid("invalid_cursor", "the cursor is not one that this service gave out")
	}
	return EventCursor(binary.BigEndian.Uint64(packed)), nil //nolint:gosec // the first bit is zero
}

// String gives the text form.
func (c EventCursor) String() string {
	return base64.RawURLEncoding.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(c))) //nolint:gosec // never negative
}

// FeedEvent is a message and its id.
type FeedEvent struct {
	ID string `json:"id"`
	Message
}

// Page is a part of the feed and where it goes on.
type Page struct {
	Events []FeedEvent
	Cursor EventCursor
}

const (
	feedStep = 1000 // events looked at in one statement
	feedScan = 20   // statements of one answer: one may look at many events and be allowed few
)

// Feed lists events after a cursor, in order, for those who would rather ask than be called. A caller sees the
// events of the purposes that the policy grants it, and what follows from requests of subjects that the processors were told of which it is;
// an officer sees them all. When there is none it
// waits for one, up to a time.
func (s *Service) Feed(ctx context.Context, caller Caller, cursor EventCursor, limit int, wait time.Duration) (Page, error) {
	timeout := time.NewTimer(wait)
	defer timeout.Stop()
	for {
		grown := s.head.next()
		page, err := s.feedPage(ctx, caller, cursor, limit)
		if err != nil || len(page.Events) > 0 {
			return page, err
		}
		if page.Cursor > cursor {
			cursor = page.Cursor
			continue
		}
		select {
		case <-grown:
		case <-timeout.C:
			return page, nil
		case <-s.ending:
			return page, nil
		case <-ctx.Done():
			return page, privacy.Unavailable(nil, "request_ended", "the caller has gone")
		}
	}
}

func (s *Service) feedPage(ctx context.Context, caller Caller, cursor EventCursor, limit int) (Page, error) {
	revision, err := s.revision(ctx)
	if err != nil {
		return Page{}, err
	}
	processors, err := s.ProcessorsOf(ctx, caller.Client)
	if err != nil {
		return Page{}, err
	}
	page := Page{Cursor: cursor}
	for range feedScan {
		events, err := s.store.Log(ctx, int64(page.Cursor), feedStep)
		if err != nil {
			return Page{}, err
		}
		noted, err := s.store.NotedFor(ctx, events, processors...)
		if err != nil {
			return Page{}, err
		}
		for i := range events {
			page.Cursor = EventCursor(events[i].Index)
			if events[i].Kind.Valid() && (noted[events[i].ID] || s.maySee(caller, revision, &events[i].Event)) {
				page.Events = append(page.Events, FeedEvent{ID: formatID(events[i].ID), Message: messageOf(&events[i])})
			}
			if len(page.Events) == limit {
				return page, nil
			}
		}
		if len(events) < feedStep {
			break
		}
	}
	return page, nil
}

// maySee reports whether the feed shows a caller an event that is news. It may be about a family of purposes.
func (s *Service) maySee(caller Caller, revision privacy.RevisionID, event *privacy.Event) bool {
	about := event.Purpose
	switch {
	case caller.Has(privacy.RoleOfficer):
		return true
	case event.Kind.FollowsRequest(), event.Kind.ForOfficer():
		return false
	case about == "", s.policy.Granted(revision, caller.Client, about):
		return true
	}
	scope := privacy.ObjectionScope(about)
	if _, single := scope.Purpose(); single {
		return false
	}
	return slices.ContainsFunc(s.policy.GrantedPurposes(revision, caller.Client), scope.Covers)
}
