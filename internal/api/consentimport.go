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

// ConsentImportLine answers one line of an import of consents. The last one holds the summary alone.
type ConsentImportLine struct {
	Line    int                   `json:"line,omitempty" example:"1" doc:"Which line is answered, counted from 1, blank ones too."`
	ID      string                `json:"id,omitempty" doc:"The record that the line became, or already was."`
	Status  privacy.ConsentStatus `json:"status,omitempty" doc:"Where the subject stands on the purpose."`
	Problem *Problem              `json:"problem,omitempty" doc:"Why the line was turned away."`
	Summary *ConsentImportSummary `json:"summary,omitempty" doc:"The last line."`
}

// ConsentImportSummary is the last line of the answer to an import of consents.
type ConsentImportSummary struct {
	Lines    int  `json:"lines"`
	Recorded int  `json:"recorded"`
	Rejected int  `json:"rejected"`
	Complete bool `json:"complete" doc:"False when the import stopped early: send all of it again, under the same Idempotency-Key."`
}

type consentImportInput struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" doc:"Names the file, by its hash for instance: a line of it that is sent again, at any time, is recorded once."`
}

func (a *API) consentImportRoutes() {
	registry := a.huma.OpenAPI().Components.Schemas
	ndjson := func(line reflect.Type) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/x-ndjson": {Schema: registry.Schema(line, true, "")}}
	}
	op := huma.Operation{OperationID: "consents-import", Method: http.MethodPost, Path: "/v1/consents/import", Tags: []string{"consent"},
		Summary:     "Bring many consents in, streamed",
		Description: "Consents that were given elsewhere, with their evidence: one body of consents-record a line in, one answer a line out, then a summary. The lines of one subject are recorded in order. Nobody is written to: of a purpose with double opt-in, a grant counts that was confirmed elsewhere (method double_opt_in, with evidence); any other waits, pending.",
		Middlewares: huma.Middlewares{takes("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json")},
		Responses:   map[string]*huma.Response{"200": {Description: "An answer for every line that is not blank, then the summary", Content: ndjson(reflect.TypeFor[ConsentImportLine]())}}}
	register(a, op, nobody, func(_ context.Context, caller custody.Caller, input *consentImportInput) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			r, w := humago.Unwrap(hctx)
			a.serveConsentImport(w, r, caller, input.IdempotencyKey)
		}}, nil
	})
	// Documented only now: Huma would read and validate a body that it knows of, whole.
	a.huma.OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{Required: true, Content: ndjson(reflect.TypeFor[Consent]())}
}

func (a *API) serveConsentImport(w http.ResponseWriter, r *http.Request, caller custody.Caller, key string) {
	run := consentImport{lineStream: a.streamLines(w, caller), key: key}
	run.summary.Complete = run.feed(r.Context(), r.Body, &run.summary.Lines, &run)
	_ = run.out.Encode(ConsentImportLine{Summary: &run.summary})
	if !run.summary.Complete {
		run.drain(r.Body)
	}
}

// consentImport is one import of consents under way.
type consentImport struct {
	lineStream
	key     string
	summary ConsentImportSummary
	waiting []consentLine // in order
}

// consentLine is a line that waits to be answered: with what becomes of it, or with what is wrong.
type consentLine struct {
	number  int
	consent *custody.ImportedConsent
	problem *Problem
}

func (run *consentImport) pending() int { return len(run.waiting) }

func (run *consentImport) take(ctx context.Context, number int, line []byte, tooLong bool) {
	taken := consentLine{number: number}
	consent, err := run.consent(line, tooLong)
	if err != nil {
		taken.problem = run.api.problemFrom(ctx, err)
	} else {
		consent.Line = taken.number
		taken.consent = &consent
	}
	run.waiting = append(run.waiting, taken)
}

func (run *consentImport) consent(line []byte, tooLong bool) (custody.ImportedConsent, error) {
	if tooLong {
		return custody.ImportedConsent{}, errLineTooLong
	}
	var body Consent
	if err := unmarshalKnown(line, &body); err != nil {
		return custody.ImportedConsent{}, err
	}
	if err := body.check(); err != nil {
		return custody.ImportedConsent{}, err
	}
	ref, err := run.api.subjectRef(&body.Subject)
	return custody.ImportedConsent{Subject: ref, Consent: body.consent()}, err
}

// check holds a line to what the schema says of a body, as far as the flow does not: words that go on the ledger as they are.
func (c *Consent) check() error {
	for _, word := range []string{c.Channel, c.Method} {
		if word != "" && !ledgerWord.MatchString(word) {
			return privacy.Invalid("invalid_word", "channel and method are words of small letters, digits, dots and dashes, 64 at most")
		}
	}
	if c.Locale != "" && !localeForm.MatchString(c.Locale) {
		return privacy.Invalid("invalid_locale", "a locale is a BCP 47 tag, such as de or zh-Hans")
	}
	for _, scope := range c.SeparateFor {
		if !scope.Valid() {
			return privacy.Invalid("unknown_scope", "a consent is separate for third_party, public, public_image, sensitive or transfer")
		}
	}
	if len(c.Purpose) > 64 || len(c.SeparateFor) > 5 || c.Notice != nil && (c.Notice.Version < 1 || len(c.Notice.ID) > 63) {
		return privacy.Invalid("invalid_consent", "a field of the consent is out of its bounds")
	}
	return nil
}

// flush records what waits and answers it. It reports false when the import cannot go on.
func (run *consentImport) flush(ctx context.Context) bool {
	var consents []custody.ImportedConsent
	for _, line := range run.waiting {
		if line.consent != nil {
			consents = append(consents, *line.consent)
		}
	}
	if err := run.api.service.ImportConsents(ctx, run.caller, run.key, consents); err != nil {
		_ = run.out.Encode(ConsentImportLine{Problem: run.api.problemFrom(ctx, err)})
		return false
	}
	for _, line := range run.waiting {
		problem := line.problem
		if line.consent != nil {
			done := consents[0]
			consents = consents[1:]
			if done.Err == nil {
				run.summary.Recorded++
				_ = run.out.Encode(ConsentImportLine{Line: line.number, ID: done.Recorded.ID, Status: done.Recorded.Status})
				continue
			}
			problem = run.api.problemFrom(ctx, done.Err)
		}
		run.summary.Rejected++
		_ = run.out.Encode(ConsentImportLine{Line: line.number, Problem: problem})
	}
	run.waiting = run.waiting[:0]
	return run.control.Flush() == nil
}
