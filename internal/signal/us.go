package signal

import "strings"

// US is a section of a US law: values by field name, one for each bit pair. 0 is not applicable. For opt-outs 1 is opted out and 2 not;
// for consents 1 is no consent and 2 consent; for Gpc, which is there when the section has a GPC sub-section, 1 is true.
type US struct {
	Version int
	Fields  map[string][]int
}

// usLayout says how the core of a section is laid out: after a version of 6 bits, fields of 2 bits, or of several times 2 bits.
type usLayout struct {
	latest int // the latest version written here
	gpc    bool
	fields []usField
}

type usField struct {
	name  string
	count int
}

// The names of the fields, as the specifications spell them.
const (
	fieldSharingNotice   = "SharingNotice"
	fieldProcessNotice   = "ProcessingNotice"
	fieldSaleNotice      = "SaleOptOutNotice"
	fieldShareOutNotice  = "SharingOptOutNotice"
	fieldTargetedNotice  = "TargetedAdvertisingOptOutNotice"
	fieldSensitiveNotice = "SensitiveDataProcessingOptOutNotice"
	fieldLimitNotice     = "SensitiveDataLimitUseNotice"
	fieldSale            = "SaleOptOut"
	fieldSharing         = "SharingOptOut"
	fieldTargeted        = "TargetedAdvertisingOptOut"
	fieldSensitive       = "SensitiveDataProcessing"
	fieldChild           = "KnownChildSensitiveDataConsents"
	fieldPersonal        = "PersonalDataConsents"
	fieldAdditional      = "AdditionalDataProcessingConsent"
	fieldCovered         = "MspaCoveredTransaction"
	fieldOptOutMode      = "MspaOptOutOptionMode"
	fieldProviderMode    = "MspaServiceProviderMode"
	fieldGpc             = "Gpc"
	fieldNotice          = "Notice"
	fieldSaleUSP         = "OptOutSale"
	fieldLSPA            = "LspaCovered"
)

// usLayouts are the sections by name. The sections of the states that followed the first six differ in how many kinds of sensitive data and
// groups of children they tell apart.
var usLayouts = map[string]usLayout{
	"usnat": usNational(16, 3),
	"usca": {latest: 1, gpc: true, fields: append(one(fieldSaleNotice, fieldShareOutNotice, fieldLimitNotice, fieldSale, fieldSharing),
		append([]usField{{fieldSensitive, 9}, {fieldChild, 2}}, one(fieldPersonal, fieldCovered, fieldOptOutMode, fieldProviderMode)...)...)},
	"usva": usState(fieldSharingNotice, 8, 1, false, false),
	"usco": usState(fieldSharingNotice, 7, 1, false, true),
	"usut": {latest: 1, fields: append(one(fieldSharingNotice, fieldSaleNotice, fieldTargetedNotice, fieldSensitiveNotice, fieldSale, fieldTargeted), usEnd(8, 1, false)...)},
	"usct": usState(fieldSharingNotice, 8, 3, false, true),
	"usfl": usState(fieldProcessNotice, 8, 3, true, false),
	"usmt": usState(fieldSharingNotice, 8, 3, true, true),
	"usor": usState(fieldProcessNotice, 11, 3, true, true),
	"ustx": usState(fieldProcessNotice, 8, 1, true, true),
	"usde": usState(fieldProcessNotice, 9, 5, true, true),
	"usia": {latest: 1, gpc: true, fields: append(one(fieldProcessNotice, fieldSaleNotice, fieldTargetedNotice, "SensitiveDataOptOutNotice", fieldSale, fieldTargeted), usEnd(8, 1, false)...)},
	"usne": usState(fieldProcessNotice, 8, 1, true, true),
	"usnh": usState(fieldProcessNotice, 8, 3, true, true),
	"usnj": usState(fieldProcessNotice, 10, 5, true, true),
	"ustn": usState(fieldProcessNotice, 8, 1, true, true),
	"usmn": usState(fieldProcessNotice, 8, 1, true, true),
}

// usNationalBefore is the national section as it was, and as versions other than 2 are read.
var usNationalBefore = usNational(12, 2)

func one(names ...string) []usField {
	fields := make([]usField, len(names))
	for i, name := range names {
		fields[i] = usField{name: name, count: 1}
	}
	return fields
}

func usEnd(sensitive, children int, additional bool) []usField {
	fields := []usField{{fieldSensitive, sensitive}, {fieldChild, children}}
	if additional {
		fields = append(fields, usField{fieldAdditional, 1})
	}
	return append(fields, one(fieldCovered, fieldOptOutMode, fieldProviderMode)...)
}

func usState(notice string, sensitive, children int, additional, gpc bool) usLayout {
	return usLayout{latest: 1, gpc: gpc, fields: append(one(notice, fieldSaleNotice, fieldTargetedNotice, fieldSale, fieldTargeted), usEnd(sensitive, children, additional)...)}
}

func usNational(sensitive, children int) usLayout {
	fields := one(fieldSharingNotice, fieldSaleNotice, fieldShareOutNotice, fieldTargetedNotice, fieldSensitiveNotice, fieldLimitNotice, fieldSale, fieldSharing, fieldTargeted)
	fields = append(fields, usField{fieldSensitive, sensitive}, usField{fieldChild, children})
	return usLayout{latest: 2, gpc: true, fields: append(fields, one(fieldPersonal, fieldCovered, fieldOptOutMode, fieldProviderMode)...)}
}

// decodeUS reads the core and, where the section may have one, the GPC sub-section.
func decodeUS(layout usLayout, body string) (*US, error) {
	core, sub, more := strings.Cut(body, ".")
	b := newBits(core)
	us := &US{Version: b.small(6), Fields: make(map[string][]int, len(layout.fields)+1)}
	if b.err == nil && us.Version == 0 {
		return nil, errVersion
	}
	fields := layout.fields
	if layout.latest == 2 && us.Version != 2 {
		fields = usNationalBefore.fields
	}
	for _, field := range fields {
		for range field.count {
			value := b.small(2)
			if value > 2 {
				b.fail(errField)
			}
			us.Fields[field.name] = append(us.Fields[field.name], value)
		}
	}
	if us.Version > layout.latest && b.err == nil {
		b.at = 6 * len(b.sextets) // a later version may have more fields
	}
	if err := b.end(); err != nil {
		return nil, err
	}
	if !more {
		return us, nil
	}
	if !layout.gpc {
		return nil, errSegment
	}
	return us, us.gpcSection(newBits(sub))
}

const subsectionGPC = 1

func (us *US) gpcSection(b *bits) error {
	if kind := b.small(2); b.err == nil && kind != subsectionGPC {
		return errSegment
	}
	us.Fields[fieldGpc] = []int{b.small(1)}
	return b.end()
}

// decodeUSPrivacy reads a US Privacy string: the version and three letters. Y is given as 1, N as 2 and - as 0, as in the other sections.
func decodeUSPrivacy(body string) (*US, error) {
	if len(body) < 4 {
		return nil, errTruncated
	}
	if body[0] != '1' {
		return nil, errVersion
	}
	if len(body) > 4 {
		return nil, errTrailing
	}
	us := &US{Version: 1, Fields: make(map[string][]int, 3)}
	for i, name := range []string{fieldNotice, fieldSaleUSP, fieldLSPA} {
		value := strings.IndexByte("-YN", body[1+i])
		if value < 0 {
			return nil, errField
		}
		us.Fields[name] = []int{value}
	}
	return us, nil
}
