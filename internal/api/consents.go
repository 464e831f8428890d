package api

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

type consentInput struct {
	Idempotent
	Body struct {
		Subject     SubjectRef             `json:"subject"`
		Purpose     string                 `json:"purpose" maxLength:"64" example:"marketing.email" doc:"Of object and lift also a family, such as marketing.*, or * for everything."`
		Action      string                 `json:"action" enum:"grant,deny,withdraw,object,lift"`
		Explicit    bool                   `json:"explicit,omitempty" doc:"An express statement (GDPR Art. 9(2)(a))."`
		SeparateFor []privacy.ConsentScope `json:"separate_for,omitempty" enum:"third_party,public,public_image,sensitive,transfer" maxItems:"5" doc:"What the consent was given for separately (PIPL Art. 23-39)."`
		By          string                 `json:"by,omitempty" enum:"self,guardian" doc:"Who gave it; self when left out."`
		Channel     string                 `json:"channel,omitempty" pattern:"^[a-z0-9][a-z0-9._-]{0,63}$" example:"web"`
		Method      string                 `json:"method,omitempty" pattern:"^[a-z0-9][a-z0-9._-]{0,63}$" example:"checkbox"`
		OccurredAt  *time.Time             `json:"occurred_at,omitempty" doc:"When the subject decided; now when left out."`
		ExpiresAt   *time.Time             `json:"expires_at,omitempty" doc:"When a grant runs out by itself."`
	}
}

type consentOutput struct {
	Status int
	Body   custody.Recorded
}

// SubjectConsent is where a subject stands on a purpose.
type SubjectConsent struct {
	Purpose     privacy.PurposeName    `json:"purpose"`
	Status      privacy.ConsentStatus  `json:"status" enum:"pending,granted,denied,withdrawn,expired"`
	Explicit    bool                   `json:"explicit"`
	SeparateFor []privacy.ConsentScope `json:"separate_for"`
	By          privacy.ConsentBy      `json:"by"`
	OccurredAt  time.Time              `json:"occurred_at"`
	ExpiresAt   *time.Time             `json:"expires_at,omitempty"`
	UpdatedAt   time.Time              `json:"updated_at"`
}

// ConsentRecord is one entry of the ledger.
type ConsentRecord struct {
	ID          string                 `json:"id"`
	Purpose     privacy.PurposeName    `json:"purpose"`
	Action      privacy.ConsentAction  `json:"action" enum:"grant,deny,withdraw,object,lift"`
	Explicit    bool                   `json:"explicit"`
	SeparateFor []privacy.ConsentScope `json:"separate_for"`
	By          privacy.ConsentBy      `json:"by"`
	Channel     string                 `json:"channel,omitempty"`
	Method      string                 `json:"method,omitempty"`
	OccurredAt  time.Time              `json:"occurred_at"`
	ExpiresAt   *time.Time             `json:"expires_at,omitempty"`
	RecordedBy  privacy.ClientID       `json:"recorded_by"`
	RecordedAt  time.Time              `json:"recorded_at"`
}

// SubjectInput is embedded in inputs about one subject; exported for the same reason as Idempotent.
type SubjectInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (i *SubjectInput) about() privacy.SubjectID { return idOrZero(i.ID) }

type consentsOutput struct {
	Body struct {
		Consents []SubjectConsent `json:"consents"`
	}
}

type historyInput struct {
	SubjectInput
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"16" doc:"From the answer before."`
}

type historyOutput struct {
	Body struct {
		Records []ConsentRecord `json:"records"`
		Cursor  string          `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

func (a *API) consentRoutes() {
	register(a, huma.Operation{OperationID: "consents-record", Method: http.MethodPost, Path: "/v1/consents", Tags: []string{"consent"},
		Summary: "Record a grant, denial, withdrawal or objection", Description: "Once the call has returned, every request that starts later sees it. An objection reaches the whole family of its purpose, until it is lifted or a newer consent is given for a purpose.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict}},
		func(i *consentInput) privacy.SubjectID { return idOrZero(i.Body.Subject.ID) }, a.recordConsent)
	register(a, huma.Operation{OperationID: "consents-list", Method: http.MethodGet, Path: "/v1/subjects/{id}/consents", Tags: []string{"consent"},
		Summary: "Where a subject stands", Description: "One state for each purpose anything was ever recorded for, expiry worked out as of now.", Errors: []int{http.StatusNotFound}}, (*SubjectInput).about, a.listConsents)
	register(a, huma.Operation{OperationID: "consents-history", Method: http.MethodGet, Path: "/v1/subjects/{id}/consents/history", Tags: []string{"consent"},
		Summary: "The ledger of a subject, newest first", Description: "Append-only: nothing in it is ever changed or removed.", Errors: []int{http.StatusNotFound}},
		func(i *historyInput) privacy.SubjectID { return i.about() }, a.consentHistory)
}

func (a *API) recordConsent(ctx context.Context, caller custody.Caller, input *consentInput) (*consentOutput, error) {
	body := &input.Body
	ref, err := a.subjectRef(&body.Subject)
	if err != nil {
		return nil, err
	}
	recorded, err := a.service.RecordConsent(ctx, caller, ref, custody.Consent{Purpose: privacy.PurposeName(body.Purpose), Action: privacy.ConsentAction(body.Action),
		Explicit: body.Explicit, SeparateFor: body.SeparateFor, By: privacy.ConsentBy(body.By), Channel: body.Channel, Method: body.Method,
		OccurredAt: timeOf(body.OccurredAt), ExpiresAt: timeOf(body.ExpiresAt)}, input.once(caller, "consents-record"))
	return &consentOutput{Status: http.StatusCreated, Body: recorded}, err
}

func (a *API) listConsents(ctx context.Context, _ custody.Caller, input *SubjectInput) (*consentsOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	states, err := a.service.Consents(ctx, id)
	output := &consentsOutput{}
	output.Body.Consents = make([]SubjectConsent, len(states))
	for i, s := range states {
		output.Body.Consents[i] = SubjectConsent{Purpose: s.Purpose, Status: s.Status, Explicit: s.Explicit, SeparateFor: listed(s.SeparateFor), By: s.By,
			OccurredAt: s.OccurredAt, ExpiresAt: timePtr(s.ExpiresAt), UpdatedAt: s.UpdatedAt}
	}
	return output, err
}

func (a *API) consentHistory(ctx context.Context, _ custody.Caller, input *historyInput) (*historyOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	before, err := historyCursor(input.Cursor)
	if err != nil {
		return nil, err
	}
	records, err := a.service.ConsentHistory(ctx, id, before, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &historyOutput{}
	output.Body.Records = make([]ConsentRecord, len(records))
	for i := range records {
		output.Body.Records[i] = consentRecord(&records[i])
	}
	if len(records) == input.Limit {
		output.Body.Cursor = strconv.Itoa(int(records[len(records)-1].Seq))
	}
	return output, nil
}

func historyCursor(text string) (int32, error) {
	if text == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(text, 10, 32)
	if err != nil || seq < 1 {
		return 0, errInvalidCursor
	}
	return int32(seq), nil
}

var errInvalidCursor = privacy.Invalid("invalid_cursor", "pass the cursor of the answer before, unchanged")

func consentRecord(r *custody.ConsentRecord) ConsentRecord {
	return ConsentRecord{ID: privacy.SubjectID(r.ID).String(), Purpose: r.Purpose, Action: r.Action, Explicit: r.Explicit, SeparateFor: listed(r.SeparateFor), By: r.By,
		Channel: r.Channel, Method: r.Method, OccurredAt: r.OccurredAt, ExpiresAt: timePtr(r.ExpiresAt), RecordedBy: r.RecordedBy, RecordedAt: r.RecordedAt}
}

func timePtr(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
