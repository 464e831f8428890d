package mapping

import (
	"strings"
	"time"
	"unicode/utf8"
)

// layout is a time.Parse layout made of a format as people write it.
type layout string

// newLayout translates YYYY, MM or M, DD or D, HH, mm and ss, each at most once; anything
// else must be a separator. Years of two digits are refused: a century is not guessed.
func newLayout(format string) (layout, bool) {
	tokens := []struct{ written, layout string }{
		{"YYYY", "2006"}, {"MM", "01"}, {"M", "1"}, {"DD", "02"}, {"D", "2"}, {"HH", "15"}, {"mm", "04"}, {"ss", "05"},
	}
	var out strings.Builder
	seen := map[byte]bool{}
next:
	for rest := format; rest != ""; {
		for _, token := range tokens {
			if strings.HasPrefix(rest, token.written) {
				if seen[rest[0]] {
					return "", false
				}
				seen[rest[0]] = true
				out.WriteString(token.layout)
				rest = rest[len(token.written):]
				continue next
			}
		}
		r, size := utf8.DecodeRuneInString(rest)
		if !strings.ContainsRune("-/. ,:T年月日", r) {
			return "", false
		}
		out.WriteString(rest[:size])
		rest = rest[size:]
	}
	return layout(out.String()), seen['Y'] && seen['M'] && seen['D']
}

func (l layout) parse(cell string) (time.Time, bool) {
	t, err := time.Parse(string(l), cell)
	return t, err == nil
}

// TimeRule says when a record was collected: one time for all, or a column.
type TimeRule struct {
	Column   string `yaml:"column"`
	Constant string `yaml:"constant"` // RFC 3339, or a date as YYYY-MM-DD
	Format   string `yaml:"format"`   // of the column; RFC 3339 or YYYY-MM-DD when absent

	layout layout
}

func (r *TimeRule) compile() error {
	if r == nil {
		return nil
	}
	if (r.Column == "") == (r.Constant == "") || r.Constant != "" && r.Format != "" {
		return invalid("collected_at: either a constant, or a column with or without format")
	}
	ok := true
	if r.Format != "" {
		r.layout, ok = newLayout(r.Format)
	}
	if r.Constant != "" {
		_, ok = r.read(r.Constant)
	}
	if !ok {
		return invalid("collected_at: the constant or the format cannot be read")
	}
	return nil
}

func (r *TimeRule) read(cell string) (time.Time, bool) {
	if r.layout != "" {
		return r.layout.parse(cell)
	}
	if t, err := time.Parse(time.RFC3339, cell); err == nil {
		return t.UTC(), true
	}
	t, err := time.Parse(time.DateOnly, cell)
	return t, err == nil
}
