package audit

import (
	"iter"
	"math"
)

// Record is one leaf of the log, joined with the entry it was made from.
type Record struct {
	Index uint64    `json:"index"`
	Leaf  Hash      `json:"leaf"`            // as stored
	Name  EntryName `json:"name"`            // as stored with the leaf
	Entry *Draft    `json:"entry,omitempty"` // nil when there is no such entry any more
}

// Item is one piece of a log laid out for checking: exactly one field is set.
type Item struct {
	Record     *Record
	Checkpoint []byte // a signed note; it comes after the last record that it covers
	Unlogged   *Entry // an entry that no leaf was made from, yet or at all
	Decision   *StoredDecision
}

// Source is a log as it is stored. Records and checkpoints are to be read from one snapshot, or up to a
// size settled beforehand; the others afterwards. Two are read in turns, so each should
// fetch its rows by the page instead of holding a cursor open. Nil sequences are empty.
type Source struct {
	Records     iter.Seq2[Record, error]         // all, in order of index
	Checkpoints iter.Seq2[[]byte, error]         // signed notes, in order of size
	Unlogged    iter.Seq2[Entry, error]          // entries without a leaf
	Decisions   iter.Seq2[StoredDecision, error] // at least those that entries refer to
}

// Items lays the source out for [Verify] and [Export]. It ends after the first error.
func (s Source) Items() iter.Seq2[Item, error] {
	return func(yield func(Item, error) bool) {
		_ = s.log(yield) &&
			each(s.Unlogged, yield, func(e Entry) Item { return Item{Unlogged: &e} }) &&
			each(s.Decisions, yield, func(d StoredDecision) Item { return Item{Decision: &d} })
	}
}

// log merges records and checkpoints, by the sizes that the latter claim. One that claims
// nothing comes at once, to be found out by whoever checks.
func (s Source) log(yield func(Item, error) bool) bool {
	next, stop := iter.Pull2(orEmpty(s.Checkpoints))
	defer stop()
	waiting := pullCheckpoint(next)
	checkpointsTo := func(size uint64) bool {
		for ; waiting.more && waiting.size <= size; waiting = pullCheckpoint(next) {
			if waiting.err != nil {
				yield(Item{}, waiting.err)
				return false
			}
			if !yield(Item{Checkpoint: waiting.signed}, nil) {
				return false
			}
		}
		return true
	}
	if !checkpointsTo(0) {
		return false
	}
	for record, err := range orEmpty(s.Records) {
		if err != nil {
			yield(Item{}, err)
			return false
		}
		if !yield(Item{Record: &record}, nil) || !checkpointsTo(record.Index+1) {
			return false
		}
	}
	return checkpointsTo(math.MaxUint64)
}

// pulled is the next checkpoint of a source, or why there is none.
type pulled struct {
	signed []byte
	size   uint64 // as claimed; zero when it claims nothing
	err    error
	more   bool
}

func pullCheckpoint(next func() ([]byte, error, bool)) pulled {
	signed, err, more := next()
	size, _ := claimedSize(signed)
	return pulled{signed: signed, size: size, err: err, more: more}
}

func each[T any](seq iter.Seq2[T, error], yield func(Item, error) bool, wrap func(T) Item) bool {
	for v, err := range orEmpty(seq) {
		if err != nil {
			yield(Item{}, err)
			return false
		}
		if !yield(wrap(v), nil) {
			return false
		}
	}
	return true
}

func orEmpty[T any](seq iter.Seq2[T, error]) iter.Seq2[T, error] {
	if seq == nil {
		return func(func(T, error) bool) {}
	}
	return seq
}
