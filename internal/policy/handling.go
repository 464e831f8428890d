package policy

import (
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// Handling says how requests of subjects are led, whatever the law: the part of that name of the table deadlines.
type Handling struct {
	RemindDaysBefore []int                 `json:"remind_days_before"` // before a request is due, an officer is reminded; 0: on the day
	VerifyWithin     privacy.Span          `json:"verify_within"`      // or a request expires of which nobody has shown that the subject asks
	TellAgainAfter   privacy.Span          `json:"tell_again_after"`   // a processor that has not confirmed
	EscalateAfter    privacy.Span          `json:"escalate_after"`     // or an officer is told of it
	KeepDetails      privacy.Span          `json:"keep_details"`       // what a request says in detail, after it was closed
	SecondLook       []privacy.RequestType `json:"second_look"`        // one proof is not enough for these: an agent has to look as well, or another
}

// usualHandling is for revisions from before there was such a part.
var usualHandling = Handling{
	RemindDaysBefore: []int{7, 2, 0},
	VerifyWithin:     privacy.Span{Count: 14, Unit: privacy.SpanDay},
	TellAgainAfter:   privacy.Span{Count: 1, Unit: privacy.SpanDay},
	EscalateAfter:    privacy.Span{Count: 1, Unit: privacy.SpanDay},
	KeepDetails:      privacy.Span{Count: 24, Unit: privacy.SpanMonth}, // 11 CCR 7101(a): requests and the answers to them
}

// check refuses what nobody can mean, and puts in what an older table does not say. What is not there at all is not checked.
func (h *Handling) check() error {
	if h == nil {
		return nil
	}
	for _, span := range []privacy.Span{h.VerifyWithin, h.TellAgainAfter, h.EscalateAfter} {
		if span.Count <= 0 || span.Unit != privacy.SpanDay {
			return errDeadlines
		}
	}
	if h.KeepDetails == (privacy.Span{}) { // from before there was such a term
		h.KeepDetails = usualHandling.KeepDetails
	}
	if h.KeepDetails.Count <= 0 || h.KeepDetails.Unit != privacy.SpanDay && h.KeepDetails.Unit != privacy.SpanMonth {
		return errDeadlines
	}
	if slices.ContainsFunc(h.RemindDaysBefore, func(days int) bool { return days < 0 || days > 60 }) ||
		slices.ContainsFunc(h.SecondLook, func(kind privacy.RequestType) bool { return !kind.Valid() }) {
		return errDeadlines
	}
	return nil
}

// NeedsSecondLook reports whether one proof alone does not show enough for a request.
func (h *Handling) NeedsSecondLook(kind privacy.RequestType) bool {
	return slices.Contains(h.SecondLook, kind)
}

// Handling says how a revision wants requests led.
func (e *Engine) Handling(id privacy.RevisionID) Handling {
	ready, err := e.revision(id)
	if err != nil || ready.tables.handling == nil {
		return usualHandling
	}
	return *ready.tables.handling
}
