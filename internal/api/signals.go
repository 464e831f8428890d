package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

type signalsInput struct {
	SubjectInput
	Idempotent
	SecGPC string `header:"Sec-GPC" doc:"Passed on as the browser sent it: 1 is Global Privacy Control; anything else is no signal."`
	Body   struct {
		GPC *bool  `json:"gpc,omitempty" doc:"True when Global Privacy Control was on; leave it out otherwise."`
		TCF string `json:"tcf,omitempty" doc:"A TC string of IAB Europe, version 2, at most 65,536 characters."`
		GPP string `json:"gpp,omitempty" doc:"A GPP string of the IAB Tech Lab, version 1, at most 65,536 characters." example:"DBABLA~BAAAVVVVUQA.QA"`
	}
}

// Signal is one privacy signal on record.
type Signal struct {
	Number     int32              `json:"number" doc:"Counts from 1 within the subject."`
	Kind       privacy.SignalKind `json:"kind" enum:"gpc,tcf,gpp"`
	ReceivedAt time.Time          `json:"received_at"`
	RecordedBy privacy.ClientID   `json:"recorded_by"`
	Effects    []SignalEffect     `json:"effects" doc:"What it meant by the policy of the day."`
}

// SignalEffect is something a signal means.
type SignalEffect struct {
	Effect  privacy.EffectKind    `json:"effect" enum:"opt_out_signal,limit_sensitive,grant,deny,none"`
	Purpose privacy.PurposeName   `json:"purpose,omitempty" doc:"Of a grant or denial."`
	Outcome privacy.EffectOutcome `json:"outcome" enum:"applied,unchanged,superseded,needs_confirmation,nothing_said,other_regime,not_service_specific,vendors_not_disclosed,no_publisher_segment,expired" doc:"Superseded: something on the ledger is newer. Needs confirmation: the purpose wants grants confirmed at the person's address, which a TC string cannot do. Of none: why there is none."`
}

type signalsOutput struct {
	Status int
	Body   struct {
		Subject privacy.SubjectID `json:"subject"`
		Signals []Signal          `json:"signals"`
	}
}

type signalListInput struct {
	SubjectInput
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100"`
	Cursor string `query:"cursor" maxLength:"16" doc:"From the answer before."`
}

type signalListOutput struct {
	Body struct {
		Signals []Signal `json:"signals"`
		Cursor  string   `json:"cursor,omitempty" doc:"Pass it to get the next page; absent on the last."`
	}
}

// maxSignalBody holds two strings of the longest that are read, with room to be found too long.
const maxSignalBody = 256 << 10

func (a *API) signalRoutes() {
	register(a, huma.Operation{OperationID: "signals-record", Method: http.MethodPost, Path: "/v1/subjects/{id}/signals", Tags: []string{"consent"},
		Summary:       "Receive privacy signals",
		Description:   "Global Privacy Control, TC and GPP strings, kept as evidence and applied as the policy says. Once the call has returned, every request that starts later sees them. Newer explicit choices of the subject stand. A signal that is on record and changes nothing is answered with 200 and not kept again.",
		DefaultStatus: http.StatusCreated, MaxBodyBytes: maxSignalBody, Errors: []int{http.StatusNotFound, http.StatusConflict}},
		func(i *signalsInput) privacy.SubjectID { return i.about() }, a.recordSignals)
	register(a, huma.Operation{OperationID: "signals-list", Method: http.MethodGet, Path: "/v1/subjects/{id}/signals", Tags: []string{"consent"},
		Summary: "The signals received for a subject, newest first", Description: "Kinds, times and effects; the strings themselves stay sealed.", Errors: []int{http.StatusNotFound}},
		func(i *signalListInput) privacy.SubjectID { return i.about() }, a.listSignals)
}

func (a *API) recordSignals(ctx context.Context, caller custody.Caller, input *signalsInput) (*signalsOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	body := &input.Body
	if body.GPC != nil && !*body.GPC {
		return nil, errGPCFalse
	}
	sent := custody.Signals{GPCHeader: strings.TrimSpace(input.SecGPC) == "1", GPC: body.GPC != nil, TCF: body.TCF, GPP: body.GPP}
	recorded, err := a.service.RecordSignals(ctx, caller, id, sent, input.once(caller, "signals-record "+input.ID+" "+strconv.FormatBool(sent.GPCHeader)))
	if err != nil {
		return nil, err
	}
	output := &signalsOutput{Status: http.StatusOK}
	if recorded.Stored {
		output.Status = http.StatusCreated
	}
	output.Body.Subject, output.Body.Signals = recorded.Subject, signalList(recorded.Signals)
	return output, nil
}

var errGPCFalse = privacy.Invalid("gpc_false", "gpc is true or left out: the absence of the signal is no choice")

func (a *API) listSignals(ctx context.Context, _ custody.Caller, input *signalListInput) (*signalListOutput, error) {
	id, err := privacy.ParseSubjectID(input.ID)
	if err != nil {
		return nil, err
	}
	before, err := historyCursor(input.Cursor)
	if err != nil {
		return nil, err
	}
	received, err := a.service.Signals(ctx, id, before, input.Limit)
	if err != nil {
		return nil, err
	}
	output := &signalListOutput{}
	output.Body.Signals = signalList(received)
	if len(received) == input.Limit {
		output.Body.Cursor = strconv.Itoa(int(received[len(received)-1].Number))
	}
	return output, nil
}

func signalList(received []custody.SignalReceived) []Signal {
	list := make([]Signal, len(received))
	for i, r := range received {
		list[i] = Signal{Number: r.Number, Kind: r.Kind, ReceivedAt: r.ReceivedAt, RecordedBy: r.RecordedBy, Effects: make([]SignalEffect, len(r.Effects))}
		for j, e := range r.Effects {
			list[i].Effects[j] = SignalEffect{Effect: e.Effect, Purpose: e.Purpose, Outcome: e.Outcome}
		}
	}
	return list
}
