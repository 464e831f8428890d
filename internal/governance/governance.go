// Package governance holds the life of a policy: how a draft is begun, edited and tried, what it would change and for how
// many people, how somebody other than its authors approves it, and how it comes into force and is rolled back. It also
// writes down what was processed under the policy in force at any time: the record of processing activities.
//
//	draft.go            begin, edit, abandon: the content of a policy in the making
//	document.go         merge patches, three-way merges, and places that an error may name
//	trial.go            tests, and whether anybody could change the policy again
//	diff.go             what differs, in words and in data
//	preview.go          what would change for how many people, with cohort.go so that none is singled out
//	review.go           submit, approve, reject, publish, rebase
//	revision.go         what was in force, and rolling back
//	ropa.go             the record of processing activities
//
// A draft moves in one direction: it is submitted as it is, approved as it was submitted, and published as it was approved.
// Each step names the hash of the content it is about, so whatever changes the content ends what was said of it. Steps
// lock the draft, check the version that the caller has seen, and commit with their audit entry.
//
// No value and no key is in reach from here. What needs either is custody's: who acted is named by its keyed hash, and who
// is in which policy state is told by its census.
package governance

import (
	"context"
	"crypto/rand"
	"io"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Service carries out the flows. It is safe for concurrent use, and has nothing to close.
type Service struct {
	custody    *custody.Service
	store      *store.Store
	policy     *policy.Engine
	controller privacy.Controller
	now        func() time.Time
	random     io.Reader
	try        func(context.Context, policy.Revision) (policy.Report, error)
	trying     chan struct{} // held by whoever tries a policy that is not in force
	preview    chan struct{} // held by whoever counts what one would change
}

// Config is what a Service is made of: the custody it governs, with the same store and engine. Now and Random
// default to the clock and crypto/rand.
type Config struct {
	Custody    *custody.Service
	Store      *store.Store
	Policy     *policy.Engine
	Controller privacy.Controller // zero: the example
	Now        func() time.Time
	Random     io.Reader
	// Try tries a policy that nobody has approved; nil: [policy.Try], in this process.
	Try func(context.Context, policy.Revision) (policy.Report, error)
}

// New makes a Service.
func New(c Config) *Service {
	s := &Service{custody: c.Custody, store: c.Store, policy: c.Policy, controller: c.Controller, now: c.Now, random: c.Random, try: c.Try,
		trying: make(chan struct{}, 1), preview: make(chan struct{}, 1)}
	if s.now == nil {
		s.now = time.Now
	}
	if s.random == nil {
		s.random = rand.Reader
	}
	if s.try == nil {
		s.try = policy.Try
	}
	if s.controller == (privacy.Controller{}) {
		s.controller = privacy.ExampleController()
	}
	return s
}

// instant is the current time in the precision the database keeps.
func (s *Service) instant() time.Time { return s.now().UTC().Truncate(time.Microsecond) }

// newID draws a UUIDv7.
func (s *Service) newID() ([16]byte, error) { return privacy.NewUUIDv7(s.now(), s.random) }
