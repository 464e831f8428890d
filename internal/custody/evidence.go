package custody

import (
	"context"
	"crypto/sha256"
	"io"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// Evidence of a consent (the form as it was filled in, a recording's transcript, the header of a mail) is personal
// data: it is sealed under the subject's key and goes when they are erased. What stays on the ledger is
// a commitment to it: SHA-256 over a label, a random salt and the evidence. The salt is sealed with the evidence,
// so the commitment tells nothing to who cannot open it, and proves the evidence to who can.

// MaxEvidence is how large the evidence of one consent may be, in bytes.
const MaxEvidence = 64 << 10

const (
	evidenceLabel = "consentry evidence v1\x00"
	evidenceSalt  = 16
)

func checkEvidence(evidence privacy.Cleartext) error {
	return evidence.Borrow(func(text string) error {
		if len(text) > MaxEvidence {
			return privacy.NewError(privacy.KindTooLarge, "evidence_too_large", "evidence is at most 64 KiB; keep larger documents elsewhere and send their hash")
		}
		return nil
	})
}

func (s *Service) sealEvidence(key *keyring.Subject, seq int32, evidence privacy.Cleartext) (sealed, commitment []byte, err error) {
	salt := make([]byte, evidenceSalt)
	if _, err := io.ReadFull(s.random, salt); err != nil {
		return nil, nil, privacy.Internal(err, "draw a salt")
	}
	salted, _ := evidence.Map(func(text string) (string, error) { return string(salt) + text, nil })
	sealed, err = key.Seal(keyring.KindEvidence, 0, uint32(seq), salted) //nolint:gosec // positive
	return sealed, commitTo(salted), err
}

// openEvidence opens the evidence of a record, and fails unless it is what the record commits to.
func openEvidence(key *keyring.Subject, seq int32, sealed, commitment []byte) (privacy.Cleartext, error) {
	salted, err := key.Open(keyring.KindEvidence, 0, uint32(seq), sealed) //nolint:gosec // positive
	if err != nil {
		return privacy.Cleartext{}, err
	}
	if string(commitTo(salted)) != string(commitment) {
		return privacy.Cleartext{}, keyring.ErrNotAuthentic
	}
	return salted.Map(func(text string) (string, error) { return text[min(evidenceSalt, len(text)):], nil })
}

func commitTo(salted privacy.Cleartext) []byte {
	var hash [sha256.Size]byte
	_ = salted.Borrow(func(text string) error {
		hash = sha256.Sum256(append([]byte(evidenceLabel), text...))
		return nil
	})
	return hash[:]
}

// Evidence opens the evidence of a record, once that is on record: still in its wrapper, for what proves a consent. KindNotFound
// when there is none.
func (s *Service) Evidence(ctx context.Context, caller Caller, id privacy.SubjectID, record [16]byte) (privacy.Cleartext, error) {
	found, err := s.store.ConsentRecord(ctx, id, record)
	if err != nil {
		return privacy.Cleartext{}, err
	}
	slot, sealed, err := s.store.Evidence(ctx, id, found.Seq)
	if err != nil {
		return privacy.Cleartext{}, err
	}
	err = s.record(ctx, audit.Draft{At: s.instant(), Action: audit.ActionEvidenceOpen, Client: caller.Client, RequestID: caller.Request, Subject: id, Purpose: found.Purpose, Object: "evidence/" + formatID(record)})
	if err != nil {
		return privacy.Cleartext{}, err
	}
	key, err := s.keyring.Subject(ctx, id, slot)
	if err != nil {
		return privacy.Cleartext{}, err
	}
	return openEvidence(key, found.Seq, sealed, found.Evidence)
}
