package main

import (
	"context"
	"net/http"

	"github.com/consentry/consentry/internal/api"
)

type retentionCommand struct {
	Run    retentionRunCommand    `cmd:"" help:"Delete what has been kept for long enough, or count it."`
	Report retentionReportCommand `cmd:"" help:"Show what the last run has found, or a named one."`
}

type retentionRunCommand struct {
	policyAPIFlags `embed:""`
	DryRun         bool `help:"Count, and delete nothing."`
}

// Run implements `consentry retention run`. The run goes on by itself; `consentry retention report` shows how far it is.
func (c *retentionRunCommand) Run(ctx context.Context, io stdio) error {
	vault, err := newPolicyAPI(c.policyAPIFlags)
	if err != nil {
		return err
	}
	defer vault.close()
	var run api.RetentionRun
	if err := vault.call(ctx, http.MethodPost, "/v1/retention/runs", "", map[string]bool{"dry_run": c.DryRun}, &run); err != nil {
		return err
	}
	return printJSON(io.out, run)
}

type retentionReportCommand struct {
	policyAPIFlags `embed:""`
	ID             string `arg:"" optional:"" help:"The run; the newest when left out."`
}

// Run implements `consentry retention report`.
func (c *retentionReportCommand) Run(ctx context.Context, io stdio) error {
	vault, err := newPolicyAPI(c.policyAPIFlags)
	if err != nil {
		return err
	}
	defer vault.close()
	if c.ID != "" {
		var run api.RetentionRun
		if err := vault.call(ctx, http.MethodGet, "/v1/retention/runs/"+c.ID, "", nil, &run); err != nil {
			return err
		}
		return printJSON(io.out, run)
	}
	var answer struct {
		Runs []api.RetentionRun `json:"runs"`
	}
	if err := vault.call(ctx, http.MethodGet, "/v1/retention/runs?limit=1", "", nil, &answer); err != nil {
		return err
	}
	return printJSON(io.out, answer.Runs)
}
