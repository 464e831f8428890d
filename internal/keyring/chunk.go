package keyring

import (
	"io"

	"github.com/consentry/consentry/internal/privacy"
)

// A file that is too large to be held in one piece, such as a subject's export, is sealed in chunks. Each authenticates which file it
// is of, its number, and whether it is the last, so that chunks cannot be reordered, moved, repeated or cut off unnoticed: the
// segments of STREAM (Hoang, Reyhanitabar, Rogaway and Vizár, "Online Authenticated-Encryption and its Nonce-Reuse
// Misuse-Resistance", CRYPTO 2015). STREAM carries number and end in the nonce, because it has one key and nonce a file. Here the
// subject's key seals other things besides, under random nonces; so each chunk has a random nonce too, and number and end stand
// in its associated data:
//
//	subject id(16) ‖ kind(1) ‖ 0(2) ‖ number(4, big endian) ‖ file(16) ‖ last(1)
//
// which begins as that of a [Place] does, and is longer than any. A file of 2^31 chunks would be within what one key may seal under
// random nonces (NIST SP 800-38D §8.3: 2^32); ours are of a few thousand.

// Chunk is where a piece of a sealed file belongs. Chunks are numbered from 0.
type Chunk struct {
	File   [16]byte
	Number uint32
	Last   bool
}

const chunkDataSize = placeSize + 16 + 1

func (c Chunk) associatedData(id privacy.SubjectID) [chunkDataSize]byte {
	var ad [chunkDataSize]byte
	place := Place{id, KindExport, 0, c.Number}.associatedData()
	copy(ad[:], place[:])
	copy(ad[placeSize:], c.File[:])
	if c.Last {
		ad[chunkDataSize-1] = 1
	}
	return ad
}

// SealChunk encrypts a piece of a file for its place, under a fresh random nonce.
func (s *Subject) SealChunk(c Chunk, content []byte) ([]byte, error) {
	ad := c.associatedData(s.id)
	sealed := make([]byte, sealHead, sealOverhead+len(content))
	sealed[0] = sealFormat
	if _, err := io.ReadFull(s.random, sealed[1:sealHead]); err != nil {
		return nil, privacy.Internal(err, "draw a nonce")
	}
	return s.aead.Seal(sealed, sealed[1:sealHead], content, ad[:]), nil
}

// OpenChunk decrypts a piece of a file in its place. It gives [ErrNotAuthentic] for one that was altered or belongs elsewhere.
func (s *Subject) OpenChunk(c Chunk, sealed []byte) (privacy.Cleartext, error) {
	if len(sealed) < sealOverhead || sealed[0] != sealFormat {
		return privacy.Cleartext{}, ErrNotAuthentic
	}
	ad := c.associatedData(s.id)
	content, err := s.aead.Open(nil, sealed[1:sealHead], sealed[sealHead:], ad[:])
	if err != nil {
		return privacy.Cleartext{}, ErrNotAuthentic
	}
	return privacy.NewCleartext(string(content)), nil
}
