package api

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/privacy"
)

type ropaInput struct {
	At     time.Time `query:"at" doc:"The moment the record is about; now when left out."`
	Format string    `query:"format" enum:"json,csv,html" doc:"Which form; what Accept prefers when left out, and JSON by default."`
	Accept string    `header:"Accept" maxLength:"1024"`
}

type ropaOutput struct {
	ContentType string `header:"Content-Type"`
	Policy      string `header:"Content-Security-Policy"`
	Disposition string `header:"Content-Disposition"`
	Body        []byte
}

func (a *API) ropaRoutes() {
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	record := &huma.MediaType{Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[governance.RecordOfProcessing](), true, "RecordOfProcessing")}
	register(a, huma.Operation{OperationID: "records-of-processing", Method: http.MethodGet, Path: "/v1/records-of-processing", Tags: []string{"policy"},
		Summary:     "The record of processing activities",
		Description: "GDPR Art. 30(1), with the assessments of PIPL Art. 55: what is processed, why, on what basis, for whom and where, from the policy and the notices that were in force at a time.",
		Errors:      []int{http.StatusNotFound, http.StatusUnprocessableEntity},
		Responses: map[string]*huma.Response{"200": {Description: "The record", Content: map[string]*huma.MediaType{
			"application/json": record, "text/csv": text, "text/html": text}}}}, nobody, a.recordsOfProcessing)
}

func (a *API) recordsOfProcessing(ctx context.Context, _ custody.Caller, input *ropaInput) (*ropaOutput, error) {
	record, err := a.governance.RecordsOfProcessing(ctx, input.At)
	if err != nil {
		return nil, err
	}
	var body bytes.Buffer
	output := &ropaOutput{}
	switch recordFormat(input) {
	case "csv":
		output.ContentType, output.Disposition = "text/csv; charset=utf-8", `attachment; filename="records-of-processing.csv"`
		err = record.CSV(&body)
	case "html":
		output.ContentType, output.Policy = "text/html; charset=utf-8", governance.RecordPagePolicy
		err = record.HTML(&body)
	default:
		output.ContentType = "application/json"
		if err = jsonFormat.Marshal(&body, record); err != nil {
			err = privacy.Internal(nil, "write the record")
		}
	}
	output.Body = body.Bytes()
	return output, err
}

// recordFormat gives the form that was asked for, else the first of Accept that there is.
func recordFormat(input *ropaInput) string {
	if input.Format != "" {
		return input.Format
	}
	for part := range strings.SplitSeq(input.Accept, ",") {
		kind, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		switch kind {
		case "application/json":
			return "json"
		case "text/csv":
			return "csv"
		case "text/html":
			return "html"
		}
	}
	return "json"
}
