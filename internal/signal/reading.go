package signal

import (
	"slices"
	"strconv"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Reading is what a signal means by the rules.
type Reading struct {
	Flags   []Flag   // sorted, distinct
	Choices []Choice // by purpose
	Unmet   Unmet    // why a TC string says nothing, "" when it does
}

// Choice is consent to one of our purposes, or its refusal, as a TC string has it.
type Choice struct {
	Purpose privacy.PurposeName
	Action  privacy.ConsentAction // grant or deny
	At      time.Time             // the earliest a consent can have been given, or the latest a refusal can
	Expires time.Time             // zero: does not
}

// Unmet is a condition of the rules that a TC string does not meet. The list is closed.
type Unmet string

// The conditions.
const (
	UnmetRegime    Unmet = "other_regime"          // the subject's law does not go by TC strings
	UnmetScope     Unmet = "not_service_specific"  // of global scope
	UnmetDisclosed Unmet = "vendors_not_disclosed" // without the segment of disclosed vendors, or we are not in it
	UnmetPublisher Unmet = "no_publisher_segment"
	UnmetExpired   Unmet = "expired"
)

// ReadGPC says what Global Privacy Control means.
func (r *Rules) ReadGPC() Reading { return Reading{Flags: distinct(r.GPC)} }

// ReadGPP says what a GPP string means for a subject: every US section counts whatever state they live in, since a state that a device was taken
// for and the one that we know may differ, and an opt-out is one in both; of the section of the EU, what ReadTCF says.
func (r *Rules) ReadGPP(g *GPP, regime privacy.Regime, received time.Time) Reading {
	var reading Reading
	if c := g.TCF(); c != nil {
		reading = r.ReadTCF(c, regime, received)
	}
	for _, section := range g.Sections {
		if section.US == nil {
			continue
		}
		for field, values := range section.US.Fields {
			for _, value := range values {
				reading.Flags = append(reading.Flags, r.GPP[field][strconv.Itoa(value)]...)
			}
		}
	}
	reading.Flags = distinct(reading.Flags)
	return reading
}

// ReadTCF says what a TC string means for a subject under a law.
func (r *Rules) ReadTCF(c *TCF, regime privacy.Regime, received time.Time) Reading {
	rules := &r.TCF
	if unmet := rules.unmet(c, regime, received); unmet != "" {
		return Reading{Unmet: unmet}
	}
	var reading Reading
	for name, purpose := range rules.Purposes {
		action := rules.action(c, purpose)
		choice := Choice{Purpose: name, Action: action, At: c.LastUpdated}
		switch action {
		case privacy.ActionGrant:
			choice.Expires = rules.expires(c)
		case privacy.ActionDeny:
			choice.At = latest(c.LastUpdated, received)
		default:
			continue
		}
		reading.Choices = append(reading.Choices, choice)
	}
	slices.SortFunc(reading.Choices, func(a, b Choice) int {
		if a.Purpose < b.Purpose {
			return -1
		}
		return 1
	})
	return reading
}

func (r *TCFRules) unmet(c *TCF, regime privacy.Regime, received time.Time) Unmet {
	switch {
	case !slices.Contains(r.Regimes, regime):
		return UnmetRegime
	case r.ServiceSpecific && !c.ServiceSpecific:
		return UnmetScope
	case r.DisclosedFrom > 0 && c.Policy >= r.DisclosedFrom && (c.Disclosed == nil || r.Vendor != 0 && !c.Disclosed.Has(r.Vendor)):
		return UnmetDisclosed
	case r.Segment == segmentOwn && c.Publisher == nil:
		return UnmetPublisher
	case r.Months > 0 && !received.Before(r.expires(c)):
		return UnmetExpired
	default:
		return ""
	}
}

func (r *TCFRules) expires(c *TCF) time.Time {
	if r.Months == 0 {
		return time.Time{}
	}
	return c.LastUpdated.AddDate(0, r.Months, 0)
}

// latest is the latest moment a string may have been updated at: most are dated by the day alone.
func latest(updated, received time.Time) time.Time {
	if !updated.Equal(updated.Truncate(24 * time.Hour)) {
		return updated
	}
	end := updated.Add(24*time.Hour - time.Microsecond)
	if end.After(received) {
		return received
	}
	return end
}

// noChoice is an action that is none: the string does not say.
const noChoice privacy.ConsentAction = ""

// action is grant when all that the purpose takes was consented to, and deny when something of it was asked and was not. What was not
// asked, or what a publisher lays down, is nobody's refusal: then the string says nothing about the purpose.
func (r *TCFRules) action(c *TCF, purpose TCFPurpose) privacy.ConsentAction {
	consents := c.Consents
	if r.Segment == segmentOwn {
		consents = c.Publisher.Consents
	}
	action := privacy.ActionGrant
	for _, id := range purpose.Consents {
		switch {
		case id == 1 && c.PurposeOneTreatment:
			if !slices.Contains(r.PurposeOneNotNeeded, c.PublisherCountry) && action == privacy.ActionGrant {
				action = noChoice
			}
		case !consents.Has(id):
			return privacy.ActionDeny
		case r.Vendor != 0 && c.restricted(id, r.Vendor) && action == privacy.ActionGrant:
			action = noChoice
		}
	}
	for _, id := range purpose.SpecialFeatures {
		if !c.SpecialFeatures.Has(id) {
			return privacy.ActionDeny
		}
	}
	if r.Vendor != 0 && !c.VendorConsents.Has(r.Vendor) {
		return privacy.ActionDeny
	}
	return action
}

// restricted reports whether the publisher keeps a vendor from resting a purpose on consent.
func (c *TCF) restricted(purpose, vendor int) bool {
	return slices.ContainsFunc(c.Restrictions, func(r Restriction) bool {
		return r.Purpose == purpose && r.Type != RestrictionRequireConsent && r.Vendors.Has(vendor)
	})
}

func distinct(flags []Flag) []Flag {
	sorted := slices.Clone(flags)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
