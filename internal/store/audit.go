package store

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// AppendAudit writes a batch of entries beside the change they describe.
func (t *Tx) AppendAudit(ctx context.Context, batch audit.Batch) error {
	statements := &pgx.Batch{}
	queueAudit(statements, batch)
	return wrap(t.tx.SendBatch(ctx, statements).Close(), "write audit entries")
}

// CommitAudit writes a batch in a transaction of its own, in one round trip. Once that is committed it looks whether there was another order about
// the subjects of its disclosures since they were decided, and gives those of whom there was: no lock is held between the reading for a disclosure
// and its record, so this is what keeps one from slipping past an order. The order counts first and reads then to
// whom the subject was disclosed: either it finds the record, or the record's transaction was not over, and so this finds the order.
func (s *Store) CommitAudit(ctx context.Context, batch audit.Batch) (overtaken map[privacy.SubjectID]bool, err error) {
	decided := decidedAsOf(batch.Entries)
	ids := slices.Collect(maps.Keys(decided))
	err = again(func() error {
		statements := &pgx.Batch{}
		if len(ids) == 0 { // a pgx batch outside a transaction runs as one implicit transaction
			s.queueTwoPhase(statements)
			queueAudit(statements, batch)
			return wrap(s.pool.SendBatch(ctx, statements).Close(), "commit audit entries")
		}
		statements.Queue(`BEGIN`)
		s.queueTwoPhase(statements)
		queueAudit(statements, batch)
		statements.Queue(`COMMIT`)
		statements.Queue(selectOrders, subjectArray(ids)).Query(func(rows pgx.Rows) (err error) {
			overtaken, err = collectOvertaken(rows, decided)
			return err
		})
		return wrap(s.pool.SendBatch(ctx, statements).Close(), "commit audit entries")
	})
	return overtaken, err
}

// selectOrders looks at an index of those alone about whom there ever was an order.
const selectOrders = `SELECT subject_id, orders FROM subject WHERE subject_id = ANY($1) AND orders > 0`

// decidedAsOf tells as of which order about each of the subjects of disclosures it was decided, the earliest if it was several times.
func decidedAsOf(entries []audit.Entry) map[privacy.SubjectID]int32 {
	decided := make(map[privacy.SubjectID]int32)
	for i := range entries {
		e := &entries[i]
		if e.Action != audit.ActionDisclosure || e.Subject.IsZero() {
			continue
		}
		if earlier, again := decided[e.Subject]; !again || e.Orders < earlier {
			decided[e.Subject] = e.Orders
		}
	}
	return decided
}

func collectOvertaken(rows pgx.Rows, decided map[privacy.SubjectID]int32) (map[privacy.SubjectID]bool, error) {
	var overtaken map[privacy.SubjectID]bool
	var id privacy.SubjectID
	var orders int32
	_, err := pgx.ForEachRow(rows, []any{(*[16]byte)(&id), &orders}, func() error {
		if orders != decided[id] {
			if overtaken == nil {
				overtaken = make(map[privacy.SubjectID]bool)
			}
			overtaken[id] = true
		}
		return nil
	})
	return overtaken, err
}

func queueAudit(statements *pgx.Batch, batch audit.Batch) {
	if n := len(batch.Decisions); n > 0 {
		hashes, inputs, outcomes := make([][]byte, n), make([][]byte, n), make([][]byte, n)
		revisions := make([]string, n)
		for i := range batch.Decisions {
			d := &batch.Decisions[i]
			hashes[i], revisions[i], inputs[i], outcomes[i] = d.Hash[:], string(d.Revision), d.Input, d.Outcome
		}
		statements.Queue(`INSERT INTO decision (hash, revision_id, input, outcome)
			SELECT * FROM unnest($1::bytea[], $2::text[], $3::bytea[], $4::bytea[]) ON CONFLICT DO NOTHING`, hashes, revisions, inputs, outcomes)
	}
	if others := queueRuns(statements, batch.Entries); len(others) > 0 {
		queueEntries(statements, batch.ID, others)
	}
	statements.Queue(`INSERT INTO audit_batch (batch_id, hashes) VALUES ($1, $2)`, [16]byte(batch.ID), leafHashes(batch.Entries))
}

func queueEntries(statements *pgx.Batch, batch audit.BatchID, entries []audit.Entry) {
	columns := newEntryColumns(entries)
	values := []any{[16]byte(batch), columns.ids, columns.ats, columns.actions, columns.clients, columns.requests,
		subjectsOf(entries), columns.purposes, decisionsOf(entries), columns.roles, columns.attributes}
	if objects, actors, acted := objectColumns(entries); acted {
		statements.Queue(insertActedEntries, append(values, objects, actors)...)
	} else {
		statements.Queue(insertEntries, values...)
	}
}

// leafHashes packs the hashes that the log will hold for the entries of a batch.
func leafHashes(entries []audit.Entry) []byte {
	hashes := make([]audit.Hash, len(entries))
	for i := range entries {
		hashes[i] = entries[i].LeafHash()
	}
	return packHashes(hashes)
}

// Lists travel as one text each, because unnest would flatten an array of arrays; the
// names in them hold no comma.
const insertEntries = `
	INSERT INTO audit_entry (batch_id, id, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes)
	SELECT $1, e.id, e.at, e.action, e.client, e.request_id, e.subject_id, e.purpose, e.decision_hash,
		string_to_array(e.roles, ','), string_to_array(e.attributes, ',')
	FROM unnest($2::integer[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::bytea[], $10::text[], $11::text[])
		AS e (id, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes)`

// insertActedEntries is insertEntries for batches in which an entry has an object or an actor. Disclosures have
// neither, and need not pay for them.
const insertActedEntries = `
	INSERT INTO audit_entry (batch_id, id, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes, object, actor)
	SELECT $1, e.id, e.at, e.action, e.client, e.request_id, e.subject_id, e.purpose, e.decision_hash,
		string_to_array(e.roles, ','), string_to_array(e.attributes, ','), nullif(e.object, ''), nullif(e.actor, '')
	FROM unnest($2::integer[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::uuid[], $8::text[], $9::bytea[], $10::text[], $11::text[], $12::text[], $13::text[])
		AS e (id, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes, object, actor)`

func objectColumns(entries []audit.Entry) (objects, actors []string, acted bool) {
	if !slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Object != "" || e.Actor != "" }) {
		return nil, nil, false
	}
	objects, actors = make([]string, len(entries)), make([]string, len(entries))
	for i := range entries {
		objects[i], actors[i] = entries[i].Object, string(entries[i].Actor)
	}
	return objects, actors, true
}

// entryColumns is a batch turned on its side, as unnest wants it.
type entryColumns struct {
	ids                                  []int32
	ats                                  []time.Time
	actions, clients, requests, purposes []string
	roles, attributes                    []string
}

func newEntryColumns(entries []audit.Entry) entryColumns {
	n := len(entries)
	c := entryColumns{ids: make([]int32, n), ats: make([]time.Time, n), actions: make([]string, n), clients: make([]string, n), requests: make([]string, n),
		purposes: make([]string, n), roles: make([]string, n), attributes: make([]string, n)}
	for i := range entries {
		e := &entries[i]
		c.ids[i], c.ats[i], c.actions[i], c.clients[i] = e.Name.ID, e.At, string(e.Action), string(e.Client)
		c.requests[i], c.purposes[i] = string(e.RequestID), string(e.Purpose)
		c.roles[i], c.attributes[i] = joinNames(e.Roles), joinNames(e.Attributes)
	}
	return c
}

// AuditEntry reads one entry. KindNotFound when there is none of that name.
func (s *Store) AuditEntry(ctx context.Context, name audit.EntryName) (audit.Entry, error) {
	rows, err := s.pool.Query(ctx, selectEntries+` WHERE batch_id = $1 AND id = $2`, [16]byte(name.BatchID), name.ID)
	if err != nil {
		return audit.Entry{}, wrap(err, "read an audit entry")
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	if err == nil && len(entries) == 0 {
		return audit.Entry{}, privacy.NotFound("entry_not_found", "there is no such audit entry")
	}
	if err != nil {
		return audit.Entry{}, wrap(err, "read an audit entry")
	}
	return entries[0], nil
}

// AuditBatches reads all entries of batches, by name.
func (s *Store) AuditBatches(ctx context.Context, batches []audit.BatchID) (map[audit.EntryName]audit.Entry, error) {
	rows, err := s.pool.Query(ctx, selectEntries+` WHERE batch_id = ANY($1)`, batchColumn(batches))
	if err != nil {
		return nil, wrap(err, "read audit entries")
	}
	entries, err := pgx.CollectRows(rows, scanEntry)
	if err != nil {
		return nil, wrap(err, "read audit entries")
	}
	named := make(map[audit.EntryName]audit.Entry, len(entries))
	for i := range entries {
		named[entries[i].Name] = entries[i]
	}
	return named, nil
}

// Decision reads a decision by its hash. KindNotFound when there is none.
func (s *Store) Decision(ctx context.Context, hash audit.Hash) (audit.Decision, error) {
	var d audit.Decision
	err := s.pool.QueryRow(ctx, `SELECT revision_id, input, outcome FROM decision WHERE hash = $1`, hash[:]).Scan(&d.Revision, &d.Input, &d.Outcome)
	if isNoRows(err) {
		return d, privacy.NotFound("decision_not_found", "there is no such decision")
	}
	return d, wrap(err, "read a decision")
}

func scanEntry(row pgx.CollectableRow) (audit.Entry, error) {
	var e audit.Entry
	var subject *[16]byte
	var decision []byte
	err := row.Scan((*[16]byte)(&e.Name.BatchID), &e.Name.ID, &e.At, &e.Action, &e.Client, &e.RequestID, &subject, &e.Purpose, &decision, &e.Roles, &e.Attributes, &e.Object, &e.Actor)
	if err != nil {
		return e, err
	}
	e.At = e.At.UTC()
	if subject != nil {
		e.Subject = *subject
	}
	if decision != nil {
		e.Decision = audit.Hash(decision)
	}
	return e, nil
}

func joinNames[T ~string](names []T) string {
	var joined []byte
	for i, name := range names {
		if i > 0 {
			joined = append(joined, ',')
		}
		joined = append(joined, name...)
	}
	return string(joined)
}
