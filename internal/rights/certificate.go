package rights

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
	"github.com/consentry/consentry/internal/store"
)

// CertificateType is the media type in the header of a certificate.
const CertificateType = "erasure-certificate+jws"

const certificateVersion = "1"

// Certificate says that somebody was erased, or a part of what there was of them. It is a compact JWS, signed like receipts are, and can be checked by whoever has the
// public keys: its entries of the audit log come with the proof that they are in the log of a signed checkpoint. It
// names the person by pseudonym alone.
type Certificate struct {
	Version     string                  `json:"version"`
	Request     privacy.RightsRequestID `json:"request"`
	Subject     privacy.SubjectID       `json:"subject"`
	Controller  string                  `json:"controller"`
	Regime      privacy.Regime          `json:"regime"`
	RequestedAt time.Time               `json:"requested_at"`
	StoppedAt   time.Time               `json:"stopped_at"` // when reads stopped
	KeyErasedAt time.Time               `json:"key_erased_at,omitzero"`
	DeletedAt   time.Time               `json:"deleted_at"`
	IssuedAt    time.Time               `json:"issued_at"`
	Key         CertifiedKey            `json:"key,omitzero"`
	Part        *CertifiedPart          `json:"part,omitempty"` // nil: everything was erased
	Erased      CertifiedData           `json:"erased"`
	Kept        []string                `json:"kept"`
	Processors  []CertifiedProcessor    `json:"processors"`
	Log         CertifiedLog            `json:"log"`
}

// CertifiedKey says where the subject's key was, and from which version of the page on it is not.
type CertifiedKey struct {
	Page     int64 `json:"page"`
	Version  int64 `json:"version"`             // 0 when nothing was left of the page
	PageGone bool  `json:"page_gone,omitempty"` // nothing was left of the page, so there was no key to be taken away; should it come back, the vault takes it away then
}

// CertifiedData says what was deleted.
type CertifiedData struct {
	Attributes  []privacy.AttributeName  `json:"attributes"`
	Identifiers []privacy.IdentifierType `json:"identifiers"` // their types
	Evidence    int                      `json:"evidence"`    // of consents
	Signals     int                      `json:"signals"`
	Details     int                      `json:"details"` // of requests
}

// CertifiedProcessor is a processor that was told, and when it confirmed.
type CertifiedProcessor struct {
	ID             privacy.ProcessorID `json:"id"`
	Name           string              `json:"name"`
	ToldAt         time.Time           `json:"told_at"`
	AcknowledgedAt time.Time           `json:"acknowledged_at"`
	By             string              `json:"by"`
}

// CertifiedLog is the proof that the audit log tells of the erasure.
type CertifiedLog struct {
	Origin     string           `json:"origin"`
	Checkpoint string           `json:"checkpoint"` // a signed note
	Entries    []CertifiedEntry `json:"entries"`
}

// CertifiedEntry is an entry of the audit log with its place in the tree (RFC 6962 §2.1.1).
type CertifiedEntry struct {
	Leaf  []byte       `json:"leaf"` // the bytes the log has hashed
	Index uint64       `json:"index"`
	Path  []audit.Hash `json:"path"`
}

// kept is what stays of an erased subject. None of it names them.
var kept = []string{"consent ledger", "audit log", "request", "keyed hashes of identifiers, to notice a return"}

// certify signs the certificates of erasures that everybody who was told has confirmed, and completes their requests.
func (s *Service) certify(ctx context.Context, erasures []store.Erasure) error {
	recipients, err := s.store.RecipientsOf(ctx, erasures)
	if err != nil {
		return err
	}
	ready := slices.DeleteFunc(slices.Clone(erasures), func(e store.Erasure) bool { return !acknowledged(recipients[e.Subject]) })
	if len(ready) == 0 {
		return nil
	}
	documents, err := s.certificates(ctx, ready, recipients)
	if err != nil {
		return err
	}
	entries := make([][]string, len(ready))
	for i := range ready {
		entries[i] = ready[i].Entries
	}
	if err := s.prove(ctx, entries, documents); err != nil {
		return err
	}
	signed, err := s.vault.SignDocuments(ctx, CertificateType, documents)
	if err != nil {
		return err
	}
	s.reach("signed")
	return s.handOver(ctx, ready, signed)
}

// certificates makes certificates out, but for the proof.
func (s *Service) certificates(ctx context.Context, erasures []store.Erasure, recipients map[privacy.SubjectID][]store.Recipient) ([]any, error) {
	names := make([]store.RightsRequestRef, len(erasures))
	for i := range erasures {
		names[i] = store.RightsRequestRef{Subject: erasures[i].Subject, ID: erasures[i].Request}
	}
	requests, err := s.store.RightsRequestsNamed(ctx, names)
	if err != nil {
		return nil, err
	}
	if len(requests) != len(erasures) {
		return nil, privacy.Internal(nil, "certify erasures: requests are missing")
	}
	byID := make(map[privacy.RightsRequestID]*store.RightsRequest, len(requests))
	for i := range requests {
		byID[requests[i].ID] = &requests[i]
	}
	documents := make([]any, len(erasures))
	for i := range erasures {
		documents[i] = s.certificate(&erasures[i], byID[erasures[i].Request], recipients[erasures[i].Subject])
	}
	return documents, nil
}

func (s *Service) certificate(e *store.Erasure, r *store.RightsRequest, recipients []store.Recipient) *Certificate {
	attributes, identifiers := s.vault.ErasedNames(e.Erased)
	return &Certificate{Version: certificateVersion, Request: e.Request, Subject: e.Subject, Controller: s.vault.Controller().Name, Regime: r.Regime,
		RequestedAt: r.ReceivedAt.UTC(), StoppedAt: e.MarkedAt.UTC(), KeyErasedAt: e.PuncturedAt.UTC(), DeletedAt: e.DeletedAt.UTC(), IssuedAt: s.vault.Instant(),
		Key:    CertifiedKey{Page: custody.PageOf(e.Slot), Version: e.PageVersion, PageGone: e.PageVersion == store.PageGone},
		Erased: CertifiedData{Attributes: listed(attributes), Identifiers: listed(identifiers), Evidence: e.Erased.Evidence, Signals: e.Erased.Signals, Details: e.Erased.Details},
		Kept:   kept, Processors: certifiedProcessors(recipients), Log: CertifiedLog{Origin: s.vault.Book().Origin()}}
}

func certifiedProcessors(recipients []store.Recipient) []CertifiedProcessor {
	list := make([]CertifiedProcessor, len(recipients))
	for i, p := range recipients {
		list[i] = CertifiedProcessor{ID: p.Processor, Name: p.Name, ToldAt: p.ToldAt.UTC(), AcknowledgedAt: p.AcknowledgedAt.UTC(), By: p.AcknowledgedBy}
	}
	return list
}

func listed[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// prove adds to certificates the checkpoint that includes the entries of each, and their places in it. The next one is up to half a second away, so
// one is asked for now.
func (s *Service) prove(ctx context.Context, entries [][]string, documents []any) error {
	if err := s.vault.Book().SequenceNow(ctx); err != nil {
		return err
	}
	var names []audit.EntryName
	for i := range entries {
		for _, text := range entries[i] {
			name, err := audit.ParseEntryName(text)
			if err != nil {
				return err
			}
			names = append(names, name)
		}
	}
	proofs, err := s.vault.Book().ProveInclusions(ctx, names)
	if err != nil {
		return err
	}
	for i := range entries {
		c := documents[i].(*Certificate) //nolint:forcetypeassert // made by certificate and certificateOfPart
		for range entries[i] {
			p := proofs[0]
			proofs = proofs[1:]
			c.Log.Checkpoint = string(p.Note)
			c.Log.Entries = append(c.Log.Entries, CertifiedEntry{Leaf: p.Entry.Leaf(), Index: p.Index, Path: listed(p.Path)})
		}
	}
	return nil
}

// handOver keeps certificates and completes their requests, in one transaction: neither is ever seen without the other. Those that another
// has completed meanwhile are left alone.
func (s *Service) handOver(ctx context.Context, erasures []store.Erasure, certificates []string) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		at := s.vault.Instant()
		ended, err := tx.Certify(ctx, erasures, certificates, at)
		if err != nil || len(ended) == 0 {
			return err
		}
		system := custody.System()
		drafts := make([]audit.Draft, len(ended))
		for i := range ended {
			drafts[i] = s.requestDraft(system, ended[i].Subject, ended[i].Request, audit.ActionRequestComplete)
		}
		batch, err := s.vault.Entered(at, drafts...)
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
}

// Certificate gives the certificate of an erasure. KindConflict while it is not over.
func (s *Service) Certificate(ctx context.Context, id privacy.RightsRequestID) (string, error) {
	r, err := s.Request(ctx, id)
	if err != nil {
		return "", err
	}
	certificate, err := s.store.Certificate(ctx, r.Subject, carriedOutAs(&r.RightsRequest))
	switch {
	case err != nil:
		return "", err
	case r.Type != privacy.RequestErasure:
		return "", privacy.NotFound("no_certificate", "only an erasure has a certificate")
	case certificate == "" && erasesPart(&r.RightsRequest) && r.State.Closed():
		return "", privacy.NotFound("no_certificate", "nothing was erased for this request alone: it was refused, or the person was erased altogether before, or it is older than certificates of parts")
	case certificate == "":
		return "", privacy.Conflict("not_erased_yet", "the erasure is not completed; there is a certificate once it is")
	}
	return certificate, nil
}

var (
	errCertificate = privacy.Invalid("certificate_refused", "what was signed is not a certificate of erasure")
	errLogProof    = privacy.Invalid("certificate_log_proof_invalid", "the certificate's entries are not in the log that it shows")
)

// VerifyCertificate checks a certificate against trusted keys without asking anybody: its signature, the signature of its checkpoint, and
// that the log of the checkpoint has the entries that tell of the erasure.
func VerifyCertificate(jws string, keys receipt.Keys) (*Certificate, error) {
	payload, err := receipt.Open(jws, CertificateType, keys)
	if err != nil {
		return nil, err
	}
	var c Certificate
	if err := json.Unmarshal(payload, &c); err != nil || c.Version != certificateVersion || c.Request.IsZero() || c.Subject.IsZero() || len(c.Log.Entries) == 0 {
		return nil, errCertificate
	}
	var signers []audit.Key
	for _, public := range keys {
		signers = append(signers, audit.Key{Name: c.Log.Origin, Public: public})
	}
	checkpoint, err := audit.ParseCheckpoint([]byte(c.Log.Checkpoint), c.Log.Origin, signers)
	if err != nil {
		return nil, err
	}
	entries := make([]audit.Entry, 0, len(c.Log.Entries))
	for _, entry := range c.Log.Entries {
		parsed, err := audit.ParseLeaf(entry.Leaf)
		if err != nil || parsed.Subject != c.Subject || parsed.Object != custody.RequestObject(c.Request) {
			return nil, errLogProof
		}
		entries = append(entries, parsed)
		if err := audit.VerifyInclusion(parsed.LeafHash(), entry.Index, checkpoint.Size, entry.Path, checkpoint.Root); err != nil {
			return nil, err
		}
	}
	if !c.tells(entries) {
		return nil, errLogProof
	}
	return &c, nil
}

// tells reports whether entries of the log say of the erasure what the certificate says.
func (c *Certificate) tells(entries []audit.Entry) bool {
	if c.Part != nil {
		return c.Part.tells(c, entries)
	}
	return slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Action == audit.ActionErasureExecute })
}
