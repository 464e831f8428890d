package store

import (
	"context"
	"encoding/json"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// PutStanding replaces the standing of a locked subject.
func (t *Tx) PutStanding(ctx context.Context, id privacy.SubjectID, standing privacy.Standing, at time.Time) error {
	w := &Writes{}
	w.PutStanding(id, standing, at)
	return t.Send(ctx, w)
}

// PutStanding is [Tx.PutStanding] among other writes.
func (w *Writes) PutStanding(id privacy.SubjectID, standing privacy.Standing, at time.Time) {
	content, _ := json.Marshal(standing) // scopes and times: it always encodes
	w.queue(`UPDATE subject SET standing = $2, updated_at = $3 WHERE subject_id = $1`, [16]byte(id), content, at)
}

// readStanding reads the column as statements select it: NULL for the standing of nearly everybody,
// who never objected to anything.
func readStanding(content []byte) (standing privacy.Standing, err error) {
	if content == nil {
		return standing, nil
	}
	if err := json.Unmarshal(content, &standing); err != nil {
		return standing, privacy.Internal(nil, "read a standing") // the cause would quote it
	}
	return standing, nil
}

// selectStanding selects the column for readStanding; s is the subject.
const selectStanding = `nullif(s.standing, '{}')`
