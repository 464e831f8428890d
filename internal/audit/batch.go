package audit

import (
	"bytes"
	"io"
	"math"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Batch is what one transaction writes: all of it or nothing.
type Batch struct {
	ID      BatchID
	Entries []Entry // named, in order of position
	// Decisions are distinct and in order of hash: transactions that write the same ones wait
	// for each other and never deadlock. Any may be stored already, so write them with ON
	// CONFLICT DO NOTHING.
	Decisions []StoredDecision
}

// NewBatch names the entries of a transaction that does more than record: a write is
// committed together with its entries. Drafts without a time get now. Each decision that a
// draft refers to must be among the decisions.
func NewBatch(now time.Time, random io.Reader, drafts []Draft, decisions []Decision) (Batch, error) {
	s, err := newSubmission(now, drafts, decisions)
	if err != nil {
		return Batch{}, err
	}
	return assemble(now, random, []*submission{s}, nil)
}

// submission is one caller's share of a batch, checked and copied.
type submission struct {
	drafts    []Draft
	decisions []StoredDecision
	result    chan result // holds one, so that answering a caller who has left blocks nobody
}

type result struct {
	names []EntryName
	err   error
}

func newSubmission(now time.Time, drafts []Draft, decisions []Decision) (*submission, error) {
	if len(drafts) == 0 || len(drafts) > math.MaxInt32 {
		return nil, malformed("batch")
	}
	s := &submission{
		drafts:    make([]Draft, len(drafts)),
		decisions: make([]StoredDecision, len(decisions)),
		result:    make(chan result, 1),
	}
	given := make(map[Hash]bool, len(decisions))
	for i, d := range decisions {
		if err := d.Validate(); err != nil {
			return nil, err
		}
		s.decisions[i] = StoredDecision{Hash: d.Hash(), Decision: d}
		given[s.decisions[i].Hash] = true
	}
	for i, d := range drafts {
		d = d.normalised(now)
		if err := d.Validate(); err != nil {
			return nil, err
		}
		// An entry whose decision is nowhere could never be replayed.
		if !d.Decision.IsZero() && !given[d.Decision] {
			return nil, privacy.Internal(nil, "record an audit entry: its decision is missing")
		}
		s.drafts[i] = d
	}
	return s, nil
}

// assemble makes one batch of several submissions, leaving out the decisions that skip knows to
// be stored.
func assemble(now time.Time, random io.Reader, group []*submission, skip func(Hash) bool) (Batch, error) {
	id, err := privacy.NewUUIDv7(now, random)
	if err != nil {
		return Batch{}, err
	}
	batch := Batch{ID: id}
	for _, s := range group {
		for _, d := range s.drafts {
			name := EntryName{BatchID: id, ID: int32(len(batch.Entries))} //nolint:gosec // bounded by newSubmission and Limits
			batch.Entries = append(batch.Entries, Entry{Name: name, Draft: d})
		}
		for _, d := range s.decisions {
			if skip == nil || !skip(d.Hash) {
				batch.Decisions = append(batch.Decisions, d)
			}
		}
	}
	slices.SortFunc(batch.Decisions, func(a, b StoredDecision) int { return bytes.Compare(a.Hash[:], b.Hash[:]) })
	batch.Decisions = slices.CompactFunc(batch.Decisions, func(a, b StoredDecision) bool { return a.Hash == b.Hash })
	return batch, nil
}
