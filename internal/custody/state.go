package custody

import (
	"slices"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A subject's policy state (the law they are under, where they live, when they were born) decides about
// them before anything of theirs is opened, and yet is personal data. So it lies beside the subject
// under a seal of its own: the regime if one was set, and a copy of the attributes
// that the catalogue calls state. It is opened for every decision, and leaves only as the
// coarse [privacy.SubjectState].
type state struct {
	regime privacy.Regime // "" unless stated by the source
	values []stateValue
}

type stateValue struct {
	name  privacy.AttributeName
	value privacy.Cleartext
}

// value finds the value of an attribute. They are few.
func (st *state) value(name privacy.AttributeName) (privacy.Cleartext, bool) {
	for i := range st.values {
		if st.values[i].name == name {
			return st.values[i].value, true
		}
	}
	return privacy.Cleartext{}, false
}

func (st *state) set(name privacy.AttributeName, value privacy.Cleartext) {
	st.remove(name)
	st.values = append(st.values, stateValue{name, value})
}

func (st *state) remove(name privacy.AttributeName) {
	st.values = slices.DeleteFunc(st.values, func(v stateValue) bool { return v.name == name })
}

const (
	stateVersion = "1"
	fieldEnd     = "\x1e" // RS and US (ISO 646): normalised values hold no control characters
	partEnd      = "\x1f"
)

// seal packs the state under a subject's key and version.
func (st *state) seal(subject *keyring.Subject, order []privacy.AttributeName, version uint32) ([]byte, error) {
	var text strings.Builder
	text.WriteString(stateVersion + fieldEnd + string(st.regime))
	for _, name := range order {
		value, ok := st.value(name)
		if !ok {
			continue
		}
		text.WriteString(fieldEnd + string(name) + partEnd)
		_ = value.Borrow(func(v string) error { text.WriteString(v); return nil })
	}
	return subject.Seal(keyring.KindState, 0, version, privacy.NewCleartext(text.String()))
}

var errStateUnreadable = privacy.NewError(privacy.KindInternal, "state_unreadable", "the subject's state has an unknown version")

// openState unpacks the state of a subject's row.
func openState(subject *keyring.Subject, row *store.Subject) (state, error) {
	sealed, err := subject.Open(keyring.KindState, 0, row.Version, row.State)
	if err != nil {
		return state{}, err
	}
	var st state
	err = sealed.Borrow(func(text string) error {
		version, rest, _ := strings.Cut(text, fieldEnd)
		if version != stateVersion {
			return errStateUnreadable
		}
		regime, rest, more := strings.Cut(rest, fieldEnd)
		st = state{regime: privacy.Regime(regime)}
		if more {
			st.values = make([]stateValue, 0, 4) // there are hardly ever more
		}
		for more {
			var field string
			field, rest, more = strings.Cut(rest, fieldEnd)
			name, value, _ := strings.Cut(field, partEnd)
			st.values = append(st.values, stateValue{privacy.AttributeName(name), privacy.NewCleartext(value)})
		}
		return nil
	})
	return st, err
}

// policyState works out what the policy sees of a subject: age in bands, the regime from
// where they live unless one was set, the consent as it stands now, and what they object to or were
// opted out of since.
func (s *Service) policyState(revision privacy.RevisionID, purpose privacy.PurposeName, st state, standing privacy.Standing, consent store.ConsentState, now time.Time) privacy.SubjectState {
	home := s.residence(st, now)
	subject := home.state(purpose, standing, consent, now)
	subject.Regime = home.regimeUnder(s.policy, revision)
	return subject
}

// residence is what the sealed state tells a policy, in values that can be compared: most people share theirs.
type residence struct {
	country, region string
	regime          privacy.Regime // "" unless set by the source
	age             privacy.AgeBand
}

func (s *Service) residence(st state, now time.Time) residence {
	return residenceOf(s.facts(st), st, now)
}

func (s *Service) facts(st state) catalogue.Facts {
	return s.catalogue.Facts(st.value)
}

func residenceOf(facts catalogue.Facts, st state, now time.Time) residence {
	return residence{country: facts.Country, region: facts.Region, regime: st.regime, age: privacy.AgeBandAt(facts.Born, now)}
}

// regimeUnder gives the law that a revision puts a residence under.
func (r residence) regimeUnder(engine *policy.Engine, revision privacy.RevisionID) privacy.Regime {
	return engine.Regime(revision, r.country, r.region, r.regime)
}

// state gives the policy state but for its regime, on which revisions may differ.
func (r residence) state(purpose privacy.PurposeName, standing privacy.Standing, consent store.ConsentState, now time.Time) privacy.SubjectState {
	given := ledger.Given(consent, now)
	return privacy.SubjectState{
		Country:        r.country,
		AgeBand:        r.age,
		Restricted:     standing.Restricted(given),
		Objected:       standing.Objected(purpose, given),
		OptOutSignal:   standing.OptedOut(given),
		LimitSensitive: standing.LimitedSensitive(given),
		Consent:        consentInput(consent, given.Status),
	}
}

func consentInput(c store.ConsentState, status privacy.ConsentStatus) privacy.ConsentState {
	by := c.By
	if by == "" {
		by = privacy.BySelf
	}
	scopes := c.SeparateFor
	if scopes == nil {
		scopes = []privacy.ConsentScope{}
	}
	return privacy.ConsentState{Status: status, NoticeVersion: int(c.Notice.Version), Explicit: c.Explicit, SeparateFor: scopes, By: by}
}
