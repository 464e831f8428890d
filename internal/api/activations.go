package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// ActivationLine is one line of an activation: first its name, then a line for each member, then the end, or a problem that cut it short.
type ActivationLine struct {
	Activation string         `json:"activation,omitempty" doc:"In the first line: the activation's id, to go on with and to ask who has withdrawn since."`
	Subject    string         `json:"subject,omitempty" doc:"The member."`
	Attributes map[string]any `json:"attributes,omitempty"`
	Withheld   map[string]any `json:"withheld,omitempty"`
	Complete   *bool          `json:"complete,omitempty" doc:"In the last line."`
	Sent       *int           `json:"sent,omitempty" doc:"In the last line: how many members."`
	Problem    *Problem       `json:"problem,omitempty" doc:"Why it ends early: go on after the last subject."`
}

type activateInput struct {
	ID   string `path:"id" format:"uuid"`
	Body struct {
		Purpose    string   `json:"purpose" maxLength:"64" example:"marketing.email"`
		Attributes []string `json:"attributes" minItems:"1" maxItems:"100" doc:"What is wanted of each member."`
	}
}

type resumeInput struct {
	ID   string `path:"id" format:"uuid"`
	Body struct {
		After string `json:"after,omitempty" format:"uuid" doc:"The last subject that came through; from the beginning when left out."`
	}
}

type withdrawnInput struct {
	ID     string `path:"id" format:"uuid"`
	Cursor string `query:"cursor" doc:"Where to go on, from the previous page."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"1000" doc:"How many of those it was sent to are looked at."`
}

type withdrawnOutput struct {
	Body struct {
		Subjects []string `json:"subjects" doc:"To whom it was sent, and who may not be told of for its purpose any more."`
		Cursor   string   `json:"cursor,omitempty" doc:"Where to go on; absent at the end."`
	}
}

func (a *API) activationRoutes() {
	tags := []string{"segments"}
	lines := map[string]*huma.Response{"200": {Description: "A line with the activation's id, one for each member, and a last one",
		Content: map[string]*huma.MediaType{"application/x-ndjson": {Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[ActivationLine](), true, "")}}}}
	register(a, huma.Operation{OperationID: "segments-activate", Method: http.MethodPost, Path: "/v1/segments/{id}/activations", Tags: tags, Responses: lines,
		Summary: "Disclose the members of a segment for a campaign", Description: "Streams those whose consent and law permit it at the moment of sending, with what is permitted of the attributes. Each is a disclosure, on record before it is sent. A segment that is too small is refused.",
		Errors: []int{http.StatusNotFound}}, nobody, a.activate)
	register(a, huma.Operation{OperationID: "activations-resume", Method: http.MethodPost, Path: "/v1/activations/{id}/resume", Tags: tags, Responses: lines,
		Summary: "Go on with an activation", Description: "After the last subject that came through, while the segment has enough people who may be named.", Errors: []int{http.StatusNotFound, http.StatusConflict}}, nobody, a.resumeActivation)
	register(a, huma.Operation{OperationID: "activations-withdrawn", Method: http.MethodGet, Path: "/v1/activations/{id}/withdrawn", Tags: tags,
		Summary: "List who has withdrawn since", Description: "The suppression list of a campaign. A member is on record before their line is sent: when lines were lost on the way, the list may name somebody who never came through.", Errors: []int{http.StatusNotFound}}, nobody, a.activationWithdrawn)
}

func (a *API) activate(ctx context.Context, caller custody.Caller, input *activateInput) (*huma.StreamResponse, error) {
	id, err := segmentID(input.ID)
	if err != nil {
		return nil, err
	}
	attributes := make([]privacy.AttributeName, len(input.Body.Attributes))
	for i, name := range input.Body.Attributes {
		attributes[i] = privacy.AttributeName(name)
	}
	campaign, err := a.service.Activate(ctx, caller, id, privacy.PurposeName(input.Body.Purpose), attributes)
	if err != nil {
		return nil, err
	}
	return a.send(caller, campaign), nil
}

func (a *API) resumeActivation(ctx context.Context, caller custody.Caller, input *resumeInput) (*huma.StreamResponse, error) {
	id, err := activationID(input.ID)
	if err != nil {
		return nil, err
	}
	var after privacy.SubjectID
	if input.Body.After != "" {
		if after, err = privacy.ParseSubjectID(input.Body.After); err != nil {
			return nil, err
		}
	}
	campaign, err := a.service.ResumeActivation(ctx, caller, id, after)
	if err != nil {
		return nil, err
	}
	return a.send(caller, campaign), nil
}

func activationID(text string) ([16]byte, error) {
	id, err := privacy.ParseSubjectID(text)
	if err != nil {
		err = privacy.NotFound("activation_not_found", "there is no such activation")
	}
	return id, err
}

// send streams members as they are decided on. By then nothing is left to be refused as a whole, but what comes up on the way.
func (a *API) send(caller custody.Caller, campaign *custody.Campaign) *huma.StreamResponse {
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		r, w := humago.Unwrap(hctx)
		stream := a.streamLines(w, caller)
		_ = stream.out.Encode(ActivationLine{Activation: privacy.SubjectID(campaign.ID).String()})
		sent := 0
		err := campaign.Send(r.Context(), func(disclosures []custody.Disclosure) error {
			stream.extend()
			var lines []byte
			for i := range disclosures {
				lines = append(appendDisclosure(lines, &disclosures[i]), '\n')
			}
			if _, err := w.Write(lines); err != nil {
				return privacy.Unavailable(nil, "request_ended", "the caller has gone")
			}
			sent += len(disclosures)
			return stream.control.Flush()
		})
		if err != nil {
			_ = stream.out.Encode(ActivationLine{Problem: a.problemFrom(r.Context(), err)})
			return
		}
		complete := true
		_ = stream.out.Encode(ActivationLine{Complete: &complete, Sent: &sent})
	}}
}

func (a *API) activationWithdrawn(ctx context.Context, caller custody.Caller, input *withdrawnInput) (*withdrawnOutput, error) {
	id, err := activationID(input.ID)
	if err != nil {
		return nil, err
	}
	activation, err := a.service.Activation(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	var after privacy.SubjectID
	if input.Cursor != "" {
		if after, err = privacy.ParseSubjectID(input.Cursor); err != nil {
			return nil, privacy.Invalid("invalid_cursor", "the cursor is not one that this service gave out")
		}
	}
	gone, last, more, err := a.service.WithdrawnSince(ctx, caller, activation, after, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &withdrawnOutput{}
	output.Body.Subjects = make([]string, len(gone))
	for i, id := range gone {
		output.Body.Subjects[i] = id.String()
	}
	if more {
		output.Body.Cursor = last.String()
	}
	return output, nil
}
