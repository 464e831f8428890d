package audit

import (
	"bytes"
	"crypto/sha256"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

var testTime = time.Date(2026, 3, 1, 9, 30, 0, 123_456_000, time.UTC)

func uuid(n byte) [16]byte {
	return [16]byte{0x01, 0x9c, 0xa8, 0, 0, n, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n}
}

// sampleEntry has every field set.
func sampleEntry() Entry {
	return Entry{
		Name: EntryName{BatchID: uuid(1), ID: 7},
		Draft: Draft{
			At: testTime, Action: ActionDisclosure, Client: "crm-mailer",
			Roles: []privacy.Role{privacy.RoleConsumer, privacy.RoleSteward}, RequestID: "req-1",
			Subject: uuid(2), Purpose: "marketing.email", Decision: sha256.Sum256([]byte("decision")),
			Attributes: []privacy.AttributeName{"city", "email"},
		},
	}
}

// entryChanges is one change to each field.
var entryChanges = map[string]func(*Entry){
	"batch":           func(e *Entry) { e.Name.BatchID[15]++ },
	"position":        func(e *Entry) { e.Name.ID++ },
	"time":            func(e *Entry) { e.At = e.At.Add(time.Microsecond) },
	"action":          func(e *Entry) { e.Action = ActionDecisionExplain },
	"client":          func(e *Entry) { e.Client = "crm" },
	"role":            func(e *Entry) { e.Roles = []privacy.Role{privacy.RoleAdmin, privacy.RoleSteward} },
	"role gone":       func(e *Entry) { e.Roles = e.Roles[:1] },
	"roles gone":      func(e *Entry) { e.Roles = nil },
	"request":         func(e *Entry) { e.RequestID = "" },
	"subject":         func(e *Entry) { e.Subject[0] ^= 1 },
	"purpose":         func(e *Entry) { e.Purpose = "marketing.sms" },
	"decision":        func(e *Entry) { e.Decision[31] ^= 1 },
	"no decision":     func(e *Entry) { e.Decision = Hash{} },
	"attribute":       func(e *Entry) { e.Attributes = []privacy.AttributeName{"city", "phone"} },
	"attribute gone":  func(e *Entry) { e.Attributes = e.Attributes[1:] },
	"attribute added": func(e *Entry) { e.Attributes = []privacy.AttributeName{"city", "email", "phone"} },
	"object":          func(e *Entry) { e.Object = "revision/ab" },
	"actor":           func(e *Entry) { e.Actor = "ab" },
	"object, actor":   func(e *Entry) { e.Object, e.Actor = "revision/a", "b" },
	"moved border":    func(e *Entry) { e.Client, e.Action = "rm-mailer", e.Action+"c" },
}

// The encoding is frozen: these bytes are put together by hand.
func TestLeafBytes(t *testing.T) {
	text := func(s string) string { return "\x00\x00\x00" + string(rune(len(s))) + s }
	e := sampleEntry()
	want := "consentry audit entry v1\x00" + string(e.Name.BatchID[:]) + "\x00\x00\x00\x07" +
		"\x00\x06\x4b\xf3\x1d\x3f\xd8\x40" +
		text("disclosure") + text("crm-mailer") + "\x00\x00\x00\x02" + text("consumer") + text("steward") + text("req-1") +
		string(e.Subject[:]) + text("marketing.email") + string(e.Decision[:]) + "\x00\x00\x00\x02" + text("city") + text("email")
	if got := string(e.Leaf()); got != want {
		t.Errorf("leaf\n%q, want\n%q", got, want)
	}
	e.Object, e.Actor = "revision/ab", "cd"
	if got, want2 := string(e.Leaf()), strings.Replace(want, "v1", "v2", 1)+text("revision/ab")+text("cd"); got != want2 {
		t.Errorf("leaf\n%q, want\n%q", got, want2)
	}
	e.Object, e.Actor = "", ""
	if got, want := e.LeafHash(), Hash(sha256.Sum256([]byte("\x00"+want))); got != want {
		t.Errorf("leaf hash %s, want %s", got, want)
	}
}

func TestLeafCoversEveryField(t *testing.T) {
	seen := map[Hash]string{sampleEntry().LeafHash(): "unchanged"}
	for name, change := range entryChanges {
		e := sampleEntry()
		change(&e)
		if other, taken := seen[e.LeafHash()]; taken {
			t.Errorf("%s and %s have the same leaf", name, other)
		}
		seen[e.LeafHash()] = name
	}
	// A field that is added later must be added to the encoding and to the changes above. Orders is for the commit alone.
	if n := reflect.TypeFor[Draft]().NumField(); n != 11+1 {
		t.Errorf("a draft has %d fields; does the leaf have them all?", n)
	}
}

func drawEntry(t *rapid.T) Entry {
	name := rapid.StringMatching(`[a-z_.0-9é]{0,12}`)
	draft := Draft{
		At:         time.UnixMicro(rapid.Int64Range(-1<<50, 1<<52).Draw(t, "at")),
		Action:     Action("a" + name.Draw(t, "action")),
		Client:     privacy.ClientID(name.Draw(t, "client")),
		RequestID:  privacy.RequestID(name.Draw(t, "request")),
		Purpose:    privacy.PurposeName(name.Draw(t, "purpose")),
		Attributes: rapid.SliceOfN(rapid.Map(rapid.StringMatching(`[a-z]{1,3}`), func(s string) privacy.AttributeName { return privacy.AttributeName(s) }), 0, 6).Draw(t, "attributes"),
		Roles:      rapid.SliceOfN(rapid.SampledFrom(privacy.Roles()), 0, 3).Draw(t, "roles"),
	}
	if rapid.Bool().Draw(t, "acted on") {
		draft.Object, draft.Actor = name.Draw(t, "object"), privacy.ActorID(name.Draw(t, "actor"))
	}
	copy(draft.Subject[:], rapid.SliceOfN(rapid.Byte(), 0, 16).Draw(t, "subject"))
	copy(draft.Decision[:], rapid.SliceOfN(rapid.Byte(), 0, 32).Draw(t, "decision"))
	return Entry{Name: EntryName{BatchID: uuid(3), ID: rapid.Int32Min(0).Draw(t, "id")}, Draft: draft.normalised(testTime)}
}

func TestLeafRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		e := drawEntry(rt)
		got, err := ParseLeaf(e.Leaf())
		if err != nil {
			rt.Fatal(err)
		}
		if !reflect.DeepEqual(got, e) {
			rt.Fatalf("got %+v, want %+v", got, e)
		}
	})
}

func TestParseLeafIsStrict(t *testing.T) {
	good := sampleEntry().Leaf()
	for cut := range good {
		if _, err := ParseLeaf(good[:cut]); err == nil {
			t.Fatalf("accepted the first %d bytes", cut)
		}
	}
	bad := map[string]func(*Entry){
		"no batch":            func(e *Entry) { e.Name.BatchID = BatchID{} },
		"negative position":   func(e *Entry) { e.Name.ID = -1 },
		"no action":           func(e *Entry) { e.Action = "" },
		"control character":   func(e *Entry) { e.Client = "a\nb" },
		"NUL":                 func(e *Entry) { e.Purpose = "a\x00" },
		"not UTF-8":           func(e *Entry) { e.RequestID = "\xff" },
		"long":                func(e *Entry) { e.Client = privacy.ClientID(strings.Repeat("x", maxText+1)) },
		"unsorted attributes": func(e *Entry) { slices.Reverse(e.Attributes) },
		"repeated role":       func(e *Entry) { e.Roles[1] = e.Roles[0] },
		"empty attribute":     func(e *Entry) { e.Attributes[0] = "" },
		"comma in attribute":  func(e *Entry) { e.Attributes[0] = "a,b" },
		"far future":          func(e *Entry) { e.At = time.Date(10_000, 1, 1, 0, 0, 0, 0, time.UTC) },
	}
	for name, change := range bad {
		e := sampleEntry()
		change(&e)
		if _, err := ParseLeaf(e.Leaf()); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	idle := append([]byte(leafLabelObject), good[len(leafLabel):]...)
	if _, err := ParseLeaf(append(idle, make([]byte, 8)...)); err == nil {
		t.Error("accepted a second spelling of an entry that has no object")
	}
	if _, err := ParseLeaf(append(slices.Clone(good), 0)); err == nil {
		t.Error("accepted a byte too many")
	}
}

func FuzzParseLeaf(f *testing.F) {
	f.Add(sampleEntry().Leaf())
	f.Add([]byte(leafLabel))
	acted := sampleEntry()
	acted.Object = "revision/ab"
	f.Add(acted.Leaf())
	f.Fuzz(func(t *testing.T, leaf []byte) {
		e, err := ParseLeaf(leaf)
		if err == nil && !bytes.Equal(e.Leaf(), leaf) {
			t.Fatal("two spellings of one entry")
		}
	})
}

func TestEntryName(t *testing.T) {
	name := sampleEntry().Name
	const text = "019ca800-0001-7000-8000-000000000001.7"
	if name.String() != text {
		t.Errorf("text form %s", name)
	}
	if got, err := ParseEntryName(text); err != nil || got != name {
		t.Errorf("parsed %v, %v", got, err)
	}
	for _, bad := range []string{"", ".", "x", text[:36], text[:37], text + " ", text + ".1", strings.ToUpper("a" + text[1:]), text[:37] + "-1", text[:37] + "+7", text[:37] + "07", text[:37] + "2147483648"} {
		if _, err := ParseEntryName(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func FuzzParseEntryName(f *testing.F) {
	f.Add("019ca800-0001-7000-8000-000000000001.7")
	f.Fuzz(func(t *testing.T, text string) {
		if name, err := ParseEntryName(text); err == nil && name.String() != text {
			t.Fatal("two spellings of one name")
		}
	})
}

func TestDecisionHash(t *testing.T) {
	d := Decision{Revision: "ab", Input: []byte("{}"), Outcome: []byte("[]")}
	want := Hash(sha256.Sum256([]byte("consentry decision v1\x00\x00\x00\x00\x02ab\x00\x00\x00\x02{}\x00\x00\x00\x02[]")))
	if d.Hash() != want {
		t.Errorf("hash %s, want %s", d.Hash(), want)
	}
	for name, other := range map[string]Decision{
		"revision": {"ac", d.Input, d.Outcome}, "input": {"ab", []byte("{ }"), d.Outcome}, "outcome": {"ab", d.Input, nil},
		"border": {"ab{", []byte("}"), d.Outcome}, "other border": {"ab", []byte("{}["), []byte("]")},
	} {
		if other.Hash() == d.Hash() {
			t.Errorf("%s: same hash", name)
		}
	}
}

func TestParseHash(t *testing.T) {
	h := testLeaf(1)
	if got, err := ParseHash(h.String()); err != nil || got != h {
		t.Errorf("got %s, %v", got, err)
	}
	for _, bad := range []string{"", h.String()[1:], h.String() + "0", strings.Repeat("A", 64), strings.Repeat("g", 64)} {
		if _, err := ParseHash(bad); err == nil {
			t.Errorf("accepted %q", bad)
		}
	}
}

func TestNewBatch(t *testing.T) {
	zone := time.FixedZone("somewhere", 3_600)
	decision := Decision{Revision: "r", Input: []byte("{}"), Outcome: []byte("{}")}
	drafts := []Draft{
		{Action: ActionDisclosure, Decision: decision.Hash()},
		{Action: ActionAttributesUpdate, At: testTime.Add(789).In(zone), Attributes: []privacy.AttributeName{"b", "a", "b"}},
	}
	batch, err := NewBatch(testTime, bytes.NewReader(make([]byte, 16)), drafts, []Decision{decision, decision})
	if err != nil {
		t.Fatal(err)
	}
	if len(batch.Decisions) != 1 || batch.Decisions[0].Hash != decision.Hash() {
		t.Errorf("decisions %v", batch.Decisions)
	}
	for i, e := range batch.Entries {
		if e.Name != (EntryName{batch.ID, int32(i)}) || !e.At.Equal(testTime) || e.At.Location() != time.UTC {
			t.Errorf("entry %d: %+v", i, e)
		}
		if err := e.Validate(); err != nil {
			t.Errorf("entry %d: %v", i, err)
		}
	}
	if got := batch.Entries[1].Attributes; !slices.Equal(got, []privacy.AttributeName{"a", "b"}) {
		t.Errorf("attributes %v", got)
	}
	if drafts[1].Attributes[0] != "b" {
		t.Error("the caller's list was sorted in place")
	}

	for name, bad := range map[string]struct {
		drafts    []Draft
		decisions []Decision
	}{
		"nothing":          {nil, nil},
		"dangling":         {drafts, nil},
		"malformed":        {[]Draft{{Action: "a\x00"}}, nil},
		"decision garbled": {[]Draft{{Action: "a"}}, []Decision{{Input: []byte("\xff")}}},
	} {
		if _, err := NewBatch(testTime, bytes.NewReader(make([]byte, 16)), bad.drafts, bad.decisions); privacy.KindOf(err) != privacy.KindInternal || err == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := NewBatch(testTime, bytes.NewReader(nil), drafts, []Decision{decision}); err == nil {
		t.Error("no randomness: no error")
	}
}
