package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// AuditEntry is one entry of the audit log.
type AuditEntry struct {
	ID         string                  `json:"id" example:"0192f0c1-a2b3-7c4d-8e5f-60718293a4b5.0"`
	At         time.Time               `json:"at"`
	Action     string                  `json:"action" example:"disclosure"`
	Client     privacy.ClientID        `json:"client"`
	RequestID  privacy.RequestID       `json:"request_id,omitempty"`
	Subject    string                  `json:"subject,omitempty"`
	Purpose    privacy.PurposeName     `json:"purpose,omitempty"`
	Attributes []privacy.AttributeName `json:"attributes,omitempty" doc:"The attributes that were written."`
	Object     string                  `json:"object,omitempty" example:"draft/0192f0c1-a2b3-7c4d-8e5f-60718293a4b5" doc:"What was acted on when it is no subject."`
	Actor      privacy.ActorID         `json:"actor,omitempty" doc:"Tells the people apart who work through one client: a keyed hash."`
	Decision   string                  `json:"decision,omitempty" doc:"The hash of the decision."`
	Revision   privacy.RevisionID      `json:"revision,omitempty" doc:"The policy revision that decided."`
	Input      json.RawMessage         `json:"input,omitempty" doc:"What was decided on."`
	Outcome    json.RawMessage         `json:"outcome,omitempty" doc:"What was permitted, by mode, and what was withheld, by reason."`
}

type entriesInput struct {
	Subject string    `query:"subject" maxLength:"64"`
	Client  string    `query:"client" maxLength:"64" pattern:"^[a-z0-9._-]+$"`
	Purpose string    `query:"purpose" maxLength:"64" pattern:"^[a-z0-9._-]+$"`
	Object  string    `query:"object" maxLength:"128" pattern:"^[a-z]+/[0-9a-f-]+$" example:"draft/0192f0c1-a2b3-7c4d-8e5f-60718293a4b5"`
	Since   time.Time `query:"since"`
	Until   time.Time `query:"until"`
	Limit   int       `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor  string    `query:"cursor" maxLength:"64"`
}

type entriesOutput struct {
	Body struct {
		Entries []AuditEntry `json:"entries"`
		Cursor  string       `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last. By client or purpose a page looks through 50,000 entries at most: it may hold few or none and still have a cursor."`
	}
}

type entryInput struct {
	Entry string `path:"entry" maxLength:"64"`
}

type entryOutput struct {
	Body AuditEntry
}

type replayOutput struct {
	Body *custody.Replayed
}

type checkpointOutput struct {
	Body struct {
		Size     uint64           `json:"size" doc:"The number of entries."`
		Root     custody.LogHash  `json:"root"`
		Note     string           `json:"note" doc:"The signed checkpoint (C2SP tlog-checkpoint)."`
		SignedAt time.Time        `json:"signed_at"`
		Keys     []custody.LogKey `json:"keys" doc:"The public keys that checkpoints are signed with (C2SP signed note verifier keys)."`
	}
}

type inclusionInput struct {
	Entry string `query:"entry" required:"true" maxLength:"64"`
}

type inclusionOutput struct {
	Body struct {
		Entry      string            `json:"entry"`
		Index      uint64            `json:"index"`
		Leaf       []byte            `json:"leaf" doc:"The bytes that the leaf hash is of, in base64."`
		LeafHash   custody.LogHash   `json:"leaf_hash"`
		Proof      []custody.LogHash `json:"proof"`
		Size       uint64            `json:"size"`
		Checkpoint string            `json:"checkpoint"`
	}
}

type consistencyInput struct {
	From uint64 `query:"from" required:"true"`
	To   uint64 `query:"to" doc:"The newest checkpoint's size when left out."`
}

type consistencyOutput struct {
	Body struct {
		From  uint64            `json:"from"`
		To    uint64            `json:"to"`
		Proof []custody.LogHash `json:"proof"`
	}
}

func (a *API) auditRoutes() {
	op := func(id, path, summary string) huma.Operation {
		return huma.Operation{OperationID: id, Method: http.MethodGet, Path: path, Summary: summary, Tags: []string{"audit"}, Errors: []int{http.StatusNotFound, http.StatusUnprocessableEntity}}
	}
	register(a, op("audit-entries-list", "/v1/audit/entries", "List audit entries, newest first"),
		func(i *entriesInput) privacy.SubjectID { return idOrZero(i.Subject) }, a.listEntries)
	register(a, op("audit-entry-get", "/v1/audit/entries/{entry}", "One entry with its decision"), nobody, a.getEntry)
	register(a, op("audit-entry-replay", "/v1/audit/entries/{entry}/replay", "Decide a recorded decision again and compare"), nobody, a.replayEntry)
	register(a, op("audit-checkpoint", "/v1/audit/checkpoint", "The newest signed checkpoint"), nobody, a.getCheckpoint)
	register(a, op("audit-proof-inclusion", "/v1/audit/proof/inclusion", "Prove that an entry is in the log"), nobody, a.proveInclusion)
	register(a, op("audit-proof-consistency", "/v1/audit/proof/consistency", "Prove that the log has only grown"), nobody, a.proveConsistency)
}

func (a *API) listEntries(ctx context.Context, _ custody.Caller, input *entriesInput) (*entriesOutput, error) {
	filter := custody.AuditFilter{Client: privacy.ClientID(input.Client), Purpose: privacy.PurposeName(input.Purpose), Object: input.Object, Since: input.Since, Until: input.Until, Limit: input.Limit}
	var err error
	if input.Subject != "" {
		if filter.Subject, err = privacy.ParseSubjectID(input.Subject); err != nil {
			return nil, err
		}
	}
	if input.Cursor != "" {
		if filter.Before, err = custody.ParseEntryName(input.Cursor); err != nil {
			return nil, errInvalidCursor
		}
	}
	entries, next, err := a.service.Entries(ctx, filter)
	if err != nil {
		return nil, err
	}
	output := &entriesOutput{}
	output.Body.Entries = make([]AuditEntry, len(entries))
	for i := range entries {
		output.Body.Entries[i] = auditEntry(&custody.EntryDetail{Entry: entries[i]})
	}
	if !next.IsZero() {
		output.Body.Cursor = next.String()
	}
	return output, nil
}

func auditEntry(d *custody.EntryDetail) AuditEntry {
	entry := AuditEntry{ID: d.Name.String(), At: d.At, Action: string(d.Action), Client: d.Client, RequestID: d.RequestID, Purpose: d.Purpose, Attributes: d.Attributes, Object: d.Object, Actor: d.Actor}
	if !d.Subject.IsZero() {
		entry.Subject = d.Subject.String()
	}
	if !d.Decision.IsZero() {
		entry.Decision = d.Decision.String()
	}
	if d.Decided != nil {
		entry.Revision, entry.Input, entry.Outcome = d.Decided.Revision, d.Decided.Input, d.Decided.Outcome
	}
	return entry
}

func (a *API) getEntry(ctx context.Context, _ custody.Caller, input *entryInput) (*entryOutput, error) {
	name, err := custody.ParseEntryName(input.Entry)
	if err != nil {
		return nil, err
	}
	detail, err := a.service.Entry(ctx, name)
	if err != nil {
		return nil, err
	}
	return &entryOutput{Body: auditEntry(&detail)}, nil
}

func (a *API) replayEntry(ctx context.Context, _ custody.Caller, input *entryInput) (*replayOutput, error) {
	name, err := custody.ParseEntryName(input.Entry)
	if err != nil {
		return nil, err
	}
	replayed, err := a.service.Replay(ctx, name)
	return &replayOutput{Body: replayed}, err
}

func (a *API) getCheckpoint(ctx context.Context, _ custody.Caller, _ *struct{}) (*checkpointOutput, error) {
	checkpoint, err := a.service.Book().Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	keys, err := a.service.Book().Keys(ctx)
	if err != nil {
		return nil, err
	}
	output := &checkpointOutput{}
	output.Body.Size, output.Body.Root, output.Body.Note = checkpoint.Size, checkpoint.Tree.Root(), string(checkpoint.Note)
	output.Body.SignedAt, output.Body.Keys = checkpoint.SignedAt, listed(keys)
	return output, nil
}

func (a *API) proveInclusion(ctx context.Context, _ custody.Caller, input *inclusionInput) (*inclusionOutput, error) {
	name, err := custody.ParseEntryName(input.Entry)
	if err != nil {
		return nil, err
	}
	proof, err := a.service.Book().ProveInclusion(ctx, name)
	if err != nil {
		return nil, err
	}
	output := &inclusionOutput{}
	output.Body.Entry, output.Body.Index, output.Body.Leaf, output.Body.LeafHash = name.String(), proof.Index, proof.Entry.Leaf(), proof.LeafHash
	output.Body.Proof, output.Body.Size, output.Body.Checkpoint = listed(proof.Path), proof.Size, string(proof.Note)
	return output, nil
}

func (a *API) proveConsistency(ctx context.Context, _ custody.Caller, input *consistencyInput) (*consistencyOutput, error) {
	path, size, err := a.service.Book().ProveConsistency(ctx, input.From, input.To)
	if err != nil {
		return nil, err
	}
	output := &consistencyOutput{}
	output.Body.From, output.Body.To, output.Body.Proof = input.From, size, listed(path)
	return output, nil
}
