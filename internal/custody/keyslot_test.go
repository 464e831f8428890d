package custody_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

// After a restore from a backup the sequence counts again through slots that were used since; those whose
// keys were erased are passed over.
func TestCreationPassesOverErasedSlots(t *testing.T) {
	t.Parallel()
	v := setup(t)
	for n := range 6 {
		v.put(fmt.Sprintf("p%d@example.com", n), nil)
	}
	if err := v.keys.Puncture(t.Context(), 6, 7, 9); err != nil {
		t.Fatal(err)
	}
	profiles := make([]custody.Profile, 4)
	for n := range profiles {
		profiles[n] = v.profile([]string{fmt.Sprintf("n%d@example.com", n)}, fields{"given_name": "Ada", "country": "DE"})
	}
	results, err := v.Upsert(t.Context(), steward, profiles)
	if err != nil {
		t.Fatal(err)
	}
	for n, slot := range []int{8, 10, 11, 12} {
		if got := v.count(`SELECT key_slot FROM subject WHERE subject_id = $1`, [16]byte(results[n].ID)); got != slot {
			t.Errorf("profile %d has slot %d, want %d", n, got, slot)
		}
		v.decide(results[n].ID, privacy.ActionGrant)
		v.wantTold(results[n].ID, told{"given_name": `"Ada"`})
	}
}

func TestCreationMakesAPageOnItsFirstUse(t *testing.T) {
	t.Parallel()
	v := setup(t)
	v.exec(`SELECT setval('subject_key_slot', 4094)`)
	for n := range 3 { // 4095, 4096, 4097
		v.put(fmt.Sprintf("p%d@example.com", n), nil)
	}
	if n := v.count(`SELECT count(*) FROM key_page WHERE page IN (0, 1)`); n != 2 {
		t.Errorf("%d pages are known", n)
	}
}

// A key page that is known and missing is a loss to be told, not to be papered over with a fresh page.
func TestCreationDoesNotRemakeALostPage(t *testing.T) {
	t.Parallel()
	v := setup(t)
	v.put("ada@example.com", nil)
	if err := os.RemoveAll(filepath.Join(v.dir, "records", "pages", "0")); err != nil {
		t.Fatal(err)
	}
	v.keys.Forget()
	for _, service := range []*vault{v, v.another()} {
		_, err := service.UpsertOne(t.Context(), steward, service.profile([]string{"bob@example.com"}, nil), custody.Once{})
		wantCode(t, err, privacy.KindInternal, "key_page_missing")
		if _, err := service.keys.Subject(t.Context(), privacy.SubjectID{1}, 0); privacy.CodeOf(err) != privacy.CodeOf(keyring.ErrPageMissing) {
			t.Errorf("the page was made anew: %v", err)
		}
	}
	if n := v.count(`SELECT count(*) FROM subject`); n != 1 {
		t.Errorf("%d subjects", n)
	}
}
