package audit

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/transparency-dev/formats/log"
	"golang.org/x/mod/sumdb/note"

	"github.com/consentry/consentry/internal/privacy"
)

const testOrigin = "consentry.example/audit"

// testKey is a deterministic key with its signer.
func testKey(version byte) (Key, Signer) {
	private := privateKey(version)
	key := Key{Name: testOrigin, Public: private.Public().(ed25519.PublicKey)}
	return key, func(_ context.Context, message []byte) ([]byte, error) { return ed25519.Sign(private, message), nil }
}

func privateKey(version byte) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	seed[0] = version
	return ed25519.NewKeyFromSeed(seed)
}

func signed(t testing.TB, c Checkpoint, version byte) []byte {
	t.Helper()
	key, sign := testKey(version)
	b, err := SignCheckpoint(t.Context(), c, key, sign)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The note package signs the same bytes, and it and the formats library accept ours.
func TestCheckpointInterop(t *testing.T) {
	key, _ := testKey(1)
	c := Checkpoint{Origin: testOrigin, Size: 42, Root: testLeaf(1)}
	ours := signed(t, c, 1)

	name, hash, _ := strings.Cut(key.String(), "+")
	hash, _, _ = strings.Cut(hash, "+")
	seed := append([]byte{1}, privateKey(1).Seed()...)
	signer, err := note.NewSigner(fmt.Sprintf("PRIVATE+KEY+%s+%s+%s", name, hash, base64.StdEncoding.EncodeToString(seed)))
	if err != nil {
		t.Fatal(err)
	}
	body := fmt.Sprintf("%s\n42\n%s\n", testOrigin, base64.StdEncoding.EncodeToString(c.Root[:]))
	theirs, err := note.Sign(&note.Note{Text: body}, signer)
	if err != nil {
		t.Fatal(err)
	}
	if string(ours) != string(theirs) {
		t.Errorf("signed\n%s, want\n%s", ours, theirs)
	}

	verifier, err := note.NewVerifier(key.String())
	if err != nil {
		t.Fatal(err)
	}
	parsed, rest, _, err := log.ParseCheckpoint(ours, testOrigin, verifier)
	if err != nil || len(rest) != 0 || parsed.Size != 42 || Hash(parsed.Hash) != c.Root {
		t.Errorf("parsed %v, rest %q, %v", parsed, rest, err)
	}
	if got, err := ParseCheckpoint(theirs, testOrigin, []Key{key}); err != nil || got != c {
		t.Errorf("parsed %v, %v", got, err)
	}
}

func TestCheckpointOutlivesItsKey(t *testing.T) {
	old, _ := testKey(1)
	current, _ := testKey(2)
	c := Checkpoint{Origin: testOrigin, Size: 1, Root: testLeaf(1)}
	for version := byte(1); version <= 2; version++ {
		if got, err := ParseCheckpoint(signed(t, c, version), testOrigin, []Key{old, current, old}); err != nil || got != c {
			t.Errorf("version %d: %v, %v", version, got, err)
		}
	}
}

func TestCheckpointRefused(t *testing.T) {
	key, _ := testKey(1)
	other, _ := testKey(2)
	c := Checkpoint{Origin: testOrigin, Size: 41, Root: testLeaf(1)}
	good := string(signed(t, c, 1))
	resigned := func(body string) string {
		verifier, _ := key.verifier()
		_, sign := testKey(1)
		b, err := note.Sign(&note.Note{Text: body}, noteSigner{Verifier: verifier, sign: func(m []byte) ([]byte, error) { return sign(t.Context(), m) }})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	body, _, _ := strings.Cut(good, "\n\n")
	body += "\n"
	tests := map[string]struct {
		signed string
		keys   []Key
		origin string
		code   string
	}{
		"another key":       {good, []Key{other}, testOrigin, codeCheckpointSignature},
		"no key":            {good, nil, testOrigin, codeCheckpointSignature},
		"another size":      {strings.Replace(good, "\n41\n", "\n42\n", 1), []Key{key}, testOrigin, codeCheckpointSignature},
		"another origin":    {good, []Key{key}, "elsewhere", codeCheckpointOrigin},
		"unsigned":          {body, []Key{key}, testOrigin, codeCheckpointMalformed},
		"empty":             {"", []Key{key}, testOrigin, codeCheckpointMalformed},
		"cut":               {good[:len(good)-1], []Key{key}, testOrigin, codeCheckpointMalformed},
		"leading zero":      {resigned(strings.Replace(body, "\n41\n", "\n041\n", 1)), []Key{key}, testOrigin, codeCheckpointMalformed},
		"another line":      {resigned(body + "more\n"), []Key{key}, testOrigin, codeCheckpointMalformed},
		"short root":        {resigned(testOrigin + "\n41\nAAAA\n"), []Key{key}, testOrigin, codeCheckpointMalformed},
		"size out of range": {resigned(strings.Replace(body, "\n41\n", "\n99999999999999999999\n", 1)), []Key{key}, testOrigin, codeCheckpointMalformed},
	}
	for name, tt := range tests {
		if _, err := ParseCheckpoint([]byte(tt.signed), tt.origin, tt.keys); privacy.CodeOf(err) != tt.code {
			t.Errorf("%s: %v, want %s", name, err, tt.code)
		}
	}
}

// A signer that has gone on to another version of its key must not produce a checkpoint.
func TestSignCheckpointRefuses(t *testing.T) {
	key, sign := testKey(1)
	_, rotated := testKey(2)
	c := Checkpoint{Origin: testOrigin, Size: 1, Root: testLeaf(1)}
	if _, err := SignCheckpoint(t.Context(), c, key, rotated); privacy.CodeOf(err) != "signing_failed" {
		t.Errorf("another version signed: %v", err)
	}
	down := errors.New("vault is down")
	broken := func(context.Context, []byte) ([]byte, error) { return nil, down }
	if _, err := SignCheckpoint(t.Context(), c, key, broken); !errors.Is(err, down) || privacy.KindOf(err) != privacy.KindUnavailable {
		t.Errorf("the signer is down: %v", err)
	}
	if _, err := SignCheckpoint(t.Context(), Checkpoint{Origin: "two\nlines"}, key, sign); err == nil {
		t.Error("an origin of two lines was signed")
	}
	if _, err := SignCheckpoint(t.Context(), c, Key{Name: "with space", Public: key.Public}, sign); err == nil {
		t.Error("a key name with a space was used")
	}
}

// copied gives a copy that can change by itself.
func copied(tree *Tree) *Tree { return &Tree{size: tree.size, edge: slices.Clone(tree.edge)} }

func TestTreeConfirm(t *testing.T) {
	key, _ := testKey(1)
	var tree Tree
	tree.Append(newNaive(11).leaves...)
	note := signed(t, tree.Checkpoint(testOrigin), 1)
	if err := tree.Confirm(note, testOrigin, []Key{key}); err != nil {
		t.Errorf("the tree that was signed: %v", err)
	}
	for i := range tree.edge {
		bent := copied(&tree)
		bent.edge[i][0] ^= 1
		if bent.Confirm(note, testOrigin, []Key{key}) == nil {
			t.Errorf("hash %d of the edge may be changed", i)
		}
	}
	grown := copied(&tree)
	grown.Append(testLeaf(11))
	if grown.Confirm(note, testOrigin, []Key{key}) == nil {
		t.Error("a tree that has grown since is confirmed")
	}
	if err := tree.Confirm(signed(t, tree.Checkpoint(testOrigin), 2), testOrigin, []Key{key}); privacy.CodeOf(err) != codeCheckpointSignature {
		t.Errorf("signed by a stranger: %v", err)
	}
}

func TestParseKey(t *testing.T) {
	for version := range byte(40) { // some have a plus sign in their base64
		key, _ := testKey(version)
		got, err := ParseKey(key.String())
		if err != nil || got.Name != key.Name || !got.Public.Equal(key.Public) {
			t.Fatalf("%s: %v, %v", key, got, err)
		}
	}
	key, _ := testKey(1)
	for _, bad := range []string{"", "+", "a+b+c", key.String() + "=", "x" + key.String(), strings.ToUpper(key.String())} {
		if _, err := ParseKey(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func FuzzParseKey(f *testing.F) {
	key, _ := testKey(1)
	f.Add(key.String())
	f.Fuzz(func(t *testing.T, text string) {
		if key, err := ParseKey(text); err == nil && key.String() != text {
			t.Fatal("two spellings of one key")
		}
	})
}

func FuzzParseCheckpoint(f *testing.F) {
	key, _ := testKey(1)
	good := signed(f, Checkpoint{Origin: testOrigin, Size: 3, Root: testLeaf(3)}, 1)
	f.Add(good)
	f.Fuzz(func(t *testing.T, b []byte) {
		claimedSize(b)
		c, err := ParseCheckpoint(b, testOrigin, []Key{key})
		if err == nil && (c.Size != 3 || c.Root != testLeaf(3)) {
			t.Fatal("accepted what was never signed")
		}
	})
}
