package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/logbook"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// auditLimit bounds a statement that looks through the whole log.
const auditLimit = time.Hour

type auditCommand struct {
	Export auditExportCommand `cmd:"" help:"Write the audit log to a file that can be verified anywhere."`
	Verify auditVerifyCommand `cmd:"" help:"Verify the audit log: an exported file offline, or the database."`
	Replay auditReplayCommand `cmd:"" help:"Decide what was recorded again, with the revisions that decided it, and report any difference."`
}

type auditExportCommand struct {
	Database databaseFlags `embed:""`
	Keyring  keyringFlags  `embed:""`
	Origin   string        `help:"Name of the audit log in its checkpoints." default:"consentry.local/audit"`
	Dev      string        `help:"Data directory of consentry dev, instead of Vault." placeholder:"DIR" type:"path"`
	File     string        `arg:"" help:"Where to write; - for standard output." type:"path"`
}

// Run implements `consentry audit export`.
func (c *auditExportCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	keys, err := publicKeys(ctx, c.Keyring, c.Dev, c.Origin, log)
	if err != nil {
		return err
	}
	db, err := store.Open(ctx, store.Config{URL: c.Database.DatabaseURL, MaxConns: c.Database.MaxConns, StatementLimit: auditLimit})
	if err != nil {
		return err
	}
	defer db.Close()
	newest, err := db.LatestCheckpoint(ctx)
	if err != nil {
		return err
	}
	source, err := db.AuditSource(ctx)
	if err != nil {
		return err
	}
	header := audit.Header{Origin: c.Origin, ExportedAt: time.Now().UTC().Truncate(time.Microsecond), Keys: keys, Checkpoint: string(newest.Note)}
	return writeTo(c.File, io.out, func(w *bufio.Writer) error {
		return audit.Export(w, header, source.Items())
	})
}

type auditVerifyCommand struct {
	File        string        `arg:"" optional:"" help:"An exported file; - for standard input. Without it, the database is verified." type:"path"`
	Keys        []string      `name:"key" help:"A public key that you trust (name+hash+base64), as GET /v1/audit/checkpoint gives it. Without any, the keyring is asked." placeholder:"KEY"`
	Checkpoints []string      `name:"checkpoint" help:"A file with a checkpoint kept from earlier, which the log must still agree with." placeholder:"FILE" type:"existingfile"`
	Origin      string        `help:"Name of the audit log in its checkpoints." default:"consentry.local/audit"`
	Grace       time.Duration `help:"How new an entry of the database may be to be not yet in the log." default:"1m"`
	DatabaseURL string        `help:"PostgreSQL connection string, to verify the database; read rights suffice." env:"DATABASE_URL" placeholder:"URL"`
	Dev         string        `help:"Data directory of consentry dev, whose keys are to be trusted." placeholder:"DIR" type:"path"`
	JSON        bool          `help:"Print the report as JSON."`
	Keyring     keyringFlags  `embed:""`
}

// Run implements `consentry audit verify`.
func (c *auditVerifyCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	trust := audit.Trust{Origin: c.Origin}
	for _, text := range c.Keys {
		key, err := audit.ParseKey(text)
		if err != nil {
			return err
		}
		trust.Keys = append(trust.Keys, key)
	}
	for _, name := range c.Checkpoints {
		kept, err := os.ReadFile(name)
		if err != nil {
			return privacy.Invalid("unreadable_checkpoint", "a kept checkpoint cannot be read")
		}
		trust.Kept = append(trust.Kept, kept)
	}
	report, err := c.verify(ctx, log, trust)
	if err != nil {
		return err
	}
	if err := printReport(io.out, report, c.JSON); err != nil {
		return err
	}
	if !report.OK() {
		return privacy.Invalid("log_tampered", "the audit log is not what was signed")
	}
	return nil
}

func (c *auditVerifyCommand) verify(ctx context.Context, log *slog.Logger, trust audit.Trust) (audit.Report, error) {
	if len(trust.Keys) == 0 && c.Dev == "" && c.Keyring.VaultAddr == "" {
		return audit.Report{}, privacy.Invalid("no_keys", "name a key that you trust with --key, or a keyring with --vault-addr or --dev")
	}
	if len(trust.Keys) == 0 {
		keys, err := publicKeys(ctx, c.Keyring, c.Dev, c.Origin, log)
		if err != nil {
			return audit.Report{}, err
		}
		trust.Keys = keys
	}
	switch {
	case c.File != "":
		return c.verifyFile(ctx, trust)
	case c.DatabaseURL != "":
		return c.verifyDatabase(ctx, trust)
	default:
		return audit.Report{}, privacy.Invalid("nothing_to_verify", "name a file, or the database with --database-url")
	}
}

func (c *auditVerifyCommand) verifyFile(ctx context.Context, trust audit.Trust) (audit.Report, error) {
	file := os.Stdin
	if c.File != "-" {
		var err error
		if file, err = os.Open(c.File); err != nil {
			return audit.Report{}, privacy.Invalid("unreadable_file", "the exported file cannot be read")
		}
		defer func() { _ = file.Close() }()
	}
	_, report, err := audit.VerifyFile(ctx, bufio.NewReader(file), trust)
	return report, err
}

func (c *auditVerifyCommand) verifyDatabase(ctx context.Context, trust audit.Trust) (audit.Report, error) {
	trust.Settled = time.Now().Add(-c.Grace)
	db, err := store.Open(ctx, store.Config{URL: c.DatabaseURL, StatementLimit: auditLimit})
	if err != nil {
		return audit.Report{}, err
	}
	defer db.Close()
	source, err := db.AuditSource(ctx)
	if err != nil {
		return audit.Report{}, err
	}
	return audit.Verify(ctx, source.Items(), trust)
}

// publicKeys reads the keys that checkpoints are signed with from the keyring.
func publicKeys(ctx context.Context, flags keyringFlags, dev, origin string, log *slog.Logger) ([]audit.Key, error) {
	keys, err := openKeyring(ctx, flags, dev, log)
	if err != nil {
		return nil, err
	}
	defer func() { _ = keys.Close() }()
	return logbook.Keys(ctx, keys, origin)
}

func printReport(w io.Writer, report audit.Report, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}
	_, _ = fmt.Fprintf(w, "%s: %d entries, %d under a signed checkpoint, %d checkpoints, %d decisions, %d pending\n",
		report.Origin, report.Size, report.Signed, report.Checkpoints, report.Decisions, report.Pending)
	for _, finding := range report.Findings {
		_, _ = fmt.Fprintf(w, "%-17s index %d", finding.Kind, finding.Index)
		if !finding.Entry.IsZero() {
			_, _ = fmt.Fprintf(w, " entry %s", finding.Entry)
		}
		_, _ = fmt.Fprintf(w, ": %s\n", finding.Detail)
	}
	if report.OK() {
		_, err := fmt.Fprintln(w, "the log is what was signed; root", report.Root)
		return err
	}
	_, err := fmt.Fprintf(w, "%d findings\n", len(report.Findings)+report.Omitted)
	return err
}

// writeTo writes a file whole, or standard output for "-".
func writeTo(name string, stdout io.Writer, write func(*bufio.Writer) error) error {
	target := stdout
	if name != "-" {
		// An export is evidence: an earlier one is never written over.
		file, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return privacy.Conflict("file_exists", "the file exists already; choose another name")
		}
		if err != nil {
			return privacy.Invalid("unwritable_file", "the file cannot be written")
		}
		defer func() { _ = file.Close() }()
		target = file
	}
	w := bufio.NewWriterSize(target, 1<<20)
	if err := write(w); err != nil {
		return err
	}
	if err := w.Flush(); err != nil {
		return privacy.Internal(err, "write the file")
	}
	return nil
}
