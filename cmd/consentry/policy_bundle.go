package main

import (
	"bufio"
	"context"
	"log/slog"

	"github.com/consentry/consentry/internal/policy"
)

type policyBundleCommand struct {
	Policy  string         `arg:"" help:"A folder, a bundle (.tar.gz), a revision's id, current for the one in force, or builtin."`
	Output  string         `short:"o" help:"Where to write the bundle; - for standard output." required:"" placeholder:"FILE" type:"path"`
	Keyring keyringFlags   `embed:""`
	Dev     string         `help:"Sign with the file keyring of this data directory of consentry dev, instead of Vault." placeholder:"DIR" type:"path"`
	Remote  policyAPIFlags `embed:""`
	JWKS    string         `help:"For a bundle: the key set of who signed it, a file or the address of /.well-known/jwks.json." placeholder:"FILE|URL"`
}

// Run implements `consentry policy bundle`.
func (c *policyBundleCommand) Run(ctx context.Context, io stdio, log *slog.Logger) error {
	revision, err := policySource{remote: c.Remote, jwks: c.JWKS}.read(ctx, c.Policy)
	if err != nil {
		return err
	}
	keys, err := openKeyring(ctx, c.Keyring, c.Dev, log)
	if err != nil {
		return err
	}
	defer func() { _ = keys.Close() }()
	key, err := bundleKey(ctx, keys)
	if err != nil {
		return err
	}
	content, err := policy.ExportBundle(ctx, revision, key)
	if err != nil {
		return err
	}
	return writeTo(c.Output, io.out, func(w *bufio.Writer) error {
		_, err := w.Write(content)
		return err
	})
}
