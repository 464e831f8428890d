package custody

import (
	"errors"
	"testing"
)

// A record that its group found prepared under an older revision, and that then fails with its group, is not written as it is:
// what the revision in force says of it has not been asked.
func TestRecordOfAnOlderRevisionIsPreparedAgain(t *testing.T) {
	r := &recording{moved: true}
	if err := (&ledgerGroups{}).writeAlone(t.Context(), r); !errors.Is(err, errNotYet) || !r.moved {
		t.Errorf("got %v, moved %v", err, r.moved)
	}
}
