package demo

import (
	"context"
	"errors"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

const (
	// Client is the name under which the demo people are on the ledger and in the audit log.
	Client privacy.ClientID = "demo"

	batch   = 500
	atOnce  = 8    // people whose consents are recorded at a time
	history = 1000 // more records than anybody here has
)

// Load publishes the notices that people were shown, stores people and records their consents. It gives their subjects in the same order, a zero one for somebody who was erased. Progress, when
// there is one, is told after each person how many are done; calls do not overlap.
//
// Loading the same people again after an interruption completes them: profiles are found by
// their identifiers, and the ledger says how many consents were recorded.
func Load(ctx context.Context, service *custody.Service, people []Person, progress func(done int)) ([]privacy.SubjectID, error) {
	l := loader{service: service, progress: progress, caller: custody.Caller{Caller: privacy.Caller{Client: Client}}}
	if err := l.publish(ctx, newest(people)); err != nil {
		return nil, err
	}
	ids := make([]privacy.SubjectID, 0, len(people))
	for len(people) > 0 {
		some := people[:min(batch, len(people))]
		people = people[len(some):]
		loaded, err := l.load(ctx, some)
		if err != nil {
			return nil, err
		}
		ids = append(ids, loaded...)
	}
	return ids, nil
}

type loader struct {
	service *custody.Service
	caller  custody.Caller

	mu       sync.Mutex
	done     int
	progress func(done int)
}

func (l *loader) load(ctx context.Context, people []Person) ([]privacy.SubjectID, error) {
	profiles := make([]custody.Profile, len(people))
	for i, person := range people {
		var err error
		if profiles[i], err = l.service.Normalise(person.Draft); err != nil {
			return nil, err
		}
	}
	stored, err := l.service.Upsert(ctx, l.caller, profiles)
	if err != nil {
		return nil, err
	}
	ids := make([]privacy.SubjectID, len(people))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, subject := range stored {
		ids[i] = subject.ID
		group.Go(func() error {
			if errors.Is(subject.Err, custody.ErrErasedBefore) {
				l.count() // somebody tried that out, and they stay away
				return nil
			}
			if subject.Err != nil {
				return subject.Err
			}
			return l.record(ctx, subject, people[i].Consents)
		})
	}
	return ids, group.Wait()
}

// record puts on the ledger what is not there yet.
func (l *loader) record(ctx context.Context, subject custody.Upserted, consents []custody.Consent) error {
	if !subject.Created {
		before, err := l.service.ConsentHistory(ctx, subject.ID, 0, history)
		if err != nil {
			return err
		}
		consents = consents[min(len(before), len(consents)):]
	}
	for _, consent := range consents {
		if _, err := l.service.RecordConsent(ctx, l.caller, custody.SubjectRef{ID: subject.ID}, consent, custody.Once{}); err != nil {
			return err
		}
	}
	l.count()
	return nil
}

func (l *loader) count() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.done++
	if l.progress != nil {
		l.progress(l.done)
	}
}

// newest is when the last of all decisions was taken.
func newest(people []Person) (at time.Time) {
	for _, person := range people {
		for _, consent := range person.Consents {
			if consent.OccurredAt.After(at) {
				at = consent.OccurredAt
			}
		}
	}
	return at
}
