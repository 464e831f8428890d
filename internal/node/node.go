// Package node puts a running vault together: it opens what a process owns, in order, serves
// the API, and takes everything down again so that nothing that was acknowledged is
// lost. The command line and the whole-path tests both start here.
package node

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/api"
	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/webhook"
)

// Config says what a node is made of.
type Config struct {
	DatabaseURL string
	MaxConns    int32            // 0: four a core
	Keyring     *keyring.Keyring // closed by the node
	Authn       authn.Config
	Origin      string         // of the audit log
	PerSecond   float64        // requests a second and client
	Proxies     []netip.Prefix // in front, whose X-Forwarded-For is believed
	Log         *slog.Logger
	Version     string
	TraceURL    string // OTLP over HTTP; "" for no traces
	Webhooks    webhook.Config
	Events      events.Pace // zero: the defaults
	Now         func() time.Time
	Controller  privacy.Controller // zero: the example
	Confirming  custody.Confirming // zero: consents cannot be confirmed by message
	Reach       func(point string) // see rights.Config
	NoSegments  bool               // see custody.Config

	// Try tries policies that nobody has approved; nil: in this process.
	Try func(context.Context, policy.Revision) (policy.Report, error)
}

// Node is a vault that is ready to serve.
type Node struct {
	Service *custody.Service
	Rights  *rights.Service
	Events  *events.Service
	API     *api.API
	Policy  *policy.Engine
	Store   *store.Store

	keyring  *keyring.Keyring
	verifier *authn.Verifier
	log      *slog.Logger
	now      func() time.Time
	traces   func(context.Context) error
	sender   *webhook.Sender
	jobs     *store.Jobs
	stop     context.CancelFunc
	running  sync.WaitGroup
}

// Open connects, puts the built-in policy in force, and starts the sequencer. The schema must be up to
// date. On failure everything is closed again, the keyring included.
func Open(ctx context.Context, c Config) (_ *Node, err error) {
	n := &Node{keyring: c.Keyring, log: c.Log, now: c.Now}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close(ctx))
		}
	}()
	if n.now == nil {
		n.now = time.Now
	}
	if c.Controller == (privacy.Controller{}) {
		c.Controller = privacy.ExampleController()
	}
	if err := c.Controller.Validate(); err != nil {
		return nil, err
	}
	spans, stop, err := startTraces(ctx, c.TraceURL, c.Version)
	if err != nil {
		return nil, err
	}
	n.traces = stop
	storeConfig := store.Config{URL: c.DatabaseURL, MaxConns: c.MaxConns}
	if spans != nil {
		storeConfig.Tracer = store.Tracer{Spans: spans}
	}
	if n.Store, err = store.Open(ctx, storeConfig); err != nil {
		return nil, err
	}
	words, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	registry := prometheus.NewRegistry()
	n.Policy = policy.NewEngine()
	n.Service = custody.New(custody.Config{Store: n.Store, Keyring: c.Keyring, Policy: n.Policy, Catalogue: words, Log: c.Log, Now: c.Now, Origin: c.Origin, Controller: c.Controller, NoSegments: c.NoSegments, Confirming: c.Confirming})
	n.Events = n.openEvents(c, registry)
	if n.Rights, err = rights.New(rights.Config{Vault: n.Service, Store: n.Store, Log: c.Log, Reach: c.Reach}); err != nil {
		return nil, err
	}
	if err := n.Service.ClaimKeyring(ctx); err != nil {
		return nil, err
	}
	revision, err := n.Service.PublishDefault(ctx)
	if err != nil {
		return nil, err
	}
	c.Log.InfoContext(ctx, "policy in force", slog.String("revision", string(revision)))
	if n.verifier, err = authn.New(ctx, c.Authn, n.now); err != nil {
		return nil, err
	}
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), poolCollector{n.Store}, backlogCollector{n.Store, n.now}, segmentCollector{n.Service}, pageFailures(n.Service))
	governed := governance.New(governance.Config{Custody: n.Service, Store: n.Store, Policy: n.Policy, Controller: c.Controller, Now: c.Now, Try: c.Try})
	n.API = api.New(api.Config{Service: n.Service, Governance: governed, Rights: n.Rights, Events: n.Events, Verifier: n.verifier, Log: c.Log, Registry: registry, Now: c.Now, Version: c.Version, PerSecond: c.PerSecond, TrustedProxies: c.Proxies, Spans: spans})
	if err := n.Service.RestoreChecked(ctx); err != nil {
		return nil, err
	}
	if err := n.Rights.Resume(ctx); err != nil {
		return nil, err
	}
	workers := river.NewWorkers()
	n.Service.AddWorkers(workers)
	n.Events.AddWorkers(workers)
	n.Rights.AddWorkers(workers)
	if n.jobs, err = n.Store.StartJobs(ctx, workers, n.Service.PeriodicJobs(), c.Log); err != nil {
		return nil, err
	}
	n.start(context.WithoutCancel(ctx))
	return n, nil
}

// answersKept is how long a repeated request gets its first answer.
const answersKept = 24 * time.Hour

// deliveriesKept is how long it is shown which events a processor has accepted.
const deliveriesKept = 30 * 24 * time.Hour

// start runs what goes on beside requests, until Close.
func (n *Node) start(ctx context.Context) {
	ctx, n.stop = context.WithCancel(ctx)
	n.running.Go(func() { n.Service.Book().Run(ctx) })
	n.running.Go(func() { n.Events.RunRelay(ctx) })
	n.running.Go(func() { n.Service.RunMessenger(ctx) })
	n.running.Go(func() { n.Rights.RunCarrier(ctx) })
	n.running.Go(func() { n.Service.RunSegments(ctx) })
	n.running.Go(func() { n.housekeep(ctx) })
}

func (n *Node) housekeep(ctx context.Context) {
	ticker := time.NewTicker(10 * time.Minute)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			err := errors.Join(n.Store.ForgetAnswers(ctx, n.now().Add(-answersKept)), n.Store.ForgetDeliveries(ctx, n.now().Add(-deliveriesKept)), n.Store.ForgetExports(ctx, n.now()), n.Store.ForgetMessages(ctx, n.now()), n.Rights.Resume(ctx), n.Rights.Attend(ctx))
			if err != nil && ctx.Err() == nil {
				n.log.WarnContext(ctx, "housekeeping failed; trying again later", slog.String("code", privacy.CodeOf(err)))
			}
		}
	}
}

// drainWithin is how long requests under way may take to finish once the node is told to stop.
const drainWithin = 30 * time.Second

// Serve answers requests until ctx ends, then lets those under way finish.
func (n *Node) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{
		Handler:           n.API,
		ReadHeaderTimeout: 5 * time.Second,
		ReadTimeout:       60 * time.Second,
		WriteTimeout:      120 * time.Second,
		IdleTimeout:       120 * time.Second,
		MaxHeaderBytes:    64 << 10,
		// net/http's own messages name the addresses of callers.
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
	}
	server.RegisterOnShutdown(n.Service.EndWaits)
	failed := make(chan error, 1)
	go func() { failed <- server.Serve(listener) }()
	select {
	case err := <-failed:
		return privacy.Internal(err, "serve")
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), drainWithin)
	defer cancel()
	err := server.Shutdown(drain)
	if err != nil {
		_ = server.Close() // ends the connections that are left, and with them their requests' contexts
	}
	<-failed
	if err != nil {
		return privacy.Unavailable(err, "drain_timeout", "some requests did not finish in time")
	}
	return nil
}

// Handler answers requests; Serve puts it behind a listener.
func (n *Node) Handler() http.Handler { return n.API }

// Close commits what is under way and closes everything.
func (n *Node) Close(ctx context.Context) error {
	if n.stop != nil {
		n.stop()
		n.running.Wait()
	}
	var errs []error
	if n.jobs != nil {
		errs = append(errs, n.jobs.Stop(context.WithoutCancel(ctx)))
	}
	if n.sender != nil {
		n.sender.Close()
	}
	if n.Service != nil {
		n.Service.Close()
	}
	if n.verifier != nil {
		n.verifier.Close()
	}
	if n.Store != nil {
		n.Store.Close()
	}
	if n.traces != nil {
		errs = append(errs, n.traces(context.WithoutCancel(ctx)))
	}
	return errors.Join(append(errs, n.keyring.Close())...)
}
