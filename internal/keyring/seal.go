package keyring

import (
	"crypto/cipher"
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/consentry/consentry/internal/privacy"
)

// Kind says what sort of value is sealed, so that an identifier cannot be passed off as
// an attribute.
type Kind byte

// The kinds of sealed values.
const (
	KindAttribute  Kind = 1
	KindIdentifier Kind = 2
	KindState      Kind = 3
	KindSignal     Kind = 5
	KindFacet      Kind = 6 // what segments see of the subject, in one piece
	KindEvidence   Kind = 4 // of a consent; the version is the number of its record
	KindMessage    Kind = 7 // what a message to the subject says that nobody else may know
	KindRequest    Kind = 8 // what a request of the subject says in detail
	KindExport     Kind = 9 // what the subject takes away, in chunks (SealChunk)
)

// Place is where a sealed value belongs. It is authenticated with the value: read
// from another place, the value does not open.
type Place struct {
	Subject   privacy.SubjectID
	Kind      Kind
	Attribute privacy.AttributeID
	Version   uint32
}

const placeSize = 16 + 1 + 2 + 4

func (p Place) associatedData() [placeSize]byte {
	var ad [placeSize]byte
	copy(ad[:16], p.Subject[:])
	ad[16] = byte(p.Kind)
	binary.BigEndian.PutUint16(ad[17:], uint16(p.Attribute))
	binary.BigEndian.PutUint32(ad[19:], p.Version)
	return ad
}

// A sealed value is format(1) ‖ nonce(12) ‖ ciphertext ‖ tag(16).
const (
	sealFormat   = 1
	nonceSize    = 12
	tagSize      = 16
	sealHead     = 1 + nonceSize
	sealOverhead = sealHead + tagSize
)

// Subject seals and opens the values of one subject. It holds the subject's key, derived
// once; keep it for one piece of work, not longer. It is safe for concurrent use.
type Subject struct {
	id      privacy.SubjectID
	aead    cipher.AEAD
	random  io.Reader
	scratch *scratch
}

func newSubject(id privacy.SubjectID, k *key, random io.Reader, scratch *scratch) (*Subject, error) {
	aead, err := newAEAD(k)
	if err != nil {
		return nil, privacy.Internal(err, "prepare a subject key")
	}
	return &Subject{id: id, aead: aead, random: random, scratch: scratch}, nil
}

// Format implements fmt.Formatter: the key does not print.
func (Subject) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "keyring.Subject") }

// Seal encrypts a value for its place under a fresh random nonce.
func (s *Subject) Seal(kind Kind, attribute privacy.AttributeID, version uint32, value privacy.Cleartext) ([]byte, error) {
	ad := Place{s.id, kind, attribute, version}.associatedData()
	var sealed []byte
	err := value.Borrow(func(text string) error {
		sealed = make([]byte, sealHead+len(text), sealOverhead+len(text))
		sealed[0] = sealFormat
		if _, err := io.ReadFull(s.random, sealed[1:sealHead]); err != nil {
			return privacy.Internal(err, "draw a nonce")
		}
		// Encrypting in place leaves no second copy of the value behind.
		body := sealed[sealHead:]
		copy(body, text)
		sealed = append(sealed[:sealHead], s.aead.Seal(body[:0], sealed[1:sealHead], body, ad[:])...)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return sealed, nil
}

// Open decrypts a value in its place. It gives [ErrNotAuthentic] for a value that was
// altered or belongs elsewhere.
func (s *Subject) Open(kind Kind, attribute privacy.AttributeID, version uint32, sealed []byte) (privacy.Cleartext, error) {
	if len(sealed) < sealOverhead || sealed[0] != sealFormat {
		return privacy.Cleartext{}, ErrNotAuthentic
	}
	ad := Place{s.id, kind, attribute, version}.associatedData()
	room := s.scratch.take(len(sealed))
	text, err := s.aead.Open((*room)[:0], sealed[1:sealHead], sealed[sealHead:], ad[:])
	if err != nil {
		return privacy.Cleartext{}, ErrNotAuthentic
	}
	value := privacy.NewCleartext(string(text))
	clear(text)
	s.scratch.give(room)
	return value, nil
}

// scratch lends room to decrypt into, so that a value lies in memory once, and no second copy waits there to be collected.
type scratch struct{ pool sync.Pool }

func (s *scratch) take(size int) *[]byte {
	room, _ := s.pool.Get().(*[]byte)
	if room == nil || cap(*room) < size {
		fresh := make([]byte, 0, max(size, 512))
		room = &fresh
	}
	return room
}

// give takes back what was lent. It is to be empty of secrets.
func (s *scratch) give(room *[]byte) { s.pool.Put(room) }
