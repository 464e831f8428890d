package custody

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/webhook"
)

// Telling a processor works like this. The relay logs a change and, in the same transaction, enqueues a job for each
// processor that has none (store.Relay). The job takes the exclusive right to tell that processor (store.Lane), goes
// through the log from where the processor's cursor is, notes what the processor wants as deliveries, and makes them: those of
// one subject one after the other, those of different subjects side by side. It goes on until there is nothing
// left. So order holds because there is one teller, and one event of a subject at a time; and nothing is lost,
// because an event is done with only once the receiver has accepted it, and until then lies in a table. An event
// may be sent again after a crash, under the same id.
//
// A receiver that is away makes the job fail, and River tries it again, less and less often: nothing of what waits is
// given up for that, however much it is, until it has been tried for days. An event that fails while others get through, or
// that the receiver refuses to take, is tried again by itself; it holds back later events of its subject and of
// nobody else, and is given up after some refusals. What was given up is kept, shown, and can be retried.

// Workers are the jobs of the service, for [store.Store.StartJobs].
func (s *Service) Workers() *river.Workers {
	workers := river.NewWorkers()
	river.AddWorker(workers, &deliverWorker{service: s})
	river.AddWorker(workers, &retentionWorker{service: s})
	return workers
}

type deliverWorker struct {
	river.WorkerDefaults[store.DeliverArgs]
	service *Service
}

// Work implements river.Worker.
func (w *deliverWorker) Work(ctx context.Context, job *river.Job[store.DeliverArgs]) error {
	return w.service.deliver(ctx, job.Args.Processor, job.Attempt)
}

// NextRetry implements river.Worker. River compares it with the system's clock.
func (w *deliverWorker) NextRetry(job *river.Job[store.DeliverArgs]) time.Time {
	return time.Now().Add(w.service.receiverBackoff(job.Attempt))
}

func (s *Service) receiverBackoff(attempt int) time.Duration {
	return backoff(s.events.RetryFirst, s.events.RetryMost, attempt)
}

// backoff doubles from first to most.
func backoff(first, most time.Duration, attempt int) time.Duration {
	wait := first
	for range attempt - 1 {
		if wait *= 2; wait >= most {
			return most
		}
	}
	return min(wait, most)
}

const (
	turn       = 10 * time.Second // after which a job makes room for those of other processors
	logStep    = 1000             // events of the log gone past at a time
	dueStep    = 256              // deliveries of one round
	sideBySide = 8                // calls to one processor at a time
	awayAfter  = 2                // failures in a round without a success after which the receiver counts as away
)

// errReceiverAway has River try the job again. It is no fault of the vault's.
var errReceiverAway = privacy.Unavailable(nil, "receiver_away", "the processor does not answer; trying again later")

// deliver tells a processor what it has not been told yet. Attempt is how often the job has been tried.
func (s *Service) deliver(ctx context.Context, id privacy.ProcessorID, attempt int) error {
	lane, claimed, err := s.store.Claim(ctx, id)
	if err != nil || !claimed {
		return err
	}
	defer lane.Release(ctx)
	more, err := s.work(ctx, lane, s.now().Add(turn))
	switch {
	case err != nil && ctx.Err() == nil:
		if err := lane.Expect(ctx, s.instant().Add(s.receiverBackoff(attempt))); err != nil {
			return err
		}
		return err
	case err != nil: // stopping: whoever is there next goes on
		return err
	case more:
		if err := lane.Expect(ctx, s.instant()); err != nil {
			return err
		}
		return river.JobSnooze(0)
	}
	return nil
}

// work tells what there is to be told until then. It reports whether there is more.
func (s *Service) work(ctx context.Context, lane *store.Lane, until time.Time) (more bool, err error) {
	for s.now().Before(until) {
		processor, err := lane.Processor(ctx)
		if err != nil {
			return false, err
		}
		if !processor.Called() || s.events.Sender == nil {
			return false, lane.Expect(ctx, time.Time{})
		}
		at := s.instant()
		if _, err := lane.Advance(ctx, &processor, logStep, at); err != nil {
			return false, err
		}
		due, err := lane.Due(ctx, at, dueStep)
		if err != nil {
			return false, err
		}
		if len(due) == 0 {
			if rests, err := lane.Rest(ctx, at); err != nil || rests {
				return false, err
			}
			continue
		}
		if err := s.tellRound(ctx, lane, &processor, due); err != nil {
			return false, err
		}
	}
	return true, nil
}

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
	secrets, err := s.processorSecrets(ctx, processor)
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
			r.failed[i].NextAt = s.instant() // the job waits, not the event
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
	answer, err := s.events.Sender.Post(ctx, r.processor.URL, webhook.Sign(formatID(due.ID), s.now(), body, r.secrets...), body)
	if err != nil {
		return store.Attempt{}, privacy.Unavailable(err, "stopped", "the process is stopping")
	}
	s.events.Observe(answer.Problem, s.now().Sub(due.At))
	attempt := store.Attempt{Index: due.Index, State: store.DeliveryDelivered, Refused: answer.Problem.Refused(), Status: answer.Status, Problem: string(answer.Problem)}
	if answer.Problem == "" {
		r.mu.Lock()
		r.succeeded++
		r.mu.Unlock()
		return attempt, nil
	}
	at := s.instant()
	attempt.State, attempt.NextAt = store.DeliveryPending, at.Add(backoff(s.events.EventFirst, s.events.EventMost, due.Attempts+1))
	if attempt.Refused && due.Refusals+1 >= s.events.Refusals || !due.FailingSince.IsZero() && at.Sub(due.FailingSince) >= s.events.GiveUpAfter {
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
		if message.Data.Rectified, err = r.service.rectifiedFor(ctx, r.processor.Client, &e.Event); err != nil {
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
		err := r.lane.Settle(context.WithoutCancel(ctx), batch, r.service.instant())
		r.mu.Lock()
		if err != nil {
			return err
		}
	}
	return nil
}
