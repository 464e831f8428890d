package governance

import (
	"context"
	"fmt"
	"slices"
	"strconv"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

type (
	// PolicyReport says whether a policy holds what was expected of it.
	PolicyReport = policy.Report
	// PolicyProblem is one thing that is wrong with a policy, and where.
	PolicyProblem = policy.Problem
	// PolicyCaseResult compares what a case expects with what was decided.
	PolicyCaseResult = policy.CaseResult
	// PolicyTestResult is what a rule of a test module gave.
	PolicyTestResult = policy.TestResult
)

// tryRevision tries a revision as a whole, as [policy.Try] does, one at a time. It is tried where it can do no harm, and not
// any further once the process is told to stop.
func (s *Service) tryRevision(ctx context.Context, revision policy.Revision) (PolicyReport, error) {
	ctx, stop := s.custody.UntilEnding(ctx)
	defer stop()
	select {
	case s.trying <- struct{}{}:
		defer func() { <-s.trying }()
	case <-ctx.Done():
		return PolicyReport{}, privacy.Unavailable(ctx.Err(), "policy_tests_busy", "another policy is being tested; try again")
	}
	return s.try(ctx, revision)
}

// TestDraft tries a draft and keeps whether it passed. What it quotes is the draft's own.
func (s *Service) TestDraft(ctx context.Context, caller custody.Caller, id DraftID) (PolicyReport, error) {
	row, err := s.store.PolicyDraft(ctx, id)
	if err != nil {
		return PolicyReport{}, err
	}
	report, err := s.tryDraft(ctx, row)
	if err != nil {
		return PolicyReport{}, err
	}
	at := s.instant()
	return report, s.store.Write(ctx, func(tx *store.Tx) error {
		newest, err := tx.LockPolicyDraft(ctx, id)
		if err != nil {
			return err
		}
		newest.Tested, newest.Green, newest.TestedAt = row.Revision, report.Pass, at
		if err := tx.PutPolicyDraft(ctx, newest); err != nil {
			return err
		}
		return s.custody.RecordStep(ctx, tx, caller, at, audit.ActionDraftTest, draftObject(row))
	})
}

func (s *Service) tryDraft(ctx context.Context, row *store.PolicyDraft) (PolicyReport, error) {
	revision, err := custody.RevisionOf(row.Revision, row.Content)
	if err != nil {
		return PolicyReport{}, err
	}
	return s.tryRevision(ctx, revision)
}

// mustPass is the error of a report that did not pass, nil of one that did. It says where, in the words of
// a revision that is in force; what the draft itself calls things is in the report.
func (s *Service) mustPass(ctx context.Context, report PolicyReport) error {
	if report.Pass {
		return nil
	}
	words, err := s.wordsInForce(ctx)
	if err != nil {
		return err
	}
	places := problemPlaces(report.Problems, words)
	for i, c := range report.Cases {
		if !c.Pass {
			places = append(places, privacy.Place{Location: "/tests/cases/" + strconv.Itoa(i), Message: "the case does not come out as expected"})
		}
	}
	for _, test := range report.Tests {
		if !test.Pass && !test.Skipped {
			places = append(places, privacy.Place{Location: words.file(test.File, test.Line, 0), Message: "the test does not hold"})
		}
	}
	return privacy.WithPlaces(privacy.Invalid("tests_failed", "the policy does not pass its tests; test the draft to see why, mend it and try again"), places)
}

func (s *Service) wordsInForce(ctx context.Context) (vocabulary, error) {
	id, err := s.store.CurrentRevision(ctx)
	if err != nil {
		return nil, err
	}
	revision, err := s.custody.StoredRevision(ctx, id)
	if err != nil {
		return nil, err
	}
	document, err := revision.Document()
	return newVocabulary(document), err
}

// checkTables refuses tables that cannot be meant: they would only be found when the draft is tested. Words are
// the names that the error may repeat.
func checkTables(revision policy.Revision, words vocabulary) error {
	problems := policy.TableProblems(revision)
	if len(problems) == 0 {
		return nil
	}
	return privacy.WithPlaces(privacy.Invalid("invalid_policy_table", "the policy's tables do not fit; see errors, correct them and try again"), problemPlaces(problems, words))
}

func problemPlaces(problems []policy.Problem, words vocabulary) []privacy.Place {
	places := make([]privacy.Place, len(problems))
	for i, problem := range problems {
		switch {
		case problem.File != "":
			places[i] = privacy.Place{Location: words.file(problem.File, problem.Line, problem.Column), Message: string(problem.Code)}
		case problem.Code == policy.ProblemTable || problem.Code == policy.ProblemCase || problem.Code == policy.ProblemLockout:
			places[i] = privacy.Place{Location: words.place(problem.Pointer), Message: problem.Message}
		default:
			places[i] = privacy.Place{Location: words.place(problem.Pointer), Message: string(problem.Code)}
		}
	}
	return slices.Compact(places)
}

// file names a place in a module; a name that the vocabulary does not have is left out.
func (v vocabulary) file(name string, line, column int) string {
	if !v[name] {
		name = "module"
	}
	if column == 0 {
		return fmt.Sprintf("%s:%d", name, line)
	}
	return fmt.Sprintf("%s:%d:%d", name, line, column)
}
