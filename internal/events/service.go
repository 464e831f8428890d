package events

import (
	"crypto/rand"
	"io"
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/webhook"
)

// Service carries events. It is safe for concurrent use, and has nothing to close.
type Service struct {
	vault   *custody.Service
	store   *store.Store
	policy  *policy.Engine
	sender  *webhook.Sender
	log     *slog.Logger
	random  io.Reader
	pace    Pace
	observe func(problem webhook.Problem, since time.Duration)
	head    *logHead
}

// Config is what a Service is made of: the vault whose events it carries, with the same store and engine.
type Config struct {
	Vault  *custody.Service
	Store  *store.Store
	Policy *policy.Engine
	Sender *webhook.Sender
	Log    *slog.Logger
	Random io.Reader // nil: crypto/rand
	Pace   Pace
	// Observe is told of every attempt: what came of it, and how long ago the change was. Nil: nobody is told.
	Observe func(problem webhook.Problem, since time.Duration)
}

// New makes a Service.
func New(c Config) *Service {
	s := &Service{vault: c.Vault, store: c.Store, policy: c.Policy, sender: c.Sender, log: c.Log, random: c.Random, pace: c.Pace.withDefaults(), observe: c.Observe, head: newLogHead()}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.observe == nil {
		s.observe = func(webhook.Problem, time.Duration) {}
	}
	return s
}

// AddWorkers adds the jobs of the service to those of the process.
func (s *Service) AddWorkers(workers *river.Workers) {
	river.AddWorker(workers, &deliverWorker{service: s})
}
