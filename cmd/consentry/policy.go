package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

type policyCommand struct {
	Init    policyInitCommand    `cmd:"" help:"Write a policy into a folder: modules, tables, cases and tests."`
	Test    policyTestCommand    `cmd:"" help:"Check a policy offline: compile it, hold its tables to their schemas, run its cases and tests."`
	Diff    policyDiffCommand    `cmd:"" help:"Tell in words what differs between two policies."`
	Preview policyPreviewCommand `cmd:"" help:"Count what a policy would change, over the people the vault holds."`
	Publish policyPublishCommand `cmd:"" help:"Submit a policy for approval by somebody else, or publish one that was approved."`
	Bundle  policyBundleCommand  `cmd:"" help:"Write a policy as a signed OPA bundle, for opa eval and opa test."`
	Trial   policyTrialCommand   `cmd:"" hidden:"" help:"Try the policy on standard input, within bounds of memory and time; what the service runs to test drafts."`
}

type policyInitCommand struct {
	Dir    string         `arg:"" help:"The folder; it must not hold a policy yet." type:"path"`
	From   string         `help:"A folder, a bundle (.tar.gz), a revision's id, current for the one in force, or builtin. By default current with --url, else builtin." placeholder:"POLICY"`
	Remote policyAPIFlags `embed:""`
	JWKS   string         `help:"For a bundle: the key set of who signed it, a file or the address of /.well-known/jwks.json." placeholder:"FILE|URL"`
}

// Run implements `consentry policy init`.
func (c *policyInitCommand) Run(ctx context.Context, io stdio) error {
	from := c.From
	if from == "" && c.Remote.URL != "" {
		from = sourceCurrent
	}
	if from == "" {
		from = sourceBuiltin
	}
	revision, err := policySource{remote: c.Remote, jwks: c.JWKS}.read(ctx, from)
	if err != nil {
		return err
	}
	files, err := revision.Folder()
	if err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(c.Dir, "modules")); err == nil {
		return privacy.Invalid("folder_taken", "the folder holds a policy already; name another")
	}
	root, err := openFolder(c.Dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	for name, content := range files {
		if err := root.MkdirAll(filepath.Dir(name), 0o750); err != nil {
			return unwritable(err)
		}
		if err := root.WriteFile(name, content, 0o600); err != nil {
			return unwritable(err)
		}
	}
	_, err = fmt.Fprintf(io.out, "%s: %d files of revision %s\n", c.Dir, len(files), revision.ID)
	return err
}

func openFolder(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, unwritable(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, unwritable(err)
	}
	return root, nil
}

func unwritable(cause error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "unwritable_folder", Detail: "the folder cannot be written", Cause: cause}
}

type policyTestCommand struct {
	Policy string         `arg:"" help:"A folder, a bundle (.tar.gz), a revision's id, current for the one in force, or builtin."`
	JSON   bool           `help:"Print the report as JSON."`
	Remote policyAPIFlags `embed:""`
	JWKS   string         `help:"For a bundle: the key set of who signed it, a file or the address of /.well-known/jwks.json." placeholder:"FILE|URL"`
}

// Run implements `consentry policy test`.
func (c *policyTestCommand) Run(ctx context.Context, io stdio) error {
	revision, err := policySource{remote: c.Remote, jwks: c.JWKS}.read(ctx, c.Policy)
	if err != nil {
		return err
	}
	report, err := policy.Check(ctx, revision)
	if err != nil {
		return err
	}
	if c.JSON {
		err = printJSON(io.out, report)
	} else {
		printCheck(io.out, report)
	}
	if err == nil && !report.Pass {
		err = errTestsFailed
	}
	return err
}

var errTestsFailed = privacy.Invalid("policy_tests_failed", "the policy does not hold what is expected of it")

func printJSON(w io.Writer, document any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(document)
}

// printCheck tells what is wrong, and of the rest how much there is.
func printCheck(w io.Writer, report policy.Report) {
	for _, problem := range report.Problems {
		_, _ = fmt.Fprintln(w, problem)
	}
	passed := 0
	for _, c := range report.Cases {
		if c.Pass {
			passed++
			continue
		}
		_, _ = fmt.Fprintf(w, "FAIL  case %s\n", c.Name)
		for _, attribute := range c.Differ {
			_, _ = fmt.Fprintf(w, "      %s: expected %s, got %s\n", attribute, answerFor(c.Expected, attribute), answerFor(c.Got, attribute))
		}
	}
	held := 0
	for _, test := range report.Tests {
		if test.Pass || test.Skipped {
			held++
			continue
		}
		_, _ = fmt.Fprintf(w, "FAIL  %s (%s:%d): %s\n", test.Name, test.File, test.Line, test.Message)
	}
	for _, warning := range report.Warnings {
		_, _ = fmt.Fprintln(w, "WARNING:", warning)
	}
	_, _ = fmt.Fprintf(w, "%s: %d problems, %d of %d cases and %d of %d tests pass\n",
		report.Revision, len(report.Problems), passed, len(report.Cases), held, len(report.Tests))
}

func answerFor(outcome privacy.Outcome, attribute privacy.AttributeName) string {
	if mode, ok := outcome.Permitted[attribute]; ok {
		return string(mode)
	}
	if reason, ok := outcome.Withheld[attribute]; ok {
		return "withheld: " + string(reason)
	}
	return "nothing"
}

type policyDiffCommand struct {
	Old    string         `arg:"" help:"A folder, a bundle (.tar.gz), a revision's id, current for the one in force, or builtin."`
	New    string         `arg:"" help:"The same."`
	Lang   string         `help:"Language of the sentences: en or zh." enum:"en,zh" default:"en"`
	JSON   bool           `help:"Print the difference as JSON, with the sentences."`
	Remote policyAPIFlags `embed:""`
	JWKS   string         `help:"For a bundle: the key set of who signed it, a file or the address of /.well-known/jwks.json." placeholder:"FILE|URL"`
}

// Run implements `consentry policy diff`.
func (c *policyDiffCommand) Run(ctx context.Context, io stdio) error {
	source := policySource{remote: c.Remote, jwks: c.JWKS}
	before, err := source.read(ctx, c.Old)
	if err != nil {
		return err
	}
	after, err := source.read(ctx, c.New)
	if err != nil {
		return err
	}
	diff := policy.Compare(before, after)
	sentences := diff.Sentences(c.Lang)
	if c.JSON {
		return printJSON(io.out, struct {
			policy.Diff
			Sentences []string `json:"sentences"`
		}{diff, sentences})
	}
	for _, sentence := range sentences {
		if _, err := fmt.Fprintln(io.out, sentence); err != nil {
			return err
		}
	}
	return nil
}

// bundleKey is the newest signing key of a keyring, under the name that it has in /.well-known/jwks.json.
func bundleKey(ctx context.Context, keys *keyring.Keyring) (policy.BundleKey, error) {
	publics, err := keys.PublicKeys(ctx)
	if err != nil {
		return policy.BundleKey{}, err
	}
	newest := 0
	for version := range publics {
		newest = max(newest, version)
	}
	if newest == 0 {
		return policy.BundleKey{}, privacy.Unavailable(nil, "no_signing_key", "the keyring has no signing key; run consentry keys init")
	}
	sign := func(ctx context.Context, message []byte) ([]byte, error) {
		signature, version, err := keys.Sign(ctx, message)
		if err == nil && version != newest {
			err = privacy.Unavailable(nil, "signing_key_rotated", "the signing key has just been rotated; try again")
		}
		return signature, err
	}
	return policy.BundleKey{ID: receipt.Thumbprint(publics[newest]), Sign: sign}, nil
}
