package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
)

type proofCommand struct {
	Verify proofVerifyCommand `cmd:"" help:"Verify a proof pack, offline: files, records, receipts, notices, and that the audit log held each record."`
}

type proofVerifyCommand struct {
	File string   `arg:"" help:"The pack, as GET /v1/subjects/{id}/consents/proof gives it." type:"path"`
	Keys []string `name:"key" help:"A public key that you trust (name+hash+base64), as GET /v1/audit/checkpoint gives it. Without any, the keys in the pack are taken, and who made it is not shown." placeholder:"KEY"`
	JSON bool     `help:"Print the report as JSON."`
}

// Run implements `consentry proof verify`.
func (c *proofVerifyCommand) Run(ctx context.Context, io stdio) error {
	var trust proofpack.Trust
	for _, text := range c.Keys {
		key, err := audit.ParseKey(text)
		if err != nil {
			return err
		}
		trust.Keys = append(trust.Keys, key)
	}
	file, err := os.Open(c.File)
	if err != nil {
		return errFileUnreadable
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errFileUnreadable
	}
	report, err := proofpack.Verify(ctx, file, info.Size(), trust)
	if err != nil {
		return err
	}
	if err := printProof(io.out, report, c.JSON); err != nil {
		return privacy.Internal(err, "print the report")
	}
	if !report.OK() {
		return privacy.Invalid("proof_tampered", "the pack does not prove what it says")
	}
	return nil
}

// printProof prints a line for each check, and one for each fault.
func printProof(w io.Writer, report *proofpack.Report, asJSON bool) error {
	if asJSON {
		return printJSON(w, report)
	}
	for _, check := range report.Checks {
		switch {
		case check.OK:
			_, _ = fmt.Fprintf(w, "ok    %-10s %s\n", check.Name, check.Detail)
		case len(check.Faults) == 0:
			_, _ = fmt.Fprintf(w, "FAIL  %-10s was not checked to its end\n", check.Name)
		}
		for _, fault := range check.Faults {
			_, _ = fmt.Fprintf(w, "FAIL  %-10s %s\n", check.Name, fault)
		}
	}
	if !report.OK() {
		return nil
	}
	m := report.Manifest
	_, err := fmt.Fprintf(w, "what subject %s decided, as the vault had it at %s\n", m.Subject, m.MadeAt.Format("2006-01-02T15:04:05Z"))
	if !report.Vouched {
		_, err = fmt.Fprintln(w, "the keys were taken from the pack: compare the one above with the vault's, or name it with --key")
	}
	return err
}
