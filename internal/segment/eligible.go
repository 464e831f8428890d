package segment

import (
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/consentry/consentry/internal/privacy"
)

// Permission names a question to the policy: who asks, under which revision, for which facts. Purpose says for which purpose, and so
// which policy states it is about.
type Permission struct {
	Purpose  privacy.PurposeName
	Question string
}

// eligible is everybody whom a permission lets be counted. It is kept up as people change, so that an answer need not gather the states
// that permit: they may be thousands.
type eligible struct {
	purpose int
	permits []bool // by policy state
	people  *roaring.Bitmap
	used    uint64
}

// maxEligible bounds how many permissions are kept up.
const maxEligible = 64

// Undecided lists the policy states that a permission has yet to be decided for; the answer of [Index.Decide] is to follow. A purpose the
// index does not have has none.
func (x *Index) Undecided(permission Permission) []Code {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return x.undecided(permission)
}

func (x *Index) undecided(permission Permission) []Code {
	purpose := slices.Index(x.purposes, permission.Purpose)
	if purpose < 0 {
		return nil
	}
	from := 1
	if set := x.eligible[permission]; set != nil {
		from = max(len(set.permits), 1)
	}
	var codes []Code
	for code := from; code < min(len(x.states[purpose].sets), int(Overflow)); code++ {
		codes = append(codes, Code(code))
	}
	return codes
}

// Decide says which of the states that were undecided permit the use of the facts.
func (x *Index) Decide(permission Permission, codes []Code, permits []bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	purpose := slices.Index(x.purposes, permission.Purpose)
	if purpose < 0 {
		return
	}
	set := x.eligible[permission]
	if set == nil {
		x.makeRoom()
		set = &eligible{purpose: purpose, permits: []bool{false}, people: roaring.New()}
		x.eligible[permission] = set
	}
	x.asked++
	set.used = x.asked
	var gained []*roaring.Bitmap
	for i, code := range codes {
		if int(code) != len(set.permits) {
			continue // somebody else has decided it meanwhile
		}
		set.permits = append(set.permits, permits[i])
		if permits[i] {
			gained = append(gained, x.states[purpose].read(code))
		}
	}
	if len(gained) > 0 {
		set.people.Or(roaring.FastOr(gained...))
	}
}

// makeRoom forgets the permission that was used longest ago.
func (x *Index) makeRoom() {
	if len(x.eligible) < maxEligible {
		return
	}
	var oldest Permission
	least := ^uint64(0)
	for name, set := range x.eligible {
		if set.used < least {
			oldest, least = name, set.used
		}
	}
	delete(x.eligible, oldest)
}

// moved keeps the eligible sets up when somebody's policy state for a purpose has changed.
func (x *Index) moved(purpose int, ordinal uint32, state Code) {
	for _, set := range x.eligible {
		switch {
		case set.purpose != purpose:
		case int(state) < len(set.permits) && set.permits[state]:
			set.people.Add(ordinal)
		default:
			set.people.Remove(ordinal)
		}
	}
}
