package receipt

import (
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

const untilWithdrawn = "until withdrawn"

// collectionMethod says how the decision came in: "web, checkbox".
func (e *Event) collectionMethod() string {
	var parts []string
	for _, part := range []string{e.Channel, e.Method} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return "not stated"
	}
	return strings.Join(parts, ", ")
}

// consentType is Kantara's: EXPLICIT, or a description of what was done instead.
func (e *Event) consentType() string {
	switch {
	case e.Explicit:
		return "EXPLICIT"
	case e.Method != "":
		return "expressed by " + e.Method
	default:
		return "expressed"
	}
}

// kind is what was exercised: consent, expressed or explicit, or the right to object (GDPR Art. 21).
func (e *Event) kind() string {
	switch {
	case e.Action.AboutObjection():
		return "https://w3id.org/dpv/legal/eu/gdpr#A21"
	case e.Action.AboutRestriction():
		return "https://w3id.org/dpv/legal/eu/gdpr#A18"
	case e.Explicit:
		return "dpv:ExplicitlyExpressedConsent"
	default:
		return "dpv:ExpressedConsent"
	}
}

// state is where the record leaves the consent.
func (e *Event) state() string {
	switch e.Action {
	case privacy.ActionGrant:
		if e.Pending {
			return "dpv:ConsentRequested"
		}
		return "dpv:ConsentGiven"
	case privacy.ActionDeny:
		return "dpv:ConsentRefused"
	case privacy.ActionWithdraw:
		return "dpv:ConsentWithdrawn"
	case privacy.ActionObject:
		return "objected" // the vocabulary has no term for any of these
	case privacy.ActionRestrict:
		return "restricted"
	case privacy.ActionUnrestrict:
		return "restriction lifted"
	default:
		return "objection lifted"
	}
}

func (e *Event) language() string {
	if e.Language == "" {
		return "und"
	}
	return e.Language
}

func (e *Event) notice(controller *privacy.Controller) PrivacyNotice {
	if e.Notice == (Notice{}) {
		return PrivacyNotice{Type: "dpv:PrivacyNotice", URL: controller.PolicyURL}
	}
	return PrivacyNotice{Type: "dpv:ConsentNotice", URL: controller.PolicyURL, Notice: e.Notice}
}

func (e *Event) validity() string {
	if e.ExpiresAt.IsZero() {
		return untilWithdrawn
	}
	return "until withdrawn, and no later than " + e.ExpiresAt.UTC().Format(time.RFC3339)
}

// entity is who decided. A guardian has no name here: receipts hold no personal data.
func (e *Event) entity(subject string) string {
	if e.By == privacy.ByGuardian {
		return "guardian of " + subject
	}
	return subject
}

func (e *Event) confirms() string {
	if e.Confirms == [16]byte{} {
		return ""
	}
	return privacy.SubjectID(e.Confirms).String()
}
