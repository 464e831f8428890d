package node

import (
	"context"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	"go.opentelemetry.io/otel/sdk/trace"

	"github.com/consentry/consentry/internal/privacy"
)

// startTraces sends spans to an OTLP collector. Spans carry routes and statements without their
// parameters, so no personal data. It returns what flushes and stops them.
func startTraces(ctx context.Context, url, version string) (stop func(context.Context) error, err error) {
	if url == "" {
		return func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(url))
	if err != nil {
		return nil, privacy.Invalid("invalid_trace_url", "the trace endpoint is not a URL")
	}
	about := resource.NewSchemaless(attribute.String("service.name", "consentry"), attribute.String("service.version", version))
	provider := trace.NewTracerProvider(trace.WithBatcher(exporter), trace.WithResource(about))
	otel.SetTracerProvider(provider)
	return provider.Shutdown, nil
}
