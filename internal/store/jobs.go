package store

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"github.com/consentry/consentry/internal/privacy"
)

// Jobs are what is done beside requests and must be done although a process dies: a River queue in the same
// database, so that a job exists if and only if the transaction that asked for it was committed. The
// arguments of a job are ids and nothing else.
type Jobs struct{ client *river.Client[pgx.Tx] }

// JobsQueue is the one queue there is.
const JobsQueue = river.QueueDefault

const (
	jobWorkers  = 8                      // jobs of one process that run at a time
	jobTimeout  = time.Minute            // of one run; a job may ask for more (river.Worker.Timeout)
	jobAttempts = 10_000                 // far more than any job gives up after by itself
	jobsKept    = 10 * time.Minute       // of those that were done
	jobsFetched = 50 * time.Millisecond  // shortest time between two looks for jobs
	stopWithin  = 500 * time.Millisecond // before what a stopping process still does is cut short
)

// Enqueue adds jobs, which begin once the transaction is committed.
func (t *Tx) Enqueue(ctx context.Context, jobs ...river.JobArgs) error {
	return t.EnqueueAt(ctx, time.Time{}, jobs...)
}

// EnqueueAt adds jobs that begin at a time.
func (t *Tx) EnqueueAt(ctx context.Context, at time.Time, jobs ...river.JobArgs) error {
	params := make([]river.InsertManyParams, len(jobs))
	for i, job := range jobs {
		params[i] = river.InsertManyParams{Args: job, InsertOpts: &river.InsertOpts{ScheduledAt: at}}
	}
	_, err := t.queue.InsertManyTx(ctx, t.tx, params)
	return wrap(err, "enqueue jobs")
}

// newQueue makes a client that adds jobs and works none.
func newQueue() (*river.Client[pgx.Tx], error) {
	return river.NewClient(riverpgxv5.New(nil), &river.Config{Logger: slog.New(slog.DiscardHandler), MaxAttempts: jobAttempts})
}

// StartJobs works jobs until Stop, those that come round by themselves too. The connections are not those of requests, so that neither wait for the other.
func (s *Store) StartJobs(ctx context.Context, workers *river.Workers, periodic []*river.PeriodicJob, log *slog.Logger) (*Jobs, error) {
	client, err := river.NewClient(riverpgxv5.New(s.work), &river.Config{
		Workers: workers, PeriodicJobs: periodic, Queues: map[string]river.QueueConfig{JobsQueue: {MaxWorkers: jobWorkers}},
		Logger: slog.New(plainHandler{log.Handler()}), Middleware: []rivertype.Middleware{&plainErrors{}},
		JobTimeout: jobTimeout, MaxAttempts: jobAttempts, FetchCooldown: jobsFetched, SoftStopTimeout: stopWithin,
		CompletedJobRetentionPeriod: jobsKept,
		ReindexerIndexNames:         []string{}, // rebuilding indexes is for the schema's owner
	})
	if err != nil {
		return nil, privacy.Internal(err, "set the jobs up")
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return nil, wrap(err, "start the jobs")
	}
	return &Jobs{client}, nil
}

// Stop begins no more jobs, lets those that run come to an end, and waits for them.
func (j *Jobs) Stop(ctx context.Context) error {
	return wrap(j.client.Stop(ctx), "stop the jobs")
}

// Backoff is how long to wait after so many attempts in a row have failed: it doubles from first to most.
func Backoff(first, most time.Duration, attempt int) time.Duration {
	wait := first
	for range attempt - 1 {
		if wait *= 2; wait >= most {
			return most
		}
	}
	return min(wait, most)
}

// workPool is the configuration of the connections that jobs use: the planner is left to itself, because
// River's statements are not ours.
func workPool(c *pgxpool.Config) *pgxpool.Config {
	c = c.Copy()
	c.MaxConns = jobWorkers + 4 // each job may hold one; River listens on one and needs a few for itself
	for _, setting := range []string{"plan_cache_mode", "enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		delete(c.ConnConfig.RuntimeParams, setting)
	}
	return c
}

// plainErrors keeps what a job says of its failure, which River stores and logs, to a code. A panic becomes an
// error, because what it says may be anything.
type plainErrors struct{ river.MiddlewareDefaults }

// Work implements rivertype.WorkerMiddleware.
func (*plainErrors) Work(ctx context.Context, _ *rivertype.JobRow, work func(context.Context) error) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = jobError{"panic", nil}
		}
	}()
	if err := work(ctx); err != nil {
		return jobError{privacy.CodeOf(err), err}
	}
	return nil
}

// jobError prints as a code, and is otherwise the error that it stands for.
type jobError struct {
	code  string
	cause error
}

func (e jobError) Error() string { return e.code }
func (e jobError) Unwrap() error { return e.cause }

// plainHandler passes River's warnings on without what is attached to them: its messages are fixed texts, but
// it attaches errors of the database, which can quote rows.
type plainHandler struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h plainHandler) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && h.Handler.Enabled(ctx, level)
}

// Handle implements slog.Handler.
func (h plainHandler) Handle(ctx context.Context, r slog.Record) error {
	return h.Handler.Handle(ctx, slog.NewRecord(r.Time, r.Level, r.Message, r.PC))
}

// WithAttrs implements slog.Handler.
func (h plainHandler) WithAttrs([]slog.Attr) slog.Handler { return h }

// WithGroup implements slog.Handler.
func (h plainHandler) WithGroup(string) slog.Handler { return h }

// migrateJobs brings River's tables up to date. Several nodes may come at once: a lock lets one at a time through.
func migrateJobs(ctx context.Context, url string) error {
	pool, err := pgxpool.New(ctx, url)
	if err != nil {
		return privacy.Invalid("invalid_database_url", "DATABASE_URL is not a PostgreSQL connection string")
	}
	defer pool.Close()
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return unreachable(err)
	}
	defer conn.Release()
	const lock = `SELECT %s(hashtext('consentry jobs schema'))`
	if _, err := conn.Exec(ctx, fmt.Sprintf(lock, "pg_advisory_lock")); err != nil {
		return wrap(err, "lock the jobs' schema")
	}
	defer func() { _, _ = conn.Exec(context.WithoutCancel(ctx), fmt.Sprintf(lock, "pg_advisory_unlock")) }()
	migrator, err := rivermigrate.New(riverpgxv5.New(pool), &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return privacy.Internal(err, "read River's migrations")
	}
	if _, err := migrator.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return privacy.Unavailable(err, "migration_failed", "the schema could not be brought up to date")
	}
	return nil
}
