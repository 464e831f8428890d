package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/privacy"
)

// bearerScheme is the name of the security scheme in the OpenAPI document.
const bearerScheme = "bearer"

var secured = []map[string][]string{{bearerScheme: {}}}

// authenticate runs before anything of the body is read.
func (a *API) authenticate(ctx huma.Context, next func(huma.Context)) {
	if len(ctx.Operation().Security) == 0 {
		next(ctx)
		return
	}
	caller, err := a.verifier.Verify(ctx.Context(), bearer(ctx))
	if err == nil && !a.limiter.allow(caller.Client, a.now()) {
		err = privacy.NewError(privacy.KindRateLimited, "rate_limited", "too many requests; slow down and try again in a second")
		ctx.SetHeader("Retry-After", "1")
	}
	if err != nil {
		problem := a.problemFrom(ctx.Context(), err)
		if problem.Status == http.StatusUnauthorized {
			ctx.SetHeader("WWW-Authenticate", `Bearer realm="consentry"`)
		}
		writeHumaProblem(ctx, problem)
		return
	}
	requestFrom(ctx.Context()).caller = caller
	next(ctx)
}

// bearer takes the token out of the header; "" when there is none, or more than one: a proxy in
// front may have looked at the other.
func bearer(ctx huma.Context) string {
	var headers int
	ctx.EachHeader(func(name, _ string) {
		if strings.EqualFold(name, "Authorization") {
			headers++
		}
	})
	if headers != 1 {
		return ""
	}
	scheme, token, _ := strings.Cut(ctx.Header("Authorization"), " ")
	if !strings.EqualFold(scheme, "bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// callerFrom gives who is calling.
func callerFrom(ctx context.Context) privacy.Caller { return requestFrom(ctx).caller }
