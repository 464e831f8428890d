package privacy

// ProcessorID names a downstream system that is told of changes: a UUIDv7.
type ProcessorID [16]byte

// ParseProcessorID reads the canonical 36-character form.
func ParseProcessorID(s string) (ProcessorID, error) {
	id, err := parseUUID(s)
	return ProcessorID(id), err
}

// String gives the canonical lower-case form.
func (id ProcessorID) String() string { return formatUUID(id) }

// MarshalText implements encoding.TextMarshaler.
func (id ProcessorID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (id *ProcessorID) UnmarshalText(text []byte) error {
	parsed, err := ParseProcessorID(string(text))
	*id = parsed
	return err
}
