package segment

import (
	"sync"
	"time"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/consentry/consentry/internal/privacy"
)

// Index holds everybody's facets and policy states. Any number of goroutines may ask while one applies changes; an answer
// sees all of a batch of changes or nothing of it. (Roaring bitmaps: Lemire et al., Software: Practice and Experience 48(4), 2018.)
type Index struct {
	facets   Facets
	purposes []privacy.PurposeName

	mu       sync.RWMutex
	ordinals ordinals
	settled  uint32 // whose ordinal is smaller is in the sets of their values
	versions paged[uint32]
	present  *roaring.Bitmap
	words    *vocabulary
	columns  []column // by facet
	states   []column // by purpose
	diary    diary
	eligible map[Permission]*eligible
	asked    uint64 // counts questions, to tell which eligible set was used longest ago
}

// Version orders what is known of one subject: the newest wins, in whatever order versions are applied.
type Version uint32

// Subject is what is known of one subject at one version.
type Subject struct {
	ID      privacy.SubjectID
	Version Version
	Gone    bool      // erased: counted nowhere
	Facets  []Code    // values in the order of the index's facets ([Index.Codes])
	States  []Code    // policy states in the order of the index's purposes, each numbered by the caller from 1 on; 0 permits nothing
	Due     time.Time // when to look again; zero: never
}

// NewIndex makes an empty index of some facets for some purposes.
func NewIndex(facets Facets, purposes []privacy.PurposeName) *Index {
	return &Index{facets: facets, purposes: purposes, present: roaring.New(),
		words: newVocabulary(facets), columns: make([]column, len(facets)), states: make([]column, len(purposes)),
		eligible: make(map[Permission]*eligible)}
}

// Facets gives the facets of the index.
func (x *Index) Facets() Facets { return x.facets }

// Purposes gives the purposes of the index, in the order of [Subject.States].
func (x *Index) Purposes() []privacy.PurposeName { return x.purposes }

// Codes finds the codes of a subject's values, which stand in the order of the facets, "" for none.
func (x *Index) Codes(values []string, codes []Code) { x.words.codes(values, codes) }

// change is a subject that is newer than what was known.
type change struct {
	*Subject
	ordinal uint32
	present bool // before
}

// Apply takes changes in. One that is older than what is known already, or as old, changes nothing.
func (x *Index) Apply(subjects []Subject) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.take(subjects)
	x.settle()
}

func (x *Index) take(subjects []Subject) {
	changes := x.place(subjects)
	for i := range x.columns { // one after the other, because a column's sets stay at hand
		for c := range changes {
			x.columns[i].apply(&changes[c], changes[c].facet(i), x.settled)
		}
	}
	for i := range x.states {
		for c := range changes {
			if x.states[i].apply(&changes[c], changes[c].state(i), x.settled) {
				x.moved(i, changes[c].ordinal, changes[c].state(i))
			}
		}
	}
}

// place takes in who is there, at which version and until when.
func (x *Index) place(subjects []Subject) []change {
	changes := make([]change, 0, len(subjects))
	for i := range subjects {
		s := &subjects[i]
		ordinal := x.ordinals.add(s.ID)
		version := x.versions.make(ordinal)
		if s.Version <= Version(*version) {
			continue
		}
		*version = uint32(s.Version)
		changes = append(changes, change{s, ordinal, x.present.Contains(ordinal)})
		if s.Gone {
			x.present.Remove(ordinal)
			continue
		}
		x.present.Add(ordinal)
		if !s.Due.IsZero() {
			x.diary.note(ordinal, s.Due.Unix())
		}
	}
	return changes
}

func (c *change) facet(i int) Code {
	if c.Gone {
		return 0
	}
	return c.Facets[i]
}

func (c *change) state(i int) Code {
	if c.Gone {
		return 0
	}
	return c.States[i]
}

// Due takes out those who are to be looked at again by a time. They are lost to the index's diary until they are applied again.
func (x *Index) Due(now time.Time) []privacy.SubjectID {
	x.mu.Lock()
	defer x.mu.Unlock()
	due := x.diary.due(now.Unix())
	ids := make([]privacy.SubjectID, len(due))
	for i, ordinal := range due {
		ids[i] = *x.ordinals.ids.at(ordinal)
	}
	return ids
}

// Again notes that somebody has to be looked at again at a time, for what was taken out of the diary and could not be dealt with.
func (x *Index) Again(ids []privacy.SubjectID, at time.Time) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range ids {
		if ordinal, ok := x.ordinals.find(id); ok {
			x.diary.note(ordinal, at.Unix())
		}
	}
}

// NextDue tells until when nothing changes by itself; zero when nothing ever does.
func (x *Index) NextDue() time.Time {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if at := x.diary.first(); at != 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}

// Size is how much an index holds.
type Size struct {
	Subjects uint64
	Values   int // distinct values of all facets
	States   int // distinct policy states of all purposes
	Bytes    uint64
}

// Size measures the index.
func (x *Index) Size() Size {
	x.mu.RLock()
	defer x.mu.RUnlock()
	size := Size{Subjects: x.present.GetCardinality(), Values: x.words.size(), Bytes: x.ordinals.bytes() + x.versions.bytes() + x.diary.bytes() + x.present.GetSizeInBytes()}
	for i := range x.columns {
		size.Bytes += x.columns[i].bytes()
	}
	for i := range x.states {
		size.Bytes += x.states[i].bytes()
		size.States += max(len(x.states[i].sets)-1, 0)
	}
	for _, set := range x.eligible {
		size.Bytes += set.people.GetSizeInBytes()
	}
	return size
}
