// Package custody holds the flows: how a profile comes in, how consent is recorded, how
// a decision is taken and attributes are released, and how all of it is put on record. One flow, one
// file. Each flow brings together the keyring (which can open values but knows no
// rows), the store (which keeps rows but cannot open them), the policy (which decides but
// sees neither) and the audit log.
//
// Values in clear exist only inside these flows. [privacy.Cleartext] is revealed for release in disclosure.go
// alone, only for attributes that a decision permits, and held back until that decision is committed.
package custody

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/logbook"
	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Service carries out the flows. It is safe for concurrent use; Close it when done.
type Service struct {
	store     *store.Store
	keyring   *keyring.Keyring
	policy    *policy.Engine
	catalogue *catalogue.Catalogue
	log       *slog.Logger
	now       func() time.Time
	random    io.Reader
	book      *logbook.Book

	controller   privacy.Controller
	signer       *signer
	ledgers      *ledgerGroups
	receiptTerms termsCache
	confirming   Confirming
	queued       map[mail.Channel]chan struct{} // signals, by channel, that a message was

	batcher *audit.Batcher
	pages   knownPages
	loading chan struct{} // held by whoever compiles one that is
	notices sync.Map      // NoticeRef → *shownNotice
	latest  atomic.Value  // privacy.RevisionID: see lastRevision
	ending  chan struct{} // closed by EndWaits

	segments *segments

	pageFailures atomic.Int64 // see pageAlarm
}

// Config is what a Service is made of. Now and Random default to the clock and crypto/rand; Origin
// names the audit log in its checkpoints.
type Config struct {
	Store     *store.Store
	Keyring   *keyring.Keyring
	Policy    *policy.Engine
	Catalogue *catalogue.Catalogue
	Log       *slog.Logger
	Now       func() time.Time
	Random    io.Reader
	Origin    string

	Controller privacy.Controller // zero: the example
	Confirming Confirming

	NoSegments bool // this node keeps no index of segments, and answers no question about them
}

// Caller is who called, and under which request.
type Caller struct {
	privacy.Caller
	Request privacy.RequestID
}

// knownPages remembers which key pages this process has seen to exist.
type knownPages struct {
	mu   sync.Mutex
	seen map[keyring.PageNo]bool
}

// New makes a Service and starts its group commits.
func New(c Config) *Service {
	s := &Service{store: c.Store, keyring: c.Keyring, policy: c.Policy, catalogue: c.Catalogue, log: c.Log, now: c.Now, random: c.Random, controller: c.Controller,
		confirming: c.Confirming, queued: messageQueues(&c.Confirming), loading: make(chan struct{}, 1), ending: make(chan struct{})}
	if s.confirming.Within <= 0 {
		s.confirming.Within = confirmWithin
	}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.controller == (privacy.Controller{}) {
		s.controller = privacy.ExampleController()
	}
	s.signer = newSigner(s.keyring, s.now)
	s.ledgers = newLedgerGroups(s)
	s.segments = newSegments(s, c.NoSegments)
	s.book = logbook.New(logbook.Config{Store: c.Store, Signer: c.Keyring, Log: c.Log, Now: s.now, Origin: c.Origin})
	s.batcher = audit.NewBatcher(c.Store.CommitAudit, s.now, s.random, audit.Limits{})
	return s
}

// EndWaits lets those go who wait. It is called once, when the process is told to stop.
func (s *Service) EndWaits() { close(s.ending) }

// Ending is closed once the process is told to stop.
func (s *Service) Ending() <-chan struct{} { return s.ending }

// UntilEnding gives a context that ends with ctx, or once the process is told to stop. Stop waits for what watches.
func (s *Service) UntilEnding(ctx context.Context) (_ context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		select {
		case <-s.ending:
			cancel(errStopping)
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		cancel(nil)
		<-done
	}
}

// Close commits what is under way and refuses the rest. It does not close the store or the keyring.
func (s *Service) Close() {
	s.ledgers.close()
	s.batcher.Close()
}

// Catalogue gives the attributes and identifiers this service knows.
func (s *Service) Catalogue() *catalogue.Catalogue { return s.catalogue }

// Book gives the audit log that the flows are put on record in.
func (s *Service) Book() *logbook.Book { return s.book }

// instant is the current time in the precision the database keeps.
func (s *Service) instant() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// newID draws a UUIDv7.
func (s *Service) newID() ([16]byte, error) { return privacy.NewUUIDv7(s.now(), s.random) }

// Ready reports whether everything a request needs is reachable.
func (s *Service) Ready(ctx context.Context) error {
	if err := s.store.Ready(ctx); err != nil {
		return err
	}
	if err := s.keyring.Ready(ctx); err != nil {
		return err
	}
	_, err := s.InForce(ctx)
	return err
}
