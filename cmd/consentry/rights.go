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
	if certificate.Part != nil {
		return c.printPart(io, certificate)
	}
	where := fmt.Sprintf("page %d from version %d on", certificate.Key.Page, certificate.Key.Version)
	if certificate.Key.PageGone {
		where = fmt.Sprintf("with all of page %d, of which nothing was left", certificate.Key.Page)
	}
	_, err = fmt.Fprintf(io.out, "the certificate is what %s signed, and the audit log has the erasure\nrequest   %s\nsubject   %s\nstopped   %s\nkey gone  %s, %s\ndeleted   %s: %d attributes, %d identifiers\ntold      %d processors, all of whom have acknowledged\n",
		certificate.Controller, certificate.Request, certificate.Subject, certificate.StoppedAt.Format(time.RFC3339), certificate.KeyErasedAt.Format(time.RFC3339), where,
		certificate.DeletedAt.Format(time.RFC3339), len(certificate.Erased.Attributes), len(certificate.Erased.Identifiers), len(certificate.Processors))
	return err
}

// keyFates says what became of the key of an erased part.
var keyFates = map[rights.KeyFate]string{
	rights.KeyLeft:     "left; backups from before the deletion hold what was deleted, sealed under it",
	rights.KeyReplaced: "gone; what is left of the person has another, and backups from before open nothing of them",
	rights.KeyErased:   "gone with the person, who was erased altogether; that erasure has a certificate of its own",
}

// printPart prints what the certificate of the erasure of a part says.
func (*rightsVerifyCommand) printPart(io stdio, certificate *rights.Certificate) error {
	erased := make([]string, len(certificate.Erased.Attributes))
	for i, name := range certificate.Erased.Attributes {
		erased[i] = string(name)
	}
	_, err := fmt.Fprintf(io.out, "the certificate is what %s signed, and the audit log has the erasure; it is of a part alone\nrequest   %s\nsubject   %s\ndeleted   %s: %d of %d attributes asked for were there (%s)\nkey       %s\n",
		certificate.Controller, certificate.Request, certificate.Subject, certificate.DeletedAt.Format(time.RFC3339), len(erased), len(certificate.Part.Asked), strings.Join(erased, ", "), keyFates[certificate.Part.Key])
	if err == nil && certificate.Part.Key == rights.KeyReplaced {
		_, err = fmt.Fprintf(io.out, "key gone  %s, page %d from version %d on\n", certificate.KeyErasedAt.Format(time.RFC3339), certificate.Key.Page, certificate.Key.Version)
	}
	if err == nil {
		_, err = fmt.Fprintf(io.out, "told      %d processors, all of whom have acknowledged\n", len(certificate.Processors))
	}
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
