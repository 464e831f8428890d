package governance

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Preview says what a candidate policy would change against the one in force: for the people there are, and for the
// decisions that were recorded lately. It counts people and releases nothing about any of them.
type Preview struct {
	Revision   privacy.RevisionID `json:"revision" doc:"The revision in force."`
	Candidate  privacy.RevisionID `json:"candidate" doc:"The revision that was tried."`
	At         time.Time          `json:"at"`
	Minimum    int                `json:"minimum" doc:"Counts of fewer people are not told, and others in multiples of it."`
	Population PopulationPreview  `json:"population"`
	Recorded   *RecordedPreview   `json:"recorded,omitempty" doc:"Left out when no days were asked for."`
}

// PopulationPreview is about everybody whose profile is held, whether or not anybody has asked for it.
type PopulationPreview struct {
	People  PeopleCount     `json:"people" doc:"Everybody."`
	States  int             `json:"states" doc:"The distinct policy states they are in, over all purposes."`
	Changes []PreviewChange `json:"changes"`
}

// RecordedPreview is about the people whom recorded decisions were about.
type RecordedPreview struct {
	Since     time.Time       `json:"since"`
	Entries   int64           `json:"entries" doc:"The recorded decisions that were looked at."`
	Decisions int             `json:"decisions" doc:"The distinct ones among them."`
	Changes   []PreviewChange `json:"changes"`
}

// PreviewChange is one thing that would change for a client.
type PreviewChange struct {
	Client    privacy.ClientID      `json:"client"`
	Purpose   privacy.PurposeName   `json:"purpose"`
	Attribute privacy.AttributeName `json:"attribute"`
	Effect    PreviewEffect         `json:"effect" enum:"gained,lost,changed" doc:"What the change means for the client."`
	From      privacy.Mode          `json:"from" doc:"The mode in force; deny when the attribute is withheld."`
	To        privacy.Mode          `json:"to" doc:"The mode under the candidate."`
	People    PeopleCount           `json:"people" doc:"How many people it would change for."`
}

// PreviewEffect says what a change means for the client.
type PreviewEffect string

// The effects.
const (
	EffectGained  PreviewEffect = "gained"
	EffectLost    PreviewEffect = "lost"
	EffectChanged PreviewEffect = "changed" // another mode
)

// MaxPreviewDays is how far back a preview may look.
const MaxPreviewDays = 366

// PreviewDraft counts what a draft would change, over the population and over the recorded decisions of the last
// days (0: none). That it was asked is put on record first.
func (s *Service) PreviewDraft(ctx context.Context, caller custody.Caller, id DraftID, days int) (*Preview, error) {
	if days < 0 || days > MaxPreviewDays {
		return nil, privacy.Invalid("invalid_days", "days is between 0 and 366")
	}
	ctx, stop := s.custody.UntilEnding(ctx)
	defer stop()
	select {
	case s.preview <- struct{}{}:
		defer func() { <-s.preview }()
	default:
		return nil, errPreviewBusy
	}
	draft, err := s.store.PolicyDraft(ctx, id)
	if err != nil {
		return nil, err
	}
	candidate, err := custody.RevisionOf(draft.Revision, draft.Content)
	if err != nil {
		return nil, err
	}
	if err := s.mustBeSound(ctx, draft, candidate); err != nil {
		return nil, err
	}
	p, err := s.newPreview(ctx, candidate)
	if err != nil {
		return nil, err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		return s.custody.RecordStep(ctx, tx, caller, p.at, audit.ActionPolicyPreview, draftObject(draft))
	})
	if err != nil {
		return nil, err
	}
	return p.run(ctx, days, CohortMinimum)
}

var errPreviewBusy = privacy.Unavailable(nil, "policy_preview_busy", "another policy is being previewed here; try again when it is done")

// mustBeSound refuses a draft that a test would find a problem in, apart from how its cases come out: a preview evaluates it
// in this process, over everybody.
func (s *Service) mustBeSound(ctx context.Context, draft *store.PolicyDraft, candidate policy.Revision) error {
	if draft.Green && draft.Tested == candidate.ID {
		return nil
	}
	report, err := s.tryRevision(ctx, candidate)
	if err != nil || len(report.Problems) == 0 {
		return err
	}
	words, err := s.wordsInForce(ctx)
	if err != nil {
		return err
	}
	return privacy.WithPlaces(privacy.Invalid("invalid_policy", "the policy has problems; test the draft to see them, mend it and try again"), problemPlaces(report.Problems, words))
}

// preview is a preview under way.
type preview struct {
	service       *Service
	engine        *policy.Engine // of its own: what is only tried must not push out what decides
	at            time.Time
	before, after policy.Revision
	reach         policy.Reach
	purposes      []privacy.PurposeName
	clients       []privacy.ClientID
	asked         map[privacy.PurposeName][]privacy.AttributeName
}

func (s *Service) newPreview(ctx context.Context, candidate policy.Revision) (*preview, error) {
	current, err := s.store.CurrentRevision(ctx)
	if err != nil {
		return nil, err
	}
	before, err := s.custody.StoredRevision(ctx, current)
	if err != nil {
		return nil, err
	}
	engine := policy.NewEngine(policy.WithMemo(1))
	for _, revision := range []policy.Revision{before, candidate} {
		if err := engine.Load(ctx, revision); err != nil {
			return nil, err
		}
	}
	p := &preview{service: s, engine: engine, at: s.instant(), before: before, after: candidate, asked: make(map[privacy.PurposeName][]privacy.AttributeName)}
	if p.reach, err = policy.ReachOf(before, candidate); err != nil {
		return nil, err
	}
	p.purposes = rowsOf[privacy.PurposeName]("purposes", before, candidate)
	p.clients = rowsOf[privacy.ClientID]("clients", before, candidate)
	for _, revision := range []policy.Revision{before, candidate} {
		matrix, _ := revision.Data["matrix"].(map[string]any)
		for attribute, row := range matrix {
			cells, _ := row.(map[string]any)
			for purpose := range cells {
				name := privacy.PurposeName(purpose)
				p.asked[name] = append(p.asked[name], privacy.AttributeName(attribute))
			}
		}
	}
	for purpose, attributes := range p.asked {
		slices.Sort(attributes)
		p.asked[purpose] = slices.Compact(attributes)
	}
	return p, nil
}

// rowsOf names the rows that a table has in any of the revisions.
func rowsOf[N ~string](table string, revisions ...policy.Revision) []N {
	names := make(map[N]bool)
	for _, revision := range revisions {
		rows, _ := revision.Data[table].(map[string]any)
		for name := range rows {
			names[N(name)] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (p *preview) run(ctx context.Context, days, minimum int) (*Preview, error) {
	result := &Preview{Revision: p.before.ID, Candidate: p.after.ID, At: p.at, Minimum: minimum}
	everybody, err := p.service.custody.Census(ctx, custody.CensusQuestion{At: p.at, Purposes: p.purposes, Policy: p.engine, Before: p.before.ID, After: p.after.ID})
	if err != nil {
		return nil, err
	}
	if result.Population, err = p.population(ctx, everybody, minimum); err != nil || days == 0 {
		return result, err
	}
	result.Recorded, err = p.recorded(ctx, previewSpan(p.at, days), minimum)
	return result, err
}

// change is a cell of the preview: people are counted by it.
type change struct {
	client    privacy.ClientID
	purpose   privacy.PurposeName
	attribute privacy.AttributeName
	from, to  privacy.Mode
}

// population decides on every state under both revisions. Counts of one purpose are told together, so people are grouped
// by all that changes for them under it.
func (p *preview) population(ctx context.Context, everybody *custody.Census, minimum int) (PopulationPreview, error) {
	result := PopulationPreview{States: len(everybody.States), Changes: []PreviewChange{}}
	changes := make([][]change, len(everybody.States))
	pairs, err := p.pairs(ctx, everybody)
	if err != nil {
		return result, err
	}
	err = custody.InParallel(ctx, len(changes), func(ctx context.Context, i int) (err error) {
		changes[i], err = p.changesFor(ctx, everybody.States[i], pairs[everybody.States[i].Purpose])
		return err
	})
	if err != nil {
		return result, err
	}
	result.People = countOf(everybody.People, minimum, false)
	for _, purpose := range p.purposes {
		var cells cellTable
		var groups []peopleGroup
		for i, state := range everybody.States {
			if state.Purpose == purpose {
				groups = append(groups, peopleGroup{cells.of(changes[i]), state.People})
			}
		}
		if all := countAll(everybody.People, minimum, groups); all.Count == nil {
			result.People = all
		}
		result.Changes = append(result.Changes, cells.told(countCells(len(cells.changes), minimum, groups))...)
	}
	slices.SortFunc(result.Changes, compareChanges)
	return result, nil
}

// cellTable numbers changes.
type cellTable struct {
	changes []change
	number  map[change]int
}

// of gives the numbers of changes, in order.
func (t *cellTable) of(changes []change) []int {
	if t.number == nil {
		t.number = make(map[change]int)
	}
	cells := make([]int, len(changes))
	for i, c := range changes {
		n, ok := t.number[c]
		if !ok {
			n = len(t.changes)
			t.number[c] = n
			t.changes = append(t.changes, c)
		}
		cells[i] = n
	}
	slices.Sort(cells)
	return cells
}

func (t *cellTable) told(counts []PeopleCount) []PreviewChange {
	told := make([]PreviewChange, len(counts))
	for i, c := range t.changes {
		told[i] = PreviewChange{Client: c.client, Purpose: c.purpose, Attribute: c.attribute, Effect: effectOf(c.from, c.to), From: c.from, To: c.to, People: counts[i]}
	}
	return told
}

func effectOf(from, to privacy.Mode) PreviewEffect {
	switch {
	case from == privacy.ModeDeny:
		return EffectGained
	case to == privacy.ModeDeny:
		return EffectLost
	default:
		return EffectChanged
	}
}

func compareChanges(a, b PreviewChange) int {
	return strings.Compare(strings.Join([]string{string(a.Client), string(a.Purpose), string(a.Attribute), string(a.From), string(a.To)}, "\x00"),
		strings.Join([]string{string(b.Client), string(b.Purpose), string(b.Attribute), string(b.From), string(b.To)}, "\x00"))
}

// outcomesDiffer lists what changes between two outcomes.
func outcomesDiffer(client privacy.ClientID, purpose privacy.PurposeName, attributes []privacy.AttributeName, before, after privacy.Outcome) []change {
	var changes []change
	for _, name := range attributes {
		from, to := modeIn(before, name), modeIn(after, name)
		if from != to {
			changes = append(changes, change{client, purpose, name, from, to})
		}
	}
	return changes
}

func modeIn(outcome privacy.Outcome, name privacy.AttributeName) privacy.Mode {
	if mode, ok := outcome.Permitted[name]; ok && mode.Releases() {
		return mode
	}
	return privacy.ModeDeny
}
