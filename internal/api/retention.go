package api

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// RetentionRun is a walk through everybody's values for those whose time is over.
type RetentionRun struct {
	ID         string                  `json:"id"`
	DryRun     bool                    `json:"dry_run" doc:"It only counts."`
	Revision   privacy.RevisionID      `json:"revision" doc:"The policy whose purposes it goes by: the one in force, and of a run that is over the last it went by."`
	StartedBy  privacy.ClientID        `json:"started_by"`
	StartedAt  time.Time               `json:"started_at"`
	FinishedAt *time.Time              `json:"finished_at,omitempty" doc:"Absent while it is under way."`
	Subjects   int64                   `json:"subjects" doc:"Of whom something was due."`
	Attributes custody.RetentionCounts `json:"attributes" doc:"Values that were due, by attribute and by why: expired, purpose_retention, purpose_ended; held are those that a legal hold keeps, failed those that could not be deleted because something of the subject is damaged. What has left the catalogue is under its number, such as #17. Under #requests are requests that were closed for long enough (request_closed), whose details go: what was said in them."`
}

func retentionRun(r *custody.RetentionRun) RetentionRun {
	return RetentionRun{ID: privacy.SubjectID(r.ID).String(), DryRun: r.DryRun, Revision: r.Revision, StartedBy: r.Client, StartedAt: r.StartedAt,
		FinishedAt: timePtr(r.FinishedAt), Subjects: r.Subjects, Attributes: r.Counts}
}

type startRetentionInput struct {
	Body struct {
		DryRun bool `json:"dry_run,omitempty" doc:"Count what would be deleted, and delete nothing."`
	}
}

type retentionOutput struct{ Body RetentionRun }

type retentionsOutput struct {
	Body struct {
		Runs   []RetentionRun `json:"runs"`
		Cursor string         `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

func (a *API) retentionRoutes() {
	tags := []string{"retention"}
	register(a, huma.Operation{OperationID: "retention-run", Method: http.MethodPost, Path: "/v1/retention/runs", Tags: tags, DefaultStatus: http.StatusAccepted,
		Summary:     "Delete what has been kept for long enough",
		Description: "A value goes when its attribute's retention is over, or that of every purpose that covers it, or when no purpose has covered it for a week. So does what was said in a request, some time after it was closed (the policy's deadlines.handling.keep_details). A run starts by itself once a day. While one is under way, it is given instead of a new one."}, nobody,
		func(ctx context.Context, caller custody.Caller, input *startRetentionInput) (*retentionOutput, error) {
			run, err := a.service.StartRetention(ctx, caller, input.Body.DryRun)
			return &retentionOutput{Body: retentionRun(&run)}, err
		})
	register(a, huma.Operation{OperationID: "retention-list", Method: http.MethodGet, Path: "/v1/retention/runs", Tags: tags,
		Summary: "Runs of the retention job, newest first"}, nobody, a.listRetentionRuns)
	register(a, huma.Operation{OperationID: "retention-get", Method: http.MethodGet, Path: "/v1/retention/runs/{id}", Tags: tags,
		Summary: "What a run of the retention job has found", Errors: []int{http.StatusNotFound}}, nobody,
		func(ctx context.Context, _ custody.Caller, input *RequestPath) (*retentionOutput, error) {
			id, err := privacy.ParseSubjectID(input.ID)
			if err != nil {
				return nil, err
			}
			run, err := a.service.RetentionRun(ctx, id)
			return &retentionOutput{Body: retentionRun(&run)}, err
		})
}

func (a *API) listRetentionRuns(ctx context.Context, _ custody.Caller, input *pageInput) (*retentionsOutput, error) {
	var before privacy.SubjectID
	if input.Cursor != "" {
		var err error
		if before, err = privacy.ParseSubjectID(input.Cursor); err != nil {
			return nil, errInvalidCursor
		}
	}
	runs, err := a.service.RetentionRuns(ctx, before, input.Limit)
	output := &retentionsOutput{}
	output.Body.Runs = make([]RetentionRun, len(runs))
	for i := range runs {
		output.Body.Runs[i] = retentionRun(&runs[i])
	}
	if len(runs) == input.Limit {
		output.Body.Cursor = output.Body.Runs[len(runs)-1].ID
	}
	return output, err
}
