package custody

import (
	"context"
	"slices"
	"time"

	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A value is kept until its attribute's retention is over, and no longer than the longest of the purposes in force that cover it. One that
// no purpose in force covers any more goes with the purpose that ended. What a legal hold stands on stays, and is counted.

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
)

const (
	retentionPeople = 2000               // looked at between two notes of how far a run has come
	retentionChunk  = 50                 // subjects whose values are deleted in one transaction
	retentionGrace  = 7 * 24 * time.Hour // after a purpose ended, in which who ended it by mistake can put it back
	retentionEvery  = 24 * time.Hour
)

// StartRetention starts a run, or gives the one that is under way.
func (s *Service) StartRetention(ctx context.Context, caller Caller, dryRun bool) (store.RetentionRun, error) {
	revision, err := s.revision(ctx)
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
	runs, err := s.store.RetentionRuns(ctx, [16]byte{}, 1)
	if err == nil && len(runs) == 0 {
		err = privacy.Unavailable(nil, "retention_busy", "another run has just ended; try again")
	}
	if err != nil {
		return store.RetentionRun{}, err
	}
	return runs[0], nil
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

// RetentionArgs is the job of a run; without one, of starting the run of the day.
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
		_, err := w.service.StartRetention(ctx, System(), false)
		return err
	}
	return w.service.runRetention(ctx, job.Args.Run)
}

// Timeout implements river.Worker: a run takes as long as the population is large, and goes on where it was when it is stopped.
func (*retentionWorker) Timeout(*river.Job[RetentionArgs]) time.Duration { return -1 }

// PeriodicJobs are those of the service that come round by themselves.
func (s *Service) PeriodicJobs() []*river.PeriodicJob {
	return []*river.PeriodicJob{river.NewPeriodicJob(river.PeriodicInterval(retentionEvery), func() (river.JobArgs, *river.InsertOpts) { return RetentionArgs{}, nil },
		&river.PeriodicJobOpts{ID: "retention"})}
}

// runRetention takes a run from where it is to its end.
func (s *Service) runRetention(ctx context.Context, id [16]byte) error {
	run, err := s.store.RetentionRun(ctx, id)
	if err != nil || !run.FinishedAt.IsZero() {
		return err
	}
	terms, err := s.retentionTerms(ctx, run.Revision, run.StartedAt)
	if err != nil {
		return err
	}
	for run.FinishedAt.IsZero() {
		in, last, err := s.store.SubjectsAfter(ctx, run.Cursor, retentionPeople)
		if err != nil {
			return err
		}
		if err := s.retainRange(ctx, &run, terms, in); err != nil {
			return err
		}
		err = s.advance(ctx, &run, func(_ *store.Tx, next *store.RetentionRun) error {
			if next.Cursor = in.To; last {
				next.FinishedAt = s.instant()
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
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
	ended map[privacy.AttributeID]bool // attributes without a purpose
}

func (s *Service) retentionTerms(ctx context.Context, id privacy.RevisionID, at time.Time) (retentionTerms, error) {
	t := retentionTerms{Terms: store.Terms{At: at}, ended: make(map[privacy.AttributeID]bool)}
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

// why says why a value is due.
func (t *retentionTerms) why(v store.DueValue) string {
	switch {
	case v.Held:
		return dueHeld
	case t.ended[v.Attribute]:
		return dueEnded
	case v.Expired:
		return dueExpired
	default:
		return duePurpose
	}
}

// retainRange deletes, or only counts, what is due of a range of subjects.
func (s *Service) retainRange(ctx context.Context, run *store.RetentionRun, terms retentionTerms, in store.SubjectRange) error {
	due, err := s.store.DueValues(ctx, in, terms.Terms)
	if err != nil {
		return err
	}
	parts := dueBySubject(due)
	if run.DryRun {
		for _, of := range parts {
			s.count(run, &terms, of)
		}
		return nil
	}
	for chunk := range slices.Chunk(parts, retentionChunk) {
		ids := column(chunk, func(of []store.DueValue) privacy.SubjectID { return of[0].Subject })
		if err := s.expire(ctx, run, terms, ids); err != nil {
			return err
		}
	}
	return nil
}

// dueBySubject cuts what is due, which is in the order of the subjects, into what is due of each.
func dueBySubject(due []store.DueValue) (parts [][]store.DueValue) {
	for begin, i := 0, 1; i <= len(due); i++ {
		if i == len(due) || due[i].Subject != due[begin].Subject {
			parts = append(parts, due[begin:i])
			begin = i
		}
	}
	return parts
}

func (s *Service) count(run *store.RetentionRun, terms *retentionTerms, of []store.DueValue) {
	for _, v := range of {
		if attribute, ok := s.catalogue.ByID(v.Attribute); ok {
			run.Counts.Add(attribute.Name, terms.why(v), 1)
		}
	}
	run.Subjects++
}

// expire deletes what is due of some subjects, in one short transaction. What has changed since they were looked at counts as it is now.
func (s *Service) expire(ctx context.Context, run *store.RetentionRun, terms retentionTerms, ids []privacy.SubjectID) error {
	slots, err := s.store.SlotsOf(ctx, ids)
	if err != nil {
		return err
	}
	for _, slot := range slots {
		if err := s.keyring.Fetch(ctx, slot); err != nil {
			return err
		}
	}
	return s.advance(ctx, run, func(tx *store.Tx, next *store.RetentionRun) error {
		subjects, err := tx.LockSubjects(ctx, ids)
		if err != nil {
			return err
		}
		due, err := tx.DueValues(ctx, ids, terms.Terms)
		if err != nil {
			return err
		}
		next.Cursor = ids[len(ids)-1]
		at := s.instant()
		var drafts []audit.Draft
		for _, of := range dueBySubject(due) {
			row, there := subjects[of[0].Subject]
			if !there {
				continue // erased
			}
			s.count(next, &terms, of)
			if of[0].Held {
				continue
			}
			draft, err := s.expireSubject(ctx, tx, next.ID, row, of, at)
			if err != nil {
				return err
			}
			drafts = append(drafts, draft)
		}
		if len(drafts) == 0 {
			return nil
		}
		batch, err := s.newBatch(at, drafts)
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
}

func (s *Service) expireSubject(ctx context.Context, tx *store.Tx, run [16]byte, row store.Subject, due []store.DueValue, at time.Time) (audit.Draft, error) {
	key, err := s.keyAtHand(ctx, row.ID, row.Slot)
	if err != nil {
		return audit.Draft{}, err
	}
	names, err := s.deleteFields(ctx, tx, key, row, column(due, func(v store.DueValue) privacy.AttributeID { return v.Attribute }), "retention", time.Time{}, at)
	return audit.Draft{Action: audit.ActionRetentionDelete, Client: systemClient, Subject: row.ID, Object: retentionObject(run), Attributes: names}, err
}
