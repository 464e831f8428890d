package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// policyAPIFlags say which vault to speak to, and as whom.
type policyAPIFlags struct {
	URL   string `help:"The vault's URL." env:"CONSENTRY_URL" placeholder:"URL"`
	Token string `help:"An officer's token; an approver's, to publish what was approved." env:"CONSENTRY_TOKEN,CONSENTRY_TOKEN_OFFICER" placeholder:"TOKEN"`
}

const (
	policyRequestLimit = 2 * time.Minute // a preview counts everybody
	policyAnswerLimit  = 32 << 20        // bytes
)

// policyAPI speaks to the policy operations of a vault.
type policyAPI struct {
	base   string
	token  string
	client *http.Client
}

func newPolicyAPI(flags policyAPIFlags) (*policyAPI, error) {
	parsed, err := url.Parse(flags.URL)
	if err != nil || parsed.Host == "" || parsed.Scheme != "http" && parsed.Scheme != "https" {
		return nil, privacy.Invalid("invalid_url", "name the vault with --url, by http or https")
	}
	if flags.Token == "" {
		return nil, privacy.NewError(privacy.KindUnauthenticated, "token_missing", "give a token with --token")
	}
	// A redirect would carry the token to wherever it says.
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &policyAPI{base: strings.TrimRight(flags.URL, "/"), token: flags.Token,
		client: &http.Client{Timeout: policyRequestLimit, CheckRedirect: stay, Transport: &http.Transport{Proxy: http.ProxyFromEnvironment}}}, nil
}

func (a *policyAPI) close() { a.client.CloseIdleConnections() }

// call sends a request; into is filled from the answer, a problem becomes an error. Writes are sent once, under a key of their own.
func (a *policyAPI) call(ctx context.Context, method, path, match string, body, into any) error {
	text, err := json.Marshal(body)
	if err != nil {
		return privacy.Internal(nil, "write a request")
	}
	var content io.Reader
	if body != nil {
		content = bytes.NewReader(text)
	}
	request, err := http.NewRequestWithContext(ctx, method, a.base+path, content)
	if err != nil {
		return privacy.Internal(nil, "make a request")
	}
	request.Header.Set("Authorization", "Bearer "+a.token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	if method != http.MethodGet {
		request.Header.Set("Idempotency-Key", rand.Text())
	}
	if match != "" {
		request.Header.Set("If-Match", match)
	}
	response, err := a.client.Do(request)
	if err != nil {
		if ctx.Err() != nil {
			return privacy.Unavailable(ctx.Err(), "interrupted", "the vault was not waited for any longer")
		}
		return privacy.Unavailable(nil, "vault_unreachable", "the vault cannot be reached; is the URL right, and is it running?")
	}
	defer func() { _ = response.Body.Close() }()
	answer, err := io.ReadAll(io.LimitReader(response.Body, policyAnswerLimit))
	if err != nil {
		return privacy.Unavailable(nil, "answer_cut_short", "the vault's answer ended early; try again")
	}
	if response.StatusCode/100 != 2 {
		return readProblem(response, answer)
	}
	if into == nil {
		return nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return privacy.Unavailable(nil, "unexpected_answer", "the vault's URL does not answer as a vault does")
	}
	return nil
}

func readProblem(response *http.Response, answer []byte) error {
	var problem struct {
		Code   string `json:"code"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(answer, &problem) != nil || problem.Code == "" {
		return privacy.Unavailable(nil, "unexpected_answer", "the vault's URL answers with HTTP "+response.Status)
	}
	kinds := map[int]privacy.Kind{http.StatusForbidden: privacy.KindForbidden, http.StatusNotFound: privacy.KindNotFound, http.StatusConflict: privacy.KindConflict}
	kind, known := kinds[response.StatusCode]
	if !known {
		kind = privacy.KindInvalid
	}
	return privacy.NewError(kind, problem.Code, problem.Detail)
}

// revision fetches a revision by its id, or the one in force.
func (a *policyAPI) revision(ctx context.Context, name string) (policy.Revision, error) {
	if name == sourceCurrent {
		var list struct {
			Publications []struct {
				Revision string `json:"revision"`
			} `json:"publications"`
		}
		if err := a.call(ctx, http.MethodGet, "/v1/policies/revisions?limit=1", "", nil, &list); err != nil {
			return policy.Revision{}, err
		}
		if len(list.Publications) == 0 {
			return policy.Revision{}, privacy.NotFound("no_policy", "the vault has no policy in force")
		}
		name = list.Publications[0].Revision
	}
	var answer struct {
		Content json.RawMessage `json:"content"`
	}
	if err := a.call(ctx, http.MethodGet, "/v1/policies/revisions/"+url.PathEscape(name), "", nil, &answer); err != nil {
		return policy.Revision{}, err
	}
	revision, err := policy.ReadRevision(answer.Content)
	if err == nil && string(revision.ID) != name {
		err = privacy.Invalid("revision_mismatch", "the vault's answer is not the revision that was asked for")
	}
	return revision, err
}
