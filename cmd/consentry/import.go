package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"

	"github.com/schollz/progressbar/v3"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/importer"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

type importCommand struct {
	File    string `arg:"" help:"CSV, NDJSON or Parquet file; - for the standard input."`
	Mapping string `help:"YAML file that says what the columns mean." required:"" placeholder:"FILE"`

	URL   string `help:"The vault's URL." env:"CONSENTRY_URL" placeholder:"URL"`
	Token string `help:"A steward's token." env:"CONSENTRY_TOKEN,CONSENTRY_TOKEN_STEWARD" placeholder:"TOKEN"`

	Direct      bool         `help:"Seal here and write to the database, past the API."`
	DatabaseURL string       `help:"PostgreSQL connection string of the primary, for --direct." env:"DATABASE_URL" placeholder:"URL"`
	MaxConns    int32        `help:"Most database connections, for --direct; 0 for four a core." default:"0"`
	Dev         string       `help:"For --direct, take the file keyring of this data directory of consentry dev instead of Vault." placeholder:"DIR"`
	Keyring     keyringFlags `embed:""`

	DryRun   bool          `help:"Read, map and check every record, and store none."`
	Rejects  string        `help:"Where to list the records that were turned away; FILE.rejects.ndjson by default." placeholder:"FILE"`
	State    string        `help:"Where to keep the progress; FILE.import-state by default, nowhere for the standard input." placeholder:"FILE"`
	Restart  bool          `help:"Begin anew, whatever an interrupted import has left."`
	Sparse   bool          `help:"NDJSON: take the file although no record at its head has one of the columns."`
	Batch    int           `help:"Records stored at once." default:"500"`
	Workers  int           `help:"Batches stored side by side; 0 for one a core." default:"0"`
	Patience time.Duration `help:"How long a database or vault that is away is waited for." default:"30s"`
	JSON     bool          `help:"Print the summary as JSON."`
}

// Run implements `consentry import`.
func (c *importCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	if err := c.complete(); err != nil {
		return err
	}
	text, err := os.ReadFile(c.Mapping)
	if err != nil {
		return &privacy.Error{Kind: privacy.KindInvalid, Code: "mapping_unreadable", Detail: "the mapping cannot be read", Cause: err}
	}
	table, err := importer.Open(importer.Input{Path: c.File, In: os.Stdin, Mapping: text, Sparse: c.Sparse})
	if err != nil {
		return err
	}
	defer func() { _ = table.Close() }()
	// A second signal ends it at once: the standard input may never say another word.
	defer context.AfterFunc(ctx, func() { signal.Reset(os.Interrupt, syscall.SIGTERM) })()
	if c.DryRun {
		return c.into(ctx, table, nil, "", io)
	}
	if !c.Direct {
		remote, err := importer.NewRemote(c.URL, c.Token, table.Identity())
		if err != nil {
			return err
		}
		defer remote.Close()
		return c.into(ctx, table, remote, "url "+c.URL, io)
	}
	return c.direct(ctx, table, io, log)
}

// complete works out the settings that depend on others, and refuses those that do not go together.
func (c *importCommand) complete() error {
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0)
	}
	switch {
	case c.Dev != "" && !c.Direct:
		return privacy.Invalid("invalid_flags", "--dev goes with --direct")
	case c.Direct && !c.DryRun && c.DatabaseURL == "":
		return privacy.Invalid("invalid_flags", "--direct needs --database-url or DATABASE_URL")
	case !c.Direct && !c.DryRun && c.URL == "":
		return privacy.Invalid("invalid_flags", "name the vault with --url or CONSENTRY_URL, or use --direct")
	}
	if c.State == "" && c.File != importer.Stdin {
		c.State = c.File + ".import-state"
	}
	if c.Rejects == "" {
		c.Rejects = c.defaultRejects()
	}
	return c.distinct()
}

func (c *importCommand) defaultRejects() string {
	name := c.File
	if name == importer.Stdin {
		name = "stdin"
	}
	if _, err := os.Stat(c.State); c.DryRun && err == nil {
		name += ".dry-run" // an interrupted import will go on with its own
	}
	return name + ".rejects.ndjson"
}

// distinct keeps the files that are written from being one that is read.
func (c *importCommand) distinct() error {
	seen := make(map[string]bool)
	for _, path := range []string{c.File, c.Mapping, c.Rejects, c.State} {
		if path == "" || path == importer.Stdin {
			continue
		}
		if resolved, err := filepath.EvalSymlinks(path); err == nil {
			path = resolved
		}
		absolute, err := filepath.Abs(path)
		if err != nil || seen[absolute] {
			return privacy.Invalid("invalid_flags", "the file, the mapping, the rejects and the state are four different files")
		}
		seen[absolute] = true
	}
	return nil
}

// importClient stands in the audit log for whoever imports past the API.
const importClient privacy.ClientID = "consentry-import"

func (c *importCommand) direct(ctx context.Context, table *importer.Table, io stdio, log *slog.Logger) error {
	keys, err := openKeyring(ctx, c.Keyring, c.Dev, log)
	if err != nil {
		return err
	}
	defer func() { _ = keys.Close() }()
	db, err := store.Open(ctx, store.Config{URL: c.DatabaseURL, MaxConns: c.MaxConns})
	if err != nil {
		return err
	}
	defer db.Close()
	words, err := catalogue.Load()
	if err != nil {
		return err
	}
	service := custody.New(custody.Config{Store: db, Keyring: keys, Policy: policy.NewEngine(), Catalogue: words, Log: log})
	defer service.Close()
	if err := service.ClaimKeyring(ctx); err != nil {
		return err
	}
	caller := custody.Caller{Caller: privacy.Caller{Client: importClient}}
	target := fmt.Sprintf("keyring %x", keys.Fingerprint([]byte("import target")))
	return c.into(ctx, table, importer.NewDirect(service, caller, table.Identity()), target, io)
}

// into imports the table into a vault; nil for a dry run.
func (c *importCommand) into(ctx context.Context, table *importer.Table, vault importer.Vault, target string, io stdio) error {
	config := importer.JournalConfig{State: c.State, Rejects: c.Rejects, Restart: c.Restart, Target: target, Batch: c.Batch, Workers: c.Workers}
	if vault == nil {
		config.State = ""
	}
	journal, err := importer.OpenJournal(config, table, time.Now())
	if err != nil {
		return err
	}
	if after, resumed := journal.Resumed(); resumed {
		_, _ = fmt.Fprintf(io.err, "going on after record %d of an interrupted import\n", after)
	}
	bar := newImportBar(io.err, table.Identity().Size)
	run := importer.Import{Table: table, Vault: vault, Journal: journal, Patience: c.Patience, Progress: bar.show, Now: time.Now}
	summary, err := run.Run(ctx)
	bar.close()
	if err != nil && summary.Lines == 0 {
		return errors.Join(err, journal.Close())
	}
	return errors.Join(err, journal.Close(), c.report(io.out, summary))
}

func (c *importCommand) report(out io.Writer, s importer.Summary) error {
	if c.JSON {
		return json.NewEncoder(out).Encode(struct {
			importer.Summary
			DryRun bool `json:"dry_run,omitempty"`
		}{s, c.DryRun})
	}
	done := fmt.Sprintf("%d created, %d updated", s.Created, s.Updated)
	if c.DryRun {
		done = fmt.Sprintf("%d could be stored", s.Ready)
	}
	rate := 0.0
	if s.Seconds > 0 {
		rate = float64(s.Lines) / s.Seconds
	}
	_, err := fmt.Fprintf(out, "%d records: %s, %d rejected, in %.1f s (%.0f a second)\n", s.Lines, done, s.Rejected, s.Seconds, rate)
	if err == nil && s.Consents > 0 {
		_, err = fmt.Fprintf(out, "%d consents recorded\n", s.Consents)
	}
	if err == nil && s.Rejected > 0 {
		_, err = fmt.Fprintf(out, "rejects: %s\n", c.Rejects)
	}
	return err
}

// importBar shows the progress where a person is looking.
type importBar struct{ bar *progressbar.ProgressBar }

func newImportBar(w io.Writer, size int64) importBar {
	file, ok := w.(*os.File)
	if !ok {
		return importBar{}
	}
	if info, err := file.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return importBar{}
	}
	return importBar{progressbar.NewOptions64(size, progressbar.OptionSetWriter(file), progressbar.OptionShowBytes(true), progressbar.OptionClearOnFinish(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetDescription("importing"))}
}

func (b importBar) show(p importer.Progress) {
	if b.bar == nil {
		return
	}
	b.bar.Describe(fmt.Sprintf("%d records, %d rejected", p.Lines, p.Rejected))
	if total := b.bar.GetMax64(); total > 0 {
		p.Read = min(p.Read, total) // a Parquet file is read in pieces that overlap
	}
	_ = b.bar.Set64(p.Read)
}

func (b importBar) close() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}
