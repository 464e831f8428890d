package proofpack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
)

func TestAPackVerifies(t *testing.T) {
	t.Parallel()
	packed := write(t, source(ours, ledger()))
	for what, trust := range map[string]proofpack.Trust{"by its own keys": {}, "by ours": trusted(ours)} {
		report := verify(t, packed, trust)
		if !report.OK() || report.Vouched != (len(trust.Keys) > 0) || len(report.Checks) != 8 {
			text, _ := json.MarshalIndent(report, "", " ")
			t.Errorf("%s: %s", what, text)
		}
		if m := report.Manifest; m.Subject != subject || m.Records != 4 || m.Origin != origin || len(m.Files) != 10 {
			t.Errorf("%s: %+v", what, m)
		}
	}
	page := string(unpack(t, packed).contents["notices/privacy/1/de.md"])
	if page != "# Werbung\n\nWir schreiben <Ihnen>.\n" {
		t.Errorf("what was shown reads %q", page)
	}
}

// Nobody is told that all is well of somebody who decided nothing, unless it was signed.
func TestAnEmptyLedgerVerifies(t *testing.T) {
	t.Parallel()
	s := source(ours, ledger())
	s.Records, s.ReceiptJWS, s.Entries = sequence([]proofpack.Record{}), sequence([]string{}), sequence([]proofpack.Entry{})
	if report := verify(t, write(t, s), trusted(ours)); !report.OK() {
		t.Errorf("%+v", report)
	}
}

// A pack that brings no key of its own vouches for nothing to who trusts none.
func TestAPackWithoutKeysFailsWithoutTrust(t *testing.T) {
	t.Parallel()
	for what, change := range map[string]func(*pack){
		"none":   func(p *pack) { p.put("audit/keys.txt", nil) },
		"no key": func(p *pack) { p.put("audit/keys.txt", []byte("trust me\n")) },
	} {
		p := unpack(t, write(t, source(ours, ledger())))
		change(p)
		p.list()
		p.sign(ours)
		if report := verify(t, p.zip(), proofpack.Trust{}); report.OK() || !strings.Contains(faults(report, "manifest"), "key") {
			t.Errorf("%s: found %s", what, faults(report, "manifest"))
		}
	}
}

// Two packs of the same are the same, byte for byte.
func TestPacksAreReproducible(t *testing.T) {
	t.Parallel()
	if !bytes.Equal(write(t, source(ours, ledger())), write(t, source(ours, ledger()))) {
		t.Error("they differ")
	}
}

// A pack that a stranger made whole is whole, under the stranger's keys: who made it is for the trusted key to say.
func TestAStrangersPackFailsUnderATrustedKey(t *testing.T) {
	t.Parallel()
	packed := write(t, source(stranger, ledger()))
	if report := verify(t, packed, proofpack.Trust{}); !report.OK() || report.Vouched {
		t.Errorf("%+v", report)
	}
	report := verify(t, packed, trusted(ours))
	for _, name := range []string{"manifest", "keys", "receipts", "audit log"} {
		if faults(report, name) == "" {
			t.Errorf("%s passes", name)
		}
	}
}

// How a change is hidden: not at all; by listing the files anew; by signing that too, as only the vault can. What is found even then
// is found against whoever holds the key.
type hiding int

const (
	open hiding = iota
	listed
	signed
)

func TestVerifyFindsWhatWasTamperedWith(t *testing.T) {
	t.Parallel()
	records := func(change func([]proofpack.Record)) func(*pack) {
		return func(p *pack) {
			list := ledger()
			change(list)
			var lines [][]byte
			for i := range list {
				line, err := json.Marshal(list[i])
				if err != nil {
					panic(err)
				}
				lines = append(lines, line)
			}
			p.putLines("records.ndjson", lines)
		}
	}
	swap := func(name string, i, j int) func(*pack) {
		return func(p *pack) {
			lines := p.lines(name)
			lines[i], lines[j] = lines[j], lines[i]
			p.putLines(name, lines)
		}
	}
	cut := func(name string, i int) func(*pack) {
		return func(p *pack) {
			lines := p.lines(name)
			p.putLines(name, append(lines[:i:i], lines[i+1:]...))
		}
	}
	entry := func(i int, change func(*proofpack.Entry)) func(*pack) {
		return func(p *pack) {
			lines := p.lines("audit/entries.ndjson")
			var e proofpack.Entry
			if err := json.Unmarshal(lines[i], &e); err != nil {
				panic(err)
			}
			change(&e)
			lines[i], _ = json.Marshal(e)
			p.putLines("audit/entries.ndjson", lines)
		}
	}
	foreign := func(c audit.Checkpoint, private ed25519.PrivateKey) func(*pack) {
		return func(p *pack) { p.put("audit/checkpoint.txt", signCheckpoint(private, c)) }
	}
	forged := func(i int) func(*pack) {
		return func(p *pack) {
			lines, list := p.lines("receipts.txt"), ledger()
			lines[i] = []byte(receiptOf(stranger, &list[i]))
			p.putLines("receipts.txt", lines)
		}
	}
	strangersKeys := unpack(t, write(t, source(stranger, ledger())))

	for name, c := range map[string]struct {
		change func(*pack)
		hidden hiding
		check  string
		fault  string
	}{
		"a changed record":                 {func(p *pack) { p.replace("records.ndjson", `"channel":"web"`, `"channel":"app"`) }, open, "files", "records.ndjson is not what the manifest says"},
		"a changed record, listed":         {func(p *pack) { p.replace("records.ndjson", `"channel":"web"`, `"channel":"app"`) }, listed, "manifest", "no trusted key has signed"},
		"a changed record, signed":         {func(p *pack) { p.replace("records.ndjson", `"channel":"web"`, `"channel":"app"`) }, signed, "records", "record 2 is not what its hash says"},
		"a changed record, chained anew":   {records(func(r []proofpack.Record) { r[2].Action = privacy.ActionGrant; rechain(r) }), signed, "records", "ended with another record"},
		"the same, by its receipt":         {records(func(r []proofpack.Record) { r[2].Action = privacy.ActionGrant; rechain(r) }), signed, "receipts", "record 3 tells something else"},
		"the same, by the log":             {records(func(r []proofpack.Record) { r[2].Action = privacy.ActionGrant; rechain(r) }), signed, "audit log", "record 3 names something else"},
		"a record before the chain":        {records(func(r []proofpack.Record) { r[0].Action = privacy.ActionGrant }), signed, "receipts", "record 1 tells something else"},
		"a record taken out of the chain":  {records(func(r []proofpack.Record) { r[3].Hash, r[3].Prev = nil, nil }), signed, "records", "record 4 has no hash"},
		"a removed record":                 {cut("records.ndjson", 2), signed, "records", "record 4 stands where record 3 should"},
		"the same, by the chain":           {cut("records.ndjson", 2), signed, "records", "record 4 does not follow"},
		"the last record removed":          {cut("records.ndjson", 3), signed, "records", "ended with another record"},
		"the last removed everywhere":      {func(p *pack) { cutLast(p) }, listed, "manifest", "no trusted key has signed"},
		"all records removed":              {func(p *pack) { p.put("records.ndjson", nil) }, signed, "records", "ended with another record"},
		"reordered records":                {swap("records.ndjson", 2, 3), signed, "records", "record 4 stands where record 3 should"},
		"a record that is spelt otherwise": {func(p *pack) { p.replace("records.ndjson", `"seq":3,`, `"seq":3, `) }, signed, "records", "line 3: it is not spelt"},
		"a record with something hidden":   {func(p *pack) { p.replace("records.ndjson", `{"seq":3,`, `{"Action":"grant","seq":3,`) }, signed, "records", "line 3: it is not spelt"},
		"records without a last line end":  {func(p *pack) { p.put("records.ndjson", bytes.TrimSuffix(p.contents["records.ndjson"], []byte("\n"))) }, signed, "records", "has no end"},
		"records in an endless line":       {func(p *pack) { p.put("records.ndjson", bytes.Repeat([]byte("a"), 1<<20)) }, signed, "records", "too long"},
		"a changed receipt":                {func(p *pack) { flip(p, "receipts.txt", 40) }, signed, "receipts", "that of record 1"},
		"a forged receipt":                 {forged(1), signed, "receipts", "that of record 2: the receipt was signed by a key that is not"},
		"a forged receipt with its key":    {func(p *pack) { forged(1)(p); p.put("jwks.json", strangersKeys.contents["jwks.json"]) }, signed, "keys", "jwks.json holds a key that is not trusted"},
		"receipts of each other":           {swap("receipts.txt", 1, 3), signed, "receipts", "in the place of record 2 tells something else"},
		"a missing receipt":                {cut("receipts.txt", 3), signed, "receipts", "none of record 4"},
		"a receipt too many":               {func(p *pack) { p.putLines("receipts.txt", append(p.lines("receipts.txt"), p.lines("receipts.txt")[0])) }, signed, "receipts", "more than there are records"},
		"a key set that is none":           {func(p *pack) { p.put("jwks.json", []byte("{}")) }, signed, "keys", "jwks.json: "},
		"no key set":                       {func(p *pack) { p.drop("jwks.json") }, signed, "keys", "jwks.json is not there"},
		"a changed notice":                 {func(p *pack) { p.replace("notices/privacy/1/notice.json", "Wir", "Wer") }, signed, "notices", "notice.json is not the text that the records refer to"},
		"a changed page of a notice":       {func(p *pack) { p.replace("notices/privacy/1/de.md", "Wir", "Wer") }, signed, "notices", "de.md does not have the words"},
		"a notice that is none":            {func(p *pack) { p.put("notices/privacy/1/notice.json", []byte("[]")) }, signed, "notices", "notice.json: a notice cannot be read"},
		"a page too many":                  {func(p *pack) { p.put("notices/privacy/1/fr.md", []byte("# Oui\n")) }, signed, "notices", "fr.md is of no notice"},
		"a missing notice":                 {func(p *pack) { p.drop("notices/privacy/1/notice.json") }, signed, "notices", "notice.json is not there"},
		"a missing page":                   {func(p *pack) { p.drop("notices/privacy/1/en.md") }, signed, "notices", "en.md does not have the words"},
		"a language that was not shown":    {records(func(r []proofpack.Record) { r[1].Locale = "fr"; rechain(r) }), signed, "notices", "not in a language in which"},
		"a purpose that was not explained": {records(func(r []proofpack.Record) { r[1].Purpose = "ads.personalised"; rechain(r) }), signed, "notices", "does not explain a purpose"},
		"a notice of another hash": {records(func(r []proofpack.Record) {
			r[3].Notice, r[3].NoticeHash = r[1].Notice, bytes.Repeat([]byte{1}, 32)
			rechain(r)
		}), signed, "records", "another text of the notice"},
		"a checkpoint of another log":         {foreign(audit.Checkpoint{Origin: "other.example/audit", Size: 8}, ours), signed, "audit log", "the checkpoint: "},
		"a checkpoint of another key":         {foreign(audit.Checkpoint{Origin: origin, Size: 8}, stranger), signed, "audit log", "the checkpoint: no trusted key"},
		"a checkpoint of another root":        {foreign(audit.Checkpoint{Origin: origin, Size: 8}, ours), signed, "audit log", "does not lead to the root"},
		"a checkpoint from before":            {foreign(audit.Checkpoint{Origin: origin, Size: 2}, ours), signed, "audit log", "does not lead to the root"},
		"a checkpoint with another signature": {func(p *pack) { flip(p, "audit/checkpoint.txt", len(p.contents["audit/checkpoint.txt"])-10) }, signed, "audit log", "the checkpoint: "},
		"a checkpoint that is none":           {func(p *pack) { p.put("audit/checkpoint.txt", []byte("hello\n")) }, signed, "audit log", "the checkpoint: "},
		"no checkpoint":                       {func(p *pack) { p.drop("audit/checkpoint.txt") }, signed, "audit log", "is not there"},
		"an entry's index changed":            {entry(1, func(e *proofpack.Entry) { e.Index++ }), signed, "audit log", "that of record 2"},
		"an entry's proof changed":            {entry(1, func(e *proofpack.Entry) { e.Proof[0][0] ^= 1 }), signed, "audit log", "that of record 2"},
		"an entry's proof cut short":          {entry(1, func(e *proofpack.Entry) { e.Proof = e.Proof[1:] }), signed, "audit log", "that of record 2"},
		"an entry's content changed":          {entry(1, func(e *proofpack.Entry) { e.Leaf[30] ^= 1 }), signed, "audit log", "that of record 2"},
		"an entry that is none":               {entry(1, func(e *proofpack.Entry) { e.Leaf = e.Leaf[1:] }), signed, "audit log", "the entry of record 2 is none"},
		"an entry left out":                   {entry(1, func(e *proofpack.Entry) { e.Leaf = nil }), signed, "audit log", "the entry of record 2 is none"},
		"entries of each other":               {swap("audit/entries.ndjson", 1, 3), signed, "audit log", "in the place of record 2"},
		"an entry of another number": {func(p *pack) {
			swap("audit/entries.ndjson", 1, 3)(p)
			entry(1, func(e *proofpack.Entry) { e.Seq = 2 })(p)
		}, signed, "audit log", "record 2 names something else"},
		"a missing entry": {cut("audit/entries.ndjson", 3), signed, "audit log", "no entry of record 4"},
		"an entry too many": {func(p *pack) {
			p.putLines("audit/entries.ndjson", append(p.lines("audit/entries.ndjson"), []byte(`{"seq":5}`)))
		}, signed, "audit log", "more than there are records"},
		"no entries":                         {func(p *pack) { p.drop("audit/entries.ndjson") }, signed, "audit log", "is not there"},
		"a file that is not in the manifest": {func(p *pack) { p.put("extra.txt", []byte("trust me")) }, open, "files", "extra.txt is not in the manifest"},
		"a file that the manifest wants":     {func(p *pack) { p.drop("README.txt") }, open, "files", "README.txt is not there"},
		"a manifest that wants too little":   {func(p *pack) { p.drop("README.txt") }, signed, "files", "the manifest lists no README.txt"},
		"a manifest that lists a file twice": {func(p *pack) { p.list(); p.replace("manifest.json", `"files":[`, `"files":[`+firstFile(p)+`,`) }, open, "files", "lists README.txt twice"},
		"a changed manifest":                 {func(p *pack) { p.replace("manifest.json", `"made_at":"2027`, `"made_at":"2029`) }, open, "manifest", "no trusted key has signed"},
		"a manifest of another format":       {func(p *pack) { p.replace("manifest.json", "pack v1", "pack v2") }, signed, "manifest", "is no manifest of the form"},
		"a manifest with something hidden":   {func(p *pack) { p.replace("manifest.json", `{"format"`, `{"Records":0,"format"`) }, open, "manifest", "is no manifest of the form"},
		"a manifest of another subject": {func(p *pack) {
			p.list()
			p.replace("manifest.json", subject.String(), "00000000-0000-0000-0000-000000000008")
			p.sign(ours)
		}, open, "records", "is not what its hash says"},
		"a manifest of another log":          {func(p *pack) { p.list(); p.replace("manifest.json", origin, "other.example/audit"); p.sign(ours) }, open, "manifest", "the trusted key of another"},
		"a manifest that a stranger signed":  {func(p *pack) { p.sign(stranger) }, open, "manifest", "no trusted key has signed"},
		"a manifest signed as nothing":       {func(p *pack) { p.put("manifest.jws", []byte("eyJhbGciOiJub25lIn0..")) }, open, "manifest", "no trusted key has signed"},
		"a manifest with content in the JWS": {func(p *pack) { p.replace("manifest.jws", "..", ".e30.") }, open, "manifest", "no trusted key has signed"},
		"a manifest without signature":       {func(p *pack) { p.drop("manifest.jws") }, open, "manifest", "manifest.jws is not there"},
		"no manifest":                        {func(p *pack) { p.drop("manifest.json") }, open, "manifest", "manifest.json is not there"},
		"a log key of a stranger":            {func(p *pack) { p.put("audit/keys.txt", strangersKeys.contents["audit/keys.txt"]) }, signed, "keys", "audit/keys.txt holds a key that is not trusted"},
		"no log key":                         {func(p *pack) { p.put("audit/keys.txt", nil) }, signed, "keys", "no key in"},
	} {
		p := unpack(t, write(t, source(ours, ledger())))
		c.change(p)
		if c.hidden >= listed {
			p.list()
		}
		if c.hidden >= signed {
			p.sign(ours)
		}
		report := verify(t, p.zip(), trusted(ours))
		if report.OK() {
			t.Errorf("%s: nothing was found", name)
		}
		if found := faults(report, c.check); !strings.Contains(found, strings.ReplaceAll(c.fault, `"`, `\"`)) {
			t.Errorf("%s: %s found %s, want %q", name, c.check, found, c.fault)
		}
	}
}

// cutLast takes the last record out everywhere, and has the manifest agree.
func cutLast(p *pack) {
	for _, name := range []string{"records.ndjson", "receipts.txt", "audit/entries.ndjson"} {
		lines := p.lines(name)
		p.putLines(name, lines[:len(lines)-1])
	}
	list := ledger()
	p.replace("manifest.json", `"records":4`, `"records":3`)
	last, _ := list[3].Hash.MarshalText()
	third, _ := list[2].Hash.MarshalText()
	p.replace("manifest.json", string(last), string(third))
}

func flip(p *pack, name string, at int) {
	content := bytes.Clone(p.contents[name])
	content[at] ^= 1
	p.put(name, content)
}

func firstFile(p *pack) string {
	var m proofpack.Manifest
	if err := json.Unmarshal(p.contents["manifest.json"], &m); err != nil {
		panic(err)
	}
	text, _ := json.Marshal(m.Files[0])
	return string(text)
}

// What cannot be a pack is turned away before anything of it is unpacked.
func TestVerifyTurnsAwayWhatCannotBeAPack(t *testing.T) {
	t.Parallel()
	good := write(t, source(ours, ledger()))
	with := func(add func(*zip.Writer)) []byte {
		p := unpack(t, good)
		var packed bytes.Buffer
		w := zip.NewWriter(&packed)
		for _, name := range p.names {
			file, _ := w.Create(name)
			_, _ = file.Write(p.contents[name])
		}
		add(w)
		_ = w.Close()
		return packed.Bytes()
	}
	named := func(name string) []byte {
		return with(func(w *zip.Writer) { _, _ = w.CreateHeader(&zip.FileHeader{Name: name}) })
	}
	raw := func(header zip.FileHeader) []byte {
		return with(func(w *zip.Writer) { _, _ = w.CreateRaw(&header) })
	}
	link := zip.FileHeader{Name: "link"}
	link.SetMode(0o777 | 1<<27) // fs.ModeSymlink
	for name, c := range map[string]struct {
		packed []byte
		fault  string
	}{
		"nothing":                    {nil, "no ZIP file"},
		"a text":                     {bytes.Repeat([]byte("consent "), 100), "no ZIP file"},
		"cut short":                  {good[:len(good)-1], "cut short"},
		"cut in half":                {good[:len(good)/2], "cut short"},
		"something behind":           {append(bytes.Clone(good), "more"...), "behind its end"},
		"something before":           {append([]byte("#!/bin/sh\n"), good...), "plain form"},
		"a comment":                  {with(func(w *zip.Writer) { _ = w.SetComment("hello") }), "no ZIP file"},
		"a name that leads up":       {named("../records.ndjson"), "leads elsewhere"},
		"a name that leads up later": {named("notices/../../etc/passwd"), "leads elsewhere"},
		"a name from the root":       {named("/etc/passwd"), "leads elsewhere"},
		"a name for another system":  {named(`..\evil.exe`), "leads elsewhere"},
		"a name with a drive":        {named("C:evil.exe"), "leads elsewhere"},
		"a name with a NUL":          {named("README.txt\x00.exe"), "leads elsewhere"},
		"a hidden name":              {named(".profile"), "leads elsewhere"},
		"an endless name":            {named(strings.Repeat("a", 5000)), "leads elsewhere"},
		"a folder":                   {named("notices/"), "leads elsewhere"},
		"two of one name":            {named("records.ndjson"), "one name"},
		"a link":                     {raw(link), "no plain file"},
		"an encrypted file":          {raw(zip.FileHeader{Name: "secret", Flags: 1}), "encrypted"},
		"an unknown packing":         {raw(zip.FileHeader{Name: "odd", Method: 99}), "unknown way"},
		"a file that is too large":   {raw(zip.FileHeader{Name: "bomb", Method: zip.Deflate, UncompressedSize64: 1 << 32}), "unpack to more"},
		"files that are too large":   {with(func(w *zip.Writer) { bombs(w) }), "unpack to more"},
		"too many files": {with(func(w *zip.Writer) {
			for i := range 4_001 {
				_, _ = w.Create(fmt.Sprint("f", i))
			}
		}), "more files"},
	} {
		report := verify(t, c.packed, trusted(ours))
		if found := faults(report, "container"); report.OK() || len(report.Checks) != 1 || !strings.Contains(found, c.fault) {
			t.Errorf("%s: %d checks, found %s, want %q", name, len(report.Checks), found, c.fault)
		}
	}
}

func bombs(w *zip.Writer) {
	for i := range 4 {
		_, _ = w.CreateRaw(&zip.FileHeader{Name: fmt.Sprint("bomb", i), Method: zip.Deflate, UncompressedSize64: 400 << 20})
	}
}

// A file that unpacks to more than its directory entry says is read no further than that.
func TestVerifyStopsAtWhatTheDirectorySays(t *testing.T) {
	t.Parallel()
	p := unpack(t, write(t, source(ours, ledger())))
	var squeezed bytes.Buffer
	w := zip.NewWriter(&squeezed)
	file, _ := w.Create("x")
	for range 64 {
		_, _ = file.Write(make([]byte, 1<<20))
	}
	_ = w.Close()
	inner, err := zip.NewReader(bytes.NewReader(squeezed.Bytes()), int64(squeezed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	packed, err := inner.File[0].OpenRaw()
	if err != nil {
		t.Fatal(err)
	}
	var content bytes.Buffer
	_, _ = content.ReadFrom(packed)
	var out bytes.Buffer
	bomb := zip.NewWriter(&out)
	for _, name := range p.names {
		if name != "README.txt" {
			file, _ := bomb.Create(name)
			_, _ = file.Write(p.contents[name])
		}
	}
	file, _ = bomb.CreateRaw(&zip.FileHeader{Name: "README.txt", Method: zip.Deflate, CRC32: inner.File[0].CRC32, CompressedSize64: uint64(content.Len()), UncompressedSize64: 10})
	_, _ = file.Write(content.Bytes())
	_ = bomb.Close()
	report := verify(t, out.Bytes(), trusted(ours))
	if found := faults(report, "files"); !strings.Contains(found, "README.txt cannot be unpacked") {
		t.Errorf("found %s", found)
	}
}

func TestVerifyCanBeInterrupted(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	packed := write(t, source(ours, ledger()))
	report, err := proofpack.Verify(ctx, bytes.NewReader(packed), int64(len(packed)), proofpack.Trust{})
	if privacy.KindOf(err) != privacy.KindUnavailable || report.OK() {
		t.Errorf("%v, %+v", err, report)
	}
}
