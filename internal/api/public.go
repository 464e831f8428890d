package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/consentry/consentry/internal/privacy"
)

// maxPublic bounds the bodies of those who show no token.
const maxPublic = 64 << 10

// registerPublic adds an operation that takes no bearer token: what counts is in the request itself. How often it can be tried is bounded by
// where requests come from, before anything is looked at.
func registerPublic[I, O any](a *API, op huma.Operation, limit *limiter, answer func(context.Context, *I) (*O, error)) {
	op.Errors = append(op.Errors, http.StatusTooManyRequests, http.StatusInternalServerError, http.StatusServiceUnavailable)
	op.Errors = append(op.Errors, bodyStatuses...)
	op.Middlewares = huma.Middlewares{a.limitPlaces(limit), takes("application/json")}
	op.BodyReadTimeout = a.body
	if op.MaxBodyBytes == 0 {
		op.MaxBodyBytes = maxPublic
	}
	huma.Register(a.huma, op, func(ctx context.Context, input *I) (*O, error) {
		output, err := answer(ctx, input)
		if err != nil {
			return nil, a.problemFrom(ctx, err)
		}
		return output, nil
	})
}

// limitPlaces bounds how fast something can be tried from one place.
func (a *API) limitPlaces(limit *limiter) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		if r, _ := humago.Unwrap(ctx); !limit.allow(a.proxies.place(r), a.now()) {
			ctx.SetHeader("Retry-After", "1")
			writeHumaProblem(ctx, a.problemFrom(ctx.Context(), privacy.NewError(privacy.KindRateLimited, "rate_limited", "too many requests; slow down and try again in a second")))
			return
		}
		next(ctx)
	}
}
