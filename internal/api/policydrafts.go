package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/privacy"
)

// PolicyDocument is a policy as JSON, or a part of one.
type PolicyDocument json.RawMessage

// Schema implements huma.SchemaProvider: the policy says itself what fits.
func (PolicyDocument) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "A policy document: data (tables by name: matrix, purposes, clients, regimes, operations …), modules (Rego by file name), tests (cases, and test modules); or a part of one."}
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *PolicyDocument) UnmarshalJSON(data []byte) error {
	*d = append((*d)[:0], data...)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (d PolicyDocument) MarshalJSON() ([]byte, error) { return json.RawMessage(d).MarshalJSON() }

// PolicyPatch is a JSON merge patch of a policy document.
type PolicyPatch json.RawMessage

// Schema implements huma.SchemaProvider.
func (PolicyPatch) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "A JSON merge patch (RFC 7396): null removes, lists are replaced whole; title renames the draft.",
		Examples: []any{map[string]any{"data": map[string]any{"matrix": map[string]any{"city": map[string]any{"marketing.email": "generalise"}}}}}}
}

// UnmarshalJSON implements json.Unmarshaler.
func (p *PolicyPatch) UnmarshalJSON(data []byte) error {
	*p = append((*p)[:0], data...)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (p PolicyPatch) MarshalJSON() ([]byte, error) { return json.RawMessage(p).MarshalJSON() }

// DraftInput is embedded in inputs about one draft; exported for the same reason as Idempotent.
type DraftInput struct {
	ID string `path:"id" maxLength:"64"`
}

// VersionInput is embedded in inputs that change what the caller has seen.
type VersionInput struct {
	IfMatch string `header:"If-Match" maxLength:"24" example:"\"3\"" doc:"The ETag of the version that the caller has seen. It must be sent."`
}

// version reads an entity tag as the answers give it; quotes may be left out.
func (i *VersionInput) version() (int64, error) {
	version, err := strconv.ParseInt(strings.Trim(i.IfMatch, `"`), 10, 64)
	if err != nil || version < 1 {
		return 0, privacy.Invalid("invalid_version", "send in If-Match the ETag of the draft as you have read it")
	}
	return version, nil
}

// RepeatableInput is Idempotent for calls that have no body.
type RepeatableInput struct {
	IdempotencyKey string `header:"Idempotency-Key" minLength:"1" maxLength:"128" pattern:"^[!-~]+$" doc:"Makes the call safe to repeat for a day: a repeat gets the first answer."`
}

func (i *RepeatableInput) once(caller custody.Caller, operation string) custody.Once {
	return custody.Once{Client: caller.Client, Key: i.IdempotencyKey, Operation: operation}
}

type draftCreateInput struct {
	Idempotent
	Body struct {
		Title   string          `json:"title" minLength:"1" maxLength:"200" example:"No city for campaigns"`
		From    string          `json:"from,omitempty" maxLength:"64" doc:"The revision to take the content from; the one in force when left out."`
		Content *PolicyDocument `json:"content,omitempty" doc:"Or the whole content."`
	}
}

type draftOutput struct {
	ETag string `header:"ETag"`
	Body governance.Draft
}

type draftsInput struct {
	State  string `query:"state" enum:"draft,submitted,approved,rejected,published,abandoned"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"64"`
}

type draftsOutput struct {
	Body struct {
		Drafts []governance.Draft `json:"drafts"`
		Cursor string             `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

type draftGetInput struct {
	DraftInput
	Part string `query:"part" maxLength:"256" example:"/data/matrix" doc:"A JSON pointer to the part that is wanted; all of it when left out."`
}

// DraftContent is a draft with its content.
type DraftContent struct {
	governance.Draft
	Content PolicyDocument `json:"content"`
}

type draftGetOutput struct {
	ETag string `header:"ETag"`
	Body DraftContent
}

type draftEditInput struct {
	DraftInput
	VersionInput
	Idempotent
	Body PolicyPatch
}

type draftStepInput struct {
	DraftInput
	VersionInput
	RepeatableInput
}

type draftReviewInput struct {
	DraftInput
	Idempotent
	Body struct {
		Revision string `json:"revision" maxLength:"64" doc:"The revision that the draft was submitted as, and that the reviewer has seen."`
		Comment  string `json:"comment,omitempty" maxLength:"2000"`
	}
}

type draftPublishInput struct {
	DraftInput
	RepeatableInput
}

// PolicyReport says whether a policy holds what was expected of it.
type PolicyReport struct {
	Revision privacy.RevisionID `json:"revision"`
	Pass     bool               `json:"pass" doc:"No problems, and every case and test passed."`
	Problems []PolicyProblem    `json:"problems" doc:"Why it could not be put in force as it is."`
	Cases    []PolicyCaseResult `json:"cases"`
	Tests    []PolicyTestResult `json:"tests" doc:"Of Rego test modules."`
	Warnings []string           `json:"warnings" doc:"What a policy that passes still lacks, such as any case."`
}

// These have names of their own in the document, where a Problem is something else.
type (
	// PolicyProblem is one thing that is wrong with a policy: in a module by file, line and column, in a
	// table or case by JSON pointer.
	PolicyProblem governance.PolicyProblem
	// PolicyCaseResult compares what a case expects with what was decided.
	PolicyCaseResult governance.PolicyCaseResult
	// PolicyTestResult is what a rule of a test module gave.
	PolicyTestResult governance.PolicyTestResult
)

func newPolicyReport(r governance.PolicyReport) PolicyReport {
	report := PolicyReport{Revision: r.Revision, Pass: r.Pass, Problems: make([]PolicyProblem, len(r.Problems)), Cases: make([]PolicyCaseResult, len(r.Cases)), Tests: make([]PolicyTestResult, len(r.Tests)), Warnings: listed(r.Warnings)}
	for i := range r.Problems {
		report.Problems[i] = PolicyProblem(r.Problems[i])
	}
	for i := range r.Cases {
		report.Cases[i] = PolicyCaseResult(r.Cases[i])
	}
	for i := range r.Tests {
		report.Tests[i] = PolicyTestResult(r.Tests[i])
	}
	return report
}

type draftTestOutput struct {
	Body PolicyReport
}

func (a *API) policyDraftRoutes() {
	op := func(id, method, path, summary, description string, problems ...int) huma.Operation {
		return huma.Operation{OperationID: "policy-drafts-" + id, Method: method, Path: "/v1/policies/drafts" + path, Summary: summary, Description: description, Tags: []string{"policy"}, Errors: problems}
	}
	create := op("create", http.MethodPost, "", "Begin a draft", "A draft is a whole policy at all times. It is based on the revision in force, which it would replace.", http.StatusNotFound, http.StatusConflict)
	create.DefaultStatus = http.StatusCreated
	register(a, create, nobody, a.createDraft)
	register(a, op("list", http.MethodGet, "", "List drafts, newest first", "", http.StatusUnprocessableEntity), nobody, a.listDrafts)
	register(a, op("get", http.MethodGet, "/{id}", "A draft, whole or a part of it", "The ETag names the version; changes have to repeat it.", http.StatusNotFound, http.StatusUnprocessableEntity), nobody, a.getDraft)
	edit := op("edit", http.MethodPatch, "/{id}", "Edit a draft", "Takes a JSON merge patch. Tables have to fit their schemas and each other; modules need not compile until the draft is submitted. "+
		"Of two who edit one version, the second gets a conflict. An edit takes back what was submitted or approved.", http.StatusNotFound, http.StatusConflict)
	edit.Middlewares = huma.Middlewares{takes("application/json", "application/merge-patch+json")}
	register(a, edit, nobody, a.editDraft)
	register(a, op("abandon", http.MethodDelete, "/{id}", "Put a draft aside for good", "It stays readable.", http.StatusNotFound, http.StatusConflict), nobody, a.abandonDraft)
	register(a, op("test", http.MethodPost, "/{id}/test", "Test a draft", "Compiles the modules strictly, holds tables to their schemas, asks a sample of questions, runs the draft's own cases and OPA's tester. "+
		"What is wrong is told with line and column, or with a JSON pointer.", http.StatusNotFound), nobody, a.testDraft)
	register(a, op("submit", http.MethodPost, "/{id}/submit", "Submit a draft for approval", "It has to pass its tests.", http.StatusNotFound, http.StatusConflict), nobody, a.submitDraft)
	register(a, op("approve", http.MethodPost, "/{id}/approve", "Approve what was submitted", "By somebody who has not written in the draft. The approval holds for the content it names, and no other.", http.StatusNotFound, http.StatusConflict), nobody, a.approveDraft)
	register(a, op("reject", http.MethodPost, "/{id}/reject", "Send what was submitted back", "The comment says why.", http.StatusNotFound, http.StatusConflict), nobody, a.rejectDraft)
	register(a, op("rebase", http.MethodPost, "/{id}/rebase", "Carry a draft over to the revision in force", "Refused when both changed the same place.", http.StatusNotFound, http.StatusConflict), nobody, a.rebaseDraft)
	register(a, op("publish", http.MethodPost, "/{id}/publish", "Put an approved draft in force", "Its tests are run again. Every request that starts after this call has returned is decided by it, on every node.", http.StatusNotFound, http.StatusConflict), nobody, a.publishDraft)
}

func newDraftOutput(draft governance.Draft, err error) (*draftOutput, error) {
	if err != nil {
		return nil, err
	}
	return &draftOutput{ETag: entityTag(draft.Version), Body: draft}, nil
}

func entityTag(version int64) string { return `"` + strconv.FormatInt(version, 10) + `"` }

func (a *API) createDraft(ctx context.Context, caller custody.Caller, input *draftCreateInput) (*draftOutput, error) {
	begin := governance.NewPolicyDraft{Title: input.Body.Title}
	if input.Body.From != "" {
		var err error
		if begin.From, err = governance.ParseRevisionID(input.Body.From); err != nil {
			return nil, err
		}
	}
	if input.Body.Content != nil {
		begin.Content = json.RawMessage(*input.Body.Content)
	}
	return newDraftOutput(a.governance.CreateDraft(ctx, caller, begin, input.once(caller, "policy-drafts-create")))
}

func (a *API) listDrafts(ctx context.Context, _ custody.Caller, input *draftsInput) (*draftsOutput, error) {
	var before governance.DraftID
	if input.Cursor != "" {
		var err error
		if before, err = governance.ParseDraftID(input.Cursor); err != nil {
			return nil, errInvalidCursor
		}
	}
	drafts, err := a.governance.PolicyDrafts(ctx, governance.DraftState(input.State), before, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &draftsOutput{}
	output.Body.Drafts = drafts
	if len(drafts) == input.Limit {
		output.Body.Cursor = drafts[len(drafts)-1].ID
	}
	return output, nil
}

func (a *API) getDraft(ctx context.Context, _ custody.Caller, input *draftGetInput) (*draftGetOutput, error) {
	id, err := governance.ParseDraftID(input.ID)
	if err != nil {
		return nil, err
	}
	draft, content, err := a.governance.PolicyDraft(ctx, id)
	if err != nil {
		return nil, err
	}
	if content, err = governance.Part(content, input.Part); err != nil {
		return nil, err
	}
	return &draftGetOutput{ETag: entityTag(draft.Version), Body: DraftContent{Draft: draft, Content: PolicyDocument(content)}}, nil
}

func (a *API) editDraft(ctx context.Context, caller custody.Caller, input *draftEditInput) (*draftOutput, error) {
	id, version, err := input.idAndVersion(&input.VersionInput)
	if err != nil {
		return nil, err
	}
	return newDraftOutput(a.governance.EditDraft(ctx, caller, id, version, json.RawMessage(input.Body), input.once(caller, "policy-drafts-edit "+input.ID+" "+input.IfMatch)))
}

func (i *DraftInput) idAndVersion(v *VersionInput) (id governance.DraftID, version int64, err error) {
	if id, err = governance.ParseDraftID(i.ID); err == nil {
		version, err = v.version()
	}
	return id, version, err
}

// draftStep is a step that takes a draft's version and nothing else.
type draftStep func(ctx context.Context, caller custody.Caller, id governance.DraftID, version int64, once custody.Once) (governance.Draft, error)

func (i *draftStepInput) take(ctx context.Context, caller custody.Caller, name string, step draftStep) (*draftOutput, error) {
	id, version, err := i.idAndVersion(&i.VersionInput)
	if err != nil {
		return nil, err
	}
	return newDraftOutput(step(ctx, caller, id, version, i.once(caller, name+" "+i.ID+" "+i.IfMatch)))
}

func (a *API) abandonDraft(ctx context.Context, caller custody.Caller, input *draftStepInput) (*draftOutput, error) {
	return input.take(ctx, caller, "policy-drafts-abandon", a.governance.AbandonDraft)
}

func (a *API) submitDraft(ctx context.Context, caller custody.Caller, input *draftStepInput) (*draftOutput, error) {
	return input.take(ctx, caller, "policy-drafts-submit", a.governance.SubmitDraft)
}

func (a *API) rebaseDraft(ctx context.Context, caller custody.Caller, input *draftStepInput) (*draftOutput, error) {
	return input.take(ctx, caller, "policy-drafts-rebase", a.governance.RebaseDraft)
}

func (a *API) testDraft(ctx context.Context, caller custody.Caller, input *DraftInput) (*draftTestOutput, error) {
	id, err := governance.ParseDraftID(input.ID)
	if err != nil {
		return nil, err
	}
	report, err := a.governance.TestDraft(ctx, caller, id)
	return &draftTestOutput{Body: newPolicyReport(report)}, err
}

// draftVerdict is what a reviewer says of a draft.
type draftVerdict func(ctx context.Context, caller custody.Caller, id governance.DraftID, review governance.Review, once custody.Once) (governance.Draft, error)

func (i *draftReviewInput) take(ctx context.Context, caller custody.Caller, name string, verdict draftVerdict) (*draftOutput, error) {
	id, err := governance.ParseDraftID(i.ID)
	if err != nil {
		return nil, err
	}
	revision, err := governance.ParseRevisionID(i.Body.Revision)
	if err != nil {
		return nil, err
	}
	return newDraftOutput(verdict(ctx, caller, id, governance.Review{Revision: revision, Comment: i.Body.Comment}, i.once(caller, name+" "+i.ID)))
}

func (a *API) approveDraft(ctx context.Context, caller custody.Caller, input *draftReviewInput) (*draftOutput, error) {
	return input.take(ctx, caller, "policy-drafts-approve", a.governance.ApproveDraft)
}

func (a *API) rejectDraft(ctx context.Context, caller custody.Caller, input *draftReviewInput) (*draftOutput, error) {
	return input.take(ctx, caller, "policy-drafts-reject", a.governance.RejectDraft)
}

func (a *API) publishDraft(ctx context.Context, caller custody.Caller, input *draftPublishInput) (*draftOutput, error) {
	id, err := governance.ParseDraftID(input.ID)
	if err != nil {
		return nil, err
	}
	return newDraftOutput(a.governance.PublishDraft(ctx, caller, id, input.once(caller, "policy-drafts-publish "+input.ID)))
}
