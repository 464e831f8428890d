package signal

import "github.com/consentry/consentry/internal/privacy"

// MaxText is how long a TC or GPP string may be, in characters.
const MaxText = 64 << 10

// What is wrong with a string. The codes are stable; the sentences hold nothing of the string.
var (
	errTooLong   = privacy.NewError(privacy.KindTooLarge, "signal_too_long", "a TC or GPP string has at most 65,536 characters")
	errEmpty     = privacy.Invalid("signal_empty", "send the string as the consent platform gave it; leave the field out when there is none")
	errAlphabet  = privacy.Invalid("signal_alphabet", "the string is encoded with A-Z, a-z, 0-9, - and _, without padding; send it as the consent platform gave it")
	errTruncated = privacy.Invalid("signal_truncated", "the string ends before what it announces; send all of it")
	errTrailing  = privacy.Invalid("signal_trailing", "the string goes on after its end; send it as the consent platform gave it")
	errVersion   = privacy.Invalid("signal_version", "the string has a version that is not read here; TC strings are of version 2, GPP strings of version 1")
	errSegment   = privacy.Invalid("signal_segment", "the string has a segment that is unknown, is there twice or is out of place")
	errRange     = privacy.Invalid("signal_range", "the string has a range of ids that is empty, runs backwards or exceeds what it announces")
	errField     = privacy.Invalid("signal_field", "the string has a value that its specification does not know")
	errSections  = privacy.Invalid("signal_sections", "the string's header does not list the sections that follow it")
	errUnknownID = privacy.Invalid("signal_unknown_section", "the string's header names a section that no specification knows")
	errFibonacci = privacy.Invalid("signal_number", "the string has a number that is out of bounds")
)
