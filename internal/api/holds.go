package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// LegalHold says that a subject's data must be kept.
type LegalHold struct {
	ID         string           `json:"id"`
	Ground     string           `json:"ground" example:"legal_claims"`
	PlacedBy   privacy.ClientID `json:"placed_by"`
	PlacedAt   time.Time        `json:"placed_at"`
	ReleasedBy privacy.ClientID `json:"released_by,omitempty"`
	ReleasedAt *time.Time       `json:"released_at,omitempty"`
}

func legalHold(h *rights.Hold) LegalHold {
	return LegalHold{ID: privacy.SubjectID(h.ID).String(), Ground: h.Ground, PlacedBy: h.PlacedBy, PlacedAt: h.PlacedAt.UTC(), ReleasedBy: h.ReleasedBy, ReleasedAt: timePtr(h.ReleasedAt)}
}

type placeHoldInput struct {
	SubjectInput
	Body struct {
		Ground string `json:"ground" maxLength:"64" example:"legal_claims" doc:"One that the subject's law knows; GET /v1/requests/grounds lists them."`
	}
}

type holdOutput struct{ Body LegalHold }

type holdsOutput struct {
	Body struct {
		Holds []LegalHold `json:"holds"`
	}
}

type releaseHoldInput struct {
	SubjectInput
	Hold string   `path:"hold" maxLength:"64"`
	Body struct{} `required:"false"`
}

func (a *API) holdRoutes() {
	tags := []string{"requests"}
	register(a, huma.Operation{OperationID: "holds-place", Method: http.MethodPost, Path: "/v1/subjects/{id}/holds", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Keep a subject from being erased", Description: "While a hold stands, an erasure waits.", Errors: []int{http.StatusNotFound}},
		func(i *placeHoldInput) privacy.SubjectID { return i.about() }, a.placeHold)
	register(a, huma.Operation{OperationID: "holds-list", Method: http.MethodGet, Path: "/v1/subjects/{id}/holds", Tags: tags,
		Summary: "The legal holds there ever were on a subject"}, (*SubjectInput).about, a.listHolds)
	register(a, huma.Operation{OperationID: "holds-release", Method: http.MethodPost, Path: "/v1/subjects/{id}/holds/{hold}/release", Tags: tags,
		Summary: "End a legal hold", Description: "An erasure that waited for it goes on at once.", Errors: []int{http.StatusNotFound}},
		func(i *releaseHoldInput) privacy.SubjectID { return i.about() }, a.releaseHold)
}

func (a *API) placeHold(ctx context.Context, caller custody.Caller, input *placeHoldInput) (*holdOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	hold, err := a.rights.PlaceHold(ctx, caller, id, input.Body.Ground)
	return &holdOutput{Body: legalHold(&hold)}, err
}

func (a *API) listHolds(ctx context.Context, _ custody.Caller, input *SubjectInput) (*holdsOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	holds, err := a.rights.Holds(ctx, id)
	output := &holdsOutput{}
	output.Body.Holds = make([]LegalHold, len(holds))
	for i := range holds {
		output.Body.Holds[i] = legalHold(&holds[i])
	}
	return output, err
}

func (a *API) releaseHold(ctx context.Context, caller custody.Caller, input *releaseHoldInput) (*holdsOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	hold, err := privacy.ParseSubjectID(input.Hold)
	if err != nil {
		return nil, err
	}
	if err := a.rights.ReleaseHold(ctx, caller, id, hold); err != nil {
		return nil, err
	}
	return a.listHolds(ctx, caller, &input.SubjectInput)
}
