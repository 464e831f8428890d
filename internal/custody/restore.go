package custody

import (
	"context"
	"errors"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// The database and the keyring both know which erasures there were: the database by its rows, the keyring by its tombstones. When
// either was restored from a backup, one knows of erasures that the other does not, and until that is put right nothing is served.

// ErrRestoreCheck is given where database and keyring know of different erasures.
var ErrRestoreCheck = privacy.NewError(privacy.KindUnavailable, "restore_check_needed", "the database or the keyring was restored from a backup that does not know all erasures; run consentry restore check first")

// Restored is what a check after a restore has found and put right.
type Restored struct {
	Subjects    int `json:"subjects"`     // looked at
	Repeated    int `json:"repeated"`     // erasures that the keyring knew of and the database did not
	KeysGone    int `json:"keys_gone"`    // subjects who were re-keyed since the backup: what it has of them opens no more and is deleted; they stay
	Punctured   int `json:"punctured"`    // keys that were back, of erased subjects and of re-keyed ones, and are gone again
	Suppressed  int `json:"suppressed"`   // identifiers that are marked again
	BuriedAgain int `json:"buried_again"` // records of tombstones that the keyring had lost
}

// erasuresKnown compares what database and keyring know. A running erasure writes its row before its tombstone, and notes that it is buried after
// it; the two lists are read so that one under way is never taken for a loss.
func (s *Service) erasuresKnown(ctx context.Context) (lostHere, lostThere []keyring.TombstoneName, err error) {
	buried, err := s.store.Tombstones(ctx, true)
	if err != nil {
		return nil, nil, err
	}
	names, err := s.keyring.TombstoneNames(ctx)
	if err != nil {
		return nil, nil, err
	}
	known, err := s.store.Tombstones(ctx, false)
	if err != nil {
		return nil, nil, err
	}
	there := make(map[[16]byte]bool, len(names))
	for _, name := range names {
		there[name.ID] = true
		if _, ok := known[name.ID]; !ok {
			lostHere = append(lostHere, name)
		}
	}
	for id, slot := range buried {
		if !there[id] {
			lostThere = append(lostThere, keyring.TombstoneName{Page: keyring.PageOf(slot), ID: id})
		}
	}
	return lostHere, lostThere, nil
}

// RestoreChecked reports whether database and keyring know the same erasures; [ErrRestoreCheck] when they do not.
func (s *Service) RestoreChecked(ctx context.Context) error {
	lostHere, lostThere, err := s.erasuresKnown(ctx)
	if err == nil && len(lostHere)+len(lostThere) > 0 {
		return ErrRestoreCheck
	}
	return err
}

// CheckRestored brings database and keyring to what both of them together know, after either was restored from a backup: who is
// erased by one of them is erased. It may be repeated, and must run while no node does. The requests are taken up
// again by the first node that starts, which tells the processors once more and makes the certificates out anew.
func (s *Service) CheckRestored(ctx context.Context) (Restored, error) {
	var done Restored
	lostHere, lostThere, err := s.erasuresKnown(ctx)
	if err != nil {
		return done, err
	}
	for _, name := range lostThere {
		group, err := s.store.ErasuresBuried(ctx, name.ID)
		if err != nil {
			return done, err
		}
		if err := s.Bury(ctx, group); err != nil {
			return done, err
		}
		done.BuriedAgain++
	}
	for _, name := range lostHere {
		dead, err := s.keyring.Tombstones(ctx, name)
		if err != nil {
			return done, err
		}
		if err := s.repeat(ctx, name, dead, &done); err != nil {
			return done, err
		}
	}
	return done, s.checkKeys(ctx, &done)
}

// repeat erases once more whom a record of tombstones tells of.
func (s *Service) repeat(ctx context.Context, name keyring.TombstoneName, dead []keyring.Tombstone, done *Restored) error {
	erasures := make([]store.Erasure, len(dead))
	for i, d := range dead {
		erasures[i] = store.Erasure{Subject: d.Subject, Request: d.Request, Step: store.ErasureBuried, Slot: d.Slot, Tombstone: name.ID, MarkedAt: d.At, Entries: []string{}}
		for _, hash := range d.Suppressed {
			erasures[i].Hashes = append(erasures[i].Hashes, store.IdentifierKey{Type: hash.Type, Index: hash.Hash})
		}
		done.Suppressed += len(d.Suppressed)
	}
	if err := s.markAgain(ctx, erasures); err != nil {
		return err
	}
	done.Repeated += len(erasures)
	if err := s.Puncture(ctx, erasures); err != nil {
		return err
	}
	return s.DeleteErased(ctx, erasures)
}

// markAgain marks subjects erased whom a backup has brought back, and takes their requests up again.
func (s *Service) markAgain(ctx context.Context, erasures []store.Erasure) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		at := s.instant()
		sealed, err := tx.SealedIdentifiers(ctx, subjectsOf(erasures))
		if err != nil {
			return err
		}
		drafts := make([]audit.Draft, len(erasures))
		for i, e := range erasures {
			drafts[i] = audit.Draft{Action: audit.ActionErasureRepeat, Client: privacy.SystemClient, Subject: e.Subject, Object: RequestObject(e.Request)}
		}
		batch, err := s.newBatch(at, drafts)
		if err != nil {
			return err
		}
		w := &store.Writes{}
		var released []store.IdentifierKey
		for i := range erasures {
			e := &erasures[i]
			for _, identifier := range sealed[e.Subject] {
				released = append(released, identifier.Key)
			}
			e.Entries = []string{batch.Entries[i].Name.String()}
		}
		change, err := s.newID()
		if err != nil {
			return err
		}
		w.MarkErased(erasures, change)
		for i := range erasures {
			w.RestoreRequest(&erasures[i], at)
		}
		w.ReleaseIdentifiers(released)
		w.AppendAudit(batch)
		return tx.Send(ctx, w)
	})
}

// checkKeys looks for every subject's key: one that is gone takes what is sealed under it with it, and one that is there although the
// subject is erased, or has another by now, goes again.
func (s *Service) checkKeys(ctx context.Context, done *Restored) error {
	for in, err := range s.store.SubjectRanges(ctx) {
		if err != nil {
			return err
		}
		rows, err := s.store.KeySlots(ctx, in)
		if err != nil {
			return err
		}
		done.Subjects += len(rows)
		var back []privacy.KeySlot
		for _, row := range rows {
			_, err := s.keyring.Subject(ctx, row.ID, row.Slot)
			switch {
			case err == nil && row.Erased:
				back = append(back, row.Slot)
			case errors.Is(err, keyring.ErrPunctured) && !row.Erased:
				if err := s.startOver(ctx, row); err != nil {
					return err
				}
				done.KeysGone++
			case err != nil && !errors.Is(err, keyring.ErrPunctured):
				return err
			}
		}
		spent, err := s.store.SpentSlotsIn(ctx, in)
		if err != nil {
			return err
		}
		for _, one := range spent {
			if _, err := s.keyring.Subject(ctx, one.Subject, one.Slot); err == nil {
				back = append(back, one.Slot)
			} else if !errors.Is(err, keyring.ErrPunctured) {
				return err
			}
		}
		if len(back) > 0 {
			if err := s.keyring.Puncture(ctx, back...); err != nil {
				return err
			}
			done.Punctured += len(back)
		}
	}
	return nil
}

// startOver gives a subject another key, and empties them of all that was sealed under the one before. Nobody has erased them: an erasure is buried
// before the key goes. They were re-keyed since the backup, because part of them was erased there, and what the backup has of them opens no
// more. They keep what is not sealed: their consents and objections, and that their identifiers find them.
func (s *Service) startOver(ctx context.Context, row store.Subject) error {
	slots := newSlots{service: s, want: 1}
	slot, fresh, err := slots.next(ctx, row.ID)
	if err != nil {
		return err
	}
	restore, err := s.newID()
	if err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		now, err := tx.LockSubject(ctx, row.ID)
		if err != nil {
			return err
		}
		empty := state{}
		now.Slot, now.Version = slot, now.Version+1
		if now.State, err = empty.seal(fresh, s.catalogue.StateAttributes(), now.Version); err != nil {
			return err
		}
		at := s.instant()
		batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionSubjectRekey, Client: privacy.SystemClient, Subject: row.ID, Object: "restore/" + privacy.SubjectID(restore).String()}})
		if err != nil {
			return err
		}
		change, err := s.subjectChanged(at, row.ID)
		if err != nil {
			return err
		}
		w := &store.Writes{}
		w.StartOver(&now, at)
		w.AppendAudit(batch)
		w.AppendChange(change)
		return tx.Send(ctx, w)
	})
}
