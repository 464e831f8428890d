package keyring

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/hex"
	"errors"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

func TestChunkOpensOnlyInItsPlace(t *testing.T) {
	home, content := testSubject(t, privacy.SubjectID{1}, key{1}), []byte("PK\x03\x04 and so on")
	place := Chunk{File: [16]byte{7}, Number: 3}
	sealed, err := home.SealChunk(place, content)
	if err != nil {
		t.Fatal(err)
	}
	if opened, err := home.OpenChunk(place, sealed); err != nil || opened != privacy.NewCleartext(string(content)) {
		t.Fatalf("does not open at home: %v", err)
	}
	altered := bytes.Clone(sealed)
	altered[len(altered)-1] ^= 1
	for name, open := range map[string]func() (privacy.Cleartext, error){
		"as another number": func() (privacy.Cleartext, error) { return home.OpenChunk(Chunk{File: place.File, Number: 4}, sealed) },
		"of another file":   func() (privacy.Cleartext, error) { return home.OpenChunk(Chunk{File: [16]byte{8}, Number: 3}, sealed) },
		"as the last": func() (privacy.Cleartext, error) {
			return home.OpenChunk(Chunk{File: place.File, Number: 3, Last: true}, sealed)
		},
		"of another subject": func() (privacy.Cleartext, error) {
			return testSubject(t, privacy.SubjectID{2}, key{1}).OpenChunk(place, sealed)
		},
		"under another key": func() (privacy.Cleartext, error) {
			return testSubject(t, privacy.SubjectID{1}, key{2}).OpenChunk(place, sealed)
		},
		"as a value": func() (privacy.Cleartext, error) { return home.Open(KindExport, 0, 3, sealed) },
		"altered":    func() (privacy.Cleartext, error) { return home.OpenChunk(place, altered) },
		"cut":        func() (privacy.Cleartext, error) { return home.OpenChunk(place, sealed[:sealHead]) },
		"nothing":    func() (privacy.Cleartext, error) { return home.OpenChunk(place, nil) },
	} {
		if opened, err := open(); !errors.Is(err, ErrNotAuthentic) || !opened.IsEmpty() {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The associated data of a chunk is written out here byte by byte, so that what was sealed once opens for good.
func TestChunkKnownAnswer(t *testing.T) {
	subject := privacy.SubjectID{0: 0x01, 15: 0x0f}
	home := testSubject(t, subject, key{9})
	data, err := hex.DecodeString("0100000000000000000000000000000f" + "09" + "0000" + "00000102" + "a0000000000000000000000000000000" + "01")
	if err != nil {
		t.Fatal(err)
	}
	secret := key{9}
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce := []byte("twelve bytes")
	sealed := gcm.Seal(append([]byte{1}, nonce...), nonce, []byte("the end"), data)
	opened, err := home.OpenChunk(Chunk{File: [16]byte{0xa0}, Number: 258, Last: true}, sealed)
	if err != nil || opened != privacy.NewCleartext("the end") {
		t.Errorf("does not open: %v", err)
	}
}
