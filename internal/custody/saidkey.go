package custody

import (
	"slices"
	"strconv"

	"github.com/consentry/consentry/internal/privacy"
)

// saidKey is what a policy state has from what the subject said, by which it is compared: building an index of everybody is comparing, for
// the most part. Words that are known, as all are that were checked on the way in, are bits of it.
type saidKey struct {
	notice int
	bits   uint32
	words  string // the others; "" nearly always
}

var (
	knownStatuses = []privacy.ConsentStatus{privacy.ConsentNone, privacy.ConsentGranted, privacy.ConsentDenied, privacy.ConsentWithdrawn, privacy.ConsentExpired, privacy.ConsentPending}
	knownGivers   = []privacy.ConsentBy{privacy.BySelf, privacy.ByGuardian}
	knownScopes   = []privacy.ConsentScope{privacy.ScopeThirdParty, privacy.ScopePublic, privacy.ScopePublicImage, privacy.ScopeSensitive, privacy.ScopeTransfer}
)

// Where in the bits each set of words begins; what is said with yes or no stands in front of them.
const (
	statusBits = 8
	giverBits  = 16
	scopeBits  = 24
)

func newSaidKey(s *privacy.SubjectState) saidKey {
	key := saidKey{notice: s.Consent.NoticeVersion}
	for i, yes := range [...]bool{s.Restricted, s.StorageOnly, s.Objected, s.OptOutSignal, s.LimitSensitive, s.SoftOptIn, s.Consent.Explicit} {
		if yes {
			key.bits |= 1 << i
		}
	}
	say(&key, statusBits, knownStatuses, s.Consent.Status)
	say(&key, giverBits, knownGivers, s.Consent.By)
	for _, scope := range s.Consent.SeparateFor {
		say(&key, scopeBits, knownScopes, scope)
	}
	return key
}

// say adds a word to the key.
func say[W ~string](key *saidKey, bits int, known []W, word W) {
	if place := slices.Index(known, word); place >= 0 {
		key.bits |= 1 << (bits + place)
	} else {
		key.words += strconv.Itoa(bits) + strconv.Quote(string(word))
	}
}
