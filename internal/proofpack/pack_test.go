package proofpack_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
	"github.com/consentry/consentry/internal/receipt"
)

const origin = "test.example/audit"

var (
	ours     = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	stranger = ed25519.NewKeyFromSeed(bytes.Repeat([]byte{2}, ed25519.SeedSize))
	subject  = privacy.SubjectID{15: 7}
	began    = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)
	notice   = []byte(`{"contact":"","controller":"Example Ltd","purposes":["marketing.email"],"recipients":[],"retention":"","rights":[],` +
		`"variants":{"de":{"text":"Wir schreiben <Ihnen>.","title":"Werbung"},"en":{"sha256":"` + string(bytes.Repeat([]byte("ab"), 32)) + `","title":"Marketing","uri":"https://example.com/v1"}}}`)
)

func publicOf(private ed25519.PrivateKey) ed25519.PublicKey {
	return private.Public().(ed25519.PublicKey)
}

func trusted(private ed25519.PrivateKey) proofpack.Trust {
	return proofpack.Trust{Keys: []audit.Key{{Name: origin, Public: publicOf(private)}}}
}

// ledger gives four records: one from before there was a chain, a grant on a notice, a withdrawal, and a grant again.
func ledger() []proofpack.Record {
	hash := sha256.Sum256(notice)
	records := []proofpack.Record{
		{Action: privacy.ActionDeny},
		{Action: privacy.ActionGrant, Notice: &proofpack.NoticeRef{ID: "privacy", Version: 1}, NoticeHash: hash[:], Locale: "de", Channel: "web", Method: "checkbox", ExpiresAt: began.AddDate(2, 0, 0)},
		{Action: privacy.ActionWithdraw, Evidence: bytes.Repeat([]byte{9}, 32)},
		{Action: privacy.ActionGrant, Explicit: true, SeparateFor: []privacy.ConsentScope{privacy.ScopeSensitive}, By: privacy.ByGuardian},
	}
	for i := range records {
		r := &records[i]
		r.Seq, r.ID, r.Purpose, r.RecordedBy = int32(i+1), proofpack.RecordID{1, 15: byte(i)}, "marketing.email", "crm"
		r.OccurredAt = began.Add(time.Duration(i) * time.Hour)
		r.RecordedAt = r.OccurredAt.Add(time.Second)
		if r.By == "" {
			r.By = privacy.BySelf
		}
		if r.SeparateFor == nil {
			r.SeparateFor = []privacy.ConsentScope{}
		}
	}
	rechain(records)
	return records
}

// rechain makes the chain of all records but the first anew.
func rechain(records []proofpack.Record) {
	prev := make([]byte, sha256.Size)
	for i := 1; i < len(records); i++ {
		records[i].Prev = prev
		hash := records[i].ChainHash(subject)
		records[i].Hash = hash[:]
		prev = hash[:]
	}
}

func receiptOf(private ed25519.PrivateKey, r *proofpack.Record) string {
	event := receipt.Event{ID: r.ID, Subject: subject, Action: r.Action, Explicit: r.Explicit, SeparateFor: r.SeparateFor, By: r.By, Channel: r.Channel, Method: r.Method, Language: r.Locale,
		OccurredAt: r.OccurredAt, ExpiresAt: r.ExpiresAt}
	if r.Notice != nil {
		text, _ := r.NoticeHash.MarshalText()
		event.Notice = receipt.Notice{ID: r.Notice.ID, Version: int(r.Notice.Version), Hash: string(text)}
	}
	controller := privacy.ExampleController()
	made := receipt.New(&controller, &receipt.Terms{Purpose: r.Purpose, Category: "marketing"}, &event)
	payload, err := receipt.Payload(&made)
	if err != nil {
		panic(err)
	}
	input := receipt.SigningInput(receipt.Header(receipt.Thumbprint(publicOf(private)), receipt.MediaType), payload)
	return receipt.Compact(input, ed25519.Sign(private, input))
}

// memoryLog is an audit log of fewer than 256 entries.
type memoryLog struct {
	tree   audit.Tree
	leaves []audit.Hash
}

func (l *memoryLog) add(e audit.Entry) {
	l.leaves = append(l.leaves, e.LeafHash())
	l.tree.Append(e.LeafHash())
}

func (l *memoryLog) Hashes(_ context.Context, _ uint, from, to uint64) ([]audit.Hash, error) {
	return l.leaves[from:to], nil
}

func signCheckpoint(private ed25519.PrivateKey, c audit.Checkpoint) []byte {
	note, err := audit.SignCheckpoint(context.Background(), c, audit.Key{Name: c.Origin, Public: publicOf(private)}, func(_ context.Context, message []byte) ([]byte, error) {
		return ed25519.Sign(private, message), nil
	})
	if err != nil {
		panic(err)
	}
	return note
}

func entryOf(n int, r *proofpack.Record) audit.Entry {
	e := audit.Entry{Name: audit.EntryName{BatchID: audit.BatchID{3, 15: byte(n)}},
		Draft: audit.Draft{At: r.RecordedAt, Action: audit.Action("consent." + r.Action), Client: r.RecordedBy, Subject: subject, Purpose: r.Purpose, Object: proofpack.Object(r.Hash)}}
	if r.Hash == nil {
		e.Object = ""
	}
	return e
}

func sequence[T any](list []T) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for _, v := range list {
			if !yield(v, nil) {
				return
			}
		}
	}
}

// source makes all that a pack of records holds, signed by one key.
func source(private ed25519.PrivateKey, records []proofpack.Record) *proofpack.Source {
	log, receipts, entries := &memoryLog{}, []string{}, []proofpack.Entry{}
	for i := range records {
		log.add(entryOf(i, &records[i]))
		log.add(audit.Entry{Name: audit.EntryName{BatchID: audit.BatchID{4, 15: byte(i)}}, Draft: audit.Draft{At: began, Action: audit.ActionDisclosure, Client: "crm-mailer"}})
		receipts = append(receipts, receiptOf(private, &records[i]))
	}
	for i := range records {
		entry := proofpack.Entry{Seq: records[i].Seq}
		if records[i].Hash != nil {
			e := entryOf(i, &records[i])
			entry.Index, entry.Leaf = uint64(2*i), e.Leaf()
			var err error
			if entry.Proof, err = audit.InclusionProof(context.Background(), log, entry.Index, log.tree.Size()); err != nil {
				panic(err)
			}
		}
		entries = append(entries, entry)
	}
	return &proofpack.Source{Subject: subject, MadeAt: began.AddDate(1, 0, 0), Origin: origin, Checkpoint: signCheckpoint(private, log.tree.Checkpoint(origin)),
		LogKeys: trusted(private).Keys, Receipts: receipt.NewKeys(publicOf(private)),
		Records: sequence(records), ReceiptJWS: sequence(receipts), Entries: sequence(entries),
		ReadNotice: func(ref proofpack.NoticeRef) (proofpack.Notice, error) {
			return proofpack.Notice{NoticeRef: ref, Content: notice}, nil
		},
		SignNewest: func(manifest []byte) (input, signature []byte, err error) {
			input = proofpack.SigningInput(publicOf(private), manifest)
			return input, ed25519.Sign(private, input), nil
		}}
}

// pack is a pack taken apart, to be changed and put together again.
type pack struct {
	names    []string
	contents map[string][]byte
}

func write(t testing.TB, s *proofpack.Source) []byte {
	t.Helper()
	var packed bytes.Buffer
	if err := proofpack.Write(&packed, s); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func unpack(t testing.TB, packed []byte) *pack {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		t.Fatal(err)
	}
	p := &pack{contents: map[string][]byte{}}
	for _, file := range r.File {
		opened, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		p.put(file.Name, content)
	}
	return p
}

func (p *pack) put(name string, content []byte) {
	if !slices.Contains(p.names, name) {
		p.names = append(p.names, name)
	}
	p.contents[name] = content
}

func (p *pack) drop(name string) {
	p.names = slices.DeleteFunc(p.names, func(n string) bool { return n == name })
	delete(p.contents, name)
}

func (p *pack) replace(name, from, to string) {
	if !bytes.Contains(p.contents[name], []byte(from)) {
		panic(name + " has no " + from)
	}
	p.put(name, bytes.ReplaceAll(p.contents[name], []byte(from), []byte(to)))
}

func (p *pack) lines(name string) [][]byte {
	return bytes.SplitAfter(bytes.TrimSuffix(p.contents[name], []byte("\n")), []byte("\n"))
}

func (p *pack) putLines(name string, lines [][]byte) {
	var joined []byte
	for _, line := range lines {
		joined = append(append(joined, bytes.TrimSuffix(line, []byte("\n"))...), '\n')
	}
	p.put(name, joined)
}

// list makes the manifest fit the files again, as somebody does who knows how packs are made.
func (p *pack) list() {
	var m proofpack.Manifest
	if err := json.Unmarshal(p.contents["manifest.json"], &m); err != nil {
		panic(err)
	}
	m.Files = m.Files[:0]
	for _, name := range p.names {
		if name != "manifest.json" && name != "manifest.jws" {
			content := p.contents[name]
			m.Files = append(m.Files, proofpack.File{Name: name, Size: uint64(len(content)), SHA256: sha256.Sum256(content)})
		}
	}
	text, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	p.put("manifest.json", append(text, '\n'))
}

// sign signs the manifest anew.
func (p *pack) sign(private ed25519.PrivateKey) {
	input := proofpack.SigningInput(publicOf(private), p.contents["manifest.json"])
	head, _, _ := bytes.Cut(input, []byte("."))
	p.put("manifest.jws", []byte(string(head)+".."+base64.RawURLEncoding.EncodeToString(ed25519.Sign(private, input))))
}

func (p *pack) zip() []byte {
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, name := range p.names {
		file, err := w.Create(name)
		if err != nil {
			panic(err)
		}
		_, _ = file.Write(p.contents[name]) // into memory
	}
	_ = w.Close()
	return packed.Bytes()
}

func verify(t testing.TB, packed []byte, trust proofpack.Trust) *proofpack.Report {
	t.Helper()
	report, err := proofpack.Verify(context.Background(), bytes.NewReader(packed), int64(len(packed)), trust)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

// faults gives what a check found wrong, all in one text; "not reached" when it was not.
func faults(report *proofpack.Report, name string) string {
	for _, check := range report.Checks {
		if check.Name != name {
			continue
		}
		if check.OK {
			return ""
		}
		text, _ := json.Marshal(check.Faults)
		return string(text)
	}
	return "not reached"
}
