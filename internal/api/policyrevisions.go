package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/governance"
	"github.com/consentry/consentry/internal/privacy"
)

type publicationsInput struct {
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"20"`
}

type publicationsOutput struct {
	Body struct {
		Publications []governance.Publication `json:"publications"`
		Cursor       string                   `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

type revisionGetInput struct {
	ID   string `path:"id" maxLength:"64"`
	Part string `query:"part" maxLength:"256" example:"/data/matrix" doc:"A JSON pointer to the part that is wanted; all of it when left out."`
}

type revisionOutput struct {
	Body struct {
		Revision privacy.RevisionID `json:"revision"`
		Content  PolicyDocument     `json:"content"`
	}
}

type rollbackInput struct {
	ID string `path:"id" maxLength:"64"`
	Idempotent
	Body struct {
		Reason string `json:"reason" minLength:"1" maxLength:"2000" example:"The new matrix withholds the order number from the service desk" doc:"Why; kept with the publication."`
	}
}

type rollbackOutput struct {
	Body governance.Publication
}

func (a *API) policyRevisionRoutes() {
	op := func(id, method, path, summary, description string, problems ...int) huma.Operation {
		return huma.Operation{OperationID: "policy-revisions-" + id, Method: method, Path: "/v1/policies/revisions" + path, Summary: summary, Description: description, Tags: []string{"policy"}, Errors: problems}
	}
	register(a, op("list", http.MethodGet, "", "What was put in force, newest first", "The first is in force now.", http.StatusUnprocessableEntity), nobody, a.listPublications)
	register(a, op("get", http.MethodGet, "/{id}", "A revision, whole or a part of it", "Its id is the SHA-256 of its content.", http.StatusNotFound, http.StatusUnprocessableEntity), nobody, a.getRevision)
	register(a, op("rollback", http.MethodPost, "/{id}/rollback", "Put an earlier revision in force again", "One that was in force before. Takes effect as a publication does.", http.StatusNotFound, http.StatusConflict), nobody, a.rollback)
}

func (a *API) listPublications(ctx context.Context, _ custody.Caller, input *publicationsInput) (*publicationsOutput, error) {
	var before int64
	if input.Cursor != "" {
		var err error
		if before, err = strconv.ParseInt(input.Cursor, 10, 64); err != nil || before < 1 {
			return nil, errInvalidCursor
		}
	}
	list, err := a.governance.Publications(ctx, before, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &publicationsOutput{}
	output.Body.Publications = list
	if len(list) == input.Limit {
		output.Body.Cursor = strconv.FormatInt(list[len(list)-1].Number, 10)
	}
	return output, nil
}

func (a *API) getRevision(ctx context.Context, _ custody.Caller, input *revisionGetInput) (*revisionOutput, error) {
	id, err := governance.ParseRevisionID(input.ID)
	if err != nil {
		return nil, err
	}
	content, err := a.governance.RevisionContent(ctx, id)
	if err != nil {
		return nil, err
	}
	if content, err = governance.Part(content, input.Part); err != nil {
		return nil, err
	}
	output := &revisionOutput{}
	output.Body.Revision, output.Body.Content = id, PolicyDocument(content)
	return output, nil
}

func (a *API) rollback(ctx context.Context, caller custody.Caller, input *rollbackInput) (*rollbackOutput, error) {
	id, err := governance.ParseRevisionID(input.ID)
	if err != nil {
		return nil, err
	}
	publication, err := a.governance.Rollback(ctx, caller, id, input.Body.Reason, input.once(caller, "policy-revisions-rollback "+input.ID))
	return &rollbackOutput{Body: publication}, err
}
