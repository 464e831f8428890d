package privacy

import (
	"slices"
	"strings"
	"time"
)

// Standing is what holds for a subject as a whole, beside their consent for single purposes:
// what they object to, and the signals that were received for them. It has no personal
// data in it, and its JSON form is what the database keeps; the zero Standing is "{}".
//
// A Standing is a value: its methods give a changed copy.
type Standing struct {
	Objections     []Objection `json:"objections,omitempty"`     // one for each scope, in order of scope
	OptOutSignal   time.Time   `json:"opt_out_signal,omitzero"`  // when an opt-out of sale and sharing was last received
	LimitSensitive time.Time   `json:"limit_sensitive,omitzero"` // when the use of sensitive data was last limited
	RestrictedAt   time.Time   `json:"restricted,omitzero"`      // since when all use is restricted
}

// Objection is a no to processing that rests on no consent, or on an older one (GDPR Art. 21).
type Objection struct {
	Scope ObjectionScope `json:"scope"`
	At    time.Time      `json:"at"`
}

// ObjectionScope says what an objection or its lifting is about: one purpose, a family of purposes
// ("marketing.*"), or everything ("*").
type ObjectionScope string

// ScopeEverything is the scope of an objection to all there is to object to.
const ScopeEverything ObjectionScope = "*"

const familySuffix = ".*"

// Purpose gives the one purpose that the scope names; ok is false for a family and for everything.
func (s ObjectionScope) Purpose() (purpose PurposeName, ok bool) {
	if s == ScopeEverything || strings.HasSuffix(string(s), familySuffix) {
		return "", false
	}
	return PurposeName(s), s != ""
}

// Family gives the first word of a purpose's name: "marketing" of "marketing.email".
func (p PurposeName) Family() string {
	family, _, _ := strings.Cut(string(p), ".")
	return family
}

func (s ObjectionScope) family() string { return PurposeName(s).Family() }

// Covers reports whether an objection of this scope reaches a purpose. One to a purpose reaches its whole
// family: who objects to marketing by email has objected to marketing (GDPR Art. 21(3)).
func (s ObjectionScope) Covers(purpose PurposeName) bool {
	return s == ScopeEverything || s != "" && s.family() == purpose.Family()
}

// lifts reports whether lifting this scope ends an objection of that one: of the same scope, or of one
// that lies within it. Lifting one purpose does not end an objection to its family.
func (s ObjectionScope) lifts(objected ObjectionScope) bool {
	family, isFamily := strings.CutSuffix(string(s), familySuffix)
	return s == ScopeEverything || s == objected || isFamily && objected != ScopeEverything && objected.family() == family
}

// Valid reports whether the scope has a form it can have. Whether a policy knows the purpose is another question.
func (s ObjectionScope) Valid() bool {
	if s == ScopeEverything {
		return true
	}
	name := strings.TrimSuffix(string(s), familySuffix)
	if name == "" || len(s) > maxScope || len(name) < len(s) && strings.Contains(name, ".") {
		return false // a family is one word
	}
	for word := range strings.SplitSeq(name, ".") {
		if word == "" || strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789_-") != "" {
			return false
		}
	}
	return true
}

const maxScope = 64

// GivenConsent is the consent for a purpose, as far as it bears on objections and signals.
type GivenConsent struct {
	Status   ConsentStatus // as of now: an expired grant lifts nothing
	At       time.Time     // when it was given
	Explicit bool
}

// Objected reports whether an objection stands against a purpose. A newer consent for the very purpose
// lifts it there; of the same moment, the objection wins.
func (s Standing) Objected(purpose PurposeName, consent GivenConsent) bool {
	return slices.ContainsFunc(s.Objections, func(o Objection) bool {
		return o.Scope.Covers(purpose) && !consent.newerThan(o.At)
	})
}

// OptedOut reports whether an opt-out signal stands against a purpose. A newer explicit consent for
// the purpose lifts it there: the two-step opt-in of 11 CCR 7028(a).
func (s Standing) OptedOut(consent GivenConsent) bool {
	return !s.OptOutSignal.IsZero() && (!consent.Explicit || !consent.newerThan(s.OptOutSignal))
}

// LimitedSensitive reports whether the subject has limited the use of sensitive data (CCPA 1798.121). A newer
// explicit consent for the purpose lifts that there, as it does an opt-out (11 CCR 7028).
func (s Standing) LimitedSensitive(consent GivenConsent) bool {
	return !s.LimitSensitive.IsZero() && (!consent.Explicit || !consent.newerThan(s.LimitSensitive))
}

// Restricted reports whether all use is restricted. A newer consent for the very purpose is an exception (GDPR Art. 18(2)).
func (s Standing) Restricted(consent GivenConsent) bool {
	return !s.RestrictedAt.IsZero() && !consent.newerThan(s.RestrictedAt)
}

// Restrict gives the standing after a restriction; one of an earlier date than another changes nothing.
func (s Standing) Restrict(at time.Time) Standing {
	if at.After(s.RestrictedAt) {
		s.RestrictedAt = at
	}
	return s
}

// Unrestrict gives the standing after a restriction has ended, unless it is as new as its end.
func (s Standing) Unrestrict(at time.Time) Standing {
	if at.After(s.RestrictedAt) {
		s.RestrictedAt = time.Time{}
	}
	return s
}

func (c GivenConsent) newerThan(at time.Time) bool {
	return c.Status == ConsentGranted && c.At.After(at)
}

// Object gives the standing after an objection. One of an earlier date than another of the same scope
// changes nothing.
func (s Standing) Object(scope ObjectionScope, at time.Time) Standing {
	i, found := s.find(scope)
	if found && !at.After(s.Objections[i].At) {
		return s
	}
	s.Objections = slices.Clone(s.Objections)
	if found {
		s.Objections[i].At = at
	} else {
		s.Objections = slices.Insert(s.Objections, i, Objection{Scope: scope, At: at})
	}
	return s
}

// Lift gives the standing after an objection was taken back: those of the scope and within it end, unless
// they are as new as the lifting or newer.
func (s Standing) Lift(scope ObjectionScope, at time.Time) Standing {
	s.Objections = slices.DeleteFunc(slices.Clone(s.Objections), func(o Objection) bool {
		return scope.lifts(o.Scope) && at.After(o.At)
	})
	if len(s.Objections) == 0 {
		s.Objections = nil
	}
	return s
}

func (s Standing) find(scope ObjectionScope) (i int, found bool) {
	return slices.BinarySearchFunc(s.Objections, scope, func(o Objection, scope ObjectionScope) int {
		return strings.Compare(string(o.Scope), string(scope))
	})
}

// Equal reports whether two standings say the same.
func (s Standing) Equal(other Standing) bool {
	return s.OptOutSignal.Equal(other.OptOutSignal) && s.LimitSensitive.Equal(other.LimitSensitive) && s.RestrictedAt.Equal(other.RestrictedAt) &&
		slices.EqualFunc(s.Objections, other.Objections, func(a, b Objection) bool { return a.Scope == b.Scope && a.At.Equal(b.At) })
}
