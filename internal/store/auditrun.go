package store

import (
	"slices"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/consentry/consentry/internal/audit"
)

// A disclosure about many subjects leaves as many entries, which differ in the subject and the decision alone. They are
// written as one row: both sides would spend more on a thousand rows than on all the rest of the disclosure.

// runEntries is how many alike entries are worth a row of their own kind.
const runEntries = 16

const insertRun = `
	INSERT INTO audit_run (batch_id, id, at, action, client, request_id, purpose, roles, attributes, subject_ids, decided, decisions)
	VALUES ($1, $2, $3, $4, $5, $6, $7, string_to_array($8, ','), string_to_array($9, ','), $10, $11, $12)`

// queueRuns queues the runs among the entries, and gives the entries that are in none.
func queueRuns(statements *pgx.Batch, entries []audit.Entry) (others []audit.Entry) {
	start := 0 // of what is neither queued nor among the others yet
	for i := 0; i < len(entries); {
		n := runLength(entries[i:])
		if n >= runEntries {
			others = append(others, entries[start:i]...)
			queueRun(statements, entries[i:i+n])
			start = i + n
		}
		i += n
	}
	if start == 0 {
		return entries
	}
	return append(others, entries[start:]...)
}

func runLength(entries []audit.Entry) int {
	n := 1
	for n < len(entries) && alike(&entries[0], &entries[n]) {
		n++
	}
	return n
}

// alike reports whether two entries can be in one run. Those with an object or an actor never are.
func alike(a, b *audit.Entry) bool {
	return a.Object == "" && a.Actor == "" && b.Object == "" && b.Actor == "" &&
		a.At.Equal(b.At) && a.Action == b.Action && a.Client == b.Client && a.RequestID == b.RequestID && a.Purpose == b.Purpose &&
		slices.Equal(a.Roles, b.Roles) && slices.Equal(a.Attributes, b.Attributes)
}

func queueRun(statements *pgx.Batch, run []audit.Entry) {
	e := &run[0]
	decided, decisions := decisionPlaces(run)
	statements.Queue(insertRun, [16]byte(e.Name.BatchID), e.Name.ID, e.At, string(e.Action), string(e.Client), string(e.RequestID),
		string(e.Purpose), joinNames(e.Roles), joinNames(e.Attributes), subjectsOf(run), decided, decisions)
}

// decisionPlaces gives the distinct decisions of a run, and for each entry the place of its own among them: counted from 1, 0
// for none.
func decisionPlaces(run []audit.Entry) (places []int16, decisions [][]byte) {
	places, decisions = make([]int16, len(run)), [][]byte{}
	known := make(map[audit.Hash]int16)
	for i := range run {
		hash := run[i].Decision
		if hash == (audit.Hash{}) {
			continue
		}
		if known[hash] == 0 {
			decisions = append(decisions, hash[:])
			known[hash] = int16(len(decisions)) //nolint:gosec // a batch has at most a few thousand entries
		}
		places[i] = known[hash]
	}
	return places, decisions
}

// subjectsOf is the subjects of entries as uuid[].
type subjectsOf []audit.Entry

// Dimensions implements pgtype.ArrayGetter.
func (a subjectsOf) Dimensions() []pgtype.ArrayDimension { return oneDimension(len(a)) }

// Index implements pgtype.ArrayGetter.
func (a subjectsOf) Index(i int) any { return (*subjectItem)(&a[i].Subject) }

// IndexType implements pgtype.ArrayGetter.
func (a subjectsOf) IndexType() any { return (*subjectItem)(nil) }

// decisionsOf is the names of the decisions of entries as bytea[].
type decisionsOf []audit.Entry

// Dimensions implements pgtype.ArrayGetter.
func (a decisionsOf) Dimensions() []pgtype.ArrayDimension { return oneDimension(len(a)) }

// Index implements pgtype.ArrayGetter.
func (a decisionsOf) Index(i int) any { return (*hashItem)(&a[i].Decision) }

// IndexType implements pgtype.ArrayGetter.
func (a decisionsOf) IndexType() any { return (*hashItem)(nil) }

// hashItem is a hash in a list; the zero one stands for NULL.
type hashItem audit.Hash

// BytesValue implements pgtype.BytesValuer.
func (h *hashItem) BytesValue() ([]byte, error) {
	if *h == (hashItem{}) {
		return nil, nil
	}
	return h[:], nil
}
