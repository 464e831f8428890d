package governance

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/consentry/consentry/internal/policy"
)

// PreviewFor previews with a cohort minimum of the test's choosing.
func (s *Service) PreviewFor(ctx context.Context, candidate policy.Revision, days, minimum int) (*Preview, error) {
	p, err := s.newPreview(ctx, candidate)
	if err != nil {
		return nil, err
	}
	return p.run(ctx, days, minimum)
}

func TestCountsKeepSmallGroupsBack(t *testing.T) {
	t.Parallel()
	// 60 people are in cells 0 and 1, 20 more in 0 alone, 10 in 2.
	groups := []peopleGroup{{[]int{0, 1}, 40}, {[]int{0}, 20}, {[]int{2}, 10}, {[]int{0, 1}, 20}, {nil, 70}}
	counts := countCells(3, 50, groups)
	if got := counts[0]; got.Count == nil || *got.Count != 50 || !got.AtLeast || got.BelowMinimum {
		t.Errorf("cell 0: %+v; 80 and 60 would tell of 20", got)
	}
	if got := counts[1]; got.Count == nil || *got.Count != 50 || !got.AtLeast {
		t.Errorf("cell 1: %+v", got)
	}
	if got := counts[2]; got.Count != nil || !got.BelowMinimum {
		t.Errorf("cell 2: %+v", got)
	}
	if all := countAll(160, 50, groups); all.Count == nil || *all.Count != 150 || !all.AtLeast {
		t.Errorf("everybody: %+v", all)
	}
	// Of 130 people, 60 and 70 are in cells that are told: everybody would tell nothing more. Of 140, the ten in neither.
	if all := countAll(130, 50, []peopleGroup{{[]int{0}, 60}, {[]int{1}, 70}}); all.Count == nil {
		t.Error("nobody is left, and everybody is kept back")
	}
	if all := countAll(140, 50, []peopleGroup{{[]int{0}, 60}, {[]int{1}, 70}, {nil, 10}}); all.Count != nil || !all.BelowMinimum {
		t.Errorf("everybody, less what is told, tells of ten: %+v", all)
	}
	if all := countAll(0, 50, nil); all.Count == nil || *all.Count != 0 {
		t.Errorf("of nobody: %+v", all)
	}
}

// All that is told is a sum of groups that are large enough, so no difference of it can be about a smaller one.
func TestSmallGroupsLeaveNoTrace(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		const cells, minimum = 4, 50
		var groups []peopleGroup
		for range 1 + random.IntN(6) {
			var in []int
			for cell := range cells {
				if random.IntN(2) == 0 {
					in = append(in, cell)
				}
			}
			people := random.IntN(120)
			groups = append(groups, peopleGroup{in, people})
		}
		for _, group := range mergeGroups(groups) {
			if group.people >= minimum || len(group.cells) == 0 {
				continue
			}
			// A group below the minimum must leave no trace: without it, everything told stays as it is.
			without := slices.DeleteFunc(mergeGroups(groups), func(g peopleGroup) bool { return slices.Equal(g.cells, group.cells) })
			a, b := countCells(cells, minimum, groups), countCells(cells, minimum, without)
			for cell := range cells {
				if a[cell].Count != nil && *a[cell].Count%minimum != 0 {
					t.Fatalf("cell %d tells %d, which with another count can tell of a few", cell, *a[cell].Count)
				}
				if (a[cell].Count == nil) != (b[cell].Count == nil) || a[cell].Count != nil && *a[cell].Count != *b[cell].Count {
					t.Fatalf("cell %d tells %v with and %v without a group of %d", cell, a[cell], b[cell], group.people)
				}
			}
		}
	}
}
