package events

import (
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// FeedEvent is a message and its id.
type FeedEvent struct {
	ID string `json:"id"`
	Message
}

// Page is a part of the feed and where it goes on.
type Page struct {
	Events []FeedEvent
	Cursor Cursor
}

const (
	feedStep = 1000 // events looked at in one statement
	feedScan = 20   // statements of one answer: one may look at many events and be allowed few
)

// Feed lists events after a cursor, in order, for those who would rather ask than be called. A caller sees the
// events of the purposes that the policy grants it, and what follows from requests of subjects that the processors were told of which it is;
// an officer sees them all. When there is none it
// waits for one, up to a time.
func (s *Service) Feed(ctx context.Context, caller custody.Caller, cursor Cursor, limit int, wait time.Duration) (Page, error) {
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
		case <-s.vault.Ending():
			return page, nil
		case <-ctx.Done():
			return page, privacy.Unavailable(nil, "request_ended", "the caller has gone")
		}
	}
}

func (s *Service) feedPage(ctx context.Context, caller custody.Caller, cursor Cursor, limit int) (Page, error) {
	revision, err := s.vault.InForce(ctx)
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
			page.Cursor = Cursor(events[i].Index)
			if events[i].Kind.Valid() && (noted[events[i].ID] || s.maySee(caller, revision, &events[i].Event)) {
				page.Events = append(page.Events, FeedEvent{ID: events[i].Name(), Message: messageOf(&events[i])})
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
func (s *Service) maySee(caller custody.Caller, revision privacy.RevisionID, event *privacy.Event) bool {
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
