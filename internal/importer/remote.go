package importer

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
)

// Remote stores records through the API of a vault.
type Remote struct {
	base   string
	token  string
	client *http.Client
	words  *catalogue.Catalogue
	id     string
}

const requestLimit = 2 * time.Minute // for one batch

// NewRemote makes a way into the vault at a URL, for a steward's token. Identity makes consents
// safe to send again.
func NewRemote(address, token string, identity Identity) (*Remote, error) {
	parsed, err := url.Parse(address)
	if err != nil || parsed.Host == "" || (parsed.Scheme != "http" && parsed.Scheme != "https") {
		return nil, privacy.Invalid("invalid_url", "the vault's URL is one with http or https")
	}
	if token == "" {
		return nil, privacy.NewError(privacy.KindUnauthenticated, "token_missing", "importing through the API needs a steward's token")
	}
	words, err := catalogue.Load()
	if err != nil {
		return nil, err
	}
	// A redirect would carry the profiles to wherever it says.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Remote{base: strings.TrimRight(address, "/"), token: token, words: words, id: identity.short(),
		client: &http.Client{Timeout: requestLimit, CheckRedirect: stay, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment, MaxIdleConnsPerHost: maxWorkers, IdleConnTimeout: time.Minute}}}, nil
}

// Close closes the idle connections.
func (r *Remote) Close() { r.client.CloseIdleConnections() }

// answer is a line of the import's answer, or a problem on its own.
type answer struct {
	Line    int               `json:"line"`
	ID      privacy.SubjectID `json:"id"`
	Created bool              `json:"created"`
	Problem *problem          `json:"problem"`
	Summary *struct {
		Complete bool `json:"complete"`
	} `json:"summary"`
}

// problem is an RFC 9457 problem as the API writes it.
type problem struct {
	Status int    `json:"status"`
	Code   string `json:"code"`
	Detail string `json:"detail"`
}

// Store implements [Vault].
func (r *Remote) Store(ctx context.Context, records []Record) ([]Stored, error) {
	var body []byte
	for i := range records {
		var err error
		if body, err = r.appendSubject(body, &records[i]); err != nil {
			return nil, err
		}
	}
	stored := make([]Stored, len(records))
	err := r.post(ctx, "/v1/subjects/import", "application/x-ndjson", "", body, func(in io.Reader) error {
		return readAnswers(json.NewDecoder(in), stored)
	})
	if err != nil {
		return nil, err
	}
	for i := range records {
		if stored[i].Err != nil {
			continue
		}
		if err := r.consents(ctx, &records[i], &stored[i]); err != nil {
			return nil, err
		}
	}
	return stored, nil
}

// readAnswers reads a line for each record, in any order, and the summary.
func readAnswers(in *json.Decoder, stored []Stored) error {
	answered := make([]bool, len(stored))
	for {
		var a answer
		if err := in.Decode(&a); err != nil {
			return errCutShort
		}
		switch {
		case a.Summary != nil && (!a.Summary.Complete || slices.Contains(answered, false)):
			return errCutShort
		case a.Summary != nil:
			return nil
		case a.Line < 1 || a.Line > len(stored):
			return privacy.Internal(nil, "read the vault's answer")
		case a.Problem != nil && a.Problem.Status >= http.StatusInternalServerError:
			return a.Problem.err()
		case a.Problem != nil:
			stored[a.Line-1] = Stored{Err: a.Problem.err()}
		default:
			stored[a.Line-1] = Stored{ID: a.ID, Created: a.Created}
		}
		answered[a.Line-1] = true
	}
}

var errCutShort = privacy.Unavailable(nil, "answer_cut_short", "the vault's answer ended early; try again")

func (r *Remote) consents(ctx context.Context, record *Record, stored *Stored) error {
	for _, consent := range record.Consents {
		body := map[string]any{"subject": map[string]string{"id": stored.ID.String()}, "purpose": consent.Purpose, "action": consent.Action, "channel": consentChannel}
		if !record.CollectedAt.IsZero() {
			body["occurred_at"] = record.CollectedAt
		}
		text, err := json.Marshal(body)
		if err != nil {
			return privacy.Internal(nil, "write a consent")
		}
		err = r.post(ctx, "/v1/consents", "application/json", consentKey(r.id, record, stored.ID, consent), text, func(io.Reader) error { return nil })
		if err = stored.consented(err); err != nil {
			return err
		}
	}
	return nil
}

// post sends a body and hands the answer to read, or turns a problem into an error.
func (r *Remote) post(ctx context.Context, path, kind, once string, body []byte, read func(io.Reader) error) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, r.base+path, bytes.NewReader(body))
	if err != nil {
		return privacy.Internal(nil, "make a request")
	}
	request.Header.Set("Authorization", "Bearer "+r.token)
	request.Header.Set("Content-Type", kind)
	if once != "" {
		request.Header.Set("Idempotency-Key", once)
	}
	response, err := r.client.Do(request)
	if err != nil {
		return privacy.Unavailable(reason(err), "vault_unreachable", "the vault cannot be reached; is the URL right, and is it running?")
	}
	defer func() {
		_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection can be used again
		_ = response.Body.Close()
	}()
	if response.StatusCode/100 == 2 {
		return read(response.Body)
	}
	p := problem{Status: response.StatusCode}
	if json.NewDecoder(io.LimitReader(response.Body, 64<<10)).Decode(&p) != nil || p.Code == "" {
		p = problem{Code: "unexpected_answer", Detail: "the vault's URL answers with HTTP " + response.Status}
	}
	p.Status = response.StatusCode
	return p.err()
}

// reason tells why a request failed, without the URL, which can have a password in it.
func reason(err error) error {
	var failed *url.Error
	if errors.As(err, &failed) {
		return failed.Err
	}
	return err
}

func (p *problem) err() error {
	kinds := map[int]privacy.Kind{
		http.StatusUnauthorized:          privacy.KindUnauthenticated,
		http.StatusForbidden:             privacy.KindForbidden,
		http.StatusNotFound:              privacy.KindNotFound,
		http.StatusConflict:              privacy.KindConflict,
		http.StatusRequestEntityTooLarge: privacy.KindTooLarge,
		http.StatusTooManyRequests:       privacy.KindRateLimited,
		http.StatusBadGateway:            privacy.KindUnavailable, // a proxy in between
		http.StatusServiceUnavailable:    privacy.KindUnavailable,
		http.StatusGatewayTimeout:        privacy.KindUnavailable,
	}
	kind, ok := kinds[p.Status]
	if !ok && p.Status/100 == 4 {
		kind = privacy.KindInvalid
	}
	return privacy.NewError(kind, p.Code, p.Detail)
}
