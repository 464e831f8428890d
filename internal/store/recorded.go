package store

import (
	"context"
	"iter"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// RecordedDecision is a decision that audit entries refer to, with how many do and one of them.
type RecordedDecision struct {
	audit.StoredDecision // the hash is the one that the entries name
	Missing              bool
	Entries              int64
	Entry                audit.EntryName
}

// RecordedDecisions reads the distinct decisions that were recorded in a span of time, those of one revision
// after the other, as they are asked for: a log of any size is read in bounded memory. Zero
// times leave the span open.
func (s *Store) RecordedDecisions(ctx context.Context, since, until time.Time) iter.Seq2[RecordedDecision, error] {
	return func(yield func(RecordedDecision, error) bool) {
		span, args := recordedIn(since, until)
		rows, err := s.pool.Query(ctx, `
			SELECT g.decision_hash, g.entries, g.entry, d.revision_id, d.input, d.outcome
			FROM (SELECT decision_hash, count(*) AS entries, min(batch_id::text || '.' || id) AS entry FROM audit_trail`+span+` GROUP BY decision_hash) g
			LEFT JOIN decision d ON d.hash = g.decision_hash
			ORDER BY d.revision_id, g.decision_hash`, args...)
		if err != nil {
			yield(RecordedDecision{}, wrap(err, "read recorded decisions"))
			return
		}
		defer rows.Close()
		for rows.Next() {
			decision, err := scanRecorded(rows)
			if !yield(decision, wrap(err, "read recorded decisions")) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(RecordedDecision{}, wrap(err, "read recorded decisions"))
		}
	}
}

// recordedIn selects the entries of a span that refer to a decision.
func recordedIn(since, until time.Time) (clause string, args []any) {
	filter := AuditFilter{Since: since, Until: until}
	c := filter.conditions()
	return where(append(c.singles, "decision_hash IS NOT NULL")), c.args
}

func scanRecorded(row pgx.Row) (RecordedDecision, error) {
	var d RecordedDecision
	var hash []byte
	var entry string
	var revision *string
	if err := row.Scan(&hash, &d.Entries, &entry, &revision, &d.Input, &d.Outcome); err != nil {
		return d, err
	}
	copy(d.Hash[:], hash)
	if d.Missing = revision == nil; !d.Missing {
		d.Revision = privacy.RevisionID(*revision)
	}
	var err error
	d.Entry, err = audit.ParseEntryName(entry)
	return d, err
}

// PeopleAlike is people whose recorded decisions fall into the same groups.
type PeopleAlike struct {
	Groups []int32
	People int
}

// PeopleByDecision counts the distinct people whom recorded decisions since a time were about, by the groups that the
// decisions belong to. Decisions without a group are left out.
func (s *Store) PeopleByDecision(ctx context.Context, since time.Time, groupOf map[audit.Hash]int32) ([]PeopleAlike, error) {
	hashes, groups := make([][]byte, 0, len(groupOf)), make([]int32, 0, len(groupOf))
	for hash, group := range groupOf {
		hashes, groups = append(hashes, hash[:]), append(groups, group)
	}
	if len(hashes) == 0 {
		return nil, nil
	}
	var people []PeopleAlike
	err := s.readAll(ctx, func(tx pgx.Tx) error {
		rows, err := tx.Query(ctx, `
			SELECT p.groups, count(*) FROM (
				SELECT e.subject_id, array_agg(DISTINCT d.in_group ORDER BY d.in_group) AS groups
				FROM audit_trail e JOIN unnest($1::bytea[], $2::integer[]) AS d (hash, in_group) ON e.decision_hash = d.hash
				WHERE e.at >= $3 AND e.batch_id >= $4 AND e.subject_id IS NOT NULL
				GROUP BY e.subject_id
			) p GROUP BY p.groups`, hashes, groups, since, batchesFrom(since.Add(-batchSlack)))
		if err != nil {
			return err
		}
		people, err = pgx.CollectRows(rows, pgx.RowToStructByPos[PeopleAlike])
		return err
	})
	return people, wrap(err, "count people by decision")
}

// readAll runs a statement that looks at many rows at once, which the settings of the pool are not made for: see Open.
func (s *Store) readAll(ctx context.Context, read func(pgx.Tx) error) error {
	return pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
		for _, setting := range []string{"enable_hashjoin", "enable_seqscan"} {
			if _, err := tx.Exec(ctx, "SET LOCAL "+setting+" = on"); err != nil {
				return err
			}
		}
		return read(tx)
	})
}
