package custody

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// This file is the part of an erasure that needs keys or takes them away. When it is due, and what follows from it, is decided by
// package rights, which calls the methods here in their order: MarkErased, Bury, Puncture, DeleteErased. Each of them may be
// repeated, and is, after a crash.

// Doomed is a locked subject who is to be erased, and the request that asks for it.
type Doomed struct {
	Subject store.Subject
	Request privacy.RightsRequestID
}

// MarkErased queues what stops all reads of locked subjects, and gives the erasures that begin with it. The marks that their identifiers
// leave have to be worked out now: nobody can open an identifier once the key is gone. Erasures of one page share a tombstone. The error is
// [Damaged], and nothing is queued, when the marks of some cannot be worked out.
func (s *Service) MarkErased(ctx context.Context, tx *store.Tx, w *store.Writes, caller Caller, doomed []Doomed, at time.Time) ([]store.Erasure, error) {
	ids := make([]privacy.SubjectID, len(doomed))
	for i := range doomed {
		ids[i] = doomed[i].Subject.ID
	}
	sealed, err := tx.SealedIdentifiers(ctx, ids)
	if err != nil {
		return nil, err
	}
	drafts := make([]audit.Draft, len(doomed))
	for i, d := range doomed {
		drafts[i] = audit.Draft{Action: audit.ActionErasureMark, Client: caller.Client, RequestID: caller.Request, Subject: d.Subject.ID, Object: RequestObject(d.Request)}
	}
	batch, err := s.newBatch(at, drafts)
	if err != nil {
		return nil, err
	}
	tombstones, damaged := make(map[keyring.PageNo][16]byte), make(Damaged)
	erasures := make([]store.Erasure, len(doomed))
	var released []store.IdentifierKey
	for i, d := range doomed {
		page := keyring.PageOf(d.Subject.Slot)
		if _, ok := tombstones[page]; !ok {
			if tombstones[page], err = s.newID(); err != nil {
				return nil, err
			}
		}
		hashes, err := s.suppressionHashes(ctx, &d.Subject, sealed[d.Subject.ID])
		if isDamage(err) {
			damaged[d.Subject.ID] = err
			continue
		}
		if err != nil {
			return nil, err
		}
		for _, identifier := range sealed[d.Subject.ID] {
			released = append(released, identifier.Key)
		}
		erasures[i] = store.Erasure{Subject: d.Subject.ID, Request: d.Request, Step: store.ErasureMarked, Slot: d.Subject.Slot, Tombstone: tombstones[page],
			Hashes: hashes, MarkedAt: at, Entries: []string{batch.Entries[i].Name.String()}}
	}
	if len(damaged) > 0 {
		return nil, damaged
	}
	change, err := s.newID()
	if err != nil {
		return nil, err
	}
	w.MarkErased(erasures, change)
	w.ReleaseIdentifiers(released)
	w.AppendAudit(batch)
	return erasures, nil
}

// FetchKeys has the key pages of slots at hand, so that no subject is kept locked while they are fetched. Those that cannot be
// had are left to whoever uses them.
func (s *Service) FetchKeys(ctx context.Context, slots []privacy.KeySlot) {
	for _, slot := range slots {
		if !s.keyring.Warm(slot) {
			_ = s.keyring.Fetch(ctx, slot)
		}
	}
}

func (s *Service) suppressionHashes(ctx context.Context, subject *store.Subject, sealed []store.Identifier) ([]store.IdentifierKey, error) {
	key, err := s.keyring.Subject(ctx, subject.ID, subject.Slot)
	if errors.Is(err, keyring.ErrPunctured) {
		return nil, nil // by somebody else, before: there is nothing to be read any more
	}
	lost := pageLost(err) // it must not keep anybody from being erased either
	if err != nil && !lost {
		return nil, err
	}
	var hashes []store.IdentifierKey
	for _, identifier := range sealed {
		kind, ok := s.catalogue.IdentifierByID(identifier.Key.Type)
		if !ok {
			continue // nobody can bring one of the kind any more
		}
		if lost {
			hashes = append(hashes, s.markOfIndex(kind, identifier.Key))
			continue
		}
		value, err := key.Open(keyring.KindIdentifier, identifier.Key.Type, 1, identifier.Sealed)
		switch {
		case errors.Is(err, keyring.ErrNotAuthentic):
			hashes = append(hashes, s.markOfIndex(kind, identifier.Key))
		case err != nil:
			return nil, err
		default:
			hashes = append(hashes, store.IdentifierKey{Type: kind.ID, Index: s.keyring.SuppressionIndex(kind.Type, value)})
		}
	}
	return hashes, nil
}

// markOfIndex is the mark of an identifier that does not open: damage must not keep its holder from being erased, nor let them come back
// unnoticed. It is made from what finds them, and told apart from the mark of any value by the line break, which normal forms do not have.
func (s *Service) markOfIndex(kind *catalogue.Identifier, key store.IdentifierKey) store.IdentifierKey {
	return store.IdentifierKey{Type: kind.ID, Index: s.keyring.SuppressionIndex(kind.Type, privacy.NewCleartext("index\n"+string(key.Index[:])))}
}

// marksOf lists the marks that an identifier can have left.
func (s *Service) marksOf(d ProfileIdentifier) []store.IdentifierKey {
	return []store.IdentifierKey{{Type: d.Type.ID, Index: s.keyring.SuppressionIndex(d.Type.Type, d.Value)}, s.markOfIndex(d.Type, s.identifierKey(d))}
}

// suppressed tells which of the profiles have an identifier of somebody who was erased. It is asked after identifiers were looked up:
// an erasure marks them in the transaction in which they cease to find anybody.
func (s *Service) suppressed(ctx context.Context, marked func(context.Context, []store.IdentifierKey) (map[store.IdentifierKey]bool, error), profiles []Profile, among []int) (map[int]bool, error) {
	var hashes []store.IdentifierKey
	of := make(map[store.IdentifierKey][]int)
	for _, i := range among {
		for _, d := range profiles[i].Identifiers {
			for _, hash := range s.marksOf(d) {
				hashes = append(hashes, hash)
				of[hash] = append(of[hash], i)
			}
		}
	}
	if len(hashes) == 0 {
		return nil, nil
	}
	known, err := marked(ctx, hashes)
	found := make(map[int]bool)
	for hash := range known {
		for _, i := range of[hash] {
			found[i] = true
		}
	}
	return found, err
}

// Bury has the keyring remember marked erasures.
func (s *Service) Bury(ctx context.Context, erasures []store.Erasure) error {
	done := make(map[[16]byte]bool)
	for _, e := range erasures {
		if done[e.Tombstone] {
			continue
		}
		done[e.Tombstone] = true
		group, err := s.store.ErasuresBuried(ctx, e.Tombstone) // all that share it, whoever asks
		if err != nil {
			return err
		}
		dead := make([]keyring.Tombstone, len(group))
		for i, g := range group {
			dead[i] = keyring.Tombstone{Subject: g.Subject, Slot: g.Slot, Request: g.Request, At: g.MarkedAt, Suppressed: make([]keyring.SuppressedIdentifier, len(g.Hashes))}
			for j, hash := range g.Hashes {
				dead[i].Suppressed[j] = keyring.SuppressedIdentifier{Type: hash.Type, Hash: hash.Index}
			}
		}
		if err := s.keyring.Bury(ctx, keyring.TombstoneName{Page: keyring.PageOf(e.Slot), ID: e.Tombstone}, dead); err != nil {
			return err
		}
	}
	return s.store.NoteBuried(ctx, subjectsOf(erasures))
}

// Puncture takes the keys of buried erasures away, page by page: once it returns, nobody can open anything that was sealed under
// them, in whatever backup of the database. A page that fails holds up those alone whose keys are on it.
func (s *Service) Puncture(ctx context.Context, erasures []store.Erasure) error {
	erasures, failed := s.takeAllSpent(ctx, erasures)
	if failed != nil && privacy.KindOf(failed) == privacy.KindUnavailable {
		return failed
	}
	for page, group := range onPages(erasures) {
		if err := s.puncturePage(ctx, page, group); err != nil {
			failed = errors.Join(failed, err)
		}
		if failed != nil && privacy.KindOf(failed) == privacy.KindUnavailable {
			return failed // the next page would fare no better
		}
	}
	return failed
}

// onPages puts erasures together by the page that the key is on.
func onPages(erasures []store.Erasure) map[keyring.PageNo][]store.Erasure {
	pages := make(map[keyring.PageNo][]store.Erasure)
	for _, e := range erasures {
		page := keyring.PageOf(e.Slot)
		pages[page] = append(pages[page], e)
	}
	return pages
}

func (s *Service) puncturePage(ctx context.Context, page keyring.PageNo, group []store.Erasure) error {
	versions, err := s.keyring.Erase(ctx, column(group, func(e store.Erasure) privacy.KeySlot { return e.Slot })...)
	version := versions[page]
	if errors.Is(err, keyring.ErrPageMissing) {
		version, err = store.PageGone, s.pageGone(ctx, page, len(group), err)
	}
	if err != nil {
		return s.pageAlarm(ctx, page, len(group), err)
	}
	return s.store.NotePunctured(ctx, subjectsOf(group), version, s.instant())
}

// DeleteErased deletes all that was sealed under keys that are gone, once: erasures that another deletes are left to it.
func (s *Service) DeleteErased(ctx context.Context, erasures []store.Erasure) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		mine, err := tx.TakeErasures(ctx, erasures, store.ErasurePunctured, store.ErasureDeleted)
		if err != nil || len(mine) == 0 {
			return err
		}
		at := s.instant()
		erased, err := tx.DeletePersonal(ctx, subjectsOf(mine))
		if err != nil {
			return err
		}
		drafts := make([]audit.Draft, len(mine))
		for i, e := range mine {
			drafts[i] = audit.Draft{Action: audit.ActionErasureExecute, Client: privacy.SystemClient, Subject: e.Subject, Object: RequestObject(e.Request), Attributes: s.namesOf(erased[e.Subject].Attributes)}
		}
		batch, err := s.newBatch(at, drafts)
		if err != nil {
			return err
		}
		for i := range mine {
			e := &mine[i]
			e.Erased, e.Entries = *erased[e.Subject], append(slices.Clone(e.Entries), batch.Entries[i].Name.String())
		}
		w := &store.Writes{}
		w.NoteDeleted(mine, at)
		w.AppendAudit(batch)
		return tx.Send(ctx, w)
	})
}

func (s *Service) namesOf(ids []privacy.AttributeID) []privacy.AttributeName {
	var names []privacy.AttributeName
	for _, id := range ids {
		if attribute, ok := s.catalogue.ByID(id); ok {
			names = append(names, attribute.Name)
		}
	}
	slices.Sort(names)
	return names
}

// ErasedNames says what was deleted in the words of the catalogue.
func (s *Service) ErasedNames(e store.Erased) (attributes []privacy.AttributeName, identifiers []privacy.IdentifierType) {
	for _, id := range e.Identifiers {
		if kind, ok := s.catalogue.IdentifierByID(id); ok {
			identifiers = append(identifiers, kind.Type)
		}
	}
	slices.Sort(identifiers)
	return s.namesOf(e.Attributes), slices.Compact(identifiers)
}

// PageOf gives the number of the key page that a slot is on, for a certificate.
func PageOf(slot privacy.KeySlot) int64 { return int64(keyring.PageOf(slot)) }

// RequestObject names a request of a subject in the audit log.
func RequestObject(id privacy.RightsRequestID) string { return "request/" + id.String() }

func subjectsOf(erasures []store.Erasure) []privacy.SubjectID {
	ids := make([]privacy.SubjectID, len(erasures))
	for i := range erasures {
		ids[i] = erasures[i].Subject
	}
	return ids
}
