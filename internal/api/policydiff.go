package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/privacy"
)

type diffInput struct {
	ID       string `path:"id" maxLength:"64"`
	With     string `query:"with" maxLength:"64" doc:"The revision to compare with; for a draft, the one it is based on when left out."`
	Language string `query:"language" enum:"en,zh" default:"en" doc:"Of the sentences."`
}

type diffOutput struct {
	Body governance.PolicyDiff
}

func (a *API) policyDiffRoutes() {
	op := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: "/v1/policies/" + path, Summary: summary, Tags: []string{"policy"},
			Description: "In sentences that an officer reads, and in data. Matrix and grants are put together: which client sees what for which purpose.",
			Errors:      []int{http.StatusNotFound, http.StatusUnprocessableEntity}}
	}
	register(a, op("policy-drafts-diff", "drafts/{id}/diff", "What a draft changes"), nobody, a.diffDraft)
	register(a, op("policy-revisions-diff", "revisions/{id}/diff", "What a revision has other than another"), nobody, a.diffRevisions)
}

func (i *diffInput) with() (privacy.RevisionID, error) {
	if i.With == "" {
		return "", nil
	}
	return governance.ParseRevisionID(i.With)
}

func (a *API) diffDraft(ctx context.Context, _ custody.Caller, input *diffInput) (*diffOutput, error) {
	id, err := governance.ParseDraftID(input.ID)
	if err != nil {
		return nil, err
	}
	with, err := input.with()
	if err != nil {
		return nil, err
	}
	diff, err := a.governance.DiffDraft(ctx, id, with, input.Language)
	return &diffOutput{Body: diff}, err
}

func (a *API) diffRevisions(ctx context.Context, _ custody.Caller, input *diffInput) (*diffOutput, error) {
	id, err := governance.ParseRevisionID(input.ID)
	if err != nil {
		return nil, err
	}
	with, err := governance.ParseRevisionID(input.With)
	if err != nil {
		return nil, err
	}
	diff, err := a.governance.DiffRevisions(ctx, with, id, input.Language)
	return &diffOutput{Body: diff}, err
}
