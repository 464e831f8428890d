package custody

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Profile is one person as a source describes them, normalised and ready to be sealed.
type Profile struct {
	Identifiers []ProfileIdentifier
	Attributes  []ProfileValue
	Regime      privacy.Regime // "" to have it worked out from where they live
	Source      string
	CollectedAt time.Time // zero: now

	object   string             // what a change of it is part of, for the record; "" for nothing
	revision privacy.RevisionID // which says whether the regime may stand; "" when none is stated
}

// ProfileIdentifier finds the person.
type ProfileIdentifier struct {
	Type     *catalogue.Identifier
	Value    privacy.Cleartext
	Verified bool
}

// ProfileValue is one field; Delete removes it instead.
type ProfileValue struct {
	Attribute *catalogue.Attribute
	Value     privacy.Cleartext
	Delete    bool
}

// Upserted says which subject a profile became. Err is set, and the rest is not, when the profile
// was turned away; the profiles beside it are not affected.
type Upserted struct {
	ID      privacy.SubjectID
	Created bool
	Err     error
}

var errIdentifierConflict = privacy.Conflict("identifier_conflict", "the identifiers belong to different subjects")

// ErrErasedBefore flags a profile of somebody who asked to be erased: it is not stored.
var ErrErasedBefore = privacy.Conflict("erased_before", "somebody with one of these identifiers was erased at their own request; nothing was stored. Find out whether they came back by themselves")

// ingestRounds bounds how often a batch is looked at again because other writers
// created the same people meanwhile. Every round either finishes or finds them.
const ingestRounds = 8

// Upsert stores profiles: each becomes a new subject, or updates the one that an identifier of
// it finds. New subjects are written together in one transaction, updates one by
// one. A profile whose identifiers find two people is turned away; nothing is merged.
// The error is set only when the whole batch could not be worked on, and then
// some profiles may have been stored; sending them again is harmless.
func (s *Service) Upsert(ctx context.Context, caller Caller, profiles []Profile) ([]Upserted, error) {
	profiles, err := s.underRevision(ctx, profiles)
	if err != nil {
		return nil, err
	}
	results := make([]Upserted, len(profiles))
	keys := make([][]store.IdentifierKey, len(profiles))
	var waiting []int
	for i := range profiles {
		keys[i] = s.identifierKeys(profiles[i].Identifiers)
		if len(keys[i]) == 0 {
			results[i].Err = privacy.Invalid("identifier_missing", "a subject needs at least one identifier")
			continue
		}
		waiting = append(waiting, i)
	}
	for round := 0; len(waiting) > 0; round++ {
		if round == ingestRounds {
			return nil, privacy.Unavailable(nil, "database_busy", "the same subjects are being written elsewhere; try again")
		}
		if waiting, err = s.upsertRound(ctx, caller, profiles, keys, waiting, results); err != nil {
			return nil, err
		}
	}
	return results, nil
}

// UpsertOne stores one profile; see Upsert.
func (s *Service) UpsertOne(ctx context.Context, caller Caller, profile Profile, once Once) (Upserted, error) {
	var answer struct {
		ID      privacy.SubjectID `json:"id"`
		Created bool              `json:"created"`
	}
	err := s.upsertOnce(ctx, once, &answer, func() error {
		results, err := s.Upsert(ctx, caller, []Profile{profile})
		if err != nil {
			return err
		}
		answer.ID, answer.Created = results[0].ID, results[0].Created
		return results[0].Err
	})
	return Upserted{ID: answer.ID, Created: answer.Created}, err
}

// upsertRound works on the waiting profiles and returns those to look at again.
func (s *Service) upsertRound(ctx context.Context, caller Caller, profiles []Profile, keys [][]store.IdentifierKey, waiting []int, results []Upserted) ([]int, error) {
	var all []store.IdentifierKey
	for _, i := range waiting {
		all = append(all, keys[i]...)
	}
	found, err := s.store.FindSubjects(ctx, all)
	if err != nil {
		return nil, err
	}
	unknown := slices.DeleteFunc(slices.Clone(waiting), func(i int) bool {
		owner, unique := soleOwner(found, keys[i])
		return !unique || !owner.IsZero()
	})
	erased, err := s.suppressed(ctx, s.store.Suppressed, profiles, unknown)
	if err != nil {
		return nil, err
	}
	var fresh, again []int
	claimed := make(map[store.IdentifierKey]bool)
	for _, i := range waiting {
		owner, unique := soleOwner(found, keys[i])
		switch {
		case !unique:
			// The refusal tells that the identifiers are of people known here.
			if err := s.recordLookup(ctx, caller, owners(found, keys[i])...); err != nil {
				return nil, err
			}
			results[i].Err = errIdentifierConflict
		case erased[i]: // claims nothing, so whoever is named again waits for nobody
			if results[i].Err = s.regimeStands(&profiles[i], s.newState(&profiles[i])); results[i].Err == nil {
				results[i].Err = ErrErasedBefore
			}
		case slices.ContainsFunc(keys[i], func(k store.IdentifierKey) bool { return claimed[k] }):
			again = append(again, i) // the same person twice in one batch: the second updates the first
			claim(claimed, keys[i])
		case !owner.IsZero():
			results[i] = s.update(ctx, caller, owner, profiles[i], keys[i])
			if privacy.KindOf(results[i].Err) == privacy.KindUnavailable {
				return nil, results[i].Err
			}
			own(found, keys[i], results[i].ID)
		default:
			if results[i].Err = s.regimeStands(&profiles[i], s.newState(&profiles[i])); results[i].Err != nil {
				continue
			}
			fresh = append(fresh, i)
			claim(claimed, keys[i])
		}
	}
	lost, err := s.create(ctx, caller, profiles, keys, fresh, results)
	if err != nil {
		return nil, err
	}
	if lost {
		again = append(again, fresh...)
	}
	slices.Sort(again)
	return again, nil
}

// soleOwner gives the one subject that the keys find, zero when they find nobody.
func soleOwner(found map[store.IdentifierKey]privacy.SubjectID, keys []store.IdentifierKey) (owner privacy.SubjectID, unique bool) {
	for _, key := range keys {
		id, ok := found[key]
		if !ok {
			continue
		}
		if !owner.IsZero() && owner != id {
			return owner, false
		}
		owner = id
	}
	return owner, true
}

// owners gives everybody whom the keys find, once each.
func owners(found map[store.IdentifierKey]privacy.SubjectID, keys []store.IdentifierKey) (ids []privacy.SubjectID) {
	for _, key := range keys {
		if id, ok := found[key]; ok && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// claim marks keys as those of a profile that is yet to be stored, so that a later one of the same batch
// waits for it.
func claim(claimed map[store.IdentifierKey]bool, keys []store.IdentifierKey) {
	for _, key := range keys {
		claimed[key] = true
	}
}

// own marks keys as those of a subject who was just updated, unless that failed.
func own(found map[store.IdentifierKey]privacy.SubjectID, keys []store.IdentifierKey, owner privacy.SubjectID) {
	if owner.IsZero() {
		return
	}
	for _, key := range keys {
		found[key] = owner
	}
}

// errLostClaim rolls a creation back when somebody else has created one of the people.
var errLostClaim = privacy.Conflict("lost_claim", "an identifier was claimed by another writer")

// create writes new subjects in one transaction. It reports lost when another writer was
// quicker with any of them, and then nothing was written.
func (s *Service) create(ctx context.Context, caller Caller, profiles []Profile, keys [][]store.IdentifierKey, fresh []int, results []Upserted) (lost bool, err error) {
	if len(fresh) == 0 {
		return false, nil
	}
	at := s.instant()
	subjects, err := s.sealNew(ctx, profiles, keys, fresh, at)
	if err != nil {
		return false, err
	}
	claims := make(map[store.IdentifierKey]privacy.SubjectID)
	entries := make([]audit.Draft, len(fresh))
	for n, i := range fresh {
		id := subjects[n].Subject.ID
		for _, key := range keys[i] {
			claims[key] = id
		}
		entries[n] = audit.Draft{Action: audit.ActionSubjectCreate, Client: caller.Client, RequestID: caller.Request, Subject: id, Attributes: changedNames(profiles[i].Attributes, profiles[i].Regime != "")}
	}
	batch, err := s.newBatch(at, entries)
	if err != nil {
		return false, err
	}
	change, err := s.subjectsChanged(at, subjects)
	if err != nil {
		return false, err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		taken, err := tx.ClaimIdentifiers(ctx, claims)
		if err != nil {
			return err
		}
		if len(taken) > 0 {
			return errLostClaim
		}
		if err := tx.InsertSubjects(ctx, subjects, at); err != nil {
			return err
		}
		if err := tx.AppendChange(ctx, change); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	if errors.Is(err, errLostClaim) {
		return true, nil
	}
	if err != nil {
		return false, err
	}
	for n, i := range fresh {
		results[i] = Upserted{ID: subjects[n].Subject.ID, Created: true}
	}
	return false, nil
}

func (s *Service) identifierKey(d ProfileIdentifier) store.IdentifierKey {
	return store.IdentifierKey{Type: d.Type.ID, Index: s.keyring.BlindIndex(d.Type.Type, d.Value)}
}

func (s *Service) identifierKeys(identifiers []ProfileIdentifier) []store.IdentifierKey {
	var keys []store.IdentifierKey
	for _, d := range identifiers {
		if key := s.identifierKey(d); !slices.Contains(keys, key) {
			keys = append(keys, key)
		}
	}
	return keys
}

func attributeNames(fields []ProfileValue) []privacy.AttributeName {
	names := make([]privacy.AttributeName, len(fields))
	for i, field := range fields {
		names[i] = field.Attribute.Name
	}
	slices.Sort(names)
	return names
}
