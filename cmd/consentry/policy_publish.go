package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// remoteDraft is what the API says of a draft.
type remoteDraft struct {
	ID       string             `json:"id"`
	Version  int64              `json:"version"`
	State    string             `json:"state"`
	Revision privacy.RevisionID `json:"revision"`
}

func (d remoteDraft) path(step string) string {
	return "/v1/policies/drafts/" + url.PathEscape(d.ID) + step
}

func (d remoteDraft) tag() string { return `"` + strconv.FormatInt(d.Version, 10) + `"` }

// draft begins a draft with the content of a revision.
func (a *policyAPI) draft(ctx context.Context, title string, revision policy.Revision) (remoteDraft, error) {
	content, err := revision.Content()
	if err != nil {
		return remoteDraft{}, err
	}
	var draft remoteDraft
	err = a.call(ctx, http.MethodPost, "/v1/policies/drafts", "", map[string]any{"title": title, "content": json.RawMessage(content)}, &draft)
	if err == nil && draft.Revision != revision.ID {
		err = privacy.Invalid("revision_mismatch", "the vault reads the policy as another revision; is it of another version?")
	}
	return draft, err
}

type policyPreviewCommand struct {
	Policy string         `arg:"" help:"A folder, a bundle (.tar.gz), a revision's id, current for the one in force, or builtin."`
	Days   int            `help:"How many days of recorded decisions to take again; 0 for none." default:"30"`
	JSON   bool           `help:"Print the whole answer as JSON."`
	Remote policyAPIFlags `embed:""`
	JWKS   string         `help:"For a bundle: the key set of who signed it, a file or the address of /.well-known/jwks.json." placeholder:"FILE|URL"`
}

// previewAnswer is what the API says of a preview, as far as it is shown. A count that would single people out is null.
type previewAnswer struct {
	Minimum    int             `json:"minimum"`
	Population previewChanges  `json:"population"`
	Recorded   *previewChanges `json:"recorded"`
	whole      json.RawMessage
}

type previewChanges struct {
	Changes []struct {
		Client    string          `json:"client"`
		Purpose   string          `json:"purpose"`
		Attribute string          `json:"attribute"`
		Effect    string          `json:"effect"`
		From      string          `json:"from"`
		To        string          `json:"to"`
		People    json.RawMessage `json:"people"`
	} `json:"changes"`
}

// Run implements `consentry policy preview`. The draft that it needs is put aside again.
func (c *policyPreviewCommand) Run(ctx context.Context, io stdio) error {
	revision, err := policySource{remote: c.Remote, jwks: c.JWKS}.read(ctx, c.Policy)
	if err != nil {
		return err
	}
	api, err := newPolicyAPI(c.Remote)
	if err != nil {
		return err
	}
	defer api.close()
	draft, err := api.draft(ctx, "Preview from the command line", revision)
	if err != nil {
		return err
	}
	answer := previewAnswer{}
	err = api.call(ctx, http.MethodPost, draft.path("/preview"), "", map[string]int{"days": c.Days}, &answer.whole)
	if failed := api.call(ctx, http.MethodDelete, draft.path(""), draft.tag(), nil, nil); err == nil {
		err = failed
	}
	if err != nil {
		return err
	}
	if c.JSON {
		return printJSON(io.out, answer.whole)
	}
	if err := json.Unmarshal(answer.whole, &answer); err != nil {
		return privacy.Unavailable(nil, "unexpected_answer", "the vault's URL does not answer as a vault does")
	}
	answer.print(io.out, c.Days)
	return nil
}

func (a previewAnswer) print(w io.Writer, days int) {
	_, _ = fmt.Fprintf(w, "Of all people (counts under %d are not told):\n", a.Minimum)
	a.Population.print(w)
	if a.Recorded != nil {
		_, _ = fmt.Fprintf(w, "Of the people in decisions of the last %d days:\n", days)
		a.Recorded.print(w)
	}
}

func (c previewChanges) print(w io.Writer) {
	if len(c.Changes) == 0 {
		_, _ = fmt.Fprintln(w, "  nothing would change")
	}
	for _, change := range c.Changes {
		_, _ = fmt.Fprintf(w, "  %-8s %s for %s: %s from %s to %s, people: %s\n", change.Effect, change.Client, change.Purpose, change.Attribute, change.From, change.To, change.People)
	}
}

type policyPublishCommand struct {
	Policy       string         `arg:"" optional:"" help:"A folder, a bundle (.tar.gz), a revision's id, current for the one in force, or builtin."`
	Message      string         `short:"m" help:"What it changes and why; the draft's title." placeholder:"TEXT"`
	Draft        string         `help:"Instead of submitting a policy, publish this draft, which was approved. Takes an approver's token." placeholder:"ID"`
	WaitApproval time.Duration  `help:"How long to wait until it is in force; 0 to leave it to the approver." default:"0s"`
	JSON         bool           `help:"Print the draft as JSON."`
	Remote       policyAPIFlags `embed:""`
	JWKS         string         `help:"For a bundle: the key set of who signed it, a file or the address of /.well-known/jwks.json." placeholder:"FILE|URL"`
}

// approvalInterval is how often the vault is asked whether somebody has approved.
const approvalInterval = time.Second

// Run implements `consentry policy publish`.
func (c *policyPublishCommand) Run(ctx context.Context, io stdio) error {
	if (c.Policy == "") == (c.Draft == "") || c.Draft == "" && c.Message == "" {
		return privacy.Invalid("nothing_to_publish", "name a policy and say with --message what it changes, or name an approved draft with --draft")
	}
	api, err := newPolicyAPI(c.Remote)
	if err != nil {
		return err
	}
	defer api.close()
	draft := remoteDraft{ID: c.Draft}
	if c.Draft != "" {
		err = api.call(ctx, http.MethodPost, draft.path("/publish"), "", nil, &draft)
	} else {
		draft, err = c.submit(ctx, api, io)
	}
	if err == nil && c.WaitApproval > 0 {
		draft, err = c.await(ctx, api, draft)
	}
	if err != nil {
		return err
	}
	return c.tell(io, draft)
}

// submit makes a draft of the policy, has the vault test it, and submits it.
func (c *policyPublishCommand) submit(ctx context.Context, api *policyAPI, io stdio) (remoteDraft, error) {
	revision, err := policySource{remote: c.Remote, jwks: c.JWKS}.read(ctx, c.Policy)
	if err != nil {
		return remoteDraft{}, err
	}
	draft, err := api.draft(ctx, c.Message, revision)
	if err != nil {
		return draft, err
	}
	var report policy.Report
	if err := api.call(ctx, http.MethodPost, draft.path("/test"), "", nil, &report); err != nil {
		return draft, err
	}
	if !report.Pass {
		printCheck(io.err, report)
		if err := api.call(ctx, http.MethodDelete, draft.path(""), draft.tag(), nil, nil); err != nil {
			return draft, err
		}
		return draft, errTestsFailed
	}
	err = api.call(ctx, http.MethodPost, draft.path("/submit"), draft.tag(), nil, &draft)
	return draft, err
}

// await waits for the approver, and publishes what was approved if this token may.
func (c *policyPublishCommand) await(ctx context.Context, api *policyAPI, draft remoteDraft) (remoteDraft, error) {
	ctx, cancel := context.WithTimeout(ctx, c.WaitApproval)
	defer cancel()
	ticker := time.NewTicker(approvalInterval)
	defer ticker.Stop()
	for mayPublish := true; ; {
		switch draft.State {
		case "published":
			return draft, nil
		case "approved":
			if !mayPublish {
				break
			}
			err := api.call(ctx, http.MethodPost, draft.path("/publish"), "", nil, &draft)
			if err != nil && privacy.KindOf(err) != privacy.KindForbidden {
				return draft, err
			}
			mayPublish = err == nil
			continue
		case "submitted":
		default:
			return draft, privacy.Conflict("not_approved", "the draft was sent back; its review says why")
		}
		select {
		case <-ctx.Done():
			return draft, privacy.Unavailable(nil, "not_approved_yet", "nobody has put the draft in force in this time; it stays where it is")
		case <-ticker.C:
		}
		if err := api.call(ctx, http.MethodGet, draft.path(""), "", nil, &draft); err != nil && ctx.Err() == nil {
			return draft, err
		}
	}
}

func (c *policyPublishCommand) tell(io stdio, draft remoteDraft) error {
	if c.JSON {
		return printJSON(io.out, draft)
	}
	if draft.State == "published" {
		_, err := fmt.Fprintf(io.out, "revision %s is in force\n", draft.Revision)
		return err
	}
	_, err := fmt.Fprintf(io.out, "draft %s is %s as revision %s\nSomebody else, with the role approver, has to approve it and to publish it: consentry policy publish --draft %s\n",
		draft.ID, draft.State, draft.Revision, draft.ID)
	return err
}
