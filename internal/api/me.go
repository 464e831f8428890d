package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// OwnPurpose is something that data is used for.
type OwnPurpose struct {
	Name  privacy.PurposeName `json:"name"`
	Title string              `json:"title"`
}

// OwnAttribute is a value of the subject who asks.
type OwnAttribute struct {
	Name           privacy.AttributeName   `json:"name"`
	Title          string                  `json:"title"`
	Category       string                  `json:"category"`
	Classification privacy.Classification  `json:"classification"`
	Value          Value                   `json:"value"`
	Source         string                  `json:"source" doc:"The system it came from."`
	CollectedAt    time.Time               `json:"collected_at"`
	Retention      string                  `json:"retention,omitempty" example:"P3Y" doc:"How long such values are kept; left out when until erasure."`
	KeptUntil      *time.Time              `json:"kept_until,omitempty"`
	Purposes       []OwnPurpose            `json:"purposes" doc:"What the policy in force lets it be used for, in some form."`
	DerivedFrom    []privacy.AttributeName `json:"derived_from,omitempty"`
	Derivation     string                  `json:"derivation,omitempty" doc:"How it came about, in plain words."`
}

// OwnIdentifier is something that finds the subject who asks.
type OwnIdentifier struct {
	Type     privacy.IdentifierType `json:"type"`
	Title    string                 `json:"title"`
	Value    string                 `json:"value"`
	Verified bool                   `json:"verified"`
	Source   string                 `json:"source"`
	AddedAt  time.Time              `json:"added_at"`
}

// OwnGroup is a group that the subject who asks was put into.
type OwnGroup struct {
	Name       string                  `json:"name"`
	Title      string                  `json:"title"`
	Value      string                  `json:"value"`
	From       []privacy.AttributeName `json:"from"`
	Derivation string                  `json:"derivation" doc:"How it came about, in plain words."`
}

// OwnRecipient is who asked for data.
type OwnRecipient struct {
	Client  privacy.ClientID `json:"client"`
	Role    string           `json:"role,omitempty" enum:"own,processor,third_party"`
	Country string           `json:"country,omitempty"`
}

// OwnDisclosure is one time that somebody asked for data of the subject who asks.
type OwnDisclosure struct {
	ID         string                                 `json:"id" doc:"The entry of the audit log."`
	At         time.Time                              `json:"at"`
	Recipient  OwnRecipient                           `json:"recipient"`
	Purpose    OwnPurpose                             `json:"purpose"`
	Attributes map[privacy.AttributeName]privacy.Mode `json:"attributes" doc:"What they got, where there was a value, and in which form."`
	Withheld   []privacy.AttributeName                `json:"withheld,omitempty" doc:"What they asked for and did not get."`
}

type ownProfileOutput struct {
	Body struct {
		ID          privacy.SubjectID `json:"id"`
		Language    string            `json:"language" doc:"Of titles and explanations."`
		Attributes  []OwnAttribute    `json:"attributes"`
		Identifiers []OwnIdentifier   `json:"identifiers"`
		Derived     []OwnGroup        `json:"derived"`
	}
}

type ownDisclosuresOutput struct {
	Body struct {
		Disclosures []OwnDisclosure `json:"disclosures"`
		Cursor      string          `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

type ownHistoryInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"16" doc:"From the answer before."`
}

func (a *API) ownRoutes() {
	own := func(id, path, summary, description string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: "/v1/me/" + path, Tags: []string{"own data"}, Summary: summary, Description: description,
			Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity}}
	}
	registerOwn(a, own("me-profile", "profile", "One's own profile", "Every value with where it came from, until when it is kept and what it may be used for; what finds one; and what the vault has worked out, and how."), a.ownProfile)
	registerOwn(a, own("me-consents", "consents", "Where one stands", ""), func(ctx context.Context, caller custody.Caller, _ *struct{}) (*consentsOutput, error) {
		return a.listConsents(ctx, caller, &SubjectInput{ID: caller.Subject.String()})
	})
	registerOwn(a, own("me-consents-history", "consents/history", "One's own ledger, newest first", ""), func(ctx context.Context, caller custody.Caller, input *ownHistoryInput) (*historyOutput, error) {
		return a.consentHistory(ctx, caller, &historyInput{SubjectInput: SubjectInput{ID: caller.Subject.String()}, Limit: input.Limit, Cursor: input.Cursor})
	})
	registerOwn(a, own("me-disclosures", "disclosures", "Who asked for one's data, newest first", "Every disclosure once: who, when, what for, and what they got."), a.ownDisclosures)
	registerOwn(a, own("me-exports", "exports", "Files with one's own data that can be fetched", ""), a.ownExports)
}

// registerOwn adds an operation that is about whoever calls.
func registerOwn[I, O any](a *API, op huma.Operation, answer flow[I, O]) {
	registerOpen(a, op, func(ctx context.Context, caller custody.Caller, input *I) (*O, error) {
		if err := a.service.Authorise(ctx, caller.Caller, op.OperationID, caller.Subject); err != nil {
			return nil, err
		}
		return answer(ctx, caller, input)
	})
}

func (a *API) ownProfile(ctx context.Context, caller custody.Caller, _ *struct{}) (*ownProfileOutput, error) {
	profile, err := a.service.OwnProfile(ctx, caller)
	if err != nil {
		return nil, err
	}
	output := &ownProfileOutput{}
	body := &output.Body
	body.ID, body.Language, body.Attributes, body.Identifiers, body.Derived = profile.Subject, profile.Language, []OwnAttribute{}, []OwnIdentifier{}, []OwnGroup{}
	for i := range profile.Attributes {
		v := &profile.Attributes[i]
		purposes := make([]OwnPurpose, len(v.Purposes))
		for i, purpose := range v.Purposes {
			purposes[i] = OwnPurpose(purpose)
		}
		body.Attributes = append(body.Attributes, OwnAttribute{Name: v.Name, Title: v.Title, Category: v.Category, Classification: v.Classification, Value: Value(v.Value), Source: v.Source,
			CollectedAt: v.CollectedAt, Retention: v.Retention, KeptUntil: v.KeptUntil, Purposes: purposes, DerivedFrom: v.DerivedFrom, Derivation: v.Derivation})
	}
	for _, identifier := range profile.Identifiers {
		body.Identifiers = append(body.Identifiers, OwnIdentifier(identifier))
	}
	for _, group := range profile.Groups {
		body.Derived = append(body.Derived, OwnGroup(group))
	}
	return output, nil
}

func (a *API) ownDisclosures(ctx context.Context, caller custody.Caller, input *pageInput) (*ownDisclosuresOutput, error) {
	before, err := custody.ParseEntryName(input.Cursor)
	if input.Cursor == "" {
		err = nil
	}
	if err != nil {
		return nil, errInvalidCursor
	}
	list, next, err := a.service.OwnDisclosures(ctx, caller, before, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &ownDisclosuresOutput{}
	output.Body.Disclosures = make([]OwnDisclosure, len(list))
	for i := range list {
		d := &list[i]
		output.Body.Disclosures[i] = OwnDisclosure{ID: d.ID, At: d.At, Recipient: OwnRecipient(d.Recipient), Purpose: OwnPurpose(d.Purpose), Attributes: d.Attributes, Withheld: d.Withheld}
	}
	if !next.IsZero() {
		output.Body.Cursor = next.String()
	}
	return output, nil
}
