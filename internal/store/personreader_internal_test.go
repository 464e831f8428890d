package store

import (
	"encoding/binary"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

// Whatever the order of the rows, everybody has their own consents and nobody else's, and those without a row of their own are left out.
func TestPeopleAreReadInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		want := make(map[privacy.SubjectID][]privacy.PurposeName)
		var rows [][][]byte
		for i := range rapid.IntRange(0, 8).Draw(rt, "people") {
			id := privacy.SubjectID{byte(i), 1}
			purposes := rapid.SliceOfNDistinct(rapid.SampledFrom([]privacy.PurposeName{"a", "b", "c", "d"}), 0, 4, rapid.ID).Draw(rt, "purposes")
			for _, purpose := range purposes {
				rows = append(rows, consentRow(id, purpose))
			}
			if rapid.Bool().Draw(rt, "has a row") {
				rows = append(rows, subjectRow(id))
				want[id] = slices.Sorted(slices.Values(purposes))
			}
		}
		reader := newPersonReader(1)
		for _, row := range rapid.Permutation(rows).Draw(rt, "rows") {
			if err := reader.read(nil, row); err != nil {
				rt.Fatal(err)
			}
		}
		for person := range reader.all() {
			var purposes []privacy.PurposeName
			for i := range person.Consents {
				purposes = append(purposes, person.Consents[i].Purpose)
			}
			slices.Sort(purposes)
			if expected, asked := want[person.Subject.ID]; !asked || !slices.Equal(purposes, expected) {
				rt.Fatalf("read with the consents %v, not %v", purposes, expected)
			}
			if string(person.Subject.State) != string(person.Subject.ID[:]) {
				rt.Fatal("read with the state of another")
			}
			delete(want, person.Subject.ID)
		}
		if len(want) > 0 {
			rt.Fatalf("%d people were not read", len(want))
		}
	})
}

func subjectRow(id privacy.SubjectID) [][]byte {
	row := make([][]byte, colFacets+1)
	row[colSubject], row[colSealed] = id[:], id[:]
	row[colVersion], row[colSlot] = binary.BigEndian.AppendUint64(nil, 1), binary.BigEndian.AppendUint64(nil, 1)
	row[colErased] = []byte{0}
	return row
}

func consentRow(id privacy.SubjectID, purpose privacy.PurposeName) [][]byte {
	row := make([][]byte, colFacets+1)
	row[colSubject], row[colPurpose] = id[:], []byte(purpose)
	return row
}
