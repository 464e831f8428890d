package rights

import (
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// Ground is a reason for which a law lets a request be refused, or data be kept although erasure was asked for.
type Ground struct {
	Name  string                `json:"name"`
	Law   string                `json:"law"`
	Types []privacy.RequestType `json:"types"`
	Holds bool                  `json:"holds"` // it can be placed as a legal hold
}

var (
	all       = privacy.RequestTypes()
	copies    = []privacy.RequestType{privacy.RequestAccess, privacy.RequestPortability}
	deletion  = []privacy.RequestType{privacy.RequestErasure}
	objecting = []privacy.RequestType{privacy.RequestObjection}
)

// european are the grounds of the GDPR, which the UK kept.
var european = []Ground{
	{"unfounded_or_excessive", "GDPR 12(5)(b)", all, false},
	{"not_identified", "GDPR 11(2), 12(2)", all, false},
	{"rights_of_others", "GDPR 15(4), 20(4)", copies, false},
	{"freedom_of_expression", "GDPR 17(3)(a)", deletion, true},
	{"legal_obligation", "GDPR 17(3)(b)", deletion, true},
	{"public_health", "GDPR 17(3)(c)", deletion, true},
	{"archiving_or_research", "GDPR 17(3)(d)", deletion, true},
	{"legal_claims", "GDPR 17(3)(e)", deletion, true},
	{"compelling_grounds", "GDPR 21(1); never against direct marketing, 21(3)", objecting, false},
}

// groundsByLaw are the grounds of each law that has some of its own; the others have those that all have in common.
var groundsByLaw = map[privacy.Regime][]Ground{
	privacy.RegimeGDPR:   european,
	privacy.RegimeUKGDPR: european,
	privacy.RegimePIPL: {
		{"not_identified", "PIPL 50", all, false},
		{"statutory_retention", "PIPL 47(2): to be stored and protected only", deletion, true},
		{"technically_hard", "PIPL 47(2): to be stored and protected only", deletion, true},
		{"confidentiality_by_law", "PIPL 18(1), 35, 45(1)", copies, false},
	},
	privacy.RegimeCCPA: {
		{"not_identified", "11 CCR 7060-7063", all, false},
		{"unfounded_or_excessive", "CCPA 1798.145(h)(3)", all, false},
		{"transaction", "CCPA 1798.105(d)(1)", deletion, true},
		{"security", "CCPA 1798.105(d)(2)", deletion, true},
		{"debugging", "CCPA 1798.105(d)(3)", deletion, true},
		{"freedom_of_expression", "CCPA 1798.105(d)(4)", deletion, true},
		{"calecpa", "CCPA 1798.105(d)(5)", deletion, true},
		{"archiving_or_research", "CCPA 1798.105(d)(6)", deletion, true},
		{"expected_internal_use", "CCPA 1798.105(d)(7)", deletion, true},
		{"legal_obligation", "CCPA 1798.105(d)(8)", deletion, true},
	},
}

// common are the grounds of the laws that have no list here: what none of them forbids.
var common = []Ground{
	{"not_identified", "identity not shown", all, false},
	{"legal_obligation", "a duty to keep", deletion, true},
	{"legal_claims", "claims that are made or defended", deletion, true},
}

// Grounds lists the grounds of a law.
func Grounds(regime privacy.Regime) []Ground {
	if grounds, ok := groundsByLaw[regime]; ok {
		return grounds
	}
	return common
}

func groundAllowed(regime privacy.Regime, kind privacy.RequestType, name string) bool {
	return slices.ContainsFunc(Grounds(regime), func(g Ground) bool { return g.Name == name && slices.Contains(g.Types, kind) })
}

func holdAllowed(regime privacy.Regime, name string) bool {
	return slices.ContainsFunc(Grounds(regime), func(g Ground) bool { return g.Name == name && g.Holds })
}
