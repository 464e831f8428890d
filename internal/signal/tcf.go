package signal

import (
	"strings"
	"time"
)

// TCF is a TC string, decoded. Purposes are numbered as in the Global Vendor List.
type TCF struct {
	Created, LastUpdated time.Time // since December 2021 cut down to the day
	CMP, CMPVersion      int
	Screen               int
	Language             string // ISO 639-1, upper case as encoded
	VendorList           int
	Policy               int // TcfPolicyVersion: 4 with TCF 2.2, 5 with TCF 2.3
	ServiceSpecific      bool
	NonStandardTexts     bool
	SpecialFeatures      Flags // opted in to
	Consents             Flags // purposes consented to
	LegitimateInterests  Flags // purposes disclosed under legitimate interest and not objected to
	PurposeOneTreatment  bool  // purpose 1 was not disclosed
	PublisherCountry     string
	VendorConsents       IDs
	VendorInterests      IDs
	Restrictions         []Restriction
	Disclosed, Allowed   *IDs       // nil: no such segment
	Publisher            *Publisher // nil: no such segment
}

// Restriction is what a publisher lays down about a purpose for some vendors.
type Restriction struct {
	Purpose int
	Type    int // one of the constants below
	Vendors IDs
}

// The types of restrictions.
const (
	RestrictionNotAllowed        = 0
	RestrictionRequireConsent    = 1
	RestrictionRequireLegitimate = 2
)

// Publisher is the segment about the publisher's own purposes.
type Publisher struct {
	Consents, LegitimateInterests             Flags
	CustomPurposes                            int
	CustomConsents, CustomLegitimateInterests Flags
}

const tcfVersion = 2

// The types of the segments after the core. Allowed vendors are from before TCF 2.3, and still read.
const (
	segmentDisclosed = 1
	segmentAllowed   = 2
	segmentPublisher = 3
)

// DecodeTCF reads a TC string of version 2.
func DecodeTCF(text string) (*TCF, error) {
	if err := checkLength(text); err != nil {
		return nil, err
	}
	core, rest, more := strings.Cut(text, ".")
	t := &TCF{}
	if err := t.core(newBits(core)); err != nil {
		return nil, err
	}
	for more {
		var segment string
		segment, rest, more = strings.Cut(rest, ".")
		if err := t.segment(newBits(segment)); err != nil {
			return nil, err
		}
	}
	return t, nil
}

func checkLength(text string) error {
	switch {
	case text == "":
		return errEmpty
	case len(text) > MaxText:
		return errTooLong
	default:
		return nil
	}
}

func (t *TCF) core(b *bits) error {
	if version := b.small(6); b.err == nil && version != tcfVersion {
		return errVersion
	}
	t.Created, t.LastUpdated = b.instant(), b.instant()
	t.CMP, t.CMPVersion, t.Screen = b.small(12), b.small(12), b.small(6)
	t.Language = b.letters()
	t.VendorList, t.Policy = b.small(12), b.small(6)
	t.ServiceSpecific, t.NonStandardTexts = b.bool(), b.bool()
	t.SpecialFeatures, t.Consents, t.LegitimateInterests = b.flags(12), b.flags(24), b.flags(24)
	t.PurposeOneTreatment = b.bool()
	t.PublisherCountry = b.letters()
	t.VendorConsents, t.VendorInterests = b.vendors(), b.vendors()
	t.Restrictions = b.restrictions()
	return b.end()
}

// instant reads a time in tenths of a second since 1970.
func (b *bits) instant() time.Time { return time.UnixMilli(100 * b.int(36)).UTC() }

func (b *bits) restrictions() []Restriction {
	var list []Restriction
	for range b.small(12) {
		r := Restriction{Purpose: b.small(6), Type: b.small(2), Vendors: b.ranges(maxVendorID)}
		if b.err == nil && (r.Purpose == 0 || r.Type > RestrictionRequireLegitimate) {
			b.fail(errField)
		}
		if b.err != nil {
			return nil
		}
		list = append(list, r)
	}
	return list
}

func (t *TCF) segment(b *bits) error {
	switch kind := b.small(3); {
	case b.err != nil:
	case kind == segmentDisclosed && t.Disclosed == nil:
		vendors := b.vendors()
		t.Disclosed = &vendors
	case kind == segmentAllowed && t.Allowed == nil:
		vendors := b.vendors()
		t.Allowed = &vendors
	case kind == segmentPublisher && t.Publisher == nil:
		t.Publisher = b.publisher()
	default:
		b.fail(errSegment)
	}
	return b.end()
}

func (b *bits) publisher() *Publisher {
	p := &Publisher{Consents: b.flags(24), LegitimateInterests: b.flags(24), CustomPurposes: b.small(6)}
	p.CustomConsents, p.CustomLegitimateInterests = b.flags(p.CustomPurposes), b.flags(p.CustomPurposes)
	return p
}
