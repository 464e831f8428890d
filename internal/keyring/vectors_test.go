package keyring

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// SharedData is set by TestMain, which is outside the package because the test
// environment may one day import it.
var SharedData func(t testing.TB, path ...string) string

func loadJSON(t testing.TB, into any, path ...string) {
	t.Helper()
	data, err := os.ReadFile(SharedData(t, path...))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

type hexBytes []byte

func (h *hexBytes) UnmarshalText(text []byte) (err error) {
	*h, err = hex.DecodeString(string(text))
	return err
}

type vectors struct {
	Root        hexBytes            `json:"root"`
	SubjectKeys map[string]hexBytes `json:"subject_keys"`
	Punctured   []struct {
		Erased erasedSet `json:"erased"`
		Nodes  []struct {
			Prefix string   `json:"prefix"`
			Key    hexBytes `json:"key"`
		} `json:"nodes"`
	} `json:"punctured"`
	Sealed []struct {
		AssociatedData hexBytes            `json:"associated_data"`
		AttributeID    privacy.AttributeID `json:"attribute_id"`
		Kind           Kind                `json:"kind"`
		Nonce          hexBytes            `json:"nonce"`
		Plaintext      string              `json:"plaintext_utf8"`
		Sealed         hexBytes            `json:"sealed"`
		Slot           privacy.KeySlot     `json:"slot"`
		SubjectID      privacy.SubjectID   `json:"subject_id"`
		Version        uint32              `json:"version"`
	} `json:"sealed"`
	IndexKey   hexBytes `json:"index_key"`
	BlindIndex []struct {
		Type       privacy.IdentifierType `json:"type"`
		Normalised string                 `json:"normalised"`
		BlindIndex hexBytes               `json:"blind_index"`
	} `json:"blind_index"`
}

// erasedSet reads a list of slots or "all but <slot>".
type erasedSet []int

func (e *erasedSet) UnmarshalJSON(data []byte) error {
	var kept string
	if err := json.Unmarshal(data, (*[]int)(e)); err == nil {
		return nil
	}
	if err := json.Unmarshal(data, &kept); err != nil {
		return err
	}
	var but int
	if _, err := fmt.Sscanf(kept, "all but %d", &but); err != nil {
		return err
	}
	*e = nil
	for slot := range PageSize {
		if slot != but {
			*e = append(*e, slot)
		}
	}
	return nil
}

func loadVectors(t testing.TB) vectors {
	t.Helper()
	var v vectors
	loadJSON(t, &v, "vectors", "keyring.json")
	if len(v.SubjectKeys) == 0 || len(v.Punctured) == 0 || len(v.Sealed) == 0 || len(v.BlindIndex) == 0 {
		t.Fatal("known answers are missing")
	}
	return v
}

func TestKnownSubjectKeys(t *testing.T) {
	v := loadVectors(t)
	fresh := newTree(key(v.Root))
	all := fresh.expand()
	for name, want := range v.SubjectKeys {
		slot, err := strconv.Atoi(name)
		if err != nil {
			t.Fatal(err)
		}
		got, live := newPage(fresh).derive(slot)
		if !live || got != key(want) {
			t.Errorf("slot %d derives another key", slot)
		}
		if !all.live[slot] || all.keys[slot] != key(want) {
			t.Errorf("slot %d expands to another key", slot)
		}
	}
}

func TestKnownPunctures(t *testing.T) {
	v := loadVectors(t)
	for _, c := range v.Punctured {
		t.Run(fmt.Sprintf("%d erased", len(c.Erased)), func(t *testing.T) {
			got := newTree(key(v.Root)).without(c.Erased)
			if len(got) != len(c.Nodes) {
				t.Fatalf("%d nodes, want %d", len(got), len(c.Nodes))
			}
			want := make(map[string]key)
			for _, n := range c.Nodes {
				want[n.Prefix] = key(n.Key)
			}
			for _, n := range got {
				written := fmt.Sprintf("%0*x", int(n.level), n.path)
				if want[written] != n.key {
					t.Errorf("node %s differs", written)
				}
			}
			for _, slot := range c.Erased {
				if _, live := newPage(got).derive(slot); live {
					t.Fatalf("erased slot %d derives", slot)
				}
			}
		})
	}
}

func TestKnownSealedValues(t *testing.T) {
	v := loadVectors(t)
	for i, c := range v.Sealed {
		ad := Place{c.SubjectID, c.Kind, c.AttributeID, c.Version}.associatedData()
		if !bytes.Equal(ad[:], c.AssociatedData) {
			t.Errorf("value %d: associated data %x, want %x", i, ad, []byte(c.AssociatedData))
		}
		secret, _ := newPage(newTree(key(v.Root))).derive(indexOf(c.Slot))
		s, err := newSubject(c.SubjectID, &secret, bytes.NewReader(c.Nonce), new(scratch))
		if err != nil {
			t.Fatal(err)
		}
		sealed, err := s.Seal(c.Kind, c.AttributeID, c.Version, privacy.NewCleartext(c.Plaintext))
		if err != nil || !bytes.Equal(sealed, c.Sealed) {
			t.Errorf("value %d: sealed %x (%v), want %x", i, sealed, err, []byte(c.Sealed))
		}
		value, err := s.Open(c.Kind, c.AttributeID, c.Version, c.Sealed)
		if err != nil || value != privacy.NewCleartext(c.Plaintext) {
			t.Errorf("value %d does not open: %v", i, err)
		}
	}
}

func TestKnownBlindIndexes(t *testing.T) {
	v := loadVectors(t)
	k := &Keyring{hashes: newHashKeys(key(v.IndexKey), key{}, key{})}
	for _, c := range v.BlindIndex {
		if got := k.BlindIndex(c.Type, privacy.NewCleartext(c.Normalised)); !bytes.Equal(got[:], c.BlindIndex) {
			t.Errorf("%s: %x, want %x", c.Type, got, []byte(c.BlindIndex))
		}
	}
}
