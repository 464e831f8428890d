package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

type receiptCommand struct {
	Verify receiptVerifyCommand `cmd:"" help:"Verify a consent receipt, offline with a key set that was kept."`
}

type receiptVerifyCommand struct {
	File string `arg:"" help:"A file with the receipt, a compact JWS; - for standard input."`
	JWKS string `help:"The key set of who issued it: a file, or the address of /.well-known/jwks.json." required:"" placeholder:"FILE|URL"`
	JSON bool   `help:"Print the whole receipt as JSON."`
}

const (
	receiptLimit = 1 << 20          // bytes of a file or an answer
	keySetWithin = 10 * time.Second // to fetch a key set
)

// Run implements `consentry receipt verify`.
func (c *receiptVerifyCommand) Run(ctx context.Context, io stdio) error {
	text, err := readInput(c.File)
	if err != nil {
		return err
	}
	keys, err := keysFrom(ctx, c.JWKS)
	if err != nil {
		return err
	}
	r, err := receipt.Verify(strings.TrimSpace(string(text)), keys)
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io.out, r)
	}
	_, err = fmt.Fprintf(io.out, "the receipt is what %s signed\nrecord   %s\nsubject  %s\npurpose  %s (%s)\nstate    %s\nat       %s\n",
		r.PIIControllers[0].PIIController, r.ConsentReceiptID, r.PIIPrincipalID, r.Record.Purpose, r.Services[0].Purposes[0].Purpose, r.Record.Event.State, r.Record.Event.Time.Format(time.RFC3339))
	return err
}

// readInput reads a file, or standard input for "-".
func readInput(name string) ([]byte, error) {
	file := os.Stdin
	if name != "-" {
		var err error
		if file, err = os.Open(name); err != nil {
			return nil, privacy.Invalid("unreadable_file", "the file cannot be read")
		}
		defer func() { _ = file.Close() }()
	}
	text, err := io.ReadAll(io.LimitReader(file, receiptLimit))
	if err != nil {
		return nil, privacy.Invalid("unreadable_file", "the file cannot be read")
	}
	return text, nil
}

// keysFrom gives the keys of a key set, from a file or an address.
func keysFrom(ctx context.Context, from string) (receipt.Keys, error) {
	set, err := keySet(ctx, from)
	if err != nil {
		return nil, err
	}
	return receipt.ParseKeys(set)
}

// keySet reads a key set from a file or fetches it.
func keySet(ctx context.Context, from string) ([]byte, error) {
	if !strings.HasPrefix(from, "https://") && !strings.HasPrefix(from, "http://") {
		return readInput(from)
	}
	ctx, cancel := context.WithTimeout(ctx, keySetWithin)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return nil, privacy.Invalid("invalid_url", "the address of the key set is not a URL")
	}
	if request.URL.Scheme != "https" && !onThisMachine(request.URL.Hostname()) {
		return nil, privacy.Invalid("insecure_url", "keys that come by http may be anybody's: give an address with https, or a file")
	}
	// A redirect would have the keys come from wherever it says.
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, privacy.Unavailable(nil, "keys_unavailable", "the key set cannot be fetched")
	}
	defer func() { _ = response.Body.Close() }()
	set, err := io.ReadAll(io.LimitReader(response.Body, receiptLimit))
	if err != nil || response.StatusCode != http.StatusOK {
		return nil, privacy.Unavailable(nil, "keys_unavailable", "the key set cannot be fetched")
	}
	return set, nil
}

func onThisMachine(host string) bool {
	address, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && address.IsLoopback()
}
