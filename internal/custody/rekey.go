package custody

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// To delete one field of somebody leaves it in the backups of the database, sealed under a key that is still there. Where they must not
// keep it, all that is left of the person is sealed again under another slot, and the old one is punctured: then a backup from before
// opens nothing of them, and what was not deleted reads as before. The price is that nobody can restore the rest from such a backup
// either.

// kindOf says what kind of seal the rows of a table have.
var kindOf = map[store.PersonalTable]keyring.Kind{
	store.TableValue: keyring.KindAttribute, store.TableIdentifier: keyring.KindIdentifier, store.TableEvidence: keyring.KindEvidence,
	store.TableSignal: keyring.KindSignal, store.TableDetail: keyring.KindRequest, store.TableMessage: keyring.KindMessage,
}

// EraseFields deletes some attributes of a subject, as a request asks for. It reports false, and deletes nothing, while a legal hold
// stands on them, and when the request is in progress no more. It may be repeated: what was deleted once is not deleted again, and what somebody gives
// anew afterwards stays, unless they ask for it again.
func (s *Service) EraseFields(ctx context.Context, r *store.RightsRequest, attributes []privacy.AttributeName) (done bool, err error) {
	numbers := make([]privacy.AttributeID, 0, len(attributes))
	for _, name := range attributes {
		if attribute, ok := s.catalogue.Attribute(name); ok {
			numbers = append(numbers, attribute.ID)
		}
	}
	err = s.withKeys(ctx, func() error {
		return s.store.Write(ctx, func(tx *store.Tx) error {
			done = false // the transaction may run again
			row, err := tx.LockSubject(ctx, r.Subject)
			if err != nil {
				return err
			}
			holds, err := tx.StandingHolds(ctx, r.Subject)
			if err != nil || len(holds) > 0 {
				return err
			}
			if done, err = tx.TakeUp(ctx, r); err != nil || !done || r.Effected >= r.Joins {
				return err
			}
			if err := s.forgetSaid(ctx, tx, &row, attributes); err != nil {
				return err
			}
			return s.eraseHeld(ctx, tx, row, r, numbers)
		})
	})
	return done && err == nil, err
}

// eraseHeld deletes what there is of some attributes of a locked subject, and enters it. That there was nothing is entered, too: the certificate
// of the erasure rests on it.
func (s *Service) eraseHeld(ctx context.Context, tx *store.Tx, row store.Subject, r *store.RightsRequest, numbers []privacy.AttributeID) error {
	held, facets, err := tx.HeldValues(ctx, row.ID, numbers)
	if err != nil {
		return err
	}
	if len(held) == 0 {
		return s.enterErased(ctx, tx, r, nil, s.instant())
	}
	key, err := s.keyAtHand(ctx, row.ID, row.Slot)
	if err != nil {
		return err
	}
	at := s.instant()
	// Collected now: no older copy from elsewhere brings back what the person wanted gone.
	gone := column(held, func(v store.HeldValue) privacy.AttributeID { return v.Attribute })
	names, err := s.deleteFields(ctx, tx, key, row, gone, "erasure", at, at)
	if isDamage(err) { // the values are deleted; what was made from them cannot be read to be made anew
		names, err = s.namesOf(gone), tx.PutFacets(ctx, row.ID, store.Facets{Version: facets + 1})
	}
	if err != nil {
		return err
	}
	return s.enterErased(ctx, tx, r, names, at)
}

func (s *Service) enterErased(ctx context.Context, tx *store.Tx, r *store.RightsRequest, names []privacy.AttributeName, at time.Time) error {
	batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionErasureFields, Client: privacy.SystemClient, Subject: r.Subject, Object: RequestObject(r.ID), Attributes: names}})
	if err != nil {
		return err
	}
	return tx.AppendAudit(ctx, batch)
}

// Rekey seals everything of a subject again under another key, and takes the old one away, once for a request and once more whenever it was joined: what
// was given anew meanwhile lies in backups under the key of the time before. It may be repeated after any failure, and has to be: until it
// returns, an old key may be there.
func (s *Service) Rekey(ctx context.Context, r *store.RightsRequest) error {
	old, spent, err := s.store.SpentKeyOf(ctx, r)
	if err != nil || !old.PuncturedAt.IsZero() {
		return err
	}
	if !spent {
		slots := newSlots{service: s, want: 1}
		slot, fresh, err := slots.next(ctx, r.Subject)
		if err != nil {
			return err
		}
		err = s.withKeys(ctx, func() error {
			return s.store.Write(ctx, func(tx *store.Tx) error { return s.reseal(ctx, tx, r, slot, fresh) })
		})
		if err != nil {
			return err
		}
	}
	left, err := s.store.SpentSlots(ctx, []privacy.SubjectID{r.Subject})
	for i := 0; err == nil && i < len(left); i++ {
		err = s.takeSpent(ctx, left[i])
	}
	return err
}

// takeSpent takes the key of a spent slot away.
func (s *Service) takeSpent(ctx context.Context, spent store.SpentSlot) error {
	page := keyring.PageOf(spent.Slot)
	versions, err := s.keyring.Erase(ctx, spent.Slot)
	if err != nil {
		return s.pageAlarm(ctx, page, 1, err)
	}
	return s.store.NoteSpentPunctured(ctx, spent, versions[page], s.instant())
}

// takeAllSpent takes the keys away that subjects have had before, where that has not happened yet, and gives those erasures of whose subjects
// none is left: a backup from before opens under an old key as well as under the last.
func (s *Service) takeAllSpent(ctx context.Context, erasures []store.Erasure) ([]store.Erasure, error) {
	spent, err := s.store.SpentSlots(ctx, subjectsOf(erasures))
	if err != nil {
		return nil, err
	}
	var failed error
	left := make(map[privacy.SubjectID]bool)
	for _, one := range spent {
		if err := s.takeSpent(ctx, one); err != nil {
			failed, left[one.Subject] = errors.Join(failed, err), true
		}
	}
	return slices.DeleteFunc(slices.Clone(erasures), func(e store.Erasure) bool { return left[e.Subject] }), failed
}

// reseal writes everything of a subject under a new key.
func (s *Service) reseal(ctx context.Context, tx *store.Tx, r *store.RightsRequest, slot privacy.KeySlot, fresh *keyring.Subject) error {
	row, err := tx.LockSubject(ctx, r.Subject)
	if err != nil {
		return err
	}
	key, err := s.keyAtHand(ctx, row.ID, row.Slot)
	if err != nil {
		return err
	}
	parts, err := tx.SealedParts(ctx, row.ID)
	if err != nil {
		return err
	}
	for i := range parts {
		p := &parts[i]
		if p.Sealed, err = moved(key, fresh, kindOf[p.Table], p.Attribute, p.Version, p.Sealed); err != nil {
			return err
		}
	}
	facets, err := tx.SealedFacets(ctx, row.ID)
	if err != nil {
		return err
	}
	to := store.Rekeyed{Subject: row.ID, From: row.Slot, To: slot, Request: r.ID, Joins: r.Joins}
	if to.State, err = moved(key, fresh, keyring.KindState, 0, row.Version, row.State); err != nil {
		return err
	}
	if facets.Sealed != nil {
		if to.Facets, err = moved(key, fresh, keyring.KindFacet, 0, facets.Version, facets.Sealed); err != nil {
			return err
		}
	}
	return s.writeRekeyed(ctx, tx, &to, parts, s.instant())
}

func (s *Service) writeRekeyed(ctx context.Context, tx *store.Tx, to *store.Rekeyed, parts []store.SealedPart, at time.Time) error {
	batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionSubjectRekey, Client: privacy.SystemClient, Subject: to.Subject, Object: RequestObject(to.Request)}})
	if err != nil {
		return err
	}
	change, err := s.subjectChanged(at, to.Subject)
	if err != nil {
		return err
	}
	w := &store.Writes{}
	w.Rekey(to, parts, at)
	w.AppendAudit(batch)
	w.AppendChange(change)
	return tx.Send(ctx, w)
}

// moved seals under one key what was sealed under another, in the same place. What does not open stays as it is, and opens no more than before.
func moved(from, to *keyring.Subject, kind keyring.Kind, attribute privacy.AttributeID, version uint32, sealed []byte) ([]byte, error) {
	opened, err := from.Open(kind, attribute, version, sealed)
	if errors.Is(err, keyring.ErrNotAuthentic) {
		return sealed, nil
	}
	if err != nil {
		return nil, err
	}
	return to.Seal(kind, attribute, version, opened)
}
