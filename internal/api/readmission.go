package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
)

type readmitInput struct {
	Body struct {
		Identifiers []Identifier `json:"identifiers" minItems:"1" maxItems:"20" doc:"Those by which they come back."`
	}
}

type readmitOutput struct {
	Body struct {
		Readmitted int `json:"readmitted" doc:"How many of the identifiers were marked as those of somebody who was erased."`
	}
}

func (a *API) readmissionRoute() {
	register(a, huma.Operation{OperationID: "subjects-readmit", Method: http.MethodPost, Path: "/v1/subjects/readmissions", Tags: []string{"subjects"}, DefaultStatus: http.StatusOK,
		Summary:     "Let somebody come back who was erased",
		Description: "Of their own will: afterwards they can be stored like anybody new. Nothing that was erased comes back. Every call is put on record."}, nobody,
		func(ctx context.Context, caller custody.Caller, input *readmitInput) (*readmitOutput, error) {
			identifiers := make([]custody.ProfileIdentifier, len(input.Body.Identifiers))
			for i := range input.Body.Identifiers {
				var err error
				if identifiers[i], err = a.service.NormaliseIdentifier(identifierDraft(&input.Body.Identifiers[i]), ""); err != nil {
					return nil, err
				}
			}
			output := &readmitOutput{}
			var err error
			output.Body.Readmitted, err = a.service.Readmit(ctx, caller, identifiers)
			return output, err
		})
}
