package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// suppress marks the identifiers of erased people, by their hashes: who comes in again is noticed. A mark is not tied to whose it was, and
// knows only the day.
func (w *Writes) suppress(erasures []Erasure) {
	var hashes []IdentifierKey
	var days []time.Time
	for i := range erasures {
		for _, hash := range erasures[i].Hashes {
			hashes, days = append(hashes, hash), append(days, erasures[i].MarkedAt.UTC().Truncate(24*time.Hour))
		}
	}
	if len(hashes) == 0 {
		return
	}
	types, values := splitKeys(hashes)
	w.queue(`INSERT INTO suppression (type, hash, at) SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::timestamptz[]) ON CONFLICT DO NOTHING`, types, values, days)
}

// Unsuppress takes marks away, and tells how many there were.
func (t *Tx) Unsuppress(ctx context.Context, hashes []IdentifierKey) (int, error) {
	types, values := splitKeys(hashes)
	tag, err := t.tx.Exec(ctx, `DELETE FROM suppression WHERE (type, hash) IN (SELECT * FROM unnest($1::smallint[], $2::bytea[]))`, types, values)
	return int(tag.RowsAffected()), wrap(err, "take marks of erased identifiers away")
}

// Suppressed tells which of the hashes are marked.
func (s *Store) Suppressed(ctx context.Context, hashes []IdentifierKey) (map[IdentifierKey]bool, error) {
	return suppressed(ctx, s.pool, hashes)
}

// Suppressed is [Store.Suppressed] within the transaction.
func (t *Tx) Suppressed(ctx context.Context, hashes []IdentifierKey) (map[IdentifierKey]bool, error) {
	return suppressed(ctx, t.tx, hashes)
}

func suppressed(ctx context.Context, q querier, hashes []IdentifierKey) (map[IdentifierKey]bool, error) {
	types, values := splitKeys(hashes)
	rows, err := q.Query(ctx, `SELECT type, hash FROM suppression WHERE (type, hash) IN (SELECT * FROM unnest($1::smallint[], $2::bytea[]))`, types, values)
	if err != nil {
		return nil, wrap(err, "look for erased identifiers")
	}
	found := make(map[IdentifierKey]bool)
	var kind int16
	var hash []byte
	_, err = pgx.ForEachRow(rows, []any{&kind, &hash}, func() error {
		found[IdentifierKey{privacy.AttributeID(kind), BlindIndex(hash)}] = true //nolint:gosec // the catalogue numbers types from 1
		return nil
	})
	return found, wrap(err, "look for erased identifiers")
}
