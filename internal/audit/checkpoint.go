package audit

import (
	"context"
	"errors"
	"strings"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"github.com/consentry/consentry/internal/privacy"
)

// Checkpoint says what the whole log was at some size. Signed, it binds whoever holds the key to
// every entry up to there, in that order.
type Checkpoint struct {
	Origin string // which log: a name without spaces or plus signs, by custom a URL without its scheme
	Size   uint64
	Root   Hash
}

// Checkpoint gives the tree's current checkpoint, to be signed.
func (t *Tree) Checkpoint(origin string) Checkpoint {
	return Checkpoint{Origin: origin, Size: t.size, Root: t.Root()}
}

// text is the body of a C2SP tlog-checkpoint without extension lines.
func (c Checkpoint) text() string {
	return string(log.Checkpoint{Origin: c.Origin, Size: c.Size, Hash: c.Root[:]}.Marshal())
}

// parseText reads a body in its one canonical spelling.
func parseText(text string) (Checkpoint, error) {
	var body log.Checkpoint
	if _, err := body.Unmarshal([]byte(text)); err != nil || len(body.Hash) != len(Hash{}) {
		return Checkpoint{}, malformedCheckpoint()
	}
	c := Checkpoint{Origin: body.Origin, Size: body.Size, Root: Hash(body.Hash)}
	if c.text() != text {
		return Checkpoint{}, malformedCheckpoint()
	}
	return c, nil
}

// The ways in which a signed checkpoint can fail to be one.
const (
	codeCheckpointMalformed = "checkpoint_malformed"
	codeCheckpointOrigin    = "checkpoint_of_another_log"
	codeCheckpointSignature = "checkpoint_signature_invalid"
)

func malformedCheckpoint() error {
	return privacy.Invalid(codeCheckpointMalformed, "a checkpoint is a signed note of origin, size and root")
}

// Signer signs a message with the Ed25519 key whose public half is at hand as a [Key]. It is a
// function because the private half never leaves its vault.
type Signer func(ctx context.Context, message []byte) (signature []byte, err error)

// SignCheckpoint gives the checkpoint as a signed note. The signature is checked before anybody sees
// it, so that a signer that has moved on to the next version of its key is found out here: then load the
// current key and sign again.
func SignCheckpoint(ctx context.Context, c Checkpoint, key Key, sign Signer) ([]byte, error) {
	verifier, err := key.verifier()
	if err != nil {
		return nil, err
	}
	if _, err := parseText(c.text()); err != nil {
		return nil, err
	}
	signed, err := note.Sign(&note.Note{Text: c.text()}, noteSigner{
		Verifier: verifier,
		sign:     func(message []byte) ([]byte, error) { return sign(ctx, message) },
	})
	if err != nil {
		return nil, privacy.Unavailable(err, "signing_failed", "the checkpoint could not be signed; it will be tried again")
	}
	return signed, nil
}

// ParseCheckpoint reads a signed note, of the origin's log and signed by at least one of the
// keys. Keys that have been rotated away stay in the list for as long as their checkpoints are kept.
// Other signatures, of witnesses for instance, may stand beside.
func ParseCheckpoint(signed []byte, origin string, keys []Key) (Checkpoint, error) {
	verifiers, err := verifiersOf(keys)
	if err != nil {
		return Checkpoint{}, err
	}
	return parseCheckpoint(signed, origin, verifiers)
}

func parseCheckpoint(signed []byte, origin string, verifiers note.Verifiers) (Checkpoint, error) {
	opened, err := note.Open(signed, verifiers)
	var unverified *note.UnverifiedNoteError
	var invalid *note.InvalidSignatureError
	switch {
	case errors.As(err, &unverified), errors.As(err, &invalid):
		return Checkpoint{}, privacy.Invalid(codeCheckpointSignature, "no trusted key has signed the checkpoint")
	case err != nil:
		return Checkpoint{}, malformedCheckpoint()
	}
	c, err := parseText(opened.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if c.Origin != origin {
		return Checkpoint{}, privacy.Invalid(codeCheckpointOrigin, "the checkpoint is of another log")
	}
	return c, nil
}

// Confirm checks that a tree that was loaded is the one that was signed. A sequencer must ask before it
// appends: else whoever can write to the database could have it sign another history, with the
// real key. (The hashes of the edge lead to the root, so no other edge has it.)
func (t *Tree) Confirm(signed []byte, origin string, keys []Key) error {
	c, err := ParseCheckpoint(signed, origin, keys)
	if err != nil {
		return err
	}
	if c != t.Checkpoint(origin) {
		return privacy.Internal(nil, "resume the audit log: its state is not the one that was signed")
	}
	return nil
}

// claimedSize reads the size off a signed note without believing it.
func claimedSize(signed []byte) (uint64, bool) {
	body, _, found := strings.Cut(string(signed), "\n\n")
	c, err := parseText(body + "\n")
	return c.Size, found && err == nil
}

// noteSigner fits a Signer to the note package, which knows no contexts.
type noteSigner struct {
	note.Verifier
	sign func(message []byte) ([]byte, error)
}

func (s noteSigner) Sign(message []byte) ([]byte, error) {
	signature, err := s.sign(message)
	if err != nil {
		return nil, err
	}
	if !s.Verify(message, signature) {
		return nil, errors.New("the signature does not fit the public key")
	}
	return signature, nil
}
