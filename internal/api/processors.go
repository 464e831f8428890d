package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/privacy"
)

// ProcessorBody is what is said about a processor.
type ProcessorBody struct {
	Name      string   `json:"name" maxLength:"200" example:"Mail House"`
	Contact   string   `json:"contact" maxLength:"200" example:"privacy@mailhouse.example" doc:"Whom to reach there: a role, not a person."`
	URL       string   `json:"url,omitempty" maxLength:"512" example:"https://hooks.mailhouse.example/consent" doc:"Where events are posted: https, without user, query or fragment. Left out when the processor asks for them itself, as its client."`
	Purposes  []string `json:"purposes" minItems:"1" maxItems:"50" maxLength:"64" example:"[\"marketing.*\"]" doc:"What it works for: purposes, families of them, or * for all. It is told of nothing else that concerns people, but for what follows from the requests of those it has received; of changes of the policy every processor is told."`
	Kinds     []string `json:"kinds,omitempty" maxItems:"20" maxLength:"64" doc:"The kinds of news it wants; all but those for officers when left out. What follows from requests of subjects it is told in any case."`
	Country   string   `json:"country" maxLength:"2" example:"DE" doc:"Where it is (ISO 3166-1 alpha-2)."`
	Agreement string   `json:"agreement" maxLength:"200" example:"DPA-2026-014" doc:"The reference of the contract (GDPR Art. 28)."`
	Client    string   `json:"client,omitempty" maxLength:"64" example:"crm-mailer" doc:"The application of the policy as which it asks for data, if it does."`
	Active    *bool    `json:"active,omitempty" doc:"Whether it is told now; true when left out. What it misses meanwhile it is told later."`
}

func (b *ProcessorBody) draft() events.ProcessorDraft {
	draft := events.ProcessorDraft{Name: b.Name, Contact: b.Contact, URL: b.URL, Country: b.Country, Agreement: b.Agreement,
		Client: privacy.ClientID(b.Client), Active: b.Active == nil || *b.Active}
	for _, purpose := range b.Purposes {
		draft.Purposes = append(draft.Purposes, privacy.ObjectionScope(purpose))
	}
	for _, kind := range b.Kinds {
		draft.Kinds = append(draft.Kinds, privacy.EventKind(kind))
	}
	return draft
}

// Processor is a downstream system that is told of changes.
type Processor struct {
	ID        string                   `json:"id"`
	Version   int64                    `json:"version" doc:"Give it back when you change the processor."`
	Name      string                   `json:"name"`
	Contact   string                   `json:"contact"`
	URL       string                   `json:"url,omitempty"`
	Purposes  []privacy.ObjectionScope `json:"purposes"`
	Kinds     []privacy.EventKind      `json:"kinds"`
	Country   string                   `json:"country"`
	Agreement string                   `json:"agreement"`
	Client    privacy.ClientID         `json:"client,omitempty"`
	Active    bool                     `json:"active"`
	// FormerSecretUntil is how long the secret before the current one signs too.
	FormerSecretUntil *time.Time       `json:"former_secret_until,omitempty" doc:"Until then events carry a second signature, with the secret before."`
	CreatedBy         privacy.ClientID `json:"created_by"`
	CreatedAt         time.Time        `json:"created_at"`
	UpdatedAt         time.Time        `json:"updated_at"`
	RetiredAt         *time.Time       `json:"retired_at,omitempty"`
}

func processor(p *events.Processor) Processor {
	return Processor{ID: p.ID.String(), Version: p.Version, Name: p.Name, Contact: p.Contact, URL: p.URL, Purposes: listed(p.Purposes), Kinds: listed(p.Kinds),
		Country: p.Country, Agreement: p.Agreement, Client: p.Client, Active: p.Active, FormerSecretUntil: timePtr(p.FormerUntil),
		CreatedBy: p.CreatedBy, CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, RetiredAt: timePtr(p.RetiredAt)}
}

// ProcessorSaved is the answer to a write.
type ProcessorSaved struct {
	ID      string `json:"id"`
	Version int64  `json:"version"`
	Secret  string `json:"secret,omitempty" doc:"What events are signed with (Standard Webhooks). It is shown this once; a repeat of the call with the same Idempotency-Key does not have it."`
}

type savedOutput struct {
	Body ProcessorSaved
}

type processorCreateInput struct {
	Idempotent
	Body ProcessorBody
}

// ProcessorInput is embedded in inputs about one processor; exported for the same reason as Idempotent.
type ProcessorInput struct {
	ID string `path:"id" maxLength:"64"`
}

type processorUpdateInput struct {
	ProcessorInput
	Idempotent
	Body struct {
		ProcessorBody
		Version int64 `json:"version" minimum:"1" doc:"The version that you have seen; another is a conflict."`
	}
}

type rotateInput struct {
	ProcessorInput
	Idempotent
	Body struct {
		Version int64 `json:"version" minimum:"1" doc:"The version that you have seen; another is a conflict."`
		Revoke  bool  `json:"revoke,omitempty" doc:"Stop signing with the old secret at once, rather than in a day."`
	}
}

type retireInput struct {
	ProcessorInput
	Idempotent
	Body struct {
		Version int64 `json:"version" minimum:"1" doc:"The version that you have seen; another is a conflict."`
	}
}

type processorOutput struct {
	Body Processor
}

type processorsOutput struct {
	Body struct {
		Processors []Processor `json:"processors"`
	}
}

func (a *API) processorRoutes() {
	op := func(id, method, path, summary, description string, errors ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Description: description, Tags: []string{"processors"}, Errors: errors}
	}
	create := op("processors-create", http.MethodPost, "/v1/processors", "Register a processor", "It is told of what happens from now on; to tell it of what was, replay.", http.StatusConflict)
	create.DefaultStatus = http.StatusCreated
	register(a, create, nobody, a.createProcessor)
	register(a, op("processors-list", http.MethodGet, "/v1/processors", "List the processors", "The retired ones too."), nobody, a.listProcessors)
	register(a, op("processors-get", http.MethodGet, "/v1/processors/{id}", "One processor", "", http.StatusNotFound, http.StatusUnprocessableEntity), nobody, a.getProcessor)
	register(a, op("processors-update", http.MethodPut, "/v1/processors/{id}", "Replace what is said about a processor", "What still waits to be sent and is no longer wanted is dropped.", http.StatusNotFound, http.StatusConflict), nobody, a.updateProcessor)
	register(a, op("processors-rotate", http.MethodPost, "/v1/processors/{id}/secret", "Give a processor a new secret", "For a day events are signed with both, so that the receiver can change over.", http.StatusNotFound, http.StatusConflict), nobody, a.rotateProcessor)
	register(a, op("processors-retire", http.MethodPost, "/v1/processors/{id}/retire", "Retire a processor", "It is told nothing any more, and its secret is forgotten. The record of it stays.", http.StatusNotFound, http.StatusConflict), nobody, a.retireProcessor)
	a.deliveryRoutes()
}

func (a *API) createProcessor(ctx context.Context, caller custody.Caller, input *processorCreateInput) (*savedOutput, error) {
	saved, err := a.events.CreateProcessor(ctx, caller, input.Body.draft(), input.once(caller, "processors-create"))
	return savedProcessor(saved, err)
}

func savedProcessor(saved events.ProcessorSaved, err error) (*savedOutput, error) {
	return &savedOutput{Body: ProcessorSaved{ID: saved.ID.String(), Version: saved.Version, Secret: saved.Secret}}, err
}

func (a *API) listProcessors(ctx context.Context, _ custody.Caller, _ *struct{}) (*processorsOutput, error) {
	list, err := a.events.Processors(ctx)
	output := &processorsOutput{}
	output.Body.Processors = make([]Processor, len(list))
	for i := range list {
		output.Body.Processors[i] = processor(&list[i])
	}
	return output, err
}

func (a *API) getProcessor(ctx context.Context, _ custody.Caller, input *ProcessorInput) (*processorOutput, error) {
	id, err := privacy.ParseProcessorID(input.ID)
	if err != nil {
		return nil, err
	}
	p, err := a.events.Processor(ctx, id)
	return &processorOutput{Body: processor(&p)}, err
}

func (a *API) updateProcessor(ctx context.Context, caller custody.Caller, input *processorUpdateInput) (*savedOutput, error) {
	id, err := privacy.ParseProcessorID(input.ID)
	if err != nil {
		return nil, err
	}
	return savedProcessor(a.events.UpdateProcessor(ctx, caller, id, input.Body.Version, input.Body.draft(), input.once(caller, "processors-update "+input.ID)))
}

func (a *API) rotateProcessor(ctx context.Context, caller custody.Caller, input *rotateInput) (*savedOutput, error) {
	id, err := privacy.ParseProcessorID(input.ID)
	if err != nil {
		return nil, err
	}
	return savedProcessor(a.events.RotateProcessorSecret(ctx, caller, id, input.Body.Version, input.Body.Revoke, input.once(caller, "processors-rotate "+input.ID)))
}

func (a *API) retireProcessor(ctx context.Context, caller custody.Caller, input *retireInput) (*savedOutput, error) {
	id, err := privacy.ParseProcessorID(input.ID)
	if err != nil {
		return nil, err
	}
	return savedProcessor(a.events.RetireProcessor(ctx, caller, id, input.Body.Version, input.once(caller, "processors-retire "+input.ID)))
}
