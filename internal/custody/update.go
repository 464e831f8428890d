package custody

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// UpdateAttributes changes or deletes fields of one subject and tells which were changed.
func (s *Service) UpdateAttributes(ctx context.Context, caller Caller, id privacy.SubjectID, fields []ProfileValue, source string, once Once) ([]privacy.AttributeName, error) {
	var updated []privacy.AttributeName
	err := s.WriteOnce(ctx, once, &updated, func(tx *store.Tx) error {
		var err error
		updated, err = s.updateInside(ctx, tx, caller, id, Profile{Attributes: fields, Source: source}, nil)
		return err
	})
	return updated, err
}

// update applies a profile to the subject its identifiers found.
func (s *Service) update(ctx context.Context, caller Caller, id privacy.SubjectID, profile Profile, keys []store.IdentifierKey) Upserted {
	err := s.withKeys(ctx, func() error {
		return s.store.Write(ctx, func(tx *store.Tx) error {
			_, err := s.updateInside(ctx, tx, caller, id, profile, keys)
			return err
		})
	})
	if errors.Is(err, store.ErrErased) { // just now
		err = ErrErasedBefore
	}
	if err != nil {
		return Upserted{Err: err}
	}
	return Upserted{ID: id}
}

// updateInside does the work of an update in a transaction that holds the subject: writes to one
// subject follow each other, so no version is lost and no change overwritten unseen.
func (s *Service) updateInside(ctx context.Context, tx *store.Tx, caller Caller, id privacy.SubjectID, profile Profile, keys []store.IdentifierKey) ([]privacy.AttributeName, error) {
	row, err := tx.LockSubject(ctx, id)
	if err != nil {
		return nil, err
	}
	at := s.instant() // after the wait for the lock: who writes later has the later time
	key, err := s.keyAtHand(ctx, id, row.Slot)
	if err != nil {
		return nil, err
	}
	if err := s.bindIdentifiers(ctx, tx, key, id, &profile, keys, at); err != nil {
		return nil, err
	}
	stored, err := tx.StoredValues(ctx, id, attributeIDs(profile.Attributes))
	if err != nil {
		return nil, err
	}
	fields := notStale(&profile, stored)
	if err := s.writeValues(ctx, tx, key, id, fields, stored, &profile, at); err != nil {
		return nil, err
	}
	regime, err := s.writeState(ctx, tx, key, row, fields, &profile, at)
	if err != nil {
		return nil, err
	}
	if err := s.writeFacets(ctx, tx, key, id, fields, &profile, at); err != nil {
		return nil, err
	}
	batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionAttributesUpdate, Client: caller.Client, RequestID: caller.Request, Subject: id, Object: profile.object, Attributes: changedNames(fields, regime)}})
	if err != nil {
		return nil, err
	}
	return attributeNames(fields), tx.AppendAudit(ctx, batch)
}

// bindIdentifiers adds those identifiers of the profile that the subject does not have yet.
func (s *Service) bindIdentifiers(ctx context.Context, tx *store.Tx, key *keyring.Subject, id privacy.SubjectID, profile *Profile, keys []store.IdentifierKey, at time.Time) error {
	if len(keys) == 0 {
		return nil
	}
	owners, err := tx.IdentifierOwners(ctx, keys)
	if err != nil {
		return err
	}
	claims := make(map[store.IdentifierKey]privacy.SubjectID)
	var missing []store.IdentifierKey
	for _, k := range keys {
		owner, taken := owners[k]
		if taken && owner != id {
			return errIdentifierConflict
		}
		if !taken {
			claims[k] = id
			missing = append(missing, k)
		}
	}
	if err := tx.VerifyIdentifiers(ctx, id, s.verifiedKeys(profile)); err != nil {
		return err
	}
	if len(missing) == 0 {
		return nil
	}
	if erased, err := s.suppressed(ctx, tx.Suppressed, []Profile{*profile}, []int{0}); err != nil || erased[0] {
		return cmp.Or(err, error(ErrErasedBefore))
	}
	lost, err := tx.ClaimIdentifiers(ctx, claims)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return errIdentifierConflict
	}
	identifiers, err := s.sealIdentifiers(key, profile, missing)
	if err != nil {
		return err
	}
	return tx.AddIdentifiers(ctx, id, identifiers, at)
}

// verifiedKeys gives the identifiers that the source says are verified.
func (s *Service) verifiedKeys(profile *Profile) []store.IdentifierKey {
	var keys []store.IdentifierKey
	for _, d := range profile.Identifiers {
		if d.Verified {
			keys = append(keys, s.identifierKey(d))
		}
	}
	return keys
}

// notStale drops fields that the subject holds, or had deleted, at a later collection: an old export
// that is imported today must not undo what the customer corrected yesterday. What
// comes without a time of collection is said now, and always counts.
func notStale(profile *Profile, stored map[privacy.AttributeID]store.Value) []ProfileValue {
	if profile.CollectedAt.IsZero() {
		return profile.Attributes
	}
	return slices.DeleteFunc(slices.Clone(profile.Attributes), func(f ProfileValue) bool {
		return stored[f.Attribute.ID].CollectedAt.After(profile.CollectedAt)
	})
}

func (s *Service) writeValues(ctx context.Context, tx *store.Tx, key *keyring.Subject, id privacy.SubjectID, fields []ProfileValue, stored map[privacy.AttributeID]store.Value, profile *Profile, at time.Time) error {
	if len(fields) == 0 {
		return nil
	}
	values := make([]store.Value, len(fields))
	for i, field := range fields {
		var err error
		if values[i], err = s.sealValue(key, field, stored[field.Attribute.ID].Version+1, profile, at); err != nil {
			return err
		}
	}
	if err := tx.PutValues(ctx, id, values, at); err != nil || !replaces(key, fields, stored) {
		return err
	}
	return tx.DropExports(ctx, id)
}

// replaces reports whether any of the fields takes away, or puts something else in the place of, a value that was read: one that an
// export may hold. What does not open counts as something else.
func replaces(key *keyring.Subject, fields []ProfileValue, stored map[privacy.AttributeID]store.Value) bool {
	return slices.ContainsFunc(fields, func(field ProfileValue) bool {
		have := stored[field.Attribute.ID]
		if have.Sealed == nil || field.Delete {
			return have.Sealed != nil
		}
		value, err := key.Open(keyring.KindAttribute, have.Attribute, have.Version, have.Sealed)
		return err != nil || value != field.Value
	})
}

// writeState seals the subject's policy state anew under the next version, which rises with every
// write about the subject. It reports whether the profile has set the regime.
func (s *Service) writeState(ctx context.Context, tx *store.Tx, key *keyring.Subject, row store.Subject, fields []ProfileValue, profile *Profile, at time.Time) (regime bool, err error) {
	st, err := openState(key, &row)
	if err != nil {
		return false, err
	}
	// The state does not say since when a regime stands, so one that comes with an older export only fills
	// a gap: it must not put a person under another law than the one set since.
	if regime = profile.Regime != "" && (st.regime == "" || profile.CollectedAt.IsZero()); regime {
		st.regime = profile.Regime
	}
	for _, field := range fields {
		switch {
		case !s.isState(field.Attribute.Name):
		case field.Delete:
			st.remove(field.Attribute.Name)
		default:
			st.set(field.Attribute.Name, field.Value)
		}
	}
	if regime {
		if err := s.regimeStands(profile, st); err != nil {
			return false, err
		}
	}
	row.Version++
	if row.State, err = st.seal(key, s.catalogue.StateAttributes(), row.Version); err != nil {
		return false, err
	}
	return regime, tx.UpdateSubject(ctx, row, at)
}

func attributeIDs(fields []ProfileValue) []privacy.AttributeID {
	ids := make([]privacy.AttributeID, len(fields))
	for i, field := range fields {
		ids[i] = field.Attribute.ID
	}
	return ids
}
