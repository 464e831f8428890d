package policy

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/consentry/consentry/internal/privacy"
)

// memoKey is a question: the revision and a hash of what is asked. Every part goes into the hash after its length, so
// that no two questions run together into the same bytes. It costs a tenth of the canonical JSON, which
// is what is evaluated and recorded.
type memoKey struct {
	revision privacy.RevisionID
	asked    [sha256.Size]byte
}

// keyBytes is room for most questions, so that they need no allocation.
const keyBytes = 1024

func decisionKey(id privacy.RevisionID, input *privacy.DecisionInput) memoKey {
	b := make([]byte, 0, keyBytes)
	b = appendText(b, input.Caller.Client)
	b = appendList(b, distinct(input.Caller.Roles))
	b = appendText(b, input.Purpose)
	b = appendList(b, distinct(input.Attributes))
	s := &input.Subject
	b = appendText(b, s.Regime)
	b = appendText(b, s.Country)
	b = appendText(b, s.AgeBand)
	b = appendFlags(b, s.Restricted, s.StorageOnly, s.Objected, s.OptOutSignal, s.LimitSensitive, s.SoftOptIn, s.Consent.Explicit)
	b = appendText(b, s.Consent.Status)
	b = binary.AppendVarint(b, int64(s.Consent.NoticeVersion))
	b = appendList(b, distinct(s.Consent.SeparateFor))
	b = appendText(b, s.Consent.By)
	return memoKey{revision: id, asked: sha256.Sum256(b)}
}

func permissionKey(id privacy.RevisionID, input *AuthzInput) memoKey {
	b := make([]byte, 0, keyBytes)
	b = appendText(b, input.Caller.Client)
	b = appendList(b, input.Caller.Roles)
	b = appendText(b, input.Caller.Subject)
	b = appendText(b, input.Operation)
	b = appendText(b, input.Resource.Subject)
	return memoKey{revision: id, asked: sha256.Sum256(b)}
}

func appendText[T ~string](b []byte, text T) []byte {
	return append(binary.AppendUvarint(b, uint64(len(text))), text...)
}

func appendList[T ~string](b []byte, list []T) []byte {
	b = binary.AppendUvarint(b, uint64(len(list)))
	for _, text := range list {
		b = appendText(b, text)
	}
	return b
}

func appendFlags(b []byte, flags ...bool) []byte {
	for _, flag := range flags {
		bit := byte(0)
		if flag {
			bit = 1
		}
		b = append(b, bit)
	}
	return b
}
