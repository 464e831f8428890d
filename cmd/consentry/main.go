// Consentry keeps customer profiles sealed and lets out what consent and law permit. This command is the
// whole of it: the service, its set-up and its tools.
//
//	consentry dev                 everything on this machine, with demo data
//	consentry serve               the service
//	consentry migrate up|status   the database schema
//	consentry keys …              the keyring: init, status, rotate, verify
//	consentry import FILE         profiles from CSV, NDJSON or Parquet
//	consentry policy …            policies kept as files: init, test, diff, preview, publish, bundle
//	consentry consents …          verify and rebuild the ledgers, bring consents in
//	consentry audit …             export the audit log, verify it offline
//	consentry receipt verify FILE verify a consent receipt offline
//	consentry proof verify FILE   verify the proof of somebody's consents offline
//	consentry rights …            verify a certificate of erasure offline
//	consentry restore check       after a backup was restored, before the service starts
//	consentry token               a token from a local key, for development
//
// Every flag can be given in the environment; `consentry serve --help` lists them.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/consentry/consentry/internal/privacy"
)

func main() {
	stop := tuneCollector(context.Background())
	code := run(os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type commands struct {
	Log     logFlags         `embed:"" prefix:"log-" envprefix:"CONSENTRY_LOG_"`
	Version kong.VersionFlag `help:"Print the version." env:"-"`

	Serve    serveCommand     `cmd:"" help:"Run the service."`
	Dev      devCommand       `cmd:"" help:"Run everything on this machine, with demo data."`
	Migrate  migrateCommand   `cmd:"" help:"Bring the database schema up to date, or show its state."`
	Keys     keysCommand      `cmd:"" help:"Set up, inspect, rotate or verify the keyring."`
	Import   importCommand    `cmd:"" help:"Bring profiles in from a CSV, NDJSON or Parquet file."`
	Policy   policyCommand    `cmd:"" help:"Write, test, compare, preview, publish and bundle policies that are kept as files."`
	Audit    auditCommand     `cmd:"" help:"Export the audit log, or verify it offline."`
	Receipt  receiptCommand   `cmd:"" help:"Verify a consent receipt."`
	Proof    proofCommand     `cmd:"" help:"Verify the proof of a subject's consents."`
	Token    tokenCommand     `cmd:"" help:"Make a token with a local key, for development."`
	OpenAPI  openAPICommand   `cmd:"" name:"openapi" help:"Print the OpenAPI document."`
	Restore  restoreCommand   `cmd:"" help:"Bring a restored backup to what was erased since."`
	Rights   rightsCommand    `cmd:"" help:"Erase many people, or verify certificates of erasure."`
	Retain   retentionCommand `cmd:"" name:"retention" help:"Delete what has been kept for long enough."`
	Consents consentsCommand  `cmd:"" help:"Verify or rebuild the consent ledgers, or bring consents in."`
}

type logFlags struct {
	Level  string `help:"debug, info, warn or error." enum:"debug,info,warn,error" default:"info" env:"LEVEL"`
	Format string `help:"json or text." enum:"json,text" default:"json" env:"FORMAT"`
}

// stdio is where a command writes.
type stdio struct{ out, err io.Writer }

func run(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	var cli commands
	code := -1
	parser, err := kong.New(&cli,
		kong.Name("consentry"),
		kong.Description("A consent and profile vault: profiles sealed field by field, every release decided on consent and purpose."),
		kong.UsageOnError(), kong.Writers(stdout, stderr), kong.Exit(func(c int) { code = c }),
		kong.Vars{"version": version()}, kong.DefaultEnvars("CONSENTRY"))
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "consentry:", err)
		return 2
	}
	command, err := parser.Parse(args)
	if code >= 0 {
		return code // --help or --version has answered
	}
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "consentry:", err)
		return 2
	}
	command.BindTo(ctx, (*context.Context)(nil))
	err = command.Run(stdio{stdout, stderr}, newLogger(cli.Log, stderr))
	if err != nil {
		_, _ = fmt.Fprintln(stderr, "consentry:", message(err))
		return 1
	}
	return 0
}

// message says what went wrong in one line; an interruption by the user is nothing wrong.
func message(err error) string {
	var known *privacy.Error
	if errors.As(err, &known) {
		return known.Error()
	}
	return err.Error()
}

func newLogger(flags logFlags, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(flags.Level)) // one of the enum
	options := &slog.HandlerOptions{Level: level}
	if flags.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options))
	}
	return slog.New(slog.NewJSONHandler(w, options))
}

// version is what the build says of itself.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}
