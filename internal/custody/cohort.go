package custody

import "slices"

// CohortMinimum is how many people a count must be about to be told.
const CohortMinimum = 50

// PeopleCount is how many people something is about, told so that nobody is singled out.
//
// Not only is a small count kept back. People are first put into groups that are alike in all that is counted, and
// groups of fewer than the minimum are left out of every count: so no sum or difference of
// the counts that were told together is about fewer people than the minimum.
type PeopleCount struct {
	Count        *int `json:"count"`                   // null when it is below the minimum
	BelowMinimum bool `json:"below_minimum,omitempty"` // there is somebody, but not the minimum of people who are alike
	AtLeast      bool `json:"at_least,omitempty"`      // some more, in groups below the minimum, are left out
}

// peopleGroup is people who are alike: in all of the cells named, and in no other.
type peopleGroup struct {
	cells  []int
	people int
}

// countCells gives the count of each cell. Groups may repeat: those of the same cells are one.
func countCells(cells, minimum int, groups []peopleGroup) []PeopleCount {
	counts := make([]PeopleCount, cells)
	for _, group := range mergeGroups(groups) {
		for _, cell := range group.cells {
			count := &counts[cell]
			switch {
			case group.people < minimum && count.Count == nil:
				count.BelowMinimum = true
			case group.people < minimum:
				count.AtLeast = true
			case count.Count == nil:
				people := group.people
				*count = PeopleCount{Count: &people, AtLeast: count.BelowMinimum}
			default:
				*count.Count += group.people
			}
		}
	}
	return counts
}

// countAll gives the count of everybody, those in no cell included, beside the counts of cells. It is told only when
// what it leaves after taking the cells away is nobody, or enough people again.
func countAll(everybody, minimum int, groups []peopleGroup) PeopleCount {
	rest := everybody
	for _, group := range mergeGroups(groups) {
		if len(group.cells) > 0 && group.people >= minimum {
			rest -= group.people
		}
	}
	if everybody > 0 && everybody < minimum || rest > 0 && rest < minimum {
		return PeopleCount{BelowMinimum: true}
	}
	return PeopleCount{Count: &everybody}
}

// mergeGroups brings groups of the same cells together, the larger first.
func mergeGroups(groups []peopleGroup) []peopleGroup {
	merged := slices.Clone(groups)
	slices.SortFunc(merged, func(a, b peopleGroup) int { return slices.Compare(a.cells, b.cells) })
	kept := merged[:0]
	for _, group := range merged {
		if group.people == 0 {
			continue
		}
		if n := len(kept); n > 0 && slices.Equal(kept[n-1].cells, group.cells) {
			kept[n-1].people += group.people
		} else {
			kept = append(kept, group)
		}
	}
	slices.SortFunc(kept, func(a, b peopleGroup) int { return b.people - a.people })
	return kept
}
