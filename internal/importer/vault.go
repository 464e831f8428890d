package importer

import (
	"context"

	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// Vault is where records go: [Direct] to the database, or [Remote] through the API.
type Vault interface {
	// Store stores records that all concern other people than those that other calls
	// store at the same time. The results are in the order of the records. The error is set when
	// the records could not be worked on as a whole; some may be stored then, and
	// all may be sent again. KindUnavailable and KindRateLimited say that this can help.
	Store(ctx context.Context, records []Record) ([]Stored, error)
}

// Record is one record, mapped.
type Record struct {
	mapping.Draft
	Number int // in the table, from 1

	line int // of the file
}

// Stored says which subject a record became, or why it was turned away.
type Stored struct {
	ID       privacy.SubjectID
	Created  bool
	Consents int // recorded
	Err      error
}

// isGrant reports whether one of the consents permits something.
func isGrant(consents []mapping.Consent) bool {
	for _, consent := range consents {
		if consent.Action == privacy.ActionGrant {
			return true
		}
	}
	return false
}
