package custody

import (
	"bytes"
	"context"
	"encoding/json"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
)

// Replayed compares a recorded decision with what the same revision decides on the same input today.
type Replayed struct {
	Entry    audit.EntryName    `json:"entry"`
	Revision privacy.RevisionID `json:"revision"`
	Input    json.RawMessage    `json:"input"`
	Recorded json.RawMessage    `json:"recorded"`
	Replayed json.RawMessage    `json:"replayed"`
	Same     bool               `json:"same"`
}

// Replay decides a recorded decision again, from the record alone. KindInvalid when the entry
// records no decision.
func (s *Service) Replay(ctx context.Context, name audit.EntryName) (*Replayed, error) {
	detail, err := s.Entry(ctx, name)
	if err != nil {
		return nil, err
	}
	if detail.Decided == nil {
		return nil, privacy.Invalid("no_decision", "this entry records no decision")
	}
	decided := detail.Decided
	if decided.Hash() != detail.Decision {
		return nil, privacy.NewError(privacy.KindInternal, "decision_tampered", "the recorded decision does not match its hash")
	}
	input, err := policy.ParseInput(decided.Input)
	if err != nil {
		return nil, privacy.Internal(err, "read a recorded decision")
	}
	if err := s.LoadRevision(ctx, decided.Revision); err != nil {
		return nil, err
	}
	again, err := s.policy.Evaluate(ctx, decided.Revision, input)
	if err != nil {
		return nil, err
	}
	outcome, err := json.Marshal(again.Outcome)
	if err != nil {
		return nil, privacy.Internal(err, "write an outcome")
	}
	same := bytes.Equal(outcome, decided.Outcome) && bytes.Equal(again.Input, decided.Input)
	return &Replayed{Entry: name, Revision: decided.Revision, Input: decided.Input, Recorded: decided.Outcome, Replayed: outcome, Same: same}, nil
}
