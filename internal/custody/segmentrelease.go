package custody

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
	"github.com/consentry/consentry/internal/store"
)

// Told is an answer about groups of people: noisy, and suppressed where a group is small.
type Told struct {
	Cells      []GroupCell        `json:"cells"`
	Total      *int64             `json:"total"`
	ReleasedAt time.Time          `json:"released_at"`
	Revision   privacy.RevisionID `json:"revision"`

	Epsilon  float64 `json:"-"` // what it cost; 0 of an answer that was given before
	Repeated bool    `json:"-"`
	Margin   int64   `json:"-"` // 95 of 100 counts are no further from the truth
	Budget   Budget  `json:"-"`
}

// GroupCell is one group. The value of a facet is nil for people who have none.
type GroupCell struct {
	Facets map[string]*string `json:"facets,omitempty"`
	Count  *int64             `json:"count"` // nil: suppressed
}

// Budget is what a client has left for a purpose.
type Budget struct {
	Epsilon   float64   `json:"epsilon" doc:"What each answer costs."`
	Minimum   int64     `json:"minimum" doc:"The smallest noisy count that is told."`
	Total     float64   `json:"total" doc:"What all answers of a window may cost together."`
	Remaining float64   `json:"remaining"`
	RenewsAt  time.Time `json:"renews_at"`
}

// groups is a question about groups of people.
type groups struct {
	kind       store.ReleaseKind
	purpose    privacy.PurposeName
	segment    *store.Segment // nil: about none
	facets     []segment.FacetName
	predicates []segment.Predicate // in canonical form; part of what makes questions the same
	by         []segment.FacetName
	told       []privacy.AttributeName // what members are to be told of; nil where nobody is named
	count      func(*segment.Index, segment.Permission) (groupCounts, bool)
}

// groupCounts are true counts, and what they are of. They go no further than release.
type groupCounts struct {
	counts []uint64
	label  func(cell int) map[string]*string
	hide   func(cell int) bool // when it is suppressed: that there is such a cell tells something
}

var (
	errPurposeNotGranted = privacy.Forbidden("purpose_not_granted", "the policy does not grant this client the purpose")
	errFacetNotPermitted = privacy.Invalid("facet_not_permitted", "the policy does not let the purpose use one of the facets")
	errFacetTooFine      = privacy.Invalid("facet_too_fine", "the policy lets the purpose know one of the facets in aggregate or in a more general form alone: nobody can be named by it")
	errSegmentSetting    = privacy.Unavailable(nil, "policy_unavailable", "the policy in force has settings for segments that keep no promise; an officer must correct them")
)

// account is how much a client may be told, as the revision in force says.
type account struct {
	setting segment.Setting
	budget  int64 // thousandths
	key     store.Account
	renews  time.Time
}

// usual is what holds for clients of which the policy does not say.
var usual = policy.Segments{Epsilon: 0.5, Budget: 30, WindowDays: 30, Minimum: 50}

func (s *Service) account(revision privacy.RevisionID, client privacy.ClientID, purpose privacy.PurposeName, at time.Time) (account, error) {
	row, _ := s.policy.Client(revision, client)
	setting := usual
	if row.Segments != nil {
		setting = *row.Segments
	}
	a := account{setting: segment.Setting{Epsilon: segment.Epsilon(math.Round(setting.Epsilon * 1000)), Minimum: setting.Minimum}, budget: int64(math.Round(setting.Budget * 1000))}
	if a.setting.Check() != nil || a.budget <= 0 || setting.WindowDays <= 0 {
		return a, errSegmentSetting
	}
	window := time.Duration(setting.WindowDays) * 24 * time.Hour
	a.key = store.Account{Client: client, Purpose: purpose, Window: at.Truncate(window)}
	a.renews = a.key.Window.Add(window)
	return a, nil
}

func (a *account) left(spent int64) Budget {
	return Budget{Epsilon: a.setting.Epsilon.Float(), Minimum: a.setting.Minimum, Total: float64(a.budget) / 1000, Remaining: float64(max(a.budget-spent, 0)) / 1000, RenewsAt: a.renews}
}

// Budget tells what a caller has left for a purpose.
func (s *Service) Budget(ctx context.Context, caller Caller, purpose privacy.PurposeName) (Budget, error) {
	revision, err := s.InForce(ctx)
	if err != nil {
		return Budget{}, err
	}
	if err := s.mayCount(revision, caller, purpose); err != nil {
		return Budget{}, err
	}
	a, err := s.account(revision, caller.Client, purpose, s.instant())
	if err != nil {
		return Budget{}, err
	}
	spent, err := s.store.Spent(ctx, a.key)
	return a.left(spent), err
}

func (s *Service) mayCount(revision privacy.RevisionID, caller Caller, purpose privacy.PurposeName) error {
	if !s.policy.PurposeKnown(revision, purpose) {
		return ErrUnknownPurpose
	}
	if !s.policy.Granted(revision, caller.Client, purpose) {
		return errPurposeNotGranted
	}
	return nil
}

// tell answers a question about groups: over everybody as of now, of those whose policy state permits every facet that is used.
func (s *Service) tell(ctx context.Context, caller Caller, q *groups) (*Told, error) {
	view, err := s.segments.current(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.mayCount(view.revision, caller, q.purpose); err != nil {
		return nil, err
	}
	attributes, err := s.facetAttributes(view.revision, q.purpose, q.facets)
	if err != nil {
		return nil, err
	}
	if q.told != nil {
		if err := s.mayName(view.revision, q.purpose, attributes); err != nil {
			return nil, err
		}
	}
	a, err := s.account(view.revision, caller.Client, q.purpose, view.at)
	if err != nil {
		return nil, err
	}
	asker := newGroupAsker(s, caller, view, q.purpose, attributes, q.told)
	counted, err := ask(ctx, asker, q.count)
	if err != nil {
		return nil, err
	}
	return s.release(ctx, caller, q, view, attributes, &a, &counted)
}

// facetAttributes gives what [Service.attributesOf] does. A facet of which the policy lets the purpose use none is refused: nobody could
// be counted.
func (s *Service) facetAttributes(revision privacy.RevisionID, purpose privacy.PurposeName, names []segment.FacetName) ([]privacy.AttributeName, error) {
	usable, attributes := s.policy.Attributes(revision, purpose), s.attributesOf(names)
	if slices.ContainsFunc(attributes, func(name privacy.AttributeName) bool { return !slices.Contains(usable, name) }) {
		return nil, errFacetNotPermitted
	}
	return attributes, nil
}

// mayName refuses at once what no decision can permit: naming people by facets that show more than the policy releases.
func (s *Service) mayName(revision privacy.RevisionID, purpose privacy.PurposeName, behind []privacy.AttributeName) error {
	for _, name := range behind {
		if attribute, known := s.catalogue.Attribute(name); !known || !attribute.FacetShownBy(s.policy.Mode(revision, purpose, name)) {
			return errFacetTooFine
		}
	}
	return nil
}

// attributesOf lists, sorted, the attributes that facets are made from.
func (s *Service) attributesOf(names []segment.FacetName) []privacy.AttributeName {
	return distinct(slices.Concat(column(names, func(name segment.FacetName) []privacy.AttributeName {
		facet, _ := s.segments.facets.Find(name)
		return facet.Attributes
	})...))
}

// release adds noise, suppresses, and puts the answer on record together with what it costs. Nothing is answered before that is
// committed; a question whose answer is on record already, over the very same data, gets that one.
func (s *Service) release(ctx context.Context, caller Caller, q *groups, view *segmentView, attributes []privacy.AttributeName, a *account, counted *groupCounts) (*Told, error) {
	id, err := s.newID()
	if err != nil {
		return nil, err
	}
	released, err := segment.Release(counted.counts, a.setting, segment.NewNoise(s.random))
	if err != nil {
		return nil, err
	}
	told := &Told{Total: segment.Total(released), ReleasedAt: view.at, Revision: view.revision, Cells: []GroupCell{}}
	for i, count := range released {
		if count == nil && counted.hide != nil && counted.hide(i) {
			continue
		}
		cell := GroupCell{Count: count}
		if counted.label != nil {
			cell.Facets = counted.label(i)
		}
		told.Cells = append(told.Cells, cell)
	}
	answer, err := json.Marshal(told)
	if err != nil {
		return nil, privacy.Internal(err, "write an answer")
	}
	row := &store.Release{ID: id, Account: a.key, Kind: q.kind, Revision: view.revision, Epsilon: uint32(a.setting.Epsilon), DataVersion: view.data, ValidUntil: view.valid, Answer: answer, At: view.at}
	if q.segment != nil {
		row.Segment, row.Version = q.segment.ID, q.segment.Version
	}
	row.Question = q.name(caller, attributes, a.setting)
	if err := s.spend(ctx, caller, q, row, a, told, attributes); err != nil {
		return nil, err
	}
	told.Margin = a.setting.Margin()
	return told, nil
}

// spend writes a release, or finds the same one. The budget is read and spent under one lock, so it is never overdrawn, however many
// ask at once.
func (s *Service) spend(ctx context.Context, caller Caller, q *groups, row *store.Release, a *account, told *Told, attributes []privacy.AttributeName) error {
	batch, err := s.newBatch(row.At, []audit.Draft{{Action: audit.ActionSegmentRelease, Client: caller.Client, RequestID: caller.Request, Purpose: q.purpose,
		Attributes: attributes, Object: releaseObject(row.ID)}})
	if err != nil {
		return err
	}
	fresh := *told
	return s.store.Write(ctx, func(tx *store.Tx) error {
		*told = fresh // the transaction may run again
		spent, err := tx.LockAccount(ctx, a.key)
		if err != nil {
			return err
		}
		earlier, ok, err := tx.ReleasedBefore(ctx, row)
		if err != nil {
			return err
		}
		if ok {
			*told = Told{Repeated: true, Budget: a.left(spent)}
			return recall(earlier.Answer, told)
		}
		if spent+int64(row.Epsilon) > a.budget {
			left := a.left(spent)
			return privacy.NewError(privacy.KindRateLimited, "budget_exhausted", fmt.Sprintf("an answer costs %g and %g of %g is left for this purpose; the budget renews at %s",
				left.Epsilon, left.Remaining, left.Total, left.RenewsAt.Format(time.RFC3339)))
		}
		told.Epsilon, told.Budget = a.setting.Epsilon.Float(), a.left(spent+int64(row.Epsilon))
		if err := tx.AppendRelease(ctx, row); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
}

func releaseObject(id [16]byte) string { return "release/" + formatID(id) }

// name gives the hash by which the same question is known again.
func (q *groups) name(caller Caller, attributes []privacy.AttributeName, setting segment.Setting) [32]byte {
	roles := slices.Clone(caller.Roles)
	slices.Sort(roles)
	text, _ := json.Marshal([]any{q.kind, q.predicates, q.by, roles, attributes, q.told, setting}) // names and numbers: it always encodes
	return sha256.Sum256(text)
}
