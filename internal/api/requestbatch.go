package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/rights"
)

type requestBatchInput struct {
	Idempotent
	Body struct {
		Type     string   `json:"type" enum:"erasure"`
		Ground   string   `json:"ground" enum:"no_longer_necessary,consent_withdrawn,objected,unlawfully_processed,legal_obligation" doc:"Why the law wants them erased without their asking (GDPR Art. 17(1), PIPL Art. 47)."`
		Subjects []string `json:"subjects" minItems:"1" maxItems:"1000" doc:"Their ids."`
	}
}

type requestBatchOutput struct {
	Body struct {
		Requests []rights.Batched `json:"requests" doc:"In the order of the subjects."`
	}
}

func (a *API) requestBatchRoute(tags []string) {
	register(a, huma.Operation{OperationID: "requests-batch", Method: http.MethodPost, Path: "/v1/requests/batch", Tags: tags, DefaultStatus: http.StatusOK,
		Summary:     "Erase many people whom the law wants erased",
		Description: "Each gets a request and a certificate of their own. Who has an open erasure joins it, who is under a legal hold waits. Of whom nothing could be done has a problem, and the others are erased. It may be sent again: nobody is erased twice."}, nobody, a.createRequests)
}

func (a *API) createRequests(ctx context.Context, caller custody.Caller, input *requestBatchInput) (*requestBatchOutput, error) {
	subjects := make([]privacy.SubjectID, len(input.Body.Subjects))
	for i, text := range input.Body.Subjects {
		var err error
		if subjects[i], err = privacy.ParseSubjectID(text); err != nil {
			return nil, err
		}
	}
	output := &requestBatchOutput{}
	var err error
	output.Body.Requests, err = a.rights.EraseMany(ctx, caller, subjects, input.Body.Ground, input.once(caller, "requests-batch"))
	return output, err
}
