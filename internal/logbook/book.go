// Package logbook keeps the audit log: it takes what was committed into the Merkle tree, signs checkpoints over it at most a second later, and
// proves to others that an entry is in the log and that the log has only grown. What is written, and how a proof is
// worked out and verified, is package audit's.
//
//	sequencer.go    from committed entries to the log; sharedturn.go for those who cannot wait
//	notary.go       checkpoints, with a key that the database never sees
//	proof.go        inclusion and consistency
package logbook

import (
	"context"
	"crypto/ed25519"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/store"
)

// Signer holds the key that checkpoints are signed with. It is the keyring, of which nothing else is in reach here.
type Signer interface {
	// Sign signs with the newest version of the key, and says which that was.
	Sign(ctx context.Context, message []byte) (signature []byte, version int, err error)
	// PublicKeys gives the public half of every version.
	PublicKeys(ctx context.Context) (map[int]ed25519.PublicKey, error)
}

// Book is the audit log. It is safe for concurrent use, and has nothing to close.
type Book struct {
	store  *store.Store
	signer Signer
	log    *slog.Logger
	now    func() time.Time
	origin string
	turn   *sharedTurn // see SequenceNow
}

// Config is what a Book is made of. Origin names the log in its checkpoints; "" is for a deployment that has not named its own.
type Config struct {
	Store  *store.Store
	Signer Signer
	Log    *slog.Logger
	Now    func() time.Time
	Origin string
}

const defaultOrigin = "consentry.local/audit"

// New opens the book.
func New(c Config) *Book {
	if c.Origin == "" {
		c.Origin = defaultOrigin
	}
	return &Book{store: c.Store, signer: c.Signer, log: c.Log, now: c.Now, origin: c.Origin, turn: newSharedTurn()}
}

// Origin names the log.
func (b *Book) Origin() string { return b.origin }

// Keys lists the public keys that checkpoints may be signed with, oldest first.
func (b *Book) Keys(ctx context.Context) ([]audit.Key, error) { return Keys(ctx, b.signer, b.origin) }

// Keys lists the public keys of a log's checkpoints, oldest first, without the log.
func Keys(ctx context.Context, signer Signer, origin string) ([]audit.Key, error) {
	publics, err := signer.PublicKeys(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]audit.Key, 0, len(publics))
	for _, version := range slices.Sorted(maps.Keys(publics)) {
		list = append(list, audit.Key{Name: origin, Public: publics[version]})
	}
	return list, nil
}

// instant is the current time in the precision the database keeps.
func (b *Book) instant() time.Time { return b.now().UTC().Truncate(time.Microsecond) }
