package custody

import (
	"bytes"
	"context"
	"encoding/json"
	"time"

	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// ReplayKind says what is wrong with a recorded decision. Callers may switch on it.
type ReplayKind string

// The kinds of findings.
const (
	ReplayDifferent        ReplayKind = "different"         // the revision decides something else on that input
	ReplayDecisionMissing  ReplayKind = "decision_missing"  // entries refer to a decision that is not there
	ReplayDecisionChanged  ReplayKind = "decision_changed"  // the decision does not fit the hash it is on record under
	ReplayInputUnreadable  ReplayKind = "input_unreadable"  // what was decided on is no decision input
	ReplayRevisionMissing  ReplayKind = "revision_missing"  // the revision that decided is not there
	ReplayRevisionChanged  ReplayKind = "revision_changed"  // the revision does not fit the hash that names it
	ReplayRevisionUnusable ReplayKind = "revision_unusable" // the revision does not compile here
)

// ReplayFinding is one recorded decision that does not replay.
type ReplayFinding struct {
	Kind     ReplayKind         `json:"kind"`
	Decision LogHash            `json:"decision"`
	Revision privacy.RevisionID `json:"revision,omitempty"`
	Entries  int64              `json:"entries"` // that refer to it
	Entry    string             `json:"entry"`   // one of them
}

// maxReplayFindings bounds a report; what is wrong beyond it is counted.
const maxReplayFindings = 1000

// ReplayReport is what deciding a span of the log again has shown.
type ReplayReport struct {
	Since     time.Time       `json:"since,omitzero"`
	Until     time.Time       `json:"until,omitzero"`
	Entries   int64           `json:"entries"`   // that record a decision
	Decisions int             `json:"decisions"` // distinct ones
	Revisions int             `json:"revisions"` // that took them
	Same      int             `json:"same"`      // decisions that came out as recorded
	Findings  []ReplayFinding `json:"findings"`
	Omitted   int             `json:"omitted,omitempty"` // findings beyond the first 1,000
}

// OK reports whether every decision came out as recorded.
func (r *ReplayReport) OK() bool { return r.Same == r.Decisions }

// ReplayLog decides all that was recorded in a span of time again, each distinct decision once, from the database
// alone: read rights suffice, and no key is needed. Zero times leave the span open. What does not replay is a finding;
// the error tells that the log could not be read to its end. It holds two connections at a time.
func ReplayLog(ctx context.Context, db *store.Store, engine *policy.Engine, since, until time.Time) (*ReplayReport, error) {
	r := logReplay{store: db, engine: engine, unusable: make(map[privacy.RevisionID]ReplayKind), report: &ReplayReport{Since: since, Until: until, Findings: []ReplayFinding{}}}
	for decision, err := range db.RecordedDecisions(ctx, since, until) {
		if err == nil {
			err = r.decide(ctx, &decision)
		}
		if err != nil {
			return nil, err
		}
	}
	return r.report, nil
}

// logReplay is a replay under way.
type logReplay struct {
	store    *store.Store
	engine   *policy.Engine
	unusable map[privacy.RevisionID]ReplayKind // "" for those that decide
	report   *ReplayReport
}

func (r *logReplay) decide(ctx context.Context, decision *store.RecordedDecision) error {
	r.report.Entries += decision.Entries
	r.report.Decisions++
	kind, err := r.compare(ctx, decision)
	switch {
	case err != nil:
		return err
	case kind == "":
		r.report.Same++
	case len(r.report.Findings) == maxReplayFindings:
		r.report.Omitted++
	default:
		r.report.Findings = append(r.report.Findings, ReplayFinding{Kind: kind, Decision: decision.Hash, Revision: decision.Revision,
			Entries: decision.Entries, Entry: decision.Entry.String()})
	}
	return nil
}

// compare gives what is wrong with a decision, "" when nothing is.
func (r *logReplay) compare(ctx context.Context, decision *store.RecordedDecision) (ReplayKind, error) {
	if decision.Missing {
		return ReplayDecisionMissing, nil
	}
	if decision.Decision.Hash() != decision.Hash {
		return ReplayDecisionChanged, nil
	}
	if kind, err := r.load(ctx, decision.Revision); kind != "" || err != nil {
		return kind, err
	}
	input, err := policy.ParseInput(decision.Input)
	if err != nil {
		return ReplayInputUnreadable, nil //nolint:nilerr // told as a finding
	}
	again, err := r.engine.Evaluate(ctx, decision.Revision, input)
	if err != nil {
		return "", err
	}
	outcome, err := json.Marshal(again.Outcome)
	if err != nil {
		return "", privacy.Internal(err, "write an outcome")
	}
	if !bytes.Equal(outcome, decision.Outcome) {
		return ReplayDifferent, nil
	}
	return "", nil
}

// load makes a revision ready, and looks at each but once: decisions come in the order of their revisions.
func (r *logReplay) load(ctx context.Context, id privacy.RevisionID) (ReplayKind, error) {
	kind, seen := r.unusable[id]
	if !seen {
		r.report.Revisions++
	}
	if kind != "" || r.engine.Loaded(id) {
		r.unusable[id] = kind
		return kind, nil
	}
	kind, err := r.loadStored(ctx, id)
	if err == nil {
		r.unusable[id] = kind
	}
	return kind, err
}

func (r *logReplay) loadStored(ctx context.Context, id privacy.RevisionID) (ReplayKind, error) {
	revision, err := readRevision(ctx, r.store, id)
	switch {
	case err == nil:
	case privacy.KindOf(err) == privacy.KindNotFound:
		return ReplayRevisionMissing, nil
	case privacy.KindOf(err) == privacy.KindInvalid:
		return ReplayRevisionChanged, nil
	default:
		return "", err
	}
	if err = r.engine.Load(ctx, revision); err != nil && privacy.KindOf(err) == privacy.KindInvalid {
		return ReplayRevisionUnusable, nil
	}
	return "", err
}
