package policy

import "strings"

// mostLines bounds the lines that are compared one by one: the table of common subsequences has their square.
const mostLines = 3000

// lineChanges counts the lines that were added and removed: those outside a longest common
// subsequence (Wagner and Fischer 1974). Of texts too long for that it compares which lines there are.
func lineChanges(before, after string) (added, removed int) {
	a, b := linesOf(before), linesOf(after)
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	var common int
	if len(a) > mostLines || len(b) > mostLines {
		common = commonLines(a, b)
	} else {
		common = commonSubsequence(a, b)
	}
	return len(b) - common, len(a) - common
}

func linesOf(text string) []string {
	if text == "" {
		return nil
	}
	return strings.Split(strings.TrimSuffix(text, "\n"), "\n")
}

func commonSubsequence(a, b []string) int {
	row := make([]int, len(b)+1)
	for _, line := range a {
		diagonal := 0
		for j, other := range b {
			above := row[j+1]
			if line == other {
				row[j+1] = diagonal + 1
			} else {
				row[j+1] = max(above, row[j])
			}
			diagonal = above
		}
	}
	return row[len(b)]
}

func commonLines(a, b []string) int {
	count := map[string]int{}
	for _, line := range a {
		count[line]++
	}
	var common int
	for _, line := range b {
		if count[line] > 0 {
			count[line]--
			common++
		}
	}
	return common
}
