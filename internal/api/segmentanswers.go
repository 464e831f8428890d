package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// SegmentCost is what an answer about groups has cost and how it is to be read.
type SegmentCost struct {
	Epsilon         float64   `json:"epsilon" doc:"What the answer has cost; 0 when it was given before, over the same data."`
	BudgetRemaining float64   `json:"budget_remaining" doc:"What the client may still spend on this purpose until the window ends."`
	BudgetRenewsAt  time.Time `json:"budget_renews_at"`
	Margin          int64     `json:"margin" doc:"Counts are noisy: 95 of 100 are no further from the truth than this."`
	ReleasedAt      time.Time `json:"released_at"`
	Repeated        bool      `json:"repeated" doc:"The answer was given before, and nothing has changed since."`
	Revision        string    `json:"revision" doc:"The policy revision that decided who is counted."`
}

func costOf(told *custody.Told) SegmentCost {
	return SegmentCost{Epsilon: told.Epsilon, BudgetRemaining: told.Budget.Remaining, BudgetRenewsAt: told.Budget.RenewsAt, Margin: told.Margin, ReleasedAt: told.ReleasedAt, Repeated: told.Repeated, Revision: string(told.Revision)}
}

type purposeBody struct {
	Purpose string `json:"purpose" maxLength:"64" example:"marketing.segment"`
}

type countInput struct {
	ID   string `path:"id" format:"uuid"`
	Body purposeBody
}

type countOutput struct {
	Body struct {
		Count      *int64 `json:"count" doc:"How many people, noise included; null when it is suppressed."`
		Suppressed bool   `json:"suppressed" doc:"The noisy count is below the minimum."`
		SegmentCost
	}
}

type breakdownInput struct {
	ID   string `path:"id" format:"uuid"`
	Body struct {
		Purpose string   `json:"purpose" maxLength:"64" example:"marketing.segment"`
		By      []string `json:"by" minItems:"1" maxItems:"3" example:"[\"city\",\"customer_level\"]" doc:"One to three facets."`
	}
}

type overlapInput struct {
	ID   string `path:"id" format:"uuid"`
	Body struct {
		Purpose string `json:"purpose" maxLength:"64" example:"marketing.segment"`
		With    string `json:"with" format:"uuid" doc:"The other segment."`
	}
}

type reportInput struct {
	Body struct {
		Purpose string `json:"purpose" maxLength:"64" example:"marketing.segment"`
		By      string `json:"by" enum:"city,industry,customer_level,source" doc:"The facet."`
	}
}

type cellsOutput struct {
	Body struct {
		Cells []custody.GroupCell `json:"cells" doc:"Every person is in one cell. Suppressed cells have the count null; those of values that people wrote are left out."`
		Total *int64              `json:"total" doc:"The sum of the counts that are told."`
		SegmentCost
	}
}

type trendInput struct {
	ID      string `path:"id" format:"uuid"`
	Purpose string `query:"purpose" required:"true" maxLength:"64"`
	Cursor  string `query:"cursor" doc:"Where to go on, from the previous page."`
	Limit   int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
}

type trendOutput struct {
	Body struct {
		Points []custody.TrendPoint `json:"points" doc:"Newest first."`
		Cursor string               `json:"cursor,omitempty" doc:"Where to go on; absent at the end."`
	}
}

type budgetInput struct {
	Purpose string `query:"purpose" required:"true" maxLength:"64"`
}

type budgetOutput struct{ Body custody.Budget }

func (a *API) segmentAnswerRoutes() {
	tags := []string{"segments"}
	notFound := []int{http.StatusNotFound}
	register(a, huma.Operation{OperationID: "segments-count", Method: http.MethodPost, Path: "/v1/segments/{id}/count", Tags: tags, DefaultStatus: http.StatusOK,
		Summary: "Count a segment", Description: "Counts those whose consent and law permit the purpose and every facet that is used. The count is noisy, and costs a part of the budget.", Errors: notFound}, nobody, a.countSegment)
	register(a, huma.Operation{OperationID: "segments-breakdown", Method: http.MethodPost, Path: "/v1/segments/{id}/breakdown", Tags: tags, DefaultStatus: http.StatusOK,
		Summary: "Break a segment down by facets", Description: "All cells together cost as much as one count.", Errors: notFound}, nobody, a.breakSegmentDown)
	register(a, huma.Operation{OperationID: "segments-overlap", Method: http.MethodPost, Path: "/v1/segments/{id}/overlap", Tags: tags, DefaultStatus: http.StatusOK,
		Summary: "Compare two segments", Description: "How many people are in the first alone, in the second alone, and in both.", Errors: notFound}, nobody, a.overlapSegments)
	register(a, huma.Operation{OperationID: "segments-trend", Method: http.MethodGet, Path: "/v1/segments/{id}/trend", Tags: tags,
		Summary: "List the counts a segment had", Description: "The counts that this client was told. Nothing is asked anew, and it costs nothing.", Errors: notFound}, nobody, a.segmentTrend)
	register(a, huma.Operation{OperationID: "segments-report", Method: http.MethodPost, Path: "/v1/segments/report", Tags: tags, DefaultStatus: http.StatusOK,
		Summary: "Tell how customers are spread", Description: "All customers by city, industry, level or source, those with a purchase and those without."}, nobody, a.segmentReport)
	register(a, huma.Operation{OperationID: "segments-budget", Method: http.MethodGet, Path: "/v1/segments/budget", Tags: tags,
		Summary: "Tell what is left of a budget"}, nobody, a.segmentBudget)
}

func (a *API) countSegment(ctx context.Context, caller custody.Caller, input *countInput) (*countOutput, error) {
	id, err := segmentID(input.ID)
	if err != nil {
		return nil, err
	}
	told, err := a.service.CountSegment(ctx, caller, id, privacy.PurposeName(input.Body.Purpose))
	if err != nil {
		return nil, err
	}
	output := &countOutput{}
	output.Body.Count, output.Body.SegmentCost = told.Cells[0].Count, costOf(told)
	output.Body.Suppressed = output.Body.Count == nil
	return output, nil
}

func (a *API) breakSegmentDown(ctx context.Context, caller custody.Caller, input *breakdownInput) (*cellsOutput, error) {
	id, err := segmentID(input.ID)
	if err != nil {
		return nil, err
	}
	by := make([]custody.FacetName, len(input.Body.By))
	for i, name := range input.Body.By {
		by[i] = custody.FacetName(name)
	}
	told, err := a.service.BreakSegmentDown(ctx, caller, id, privacy.PurposeName(input.Body.Purpose), by)
	return cellsOf(told), err
}

func (a *API) overlapSegments(ctx context.Context, caller custody.Caller, input *overlapInput) (*cellsOutput, error) {
	id, err := segmentID(input.ID)
	if err != nil {
		return nil, err
	}
	other, err := segmentID(input.Body.With)
	if err != nil {
		return nil, err
	}
	told, err := a.service.OverlapSegments(ctx, caller, id, other, privacy.PurposeName(input.Body.Purpose))
	return cellsOf(told), err
}

func (a *API) segmentReport(ctx context.Context, caller custody.Caller, input *reportInput) (*cellsOutput, error) {
	told, err := a.service.Report(ctx, caller, custody.FacetName(input.Body.By), privacy.PurposeName(input.Body.Purpose))
	return cellsOf(told), err
}

func cellsOf(told *custody.Told) *cellsOutput {
	if told == nil {
		return nil
	}
	output := &cellsOutput{}
	output.Body.Cells, output.Body.Total, output.Body.SegmentCost = listed(told.Cells), told.Total, costOf(told)
	return output
}

func (a *API) segmentTrend(ctx context.Context, caller custody.Caller, input *trendInput) (*trendOutput, error) {
	id, err := segmentID(input.ID)
	if err != nil {
		return nil, err
	}
	before, err := timeQuery(input.Cursor)
	if err != nil {
		return nil, err
	}
	points, err := a.service.Trend(ctx, caller, id, privacy.PurposeName(input.Purpose), before, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &trendOutput{}
	output.Body.Points = listed(points)
	if len(points) == input.Limit {
		output.Body.Cursor = points[len(points)-1].At.Format(time.RFC3339Nano)
	}
	return output, nil
}

func (a *API) segmentBudget(ctx context.Context, caller custody.Caller, input *budgetInput) (*budgetOutput, error) {
	budget, err := a.service.Budget(ctx, caller, privacy.PurposeName(input.Purpose))
	return &budgetOutput{budget}, err
}
