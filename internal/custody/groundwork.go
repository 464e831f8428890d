package custody

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
	"github.com/consentry/consentry/internal/store"
)

// What the packages above build upon beside the flows: ids, times, entries, the law, seals and signatures.

// Instant is the current time in the precision the database keeps.
func (s *Service) Instant() time.Time { return s.instant() }

// NewID draws a UUIDv7.
func (s *Service) NewID() ([16]byte, error) { return s.newID() }

// Entered makes the audit entries of a write, to be committed with it.
func (s *Service) Entered(at time.Time, drafts ...audit.Draft) (audit.Batch, error) {
	return s.newBatch(at, drafts)
}

// System is who acts when the service itself does.
func System() Caller { return Caller{Caller: privacy.Caller{Client: privacy.SystemClient}} }

// Find looks a subject up by identifier. Where it finds nobody it gives an id that nobody has, always the same for the
// same identifier: what is kept under it looks like anybody's.
func (s *Service) Find(ctx context.Context, identifier ProfileIdentifier) (id privacy.SubjectID, known bool, err error) {
	key := s.identifierKey(identifier)
	hash := s.keyring.Fingerprint(append([]byte("nobody\n"+string(identifier.Type.Type)+"\n"), key.Index[:]...))
	nobody := privacy.SubjectID(hash[:16])
	nobody[6], nobody[8] = nobody[6]&0x0f|0x80, nobody[8]&0x3f|0x80 // a UUIDv8: ours are of version 7
	found, err := s.store.FindSubjects(ctx, []store.IdentifierKey{key})
	if err != nil {
		return id, false, err
	}
	if id, known = found[key]; known {
		return id, true, nil
	}
	return nobody, false, nil
}

// SignDocuments signs documents as compact JWS of a media type, all in one call.
func (s *Service) SignDocuments(ctx context.Context, mediaType string, documents []any) ([]string, error) {
	payloads := make([]string, len(documents))
	for i, document := range documents {
		var err error
		if payloads[i], err = receipt.Encode(document); err != nil {
			return nil, err
		}
	}
	return s.signer.signAll(ctx, mediaType, payloads)
}

// SealProcessorSecret seals what the events to a processor are signed with. It opens as that processor's and no other's.
func (s *Service) SealProcessorSecret(ctx context.Context, id privacy.ProcessorID, secret []byte) (string, error) {
	return s.keyring.SealSecret(ctx, processorPlace(id), secret)
}

// OpenProcessorSecret opens what SealProcessorSecret gave for the same processor.
func (s *Service) OpenProcessorSecret(ctx context.Context, id privacy.ProcessorID, sealed string) ([]byte, error) {
	return s.keyring.OpenSecret(ctx, processorPlace(id), sealed)
}

func processorPlace(id privacy.ProcessorID) string { return "processor/" + id.String() }

// AttributesOnlyFor lists the attributes that may be used for some of the purposes and for no other.
func (s *Service) AttributesOnlyFor(ctx context.Context, purposes []privacy.PurposeName) ([]privacy.AttributeName, error) {
	id, err := s.InForce(ctx)
	if err != nil {
		return nil, err
	}
	revision, err := s.StoredRevision(ctx, id)
	if err != nil {
		return nil, err
	}
	covered, err := revision.Coverage()
	if err != nil {
		return nil, err
	}
	for _, purpose := range purposes {
		if !s.policy.PurposeKnown(id, purpose) {
			return nil, ErrUnknownPurpose
		}
	}
	var only []privacy.AttributeName
	for name, by := range covered {
		if others := slices.DeleteFunc(slices.Collect(maps.Keys(by)), func(p privacy.PurposeName) bool { return slices.Contains(purposes, p) }); len(others) == 0 {
			only = append(only, name)
		}
	}
	slices.Sort(only)
	return only, nil
}

// Controller is who answers for the data.
func (s *Service) Controller() privacy.Controller { return s.controller }
