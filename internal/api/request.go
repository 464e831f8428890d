package api

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net/http"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// requestKey is where a request's particulars are kept in its context.
type requestKey struct{}

// request is what is known about a request while it is served.
type request struct {
	id     privacy.RequestID
	caller privacy.Caller
}

func requestFrom(ctx context.Context) *request {
	if r, ok := ctx.Value(requestKey{}).(*request); ok {
		return r
	}
	return &request{}
}

// newRequestID draws an id. One sent by the caller is not used: it would end up in the log and the
// audit trail, and could say anything.
func newRequestID() privacy.RequestID {
	var id [12]byte
	_, _ = rand.Read(id[:]) // never fails (crypto/rand)
	return privacy.RequestID(hex.EncodeToString(id[:]))
}

// recorder remembers the status and size of an answer.
type recorder struct {
	http.ResponseWriter
	status int
	bytes  int64
}

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Write(b []byte) (int, error) {
	if r.status == 0 {
		r.status = http.StatusOK
	}
	n, err := r.ResponseWriter.Write(b)
	r.bytes += int64(n)
	return n, err
}

// Unwrap lets http.ResponseController reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }

// observe gives every request an id, logs it once it is answered, counts it, and turns a panic into
// a problem. The log has the route, never the path: a path holds subject ids. A panic's message may
// hold anything, so only where it happened is logged.
func (a *API) observe(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := a.now()
		particulars := &request{id: newRequestID()}
		ctx, span := a.startSpan(context.WithValue(r.Context(), requestKey{}, particulars), r)
		r = r.WithContext(ctx)
		rec := &recorder{ResponseWriter: w}
		rec.Header().Set("X-Request-Id", string(particulars.id))
		rec.Header().Set("Cache-Control", "no-store") // answers hold personal data
		rec.Header().Set("X-Content-Type-Options", "nosniff")
		defer func() {
			cause := recover()
			if cause == http.ErrAbortHandler { //nolint:errorlint // the value net/http documents
				panic(cause)
			}
			cutShort := cause != nil && a.survive(ctx, rec, particulars)
			endSpan(span, r.Method, routeOf(r), rec.status)
			a.finish(ctx, r, rec, particulars, a.now().Sub(start))
			if cutShort {
				panic(http.ErrAbortHandler)
			}
		}()
		next.ServeHTTP(rec, r)
	})
}

// survive answers a request whose handler has panicked. It reports that the answer was under way already:
// then the connection must break, lest the half of it pass for the whole.
func (a *API) survive(ctx context.Context, rec *recorder, particulars *request) (cutShort bool) {
	a.log.ErrorContext(ctx, "panic", slog.String("request_id", string(particulars.id)), slog.String("at", panicSite()))
	if rec.status != 0 {
		return true
	}
	writeProblem(rec, newProblem(ctx, http.StatusInternalServerError, "internal", internalDetail))
	return false
}

// routeOf names what a request was routed to.
func routeOf(r *http.Request) string {
	if r.Pattern == "" {
		return "unmatched"
	}
	return r.Pattern
}

func (a *API) finish(ctx context.Context, r *http.Request, rec *recorder, particulars *request, took time.Duration) {
	route := routeOf(r)
	a.metrics.request(route, rec.status, took)
	a.log.LogAttrs(ctx, slog.LevelInfo, "request",
		slog.String("request_id", string(particulars.id)), slog.String("route", route), slog.Int("status", rec.status),
		slog.Int64("bytes", rec.bytes), slog.Duration("took", took), slog.String("client", string(particulars.caller.Client)))
}

// panicSite names the functions that led to a panic, innermost first, without arguments.
func panicSite() string {
	var pcs [16]uintptr
	frames := runtime.CallersFrames(pcs[:runtime.Callers(5, pcs[:])])
	var site []string
	for {
		frame, more := frames.Next()
		site = append(site, frame.Function+":"+strconv.Itoa(frame.Line))
		if !more {
			return strings.Join(site, " < ")
		}
	}
}
