package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// DisclosureRequest asks for attributes of subjects for a purpose.
type DisclosureRequest struct {
	Purpose    string       `json:"purpose" maxLength:"64" example:"marketing.email"`
	Attributes []string     `json:"attributes" minItems:"1" maxItems:"100" example:"[\"given_name\",\"email\"]" doc:"Attribute names of the catalogue."`
	Subjects   []SubjectRef `json:"subjects" minItems:"1" maxItems:"1000" doc:"Whose attributes; nobody twice."`
}

// DisclosureAnswer documents the answer; it is written by hand.
type DisclosureAnswer struct {
	Revision    string           `json:"revision" doc:"The policy revision that decided."`
	Disclosures []DisclosureItem `json:"disclosures" doc:"In the order of the request."`
}

// DisclosureItem is what is released about one subject: every asked attribute is in one of the two maps.
type DisclosureItem struct {
	Subject    *string                   `json:"subject" nullable:"true" doc:"The subject's id; null when nobody was found."`
	Attributes map[string]ReleasedValue  `json:"attributes" doc:"Released values, in the form the policy permits."`
	Withheld   map[string]WithheldReason `json:"withheld" doc:"The reason for every attribute that is not released."`
}

// ReleasedValue documents a value on its way out.
type ReleasedValue struct{}

// Schema implements huma.SchemaProvider.
func (ReleasedValue) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "As it is stored, typed, where the policy permits it plain; else a text that is generalised, masked or a token."}
}

// WithheldReason documents why a value stays in.
type WithheldReason privacy.Reason

// Schema implements huma.SchemaProvider.
func (WithheldReason) Schema(huma.Registry) *huma.Schema {
	schema := &huma.Schema{Type: huma.TypeString}
	for _, reason := range privacy.Reasons() {
		schema.Enum = append(schema.Enum, reason)
	}
	return schema
}

// The body of a disclosure is read by hand, once: with a thousand subjects the generic
// validator would cost more than the decisions.
type disclosureInput struct {
	RawBody []byte
}

type disclosureOutput struct {
	ContentType string `header:"Content-Type"`
	Body        []byte
}

const (
	disclosuresCreate = "disclosures-create"
	maxAttributes     = 100
)

func (a *API) disclosureRoutes() {
	registry := a.huma.OpenAPI().Components.Schemas
	op := huma.Operation{OperationID: disclosuresCreate, Method: http.MethodPost, Path: "/v1/disclosures", Tags: []string{"disclosure"},
		Summary:          "Ask for attributes of subjects for a purpose",
		Description:      "Answers with the permitted values and, for every other attribute, the reason. The decisions are on record before anything is answered.",
		SkipValidateBody: true,
		RequestBody:      &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{"application/json": {Schema: registry.Schema(reflect.TypeFor[DisclosureRequest](), true, "")}}},
		Responses: map[string]*huma.Response{"200": {Description: "What may be released",
			Content: map[string]*huma.MediaType{"application/json": {Schema: registry.Schema(reflect.TypeFor[DisclosureAnswer](), true, "")}}}},
	}
	registerOpen(a, op, a.disclose)
}

func (a *API) disclose(ctx context.Context, caller custody.Caller, input *disclosureInput) (*disclosureOutput, error) {
	output, err := a.answerDisclosure(ctx, caller, input.RawBody)
	if err == nil || privacy.KindOf(err) == privacy.KindForbidden {
		return output, err
	}
	// What is wrong with a request, such as that two references find one person, is told only
	// to those who may make it.
	if denied := a.service.Authorise(ctx, caller.Caller, disclosuresCreate, privacy.SubjectID{}); denied != nil {
		return nil, denied
	}
	return nil, err
}

func (a *API) answerDisclosure(ctx context.Context, caller custody.Caller, content []byte) (*disclosureOutput, error) {
	var body DisclosureRequest
	if err := unmarshalKnown(content, &body); err != nil {
		return nil, err
	}
	request, err := a.disclosureRequest(&body)
	if err != nil {
		return nil, err
	}
	disclosed, err := a.service.Disclose(ctx, caller, request)
	if err != nil {
		return nil, err
	}
	a.metrics.disclosed(disclosed)
	return &disclosureOutput{ContentType: "application/json", Body: appendDisclosed(make([]byte, 0, disclosedSize(disclosed)), disclosed)}, nil
}

func (a *API) disclosureRequest(body *DisclosureRequest) (custody.Request, error) {
	request := custody.Request{Purpose: privacy.PurposeName(body.Purpose)}
	if len(body.Attributes) > maxAttributes {
		return request, privacy.Invalid("too_many_attributes", "ask for at most 100 attributes")
	}
	if len(body.Subjects) > custody.MaxSubjects {
		return request, privacy.Invalid("too_many_subjects", "name at most 1,000 subjects")
	}
	for _, name := range body.Attributes {
		request.Attributes = append(request.Attributes, privacy.AttributeName(name))
	}
	request.Subjects = make([]custody.SubjectRef, len(body.Subjects))
	for i := range body.Subjects {
		var err error
		if request.Subjects[i], err = a.subjectRef(&body.Subjects[i]); err != nil {
			return request, err
		}
	}
	return request, nil
}

// disclosedSize is about how long the answer gets.
func disclosedSize(disclosed *custody.Disclosed) int {
	size := 128
	for i := range disclosed.Disclosures {
		d := &disclosed.Disclosures[i]
		size += 96
		for j := range d.Attributes {
			size += len(d.Attributes[j].Name) + len(d.Attributes[j].JSON) + 4
		}
		for j := range d.Withheld {
			size += len(d.Withheld[j].Name) + len(d.Withheld[j].Reason) + 6
		}
	}
	return size
}

// appendDisclosed writes the answer. Names and reasons are words of the catalogue and the policy and need no
// escaping; values are JSON already.
func appendDisclosed(dst []byte, disclosed *custody.Disclosed) []byte {
	dst = append(dst, `{"revision":"`...)
	dst = append(dst, disclosed.Revision...)
	dst = append(dst, `","disclosures":[`...)
	for i := range disclosed.Disclosures {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendDisclosure(dst, &disclosed.Disclosures[i])
	}
	return append(dst, "]}\n"...)
}

func appendDisclosure(dst []byte, d *custody.Disclosure) []byte {
	dst = append(dst, `{"subject":`...)
	if d.Subject.IsZero() {
		dst = append(dst, "null"...)
	} else {
		dst = append(append(append(dst, '"'), d.Subject.String()...), '"')
	}
	dst = append(dst, `,"attributes":{`...)
	for i := range d.Attributes {
		dst = appendName(dst, i, d.Attributes[i].Name)
		dst = append(dst, d.Attributes[i].JSON...)
	}
	dst = append(dst, `},"withheld":{`...)
	for i := range d.Withheld {
		dst = appendName(dst, i, d.Withheld[i].Name)
		dst = append(append(append(dst, '"'), d.Withheld[i].Reason...), '"')
	}
	return append(dst, "}}"...)
}

func appendName(dst []byte, i int, name privacy.AttributeName) []byte {
	if i > 0 {
		dst = append(dst, ',')
	}
	dst = append(append(dst, '"'), name...)
	return append(dst, `":`...)
}

// disclosed counts what a disclosure let out and kept in.
func (m *metrics) disclosed(d *custody.Disclosed) {
	released, withheld := 0, make(map[privacy.Reason]int)
	for i := range d.Disclosures {
		released += len(d.Disclosures[i].Attributes)
		for _, w := range d.Disclosures[i].Withheld {
			withheld[w.Reason]++
		}
	}
	m.released.Add(float64(released))
	for reason, n := range withheld {
		m.withheld.WithLabelValues(string(reason)).Add(float64(n))
	}
}
