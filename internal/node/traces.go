package node

import (
	"context"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"

	"github.com/consentry/consentry/internal/privacy"
)

// startTraces sends spans to an OTLP collector, and gives what makes them and what flushes and stops them; no
// tracer without a URL. What goes into spans is up to api and store: no personal data.
func startTraces(ctx context.Context, url, version string) (trace.Tracer, func(context.Context) error, error) {
	if url == "" {
		return nil, func(context.Context) error { return nil }, nil
	}
	exporter, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(url))
	if err != nil {
		return nil, nil, privacy.Invalid("invalid_trace_url", "the trace endpoint is not a URL")
	}
	about := resource.NewSchemaless(attribute.String("service.name", "consentry"), attribute.String("service.version", version))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	return provider.Tracer("github.com/consentry/consentry"), provider.Shutdown, nil
}
