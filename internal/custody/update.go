package custody

import (
	"context"
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
	err := s.writeOnce(ctx, once, &updated, func(tx *store.Tx) error {
		var err error
		updated, err = s.updateInside(ctx, tx, caller, id, Profile{Attributes: fields, Source: source}, nil)
		return err
	})
	return updated, err
}

// update applies a profile to the subject its identifiers found.
func (s *Service) update(ctx context.Context, caller Caller, id privacy.SubjectID, profile Profile, keys []store.IdentifierKey) Upserted {
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		_, err := s.updateInside(ctx, tx, caller, id, profile, keys)
		return err
	})
	if err != nil {
		return Upserted{Err: err}
	}
	return Upserted{ID: id}
}

// updateInside does the work of an update in a transaction that holds the subject: writes to one
// subject follow each other, so no version is lost and no change overwritten unseen.
func (s *Service) updateInside(ctx context.Context, tx *store.Tx, caller Caller, id privacy.SubjectID, profile Profile, keys []store.IdentifierKey) ([]privacy.AttributeName, error) {
	at := s.instant()
	row, err := tx.LockSubject(ctx, id)
	if err != nil {
		return nil, err
	}
	key, err := s.keyring.Subject(ctx, id, row.Slot)
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
	fields := notStale(profile.Attributes, stored, profile.collected(at))
	if err := s.writeValues(ctx, tx, key, id, fields, stored, &profile, at); err != nil {
		return nil, err
	}
	if err := s.writeState(ctx, tx, key, row, fields, profile.Regime, at); err != nil {
		return nil, err
	}
	names := attributeNames(fields)
	batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionAttributesUpdate, Client: caller.Client, RequestID: caller.Request, Subject: id, Attributes: names}})
	if err != nil {
		return nil, err
	}
	return names, tx.AppendAudit(ctx, batch)
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
			return privacy.Conflict("identifier_conflict", "the identifiers belong to different subjects")
		}
		if !taken {
			claims[k] = id
			missing = append(missing, k)
		}
	}
	if len(missing) == 0 {
		return nil
	}
	lost, err := tx.ClaimIdentifiers(ctx, claims)
	if err != nil {
		return err
	}
	if len(lost) > 0 {
		return privacy.Conflict("identifier_conflict", "the identifiers belong to different subjects")
	}
	identifiers, err := s.sealIdentifiers(key, profile, missing)
	if err != nil {
		return err
	}
	return tx.AddIdentifiers(ctx, id, identifiers, at)
}

// notStale drops fields that the subject holds from a later collection: an old export that is
// imported today must not undo what the customer corrected yesterday.
func notStale(fields []ProfileValue, stored map[privacy.AttributeID]store.Value, collected time.Time) []ProfileValue {
	return slices.DeleteFunc(slices.Clone(fields), func(f ProfileValue) bool {
		have, ok := stored[f.Attribute.ID]
		return ok && have.CollectedAt.After(collected)
	})
}

func (s *Service) writeValues(ctx context.Context, tx *store.Tx, key *keyring.Subject, id privacy.SubjectID, fields []ProfileValue, stored map[privacy.AttributeID]store.Value, profile *Profile, at time.Time) error {
	var puts []store.Value
	var deletes []privacy.AttributeID
	for _, field := range fields {
		if field.Delete {
			deletes = append(deletes, field.Attribute.ID)
			continue
		}
		value, err := s.sealValue(key, field, stored[field.Attribute.ID].Version+1, profile.Source, profile.collected(at))
		if err != nil {
			return err
		}
		puts = append(puts, value)
	}
	if len(deletes) > 0 {
		if err := tx.DeleteValues(ctx, id, deletes); err != nil {
			return err
		}
	}
	if len(puts) == 0 {
		return nil
	}
	return tx.PutValues(ctx, id, puts, at)
}

// writeState seals the subject's policy state anew when anything in it has changed.
func (s *Service) writeState(ctx context.Context, tx *store.Tx, key *keyring.Subject, row store.Subject, fields []ProfileValue, regime privacy.Regime, at time.Time) error {
	st, err := openState(key, &row)
	if err != nil {
		return err
	}
	if regime != "" {
		st.regime = regime
	}
	for _, field := range fields {
		switch {
		case !s.isState(field.Attribute.Name):
		case field.Delete:
			delete(st.values, field.Attribute.Name)
		default:
			st.values[field.Attribute.Name] = field.Value
		}
	}
	row.Version++
	if row.State, err = st.seal(key, s.catalogue.StateAttributes(), row.Version); err != nil {
		return err
	}
	return tx.UpdateSubject(ctx, row, at)
}

func attributeIDs(fields []ProfileValue) []privacy.AttributeID {
	ids := make([]privacy.AttributeID, len(fields))
	for i, field := range fields {
		ids[i] = field.Attribute.ID
	}
	return ids
}
