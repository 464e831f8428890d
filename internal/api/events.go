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

type eventsInput struct {
	Cursor string `query:"cursor" maxLength:"16" doc:"From the answer before; from the beginning when left out."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Wait   int    `query:"wait" minimum:"0" maximum:"30" default:"0" doc:"Seconds to wait for an event when there is none."`
}

type eventsOutput struct {
	Body struct {
		Events []events.FeedEvent `json:"events"`
		Cursor string             `json:"cursor" doc:"Where to go on; keep it also when there were no events."`
	}
}

// Delivery is how far the telling of one event has come.
type Delivery struct {
	Event     string               `json:"event" doc:"The event's id, which the receiver knows as webhook-id."`
	Type      privacy.EventKind    `json:"type"`
	Sequence  int64                `json:"sequence"`
	Subject   string               `json:"subject,omitempty"`
	State     events.DeliveryState `json:"state" enum:"pending,delivered,dead,dropped"`
	Attempts  int                  `json:"attempts"`
	NextAt    *time.Time           `json:"next_at,omitempty" doc:"When it is tried again, at the earliest."`
	Status    int                  `json:"status,omitempty" doc:"The receiver's last answer; absent when there was none."`
	Problem   string               `json:"problem,omitempty" doc:"Why the last attempt failed." example:"refused"`
	UpdatedAt time.Time            `json:"updated_at"`
}

type deliveriesInput struct {
	ProcessorInput
	State  string `query:"state" enum:"pending,delivered,dead,dropped" doc:"Those that are not done with when left out: what is still to be told, and what was given up."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"16" doc:"From the answer before."`
}

type deliveriesOutput struct {
	Body struct {
		Deliveries []Delivery `json:"deliveries"`
		Cursor     string     `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

type replayInput struct {
	ProcessorInput
	Idempotent
	Body struct {
		Cursor string `json:"cursor,omitempty" maxLength:"16" doc:"A cursor of the feed; everything there ever was when left out."`
	}
}

type retryInput struct {
	ProcessorInput
	Event string `path:"event" maxLength:"64"`
	Idempotent
	Body struct{}
}

type acceptedOutput struct {
	Body struct {
		Status string `json:"status" example:"accepted"`
	}
}

func accepted(err error) (*acceptedOutput, error) {
	output := &acceptedOutput{}
	output.Body.Status = "accepted"
	return output, err
}

func (a *API) deliveryRoutes() {
	register(a, huma.Operation{OperationID: "events-list", Method: http.MethodGet, Path: "/v1/events", Tags: []string{"processors"}, Summary: "What happened, in order",
		Description: "The feed, for those who would rather ask than be called: consent changes for the purposes granted to the caller, and policy publications. With wait the call stays open until there is something.",
		Errors:      []int{http.StatusUnprocessableEntity}}, nobody, a.listEvents)
	register(a, huma.Operation{OperationID: "deliveries-list", Method: http.MethodGet, Path: "/v1/processors/{id}/deliveries", Tags: []string{"processors"}, Summary: "What a processor was told, and what not",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity}}, nobody, a.listDeliveries)
	register(a, huma.Operation{OperationID: "deliveries-retry", Method: http.MethodPost, Path: "/v1/processors/{id}/deliveries/{event}/retry", Tags: []string{"processors"}, Summary: "Take up again what was given up",
		Description: "Later events about the same subject may have been told meanwhile; the receiver sees that by their sequence.", DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound, http.StatusConflict}}, nobody, a.retryDelivery)
	register(a, huma.Operation{OperationID: "processors-replay", Method: http.MethodPost, Path: "/v1/processors/{id}/replay", Tags: []string{"processors"}, Summary: "Tell a processor again, from a cursor on",
		Description: "Events keep their ids, so that the receiver knows those it had.", DefaultStatus: http.StatusAccepted, Errors: []int{http.StatusNotFound, http.StatusConflict}}, nobody, a.replayProcessor)
}

func (a *API) listEvents(ctx context.Context, caller custody.Caller, input *eventsInput) (*eventsOutput, error) {
	cursor, err := events.ParseCursor(input.Cursor)
	if err != nil {
		return nil, err
	}
	page, err := a.events.Feed(ctx, caller, cursor, input.Limit, time.Duration(input.Wait)*time.Second)
	output := &eventsOutput{}
	output.Body.Events, output.Body.Cursor = listed(page.Events), page.Cursor.String()
	return output, err
}

func (a *API) listDeliveries(ctx context.Context, _ custody.Caller, input *deliveriesInput) (*deliveriesOutput, error) {
	id, err := privacy.ParseProcessorID(input.ID)
	if err != nil {
		return nil, err
	}
	after, err := events.ParseCursor(input.Cursor)
	if err != nil {
		return nil, err
	}
	list, err := a.events.Deliveries(ctx, id, events.DeliveryState(input.State), after, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &deliveriesOutput{}
	output.Body.Deliveries = make([]Delivery, len(list))
	for i := range list {
		output.Body.Deliveries[i] = delivery(&list[i])
	}
	if len(list) == input.Limit {
		output.Body.Cursor = events.Cursor(list[len(list)-1].Index).String()
	}
	return output, nil
}

func delivery(d *events.Delivery) Delivery {
	told := Delivery{Event: privacy.ProcessorID(d.Event).String(), Type: d.Kind, Sequence: d.Index, State: d.State, Attempts: d.Attempts,
		Status: d.Status, Problem: d.Problem, UpdatedAt: d.UpdatedAt}
	if !d.Subject.IsZero() {
		told.Subject = d.Subject.String()
	}
	if d.State == events.DeliveryPending {
		told.NextAt = &d.NextAt
	}
	return told
}

func (a *API) retryDelivery(ctx context.Context, caller custody.Caller, input *retryInput) (*acceptedOutput, error) {
	id, err := privacy.ParseProcessorID(input.ID)
	if err != nil {
		return nil, err
	}
	event, err := privacy.ParseProcessorID(input.Event)
	if err != nil {
		return nil, err
	}
	return accepted(a.events.RetryDelivery(ctx, caller, id, event, input.once(caller, "deliveries-retry "+input.ID+" "+input.Event)))
}

func (a *API) replayProcessor(ctx context.Context, caller custody.Caller, input *replayInput) (*acceptedOutput, error) {
	id, err := privacy.ParseProcessorID(input.ID)
	if err != nil {
		return nil, err
	}
	cursor, err := events.ParseCursor(input.Body.Cursor)
	if err != nil {
		return nil, err
	}
	return accepted(a.events.ReplayProcessor(ctx, caller, id, cursor, input.once(caller, "processors-replay "+input.ID)))
}
