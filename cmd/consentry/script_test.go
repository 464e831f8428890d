package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/parquet-go/parquet-go"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/text/encoding/simplifiedchinese"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/localserver"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
	"github.com/consentry/consentry/internal/testenv"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"consentry": main})
}

// TestScripts runs the command as people do, each script against a vault of its own.
func TestScripts(t *testing.T) {
	server := testenv.OwnPostgres(t, testenv.Volatile)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup:               func(env *testscript.Env) error { return scriptVault(t, server, env) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"subjects": cmdCount(t.Context(), "SELECT count(*) FROM subject"), "consents": cmdCount(t.Context(), "SELECT count(*) FROM consent_record"),
			"gbk": cmdGBK, "bom": cmdBOM, "people": cmdPeople, "parquet": cmdParquet, "interrupt": cmdInterrupt(t.Context()),
			"draft": cmdDraft(t.Context()), "without": cmdMatrix,
			"sql": cmdSQL(t.Context()), "disclose": cmdDisclose(t.Context()),
			"ask": cmdAsk(t.Context()), "query": cmdQuery(t.Context()), "until": cmdUntil(t.Context()),
			"grant": cmdGrant(t.Context()), "keyset": cmdKeySet(t.Context()),
			"proof": cmdProof(t.Context()), "proofverify": cmdProofVerify, "repack": cmdRepack,
		},
	})
}

// scriptVault starts a vault as `consentry dev` would, and tells the script where it is.
func scriptVault(t *testing.T, server *localserver.Postgres, env *testscript.Env) error {
	ctx := t.Context()
	name := "script_" + strconv.FormatInt(time.Now().UnixNano(), 36)
	admin, err := pgx.Connect(ctx, server.URL("postgres"))
	if err != nil {
		return err
	}
	if _, err = admin.Exec(ctx, "CREATE DATABASE "+name); err == nil {
		err = admin.Close(ctx)
	}
	if err != nil {
		return err
	}
	url := server.URL(name)
	if err := store.Migrate(ctx, url); err != nil {
		return err
	}
	log := slog.New(slog.DiscardHandler)
	keys, err := keyring.OpenFile(filepath.Join(env.WorkDir, "dev", "keyring"), keyring.Options{Dev: true, Init: true})
	if err != nil {
		return err
	}
	issuer := testenv.NewIssuer(t, time.Now)
	n, err := node.Open(ctx, node.Config{DatabaseURL: url, Keyring: keys, Authn: issuer.Config, Log: log, PerSecond: 1e6})
	if err != nil {
		return err
	}
	api := httptest.NewServer(n.Handler())
	env.Defer(func() {
		api.Close()
		_ = n.Close(ctx)
	})
	env.Setenv("VAULT", api.URL)
	env.Setenv("DATABASE_URL", url)
	env.Setenv("CONSENTRY_TOKEN_STEWARD", issuer.Token(t, "steward", privacy.RoleSteward))
	env.Setenv("CONSENTRY_TOKEN_OFFICER", issuer.Token(t, "officer", privacy.RoleOfficer))
	env.Setenv("CONSENTRY_TOKEN_AGENT", issuer.Token(t, "service-desk", privacy.RoleAgent))
	env.Setenv("ANOTHER_AGENT", issuer.Token(t, "back-office", privacy.RoleAgent))
	env.Setenv("APPROVER", issuer.Token(t, "approver", privacy.RoleApprover))
	env.Setenv("CONSUMER", issuer.Token(t, "crm-mailer", privacy.RoleConsumer))
	return nil
}

// cmdCount makes a command that compares a count in the database with its argument.
func cmdCount(ctx context.Context, query string) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		connection, err := pgx.Connect(ctx, ts.Getenv("DATABASE_URL"))
		ts.Check(err)
		defer func() { _ = connection.Close(ctx) }()
		var n int
		ts.Check(connection.QueryRow(ctx, query).Scan(&n))
		if len(args) != 1 || strconv.Itoa(n) != args[0] {
			ts.Fatalf("%d in the database, want %v", n, args)
		}
	}
}

// cmdGBK encodes a file in GBK.
func cmdGBK(ts *testscript.TestScript, _ bool, args []string) {
	text, err := simplifiedchinese.GBK.NewEncoder().String(ts.ReadFile(args[0]))
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}

// cmdBOM puts a byte order mark before a file.
func cmdBOM(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte("\ufeff"+ts.ReadFile(args[0])), 0o600))
}

// cmdPeople writes a CSV file of so many people.
func cmdPeople(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	var text strings.Builder
	text.WriteString("id,name\n")
	for i := range n {
		fmt.Fprintf(&text, "P%d,Person %d\n", i, i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text.String()), 0o600))
}

// cmdParquet writes a Parquet file of three people.
func cmdParquet(ts *testscript.TestScript, _ bool, args []string) {
	type person struct {
		ID      int64     `parquet:"id"`
		Name    string    `parquet:"name"`
		Born    time.Time `parquet:"born,timestamp"`
		Income  *float64  `parquet:"income,optional"`
		Address struct {
			City string `parquet:"city"`
		} `parquet:"address"`
	}
	income := 1234.5
	born := time.Date(1990, 5, 17, 0, 0, 0, 0, time.UTC)
	rows := []person{{ID: 1, Name: "Ada", Born: born, Income: &income}, {ID: 2, Name: "李雷", Born: born}, {ID: 3, Name: "bad\x00name", Born: born}}
	rows[0].Address.City = "Köln"
	ts.Check(parquet.WriteFile(ts.MkAbs(args[0]), rows))
}

// cmdInterrupt makes a command that runs another and sends it SIGINT once the state file, its first
// argument, says that something is stored.
func cmdInterrupt(ctx context.Context) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, _ bool, args []string) {
		path, err := exec.LookPath(args[1])
		ts.Check(err)
		ctx, cancel := context.WithTimeout(ctx, time.Minute)
		defer cancel()
		command := exec.CommandContext(ctx, path, args[2:]...)
		command.Dir, command.Env = ts.MkAbs("."), append(os.Environ(), "DATABASE_URL="+ts.Getenv("DATABASE_URL"))
		var output strings.Builder
		command.Stdout, command.Stderr = &output, &output
		ts.Check(command.Start())
		for ticker := time.NewTicker(time.Millisecond); ctx.Err() == nil && !started(ts, args[0]); {
			<-ticker.C
		}
		ts.Check(command.Process.Signal(os.Interrupt))
		if err := command.Wait(); err == nil || !strings.Contains(output.String(), "interrupted") {
			ts.Fatalf("not interrupted: %v\n%s", err, output.String())
		}
	}
}

// started reports whether a state file says that something is stored.
func started(ts *testscript.TestScript, path string) bool {
	var state struct{ Counts struct{ Lines int } }
	text, err := os.ReadFile(ts.MkAbs(path))
	return err == nil && json.Unmarshal(text, &state) == nil && state.Counts.Lines > 0
}
