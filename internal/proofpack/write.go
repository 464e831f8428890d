package proofpack

import (
	"archive/zip"
	"crypto/sha256"
	"encoding/json"
	"hash"
	"io"
	"iter"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// Source is what a pack is made of. The sequences are read once each, one after the other.
type Source struct {
	Subject    privacy.SubjectID
	MadeAt     time.Time
	Origin     string // the name of the audit log
	Checkpoint []byte // signed
	LogKeys    []audit.Key
	Receipts   receipt.Keys

	Records    iter.Seq2[Record, error] // oldest first
	ReceiptJWS iter.Seq2[string, error] // of the records, in their order
	Entries    iter.Seq2[Entry, error]  // the same
	ReadNotice func(NoticeRef) (Notice, error)
	SignNewest func(manifest []byte) (input, signature []byte, err error) // input is what SigningInput gives
}

// Entry is the audit entry of a record and the proof that the log holds it.
type Entry struct {
	Seq   int32        `json:"seq"` // of the record
	Index uint64       `json:"index,omitempty"`
	Leaf  []byte       `json:"leaf,omitempty"`  // what the log has the hash of; none for a record from before there was a chain
	Proof []audit.Hash `json:"proof,omitempty"` // to the checkpoint's root (RFC 6962 §2.1.1)
}

// Write writes a pack as a stream. After an error what was written is no pack: it lacks the directory that a ZIP file ends with.
func Write(w io.Writer, source *Source) error {
	p := &writer{zip: zip.NewWriter(w), source: source,
		manifest: Manifest{Format: format, Subject: source.Subject, MadeAt: source.MadeAt.UTC(), Origin: source.Origin, Files: []File{}}}
	for _, step := range []func() error{p.readme, p.records, p.receipts, p.notices, p.audit, p.seal, p.zip.Close} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

type writer struct {
	zip      *zip.Writer
	source   *Source
	manifest Manifest
	shown    []NoticeRef
}

// counted hashes and counts what goes through it.
type counted struct {
	to   io.Writer
	hash hash.Hash
	size uint64
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.to.Write(b)
	c.size += uint64(n) //nolint:gosec // never negative
	_, _ = c.hash.Write(b[:n])
	return n, err
}

func (p *writer) create(name string) (io.Writer, error) {
	file, err := p.zip.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: p.source.MadeAt.UTC()})
	if err != nil {
		return nil, privacy.Internal(err, "write a proof pack")
	}
	return file, nil
}

// file writes one file and enters it in the manifest.
func (p *writer) file(name string, write func(io.Writer) error) error {
	file, err := p.create(name)
	if err != nil {
		return err
	}
	c := &counted{to: file, hash: sha256.New()}
	if err := write(c); err != nil {
		return err
	}
	p.manifest.Files = append(p.manifest.Files, File{Name: name, Size: c.size, SHA256: audit.Hash(c.hash.Sum(nil))})
	return nil
}

func (p *writer) whole(name string, content []byte) error {
	return p.file(name, func(w io.Writer) error { return put(w, content) })
}

func put(w io.Writer, content []byte) error {
	if _, err := w.Write(content); err != nil {
		return privacy.Internal(err, "write a proof pack")
	}
	return nil
}

func putLine(w io.Writer, v any) error {
	line, err := encode(v)
	if err != nil {
		return err
	}
	return put(w, line)
}

func (p *writer) readme() error { return p.whole(readmeName, []byte(readme)) }

func (p *writer) records() error {
	seen := make(map[NoticeRef]bool)
	return p.file(recordsName, func(w io.Writer) error {
		for record, err := range p.source.Records {
			if err != nil {
				return err
			}
			p.manifest.Records++
			p.manifest.Head = record.Hash
			if record.Notice != nil && !seen[*record.Notice] {
				seen[*record.Notice] = true
				p.shown = append(p.shown, *record.Notice)
			}
			if err := putLine(w, record); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *writer) receipts() error {
	err := p.file(receiptsName, func(w io.Writer) error {
		for jws, err := range p.source.ReceiptJWS {
			if err != nil {
				return err
			}
			if err := put(w, []byte(jws+"\n")); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	keys, err := json.Marshal(p.source.Receipts)
	if err != nil {
		return privacy.Internal(err, "write a proof pack")
	}
	return p.whole(keySetName, append(keys, '\n'))
}

func (p *writer) notices() error {
	for _, ref := range p.shown {
		notice, err := p.source.ReadNotice(ref)
		if err != nil {
			return err
		}
		content, err := readNotice(notice.Content)
		if err != nil {
			return err
		}
		if err := p.whole(ref.contentName(), notice.Content); err != nil {
			return err
		}
		for _, language := range content.languages() {
			variant := content.Variants[language]
			if err := p.whole(ref.pageName(language), []byte(variant.page())); err != nil {
				return err
			}
		}
	}
	return nil
}

func (p *writer) audit() error {
	err := p.file(entriesName, func(w io.Writer) error {
		for entry, err := range p.source.Entries {
			if err != nil {
				return err
			}
			if err := putLine(w, entry); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := p.whole(checkpointName, p.source.Checkpoint); err != nil {
		return err
	}
	var keys []byte
	for _, key := range p.source.LogKeys {
		keys = append(append(keys, key.String()...), '\n')
	}
	return p.whole(logKeysName, keys)
}

// seal writes the manifest and its signature.
func (p *writer) seal() error {
	text, err := encode(&p.manifest)
	if err != nil {
		return err
	}
	input, signature, err := p.source.SignNewest(text)
	if err != nil {
		return err
	}
	if err := p.unlisted(manifestName, text); err != nil {
		return err
	}
	return p.unlisted(signatureName, detached(input, signature))
}

func (p *writer) unlisted(name string, content []byte) error {
	file, err := p.create(name)
	if err != nil {
		return err
	}
	return put(file, content)
}
