package store

import (
	"encoding/binary"
	"time"
)

// The rows of a disclosure are read as they came over the wire (PostgreSQL documentation, "Formats and Format
// Codes": integers are big endian), because scanning them costs more than the server takes to find them.

func rawInt32(field []byte) int32 { return int32(binary.BigEndian.Uint32(field)) } //nolint:gosec // two's complement

func rawInt64(field []byte) int64 { return int64(binary.BigEndian.Uint64(field)) } //nolint:gosec // two's complement

func rawBool(field []byte) bool { return field[0] != 0 }

// postgresEpoch is what timestamps count from: 2000-01-01, in microseconds since 1970.
const postgresEpoch = 946_684_800_000_000

func rawTime(field []byte) time.Time { return time.UnixMicro(rawInt64(field) + postgresEpoch).UTC() }

// byteArena keeps copies of fields, which are only lent until the next row is read, in few allocations.
type byteArena struct {
	free []byte
	kept int // bytes in all
}

const arenaChunk = 2 << 10

func (a *byteArena) keep(field []byte) []byte {
	if len(field) > cap(a.free)-len(a.free) {
		a.free = make([]byte, 0, max(arenaChunk, len(field)))
	}
	a.kept += len(field)
	start := len(a.free)
	a.free = append(a.free, field...)
	return a.free[start:len(a.free):len(a.free)]
}

// reset lets go of all that was kept, and makes room for as much in one piece.
func (a *byteArena) reset() {
	if a.kept > cap(a.free) {
		a.free = make([]byte, 0, a.kept+a.kept/8)
	}
	a.free, a.kept = a.free[:0], 0
}

// knownWord reads a field that is nearly always one of a few words, without a copy of its own when it is.
func knownWord[W ~string](field []byte, words ...W) W {
	for _, word := range words {
		if string(field) == string(word) {
			return word
		}
	}
	return W(field)
}
