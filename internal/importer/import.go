package importer

import (
	"context"
	"errors"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

const (
	// DefaultBatch is how many records a worker stores at once.
	DefaultBatch = 500

	maxBatch       = 10_000
	maxWorkers     = 64
	maxIdentifiers = 20 // of one record, as the API has it

	// waitingRounds is how many rounds may be dealt out and wait for those before them.
	waitingRounds = 3
	// openRounds is how many may be under way: those, the one being put on record, and the one that
	// has just been dealt out.
	openRounds = waitingRounds + 2

	firstWait  = 100 * time.Millisecond
	longestGap = 3 * time.Second
	drainLimit = 15 * time.Second // for what is under way when the import is interrupted
)

// ErrInterrupted ends an import whose context ended. What its journal has is stored for sure.
var ErrInterrupted = privacy.NewError(privacy.KindUnavailable, "interrupted", "the import was interrupted; the same command goes on where it stopped")

// Import is one run over a table.
type Import struct {
	Table    *Table
	Vault    Vault // nil for a dry run: records are read, mapped and checked, and none is stored
	Journal  *Journal
	Patience time.Duration  // how long a vault that is away is waited for
	Progress func(Progress) // called from one goroutine after each round; may be nil
	Now      func() time.Time

	workers, batch int
	ended          bool  // the reader has seen the end of the table
	readErr        error // or this
}

// Progress is how far an import is.
type Progress struct {
	Counts
	Read int64 // bytes of the file
}

// Summary is what an import did, those before an interruption included.
type Summary struct {
	Counts
	Ready    int     `json:"ready,omitempty"` // dry run: records that would be stored
	Seconds  float64 `json:"seconds"`
	Complete bool    `json:"complete"`
}

// Run imports until the table or ctx ends. What was under way when ctx ended is finished and
// put on record. The summary is right also when there is an error.
func (i *Import) Run(ctx context.Context) (Summary, error) {
	before, begin := i.Journal.state.Seconds, i.Now()
	i.workers, i.batch = len(i.Journal.state.Newest), i.Journal.state.Batch
	if err := i.check(); err != nil {
		return Summary{Counts: i.Journal.state.Counts}, errors.Join(err, i.Journal.abandon())
	}
	err := i.skip(ctx)
	if err == nil {
		err = i.pipeline(ctx, func() float64 { return before + i.Now().Sub(begin).Seconds() })
	}
	if err == nil {
		err = i.Journal.finish()
	}
	summary := Summary{Counts: i.Journal.state.Counts, Seconds: before + i.Now().Sub(begin).Seconds(), Complete: err == nil}
	if i.Vault == nil {
		summary.Ready = summary.Lines - summary.Rejected
	}
	return summary, err
}

// check refuses what no record could be stored with.
func (i *Import) check() error {
	m := i.Table.Mapping()
	if len(m.Identifiers) > maxIdentifiers {
		return privacy.Invalid("invalid_mapping", "identifiers: at most 20")
	}
	for _, rule := range m.Consents {
		if rule.Action == privacy.ActionGrant && m.CollectedAt == nil {
			return privacy.Invalid("invalid_mapping", "collected_at: say when the consents were given; dated today, an old export would bring back what a customer has withdrawn since")
		}
	}
	return custody.CheckSource(m.Source)
}

// skip passes over the records that an interrupted import has on record.
func (i *Import) skip(ctx context.Context) error {
	for n := range i.Journal.state.Counts.Lines {
		if n%1024 == 0 && ctx.Err() != nil {
			return ErrInterrupted
		}
		if _, err := i.Table.next(); err != nil {
			if errors.Is(err, io.EOF) {
				return privacy.Conflict("other_import", "the file is shorter than when the import was interrupted; --restart begins anew")
			}
			return err
		}
	}
	return nil
}

// pipeline runs the reader, the workers and the one who keeps the record, and waits for all.
func (i *Import) pipeline(ctx context.Context, elapsed func() float64) error {
	drained, stop := drainContext(ctx)
	defer stop()
	group, work := errgroup.WithContext(drained)
	rounds := make(chan *round, waitingRounds)
	queues := make([]chan *part, i.workers)
	for n := range queues {
		queues[n] = make(chan *part, openRounds)
		worker := worker{vault: i.Vault, patience: i.Patience, now: i.Now, newest: i.Journal.state.Newest[n]}
		group.Go(func() error { worker.run(ctx, work, queues[n]); return nil })
	}
	group.Go(func() error { i.deal(ctx, work, rounds, queues); return nil })
	group.Go(func() error { return i.keep(rounds, elapsed) })
	err := group.Wait()
	switch {
	case err != nil && ctx.Err() != nil:
		return ErrInterrupted
	case err != nil:
		return err
	case i.readErr != nil:
		return i.readErr
	case !i.ended:
		return ErrInterrupted
	default:
		return nil
	}
}

// drainContext outlives ctx by drainLimit, so that what is under way can finish.
func drainContext(ctx context.Context) (context.Context, context.CancelFunc) {
	drained, cancel := context.WithCancel(context.WithoutCancel(ctx))
	unhook := context.AfterFunc(ctx, func() {
		wait(drained, drained, drainLimit)
		cancel()
	})
	return drained, func() {
		unhook()
		cancel()
	}
}

// deal reads the table and deals it out, a round at a time.
func (i *Import) deal(ctx, work context.Context, rounds chan<- *round, queues []chan *part) {
	defer func() {
		close(rounds)
		for _, queue := range queues {
			close(queue)
		}
	}()
	_, resumed := i.Journal.Resumed()
	for number := 0; ctx.Err() == nil; number++ {
		r, err := i.nextRound(resumed && number < openRounds)
		if r.counts.Lines > 0 {
			select {
			case rounds <- r:
			case <-work.Done():
				return
			}
			for n, p := range r.parts {
				if p != nil {
					queues[n] <- p // has room for as many rounds as can be open
				}
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			i.ended = ctx.Err() == nil // the signal that ended us may have ended who writes to us
			return
		case err != nil:
			i.readErr = err
			return
		}
	}
}

// nextRound reads a round. The error is io.EOF or what ends the import; the round holds what came before.
func (i *Import) nextRound(repeated bool) (*round, error) {
	r := &round{parts: make([]*part, i.workers)}
	now := i.Now()
	for r.counts.Lines < i.batch*i.workers {
		row, err := i.Table.next()
		if err != nil {
			return r, err
		}
		r.counts.Lines++
		r.read = i.Table.read.Load()
		record := Record{Number: row.number, line: row.line}
		if record.Draft, err = i.Table.draft(row); err == nil {
			err = checkTimes(&record, now)
		}
		if err != nil {
			r.reject(row.line, row.number, err)
			continue
		}
		if i.Vault == nil {
			continue
		}
		n := shard(&record, i.workers)
		if r.parts[n] == nil {
			r.parts[n] = &part{repeated: repeated, done: make(chan struct{})}
		}
		r.parts[n].records = append(r.parts[n].records, record)
	}
	return r, nil
}

// keep puts rounds on record in the order of the file, each when all of it is done.
func (i *Import) keep(rounds <-chan *round, elapsed func() float64) error {
	newest := append([]int64(nil), i.Journal.state.Newest...)
	for r := range rounds {
		for _, p := range r.parts {
			if p == nil {
				continue
			}
			<-p.done
			if p.err != nil {
				return p.err
			}
		}
		counts, rejects := r.merge(newest)
		if err := i.Journal.advance(counts, rejects, newest, elapsed()); err != nil {
			return err
		}
		if i.Progress != nil {
			i.Progress(Progress{Counts: i.Journal.state.Counts, Read: r.read})
		}
	}
	return nil
}
