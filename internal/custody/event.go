package custody

import (
	"context"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// TellOfPublication puts the event of a revision that is in force from now on into the outbox. The publications
// must be locked ([store.Tx.Publication]).
func (s *Service) TellOfPublication(ctx context.Context, tx *store.Tx, kind privacy.EventKind, revision privacy.RevisionID, at time.Time) error {
	id, err := s.newID()
	if err != nil {
		return err
	}
	return tx.AppendChange(ctx, privacy.Event{ID: id, Kind: kind, At: at, Detail: privacy.EventDetail{Revision: revision}})
}
