package signal

import "strings"

// GPP is a string of the Global Privacy Platform, decoded: a header, and the sections it lists.
type GPP struct{ Sections []Section }

// Section is one part of a GPP string. Of those that are known but not read here, it has the name alone.
type Section struct {
	ID   int
	Name string // the client-side API prefix, such as usnat
	US   *US    // a section of a US state, the national one, or a US Privacy string
	TCF  *TCF   // the section of the EU
}

const (
	gppType, gppVersion = 3, 1
	sectionTCFEU        = 2
)

// sectionNames are the sections of the specification's list. Section 3 is the header itself, and 4, signal integrity, was never
// specified.
var sectionNames = map[int]string{
	1: "tcfeuv1", sectionTCFEU: "tcfeuv2", 5: "tcfcav1", 6: "uspv1", 7: "usnat", 8: "usca", 9: "usva", 10: "usco", 11: "usut", 12: "usct",
	13: "usfl", 14: "usmt", 15: "usor", 16: "ustx", 17: "usde", 18: "usia", 19: "usne", 20: "usnh", 21: "usnj", 22: "ustn", 23: "usmn",
	24: "usmd", 25: "usin", 26: "usky", 27: "usri",
}

const lastSection = 27

// DecodeGPP reads a GPP string of version 1. Of the sections, it reads those of the EU and of the US; the Canadian one, and those
// whose specification is still a draft (Maryland, Indiana, Kentucky, Rhode Island), are named and not read.
func DecodeGPP(text string) (*GPP, error) {
	if err := checkLength(text); err != nil {
		return nil, err
	}
	header, rest, more := strings.Cut(text, "~")
	ids, err := sectionIDs(newBits(header))
	if err != nil {
		return nil, err
	}
	g := &GPP{}
	for _, id := range ids {
		if !more {
			return nil, errSections
		}
		var body string
		body, rest, more = strings.Cut(rest, "~")
		section, err := decodeSection(id, body)
		if err != nil {
			return nil, err
		}
		g.Sections = append(g.Sections, section)
	}
	if more {
		return nil, errSections
	}
	return g, nil
}

// sectionIDs reads the header: type, version, and a range in Fibonacci coding, in which an item is as far from
// the one before as its number says.
func sectionIDs(b *bits) ([]int, error) {
	kind, version := b.small(6), b.small(6)
	if b.err == nil && (kind != gppType || version != gppVersion) {
		return nil, errVersion
	}
	var ids []int
	last := 0
	for range b.small(12) {
		length := 0
		isRange := b.bool()
		first := last + b.fibonacci()
		if isRange {
			length = b.fibonacci()
		}
		if b.err == nil && first+length > lastSection {
			b.fail(errUnknownID)
		}
		if b.err != nil {
			return nil, b.err
		}
		for last = first; last <= first+length; last++ {
			if sectionNames[last] == "" {
				return nil, errUnknownID
			}
			ids = append(ids, last)
		}
		last--
	}
	return ids, b.end()
}

func decodeSection(id int, body string) (Section, error) {
	section := Section{ID: id, Name: sectionNames[id]}
	var err error
	switch layout, known := usLayouts[section.Name]; {
	case known:
		section.US, err = decodeUS(layout, body)
	case section.Name == "uspv1":
		section.US, err = decodeUSPrivacy(body)
	case id == sectionTCFEU:
		section.TCF, err = DecodeTCF(body)
	case body == "":
		err = errTruncated
	}
	return section, err
}

// TCF gives the TC string in the section of the EU, nil when there is none.
func (g *GPP) TCF() *TCF {
	for _, section := range g.Sections {
		if section.TCF != nil {
			return section.TCF
		}
	}
	return nil
}
