package custody

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Once names a write that must happen at most once however often it is sent: the caller's
// Idempotency-Key and the request it came with. The zero Once asks for nothing.
type Once struct {
	Client    privacy.ClientID
	Subject   privacy.SubjectID // who calls for themselves: people who use one application do not share keys
	Key       string
	Operation string
	Request   []byte // the request as sent; only a keyed hash of it is kept
}

// WriteOnce runs a write in a transaction. With a key, an answer given before is read into answer
// instead of writing again, and the answer of a first write is kept beside it.
func (s *Service) WriteOnce(ctx context.Context, once Once, answer any, work func(tx *store.Tx) error) error {
	key := s.idempotencyKey(once)
	if key == nil {
		return s.withKeys(ctx, func() error { return s.store.Write(ctx, work) })
	}
	return s.withKeys(ctx, func() error { return s.writeKeyed(ctx, *key, answer, work) })
}

func (s *Service) writeKeyed(ctx context.Context, key store.IdempotencyKey, answer any, work func(tx *store.Tx) error) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		earlier, ok, err := tx.Recall(ctx, key)
		if err != nil {
			return err
		}
		if ok {
			return recall(earlier, answer)
		}
		if err := work(tx); err != nil {
			return err
		}
		body, err := json.Marshal(answer)
		if err != nil {
			return privacy.Internal(err, "keep an answer")
		}
		return tx.Remember(ctx, key, body, s.instant())
	})
}

// Answered reads an answer given before, for flows that do much before they write.
func (s *Service) Answered(ctx context.Context, once Once, answer any) (bool, error) {
	if once.Key == "" {
		return false, nil
	}
	err := s.WriteOnce(ctx, once, answer, func(*store.Tx) error { return errNotYet })
	if errors.Is(err, errNotYet) {
		return false, nil
	}
	return err == nil, err
}

// idempotencyKey names a write for the store, nil when it may happen more than once.
func (s *Service) idempotencyKey(once Once) *store.IdempotencyKey {
	if once.Key == "" {
		return nil
	}
	// Callers make keys up from what they have at hand, an email address for instance: only a keyed hash is kept.
	owner := ""
	if !once.Subject.IsZero() {
		owner = once.Subject.String() + "\n"
	}
	name := s.keyring.Fingerprint([]byte("key\n" + owner + once.Key)) // keys hold no line ends
	return &store.IdempotencyKey{Client: once.Client, Key: hex.EncodeToString(name[:]), Fingerprint: s.keyring.Fingerprint(append([]byte(once.Operation+"\n"), once.Request...))}
}

// recall reads a kept answer.
func recall(body []byte, answer any) error {
	if err := json.Unmarshal(body, answer); err != nil {
		return privacy.Internal(err, "read a kept answer")
	}
	return nil
}

// remember keeps the answer of a write beside it; without a key there is nothing to keep.
func (s *Service) remember(w *store.Writes, key *store.IdempotencyKey, answer any, at time.Time) error {
	if key == nil {
		return nil
	}
	body, err := json.Marshal(answer)
	if err != nil {
		return privacy.Internal(err, "keep an answer")
	}
	w.Remember(*key, body, at)
	return nil
}

// upsertOnce is WriteOnce for a flow of several transactions that can itself be repeated without harm:
// the answer is kept after the flow, so a crash between the two costs a repeat only the first
// answer's "created".
func (s *Service) upsertOnce(ctx context.Context, once Once, answer any, work func() error) error {
	if once.Key == "" {
		return work()
	}
	if answered, err := s.Answered(ctx, once, answer); answered || err != nil {
		return err
	}
	if err := work(); err != nil {
		return err
	}
	return s.WriteOnce(ctx, once, answer, func(*store.Tx) error { return nil })
}

// errNotYet rolls the first look at a key back when there is no answer yet.
var errNotYet = privacy.Conflict("not_yet", "no answer is kept")
