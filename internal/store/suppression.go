package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// suppress marks the identifiers of erased people, by their hashes: who comes in again is noticed.
func (w *Writes) suppress(erasures []Erasure) {
	var hashes []IdentifierKey
	var requests [][16]byte
	var ats []time.Time
	for i := range erasures {
		for _, hash := range erasures[i].Hashes {
			hashes, requests, ats = append(hashes, hash), append(requests, erasures[i].Request), append(ats, erasures[i].MarkedAt)
		}
	}
	if len(hashes) == 0 {
		return
	}
	types, values := splitKeys(hashes)
	w.queue(`INSERT INTO suppression (type, hash, request_id, at) SELECT * FROM unnest($1::smallint[], $2::bytea[], $3::uuid[], $4::timestamptz[]) ON CONFLICT DO NOTHING`, types, values, requests, ats)
}

// Suppressed tells which of the hashes are marked.
func (s *Store) Suppressed(ctx context.Context, hashes []IdentifierKey) (map[IdentifierKey]bool, error) {
	types, values := splitKeys(hashes)
	rows, err := s.pool.Query(ctx, `SELECT type, hash FROM suppression WHERE (type, hash) IN (SELECT * FROM unnest($1::smallint[], $2::bytea[]))`, types, values)
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
