package custody

import (
	"context"
	"crypto/ed25519"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// signer signs receipts, those of concurrent callers in one call of the keyring: the call costs more than the
// signatures. It works like [audit.Batcher]: a free worker takes whatever is waiting, so nobody waits for company,
// and the groups grow with the load by themselves.
type signer struct {
	keyring *keyring.Keyring
	keys    signingKeys
	waiting chan *unsigned
	workers sync.WaitGroup

	mu      sync.RWMutex // guards closed and the growing of callers
	closed  bool
	callers sync.WaitGroup
}

// unsigned is a payload on its way to a signature.
type unsigned struct {
	payload string
	signed  chan signed // takes one answer without a taker
}

type signed struct {
	jws string
	err error
}

const (
	signWorkers = 2               // one call is under way while the next group gathers
	signGroup   = 256             // receipts in a call: a megabyte
	signWithin  = 3 * time.Second // of one call; a receipt is not worth a longer wait
	gatherTurns = 2               // how often others may run before a group is closed
)

func newSigner(keys *keyring.Keyring, now func() time.Time) *signer {
	s := &signer{keyring: keys, keys: signingKeys{keyring: keys, now: now}, waiting: make(chan *unsigned)}
	for range signWorkers {
		s.workers.Go(s.work)
	}
	return s
}

var errSignerClosed = privacy.NewError(privacy.KindUnavailable, "stopping", "the service is stopping; try again")

// sign gives a receipt as a compact JWS.
func (s *signer) sign(ctx context.Context, r *receipt.Receipt) (string, error) {
	payload, err := receipt.Payload(r)
	if err != nil {
		return "", err
	}
	if !s.enter() {
		return "", errSignerClosed
	}
	defer s.callers.Done()
	mine := &unsigned{payload: payload, signed: make(chan signed, 1)}
	select {
	case s.waiting <- mine:
	case <-ctx.Done():
		return "", privacy.Unavailable(context.Cause(ctx), "interrupted", "the call ended before its receipt was signed; nothing was recorded")
	}
	answer := <-mine.signed // soon: the worker's call is bounded
	return answer.jws, answer.err
}

// close refuses new receipts, finishes those under way, and waits for the workers.
func (s *signer) close() {
	s.mu.Lock()
	already := s.closed
	s.closed = true
	s.mu.Unlock()
	s.callers.Wait()
	if !already {
		close(s.waiting)
	}
	s.workers.Wait()
}

func (s *signer) enter() bool {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if s.closed {
		return false
	}
	s.callers.Add(1)
	return true
}

func (s *signer) work() {
	for first := range s.waiting {
		group := s.gather(first)
		payloads := make([]string, len(group))
		for i, u := range group {
			payloads[i] = u.payload
		}
		// A context of its own: the call serves many, and must not fail them all because one has left.
		ctx, cancel := context.WithTimeout(context.Background(), signWithin)
		jws, err := s.signAll(ctx, payloads)
		cancel()
		for i, u := range group {
			if err != nil {
				u.signed <- signed{err: err}
				continue
			}
			u.signed <- signed{jws: jws[i]}
		}
	}
}

func (s *signer) gather(first *unsigned) []*unsigned {
	group, turns := []*unsigned{first}, 0
	for len(group) < signGroup {
		select {
		case u, open := <-s.waiting:
			if !open {
				return group
			}
			group = append(group, u)
		default:
			if turns == gatherTurns {
				return group
			}
			turns++
			runtime.Gosched()
		}
	}
	return group
}

// signAll signs payloads under the newest key. Which one that is, is in the header and so in what is signed: when the key
// has been rotated since it was last looked at, everything is signed once more.
func (s *signer) signAll(ctx context.Context, payloads []string) ([]string, error) {
	version, err := s.keys.newest(ctx)
	if err != nil {
		return nil, err
	}
	for range 2 {
		header, err := s.keys.header(ctx, version)
		if err != nil {
			return nil, err
		}
		inputs := make([][]byte, len(payloads))
		for i, payload := range payloads {
			inputs[i] = receipt.SigningInput(header, payload)
		}
		signatures, by, err := s.keyring.SignAll(ctx, inputs)
		if err != nil {
			return nil, err
		}
		if by == version {
			jws := make([]string, len(inputs))
			for i := range inputs {
				jws[i] = receipt.Compact(inputs[i], signatures[i])
			}
			return jws, nil
		}
		version = by
	}
	return nil, privacy.Unavailable(nil, "signing_key_rotated", "the signing key is being rotated; try again")
}

// signingKeys remembers the public halves of the key that signs.
type signingKeys struct {
	keyring *keyring.Keyring
	now     func() time.Time

	mu      sync.Mutex
	publics map[int]ed25519.PublicKey
	asked   time.Time
}

// keysFresh is how long another node's rotation may go unnoticed by who asks for the keys.
const keysFresh = time.Minute

// newest gives the number of the newest version known here.
func (k *signingKeys) newest(ctx context.Context) (int, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.publics) == 0 {
		if err := k.ask(ctx); err != nil {
			return 0, err
		}
	}
	return slices.Max(slices.Collect(maps.Keys(k.publics))), nil
}

// header gives the protected header for a version.
func (k *signingKeys) header(ctx context.Context, version int) (string, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.publics[version] == nil {
		if err := k.ask(ctx); err != nil {
			return "", err
		}
	}
	public, known := k.publics[version]
	if !known {
		return "", privacy.Unavailable(nil, "signing_key_unknown", "the signing key is being rotated; try again")
	}
	return receipt.Header(receipt.Thumbprint(public)), nil
}

// all gives every version. When the keyring is away, those known here still verify what they signed.
func (k *signingKeys) all(ctx context.Context) (receipt.Keys, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now := k.now(); len(k.publics) == 0 || now.Sub(k.asked) > keysFresh {
		if err := k.ask(ctx); err != nil && len(k.publics) == 0 {
			return nil, err
		}
	}
	return receipt.NewKeys(slices.Collect(maps.Values(k.publics))...), nil
}

func (k *signingKeys) ask(ctx context.Context) error {
	publics, err := k.keyring.PublicKeys(ctx)
	if err == nil {
		k.publics, k.asked = publics, k.now()
	}
	return err
}
