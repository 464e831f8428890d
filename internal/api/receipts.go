package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

type receiptInput struct {
	ID string `path:"id" maxLength:"64" doc:"Of the record, as it was answered when the record was made."`
}

type receiptOutput struct {
	Body struct {
		ID      string            `json:"id" doc:"Of the record."`
		Subject privacy.SubjectID `json:"subject"`
		Receipt string            `json:"receipt" doc:"A compact JWS, signed with EdDSA by a key of /.well-known/jwks.json; its payload follows receipt.schema.json."`
	}
}

type keySetOutput struct {
	ContentType  string `header:"Content-Type"`
	CacheControl string `header:"Cache-Control"`
	Body         []byte `contentType:"application/jwk-set+json"`
}

func (a *API) receiptRoutes() {
	registerOpen(a, huma.Operation{OperationID: "receipts-get", Method: http.MethodGet, Path: "/v1/receipts/{id}", Tags: []string{"consent"},
		Summary: "The receipt of a record", Description: "Kantara Consent Receipt 1.1 with the fields of ISO/IEC TS 27560, signed. It verifies offline, and stays valid when the signing key is rotated.",
		Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity}}, a.getReceipt)
	huma.Register(a.huma, huma.Operation{OperationID: "jwks", Method: http.MethodGet, Path: "/.well-known/jwks.json", Tags: []string{"consent"},
		Summary: "The public keys that receipts are signed with", Description: "A JWK set (RFC 7517) of every version of the key. It takes no token.",
		Errors: []int{http.StatusServiceUnavailable}}, a.keySet)
}

// getReceipt authorises once it knows whose record it is: nobody learns by asking which records exist.
func (a *API) getReceipt(ctx context.Context, caller custody.Caller, input *receiptInput) (*receiptOutput, error) {
	id := idOrZero(input.ID) // both are UUIDs
	subject, err := a.service.RecordSubject(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := a.service.Authorise(ctx, caller.Caller, "receipts-get", subject); err != nil {
		return nil, err
	}
	if _, err := privacy.ParseSubjectID(input.ID); err != nil {
		return nil, err
	}
	if subject.IsZero() {
		return nil, errNoRecord
	}
	output := &receiptOutput{}
	output.Body.ID, output.Body.Subject = id.String(), subject
	output.Body.Receipt, err = a.service.Receipt(ctx, caller, subject, id)
	return output, err
}

var errNoRecord = privacy.NotFound("record_not_found", "there is no such record")

func (a *API) keySet(ctx context.Context, _ *struct{}) (*keySetOutput, error) {
	keys, err := a.service.ReceiptKeys(ctx)
	if err != nil {
		return nil, a.problemFrom(ctx, err)
	}
	return &keySetOutput{ContentType: "application/jwk-set+json", CacheControl: "public, max-age=300", Body: keys}, nil
}
