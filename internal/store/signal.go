package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Signal is one privacy signal that was received for a subject. Seq counts from 1 within the subject, and is
// the version of the seal.
type Signal struct {
	Seq        int32
	Kind       privacy.SignalKind
	Sealed     []byte
	Effects    []privacy.SignalEffect
	Revision   privacy.RevisionID // by whose rules it was read
	RecordedBy privacy.ClientID
	ReceivedAt time.Time
}

// LastSignals gives the newest signal of each kind of a locked subject, and the highest number of all.
func (t *Tx) LastSignals(ctx context.Context, id privacy.SubjectID) (last map[privacy.SignalKind]Signal, highest int32, err error) {
	rows, err := t.tx.Query(ctx, `SELECT DISTINCT ON (kind) `+signalColumns+` FROM subject_signal WHERE subject_id = $1 ORDER BY kind, seq DESC`, [16]byte(id))
	if err != nil {
		return nil, 0, wrap(err, "read signals")
	}
	signals, err := pgx.CollectRows(rows, scanSignal)
	if err != nil {
		return nil, 0, wrap(err, "read signals")
	}
	last = make(map[privacy.SignalKind]Signal, len(signals))
	for _, signal := range signals {
		last[signal.Kind], highest = signal, max(highest, signal.Seq)
	}
	return last, highest, nil
}

// AppendSignal adds a signal of a locked subject.
func (t *Tx) AppendSignal(ctx context.Context, id privacy.SubjectID, s Signal) error {
	effects, err := json.Marshal(s.Effects)
	if err != nil {
		return privacy.Internal(err, "write the effects of a signal")
	}
	_, err = t.tx.Exec(ctx, `INSERT INTO subject_signal (subject_id, `+signalColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		[16]byte(id), s.Seq, s.Kind, s.Sealed, effects, s.Revision, s.RecordedBy, s.ReceivedAt)
	return wrap(err, "append a signal")
}

// Signals reads the signals of a subject, newest first: up to limit that are older than before (0: from the
// newest).
func (s *Store) Signals(ctx context.Context, id privacy.SubjectID, before int32, limit int) ([]Signal, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+signalColumns+` FROM subject_signal WHERE subject_id = $1 AND ($2 = 0 OR seq < $2) ORDER BY seq DESC LIMIT $3`, [16]byte(id), before, limit)
	if err != nil {
		return nil, wrap(err, "read signals")
	}
	signals, err := pgx.CollectRows(rows, scanSignal)
	return signals, wrap(err, "read signals")
}

const signalColumns = `seq, kind, sealed, effects, revision, recorded_by, received_at`

func scanSignal(row pgx.CollectableRow) (Signal, error) {
	var s Signal
	return s, row.Scan(&s.Seq, &s.Kind, &s.Sealed, &s.Effects, &s.Revision, &s.RecordedBy, &s.ReceivedAt)
}
