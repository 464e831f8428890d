package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
)

type draftPreviewInput struct {
	DraftInput
	Body struct {
		Days *int `json:"days,omitempty" minimum:"0" maximum:"366" doc:"How many days of recorded decisions to take again; 30 when left out, 0 for none."`
	}
}

// previewDays is how far a preview looks back when it is not told.
const previewDays = 30

type draftPreviewOutput struct {
	Body *governance.Preview
}

func (a *API) previewRoutes() {
	register(a, huma.Operation{OperationID: "policy-drafts-preview", Method: http.MethodPost, Path: "/v1/policies/drafts/{id}/preview", Tags: []string{"policy"},
		Summary: "Count what a draft would change",
		Description: "Which clients would gain or lose which attributes for which purposes, or see them in another mode, and for how many people: of all that are held, and of those " +
			"whom recorded decisions of the last days were about. It counts people by what the policy permits, whether or not a value is held for them; it opens no value and releases none. " +
			"Counts of fewer than 50 people are not told, people to whom the same would happen as to fewer than 50 are not counted, and counts are rounded down to multiples of 50: " +
			"no two of them differ by fewer. It is no statistic to be asked over and over, which segments are for; every preview is on record.",
		Errors: []int{http.StatusNotFound}}, nobody, a.previewDraft)
}

func (a *API) previewDraft(ctx context.Context, caller custody.Caller, input *draftPreviewInput) (*draftPreviewOutput, error) {
	id, err := governance.ParseDraftID(input.ID)
	if err != nil {
		return nil, err
	}
	days := previewDays
	if input.Body.Days != nil {
		days = *input.Body.Days
	}
	preview, err := a.governance.PreviewDraft(ctx, caller, id, days)
	return &draftPreviewOutput{Body: preview}, err
}
