package importer

import (
	"cmp"
	"errors"
	"hash/fnv"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// round is a run of records that is dealt out to the workers, the unit of progress.
type round struct {
	counts  Counts   // of what was decided while reading
	rejects []Reject // too
	parts   []*part  // by worker, nil for those without
	read    int64    // bytes of the file read so far
}

// part is what one worker stores of a round. Whoever waits for done may read the outcome.
type part struct {
	records  []Record
	repeated bool // some of it may have been stored before

	done    chan struct{}
	err     error
	counts  Counts
	rejects []Reject
	newest  int64
}

func (r *round) reject(line, record int, err error) {
	r.counts.Rejected++
	r.rejects = append(r.rejects, newReject(line, record, err))
}

// newReject tells why a record is turned away. Errors of the project hold no values; of any other
// nothing is told.
func newReject(line, record int, err error) Reject {
	reject := Reject{Line: line, Record: record, Code: "internal", Reason: "the record could not be stored"}
	var known *privacy.Error
	if errors.As(err, &known) {
		reject.Code, reject.Reason = known.Code, known.Detail
	}
	return reject
}

// merge adds up what became of the whole round, its rejects in the order of the file.
func (r *round) merge(newest []int64) (Counts, []Reject) {
	for i, p := range r.parts {
		if p != nil {
			r.counts.add(p.counts)
			r.rejects = append(r.rejects, p.rejects...)
			newest[i] = p.newest
		}
	}
	slices.SortFunc(r.rejects, func(a, b Reject) int { return cmp.Compare(a.Record, b.Record) })
	return r.counts, r.rejects
}

// shard chooses the worker for a record: always the same for the same first identifier. The hash
// stays in memory.
func shard(record *Record, workers int) int {
	first := record.Identifiers[0]
	hash := fnv.New64a()
	_ = first.Value.Borrow(func(text string) error {
		_, err := hash.Write([]byte(string(first.Type) + "\x00" + text))
		return err
	})
	return int(hash.Sum64() % uint64(workers)) //nolint:gosec // a small positive number
}

// tally counts what became of a part. Newest is when the newest subject that the worker has counted as
// created was made. In a part that is repeated, a subject that was there already but is younger
// than that was created by an earlier attempt, which was not counted.
func (p *part) tally(stored []Stored, newest int64) {
	p.newest = newest
	counted := make(map[privacy.SubjectID]bool)
	for i, result := range stored {
		record := &p.records[i]
		p.counts.Consents += result.Consents
		if result.Err != nil {
			p.counts.Rejected++
			p.rejects = append(p.rejects, newReject(record.line, record.Number, result.Err))
			continue
		}
		made := madeAt(result.ID)
		if result.Created || (p.repeated && made > newest && !counted[result.ID]) {
			p.counts.Created++
			counted[result.ID] = true
			p.newest = max(p.newest, made)
			continue
		}
		p.counts.Updated++
	}
}

// madeAt reads the time out of a UUIDv7, in Unix milliseconds.
func madeAt(id privacy.SubjectID) int64 {
	var at int64
	for _, b := range id[:6] {
		at = at<<8 | int64(b)
	}
	return at
}

// checkTimes looks at a record's time. A grant without one cannot be taken: dated today, an old
// export would bring back what a customer has withdrawn since.
func checkTimes(record *Record, now time.Time) error {
	if record.CollectedAt.After(now.Add(time.Minute)) {
		return privacy.Invalid("collected_in_future", "collected_at lies in the future")
	}
	if record.CollectedAt.IsZero() && isGrant(record.Consents) {
		return privacy.Invalid("consent_without_time", "a grant needs the time at which it was given: collected_at in the mapping")
	}
	return nil
}
