package governance

import "slices"

// CohortMinimum is how many people a count must be about to be told.
const CohortMinimum = 50

// PeopleCount is how many people something is about, told so that nobody is singled out by the way.
//
// A small count is kept back. People are first put into groups that are alike in all that is counted together, and groups of
// fewer than the minimum are left out. What remains is told in whole multiples of the minimum: so two counts, be they of
// two purposes or of two previews, never differ by a few people. That is no noise and no budget, as answers about segments
// have: who changes a draft person by person, to see when a count jumps, finds a border. Such drafts and previews are on
// record, and those who may make them may also read the people's entries.
type PeopleCount struct {
	Count        *int `json:"count"`                   // a multiple of the minimum; null when it is below that
	BelowMinimum bool `json:"below_minimum,omitempty"` // there is somebody, but not the minimum of people who are alike
	AtLeast      bool `json:"at_least,omitempty"`      // there are some more
}

// countOf is the count of people who are enough to be told.
func countOf(people, minimum int, more bool) PeopleCount {
	told := people - people%minimum
	return PeopleCount{Count: &told, AtLeast: more || told < people}
}

// peopleGroup is people who are alike: in all of the cells named, and in no other.
type peopleGroup struct {
	cells  []int
	people int
}

// countCells gives the count of each cell. Groups may repeat: those of the same cells are one.
func countCells(cells, minimum int, groups []peopleGroup) []PeopleCount {
	people, more := make([]int, cells), make([]bool, cells)
	for _, group := range mergeGroups(groups) {
		for _, cell := range group.cells {
			if group.people < minimum {
				more[cell] = true
			} else {
				people[cell] += group.people
			}
		}
	}
	counts := make([]PeopleCount, cells)
	for cell := range counts {
		switch {
		case people[cell] > 0:
			counts[cell] = countOf(people[cell], minimum, more[cell])
		case more[cell]:
			counts[cell] = PeopleCount{BelowMinimum: true}
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
	return countOf(everybody, minimum, false)
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
