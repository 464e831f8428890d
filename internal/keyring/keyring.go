package keyring

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Keyring gives out the keys of subjects, for sealing and opening, and takes them away.
// It is safe for concurrent use, by any number of processes over one backend.
type Keyring struct {
	backend backend
	random  io.Reader
	hashes  hashKeys
	pages   *pageCache
	probe   *probe
	scratch *scratch
}

// Options are the settings that do not depend on where the keys are kept. The zero
// value of each field means its default.
type Options struct {
	PageTTL  time.Duration    // how long an unwrapped page stays in memory; 15 minutes, and never longer
	MaxPages int              // how many; 4,096, the keys of 16 million subjects
	Random   io.Reader        // for keys and nonces, safe for concurrent use; crypto/rand
	Now      func() time.Time // time.Now
	Log      *slog.Logger     // for what happens between calls, such as a log-in that fails; nowhere
	Init     bool             // run Init before the keys are loaded
	Dev      bool             // development: without it the file-backed keyring refuses
}

const (
	maxPageTTL      = 15 * time.Minute
	defaultMaxPages = 4096
)

func (o Options) withDefaults() Options {
	if o.PageTTL <= 0 || o.PageTTL > maxPageTTL {
		o.PageTTL = maxPageTTL
	}
	if o.MaxPages <= 0 {
		o.MaxPages = defaultMaxPages
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// open takes over the backend: it is closed with the keyring, or here on failure.
func open(ctx context.Context, b backend, o Options) (*Keyring, error) {
	k := &Keyring{
		backend: b,
		random:  o.Random,
		pages:   newPageCache(o.PageTTL, o.MaxPages),
		probe:   newProbe(b.ready, o.Now),
		scratch: new(scratch),
	}
	if err := k.load(ctx, o.Init); err != nil {
		_ = k.Close()
		return nil, err
	}
	return k, nil
}

func (k *Keyring) load(ctx context.Context, initialise bool) error {
	if initialise {
		if err := k.Init(ctx); err != nil {
			return err
		}
	}
	var loaded [3]key
	for i, name := range []string{indexRecord, suppressionRecord, tokenRecord} {
		secret, err := k.secret(ctx, name)
		if err != nil {
			return fmt.Errorf("load %s: %w", name, err)
		}
		loaded[i] = secret
	}
	k.hashes = newHashKeys(loaded[0], loaded[1], loaded[2])
	return nil
}

// Close ends renewal and forgets every key. The keyring must not be used afterwards.
func (k *Keyring) Close() error {
	k.pages.close()
	k.backend.close()
	return nil
}

// Format implements fmt.Formatter: a keyring prints its backend and no key.
func (k Keyring) Format(f fmt.State, _ rune) { _, _ = fmt.Fprintf(f, "keyring(%s)", k.backend.name()) }

// Forget drops every cached page.
func (k *Keyring) Forget() { k.pages.clear() }

// Ready reports whether subjects' keys could be had now: the backend answers, is
// unsealed and takes our token. The answer may be a second old.
func (k *Keyring) Ready(ctx context.Context) error { return k.probe.check(ctx) }

// Subject gives the keys of the subject at a slot. It never creates anything: it fails
// with [ErrPunctured] after an erasure, [ErrPageMissing], [ErrPageCorrupt] or [ErrUnavailable].
func (k *Keyring) Subject(ctx context.Context, id privacy.SubjectID, slot privacy.KeySlot) (*Subject, error) {
	if slot < 0 {
		return nil, ErrNoSuchSlot
	}
	t, err := k.page(ctx, PageOf(slot))
	if err != nil {
		return nil, err
	}
	secret, live := t.derive(indexOf(slot))
	if !live {
		return nil, ErrPunctured
	}
	return newSubject(id, &secret, k.random, k.scratch)
}

// Warm reports whether [Keyring.Subject] can answer for a slot without a call to where the keys are.
func (k *Keyring) Warm(slot privacy.KeySlot) bool { return k.pages.holds(PageOf(slot)) }

// Fetch has the page of a slot at hand, so that [Keyring.Subject] need not wait for it. It fails as Subject does.
func (k *Keyring) Fetch(ctx context.Context, slot privacy.KeySlot) error {
	_, err := k.page(ctx, PageOf(slot))
	return err
}

// EnsurePage makes the page if nobody ever did. Of several who try at once one creates it
// and all use it. A page that was there and is lost is not replaced.
func (k *Keyring) EnsurePage(ctx context.Context, page PageNo) (created bool, err error) {
	if page < 0 {
		return false, ErrNoSuchSlot
	}
	if _, err := k.page(ctx, page); !errors.Is(err, ErrPageMissing) {
		return false, err
	}
	root, err := drawKey(k.random)
	if err != nil {
		return false, privacy.Internal(err, "make a key page")
	}
	created, err = k.writeFirst(ctx, pageRecord(page), newTree(root).encode())
	if err != nil {
		return false, fmt.Errorf("make page %d: %w", page, err)
	}
	// Whoever won, what counts is what can be read, and not by a load that began before.
	k.pages.drop(page)
	_, err = k.page(ctx, page)
	return created, err
}

// Sign signs with the newest version of the signing key (Ed25519, RFC 8032) and says
// which version that was.
func (k *Keyring) Sign(ctx context.Context, message []byte) (signature []byte, keyVersion int, err error) {
	signatures, version, err := k.SignAll(ctx, [][]byte{message})
	if err != nil {
		return nil, 0, err
	}
	return signatures[0], version, nil
}

// SignAll signs each message by itself, all with the newest version of the signing key, in one call of
// the backend: the call costs more than the signatures.
func (k *Keyring) SignAll(ctx context.Context, messages [][]byte) (signatures [][]byte, keyVersion int, err error) {
	if len(messages) == 0 {
		return nil, 0, privacy.Internal(nil, "sign nothing")
	}
	return k.backend.sign(ctx, messages)
}

// RotateSigning makes a new version of the signing key, which signs from then on. What older versions have signed
// verifies as before.
func (k *Keyring) RotateSigning(ctx context.Context) error { return k.backend.rotateSigning(ctx) }

// PublicKeys gives the public half of every version of the signing key.
func (k *Keyring) PublicKeys(ctx context.Context) (map[int]ed25519.PublicKey, error) {
	return k.backend.publicKeys(ctx)
}

func (k *Keyring) page(ctx context.Context, number PageNo) (*page, error) {
	return k.pages.get(ctx, number, func(ctx context.Context) (tree, error) {
		t, _, err := k.readPage(ctx, number)
		return t, err
	})
}
