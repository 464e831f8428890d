package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// FacetView is a facet that segments may speak of.
type FacetView struct {
	Name    string            `json:"name"`
	Titles  map[string]string `json:"titles"`
	Ordered bool              `json:"ordered" doc:"The values have an order: between makes sense."`
	Open    bool              `json:"open" doc:"The values are whatever people wrote, and are not listed."`
	Values  []FacetValueView  `json:"values"`
}

// FacetValueView is one value of a facet.
type FacetValueView struct {
	Value  string            `json:"value"`
	Titles map[string]string `json:"titles,omitempty"`
}

// Predicate documents a predicate (schemas/segment.schema.json); it is read by the flow.
type Predicate json.RawMessage

// Schema implements huma.SchemaProvider.
func (Predicate) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true,
		Description: "One of {all: […]}, {any: […]}, {not: {…}}, or a facet with one of eq, in, between and exists: {facet: city, eq: 上海市}, {facet: age_band, between: [25-34, 45-54]}. See segment.schema.json.",
		Examples:    []any{map[string]any{"facet": "customer_level", "eq": "gold"}}}
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *Predicate) UnmarshalJSON(text []byte) error {
	*p = append((*p)[:0], text...)
	return nil
}

type createSegmentInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes sending the request again safe."`
	RawBody        []byte
	Body           struct {
		Name        string    `json:"name" minLength:"1" maxLength:"200" example:"Gold customers"`
		Description string    `json:"description,omitempty" maxLength:"2000"`
		Predicate   Predicate `json:"predicate"`
	}
}

type updateSegmentInput struct {
	IdempotencyKey string `header:"Idempotency-Key" maxLength:"255" doc:"Makes sending the request again safe."`
	ID             string `path:"id" format:"uuid"`
	RawBody        []byte
	Body           struct {
		Name        string    `json:"name" minLength:"1" maxLength:"200" example:"Gold customers"`
		Description string    `json:"description,omitempty" maxLength:"2000"`
		Predicate   Predicate `json:"predicate"`
		Version     int32     `json:"version" minimum:"1" doc:"The version that the change is made to."`
	}
}

type segmentInput struct {
	ID      string `path:"id" format:"uuid"`
	Version int32  `query:"version" minimum:"1" doc:"The newest when left out."`
}

type segmentOutput struct{ Body *custody.SegmentView }

type createdSegmentOutput struct {
	Status int
	Body   *custody.SegmentView
}

type listSegmentsInput struct {
	Cursor string `query:"cursor" doc:"Where to go on, from the previous page."`
	Limit  int    `query:"limit" minimum:"1" maximum:"200" default:"50"`
}

type listSegmentsOutput struct {
	Body struct {
		Segments []custody.SegmentView `json:"segments"`
		Cursor   string                `json:"cursor,omitempty" doc:"Where to go on; absent at the end."`
	}
}

type explainSegmentInput struct {
	Body struct {
		Predicate Predicate `json:"predicate"`
	}
}

type explainSegmentOutput struct{ Body *custody.SegmentMeaning }

type facetsOutput struct {
	Body struct {
		Facets []FacetView `json:"facets"`
	}
}

func (a *API) segmentRoutes() {
	tags := []string{"segments"}
	notFound := []int{http.StatusNotFound}
	register(a, huma.Operation{OperationID: "facets-list", Method: http.MethodGet, Path: "/v1/facets", Tags: tags,
		Summary: "List what segments may speak of"}, nobody, a.listFacets)
	register(a, huma.Operation{OperationID: "segments-create", Method: http.MethodPost, Path: "/v1/segments", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Store a segment", Errors: []int{http.StatusConflict}}, nobody, a.createSegment)
	register(a, huma.Operation{OperationID: "segments-list", Method: http.MethodGet, Path: "/v1/segments", Tags: tags,
		Summary: "List segments, those made last first"}, nobody, a.listSegments)
	register(a, huma.Operation{OperationID: "segments-explain", Method: http.MethodPost, Path: "/v1/segments/explain", Tags: tags,
		Summary: "Say in words what a predicate means"}, nobody, a.explainSegment)
	register(a, huma.Operation{OperationID: "segments-get", Method: http.MethodGet, Path: "/v1/segments/{id}", Tags: tags,
		Summary: "Read a segment", Errors: notFound}, nobody, a.getSegment)
	register(a, huma.Operation{OperationID: "segments-update", Method: http.MethodPut, Path: "/v1/segments/{id}", Tags: tags,
		Summary: "Store the next version of a segment", Errors: []int{http.StatusNotFound, http.StatusConflict}}, nobody, a.updateSegment)
	a.segmentAnswerRoutes()
	a.activationRoutes()
}

func (a *API) listFacets(context.Context, custody.Caller, *struct{}) (*facetsOutput, error) {
	output := &facetsOutput{}
	for _, f := range a.service.Facets() {
		view := FacetView{Name: string(f.Name), Titles: f.Titles, Ordered: f.Ordered, Open: f.Open(), Values: []FacetValueView{}}
		for _, v := range f.Values {
			view.Values = append(view.Values, FacetValueView{Value: v.Name, Titles: v.Titles})
		}
		output.Body.Facets = append(output.Body.Facets, view)
	}
	return output, nil
}

func (a *API) createSegment(ctx context.Context, caller custody.Caller, input *createSegmentInput) (*createdSegmentOutput, error) {
	draft := custody.SegmentDraft{Name: input.Body.Name, Description: input.Body.Description, Predicate: json.RawMessage(input.Body.Predicate)}
	once := custody.Once{Client: caller.Client, Key: input.IdempotencyKey, Operation: "segments-create", Request: input.RawBody}
	view, err := a.service.PutSegment(ctx, caller, custody.SegmentID{}, 0, draft, once)
	return &createdSegmentOutput{Status: http.StatusCreated, Body: view}, err
}

func (a *API) updateSegment(ctx context.Context, caller custody.Caller, input *updateSegmentInput) (*segmentOutput, error) {
	id, err := segmentID(input.ID)
	if err != nil {
		return nil, err
	}
	draft := custody.SegmentDraft{Name: input.Body.Name, Description: input.Body.Description, Predicate: json.RawMessage(input.Body.Predicate)}
	once := custody.Once{Client: caller.Client, Key: input.IdempotencyKey, Operation: "segments-update " + input.ID, Request: input.RawBody}
	view, err := a.service.PutSegment(ctx, caller, id, input.Body.Version, draft, once)
	return &segmentOutput{view}, err
}

func (a *API) getSegment(ctx context.Context, _ custody.Caller, input *segmentInput) (*segmentOutput, error) {
	id, err := segmentID(input.ID)
	if err != nil {
		return nil, err
	}
	view, err := a.service.Segment(ctx, id, input.Version)
	return &segmentOutput{view}, err
}

func (a *API) listSegments(ctx context.Context, _ custody.Caller, input *listSegmentsInput) (*listSegmentsOutput, error) {
	var before custody.SegmentID
	if input.Cursor != "" {
		var err error
		if before, err = custody.ParseSegmentID(input.Cursor); err != nil {
			return nil, privacy.Invalid("invalid_cursor", "the cursor is not one that this service gave out")
		}
	}
	segments, err := a.service.Segments(ctx, before, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &listSegmentsOutput{}
	output.Body.Segments = listed(segments)
	if len(segments) == input.Limit {
		output.Body.Cursor = segments[len(segments)-1].ID
	}
	return output, nil
}

func (a *API) explainSegment(_ context.Context, _ custody.Caller, input *explainSegmentInput) (*explainSegmentOutput, error) {
	meaning, err := a.service.ExplainSegment(json.RawMessage(input.Body.Predicate))
	return &explainSegmentOutput{meaning}, err
}

// segmentID reads an id of the path.
func segmentID(text string) (custody.SegmentID, error) {
	id, err := custody.ParseSegmentID(text)
	if err != nil {
		return id, privacy.NotFound("segment_not_found", "there is no such segment")
	}
	return id, nil
}

// timeQuery reads a time of the query; "" is none.
func timeQuery(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return at, privacy.Invalid("invalid_cursor", "the cursor is not one that this service gave out")
	}
	return at, nil
}
