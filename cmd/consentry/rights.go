package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/rights"
)

type rightsCommand struct {
	Erase             rightsEraseCommand  `cmd:"" help:"Erase many people whom the law wants erased."`
	VerifyCertificate rightsVerifyCommand `cmd:"" help:"Verify the certificate of an erasure, offline with a key set that was kept."`
}

type rightsVerifyCommand struct {
	File string `arg:"" help:"A file with the certificate, a compact JWS or the answer that has it; - for standard input."`
	JWKS string `help:"The key set of who issued it: a file, or the address of /.well-known/jwks.json." required:"" placeholder:"FILE|URL"`
	JSON bool   `help:"Print the whole certificate as JSON."`
}

// Run implements `consentry rights verify-certificate`.
func (c *rightsVerifyCommand) Run(ctx context.Context, io stdio) error {
	text, err := readInput(c.File)
	if err != nil {
		return err
	}
	keys, err := keysFrom(ctx, c.JWKS)
	if err != nil {
		return err
	}
	certificate, err := rights.VerifyCertificate(certificateIn(text), keys)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io.out, certificate)
	}
	_, err = fmt.Fprintf(io.out, "the certificate is what %s signed, and the audit log has the erasure\nrequest   %s\nsubject   %s\nstopped   %s\nkey gone  %s, page %d from version %d on\ndeleted   %s: %d attributes, %d identifiers\ntold      %d processors, all of whom have acknowledged\n",
		certificate.Controller, certificate.Request, certificate.Subject, certificate.StoppedAt.Format(time.RFC3339), certificate.KeyErasedAt.Format(time.RFC3339), certificate.Key.Page, certificate.Key.Version,
		certificate.DeletedAt.Format(time.RFC3339), len(certificate.Erased.Attributes), len(certificate.Erased.Identifiers), len(certificate.Processors))
	return err
}

// certificateIn takes the certificate out of the answer of the interface, if it is in one.
func certificateIn(text []byte) string {
	var answer struct {
		Certificate string `json:"certificate"`
	}
	if json.Unmarshal(text, &answer) == nil && answer.Certificate != "" {
		return answer.Certificate
	}
	return strings.TrimSpace(string(text))
}
