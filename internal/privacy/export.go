package privacy

// ExportID names a file that a subject takes away: a UUIDv7.
type ExportID [16]byte

// String gives the canonical lower-case form.
func (id ExportID) String() string { return formatUUID(id) }

// MarshalText implements encoding.TextMarshaler.
func (id ExportID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }
