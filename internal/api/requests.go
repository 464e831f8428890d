package api

import (
	"cmp"
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

// RequestDetails is what is asked for in particular.
type RequestDetails struct {
	Purpose    string           `json:"purpose,omitempty" maxLength:"64" example:"marketing.*" doc:"Of an objection: a purpose, a family, or * for everything, as when left out."`
	Attributes map[string]Value `json:"attributes,omitempty" maxProperties:"100" doc:"Of a rectification: the right values, by attribute name; null deletes."`
	Text       string           `json:"text,omitempty" maxLength:"4000" doc:"In the person's own words. It is sealed under their key."`
	Only       *ErasedPart      `json:"only,omitempty" doc:"Of an erasure: what alone is to go. Left out, everything goes."`
}

// ErasedPart says what alone is to be erased.
type ErasedPart struct {
	Attributes []string `json:"attributes,omitempty" maxItems:"100" doc:"Attributes, by name."`
	Categories []string `json:"categories,omitempty" maxItems:"10" example:"[\"behaviour\"]" doc:"All attributes of these categories."`
	Purposes   []string `json:"purposes,omitempty" maxItems:"100" doc:"All attributes that serve these purposes and no other."`
	Backups    bool     `json:"backups,omitempty" doc:"Backups must not keep it: the rest is sealed under another key, and no backup from before opens anything of the person."`
}

func (p *ErasedPart) part() *rights.Part {
	if p == nil {
		return nil
	}
	part := &rights.Part{Categories: p.Categories, Backups: p.Backups}
	for _, name := range p.Attributes {
		part.Attributes = append(part.Attributes, privacy.AttributeName(name))
	}
	for _, name := range p.Purposes {
		part.Purposes = append(part.Purposes, privacy.PurposeName(name))
	}
	return part
}

func (d *RequestDetails) details() rights.Details {
	if d == nil {
		return rights.Details{}
	}
	details := rights.Details{Purpose: privacy.ObjectionScope(d.Purpose), Text: d.Text, Only: d.Only.part()}
	if len(d.Attributes) > 0 {
		details.Attributes = rawAttributes(d.Attributes)
	}
	return details
}

// RequestedOf names the subject of a request: by id, or as elsewhere by an object with id or identifier.
type RequestedOf SubjectRef

// Schema implements huma.SchemaProvider.
func (RequestedOf) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "The subject's id, or an object with id or identifier.", OneOf: []*huma.Schema{
		{Type: huma.TypeString, MaxLength: ptr(64)}, r.Schema(typeOf[SubjectRef](), true, "")}}
}

// UnmarshalJSON implements json.Unmarshaler.
func (s *RequestedOf) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		return json.Unmarshal(data, &s.ID)
	}
	return json.Unmarshal(data, (*SubjectRef)(s))
}

// NewRequest is a request about somebody's data, on its way in.
type NewRequest struct {
	Type       string          `json:"type" enum:"access,portability,rectification,erasure,restriction,objection,withdrawal" doc:"Withdrawal is of all consents."`
	Subject    *RequestedOf    `json:"subject,omitempty"`
	Identifier *Identifier     `json:"identifier,omitempty" doc:"Or something that finds the subject. The answer is the same whether it does or not."`
	Details    *RequestDetails `json:"details,omitempty"`
}

// ownRequest is a request of the caller about their own data.
type ownRequest struct {
	Type    string          `json:"type" enum:"access,portability,rectification,erasure,restriction,objection,withdrawal" doc:"Withdrawal is of all consents."`
	Details *RequestDetails `json:"details,omitempty"`
}

type requestInput struct {
	Idempotent
	Body NewRequest
}

type ownRequestInput struct {
	Idempotent
	Body ownRequest
}

type lodgedOutput struct {
	Status int
	Body   rights.Lodged
}

// RightsRequest is a request as it stands.
type RightsRequest struct {
	ID             privacy.RightsRequestID `json:"id"`
	Subject        string                  `json:"subject,omitempty" doc:"Left out until it is certain that the subject asks."`
	Type           privacy.RequestType     `json:"type" enum:"access,portability,rectification,erasure,restriction,objection,withdrawal"`
	Scope          string                  `json:"scope,omitempty" doc:"What it is about, when not everything: of an objection what it is to, of an erasure the attributes."`
	State          privacy.RequestState    `json:"state" enum:"verifying,in_progress,awaiting_processors,completed,rejected,expired"`
	LodgedBy       privacy.Lodger          `json:"lodged_by" enum:"subject,agent,form"`
	IdentifiedBy   privacy.Identification  `json:"identified_by,omitempty" enum:"token,code,agent,law" doc:"What showed that the subject asks."`
	Regime         privacy.Regime          `json:"regime" doc:"The law whose dates are kept; the strictest until the subject is identified."`
	ReceivedAt     time.Time               `json:"received_at"`
	AcknowledgeBy  *time.Time              `json:"acknowledge_by,omitempty" doc:"By when the law wants the receipt confirmed."`
	AcknowledgedAt time.Time               `json:"acknowledged_at" doc:"The answer to the call that brought it is the acknowledgement."`
	DueAt          time.Time               `json:"due_at"`
	LegalDueOn     string                  `json:"legal_due_on" format:"date" doc:"The day that counts by law: that of due_at, or the next working day where the law says so."`
	Extension      string                  `json:"extension,omitempty" enum:"complexity,number_of_requests"`
	ExtendedAt     *time.Time              `json:"extended_at,omitempty"`
	RemindedAt     *time.Time              `json:"reminded_at,omitempty" doc:"When officers were last reminded that it is due."`
	SecondLook     bool                    `json:"second_look,omitempty" doc:"One proof was given, and another is wanted: POST …/verify with the code, or with what an agent has seen who has neither brought the request nor vouched before."`
	Ground         string                  `json:"ground,omitempty" doc:"Of the refusal, or of an erasure that nobody asked for. subject_erased: the person was erased before it was answered."`
	JoinedTo       string                  `json:"joined_to,omitempty" doc:"The open request of the same kind that it has joined, whose state it shows."`
	Holds          []LegalHold             `json:"holds,omitempty" doc:"What keeps an erasure from beginning."`
	Step           string                  `json:"step,omitempty" enum:"marked,buried,punctured,deleted,told,certified" doc:"Of an erasure of everything that has begun: how far it has come. Reads have stopped with the first step. One that stays at buried waits for the page that the person's key is on, which is damaged or missing: an operator must look into the keyring."`
	Processors     []RequestProcessor      `json:"processors,omitempty" doc:"Who was told of what it led to."`
	Certificate    bool                    `json:"certificate" doc:"Whether there is a certificate."`
	ClosedAt       *time.Time              `json:"closed_at,omitempty"`
}

// RequestProcessor is a processor that was told of what a request led to.
type RequestProcessor struct {
	ID             privacy.ProcessorID  `json:"id"`
	Name           string               `json:"name"`
	ToldAt         time.Time            `json:"told_at" doc:"Since when it has to know."`
	Attempts       int                  `json:"attempts" doc:"How often the event was posted to it; 0 also for a processor that asks for events itself."`
	TriedAt        *time.Time           `json:"tried_at,omitempty" doc:"The last time."`
	Delivery       events.DeliveryState `json:"delivery,omitempty" enum:"pending,delivered,dead,dropped" doc:"What came of it; absent while nothing was tried."`
	Problem        string               `json:"problem,omitempty" doc:"Why the last attempt failed." example:"refused"`
	AcknowledgedAt *time.Time           `json:"acknowledged_at,omitempty"`
	AcknowledgedBy string               `json:"acknowledged_by,omitempty" enum:"callback,poll,officer" doc:"How it was confirmed: by a signed call-back, by the application that asks for events, or by an officer in its place."`
	EscalatedAt    *time.Time           `json:"escalated_at,omitempty" doc:"When officers were told that it does not confirm."`
}

func requestProcessor(r *rights.Recipient) RequestProcessor {
	return RequestProcessor{ID: r.Processor, Name: r.Name, ToldAt: r.ToldAt.UTC(), Attempts: r.Telling.Attempts, TriedAt: timePtr(r.Telling.TriedAt), Delivery: r.Telling.State, Problem: r.Telling.Problem,
		AcknowledgedAt: timePtr(r.AcknowledgedAt), AcknowledgedBy: r.AcknowledgedBy, EscalatedAt: timePtr(r.EscalatedAt)}
}

// RequestPath is embedded in inputs about one request; exported for the same reason as Idempotent.
type RequestPath struct {
	ID string `path:"id" maxLength:"64"`
}

type requestOutput struct{ Body RightsRequest }

type verifyInput struct {
	RequestPath
	Body struct {
		Code string `json:"code,omitempty" maxLength:"16" doc:"The code that was sent to the person."`
		Seen string `json:"seen,omitempty" enum:"in_person,identity_document,call_back,power_of_attorney" doc:"What an agent has seen instead. Whoever brought the request cannot vouch."`
	}
}

type extendInput struct {
	RequestPath
	Body struct {
		Reason string `json:"reason" enum:"complexity,number_of_requests" doc:"GDPR Art. 12(3)."`
	}
}

type rejectInput struct {
	RequestPath
	Body struct {
		Ground string `json:"ground" maxLength:"64" example:"legal_claims" doc:"One that the law knows for the request; GET /v1/requests/grounds lists them."`
	}
}

type completeInput struct {
	RequestPath
	Body struct{} `required:"false"`
}

type certificateOutput struct {
	Body struct {
		Certificate string `json:"certificate" doc:"A compact JWS. consentry rights verify-certificate checks it offline, with the key set of /.well-known/jwks.json."`
	}
}

func (a *API) requestRoutes() {
	tags := []string{"requests"}
	registerOpen(a, huma.Operation{OperationID: "requests-create", Method: http.MethodPost, Path: "/v1/requests", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary:     "Take up a request of a subject about their data",
		Description: "With a token of the subject's own, it is carried out. Otherwise a code is sent to a verified address, and the request waits until it comes back. Asked by identifier, the answer does not tell whether somebody is known. Who asks again for the same joins the open request, and is answered with 200.",
		Errors:      []int{http.StatusNotFound, http.StatusConflict}}, a.createRequest)
	register(a, huma.Operation{OperationID: "requests-list", Method: http.MethodGet, Path: "/v1/requests", Tags: tags,
		Summary: "Requests of subjects, newest first"}, nobody, a.listRequests)
	register(a, huma.Operation{OperationID: "requests-grounds", Method: http.MethodGet, Path: "/v1/requests/grounds", Tags: tags,
		Summary: "For which reasons a law lets a request be refused, or data be kept"}, nobody, a.listGrounds)
	registerOpen(a, huma.Operation{OperationID: "requests-get", Method: http.MethodGet, Path: "/v1/requests/{id}", Tags: tags,
		Summary: "A request as it stands", Errors: []int{http.StatusNotFound}},
		onRequest(a, "requests-get", func(i *RequestPath) string { return i.ID }, func(ctx context.Context, _ custody.Caller, id privacy.RightsRequestID, _ *RequestPath) (*requestOutput, error) {
			return requestAnswer(a.rights.Request(ctx, id))
		}))
	registerOpen(a, huma.Operation{OperationID: "requests-verify", Method: http.MethodPost, Path: "/v1/requests/{id}/verify", Tags: tags,
		Summary:     "Show that the subject asks",
		Description: "By the code that was sent, within ten minutes and five tries; or by what another agent than who brought the request has seen. An agent alone cannot vouch for what came by the form, and the policy can want two proofs for any request: then the first is answered with `second_look`.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-verify", func(i *verifyInput) string { return i.ID }, func(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, i *verifyInput) (*requestOutput, error) {
			return requestAnswer(a.rights.Verify(ctx, caller, id, rights.Proof{Code: privacy.NewCleartext(i.Body.Code), Seen: i.Body.Seen}))
		}))
	registerOpen(a, huma.Operation{OperationID: "requests-extend", Method: http.MethodPost, Path: "/v1/requests/{id}/extend", Tags: tags,
		Summary: "Take the time that the law allows besides", Description: "Once, and within the first term: the person has to be told by then.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-extend", func(i *extendInput) string { return i.ID }, func(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, i *extendInput) (*requestOutput, error) {
			return requestAnswer(a.rights.Extend(ctx, caller, id, i.Body.Reason))
		}))
	registerOpen(a, huma.Operation{OperationID: "requests-reject", Method: http.MethodPost, Path: "/v1/requests/{id}/reject", Tags: tags,
		Summary: "Refuse a request, on a ground of the law", Description: "An erasure that has begun cannot be refused any more.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-reject", func(i *rejectInput) string { return i.ID }, func(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, i *rejectInput) (*requestOutput, error) {
			return requestAnswer(a.rights.Reject(ctx, caller, id, i.Body.Ground))
		}))
	registerOpen(a, huma.Operation{OperationID: "requests-complete", Method: http.MethodPost, Path: "/v1/requests/{id}/complete", Tags: tags,
		Summary: "Close a request that was answered", Description: "Of a rectification it writes the values that were asked for, which then go to whoever has received the old ones. What the vault carries out itself, an erasure above all, it also closes itself.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-complete", func(i *completeInput) string { return i.ID }, func(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, _ *completeInput) (*requestOutput, error) {
			return requestAnswer(a.rights.Complete(ctx, caller, id))
		}))
	registerOpen(a, huma.Operation{OperationID: "requests-certificate", Method: http.MethodGet, Path: "/v1/requests/{id}/certificate", Tags: tags,
		Summary: "The certificate of an erasure", Description: "Signed; there is one once the erasure is completed.", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		onRequest(a, "requests-certificate", func(i *RequestPath) string { return i.ID }, func(ctx context.Context, _ custody.Caller, id privacy.RightsRequestID, _ *RequestPath) (*certificateOutput, error) {
			certificate, err := a.rights.Certificate(ctx, id)
			output := &certificateOutput{}
			output.Body.Certificate = certificate
			return output, err
		}))
	a.requestBatchRoute(tags)
	a.requestDetailRoutes(tags)
	a.ownRequestRoutes(tags)
}

func (a *API) ownRequestRoutes(tags []string) {
	registerOpen(a, huma.Operation{OperationID: "me-requests-create", Method: http.MethodPost, Path: "/v1/me/requests", Tags: tags, DefaultStatus: http.StatusCreated,
		Summary: "Ask something about one's own data", Errors: []int{http.StatusNotFound, http.StatusConflict}},
		func(ctx context.Context, caller custody.Caller, input *ownRequestInput) (*lodgedOutput, error) {
			if err := a.service.Authorise(ctx, caller.Caller, "me-requests-create", caller.Subject); err != nil {
				return nil, err
			}
			asked := rights.Asked{Type: privacy.RequestType(input.Body.Type), Subject: caller.Subject, Lodged: privacy.LodgedBySubject, Details: input.Body.Details.details()}
			return lodgedAnswer(a.rights.Lodge(ctx, caller, asked, input.once(caller, "me-requests-create "+caller.Subject.String())))
		})
	registerOpen(a, huma.Operation{OperationID: "me-requests-list", Method: http.MethodGet, Path: "/v1/me/requests", Tags: tags,
		Summary: "One's own requests, newest first"},
		func(ctx context.Context, caller custody.Caller, input *pageInput) (*requestsOutput, error) {
			if err := a.service.Authorise(ctx, caller.Caller, "me-requests-list", caller.Subject); err != nil {
				return nil, err
			}
			return a.requestPage(ctx, rights.Filter{Subject: caller.Subject, Identified: true}, input)
		})
}

// onRequest authorises a call about a request for whoever may, and for the subject whose request it is. One that there is not is
// told from one that is somebody else's to nobody.
func onRequest[I, O any](a *API, operation string, name func(*I) string, answer func(context.Context, custody.Caller, privacy.RightsRequestID, *I) (*O, error)) flow[I, O] {
	return func(ctx context.Context, caller custody.Caller, input *I) (*O, error) {
		id, err := privacy.ParseRightsRequestID(name(input))
		if err != nil {
			return nil, cmp.Or(a.service.Authorise(ctx, caller.Caller, operation, privacy.SubjectID{}), err)
		}
		about, err := a.rights.RequestSubject(ctx, id)
		if err != nil {
			return nil, err
		}
		if err := a.service.Authorise(ctx, caller.Caller, operation, about); err != nil {
			return nil, err
		}
		return answer(ctx, caller, id, input)
	}
}

func (a *API) createRequest(ctx context.Context, caller custody.Caller, input *requestInput) (*lodgedOutput, error) {
	body := &input.Body
	ref := SubjectRef{Identifier: body.Identifier}
	if body.Subject != nil {
		if body.Identifier != nil {
			ref.ID = "both"
		} else {
			ref = SubjectRef(*body.Subject)
		}
	}
	if err := a.service.Authorise(ctx, caller.Caller, "requests-create", idOrZero(ref.ID)); err != nil {
		return nil, err
	}
	named, err := a.subjectRef(&ref)
	if err != nil {
		return nil, err
	}
	asked := rights.Asked{Type: privacy.RequestType(body.Type), Subject: named.ID, Identifier: named.Identifier, Lodged: privacy.LodgedByAgent, Details: body.Details.details()}
	if caller.Has(privacy.RoleSubject) && !named.ID.IsZero() && named.ID == caller.Subject {
		asked.Lodged = privacy.LodgedBySubject
	}
	return lodgedAnswer(a.rights.Lodge(ctx, caller, asked, input.once(caller, "requests-create")))
}

func lodgedAnswer(lodged rights.Lodged, err error) (*lodgedOutput, error) {
	output := &lodgedOutput{Status: http.StatusCreated, Body: lodged}
	if lodged.Joined {
		output.Status = http.StatusOK
	}
	return output, err
}

func requestAnswer(r rights.Request, err error) (*requestOutput, error) {
	if err != nil {
		return nil, err
	}
	return &requestOutput{Body: rightsRequest(&r)}, nil
}

func rightsRequest(r *rights.Request) RightsRequest {
	view := RightsRequest{ID: r.ID, Type: r.Type, State: r.State, LodgedBy: r.Lodged, IdentifiedBy: r.Identified, Regime: r.Regime, ReceivedAt: r.ReceivedAt.UTC(),
		AcknowledgeBy: timePtr(r.AcknowledgeBy), AcknowledgedAt: r.AcknowledgedAt.UTC(), DueAt: r.DueAt.UTC(), LegalDueOn: r.LegalDueOn.Format(time.DateOnly),
		RemindedAt: timePtr(r.RemindedAt), SecondLook: r.State == privacy.RequestVerifying && r.Identified != privacy.NotIdentified,
		Extension: r.Extension, ExtendedAt: timePtr(r.ExtendedAt), Ground: r.Ground, Step: string(r.Step), Certificate: r.Certified, ClosedAt: timePtr(r.ClosedAt)}
	if r.Identified != privacy.NotIdentified {
		view.Subject = r.Subject.String()
	}
	if r.Type == privacy.RequestObjection || r.Type == privacy.RequestErasure && r.Scope != "*" {
		view.Scope = r.Scope
	}
	if !r.JoinedTo.IsZero() {
		view.JoinedTo = r.JoinedTo.String()
	}
	for i := range r.Holds {
		view.Holds = append(view.Holds, legalHold(&r.Holds[i]))
	}
	for i := range r.Recipients {
		view.Processors = append(view.Processors, requestProcessor(&r.Recipients[i]))
	}
	return view
}
