package custody

import (
	"context"
	"errors"
	"time"

	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A value is kept until its attribute's retention is over, and no longer than the longest of the purposes in force that cover it. One that
// no purpose in force covers any more goes with the purpose that ended. What a legal hold stands on stays, and is counted. What a request says in detail is
// kept for as long after it was closed as the policy has it: somebody may complain of the answer.

// RetentionRun is a run as it stands.
type RetentionRun = store.RetentionRun

// RetentionCounts counts values of a run, by attribute and by why they were due.
type RetentionCounts = store.RetentionCounts

// Why a value is due.
const (
	dueExpired = "expired"           // its attribute's retention is over
	duePurpose = "purpose_retention" // and so is that of every purpose that covers it
	dueEnded   = "purpose_ended"     // no purpose covers it any more
	dueHeld    = "held"              // it would be, but for a legal hold
	dueFailed  = "failed"            // it is, and stays until somebody has looked at what is damaged of the subject
	dueClosed  = "request_closed"    // what a request says, long after it was closed
)

// ofRequests is under what a run counts requests that have said something.
const ofRequests privacy.AttributeName = "#requests"

const (
	retentionPeople = 2000               // looked at between two notes of how far a run has come
	retentionChunk  = 50                 // subjects whose values are deleted in one transaction
	retentionGrace  = 7 * 24 * time.Hour // after a purpose ended, in which who ended it by mistake can put it back
	retentionEvery  = 24 * time.Hour
	retentionLook   = 15 * time.Minute // between two looks at whether a run is due or was left by a process that died
	retentionTurn   = 5 * time.Minute  // for which one job works at a run, before another goes on
)

// StartRetention starts a run, or gives the one that is under way. That one gets another job: the process that had its first may have died,
// and of two jobs at a run all but one end.
func (s *Service) StartRetention(ctx context.Context, caller Caller, dryRun bool) (store.RetentionRun, error) {
	revision, err := s.InForce(ctx)
	if err != nil {
		return store.RetentionRun{}, err
	}
	run := store.RetentionRun{DryRun: dryRun, Revision: revision, Client: caller.Client, StartedAt: s.instant(), Counts: store.RetentionCounts{}}
	if run.ID, err = s.newID(); err != nil {
		return run, err
	}
	var started bool
	err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if started, err = tx.StartRetention(ctx, &run); err != nil || !started {
			return err
		}
		if err := s.RecordStep(ctx, tx, caller, run.StartedAt, audit.ActionRetentionRun, retentionObject(run.ID)); err != nil {
			return err
		}
		return tx.Enqueue(ctx, RetentionArgs{Run: run.ID})
	})
	if err != nil || started {
		return run, err
	}
	if run, err = s.store.RetentionUnderWay(ctx); err != nil {
		return store.RetentionRun{}, err
	}
	return run, s.store.Write(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, RetentionArgs{Run: run.ID}) })
}

// RetainDaily starts the run of the day when the last one that deleted began a day ago, and has one that is under way go on. When that was
// is read from the database, so that it does not matter which process looks, nor for how long it has been there.
func (s *Service) RetainDaily(ctx context.Context) error {
	last, underWay, err := s.store.LastRetention(ctx)
	if err != nil || !underWay && s.instant().Before(last.Add(retentionEvery)) {
		return err
	}
	_, err = s.StartRetention(ctx, System(), false)
	return err
}

// RetentionRuns lists runs, newest first.
func (s *Service) RetentionRuns(ctx context.Context, before [16]byte, limit int) ([]store.RetentionRun, error) {
	return s.store.RetentionRuns(ctx, before, limit)
}

// RetentionRun reads a run, to see how far it is and what came of it.
func (s *Service) RetentionRun(ctx context.Context, id [16]byte) (store.RetentionRun, error) {
	return s.store.RetentionRun(ctx, id)
}

func retentionObject(id [16]byte) string { return "retention/" + privacy.SubjectID(id).String() }

// RetentionArgs is the job of a run; without one, of looking whether one is due.
type RetentionArgs struct {
	Run [16]byte `json:"run"`
}

// Kind implements river.JobArgs.
func (RetentionArgs) Kind() string { return "retention" }

type retentionWorker struct {
	river.WorkerDefaults[RetentionArgs]
	service *Service
}

// Work implements river.Worker.
func (w *retentionWorker) Work(ctx context.Context, job *river.Job[RetentionArgs]) error {
	if job.Args.Run == [16]byte{} {
		return w.service.RetainDaily(ctx)
	}
	finished, err := w.service.runRetention(ctx, job.Args.Run, w.service.now().Add(retentionTurn))
	switch {
	case errors.Is(err, errRunMoved):
		return nil
	case err == nil && !finished:
		return river.JobSnooze(0)
	}
	return err
}

// Timeout implements river.Worker. It must be finite: River never rescues a job without one from a process that died.
func (*retentionWorker) Timeout(*river.Job[RetentionArgs]) time.Duration { return 2 * retentionTurn }

// AddWorkers adds the jobs of the service to those of the process.
func (s *Service) AddWorkers(workers *river.Workers) {
	river.AddWorker(workers, &retentionWorker{service: s})
}

// PeriodicJobs are those of the service that come round by themselves. River counts from when its leader started, and leaders change: what
// comes round is therefore a look, and far more often than a run.
func (s *Service) PeriodicJobs() []*river.PeriodicJob {
	return []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(retentionLook), func() (river.JobArgs, *river.InsertOpts) { return RetentionArgs{}, nil },
		&river.PeriodicJobOpts{ID: "retention"})}
}

// runRetention takes a run from where it is to its end, or as far as it comes until then.
func (s *Service) runRetention(ctx context.Context, id [16]byte, until time.Time) (finished bool, err error) {
	run, err := s.store.RetentionRun(ctx, id)
	if err != nil || !run.FinishedAt.IsZero() {
		return err == nil, err
	}
	var terms retentionTerms
	for run.FinishedAt.IsZero() && s.now().Before(until) {
		if err := s.renewTerms(ctx, &run, &terms); err != nil {
			return false, err
		}
		in, last, err := s.store.SubjectsAfter(ctx, run.Cursor, retentionPeople)
		if err != nil {
			return false, err
		}
		if err := s.retainRange(ctx, &run, terms, in); err != nil {
			return false, err
		}
		err = s.advance(ctx, &run, func(_ *store.Tx, next *store.RetentionRun) error {
			if next.Cursor = in.To; last {
				next.FinishedAt = s.instant()
			}
			return nil
		})
		if err != nil {
			return false, err
		}
	}
	return !run.FinishedAt.IsZero(), nil
}

// renewTerms has a run go by the policy in force: what was published meanwhile may have people's values kept for longer.
func (s *Service) renewTerms(ctx context.Context, run *store.RetentionRun, terms *retentionTerms) (err error) {
	if run.Revision, err = s.InForce(ctx); err != nil || run.Revision == terms.of {
		return err
	}
	*terms, err = s.retentionTerms(ctx, run.Revision, run.StartedAt)
	return err
}

// errRunMoved ends a job that finds another at its run.
var errRunMoved = privacy.Conflict("retention_run_moved", "another job carries the run out")

// advance does a part of a run and keeps how far that is, in one transaction: what is counted was deleted, and the other way round.
func (s *Service) advance(ctx context.Context, run *store.RetentionRun, part func(tx *store.Tx, next *store.RetentionRun) error) error {
	var next store.RetentionRun
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		next = run.Clone()
		if err := part(tx, &next); err != nil {
			return err
		}
		moved, err := tx.AdvanceRetention(ctx, &next, run.Cursor)
		if err == nil && !moved {
			err = errRunMoved
		}
		return err
	})
	if err == nil {
		*run = next
	}
	return err
}

// retentionTerms is what a run goes by.
type retentionTerms struct {
	store.Terms
	of     privacy.RevisionID
	ended  map[privacy.AttributeID]bool // attributes without a purpose
	closed time.Time                    // requests that were closed by then say nothing any more
}

func (s *Service) retentionTerms(ctx context.Context, id privacy.RevisionID, at time.Time) (retentionTerms, error) {
	handling := s.policy.Handling(id)
	t := retentionTerms{Terms: store.Terms{At: at}, of: id, ended: make(map[privacy.AttributeID]bool), closed: handling.KeepDetails.Before(at)}
	revision, err := s.StoredRevision(ctx, id)
	if err != nil {
		return t, err
	}
	covered, err := revision.Coverage()
	if err != nil {
		return t, err
	}
	orphans, err := s.orphans(ctx, covered, at)
	if err != nil {
		return t, err
	}
	for _, attribute := range s.catalogue.Attributes() {
		cutoff := longestKept(covered[attribute.Name], at)
		if orphans[attribute.Name] {
			t.ended[attribute.ID], cutoff = true, &at
		}
		if cutoff == nil {
			continue
		}
		for len(t.Cutoffs) < int(attribute.ID) {
			t.Cutoffs = append(t.Cutoffs, nil)
		}
		t.Cutoffs[attribute.ID-1] = cutoff
	}
	return t, nil
}

// longestKept gives the time of collection up to which no purpose keeps a value any more; nil where one keeps it for as long as it likes, or
// there is none.
func longestKept(purposes map[privacy.PurposeName]policy.Purpose, at time.Time) *time.Time {
	var earliest *time.Time
	for _, purpose := range purposes {
		period, err := catalogue.ParsePeriod(purpose.Retention)
		if err != nil {
			return nil
		}
		begin := at.AddDate(-period.Years, -period.Months, -period.Days)
		if earliest == nil || begin.Before(*earliest) {
			earliest = &begin
		}
	}
	return earliest
}

// orphans gives the attributes that purposes covered once and none has since before the grace. One that was never for any purpose is none
// of them: what holds for it is its own retention.
func (s *Service) orphans(ctx context.Context, covered map[privacy.AttributeName]map[privacy.PurposeName]policy.Purpose, at time.Time) (map[privacy.AttributeName]bool, error) {
	open := make(map[privacy.AttributeName]bool) // not covered by any of the publications looked at so far
	for _, attribute := range s.catalogue.Attributes() {
		if len(covered[attribute.Name]) == 0 {
			open[attribute.Name] = true
		}
	}
	orphans := make(map[privacy.AttributeName]bool)
	var next store.Publication // the one after
	for before := int64(0); len(open) > 0; {
		publications, err := s.store.Publications(ctx, before, 100)
		if err != nil {
			return nil, err
		}
		for _, p := range publications {
			if err := s.orphanedAfter(ctx, p, next, at, open, orphans); err != nil {
				return nil, err
			}
			next, before = p, p.Number
		}
		if len(publications) < 100 {
			break
		}
	}
	return orphans, nil
}

// orphanedAfter settles the attributes that a publication covered and none after it: they are without a purpose since the next.
func (s *Service) orphanedAfter(ctx context.Context, p, next store.Publication, at time.Time, open, orphans map[privacy.AttributeName]bool) error {
	if len(open) == 0 {
		return nil
	}
	revision, err := s.StoredRevision(ctx, p.Revision)
	if err != nil {
		return err
	}
	covered, err := revision.Coverage()
	if err != nil {
		return err
	}
	for name := range open {
		if len(covered[name]) > 0 {
			delete(open, name)
			if !next.At.IsZero() && !at.Before(next.At.Add(retentionGrace)) {
				orphans[name] = true
			}
		}
	}
	return nil
}
