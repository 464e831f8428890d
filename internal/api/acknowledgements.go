package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// Processors that have a thousand erasures to confirm name them in one call.
const (
	acknowledgesPerSecond = 20
	acknowledgesBurst     = 100
)

// Acknowledged names requests that a processor has done what they led to.
type Acknowledged struct {
	Requests []string `json:"requests" minItems:"1" maxItems:"1000" maxLength:"64" doc:"The ids that the events gave as data.request."`
}

func (b *Acknowledged) ids() ([]privacy.RightsRequestID, error) {
	ids := make([]privacy.RightsRequestID, len(b.Requests))
	for i, text := range b.Requests {
		var err error
		if ids[i], err = privacy.ParseRightsRequestID(text); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

type callbackInput struct {
	ProcessorInput
	WebhookID string `header:"webhook-id" maxLength:"256" doc:"Of the processor's choice; the same when the call is repeated."`
	Timestamp string `header:"webhook-timestamp" maxLength:"20" doc:"Seconds since 1970, not more than five minutes away."`
	Signature string `header:"webhook-signature" maxLength:"1024" doc:"v1, and the HMAC-SHA-256 under the processor's secret, as Standard Webhooks says."`
	RawBody   []byte
	Body      Acknowledged
}

type pollAcknowledgeInput struct {
	Idempotent
	Body Acknowledged
}

type officerAcknowledgeInput struct {
	RequestPath
	Idempotent
	Body struct {
		Processor string `json:"processor" maxLength:"64" doc:"Of whom the officer has it in writing."`
	}
}

func (a *API) acknowledgementRoutes() {
	tags := []string{"processors"}
	registerPublic(a, huma.Operation{OperationID: "processors-acknowledge", Method: http.MethodPost, Path: "/v1/processors/{id}/acknowledgements", Tags: tags,
		Summary:     "A processor confirms what requests of subjects led to",
		Description: "It takes no bearer token, but is signed by the processor as the events to it are, as a Standard Webhook with its secret. All of the requests are acknowledged or, when one is none that the processor was told of, none. To say it again changes nothing.",
		Errors:      []int{http.StatusUnauthorized, http.StatusNotFound}}, newLimiter(acknowledgesPerSecond, acknowledgesBurst), a.acknowledgeBySignature)
	register(a, huma.Operation{OperationID: "events-acknowledge", Method: http.MethodPost, Path: "/v1/events/acknowledgements", Tags: tags,
		Summary:     "Confirm what requests of subjects led to, for those who ask for events rather than be called",
		Description: "By the application as which the processor is registered.", Errors: []int{http.StatusNotFound}}, nobody, a.acknowledgeByPoll)
	registerOpen(a, huma.Operation{OperationID: "requests-acknowledge", Method: http.MethodPost, Path: "/v1/requests/{id}/acknowledgements", Tags: []string{"requests"},
		Summary:     "Confirm in a processor's place that it has done what it was told",
		Description: "For a processor that has confirmed it in writing, or that there is no more. The certificate says that it was an officer who did.",
		Errors:      []int{http.StatusNotFound}}, onRequest(a, "requests-acknowledge", func(i *officerAcknowledgeInput) string { return i.ID }, a.acknowledgeByOfficer))
}

func (a *API) acknowledgeBySignature(ctx context.Context, input *callbackInput) (*acceptedOutput, error) {
	id, err := a.events.VerifyProcessor(ctx, input.ID, events.SignedCall{ID: input.WebhookID, Timestamp: input.Timestamp, Signature: input.Signature, Body: input.RawBody})
	if err != nil {
		return nil, err
	}
	requests, err := input.Body.ids()
	if err != nil {
		return nil, err
	}
	caller := custody.Caller{Caller: privacy.Caller{Client: privacy.ClientID("processor/" + id.String())}, Request: requestFrom(ctx).id}
	return accepted(a.rights.Acknowledge(ctx, caller, []privacy.ProcessorID{id}, requests, rights.AcknowledgedByCallback))
}

func (a *API) acknowledgeByPoll(ctx context.Context, caller custody.Caller, input *pollAcknowledgeInput) (*acceptedOutput, error) {
	processors, err := a.events.ProcessorsOf(ctx, caller.Client)
	if err != nil {
		return nil, err
	}
	requests, err := input.Body.ids()
	if err != nil {
		return nil, err
	}
	return accepted(a.rights.Acknowledge(ctx, caller, processors, requests, rights.AcknowledgedByPoll))
}

func (a *API) acknowledgeByOfficer(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, input *officerAcknowledgeInput) (*requestOutput, error) {
	processor, err := privacy.ParseProcessorID(input.Body.Processor)
	if err != nil {
		return nil, err
	}
	if err := a.rights.Acknowledge(ctx, caller, []privacy.ProcessorID{processor}, []privacy.RightsRequestID{id}, rights.AcknowledgedByOfficer); err != nil {
		return nil, err
	}
	return requestAnswer(a.rights.Request(ctx, id))
}
