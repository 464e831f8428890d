package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

type requestDetailsOutput struct {
	Body struct {
		Details []RequestDetails `json:"details" doc:"In the order in which they came: who asks again adds to the open request."`
	}
}

func (a *API) requestDetailRoutes(tags []string) {
	registerOpen(a, huma.Operation{OperationID: "requests-details", Method: http.MethodGet, Path: "/v1/requests/{id}/details", Tags: tags,
		Summary: "What a request says in detail", Description: "For who has to decide on it, and for who made it. That it was read is on record.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-details", func(i *RequestPath) string { return i.ID }, a.requestDetails))
}

func (a *API) requestDetails(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, _ *RequestPath) (*requestDetailsOutput, error) {
	said, err := a.rights.Details(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	output := &requestDetailsOutput{}
	output.Body.Details = make([]RequestDetails, len(said))
	for i, d := range said {
		output.Body.Details[i] = RequestDetails{Purpose: string(d.Purpose), Text: d.Text}
		for name, value := range d.Attributes {
			if output.Body.Details[i].Attributes == nil {
				output.Body.Details[i].Attributes = make(map[string]Value, len(d.Attributes))
			}
			output.Body.Details[i].Attributes[string(name)] = Value(value)
		}
	}
	return output, nil
}
