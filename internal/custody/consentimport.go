package custody

import (
	"context"
	"encoding/binary"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/privacy"
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

// ImportConsents puts consents on the ledger, in order for each subject. A record is named after the import's key and its
// line: sending a line again, at any time, records nothing twice. What is wrong with a line stands in
// it; an error says that nothing can be done now.
func (s *Service) ImportConsents(ctx context.Context, caller Caller, key string, lines []ImportedConsent) error {
	bySubject := make(map[SubjectRef][]*ImportedConsent)
	var order []SubjectRef
	for i := range lines {
		line := &lines[i]
		if key != "" {
			line.Consent.Record = s.importedRecord(caller.Client, key, line.Line)
		}
		ref := line.Subject
		if bySubject[ref] == nil {
			order = append(order, ref)
		}
		bySubject[ref] = append(bySubject[ref], line)
	}
	var mu sync.Mutex
	var away error
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(importsAtOnce)
	for _, ref := range order {
		group.Go(func() error {
			for _, line := range bySubject[ref] {
				line.Recorded, line.Err = s.RecordConsent(ctx, caller, line.Subject, line.Consent, Once{})
				if line.Err != nil && (privacy.KindOf(line.Err) == privacy.KindUnavailable || ctx.Err() != nil) {
					mu.Lock()
					if away == nil {
						away = line.Err
					}
					mu.Unlock()
					return line.Err
				}
			}
			return nil
		})
	}
	_ = group.Wait() // its error is the first that was away
	return away
}

// importedRecord names the record of a line: a UUIDv8 (RFC 9562 §5.8) of a keyed hash, so that the name tells nothing of the file.
func (s *Service) importedRecord(client privacy.ClientID, key string, line int) (id [16]byte) {
	name := append([]byte("consent import\n"+string(client)+"\n"+key+"\n"), binary.BigEndian.AppendUint64(nil, uint64(line))...) //nolint:gosec // counts from 1
	hash := s.keyring.Fingerprint(name)
	copy(id[:], hash[:])
	id[6] = id[6]&0x0f | 0x80
	id[8] = id[8]&0x3f | 0x80
	return id
}
