package api

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// Value is any JSON value, kept as it was sent so that a decimal stays exact.
type Value json.RawMessage

// Schema implements huma.SchemaProvider: anything goes, the catalogue decides.
func (Value) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "A value of the type the catalogue gives the attribute; null deletes it.", Examples: []any{"Berlin", 42, true, nil}}
}

// UnmarshalJSON implements json.Unmarshaler.
func (v *Value) UnmarshalJSON(data []byte) error {
	*v = append((*v)[:0], data...)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (v Value) MarshalJSON() ([]byte, error) { return json.RawMessage(v).MarshalJSON() }

// Identifier finds a subject.
type Identifier struct {
	Type  string `json:"type" maxLength:"64" example:"email" doc:"An identifier type of the catalogue."`
	Value string `json:"value" maxLength:"512" example:"ada@example.com"`
}

// SubjectRef names a subject by id or by identifier.
type SubjectRef struct {
	ID         string      `json:"id,omitempty" maxLength:"64" doc:"The subject's id."`
	Identifier *Identifier `json:"identifier,omitempty" doc:"Or something that finds the subject."`
}

// SubjectIdentifier is an identifier that comes with a profile.
type SubjectIdentifier struct {
	Type     string `json:"type" maxLength:"64" example:"email"`
	Value    string `json:"value" maxLength:"512" example:"ada@example.com"`
	Verified bool   `json:"verified,omitempty" doc:"Whether the subject has shown that it is theirs."`
}

// Subject is a profile to be stored.
type Subject struct {
	Identifiers []SubjectIdentifier `json:"identifiers" minItems:"1" maxItems:"20" doc:"Any of them finds the subject again."`
	Attributes  map[string]Value    `json:"attributes,omitempty" doc:"Values by attribute name."`
	Regime      string              `json:"regime,omitempty" maxLength:"32" example:"gdpr" doc:"The law that applies, where country and province do not say: it follows from them otherwise, and default alone, the strictest, may be stated instead."`
	Source      string              `json:"source" maxLength:"64" example:"crm" doc:"The system the data comes from."`
	CollectedAt *time.Time          `json:"collected_at,omitempty" doc:"When the data was collected; now when left out. Older data never overwrites newer."`
}

func (s *Subject) draft() custody.ProfileDraft {
	draft := custody.ProfileDraft{Regime: privacy.Regime(s.Regime), Source: s.Source, Attributes: rawAttributes(s.Attributes), CollectedAt: timeOf(s.CollectedAt)}
	for _, d := range s.Identifiers {
		draft.Identifiers = append(draft.Identifiers, custody.IdentifierDraft{Type: privacy.IdentifierType(d.Type), Value: d.Value, Verified: d.Verified})
	}
	return draft
}

func rawAttributes(values map[string]Value) map[privacy.AttributeName]json.RawMessage {
	raw := make(map[privacy.AttributeName]json.RawMessage, len(values))
	for name, value := range values {
		raw[privacy.AttributeName(name)] = json.RawMessage(value)
	}
	return raw
}

// listed gives a list that is [] and never null in JSON.
func listed[T any](items []T) []T {
	if items == nil {
		return []T{}
	}
	return items
}

// timeOf gives a time that may have been left out, which further in the zero time says. The instant that
// is the zero time must not pass for it: a consent that expires in the year 1 is not one that never does.
func timeOf(at *time.Time) time.Time {
	switch {
	case at == nil:
		return time.Time{}
	case at.IsZero():
		return at.Add(time.Microsecond)
	default:
		return *at
	}
}

// Idempotent is embedded in the input of writes that may be sent again. It is exported because Huma
// looks into exported embedded structs only.
type Idempotent struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" doc:"Makes the call safe to repeat for a day: a repeat gets the first answer."`
	RawBody        []byte
}

func (i *Idempotent) once(caller custody.Caller, operation string) custody.Once {
	return custody.Once{Client: caller.Client, Subject: caller.Subject, Key: i.IdempotencyKey, Operation: operation, Request: i.RawBody}
}

// SubjectStored says which subject a profile became.
type SubjectStored struct {
	ID      string `json:"id" example:"0192f0c1-a2b3-7c4d-8e5f-60718293a4b5"`
	Created bool   `json:"created"`
}

type upsertInput struct {
	Idempotent
	Body Subject
}

type upsertOutput struct {
	Status int
	Body   SubjectStored
}

type lookupInput struct {
	Body struct {
		Identifier Identifier `json:"identifier"`
	}
}

type lookupOutput struct {
	Body struct {
		ID string `json:"id"`
	}
}

type updateInput struct {
	ID string `path:"id" maxLength:"64"`
	Idempotent
	Body struct {
		Attributes map[string]Value `json:"attributes" minProperties:"1" doc:"Values by attribute name; null deletes."`
		Source     string           `json:"source" maxLength:"64" example:"service-desk"`
	}
}

type updateOutput struct {
	Body struct {
		Updated []privacy.AttributeName `json:"updated" doc:"The attributes that were changed or deleted."`
	}
}

func (a *API) subjectRoutes() {
	register(a, huma.Operation{OperationID: "subjects-upsert", Method: http.MethodPost, Path: "/v1/subjects", Tags: []string{"subjects"},
		Summary: "Store a profile", Description: "Creates a subject, or updates the one that an identifier finds. Nothing is merged: identifiers of two subjects are a conflict.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusConflict}, Responses: a.updatedResponse()}, nobody, a.upsert)
	register(a, huma.Operation{OperationID: "subjects-lookup", Method: http.MethodPost, Path: "/v1/subjects/lookup", Tags: []string{"subjects"},
		Summary: "Find a subject by identifier", Description: "Who is a customer is personal data: every look-up is put on record, whether it finds somebody or not.", Errors: []int{http.StatusNotFound}}, nobody, a.lookup)
	register(a, huma.Operation{OperationID: "attributes-update", Method: http.MethodPatch, Path: "/v1/subjects/{id}/attributes", Tags: []string{"subjects"},
		Summary: "Change or delete attributes", Description: "Writes to one subject follow each other, so none is lost. Attributes that are not named stay as they are.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		func(i *updateInput) privacy.SubjectID { return idOrZero(i.ID) }, a.updateAttributes)
}

// updatedResponse documents the answer to a profile of somebody who was known already.
func (a *API) updatedResponse() map[string]*huma.Response {
	schema := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[SubjectStored](), true, "")
	return map[string]*huma.Response{"200": {Description: "Updated: an identifier found the subject", Content: map[string]*huma.MediaType{"application/json": {Schema: schema}}}}
}

func (a *API) upsert(ctx context.Context, caller custody.Caller, input *upsertInput) (*upsertOutput, error) {
	profile, err := a.service.Normalise(input.Body.draft())
	if err != nil {
		return nil, err
	}
	stored, err := a.service.UpsertOne(ctx, caller, profile, input.once(caller, "subjects-upsert"))
	if err != nil {
		return nil, err
	}
	output := &upsertOutput{Status: http.StatusOK, Body: SubjectStored{ID: stored.ID.String(), Created: stored.Created}}
	if stored.Created {
		output.Status = http.StatusCreated
	}
	return output, nil
}

func (a *API) lookup(ctx context.Context, caller custody.Caller, input *lookupInput) (*lookupOutput, error) {
	identifier, err := a.service.NormaliseIdentifier(identifierDraft(&input.Body.Identifier), "")
	if err != nil {
		return nil, err
	}
	id, err := a.service.Lookup(ctx, caller, identifier)
	if err != nil {
		return nil, err
	}
	output := &lookupOutput{}
	output.Body.ID = id.String()
	return output, nil
}

func (a *API) updateAttributes(ctx context.Context, caller custody.Caller, input *updateInput) (*updateOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	if err := custody.CheckSource(input.Body.Source); err != nil {
		return nil, err
	}
	fields, err := a.service.NormaliseAttributes(rawAttributes(input.Body.Attributes))
	if err != nil {
		return nil, err
	}
	updated, err := a.service.UpdateAttributes(ctx, caller, id, fields, input.Body.Source, input.once(caller, "attributes-update "+input.ID))
	output := &updateOutput{}
	output.Body.Updated = listed(updated)
	return output, err
}

func identifierDraft(d *Identifier) custody.IdentifierDraft {
	return custody.IdentifierDraft{Type: privacy.IdentifierType(d.Type), Value: d.Value}
}

// subjectRef reads a reference: exactly one of id and identifier.
func (a *API) subjectRef(ref *SubjectRef) (custody.SubjectRef, error) {
	switch {
	case ref.ID != "" && ref.Identifier == nil:
		id, err := privacy.ParseSubjectID(ref.ID)
		if err == nil && id.IsZero() {
			err = privacy.NotFound("subject_not_found", "there is no such subject")
		}
		return custody.SubjectRef{ID: id}, err
	case ref.ID == "" && ref.Identifier != nil:
		identifier, err := a.service.NormaliseIdentifier(identifierDraft(ref.Identifier), "")
		return custody.SubjectRef{Identifier: identifier}, err
	default:
		return custody.SubjectRef{}, privacy.Invalid("invalid_subject", "name a subject by id or by identifier, one of the two")
	}
}

// idOrZero reads an id for authorisation; one that is not an id concerns nobody.
func idOrZero(text string) privacy.SubjectID {
	id, err := privacy.ParseSubjectID(text)
	if err != nil {
		return privacy.SubjectID{}
	}
	return id
}
