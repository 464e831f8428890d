package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// SaidDetails is what a request says in one place.
type SaidDetails struct {
	Purpose    string           `json:"purpose,omitempty" doc:"Of an objection."`
	Attributes map[string]Value `json:"attributes,omitempty" doc:"Of a rectification: the values that are asked for; null deletes."`
	Corrected  []string         `json:"corrected,omitempty" doc:"Of a rectification: the attributes that were put right. Their values are in the profile, and kept here no more."`
	Text       string           `json:"text,omitempty" doc:"In the person's own words."`
}

type requestDetailsOutput struct {
	Body struct {
		Details []SaidDetails `json:"details" doc:"In the order in which they came: who asks again adds to the open request."`
	}
}

func (a *API) requestDetailRoutes(tags []string) {
	registerOpen(a, huma.Operation{OperationID: "requests-details", Method: http.MethodGet, Path: "/v1/requests/{id}/details", Tags: tags,
		Summary: "What a request says in detail", Description: "For who has to decide on it, and for who made it. That it was read is on record. A value that was written is not kept here, nor is one that was erased; and when the request has been closed for long enough (the policy's deadlines.handling.keep_details), nothing is that was said.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-details", func(i *RequestPath) string { return i.ID }, a.requestDetails))
}

func (a *API) requestDetails(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, _ *RequestPath) (*requestDetailsOutput, error) {
	said, err := a.rights.Details(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	output := &requestDetailsOutput{}
	output.Body.Details = make([]SaidDetails, len(said))
	for i := range said {
		output.Body.Details[i] = saidDetails(&said[i])
	}
	return output, nil
}

func saidDetails(d *rights.Details) SaidDetails {
	view := SaidDetails{Purpose: string(d.Purpose), Text: d.Text}
	for name, value := range d.Attributes {
		if view.Attributes == nil {
			view.Attributes = make(map[string]Value, len(d.Attributes))
		}
		view.Attributes[string(name)] = Value(value)
	}
	for _, name := range d.Corrected {
		view.Corrected = append(view.Corrected, string(name))
	}
	return view
}
