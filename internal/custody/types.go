package custody

import (
	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/store"
)

// What the store keeps and callers see as it is, so that nobody above needs the store or the log.
type (
	// ConsentRecord is one entry of a subject's ledger.
	ConsentRecord = store.ConsentRecord
	// NoticeRef names one version of a notice.
	NoticeRef = store.NoticeRef
	// AuditFilter selects audit entries.
	AuditFilter = store.AuditFilter
	// LogHash is a hash of the audit log's tree.
	LogHash = audit.Hash
	// LogKey is a public key that checkpoints are signed with.
	LogKey = audit.Key
)

// ParseEntryName reads the name of an audit entry.
func ParseEntryName(text string) (audit.EntryName, error) { return audit.ParseEntryName(text) }
