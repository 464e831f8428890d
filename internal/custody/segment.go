package custody

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/segment"
	"github.com/consentry/consentry/internal/store"
)

type (
	// SegmentID names a segment.
	SegmentID = store.SegmentID
	// FacetName names a facet.
	FacetName = segment.FacetName
)

// ParseSegmentID reads the text form of a segment's id.
func ParseSegmentID(text string) (SegmentID, error) { return store.ParseSegmentID(text) }

// SegmentDraft is a segment as somebody writes it.
type SegmentDraft struct {
	Name        string
	Description string
	Predicate   json.RawMessage
}

// SegmentView is a stored segment, with what it means in words.
type SegmentView struct {
	ID          string            `json:"id"`
	Version     int32             `json:"version"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Predicate   json.RawMessage   `json:"predicate"`
	Means       map[string]string `json:"means" doc:"What the predicate says, by language."`
	CreatedBy   privacy.ClientID  `json:"created_by"`
	CreatedAt   time.Time         `json:"created_at"`
}

// SegmentMeaning is what a predicate says.
type SegmentMeaning struct {
	Canonical json.RawMessage     `json:"canonical" doc:"The one form of all the ways to say this."`
	Means     map[string]string   `json:"means" doc:"In words, by language."`
	Facets    []segment.FacetName `json:"facets" doc:"The facets it looks at."`
}

// Facets gives what segments may speak of.
func (s *Service) Facets() segment.Facets { return s.segments.facets }

// ExplainSegment checks a predicate and says what it means.
func (s *Service) ExplainSegment(source json.RawMessage) (*SegmentMeaning, error) {
	predicate, canonical, err := s.predicate(source)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(canonical)
	if err != nil {
		return nil, privacy.Internal(err, "write a predicate")
	}
	return &SegmentMeaning{Canonical: text, Means: s.means(predicate), Facets: predicate.Uses()}, nil
}

func (s *Service) means(p segment.Predicate) map[string]string {
	return map[string]string{"en": p.Explain(s.segments.facets, "en"), "zh": p.Explain(s.segments.facets, "zh")}
}

// predicate reads a predicate and holds it against the catalogue.
func (s *Service) predicate(source json.RawMessage) (p, canonical segment.Predicate, err error) {
	if p, err = segment.Parse(source); err != nil {
		return p, canonical, err
	}
	canonical, err = p.Canonical(s.segments.facets)
	return p, canonical, err
}

// PutSegment stores a segment: a new one of a zero id, or else the next version of one, after the version that the caller has seen.
func (s *Service) PutSegment(ctx context.Context, caller Caller, id SegmentID, seen int32, draft SegmentDraft, once Once) (*SegmentView, error) {
	if err := CheckText(draft.Name, 1, 200); err != nil {
		return nil, err
	}
	if err := CheckText(draft.Description, 0, 2000); err != nil {
		return nil, err
	}
	predicate, _, err := s.predicate(draft.Predicate)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(predicate)
	if err != nil {
		return nil, privacy.Internal(err, "write a predicate")
	}
	if id == (SegmentID{}) {
		if id, err = s.newID(); err != nil {
			return nil, err
		}
	} else if err := s.mayChangeSegment(ctx, caller, id); err != nil {
		return nil, err
	}
	row := store.Segment{ID: id, Version: seen + 1, Name: draft.Name, Description: draft.Description, Predicate: text, By: caller.Client}
	var view SegmentView
	err = s.WriteOnce(ctx, once, &view, func(tx *store.Tx) error {
		row.At = s.instant()
		view = s.segmentView(&row, predicate)
		batch, err := s.newBatch(row.At, []audit.Draft{{Action: audit.ActionSegmentWrite, Client: caller.Client, RequestID: caller.Request, Object: segmentObject(&row)}})
		if err != nil {
			return err
		}
		if err := tx.PutSegment(ctx, row); err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	return &view, err
}

var errSegmentOfAnother = privacy.Forbidden("segment_of_another", "another application made the segment: it, or an officer, may change it; store one of your own")

// mayChangeSegment lets the application change a segment that made it, whose campaigns are about it, and officers.
func (s *Service) mayChangeSegment(ctx context.Context, caller Caller, id SegmentID) error {
	first, err := s.store.Segment(ctx, id, 1)
	if err == nil && first.By != caller.Client && !slices.Contains(caller.Roles, privacy.RoleOfficer) {
		err = errSegmentOfAnother
	}
	return err
}

func segmentObject(row *store.Segment) string {
	return "segment/" + row.ID.String() + "@" + strconv.Itoa(int(row.Version))
}

func (s *Service) segmentView(row *store.Segment, predicate segment.Predicate) SegmentView {
	return SegmentView{ID: row.ID.String(), Version: row.Version, Name: row.Name, Description: row.Description, Predicate: row.Predicate, Means: s.means(predicate), CreatedBy: row.By, CreatedAt: row.At}
}

// Segment gives a version of a stored segment, 0 for the newest.
func (s *Service) Segment(ctx context.Context, id SegmentID, version int32) (*SegmentView, error) {
	row, predicate, _, err := s.storedSegment(ctx, id, version)
	if err != nil {
		return nil, err
	}
	view := s.segmentView(row, predicate)
	return &view, nil
}

// Segments lists the newest version of each segment, those made last in front.
func (s *Service) Segments(ctx context.Context, before SegmentID, limit int) ([]SegmentView, error) {
	rows, err := s.store.Segments(ctx, before, limit)
	if err != nil {
		return nil, err
	}
	views := make([]SegmentView, len(rows))
	for i := range rows {
		predicate, err := segment.Parse(rows[i].Predicate)
		if err != nil {
			return nil, privacy.Internal(err, "read a stored segment")
		}
		views[i] = s.segmentView(&rows[i], predicate)
	}
	return views, nil
}

// storedSegment reads a segment whose predicate still makes sense: facets and values may have left the catalogue since.
func (s *Service) storedSegment(ctx context.Context, id SegmentID, version int32) (row *store.Segment, predicate, canonical segment.Predicate, err error) {
	stored, err := s.store.Segment(ctx, id, version)
	if err != nil {
		return nil, predicate, canonical, err
	}
	predicate, canonical, err = s.predicate(stored.Predicate)
	return &stored, predicate, canonical, err
}

// CountSegment tells how many people a segment has, for a purpose.
func (s *Service) CountSegment(ctx context.Context, caller Caller, id SegmentID, purpose privacy.PurposeName) (*Told, error) {
	return s.countSegment(ctx, caller, id, 0, purpose, store.ReleaseCount, nil)
}

func (s *Service) countSegment(ctx context.Context, caller Caller, id SegmentID, version int32, purpose privacy.PurposeName, kind store.ReleaseKind, told []privacy.AttributeName) (*Told, error) {
	row, _, canonical, err := s.storedSegment(ctx, id, version)
	if err != nil {
		return nil, err
	}
	return s.tell(ctx, caller, &groups{kind: kind, purpose: purpose, segment: row, facets: canonical.Uses(), predicates: []segment.Predicate{canonical}, told: told,
		count: func(x *segment.Index, permission segment.Permission) (groupCounts, bool) {
			n, ok := x.Count(permission, canonical)
			return groupCounts{counts: []uint64{n}}, ok
		}})
}

// maxBreakdown is how many facets one breakdown may have.
const maxBreakdown = 3

// BreakSegmentDown tells how the people of a segment are spread over the values of one to three facets.
func (s *Service) BreakSegmentDown(ctx context.Context, caller Caller, id SegmentID, purpose privacy.PurposeName, by []segment.FacetName) (*Told, error) {
	row, _, canonical, err := s.storedSegment(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	if err := s.checkBreakdown(by); err != nil {
		return nil, err
	}
	return s.tell(ctx, caller, &groups{kind: store.ReleaseBreakdown, purpose: purpose, segment: row, facets: append(canonical.Uses(), by...), predicates: []segment.Predicate{canonical}, by: by,
		count: func(x *segment.Index, permission segment.Permission) (groupCounts, bool) {
			tables, ok := x.Breakdowns(permission, []segment.Predicate{canonical}, by)
			if !ok {
				return groupCounts{}, false
			}
			return s.tableCounts(&tables[0]), true
		}})
}

// checkBreakdown says alike to everybody whether there is such a breakdown: it looks at the catalogue, and at nobody's values.
func (s *Service) checkBreakdown(by []segment.FacetName) error {
	if len(by) == 0 || len(by) > maxBreakdown {
		return privacy.Invalid("invalid_breakdown", "break down by one to three facets")
	}
	for i, name := range by {
		if _, known := s.segments.facets.Find(name); !known {
			return privacy.Invalid("unknown_facet", "the catalogue has no such facet")
		}
		if slices.Contains(by[:i], name) {
			return privacy.Invalid("invalid_breakdown", "name each facet once")
		}
	}
	if s.segments.facets.Cells(by) > segment.MaxCells {
		return privacy.Invalid("breakdown_too_wide", "the breakdown would have more than 10,000 cells, most of them empty; take fewer facets")
	}
	return nil
}

// tableCounts labels the cells of a breakdown. Suppressed cells are left out where the value of a facet is one that people wrote.
func (s *Service) tableCounts(table *segment.Table) groupCounts {
	open := make([]bool, len(table.By))
	for i, name := range table.By {
		facet, _ := s.segments.facets.Find(name)
		open[i] = facet.Open()
	}
	return groupCounts{counts: table.Counts,
		label: func(cell int) map[string]*string {
			labels := make(map[string]*string, len(table.By))
			for i, value := range table.Values(cell) {
				labels[string(table.By[i])] = known(value)
			}
			return labels
		},
		hide: func(cell int) bool {
			for i, value := range table.Values(cell) {
				if open[i] && value != "" {
					return true
				}
			}
			return false
		}}
}

// known gives nil for the value that nobody has given.
func known(value string) *string {
	if value == "" {
		return nil
	}
	return &value
}

// OverlapSegments tells how many people are in one segment alone, in the other alone, and in both.
func (s *Service) OverlapSegments(ctx context.Context, caller Caller, id, other SegmentID, purpose privacy.PurposeName) (*Told, error) {
	row, _, first, err := s.storedSegment(ctx, id, 0)
	if err != nil {
		return nil, err
	}
	_, _, second, err := s.storedSegment(ctx, other, 0)
	if err != nil {
		return nil, err
	}
	return s.tell(ctx, caller, &groups{kind: store.ReleaseOverlap, purpose: purpose, segment: row, facets: append(first.Uses(), second.Uses()...), predicates: []segment.Predicate{first, second},
		count: func(x *segment.Index, permission segment.Permission) (groupCounts, bool) {
			a, b, both, ok := x.Overlap(permission, first, second)
			return groupCounts{counts: []uint64{a, b, both}, label: func(cell int) map[string]*string {
				return map[string]*string{"segment": &[]string{"first", "second", "both"}[cell]}
			}}, ok
		}})
}

// bought describes those with a purchase: the stage of a customer's life counts from the last one.
var bought = segment.Predicate{Op: segment.OpExists, Facet: "lifecycle_stage"}

// reportFacets are the facets that there are ready reports on.
func reportFacets() []segment.FacetName {
	return []segment.FacetName{"city", "industry", "customer_level", "source"}
}

// Report tells how all customers are spread over the values of a facet, those with a purchase and those without.
func (s *Service) Report(ctx context.Context, caller Caller, by segment.FacetName, purpose privacy.PurposeName) (*Told, error) {
	if !slices.Contains(reportFacets(), by) {
		return nil, privacy.Invalid("unknown_report", "there are reports by city, industry, customer_level and source")
	}
	if err := s.checkBreakdown([]segment.FacetName{by, bought.Facet}); err != nil {
		return nil, err
	}
	return s.tell(ctx, caller, &groups{kind: store.ReleaseReport, purpose: purpose, facets: []segment.FacetName{by, bought.Facet}, by: []segment.FacetName{by},
		count: func(x *segment.Index, permission segment.Permission) (groupCounts, bool) {
			tables, ok := x.Breakdowns(permission, []segment.Predicate{bought, {Op: segment.OpNot, Of: []segment.Predicate{bought}}}, []segment.FacetName{by})
			if !ok {
				return groupCounts{}, false
			}
			return s.purchaseCounts(&tables[0], &tables[1]), true
		}})
}

func (s *Service) purchaseCounts(with, without *segment.Table) groupCounts {
	yes, no := "yes", "no"
	first, second := s.tableCounts(with), s.tableCounts(without)
	at := func(cell int) (*groupCounts, int, *string) {
		if cell < len(first.counts) {
			return &first, cell, &yes
		}
		return &second, cell - len(first.counts), &no
	}
	return groupCounts{counts: slices.Concat(first.counts, second.counts),
		label: func(cell int) map[string]*string {
			part, i, purchase := at(cell)
			labels := part.label(i)
			labels["purchase"] = purchase
			return labels
		},
		hide: func(cell int) bool {
			part, i, _ := at(cell)
			return part.hide(i)
		}}
}

// TrendPoint is a count that was told in the past.
type TrendPoint struct {
	At      time.Time `json:"at"`
	Version int32     `json:"version" doc:"Of the segment."`
	Count   *int64    `json:"count"`
	Margin  int64     `json:"margin" doc:"95 of 100 counts are no further from the truth."`
}

// Trend gives the counts of a segment that a client was told for a purpose, newest first. It asks nothing anew, and costs nothing.
func (s *Service) Trend(ctx context.Context, caller Caller, id SegmentID, purpose privacy.PurposeName, before time.Time, limit int) ([]TrendPoint, error) {
	if _, err := s.store.Segment(ctx, id, 0); err != nil {
		return nil, err
	}
	rows, err := s.store.Releases(ctx, id, store.Account{Client: caller.Client, Purpose: purpose}, before, limit)
	if err != nil {
		return nil, err
	}
	points := make([]TrendPoint, len(rows))
	for i := range rows {
		var told Told
		if err := recall(rows[i].Answer, &told); err != nil {
			return nil, err
		}
		points[i] = TrendPoint{At: rows[i].At, Version: rows[i].Version, Margin: segment.Setting{Epsilon: segment.Epsilon(rows[i].Epsilon)}.Margin()}
		if len(told.Cells) == 1 {
			points[i].Count = told.Cells[0].Count
		}
	}
	return points, nil
}
