package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

func (a *API) consentProofRoutes() {
	register(a, huma.Operation{OperationID: "consents-proof", Method: http.MethodGet, Path: "/v1/subjects/{id}/consents/proof", Tags: []string{"consent"},
		Summary: "The proof of a subject's consents, to take away",
		Description: "A ZIP file with the ledger, the notices as they were shown, the receipts, and the proofs that the audit log holds each record, all under a signed manifest. " +
			"`consentry proof verify` checks it offline; README.txt in it says how to do so by hand. Evidence stays sealed: the records commit to it. That a proof was given out is on record.",
		Errors: []int{http.StatusNotFound, http.StatusRequestEntityTooLarge, http.StatusUnprocessableEntity},
		Responses: map[string]*huma.Response{"200": {Description: "The proof pack", Content: map[string]*huma.MediaType{
			"application/zip": {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}}}}}}, (*SubjectInput).about, a.consentProof)
}

func (a *API) consentProof(ctx context.Context, caller custody.Caller, input *SubjectInput) (*huma.StreamResponse, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	proof, err := a.service.ConsentProof(ctx, caller, id)
	if err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		_, w := humago.Unwrap(hctx)
		w.Header().Set("Content-Type", "application/zip")
		w.Header().Set("Content-Disposition", `attachment; filename="consent-proof-`+id.String()+`.zip"`)
		if err := proof.Write(hctx.Context(), &patientWriter{ResponseWriter: w, control: http.NewResponseController(w), now: a.now}); err != nil {
			_ = a.problemFrom(hctx.Context(), err) // logs what is not the caller's doing
			panic(http.ErrAbortHandler)            // half a pack must not pass for a whole one
		}
	}}, nil
}

// patientWriter lets an answer take as long as it goes on.
type patientWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	now     func() time.Time
}

// writePause is how long a receiver may take for one piece.
const writePause = time.Minute

func (w *patientWriter) Write(b []byte) (int, error) {
	_ = w.control.SetWriteDeadline(w.now().Add(writePause)) // a server that knows no deadlines has none
	return w.ResponseWriter.Write(b)
}
