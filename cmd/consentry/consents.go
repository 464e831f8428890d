package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

type consentsCommand struct {
	Verify  consentsVerifyCommand  `cmd:"" help:"Check every consent ledger: its chain, the audit log, and the state that follows. Read rights suffice."`
	Rebuild consentsRebuildCommand `cmd:"" help:"The same, and with --write put right what does not follow from its ledger."`
	Import  consentsImportCommand  `cmd:"" help:"Bring consents in from a CSV or NDJSON file, with their evidence."`
}

type consentsVerifyCommand struct {
	Database databaseFlags `embed:""`
	JSON     bool          `help:"Print the report as JSON."`
}

// Run implements `consentry consents verify`.
func (c *consentsVerifyCommand) Run(ctx context.Context, io stdio) error {
	return withLedgers(ctx, c.Database, io, c.JSON, ledger.Verify)
}

type consentsRebuildCommand struct {
	Database databaseFlags `embed:""`
	Write    bool          `help:"Write what differs; without it, only say so."`
	JSON     bool          `help:"Print the report as JSON."`
}

// Run implements `consentry consents rebuild`.
func (c *consentsRebuildCommand) Run(ctx context.Context, io stdio) error {
	if !c.Write {
		return withLedgers(ctx, c.Database, io, c.JSON, ledger.Verify)
	}
	return withLedgers(ctx, c.Database, io, c.JSON, func(ctx context.Context, db *store.Store) (*ledger.Report, error) {
		batch := func(at time.Time, drafts []audit.Draft) (audit.Batch, error) {
			return audit.NewBatch(at, rand.Reader, drafts, nil)
		}
		return ledger.Rebuild(ctx, db, batch, time.Now)
	})
}

func withLedgers(ctx context.Context, flags databaseFlags, io stdio, asJSON bool, walk func(context.Context, *store.Store) (*ledger.Report, error)) error {
	db, err := store.Open(ctx, store.Config{URL: flags.DatabaseURL, MaxConns: flags.MaxConns, StatementLimit: auditLimit})
	if err != nil {
		return err
	}
	defer db.Close()
	report, err := walk(ctx, db)
	if err != nil {
		return err
	}
	if err := printLedgers(io.out, report, asJSON); err != nil {
		return privacy.Internal(err, "print the report")
	}
	if !report.OK() {
		return privacy.Invalid("ledger_faults", "the consent ledgers are not what was recorded, or the state is not what follows from them")
	}
	return nil
}

func printLedgers(w io.Writer, report *ledger.Report, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	_, _ = fmt.Fprintf(w, "%d subjects, %d records, %d of them chained\n", report.Subjects, report.Records, report.Chained)
	for _, finding := range report.Findings {
		_, _ = fmt.Fprintf(w, "%-14s subject %s", finding.Kind, finding.Subject)
		if finding.Seq > 0 {
			_, _ = fmt.Fprintf(w, " record %d", finding.Seq)
		}
		_, _ = fmt.Fprintf(w, ": %s\n", finding.Detail)
	}
	if report.Rebuilt > 0 {
		_, _ = fmt.Fprintf(w, "the state of %d subjects was written anew\n", report.Rebuilt)
	}
	if report.OK() {
		_, err := fmt.Fprintln(w, "every ledger is whole, and every state follows from its ledger")
		return err
	}
	_, err := fmt.Fprintf(w, "%d findings\n", report.Remaining)
	return err
}
