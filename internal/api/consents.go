package api

import (
	"cmp"
	"context"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"regexp"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// Consent is what somebody decided, on its way to the ledger.
type Consent struct {
	Subject     SubjectRef             `json:"subject"`
	Purpose     string                 `json:"purpose" maxLength:"64" example:"marketing.email" doc:"Of object and lift also a family, such as marketing.*, or * for everything."`
	Action      string                 `json:"action" enum:"grant,deny,withdraw,object,lift"`
	Explicit    bool                   `json:"explicit,omitempty" doc:"An express statement (GDPR Art. 9(2)(a))."`
	SeparateFor []privacy.ConsentScope `json:"separate_for,omitempty" enum:"third_party,public,public_image,sensitive,transfer" maxItems:"5" doc:"What the consent was given for separately (PIPL Art. 23-39)."`
	By          string                 `json:"by,omitempty" enum:"self,guardian" doc:"Who gave it; self when left out."`
	Channel     string                 `json:"channel,omitempty" pattern:"^[a-z0-9][a-z0-9._-]{0,63}$" example:"web"`
	Method      string                 `json:"method,omitempty" pattern:"^[a-z0-9][a-z0-9._-]{0,63}$" example:"checkbox"`
	OccurredAt  *time.Time             `json:"occurred_at,omitempty" doc:"When the subject decided; now when left out."`
	ExpiresAt   *time.Time             `json:"expires_at,omitempty" doc:"When a grant runs out by itself; as the purpose says when left out."`
	Notice      *NoticeRef             `json:"notice,omitempty" doc:"What the subject was shown: a published version of the notice that explains the purpose."`
	Locale      string                 `json:"locale,omitempty" maxLength:"35" pattern:"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$" example:"de" doc:"In which language it was shown (BCP 47)."`
	Evidence    Evidence               `json:"evidence,omitempty"`
	Confirm     string                 `json:"confirm,omitempty" enum:"email,sms" doc:"A grant that waits, pending, until the subject confirms it through a link that is sent to them there (double opt-in)."`
}

type consentInput struct {
	Idempotent
	Body Consent
}

// What channel, method and locale may look like; the schema of the body says the same.
var (
	ledgerWord = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,63}$`)
	localeForm = regexp.MustCompile(`^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$`)
)

// NoticeRef names a version of a notice.
type NoticeRef struct {
	ID      string `json:"id" maxLength:"63" pattern:"^[a-z][a-z0-9_.-]*$" example:"privacy"`
	Version int32  `json:"version" minimum:"1" example:"3"`
}

func (r *NoticeRef) ref() custody.NoticeRef {
	if r == nil {
		return custody.NoticeRef{}
	}
	return custody.NoticeRef{ID: r.ID, Version: r.Version}
}

func noticeRef(ref custody.NoticeRef) *NoticeRef {
	if ref == (custody.NoticeRef{}) {
		return nil
	}
	return &NoticeRef{ID: ref.ID, Version: ref.Version}
}

// Evidence is any JSON value of up to 64 KiB.
type Evidence json.RawMessage

// Schema implements huma.SchemaProvider.
func (Evidence) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Description: "What proves the decision, such as the form as it was sent or the answers of a call: any JSON value of up to 64 KiB. It is sealed under the subject's key.", Examples: []any{map[string]any{"form": "sign-up", "checked": []string{"newsletter"}}, "order 4711, page 2"}}
}

// UnmarshalJSON implements json.Unmarshaler.
func (e *Evidence) UnmarshalJSON(data []byte) error {
	*e = append((*e)[:0], data...)
	return nil
}

// MarshalJSON implements json.Marshaler.
func (e Evidence) MarshalJSON() ([]byte, error) { return json.RawMessage(e).MarshalJSON() }

func (e Evidence) cleartext() privacy.Cleartext {
	if string(e) == "null" {
		return privacy.Cleartext{}
	}
	return privacy.NewCleartext(string(e))
}

// consent is what the flow takes.
func (c *Consent) consent() custody.Consent {
	return custody.Consent{Purpose: privacy.PurposeName(c.Purpose), Action: privacy.ConsentAction(c.Action), Explicit: c.Explicit, SeparateFor: c.SeparateFor,
		By: privacy.ConsentBy(c.By), Channel: c.Channel, Method: c.Method, OccurredAt: timeOf(c.OccurredAt), ExpiresAt: timeOf(c.ExpiresAt),
		Notice: c.Notice.ref(), Locale: c.Locale, Evidence: c.Evidence.cleartext(), Confirm: c.Confirm}
}

type consentOutput struct {
	Status int
	Body   custody.Recorded
}

// SubjectConsent is where a subject stands on a purpose.
type SubjectConsent struct {
	Purpose     privacy.PurposeName    `json:"purpose"`
	Status      privacy.ConsentStatus  `json:"status" enum:"pending,granted,denied,withdrawn,expired"`
	Explicit    bool                   `json:"explicit"`
	SeparateFor []privacy.ConsentScope `json:"separate_for"`
	By          privacy.ConsentBy      `json:"by"`
	OccurredAt  time.Time              `json:"occurred_at"`
	ExpiresAt   *time.Time             `json:"expires_at,omitempty"`
	UpdatedAt   time.Time              `json:"updated_at"`
	Notice      *NoticeRef             `json:"notice,omitempty" doc:"What the consent rests on."`
	Objected    bool                   `json:"objected" doc:"An objection stands against the purpose, newer than any consent."`
	AskAgain    bool                   `json:"ask_again" doc:"What was granted does not count any more, because it has run out or rests on a notice older than the policy accepts: ask again."`
}

// Objection is a standing objection.
type Objection struct {
	Scope privacy.ObjectionScope `json:"scope" example:"marketing.*" doc:"A purpose and with it its family, a family, or * for everything."`
	At    time.Time              `json:"at"`
}

// ConsentRecord is one entry of the ledger.
type ConsentRecord struct {
	ID          string                 `json:"id"`
	Purpose     privacy.PurposeName    `json:"purpose"`
	Action      privacy.ConsentAction  `json:"action" enum:"grant,deny,withdraw,object,lift,restrict,unrestrict"`
	Explicit    bool                   `json:"explicit"`
	SeparateFor []privacy.ConsentScope `json:"separate_for"`
	By          privacy.ConsentBy      `json:"by"`
	Channel     string                 `json:"channel,omitempty"`
	Method      string                 `json:"method,omitempty"`
	Confirm     string                 `json:"confirm,omitempty" enum:"email,sms" doc:"It waits to be confirmed there."`
	Confirms    string                 `json:"confirms,omitempty" doc:"The record that this one confirms."`
	OccurredAt  time.Time              `json:"occurred_at"`
	ExpiresAt   *time.Time             `json:"expires_at,omitempty"`
	RecordedBy  privacy.ClientID       `json:"recorded_by"`
	RecordedAt  time.Time              `json:"recorded_at"`
	Notice      *NoticeRef             `json:"notice,omitempty"`
	NoticeHash  string                 `json:"notice_hash,omitempty" doc:"SHA-256 of the notice's content."`
	Locale      string                 `json:"locale,omitempty"`
	Evidence    string                 `json:"evidence_hash,omitempty" doc:"Commitment to the evidence, which is sealed."`
	Seq         int32                  `json:"seq" doc:"The record's number in the ledger, from 1."`
	PrevHash    string                 `json:"prev_hash,omitempty" doc:"Hash of the record before; zeros in the first that is chained."`
	Hash        string                 `json:"hash,omitempty" doc:"The record's own hash, by which the audit log names it: consent/ and the hash is the object of its entry."`
}

// SubjectInput is embedded in inputs about one subject; exported for the same reason as Idempotent.
type SubjectInput struct {
	ID string `path:"id" maxLength:"64"`
}

func (i *SubjectInput) about() privacy.SubjectID { return idOrZero(i.ID) }

type consentsOutput struct {
	Body struct {
		Consents       []SubjectConsent `json:"consents"`
		Objections     []Objection      `json:"objections"`
		RestrictedAt   *time.Time       `json:"restricted_at,omitempty" doc:"Since when all use is restricted; a newer consent is an exception for its purpose."`
		OptOutSignal   *time.Time       `json:"opt_out_signal,omitempty" doc:"When an opt-out of sale and sharing was last received."`
		LimitSensitive *time.Time       `json:"limit_sensitive,omitempty" doc:"When the use of sensitive data was last limited."`
	}
}

type historyInput struct {
	SubjectInput
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"16" doc:"From the answer before."`
}

type historyOutput struct {
	Body struct {
		Records []ConsentRecord `json:"records"`
		Cursor  string          `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

func (a *API) consentRoutes() {
	registerOpen(a, huma.Operation{OperationID: "consents-record", Method: http.MethodPost, Path: "/v1/consents", Tags: []string{"consent"},
		Summary: "Record a grant, denial, withdrawal or objection", Description: "Once the call has returned, every request that starts later sees it. An objection reaches the whole family of its purpose, until it is lifted or a newer consent is given for a purpose.",
		DefaultStatus: http.StatusCreated, Errors: []int{http.StatusNotFound, http.StatusConflict}}, a.recordConsent)
	register(a, huma.Operation{OperationID: "consents-list", Method: http.MethodGet, Path: "/v1/subjects/{id}/consents", Tags: []string{"consent"},
		Summary: "Where a subject stands", Description: "One state for each purpose anything was ever recorded for, expiry worked out as of now.", Errors: []int{http.StatusNotFound}}, (*SubjectInput).about, a.listConsents)
	register(a, huma.Operation{OperationID: "consents-history", Method: http.MethodGet, Path: "/v1/subjects/{id}/consents/history", Tags: []string{"consent"},
		Summary: "The ledger of a subject, newest first", Description: "Append-only: nothing in it is ever changed or removed.", Errors: []int{http.StatusNotFound}},
		func(i *historyInput) privacy.SubjectID { return i.about() }, a.consentHistory)
}

func (a *API) recordConsent(ctx context.Context, caller custody.Caller, input *consentInput) (*consentOutput, error) {
	ref, err := a.subjectRef(&input.Body.Subject)
	if err != nil {
		// Whoever may not call is told that, and not what is wrong with the reference.
		return nil, cmp.Or(a.service.Authorise(ctx, caller.Caller, "consents-record", idOrZero(input.Body.Subject.ID)), err)
	}
	recorded, err := a.service.TakeConsent(ctx, caller, ref, input.Body.consent(), input.once(caller, "consents-record"))
	return &consentOutput{Status: http.StatusCreated, Body: recorded}, err
}

func (a *API) listConsents(ctx context.Context, _ custody.Caller, input *SubjectInput) (*consentsOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	stands, err := a.service.Stands(ctx, id)
	if err != nil {
		return nil, err
	}
	output := &consentsOutput{}
	output.Body.Consents = make([]SubjectConsent, len(stands.Consents))
	for i, s := range stands.Consents {
		output.Body.Consents[i] = SubjectConsent{Purpose: s.Purpose, Status: s.Status, Explicit: s.Explicit, SeparateFor: listed(s.SeparateFor), By: s.By,
			OccurredAt: s.OccurredAt, ExpiresAt: timePtr(s.ExpiresAt), UpdatedAt: s.UpdatedAt, Notice: noticeRef(s.Notice), Objected: s.Objected, AskAgain: s.AskAgain}
	}
	output.Body.Objections = make([]Objection, len(stands.Standing.Objections))
	for i, o := range stands.Standing.Objections {
		output.Body.Objections[i] = Objection(o)
	}
	output.Body.RestrictedAt = timePtr(stands.Standing.RestrictedAt)
	output.Body.OptOutSignal, output.Body.LimitSensitive = timePtr(stands.Standing.OptOutSignal), timePtr(stands.Standing.LimitSensitive)
	return output, nil
}

func (a *API) consentHistory(ctx context.Context, _ custody.Caller, input *historyInput) (*historyOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	before, err := historyCursor(input.Cursor)
	if err != nil {
		return nil, err
	}
	records, err := a.service.ConsentHistory(ctx, id, before, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &historyOutput{}
	output.Body.Records = make([]ConsentRecord, len(records))
	for i := range records {
		output.Body.Records[i] = consentRecord(&records[i])
	}
	if len(records) == input.Limit {
		output.Body.Cursor = strconv.Itoa(int(records[len(records)-1].Seq))
	}
	return output, nil
}

func historyCursor(text string) (int32, error) {
	if text == "" {
		return 0, nil
	}
	seq, err := strconv.ParseInt(text, 10, 32)
	if err != nil || seq < 1 {
		return 0, errInvalidCursor
	}
	return int32(seq), nil
}

var errInvalidCursor = privacy.Invalid("invalid_cursor", "pass the cursor of the answer before, unchanged")

func consentRecord(r *custody.ConsentRecord) ConsentRecord {
	record := ConsentRecord{ID: privacy.SubjectID(r.ID).String(), Purpose: r.Purpose, Action: r.Action, Explicit: r.Explicit, SeparateFor: listed(r.SeparateFor), By: r.By,
		Channel: r.Channel, Method: r.Method, Confirm: r.ConfirmBy, OccurredAt: r.OccurredAt, ExpiresAt: timePtr(r.ExpiresAt), RecordedBy: r.RecordedBy, RecordedAt: r.RecordedAt,
		Notice: noticeRef(r.Notice), NoticeHash: hex.EncodeToString(r.NoticeHash), Locale: r.Locale, Evidence: hex.EncodeToString(r.Evidence),
		Seq: r.Seq, PrevHash: hex.EncodeToString(r.Prev), Hash: hex.EncodeToString(r.Hash)}
	if r.Confirms != [16]byte{} {
		record.Confirms = privacy.SubjectID(r.Confirms).String()
	}
	return record
}

func timePtr(at time.Time) *time.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}
