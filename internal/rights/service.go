package rights

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Service leads requests. It is safe for concurrent use.
type Service struct {
	vault     *custody.Service
	store     *store.Store
	log       *slog.Logger
	reach     func(point string)
	calendars calendars
	waiting   chan []Ref // to be carried out by this process
}

// Config is what a Service is made of.
type Config struct {
	Vault *custody.Service
	Store *store.Store
	Log   *slog.Logger
	// Reach is told which point was reached between the steps of what is carried out; tests end the process there. Nil: nobody is told.
	Reach func(point string)
}

// New makes a Service.
func New(c Config) (*Service, error) {
	s := &Service{vault: c.Vault, store: c.Store, log: c.Log, reach: c.Reach, waiting: make(chan []Ref, carryWaiting)}
	if s.reach == nil {
		s.reach = func(string) {}
	}
	var err error
	s.calendars, err = loadCalendars()
	return s, err
}

// AddWorkers adds the jobs of the service to those of the process.
func (s *Service) AddWorkers(workers *river.Workers) {
	river.AddWorker(workers, &carryWorker{service: s})
	river.AddWorker(workers, &codeWorker{service: s})
}

// CarryArgs names requests that are to be carried out together.
type CarryArgs struct {
	Requests []Ref `json:"requests"`
}

// Ref names a request with its subject.
type Ref struct {
	Subject privacy.SubjectID       `json:"subject"`
	ID      privacy.RightsRequestID `json:"id"`
}

// Kind implements river.JobArgs.
func (CarryArgs) Kind() string { return "rights.carry_out" }

type carryWorker struct {
	river.WorkerDefaults[CarryArgs]
	service *Service
}

// Work implements river.Worker.
func (w *carryWorker) Work(ctx context.Context, job *river.Job[CarryArgs]) error {
	return w.service.CarryOut(ctx, job.Args.Requests...)
}

const (
	firstRetry   = time.Second
	longestRetry = time.Minute
)

// NextRetry implements river.Worker. River compares it with the system's clock.
func (w *carryWorker) NextRetry(job *river.Job[CarryArgs]) time.Time {
	return time.Now().Add(store.Backoff(firstRetry, longestRetry, job.Attempt))
}

// Timeout implements river.Worker: a large batch takes its time.
func (*carryWorker) Timeout(*river.Job[CarryArgs]) time.Duration { return 10 * time.Minute }
