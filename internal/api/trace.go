package api

import (
	"context"
	"net/http"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
)

// startSpan begins the span of a request, under the caller's if it sent one. It says what the access log says: the
// method, and at its end the route and the status. A path holds subject ids and whatever was mistyped into
// it, and an address is a person's, so neither is in it.
func (a *API) startSpan(ctx context.Context, r *http.Request) (context.Context, trace.Span) {
	ctx = propagation.TraceContext{}.Extract(ctx, propagation.HeaderCarrier(r.Header))
	return a.spans.Start(ctx, r.Method, trace.WithSpanKind(trace.SpanKindServer))
}

func endSpan(span trace.Span, method, route string, status int) {
	span.SetName(route)
	span.SetAttributes(attribute.String("http.request.method", method), attribute.String("http.route", route), attribute.Int("http.response.status_code", status))
	span.End()
}
