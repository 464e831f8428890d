package custody

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Readmit takes back the marks that erased identifiers have left: their holder has come back of their own will, and may be stored again.
// It brings nothing back that was erased. It tells how many marks there were, and is put on record whether there were any or not; the
// record does not say of whom. A mark comes back with [Service.CheckRestored], and then only flags who is not stored yet.
func (s *Service) Readmit(ctx context.Context, caller Caller, identifiers []ProfileIdentifier) (readmitted int, err error) {
	var hashes []store.IdentifierKey
	for _, d := range identifiers {
		hashes = append(hashes, s.marksOf(d)...)
	}
	id, err := s.newID()
	if err != nil {
		return 0, err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) (err error) {
		if readmitted, err = tx.Unsuppress(ctx, hashes); err != nil {
			return err
		}
		return s.RecordStep(ctx, tx, caller, s.instant(), audit.ActionSubjectReadmit, "readmission/"+privacy.SubjectID(id).String())
	})
	return readmitted, err
}
