package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// LegalHold says that a subject's data must be kept, and by which provision.
type LegalHold struct {
	ID         [16]byte
	Subject    privacy.SubjectID
	Ground     string
	PlacedBy   privacy.ClientID
	PlacedAt   time.Time
	ReleasedBy privacy.ClientID
	ReleasedAt time.Time // zero: it stands
}

const selectHolds = `SELECT hold_id, subject_id, ground, placed_by, placed_at, coalesce(released_by, ''), released_at FROM legal_hold WHERE subject_id = $1`

func scanHold(row pgx.CollectableRow) (h LegalHold, err error) {
	var released *time.Time
	err = row.Scan(&h.ID, (*[16]byte)(&h.Subject), &h.Ground, &h.PlacedBy, &h.PlacedAt, &h.ReleasedBy, &released)
	h.ReleasedAt = timeOrZero(released)
	return h, err
}

// PlaceHold adds a hold on a locked subject.
func (w *Writes) PlaceHold(h *LegalHold) {
	w.queue(`INSERT INTO legal_hold (subject_id, hold_id, ground, placed_by, placed_at) VALUES ($1, $2, $3, $4, $5)`, [16]byte(h.Subject), h.ID, h.Ground, h.PlacedBy, h.PlacedAt)
}

// ReleaseHold ends a hold on a locked subject. KindNotFound when there is none that stands.
func (t *Tx) ReleaseHold(ctx context.Context, subject privacy.SubjectID, hold [16]byte, by privacy.ClientID, at time.Time) error {
	tag, err := t.tx.Exec(ctx, `UPDATE legal_hold SET released_by = $3, released_at = $4 WHERE subject_id = $1 AND hold_id = $2 AND released_at IS NULL`, [16]byte(subject), hold, by, at)
	if err == nil && tag.RowsAffected() != 1 {
		return privacy.NotFound("hold_not_found", "there is no such hold that stands")
	}
	return wrap(err, "release a hold")
}

// StandingHolds reads the holds that stand on a locked subject.
func (t *Tx) StandingHolds(ctx context.Context, subject privacy.SubjectID) ([]LegalHold, error) {
	return holds(ctx, t.tx, selectHolds+` AND released_at IS NULL ORDER BY placed_at`, subject)
}

// Held tells which of some locked subjects a hold stands on.
func (t *Tx) Held(ctx context.Context, subjects []privacy.SubjectID) (map[privacy.SubjectID]bool, error) {
	rows, err := t.tx.Query(ctx, `SELECT DISTINCT subject_id FROM legal_hold WHERE subject_id = ANY($1) AND released_at IS NULL`, subjectArray(subjects))
	if err != nil {
		return nil, wrap(err, "read legal holds")
	}
	held, err := collectSubjects(rows)
	return held, wrap(err, "read legal holds")
}

// Holds lists all holds there ever were on a subject.
func (s *Store) Holds(ctx context.Context, subject privacy.SubjectID) ([]LegalHold, error) {
	return holds(ctx, s.pool, selectHolds+` ORDER BY placed_at`, subject)
}

func holds(ctx context.Context, q querier, sql string, subject privacy.SubjectID) ([]LegalHold, error) {
	rows, err := q.Query(ctx, sql, [16]byte(subject))
	if err != nil {
		return nil, wrap(err, "read legal holds")
	}
	list, err := pgx.CollectRows(rows, scanHold)
	return list, wrap(err, "read legal holds")
}
