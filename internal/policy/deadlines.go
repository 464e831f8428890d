package policy

import (
	"bytes"
	"encoding/json"

	"github.com/consentry/consentry/internal/privacy"
)

// Deadlines are a revision's terms for requests of subjects, by law; the table deadlines has more, for people to read.
type Deadlines map[privacy.Regime]RequestTerms

// RequestTerms are a law's terms for requests of subjects.
type RequestTerms struct {
	Law         string                `json:"law"`
	Starts      string                `json:"starts"` // receipt, complete or verified
	PausedBy    []string              `json:"paused_by"`
	Acknowledge *privacy.Span         `json:"acknowledge"`
	Answer      *privacy.Span         `json:"answer"`
	Extension   *Extension            `json:"extension"` // nil: none
	Rights      map[string]RightTerms `json:"rights"`
	Rolls       bool                  `json:"rolls"` // a date on a weekend or holiday moves to the next working day
}

// Extension is the time a law allows besides.
type Extension struct {
	Total      *privacy.Span `json:"total"` // from the start; nil: it names no end
	TellWithin privacy.Span  `json:"tell_within"`
}

// RightTerms are what differs for one right.
type RightTerms struct {
	Acknowledge *privacy.Span `json:"acknowledge"`
	Answer      *privacy.Span `json:"answer"`
	Extendable  *bool         `json:"extendable"`
	Verified    *bool         `json:"verified"`
}

// Terms gives what holds for a right under a law; a law without a row has the row default.
func (d Deadlines) Terms(regime privacy.Regime, right string) RequestTerms {
	terms, ok := d[regime]
	if !ok {
		terms = d[privacy.RegimeDefault]
	}
	differs := terms.Rights[right]
	if differs.Acknowledge != nil {
		terms.Acknowledge = differs.Acknowledge
	}
	if differs.Answer != nil {
		terms.Answer = differs.Answer
	}
	if differs.Extendable != nil && !*differs.Extendable {
		terms.Extension = nil
	}
	if differs.Verified != nil && !*differs.Verified {
		terms.Starts = startsWithReceipt
	}
	terms.Rights = nil
	return terms
}

const startsWithReceipt = "receipt"

// Deadlines gives a revision's terms; ok is false for a revision that has none.
func (e *Engine) Deadlines(id privacy.RevisionID) (deadlines Deadlines, ok bool) {
	ready, err := e.revision(id)
	if err != nil || ready.tables.deadlines == nil {
		return nil, false
	}
	return ready.tables.deadlines, true
}

// readDeadlines reads the table deadlines. Every law's terms must have an answer, and there must be terms for the rest.
func readDeadlines(document any, t *tables) error {
	if document == nil {
		return nil
	}
	content, err := json.Marshal(document)
	if err != nil {
		return err
	}
	var table struct {
		Requests      Deadlines       `json:"requests"`
		AskAgainAfter json.RawMessage `json:"ask_again_after"`
		Keep          json.RawMessage `json:"keep"`
		Handling      *Handling       `json:"handling"`
	}
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&table); err != nil {
		return errDeadlines
	}
	if _, ok := table.Requests[privacy.RegimeDefault]; !ok {
		return errDeadlines
	}
	for _, terms := range table.Requests {
		if terms.Answer == nil {
			return errDeadlines
		}
	}
	t.deadlines, t.handling = table.Requests, table.Handling
	return t.handling.check()
}

var errDeadlines = privacy.Invalid("invalid_deadlines", "the policy's data on deadlines is not as deadlines.schema.json asks")
