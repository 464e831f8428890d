package custody

import (
	"encoding/binary"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// An index that lacks most people is none; one that lacks those of some key pages is.
func TestSegmentsJudgeWhomTheyLack(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name          string
		lost, counted int
		whole         bool
		refused       bool
	}{
		{"nobody", 0, 0, true, false},
		{"too few to tell", 99, 0, true, false},
		{"all", 100, 0, true, true},
		{"most", 5000, 4999, true, true},
		{"a page of two", 4096, 4096, true, false},
		{"a page, and the others are yet to come", 4096, 0, false, false},
		{"a run that no loss explains", 100_000, 0, false, true},
		{"many of more", 100_000, 100_000, true, false},
	} {
		var l leftOut
		l.begin()
		found := &peopleRead{damaged: make([]privacy.SubjectID, c.lost), counted: c.counted}
		for i := range found.damaged {
			binary.BigEndian.PutUint64(found.damaged[i][:], uint64(i)+1)
		}
		l.note(found)
		if err := l.judge(c.whole); (err != nil) != c.refused {
			t.Errorf("%s: %v", c.name, err)
		}
		found.seen, found.damaged = found.damaged, nil
		if l.note(found); l.count() != 0 {
			t.Errorf("%s: when all are mended %d are left out", c.name, l.count())
		}
	}
}
