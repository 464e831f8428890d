package custody

import (
	"strings"
	"time"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A subject's policy state (the law they are under, where they live, when they were born) decides about
// them before anything of theirs is opened, and yet is personal data. So it lies beside the subject
// under a seal of its own: the regime if one was set, and a copy of the attributes
// that the catalogue calls state. It is opened for every decision, and leaves only as the
// coarse [privacy.SubjectState].
type state struct {
	regime privacy.Regime // "" unless set by the source
	values map[privacy.AttributeName]privacy.Cleartext
}

const (
	stateVersion = "1"
	fieldEnd     = "\x1e" // RS and US (ISO 646): normalised values hold no control characters
	partEnd      = "\x1f"
)

// seal packs the state under a subject's key and version.
func (st state) seal(subject *keyring.Subject, order []privacy.AttributeName, version uint32) ([]byte, error) {
	var text strings.Builder
	text.WriteString(stateVersion + fieldEnd + string(st.regime))
	for _, name := range order {
		value, ok := st.values[name]
		if !ok {
			continue
		}
		text.WriteString(fieldEnd + string(name) + partEnd)
		_ = value.Borrow(func(v string) error { text.WriteString(v); return nil })
	}
	return subject.Seal(keyring.KindState, 0, version, privacy.NewCleartext(text.String()))
}

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
			return privacy.NewError(privacy.KindInternal, "state_unreadable", "the subject's state has an unknown version")
		}
		regime, rest, more := strings.Cut(rest, fieldEnd)
		st = state{regime: privacy.Regime(regime), values: make(map[privacy.AttributeName]privacy.Cleartext, 4)}
		for more {
			var field string
			field, rest, more = strings.Cut(rest, fieldEnd)
			name, value, _ := strings.Cut(field, partEnd)
			st.values[privacy.AttributeName(name)] = privacy.NewCleartext(value)
		}
		return nil
	})
	return st, err
}

// policyState works out what the policy sees of a subject: age in bands, the regime from
// where they live unless one was set, the consent as it stands now, and what they object to or were
// opted out of since.
func (s *Service) policyState(revision privacy.RevisionID, purpose privacy.PurposeName, st state, standing privacy.Standing, consent store.ConsentState, now time.Time) privacy.SubjectState {
	facts := s.catalogue.Facts(func(name privacy.AttributeName) (privacy.Cleartext, bool) {
		value, ok := st.values[name]
		return value, ok
	})
	given := givenConsent(consent, now)
	return privacy.SubjectState{
		Regime:         s.policy.Regime(revision, facts.Country, facts.Region, st.regime),
		Country:        facts.Country,
		AgeBand:        privacy.AgeBandAt(facts.Born, now),
		Objected:       standing.Objected(purpose, given),
		OptOutSignal:   standing.OptedOut(given),
		LimitSensitive: standing.LimitedSensitive(given),
		Consent:        consentInput(consent, given.Status),
	}
}

// givenConsent is what objections and signals are held against.
func givenConsent(c store.ConsentState, now time.Time) privacy.GivenConsent {
	return privacy.GivenConsent{Status: c.Status.StatusAt(now, c.ExpiresAt), At: c.OccurredAt, Explicit: c.Explicit}
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
