package store

import (
	"context"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// Received is a decision by which a client got something about a subject for a purpose.
type Received struct {
	Client   privacy.ClientID
	Purpose  privacy.PurposeName
	Decision audit.Hash
}

// Received tells, each once, by which decisions who was answered about a subject.
func (s *Store) Received(ctx context.Context, subject privacy.SubjectID) ([]Received, error) {
	rows, err := s.pool.Query(ctx, `
		SELECT client, purpose, decision_hash FROM audit_entry WHERE subject_id = $1 AND action = 'disclosure' AND decision_hash IS NOT NULL
		UNION SELECT r.client, r.purpose, r.decisions[e.decided] FROM audit_run r, unnest(r.subject_ids, r.decided) AS e (subject_id, decided)
		WHERE r.subject_ids @> ARRAY[$1::uuid] AND r.action = 'disclosure' AND e.subject_id = $1 AND e.decided > 0
		ORDER BY 1, 2`, [16]byte(subject))
	if err != nil {
		return nil, wrap(err, "find out who received data")
	}
	list, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (r Received, err error) {
		var hash []byte
		err = row.Scan(&r.Client, &r.Purpose, &hash)
		copy(r.Decision[:], hash)
		return r, err
	})
	return list, wrap(err, "find out who received data")
}
