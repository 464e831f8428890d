package custody

import (
	"context"
	"io"
	"time"

	"github.com/consentry/consentry/internal/export"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// What a subject takes away is written as a stream: opened a value at a time, packed, cut into chunks, and each chunk sealed under the
// subject's key before it is stored. So no more than a chunk of it is ever in clear, and nothing of it outlives the key. When
// it is fetched, the chunks are opened one after the other on their way out. When that may be is decided by package rights.

// chunkSize is how much of a file is sealed at a time: what age and Tink use, too.
const chunkSize = 64 << 10

// exportsKept is how long a file can be fetched.
const exportsKept = 7 * 24 * time.Hour

// MakeExport writes the file of a request of access or portability. It is not made yet when this returns: whoever asks finishes it in
// the transaction that closes the request ([store.Writes.FinishExport]), or drops it.
func (s *Service) MakeExport(ctx context.Context, r *store.RightsRequest) (made store.Export, err error) {
	at := s.instant()
	made = store.Export{Subject: r.Subject, Request: r.ID, BegunAt: at, ExpiresAt: at.Add(exportsKept)}
	if made.ID, err = s.newID(); err != nil {
		return made, err
	}
	if err := s.store.BeginExport(ctx, &made); err != nil {
		return made, err
	}
	if made.Size, err = s.writeExport(ctx, r, &made); err != nil {
		_ = s.store.DropExport(context.WithoutCancel(ctx), made.Subject, made.ID) // else it expires
	}
	made.MadeAt = s.instant()
	return made, err
}

// writeExport writes the chunks of an export that was begun, and gives the size of the file.
func (s *Service) writeExport(ctx context.Context, r *store.RightsRequest, made *store.Export) (size int64, err error) {
	d, err := s.ownDataOf(ctx, r.Subject)
	if err != nil {
		return 0, err
	}
	w := &chunkWriter{ctx: ctx, store: s.store, key: d.key, export: made, buffer: make([]byte, 0, chunkSize)}
	if err := export.Write(w, d.source(r)); err != nil {
		return 0, err
	}
	err = w.close()
	return w.size, err
}

func (d *ownData) source(r *store.RightsRequest) *export.Source {
	c := d.service.controller
	source := &export.Source{Titles: make(map[privacy.AttributeName]string),
		Head: export.Head{Kind: r.Type, Subject: r.Subject, Request: r.ID, MadeAt: d.at, Language: d.language,
			Controller: export.Controller{Name: c.Name, Contact: c.Contact, Email: c.Email, PolicyURL: c.PolicyURL}},
		Attributes: d.attributes(r.Type), Identifiers: d.identifying(), Derived: d.groups(), Consents: d.consents(r.Type), Notices: d.notices(),
		Signals: d.signals(), Disclosures: d.disclosures(), Requests: d.requests()}
	for _, attribute := range d.service.catalogue.Attributes() {
		source.Titles[attribute.Name] = d.in(attribute.Titles)
	}
	return source
}

// chunkWriter seals and stores what is written to it. A chunk is sealed once it is known whether it is the last.
type chunkWriter struct {
	ctx    context.Context // of the one call that the writer lives in
	store  *store.Store
	key    *keyring.Subject
	export *store.Export
	buffer []byte
	number uint32
	size   int64
}

// Write implements io.Writer.
func (w *chunkWriter) Write(p []byte) (n int, err error) {
	for n < len(p) {
		if len(w.buffer) == chunkSize {
			if err := w.flush(false); err != nil {
				return n, err
			}
		}
		some := min(chunkSize-len(w.buffer), len(p)-n)
		w.buffer = append(w.buffer, p[n:n+some]...)
		n += some
	}
	return n, nil
}

func (w *chunkWriter) flush(last bool) error {
	sealed, err := w.key.SealChunk(keyring.Chunk{File: w.export.ID, Number: w.number, Last: last}, w.buffer)
	if err != nil {
		return err
	}
	if err := w.store.AppendChunk(w.ctx, w.export.Subject, w.export.ID, w.number, sealed); err != nil {
		return err
	}
	w.number, w.size = w.number+1, w.size+int64(len(w.buffer))
	clear(w.buffer)
	w.buffer = w.buffer[:0]
	return nil
}

func (w *chunkWriter) close() error { return w.flush(true) }

// exportLink is what fetches an export: it names the file, and proves with a secret that its bearer was given it.
func (s *Service) exportHash(l link) [32]byte {
	return s.keyring.Fingerprint(append([]byte("export\n"), append(l.record[:], l.secret[:]...)...))
}

// NewExportLink draws a link to an export. Of it only the hash is kept.
func (s *Service) NewExportLink(id privacy.ExportID) (token privacy.Cleartext, hash [32]byte, err error) {
	l := link{record: id}
	if _, err := io.ReadFull(s.random, l.secret[:]); err != nil {
		return token, hash, privacy.Internal(err, "draw a link")
	}
	return privacy.NewCleartext(l.token()), s.exportHash(l), nil
}

// ReadExportLink tells which export the token of a link names, and what its hash would be; ok is false of what is no token.
func (s *Service) ReadExportLink(token string) (id privacy.ExportID, hash [32]byte, ok bool) {
	l, ok := parseLink(token)
	return l.record, s.exportHash(l), ok
}

// OpenedExport is an export that is ready to be written out.
type OpenedExport struct {
	store.Export
	service *Service
	key     *keyring.Subject
}

// OpenExport gets an export ready. That it is given out must be on record.
func (s *Service) OpenExport(ctx context.Context, e *store.Export) (*OpenedExport, error) {
	subject, err := s.store.HeldSubject(ctx, e.Subject)
	if err != nil {
		return nil, err
	}
	key, err := s.subjectKey(ctx, &subject.Subject)
	return &OpenedExport{Export: *e, service: s, key: key}, err
}

// Write writes the file. After an error what was written is no file: chunks that are missing, out of their place or not as they were sealed
// do not open, nor does the last one if it is not the last.
func (o *OpenedExport) Write(ctx context.Context, w io.Writer) error {
	var number uint32
	var held []byte // until it is known whether it is the last
	for sealed, err := range o.service.store.Chunks(ctx, o.Subject, o.ID) {
		if err != nil {
			return err
		}
		if held != nil {
			if err := o.handOver(w, keyring.Chunk{File: o.ID, Number: number}, held); err != nil {
				return err
			}
			number++
		}
		held = sealed
	}
	return o.handOver(w, keyring.Chunk{File: o.ID, Number: number, Last: true}, held)
}
