package api

import (
	"context"
	"reflect"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// Page is embedded in inputs of lists; exported for the same reason as Idempotent.
type Page struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"64" doc:"From the answer before."`
}

type pageInput struct{ Page }

type requestListInput struct {
	Page
	Subject string    `query:"subject" maxLength:"64"`
	Type    string    `query:"type" enum:"access,portability,rectification,erasure,restriction,objection,withdrawal"`
	State   string    `query:"state" enum:"verifying,in_progress,awaiting_processors,completed,rejected,expired"`
	Open    bool      `query:"open" doc:"Only those that are not closed."`
	DueBy   time.Time `query:"due_by" doc:"Only those that are due until then."`
}

type requestsOutput struct {
	Body struct {
		Requests []RightsRequest `json:"requests"`
		Cursor   string          `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

type groundsInput struct {
	Regime string `query:"regime" required:"true" enum:"gdpr,uk_gdpr,pipl,ccpa,lgpd,appi,pdpa,pipa,quebec25,default"`
}

type groundsOutput struct {
	Body struct {
		Grounds []rights.Ground `json:"grounds"`
	}
}

func (a *API) listRequests(ctx context.Context, _ custody.Caller, input *requestListInput) (*requestsOutput, error) {
	filter := rights.Filter{Type: privacy.RequestType(input.Type), State: privacy.RequestState(input.State), Open: input.Open, DueBy: input.DueBy}
	if input.Subject != "" {
		var err error
		if filter.Subject, err = privacy.ParseSubjectID(input.Subject); err != nil {
			return nil, err
		}
		filter.Identified = true // else it would show what was asked in somebody's name
	}
	return a.requestPage(ctx, filter, &pageInput{input.Page})
}

func (a *API) requestPage(ctx context.Context, filter rights.Filter, page *pageInput) (*requestsOutput, error) {
	filter.Limit = page.Limit
	if page.Cursor != "" {
		before, err := privacy.ParseRightsRequestID(page.Cursor)
		if err != nil {
			return nil, errInvalidCursor
		}
		filter.Before = before
	}
	list, err := a.rights.Requests(ctx, filter)
	if err != nil {
		return nil, err
	}
	output := &requestsOutput{}
	output.Body.Requests = make([]RightsRequest, len(list))
	for i := range list {
		output.Body.Requests[i] = rightsRequest(&list[i])
	}
	if len(list) == page.Limit {
		output.Body.Cursor = list[len(list)-1].ID.String()
	}
	return output, nil
}

func (a *API) listGrounds(_ context.Context, _ custody.Caller, input *groundsInput) (*groundsOutput, error) {
	output := &groundsOutput{}
	output.Body.Grounds = rights.Grounds(privacy.Regime(input.Regime))
	return output, nil
}

func typeOf[T any]() reflect.Type { return reflect.TypeFor[T]() }

func ptr[T any](v T) *T { return &v }
