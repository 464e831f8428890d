package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

type auditReplayCommand struct {
	Since       moment `help:"Only decisions recorded from this time on (2026-03-01, or with a time as in RFC 3339); all without it." placeholder:"TIME"`
	Until       moment `help:"Only decisions recorded before this time." placeholder:"TIME"`
	DatabaseURL string `help:"PostgreSQL connection string; read rights suffice." env:"DATABASE_URL" required:"" placeholder:"URL"`
	JSON        bool   `help:"Print the report as JSON."`
}

// moment is a time on the command line: a day in UTC, or a time of RFC 3339.
type moment struct{ time.Time }

// UnmarshalText implements encoding.TextUnmarshaler.
func (m *moment) UnmarshalText(text []byte) error {
	for _, layout := range []string{time.DateOnly, time.RFC3339} {
		if at, err := time.Parse(layout, string(text)); err == nil {
			m.Time = at.UTC()
			return nil
		}
	}
	return privacy.Invalid("invalid_time", "a time is written as 2026-03-01, or as 2026-03-01T12:00:00Z")
}

// Run implements `consentry audit replay`.
func (c *auditReplayCommand) Run(ctx context.Context, io stdio) error {
	if !c.Until.IsZero() && !c.Since.Before(c.Until.Time) {
		return privacy.Invalid("invalid_range", "--since lies before --until")
	}
	db, err := store.Open(ctx, store.Config{URL: c.DatabaseURL, MaxConns: 2, StatementLimit: auditLimit}) // one streams, one reads revisions
	if err != nil {
		return err
	}
	defer db.Close()
	report, err := custody.ReplayLog(ctx, db, policy.NewEngine(policy.WithMemo(1)), c.Since.Time, c.Until.Time)
	if err != nil {
		return err
	}
	if err := printReplay(io.out, report, c.JSON); err != nil {
		return err
	}
	if !report.OK() {
		return privacy.Invalid("replay_differs", "recorded decisions do not come out as they are recorded")
	}
	return nil
}

func printReplay(w io.Writer, report *custody.ReplayReport, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	_, _ = fmt.Fprintf(w, "%d entries record %d distinct decisions of %d revisions; %d came out as recorded\n",
		report.Entries, report.Decisions, report.Revisions, report.Same)
	for _, finding := range report.Findings {
		_, _ = fmt.Fprintf(w, "%-17s decision %s, of %d entries, such as %s\n", finding.Kind, finding.Decision, finding.Entries, finding.Entry)
	}
	if report.OK() {
		_, err := fmt.Fprintln(w, "no difference")
		return err
	}
	_, err := fmt.Fprintf(w, "%d findings\n", len(report.Findings)+report.Omitted)
	return err
}
