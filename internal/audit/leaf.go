package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"time"

	"github.com/transparency-dev/merkle/rfc6962"

	"github.com/consentry/consentry/internal/privacy"
)

// The labels separate these bytes from everything else that is ever hashed, and say how the rest is
// read. Another encoding gets another label; these are frozen. The second has the object and the actor, and
// is for the entries that have one of them: every other entry has the one leaf it always had.
const (
	leafLabel       = "consentry audit entry v1\x00"
	leafLabelObject = "consentry audit entry v2\x00"
)

// Leaf gives the bytes that stand for the entry in the log: the label, then every field in the order
// below, numbers big endian, texts and lists after their length in four bytes. Equal bytes mean equal
// entries and the other way round.
//
//	batch (16) ‖ position (4) ‖ at, microseconds since 1970 (8) ‖ action ‖ client ‖ roles
//	‖ request id ‖ subject (16) ‖ purpose ‖ decision (32) ‖ attributes [‖ object ‖ actor]
func (e Entry) Leaf() []byte { return e.appendLeaf(make([]byte, 0, 256)) }

// LeafHash gives the hash that the log holds for the entry (RFC 6962 §2.1).
func (e Entry) LeafHash() Hash {
	prefixed := append(make([]byte, 0, 512), rfc6962.RFC6962LeafHashPrefix)
	return sha256.Sum256(e.appendLeaf(prefixed))
}

func (e Entry) appendLeaf(b []byte) []byte {
	actedOn := e.Object != "" || e.Actor != ""
	if actedOn {
		b = append(b, leafLabelObject...)
	} else {
		b = append(b, leafLabel...)
	}
	b = append(b, e.Name.BatchID[:]...)
	b = appendUint32(b, int(e.Name.ID))
	b = binary.BigEndian.AppendUint64(b, uint64(e.At.UnixMicro()))
	b = appendText(b, e.Action)
	b = appendText(b, e.Client)
	b = appendList(b, e.Roles)
	b = appendText(b, e.RequestID)
	b = append(b, e.Subject[:]...)
	b = appendText(b, e.Purpose)
	b = append(b, e.Decision[:]...)
	b = appendList(b, e.Attributes)
	if actedOn {
		b = appendText(appendText(b, e.Object), e.Actor)
	}
	return b
}

func appendUint32(b []byte, n int) []byte {
	return binary.BigEndian.AppendUint32(b, uint32(n)) //nolint:gosec // lengths and positions are far below 2³²
}

func appendText[S ~string | ~[]byte](b []byte, text S) []byte {
	return append(appendUint32(b, len(text)), text...)
}

func appendList[S ~string](b []byte, names []S) []byte {
	b = appendUint32(b, len(names))
	for _, name := range names {
		b = appendText(b, name)
	}
	return b
}

// ParseLeaf reads what [Entry.Leaf] wrote and nothing else: whatever it accepts, Leaf gives
// back byte for byte.
func ParseLeaf(leaf []byte) (Entry, error) {
	rest, ok := bytes.CutPrefix(leaf, []byte(leafLabel))
	actedOn := false
	if !ok {
		rest, actedOn = bytes.CutPrefix(leaf, []byte(leafLabelObject))
	}
	if !ok && !actedOn {
		return Entry{}, malformed("label")
	}
	p := leafParser{rest: rest}
	var e Entry
	copy(e.Name.BatchID[:], p.take(len(e.Name.BatchID)))
	e.Name.ID = int32(p.uint32())                  //nolint:gosec // negative ones are refused below
	e.At = time.UnixMicro(int64(p.uint64())).UTC() //nolint:gosec // two's complement
	e.Action = Action(p.text())
	e.Client = privacy.ClientID(p.text())
	e.Roles = parseList[privacy.Role](&p)
	e.RequestID = privacy.RequestID(p.text())
	copy(e.Subject[:], p.take(len(e.Subject)))
	e.Purpose = privacy.PurposeName(p.text())
	copy(e.Decision[:], p.take(len(e.Decision)))
	e.Attributes = parseList[privacy.AttributeName](&p)
	if actedOn {
		e.Object, e.Actor = p.text(), privacy.ActorID(p.text())
		if e.Object == "" && e.Actor == "" {
			return Entry{}, malformed("label")
		}
	}
	if p.short || len(p.rest) > 0 {
		return Entry{}, malformed("leaf")
	}
	if err := e.Validate(); err != nil {
		return Entry{}, err
	}
	return e, nil
}

// leafParser takes fields off the front. Once the bytes have run out it is short, and gives
// zeroes until somebody asks.
type leafParser struct {
	rest  []byte
	short bool
}

func (p *leafParser) take(n int) []byte {
	if n > len(p.rest) {
		p.short, p.rest = true, nil
		return nil
	}
	field := p.rest[:n]
	p.rest = p.rest[n:]
	return field
}

func (p *leafParser) uint32() uint32 {
	if b := p.take(4); b != nil {
		return binary.BigEndian.Uint32(b)
	}
	return 0
}

func (p *leafParser) uint64() uint64 {
	if b := p.take(8); b != nil {
		return binary.BigEndian.Uint64(b)
	}
	return 0
}

func (p *leafParser) text() string { return string(p.take(int(p.uint32()))) }

func parseList[S ~string](p *leafParser) []S {
	var names []S
	for n := p.uint32(); n > 0 && !p.short; n-- {
		names = append(names, S(p.text()))
	}
	return names
}
