package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

type explainInput struct {
	Body struct {
		Client     string                `json:"client" maxLength:"64" example:"crm-mailer" doc:"The application whose request is explained."`
		Roles      []privacy.Role        `json:"roles,omitempty" maxItems:"8" doc:"Its roles; consumer when left out."`
		Purpose    string                `json:"purpose" maxLength:"64" example:"marketing.email"`
		Attributes []string              `json:"attributes" minItems:"1" maxItems:"100"`
		Subject    *SubjectRef           `json:"subject,omitempty" doc:"Explain for a subject, as they stand now;"`
		State      *privacy.SubjectState `json:"state,omitempty" doc:"or for a policy state of your own."`
	}
}

type explainOutput struct {
	Body *custody.Explanation
}

func (a *API) decisionRoutes() {
	register(a, huma.Operation{OperationID: "decisions-explain", Method: http.MethodPost, Path: "/v1/decisions/explain", Tags: []string{"disclosure"},
		Summary: "Say what would be decided, and why", Description: "No value is opened and nothing is released.", Errors: []int{http.StatusNotFound}},
		nobody, a.explain)
}

func (a *API) explain(ctx context.Context, caller custody.Caller, input *explainInput) (*explainOutput, error) {
	body := &input.Body
	question := custody.Question{Client: privacy.ClientID(body.Client), Roles: body.Roles, Purpose: privacy.PurposeName(body.Purpose), State: body.State}
	for _, name := range body.Attributes {
		question.Attributes = append(question.Attributes, privacy.AttributeName(name))
	}
	if (body.Subject == nil) == (body.State == nil) {
		return nil, privacy.Invalid("invalid_subject", "give a subject or a state, one of the two")
	}
	if body.Subject != nil {
		ref, err := a.subjectRef(body.Subject)
		if err != nil {
			return nil, err
		}
		question.Subject = &ref
	}
	explanation, err := a.service.Explain(ctx, caller, question)
	return &explainOutput{Body: explanation}, err
}
