package api

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

type healthOutput struct {
	Body struct {
		Status   string                   `json:"status" example:"ok"`
		Segments *custody.SegmentProgress `json:"segments,omitempty" doc:"How far this node's index of segments is. Until it is ready, segments are answered with 503; all else works. Not there on a node that keeps none."`
	}
}

// readyWithin bounds how long readiness waits for PostgreSQL and Vault.
const readyWithin = 3 * time.Second

func (a *API) healthRoutes() {
	huma.Register(a.huma, huma.Operation{OperationID: "health", Method: http.MethodGet, Path: "/healthz", Tags: []string{"operations"},
		Summary: "Whether the process is alive"}, func(context.Context, *struct{}) (*healthOutput, error) {
		output := &healthOutput{}
		output.Body.Status = "ok"
		return output, nil
	})
	huma.Register(a.huma, huma.Operation{OperationID: "ready", Method: http.MethodGet, Path: "/readyz", Tags: []string{"operations"},
		Summary: "Whether PostgreSQL, the keyring and the policy are there", Errors: []int{http.StatusServiceUnavailable}}, func(ctx context.Context, _ *struct{}) (*healthOutput, error) {
		ctx, cancel := context.WithTimeout(ctx, readyWithin)
		defer cancel()
		if err := a.service.Ready(ctx); err != nil {
			a.log.WarnContext(ctx, "not ready", slog.String("code", privacy.CodeOf(err)))
			return nil, newProblem(ctx, http.StatusServiceUnavailable, "not_ready", "something the vault depends on is away; try again")
		}
		output := &healthOutput{}
		output.Body.Status = "ready"
		output.Body.Segments = a.service.SegmentProgress()
		return output, nil
	})
}
