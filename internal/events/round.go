package events

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/webhook"
)

// round is one go at what is due.
type round struct {
	service   *Service
	lane      *store.Lane
	processor *store.Processor
	secrets   []webhook.Secret

	mu        sync.Mutex
	settling  bool
	done      []store.Attempt // waits to be written down
	failed    []store.Attempt // is written down at the end, when it is known whether the receiver is away
	succeeded int
}

// tellRound makes deliveries. It fails with errReceiverAway when none got through.
func (s *Service) tellRound(ctx context.Context, lane *store.Lane, processor *store.Processor, due []store.Due) error {
	secrets, err := s.secrets(ctx, processor)
	if err != nil {
		return err
	}
	r := &round{service: s, lane: lane, processor: processor, secrets: secrets}
	var group errgroup.Group
	group.SetLimit(sideBySide)
	for _, line := range bySubject(due) {
		if r.away() || ctx.Err() != nil {
			break
		}
		group.Go(func() error { return r.tellLine(ctx, line) })
	}
	err = group.Wait()
	away := r.away()
	if away {
		for i := range r.failed {
			r.failed[i].NextAt = s.vault.Instant() // the job waits, not the event
		}
	}
	if settled := r.settle(ctx, r.failed...); err == nil {
		err = settled
	}
	if err == nil && away {
		s.log.InfoContext(ctx, "a processor does not answer", slog.String("processor", processor.ID.String()), slog.String("problem", r.failed[0].Problem))
		return errReceiverAway
	}
	return err
}

// bySubject puts events into lines, one for each subject, in order.
func bySubject(due []store.Due) [][]store.Due {
	var lines [][]store.Due
	place := make(map[privacy.SubjectID]int)
	for _, d := range due {
		i, ok := place[d.Subject]
		if !ok {
			i = len(lines)
			place[d.Subject], lines = i, append(lines, nil)
		}
		lines[i] = append(lines[i], d)
	}
	return lines
}

// away reports whether the receiver seems to be: several events failed and none got through.
func (r *round) away() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.succeeded == 0 && len(r.failed) >= awayAfter
}

// tellLine tells the events of one subject one after the other, as long as they are settled.
func (r *round) tellLine(ctx context.Context, line []store.Due) error {
	for i := range line {
		attempt, err := r.tell(ctx, &line[i])
		if err != nil {
			return err
		}
		if attempt.State == store.DeliveryPending {
			r.mu.Lock()
			r.failed = append(r.failed, attempt)
			r.mu.Unlock()
			return nil // those after it wait
		}
		if err := r.settle(ctx, attempt); err != nil {
			return err
		}
	}
	return nil
}

// tell makes one call. An error means that it was not made.
func (r *round) tell(ctx context.Context, due *store.Due) (store.Attempt, error) {
	s := r.service
	if !due.Kind.FollowsRequest() && !r.processor.Wants(&due.Event) { // not any more
		return store.Attempt{Index: due.Index, State: store.DeliveryDropped}, nil
	}
	body, err := r.body(ctx, &due.Logged)
	if err != nil {
		return store.Attempt{}, err
	}
	answer, err := s.sender.Post(ctx, r.processor.URL, webhook.Sign(due.Name(), s.vault.Instant(), body, r.secrets...), body)
	if err != nil {
		return store.Attempt{}, privacy.Unavailable(err, "stopped", "the process is stopping")
	}
	s.observe(answer.Problem, s.vault.Instant().Sub(due.At))
	attempt := store.Attempt{Index: due.Index, State: store.DeliveryDelivered, Refused: answer.Problem.Refused(), Status: answer.Status, Problem: string(answer.Problem)}
	if answer.Problem == "" {
		r.mu.Lock()
		r.succeeded++
		r.mu.Unlock()
		return attempt, nil
	}
	at := s.vault.Instant()
	attempt.State, attempt.NextAt = store.DeliveryPending, at.Add(s.pace.event(due.Attempts+1))
	if attempt.Refused && due.Refusals+1 >= s.pace.Refusals || !due.FailingSince.IsZero() && at.Sub(due.FailingSince) >= s.pace.GiveUpAfter {
		attempt.State = store.DeliveryDead
		s.log.WarnContext(ctx, "an event was given up", slog.String("processor", r.processor.ID.String()), slog.String("problem", attempt.Problem), slog.Int("status", attempt.Status))
	}
	if attempt.Refused { // the receiver is there
		r.mu.Lock()
		r.succeeded++
		r.mu.Unlock()
	}
	return attempt, nil
}

// body writes what the processor is told. What was put right of somebody is disclosed to it here.
func (r *round) body(ctx context.Context, e *store.Logged) (body []byte, err error) {
	message := messageOf(e)
	if e.Kind == privacy.EventSubjectRectified {
		if message.Data.Rectified, err = r.service.vault.RectifiedFor(ctx, r.processor.Client, &e.Event); err != nil {
			return nil, err
		}
	}
	if body, err = json.Marshal(message); err != nil {
		return nil, privacy.Internal(nil, "encode an event")
	}
	return body, nil
}

// settle writes attempts down, together with those that others bring meanwhile. It goes through although the process
// is stopping: what was told need not be told again.
func (r *round) settle(ctx context.Context, attempts ...store.Attempt) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.done = append(r.done, attempts...)
	if r.settling {
		return nil
	}
	r.settling = true
	defer func() { r.settling = false }()
	for len(r.done) > 0 {
		batch := r.done
		r.done = nil
		r.mu.Unlock()
		err := r.lane.Settle(context.WithoutCancel(ctx), batch, r.service.vault.Instant())
		r.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}
