package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/consentry/consentry/internal/custody"
)

// ImportLine answers one line of an import: the subject it became, or the problem with it. The last
// one holds the summary alone.
type ImportLine struct {
	Line    int            `json:"line,omitempty" example:"1" doc:"Which line is answered, counted from 1, blank ones too."`
	ID      string         `json:"id,omitempty" doc:"The subject that the line became."`
	Created bool           `json:"created,omitempty"`
	Problem *Problem       `json:"problem,omitempty" doc:"Why the line was turned away."`
	Summary *ImportSummary `json:"summary,omitempty" doc:"The last line."`
}

// ImportSummary is the last line of an import's answer. Lines are answered in order; without a summary, or with one
// that is not complete, send again from the first line that has no answer. Lines may have been
// stored and not answered: storing them again is harmless.
type ImportSummary struct {
	Lines    int  `json:"lines"`
	Created  int  `json:"created"`
	Updated  int  `json:"updated"`
	Rejected int  `json:"rejected"`
	Complete bool `json:"complete" doc:"False when the import stopped early: send again from the first line without an answer."`
}

const (
	importBatch   = 500     // lines stored together
	importBytes   = 8 << 20 // in all, after which fewer are
	maxImportLine = 1 << 20
	importPause   = time.Minute // how long a sender may be silent
)

func (a *API) importRoutes() {
	registry := a.huma.OpenAPI().Components.Schemas
	ndjson := func(line reflect.Type) map[string]*huma.MediaType {
		return map[string]*huma.MediaType{"application/x-ndjson": {Schema: registry.Schema(line, true, "")}}
	}
	op := huma.Operation{OperationID: "subjects-import", Method: http.MethodPost, Path: "/v1/subjects/import", Tags: []string{"subjects"},
		Summary:     "Store many profiles, streamed",
		Description: "One profile a line in, one answer a line out, then a summary. Lines are stored in batches as they come; sending the same lines again is harmless.",
		Middlewares: huma.Middlewares{takes("application/x-ndjson", "application/ndjson", "application/jsonl", "application/json")},
		Responses:   map[string]*huma.Response{"200": {Description: "An answer for every line that is not blank, then the summary", Content: ndjson(reflect.TypeFor[ImportLine]())}}}
	register(a, op, nobody, func(_ context.Context, caller custody.Caller, _ *struct{}) (*huma.StreamResponse, error) {
		return &huma.StreamResponse{Body: func(hctx huma.Context) {
			r, w := humago.Unwrap(hctx)
			a.serveImport(w, r, caller)
		}}, nil
	})
	// Documented only now: Huma would read and validate a body that it knows of, whole.
	a.huma.OpenAPI().Paths[op.Path].Post.RequestBody = &huma.RequestBody{Required: true, Content: ndjson(reflect.TypeFor[Subject]())}
}

func (a *API) serveImport(w http.ResponseWriter, r *http.Request, caller custody.Caller) {
	run := importRun{lineStream: a.streamLines(w, caller)}
	run.summary.Complete = run.feed(r.Context(), r.Body, &run.summary.Lines, &run)
	_ = run.out.Encode(ImportLine{Summary: &run.summary})
	if !run.summary.Complete {
		run.drain(r.Body)
	}
}

// importRun is one import under way.
type importRun struct {
	lineStream
	summary ImportSummary
	waiting []importLine // in order
}

// importLine is a line that waits to be answered: with the profile to be stored, or with what is wrong.
type importLine struct {
	number  int
	profile *custody.Profile
	problem *Problem
}

func (run *importRun) pending() int { return len(run.waiting) }

func (run *importRun) take(ctx context.Context, number int, line []byte, tooLong bool) {
	taken := importLine{number: number}
	profile, err := run.profile(line, tooLong)
	if err != nil {
		taken.problem = run.api.problemFrom(ctx, err)
	} else {
		taken.profile = &profile
	}
	run.waiting = append(run.waiting, taken)
}

func (run *importRun) profile(line []byte, tooLong bool) (custody.Profile, error) {
	if tooLong {
		return custody.Profile{}, errLineTooLong
	}
	var subject Subject
	if err := unmarshalKnown(line, &subject); err != nil {
		return custody.Profile{}, err
	}
	return run.api.service.Normalise(subject.draft())
}

// flush stores what waits and answers it. It reports false when the import cannot go on.
func (run *importRun) flush(ctx context.Context) bool {
	var profiles []custody.Profile
	for _, line := range run.waiting {
		if line.profile != nil {
			profiles = append(profiles, *line.profile)
		}
	}
	results, err := run.api.service.Upsert(ctx, run.caller, profiles)
	if err != nil {
		problem := run.api.problemFrom(ctx, err)
		_ = run.out.Encode(ImportLine{Problem: problem})
		return false
	}
	for _, line := range run.waiting {
		if line.profile == nil {
			run.reject(line.number, line.problem)
			continue
		}
		run.answer(ctx, line.number, results[0])
		results = results[1:]
	}
	run.waiting = run.waiting[:0]
	return run.control.Flush() == nil
}

func (run *importRun) answer(ctx context.Context, number int, result custody.Upserted) {
	switch {
	case result.Err != nil:
		run.reject(number, run.api.problemFrom(ctx, result.Err))
		return
	case result.Created:
		run.summary.Created++
	default:
		run.summary.Updated++
	}
	_ = run.out.Encode(ImportLine{Line: number, ID: result.ID.String(), Created: result.Created})
}

func (run *importRun) reject(number int, problem *Problem) {
	run.summary.Rejected++
	_ = run.out.Encode(ImportLine{Line: number, Problem: problem})
}
