package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"

	"github.com/consentry/consentry/internal/authn"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// Config is what an API is made of.
type Config struct {
	Service    *custody.Service
	Governance *governance.Service
	Rights     *rights.Service
	Events     *events.Service
	Verifier   *authn.Verifier
	Log        *slog.Logger
	Registry   *prometheus.Registry
	Spans      trace.Tracer     // nil: none
	Now        func() time.Time // nil: time.Now
	Version    string
	PerSecond  float64 // requests a second and client; 0: 1,000
	Burst      int     // 0: twice PerSecond
	// BodyWithin is how long a body may take to arrive, imports apart; 0: 30 s.
	BodyWithin time.Duration
	// TrustedProxies are the networks whose X-Forwarded-For says where a request came from; nil: none.
	TrustedProxies []netip.Prefix
}

// API serves the vault over HTTP.
type API struct {
	service    *custody.Service
	governance *governance.Service
	rights     *rights.Service
	events     *events.Service
	verifier   *authn.Verifier
	log        *slog.Logger
	now        func() time.Time
	limiter    *limiter
	proxies    proxies       // see Config.TrustedProxies
	body       time.Duration // see Config.BodyWithin
	metrics    *metrics
	spans      trace.Tracer
	huma       huma.API
	handler    http.Handler
}

const (
	defaultRate = 1000
	// maxBody bounds JSON bodies: a thousand subjects with long identifiers fit many times over.
	maxBody = 10 << 20
)

// New builds the API.
func New(c Config) *API {
	replaceHumaErrors()
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Spans == nil {
		c.Spans = noop.NewTracerProvider().Tracer("")
	}
	if c.PerSecond <= 0 {
		c.PerSecond = defaultRate
	}
	if c.Burst == 0 {
		c.Burst = max(1, int(2*c.PerSecond))
	}
	if c.BodyWithin == 0 {
		c.BodyWithin = 30 * time.Second
	}
	mux := http.NewServeMux()
	a := &API{service: c.Service, governance: c.Governance, rights: c.Rights, events: c.Events, verifier: c.Verifier, log: c.Log, now: c.Now,
		limiter: newLimiter(c.PerSecond, c.Burst), proxies: c.TrustedProxies, body: c.BodyWithin, metrics: newMetrics(c.Registry), spans: c.Spans}
	a.huma = humago.New(mux, humaConfig(c.Version))
	a.huma.UseMiddleware(a.authenticate)
	a.routes()
	mux.Handle("GET /confirm", linkPages("confirm.js", confirmTexts))
	mux.Handle("GET /export", linkPages("export.js", exportTexts))
	mux.Handle("GET /docs", docsPage(a.huma.OpenAPI()))
	mux.Handle("GET /metrics", a.metrics.handler())
	a.handler = a.observe(route(mux))
	return a
}

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.handler.ServeHTTP(w, r) }

// OpenAPI gives the OpenAPI 3.1 document as indented JSON.
func (a *API) OpenAPI() ([]byte, error) {
	document, err := json.MarshalIndent(a.huma.OpenAPI(), "", "  ")
	if err != nil {
		return nil, privacy.Internal(err, "write the OpenAPI document")
	}
	return append(document, '\n'), nil
}

func humaConfig(version string) huma.Config {
	config := huma.DefaultConfig("Consentry", version)
	config.Info.Description = "A consent and profile vault. Profiles lie sealed field by field; every release is decided on consent and purpose, and put on record first."
	config.CreateHooks = nil // no $schema links in answers
	config.RejectUnknownQueryParameters = true
	config.SchemasPath = "" // they are in the document
	config.DocsPath = ""    // Huma's page is drawn by scripts from elsewhere; see docsPage
	config.OnAddOperation = append(config.OnAddOperation, sentAsJSON)
	config.Tags = []*huma.Tag{
		{Name: "subjects", Description: "Profiles come in, are found, and are corrected."},
		{Name: "consent", Description: "What subjects decided about purposes: the ledger and where it leaves them."},
		{Name: "notices", Description: "What people are shown before they decide, version by version."},
		{Name: "disclosure", Description: "Asking for attributes for a purpose, and why the answer is what it is."},
		{Name: "segments", Description: "How many people there are of some kind: counted, never listed, and never one by one."},
		{Name: "policy", Description: "The life of a policy: draft, test, approve by somebody else, publish, roll back."},
		{Name: "audit", Description: "The record of every decision and write, and the proof that it is whole."},
		{Name: "requests", Description: "What subjects ask about their data, from the day it comes to the day it is answered."},
		{Name: "own data", Description: "What subjects see of themselves, and take away."},
		{Name: "retention", Description: "What has been kept for long enough, and goes."},
		{Name: "processors", Description: "Downstream systems that are told of changes, and the feed of what happened."},
		{Name: "operations", Description: "For whoever keeps the service running."},
	}
	config.Formats = map[string]huma.Format{"application/json": jsonFormat, "json": jsonFormat}
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		bearerScheme: {Type: "http", Scheme: "bearer", BearerFormat: "JWT", Description: "RS256, ES256 or EdDSA; iss, aud and exp are checked; roles says what the caller may do."},
	}
	return config
}

var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(v)
	},
	Unmarshal: unmarshal,
}

func (a *API) routes() {
	a.subjectRoutes()
	a.importRoutes()
	a.consentRoutes()
	a.consentProofRoutes()
	a.receiptRoutes()
	a.confirmRoutes()
	a.signalRoutes()
	a.noticeRoutes()
	a.consentImportRoutes()
	a.disclosureRoutes()
	a.decisionRoutes()
	a.segmentRoutes()
	a.policyDraftRoutes()
	a.policyRevisionRoutes()
	a.previewRoutes()
	a.policyDiffRoutes()
	a.ropaRoutes()
	a.auditRoutes()
	a.processorRoutes()
	a.acknowledgementRoutes()
	a.requestRoutes()
	a.exportRoutes()
	a.ownRoutes()
	a.requestFormRoutes()
	a.holdRoutes()
	a.retentionRoutes()
	a.readmissionRoute()
	a.healthRoutes()
}

// problemStatuses are documented for every operation, bodyStatuses for those that take a body.
var (
	problemStatuses = []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable}
	bodyStatuses    = []int{http.StatusBadRequest, http.StatusRequestTimeout, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType, http.StatusUnprocessableEntity}
)

// flow answers an authenticated request.
type flow[I, O any] func(ctx context.Context, caller custody.Caller, input *I) (*O, error)

// register adds an operation that policy must allow; about tells which subject it concerns.
func register[I, O any](a *API, op huma.Operation, about func(*I) privacy.SubjectID, answer flow[I, O]) {
	name := op.OperationID
	registerOpen(a, op, func(ctx context.Context, caller custody.Caller, input *I) (*O, error) {
		if err := a.service.Authorise(ctx, caller.Caller, name, about(input)); err != nil {
			return nil, err
		}
		return answer(ctx, caller, input)
	})
}

// registerOpen adds an operation whose flow authorises by itself.
func registerOpen[I, O any](a *API, op huma.Operation, answer flow[I, O]) {
	op.Security = secured
	op.Errors = append(op.Errors, problemStatuses...)
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxBody
	}
	op.BodyReadTimeout = a.body
	if op.Method != http.MethodGet {
		op.Errors = append(op.Errors, bodyStatuses...)
		if len(op.Middlewares) == 0 {
			op.Middlewares = huma.Middlewares{takes("application/json")}
		}
	}
	huma.Register(a.huma, op, func(ctx context.Context, input *I) (*O, error) {
		output, err := answer(ctx, custody.Caller{Caller: callerFrom(ctx), Request: requestFrom(ctx).id}, input)
		if err != nil {
			return nil, a.problemFrom(ctx, err)
		}
		return output, nil
	})
}

// nobody says that an operation concerns no one subject.
func nobody[I any](*I) privacy.SubjectID { return privacy.SubjectID{} }

func writeProblem(w http.ResponseWriter, problem *Problem) {
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(problem.Status)
	_ = json.NewEncoder(w).Encode(problem)
}

func writeHumaProblem(ctx huma.Context, problem *Problem) {
	ctx.SetHeader("Content-Type", "application/problem+json")
	ctx.SetStatus(problem.Status)
	_ = json.NewEncoder(ctx.BodyWriter()).Encode(problem)
}
