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
	return assemble(now, random, []*Submission{s}, nil)
}

// Submission is one caller's share of a batch, checked and copied.
type Submission struct {
	drafts    []Draft
	decisions []StoredDecision // distinct, in order of hash

	batcher   *Batcher
	committed chan error                 // holds one, so that answering a caller who has left blocks nobody
	first     EntryName                  // of its entries; set before committed is told
	overtaken map[privacy.SubjectID]bool // set before committed is told
}

// Overtaken reports whether what was decided about a subject no longer stood when it was on record. It is for who has waited.
func (s *Submission) Overtaken(id privacy.SubjectID) bool { return s.overtaken[id] }

// names lists the entries of a committed submission.
func (s *Submission) names() []EntryName {
	names := make([]EntryName, len(s.drafts))
	for i := range names {
		names[i] = EntryName{BatchID: s.first.BatchID, ID: s.first.ID + int32(i)}
	}
	return names
}

func newSubmission(now time.Time, drafts []Draft, decisions []Decision) (*Submission, error) {
	if len(drafts) == 0 || len(drafts) > math.MaxInt32 {
		return nil, malformed("batch")
	}
	s := &Submission{drafts: make([]Draft, len(drafts))}
	var err error
	if s.decisions, err = named(decisions); err != nil {
		return nil, err
	}
	for i, d := range drafts {
		d = d.normalised(now)
		if err := d.Validate(); err != nil {
			return nil, err
		}
		// An entry whose decision is nowhere could never be replayed.
		if _, given := slices.BinarySearchFunc(s.decisions, d.Decision, compareHash); !given && !d.Decision.IsZero() {
			return nil, privacy.Internal(nil, "record an audit entry: its decision is missing")
		}
		s.drafts[i] = d
	}
	return s, nil
}

// named gives decisions their names and brings them into the order of a batch.
func named(decisions []Decision) ([]StoredDecision, error) {
	stored := make([]StoredDecision, len(decisions))
	for i, d := range decisions {
		if err := d.Validate(); err != nil {
			return nil, err
		}
		stored[i] = StoredDecision{Hash: d.Hash(), Decision: d}
	}
	return inOrder(stored), nil
}

// inOrder sorts decisions by hash and drops repeats.
func inOrder(decisions []StoredDecision) []StoredDecision {
	if len(decisions) < 2 {
		return decisions
	}
	slices.SortFunc(decisions, func(a, b StoredDecision) int { return compareHash(a, b.Hash) })
	return slices.CompactFunc(decisions, func(a, b StoredDecision) bool { return a.Hash == b.Hash })
}

func compareHash(d StoredDecision, hash Hash) int { return bytes.Compare(d.Hash[:], hash[:]) }

// assemble makes one batch of several submissions, leaving out the decisions that skip knows to
// be stored.
func assemble(now time.Time, random io.Reader, group []*Submission, skip func(Hash) bool) (Batch, error) {
	id, err := privacy.NewUUIDv7(now, random)
	if err != nil {
		return Batch{}, err
	}
	entries := 0
	for _, s := range group {
		entries += len(s.drafts)
	}
	batch := Batch{ID: id, Entries: make([]Entry, 0, entries)}
	for _, s := range group {
		s.first = EntryName{BatchID: id, ID: int32(len(batch.Entries))} //nolint:gosec // bounded by newSubmission and Limits
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
	batch.Decisions = inOrder(batch.Decisions)
	return batch, nil
}
