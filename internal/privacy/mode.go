package privacy

// Mode says in which form a permitted attribute is released.
type Mode string

// The modes, strongest first: each reveals less than the one before.
const (
	ModePlain      Mode = "plain"
	ModeGeneralise Mode = "generalise"
	ModeMask       Mode = "mask"
	ModeTokenise   Mode = "tokenise"
	ModeAggregate  Mode = "aggregate"
	ModeDeny       Mode = "deny"
)

// Releases reports whether the mode lets an individual value out in some form.
// Aggregates are answered by segments alone; an unknown mode releases nothing.
func (m Mode) Releases() bool {
	switch m {
	case ModePlain, ModeGeneralise, ModeMask, ModeTokenise:
		return true
	default:
		return false
	}
}

// Classification says how sensitive an attribute is.
type Classification string

// The classifications. Sensitive is GDPR Art. 9 and PIPL Art. 28.
const (
	ClassPublic    Classification = "public"
	ClassInternal  Classification = "internal"
	ClassPersonal  Classification = "personal"
	ClassSensitive Classification = "sensitive"
)
