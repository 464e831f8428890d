package custody

import "github.com/consentry/consentry/internal/store"

// What the store keeps and callers see as it is, so that nobody above needs the store.
type (
	// ConsentState is where a subject stands on one purpose.
	ConsentState = store.ConsentState
	// ConsentRecord is one entry of a subject's ledger.
	ConsentRecord = store.ConsentRecord
	// AuditFilter selects audit entries.
	AuditFilter = store.AuditFilter
)
