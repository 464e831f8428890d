package custody

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// ImportedConsent is one line of an import: a consent that was given elsewhere, with what became of it here.
type ImportedConsent struct {
	Line     int // counts from 1; part of the record's name
	Subject  SubjectRef
	Consent  Consent
	Recorded Recorded
	Err      error
}

// importsAtOnce is how many subjects' consents are recorded side by side: they wait for the disk together.
const importsAtOnce = 16

// ImportConsents puts consents on the ledger, in order for each subject, however its lines name them. A record is named after the
// import's key, its line and what the line says: sending a line again, at any time, records nothing twice, and a line
// that was corrected is recorded. Nobody is written to: of a purpose with double opt-in, a grant counts that was confirmed
// elsewhere, with the evidence of it, and any other waits. What is wrong with a line stands in it; an error says that nothing can be done now.
func (s *Service) ImportConsents(ctx context.Context, caller Caller, key string, lines []ImportedConsent) error {
	ids, err := s.importedSubjects(ctx, lines)
	if err != nil {
		return err
	}
	bySubject := make(map[SubjectRef][]int) // places in lines
	var order []SubjectRef
	for i := range lines {
		line := &lines[i]
		who := line.Subject
		if !ids[i].IsZero() {
			who = SubjectRef{ID: ids[i]}
		}
		if key != "" {
			line.Consent.Record = s.importedRecord(caller.Client, key, who, line)
		}
		if bySubject[who] == nil {
			order = append(order, who)
		}
		bySubject[who] = append(bySubject[who], i)
	}
	var first sync.Once
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(importsAtOnce)
	var away error
	for _, who := range order {
		group.Go(func() error {
			for _, i := range bySubject[who] {
				line := &lines[i]
				line.Recorded, line.Err = s.recordConsent(ctx, &recording{service: s, caller: caller, ref: line.Subject, id: ids[i], consent: line.Consent, imported: true})
				if err := line.Err; err != nil && (privacy.KindOf(err) == privacy.KindUnavailable || ctx.Err() != nil) {
					first.Do(func() { away = err })
					return err
				}
			}
			return nil
		})
	}
	_ = group.Wait() // what ended it first is away
	return away
}

// importedSubjects finds whom lines are about, zero for nobody: in one question, before they are put in order.
func (s *Service) importedSubjects(ctx context.Context, lines []ImportedConsent) ([]privacy.SubjectID, error) {
	ids := make([]privacy.SubjectID, len(lines))
	var keys []store.IdentifierKey
	for i := range lines {
		if ids[i] = lines[i].Subject.ID; ids[i].IsZero() {
			keys = append(keys, s.identifierKey(lines[i].Subject.Identifier))
		}
	}
	if len(keys) == 0 {
		return ids, nil
	}
	found, err := s.store.FindSubjects(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i := range lines {
		if ids[i].IsZero() {
			ids[i] = found[s.identifierKey(lines[i].Subject.Identifier)]
		}
	}
	return ids, nil
}

// importedRecord names the record of a line: a UUIDv8 (RFC 9562 §5.8) of a keyed hash, so that the name tells nothing of the file.
func (s *Service) importedRecord(client privacy.ClientID, key string, who SubjectRef, line *ImportedConsent) (id [16]byte) {
	name := append([]byte("consent import\n"+string(client)+"\n"+key+"\n"), binary.BigEndian.AppendUint64(nil, uint64(line.Line))...) //nolint:gosec // counts from 1
	name = append(name, who.ID[:]...)
	if who.ID.IsZero() {
		unknown := s.identifierKey(who.Identifier)
		name = append(name, unknown.Index[:]...)
	}
	said, _ := json.Marshal(line.Consent) // words, times and ids: it always encodes, the evidence as nothing but its wrapper
	name = append(name, said...)
	_ = line.Consent.Evidence.Borrow(func(text string) error { name = append(name, text...); return nil })
	hash := s.keyring.Fingerprint(name)
	copy(id[:], hash[:])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}
