package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// Anybody can fill the form in, and guess at codes.
const (
	formsPerSecond = 1
	formsBurst     = 10
)

// formClient is who asks by the form, in the audit log.
const formClient privacy.ClientID = "form"

type requestFormInput struct {
	Body struct {
		Type       string     `json:"type" enum:"access,portability,rectification,erasure,restriction,objection,withdrawal" doc:"Withdrawal is of all consents."`
		Identifier Identifier `json:"identifier"`
		Purpose    string     `json:"purpose,omitempty" maxLength:"64" example:"marketing.*" doc:"Of an objection: a purpose, a family, or * for everything, as when left out."`
	}
}

type requestFormVerifyInput struct {
	RequestPath
	Body struct {
		Code string `json:"code" maxLength:"16" doc:"The code that was sent to the person."`
	}
}

type formOutput struct{ Body rights.Lodged }

func (a *API) requestFormRoutes() {
	tags := []string{"requests"}
	registerPublic(a, huma.Operation{OperationID: "requests-form", Method: http.MethodPost, Path: "/v1/requests/form", Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Ask something about one's data, by a public form",
		Description: "It takes no bearer token. The answer is the same whether the vault knows somebody by the identifier or not; whom it does know is sent a code to a verified address, and what is asked waits until it comes back. What else there is to say is said once it is certain who asks."},
		newLimiter(formsPerSecond, formsBurst), a.fillForm)
	registerPublic(a, huma.Operation{OperationID: "requests-form-verify", Method: http.MethodPost, Path: "/v1/requests/form/{id}/verify", Tags: tags,
		Summary:     "Bring the code back that was sent",
		Description: "Within ten minutes and five tries. It takes no bearer token: the code is what counts. Some requests are looked at by an agent as well.",
		Errors:      []int{http.StatusConflict}}, newLimiter(formsPerSecond, formsBurst), a.verifyForm)
}

func formCaller(ctx context.Context) custody.Caller {
	return custody.Caller{Caller: privacy.Caller{Client: formClient}, Request: requestFrom(ctx).id}
}

func (a *API) fillForm(ctx context.Context, input *requestFormInput) (*formOutput, error) {
	named, err := a.subjectRef(&SubjectRef{Identifier: &input.Body.Identifier})
	if err != nil {
		return nil, err
	}
	asked := rights.Asked{Type: privacy.RequestType(input.Body.Type), Identifier: named.Identifier, Lodged: privacy.LodgedByForm, Details: rights.Details{Purpose: privacy.ObjectionScope(input.Body.Purpose)}}
	lodged, err := a.rights.LodgeByForm(ctx, formCaller(ctx), asked)
	return &formOutput{Body: lodged}, err
}

func (a *API) verifyForm(ctx context.Context, input *requestFormVerifyInput) (*formOutput, error) {
	id, err := privacy.ParseRightsRequestID(input.ID)
	if err != nil {
		return nil, err
	}
	r, err := a.rights.Verify(ctx, formCaller(ctx), id, rights.Proof{Code: privacy.NewCleartext(input.Body.Code)})
	if err != nil {
		return nil, err
	}
	return &formOutput{Body: rights.Lodged{ID: id, DueAt: r.DueAt.UTC(), State: r.State}}, nil
}
