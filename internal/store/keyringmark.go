package store

import (
	"bytes"
	"context"
	"time"
)

// ClaimKeyring notes the mark of the keyring that the database's values are sealed under, unless one was noted before, and reports
// whether it is this one.
func (s *Store) ClaimKeyring(ctx context.Context, mark [32]byte, at time.Time) (same bool, err error) {
	if _, err := s.pool.Exec(ctx, `INSERT INTO keyring_mark (mark, set_at) VALUES ($1, $2) ON CONFLICT DO NOTHING`, mark[:], at); err != nil {
		return false, wrap(err, "note the keyring")
	}
	var noted []byte
	err = s.pool.QueryRow(ctx, `SELECT mark FROM keyring_mark`).Scan(&noted)
	return bytes.Equal(noted, mark[:]), wrap(err, "look the keyring up")
}
