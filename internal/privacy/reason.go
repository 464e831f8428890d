package privacy

// Reason says why an attribute was withheld. The list is closed: callers may switch on it.
type Reason string

// The reasons, in the order in which they are tried: the first that holds is given.
const (
	ReasonPolicyError             Reason = "policy_error"
	ReasonUnknownSubject          Reason = "unknown_subject"
	ReasonUnknownPurpose          Reason = "unknown_purpose"
	ReasonUnknownAttribute        Reason = "unknown_attribute"
	ReasonUnknownRegime           Reason = "unknown_regime"
	ReasonPurposeNotGranted       Reason = "purpose_not_granted"
	ReasonErased                  Reason = "erased"
	ReasonStorageOnly             Reason = "storage_only"
	ReasonRestricted              Reason = "restricted"
	ReasonGuardianConsentRequired Reason = "guardian_consent_required"
	ReasonMinorMarketing          Reason = "minor_marketing_prohibited"
	ReasonMinorOptIn              Reason = "minor_opt_in_required"
	ReasonObjected                Reason = "objected"
	ReasonOptedOutOfSale          Reason = "opted_out_of_sale"
	ReasonSensitiveUseLimited     Reason = "sensitive_use_limited"
	ReasonBasisNotAvailable       Reason = "basis_not_available"
	ReasonConsentMissing          Reason = "consent_missing"
	ReasonConsentPending          Reason = "consent_pending"
	ReasonConsentDenied           Reason = "consent_denied"
	ReasonConsentWithdrawn        Reason = "consent_withdrawn"
	ReasonConsentExpired          Reason = "consent_expired"
	ReasonNoticeOutdated          Reason = "notice_outdated"
	ReasonSensitiveExplicit       Reason = "sensitive_needs_explicit_consent"
	ReasonSensitiveSeparate       Reason = "sensitive_needs_separate_consent"
	ReasonSensitiveBasisExcluded  Reason = "basis_excluded_for_sensitive"
	ReasonThirdPartySeparate      Reason = "third_party_needs_separate_consent"
	ReasonTransferSeparate        Reason = "transfer_needs_separate_consent"
	ReasonTransferNotAllowed      Reason = "transfer_not_allowed"
	ReasonAutomatedDecision       Reason = "automated_decision_not_allowed"
	ReasonNotInMatrix             Reason = "not_permitted_for_purpose"
	ReasonAggregateOnly           Reason = "aggregate_only"
	ReasonNoValue                 Reason = "no_value" // permitted, but nothing is held
)

// Reasons lists the closed set, in order.
func Reasons() []Reason {
	return []Reason{
		ReasonPolicyError, ReasonUnknownSubject, ReasonUnknownPurpose, ReasonUnknownAttribute, ReasonUnknownRegime,
		ReasonPurposeNotGranted, ReasonErased, ReasonStorageOnly, ReasonRestricted,
		ReasonGuardianConsentRequired, ReasonMinorMarketing, ReasonMinorOptIn,
		ReasonObjected, ReasonOptedOutOfSale, ReasonSensitiveUseLimited,
		ReasonBasisNotAvailable,
		ReasonConsentMissing, ReasonConsentPending, ReasonConsentDenied, ReasonConsentWithdrawn, ReasonConsentExpired,
		ReasonNoticeOutdated,
		ReasonSensitiveExplicit, ReasonSensitiveSeparate, ReasonSensitiveBasisExcluded,
		ReasonThirdPartySeparate, ReasonTransferSeparate, ReasonTransferNotAllowed,
		ReasonAutomatedDecision, ReasonNotInMatrix, ReasonAggregateOnly, ReasonNoValue,
	}
}

// Valid reports whether the reason is of the closed list.
func (r Reason) Valid() bool {
	for _, known := range Reasons() {
		if r == known {
			return true
		}
	}
	return false
}
