package custody

import (
	"context"
	"errors"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// newSlots hands out keys for new subjects, drawing slots from the database as many at a time
// as are still wanted.
type newSlots struct {
	service *Service
	want    int
	drawn   []privacy.KeySlot
}

// next gives the next free slot and its key. Slots whose key was erased are passed over: after the
// database was restored from a backup, its sequence counts again through slots that
// have been used, and perhaps punctured, since.
func (n *newSlots) next(ctx context.Context, id privacy.SubjectID) (privacy.KeySlot, *keyring.Subject, error) {
	for {
		if len(n.drawn) == 0 {
			slots, err := n.service.store.NextSlots(ctx, max(n.want, 1))
			if err != nil {
				return 0, nil, err
			}
			n.drawn = slots
		}
		slot := n.drawn[0]
		n.drawn = n.drawn[1:]
		if err := n.service.ensurePage(ctx, keyring.PageOf(slot)); err != nil {
			return 0, nil, err
		}
		key, err := n.service.keyring.Subject(ctx, id, slot)
		if errors.Is(err, keyring.ErrPunctured) {
			continue
		}
		n.want--
		return slot, key, err
	}
}

// ensurePage makes a key page on its first use. A page the database knows is never made again: if it is
// missing in Vault, that is a loss which sealing under a fresh page would hide.
func (s *Service) ensurePage(ctx context.Context, page keyring.PageNo) error {
	if s.pages.has(page) {
		return nil
	}
	known, err := s.store.KeyPageKnown(ctx, int64(page))
	if err != nil {
		return err
	}
	if !known {
		if _, err := s.keyring.EnsurePage(ctx, page); err != nil {
			return err
		}
		if err := s.store.NoteKeyPage(ctx, int64(page), s.instant()); err != nil {
			return err
		}
	}
	s.pages.add(page)
	return nil
}

func (k *knownPages) has(page keyring.PageNo) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen[page]
}

func (k *knownPages) add(page keyring.PageNo) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.seen == nil {
		k.seen = make(map[keyring.PageNo]bool)
	}
	k.seen[page] = true
}
