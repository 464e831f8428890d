package custody

import (
	"cmp"
	"context"
	"errors"
	"log/slog"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A key page that Vault has nothing left of holds nobody's key, so whoever is to be erased on it is, and their certificate says so: to keep their rows until
// the page comes back, which it may never, would be to keep what they want gone. Should it come back, from a backup of Vault, their keys come with
// it. So the vault looks for such pages now and then, and takes those keys away as soon as it can.

// pageLost reports whether a key page cannot be read, though Vault can.
func pageLost(err error) bool {
	return errors.Is(err, keyring.ErrPageMissing) || errors.Is(err, keyring.ErrPageCorrupt)
}

// pageGone raises the alarm when nothing is left of a missing page, and gives the error back when something is: then an operator can have it again where it
// lies, and the keys with it.
func (s *Service) pageGone(ctx context.Context, page keyring.PageNo, erasures int, missing error) error {
	gone, err := s.keyring.Gone(ctx, page)
	if err != nil || !gone {
		return cmp.Or(err, missing)
	}
	s.pageFailures.Add(1)
	s.log.ErrorContext(ctx, "a key page is gone: nothing that was sealed under it opens until it is put back from a backup of the keyring; erasures on it are carried out without it", slog.Int64("page", int64(page)), slog.Int("erasures", erasures))
	return nil
}

// lookedForAtATime is how many keys of pages that were gone are looked for in one go.
const lookedForAtATime = 1000

// TakeReturned takes keys of erased subjects away whose page was gone when they were erased, and is back.
func (s *Service) TakeReturned(ctx context.Context) error {
	for after := store.NoSlot; ; {
		erasures, err := s.store.ErasuresOnGonePages(ctx, after, lookedForAtATime)
		if err != nil || len(erasures) == 0 {
			return err
		}
		after = erasures[len(erasures)-1].Slot
		for page, group := range onPages(erasures) {
			if err := s.takeReturned(ctx, page, group); err != nil {
				return err
			}
		}
	}
}

func (s *Service) takeReturned(ctx context.Context, page keyring.PageNo, group []store.Erasure) error {
	versions, err := s.keyring.Erase(ctx, column(group, func(e store.Erasure) privacy.KeySlot { return e.Slot })...)
	if pageLost(err) {
		return nil
	}
	if err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		at := s.instant()
		var drafts []audit.Draft
		for _, e := range group {
			mine, err := tx.NoteReturned(ctx, e, versions[page], at)
			if err != nil {
				return err
			}
			if mine {
				drafts = append(drafts, audit.Draft{Action: audit.ActionErasureRepeat, Client: privacy.SystemClient, Subject: e.Subject, Object: RequestObject(e.Request)})
			}
		}
		if len(drafts) == 0 {
			return nil
		}
		batch, err := s.newBatch(at, drafts)
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
}
