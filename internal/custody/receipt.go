package custody

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"slices"
	"sync"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
	"github.com/consentry/consentry/internal/store"
)

// A receipt is signed before the transaction that makes its record, so that no database connection waits for
// the keyring; it leaves only once that transaction is committed.

// signRecord makes out and signs the receipt of a record that is about to be made: "" when it can wait.
func (s *Service) signRecord(ctx context.Context, revision privacy.RevisionID, id privacy.SubjectID, record *store.ConsentRecord) (string, error) {
	jws, err := s.makeReceipt(ctx, revision, id, record)
	if receiptMayWait(record.Action, err) {
		return "", nil
	}
	return jws, err
}

// receiptMayWait reports whether a record is made without its receipt. Giving permission waits for the keyring. Taking it back
// does not: while the keyring is away there is no receipt, and it is made when it is asked for.
func receiptMayWait(action privacy.ConsentAction, err error) bool {
	return err != nil && action != privacy.ActionGrant && privacy.KindOf(err) == privacy.KindUnavailable
}

func (s *Service) makeReceipt(ctx context.Context, revision privacy.RevisionID, id privacy.SubjectID, record *store.ConsentRecord) (string, error) {
	payload, err := s.receiptPayload(revision, id, record)
	if err != nil {
		return "", err
	}
	signed, err := s.signer.signAll(ctx, receipt.MediaType, []string{payload})
	if err != nil {
		return "", err
	}
	return signed[0], nil
}

// receiptPayload is the receipt of a record before it is signed.
func (s *Service) receiptPayload(revision privacy.RevisionID, id privacy.SubjectID, record *store.ConsentRecord) (string, error) {
	made := receipt.New(&s.controller, s.terms(revision, record.Purpose), receiptEvent(id, record))
	return receipt.Payload(&made)
}

func receiptEvent(id privacy.SubjectID, r *store.ConsentRecord) *receipt.Event {
	return &receipt.Event{ID: r.ID, Subject: id, Action: r.Action, Pending: r.ConfirmBy != "", Confirms: r.Confirms, Explicit: r.Explicit, SeparateFor: r.SeparateFor, By: r.By,
		Channel: r.Channel, Method: r.Method, Language: r.Locale, OccurredAt: r.OccurredAt, ExpiresAt: r.ExpiresAt,
		Notice: receipt.Notice{ID: r.Notice.ID, Version: int(r.Notice.Version), Hash: hex.EncodeToString(r.NoticeHash)}}
}

// ReceiptKeys gives the public keys that receipts are signed with, of all versions, as a JWK set. Another node's
// rotation may go unnoticed for a minute.
func (s *Service) ReceiptKeys(ctx context.Context) (jwks []byte, err error) {
	keys, err := s.signer.keys.all(ctx)
	if err != nil {
		return nil, err
	}
	if jwks, err = json.Marshal(keys); err != nil {
		return nil, privacy.Internal(err, "encode the key set")
	}
	return jwks, nil
}

// RecordSubject tells whose ledger a record is on; the zero subject when there is no such record.
func (s *Service) RecordSubject(ctx context.Context, record [16]byte) (privacy.SubjectID, error) {
	return s.store.RecordSubject(ctx, record)
}

// Receipt gives the receipt of a record. Where there is none, of a record that was made while the keyring was away or
// brought in from elsewhere, it is made out now, under the policy in force.
func (s *Service) Receipt(ctx context.Context, caller Caller, id privacy.SubjectID, record [16]byte) (string, error) {
	jws, err := s.store.Receipt(ctx, id, record)
	if err != nil || jws != "" {
		return jws, err
	}
	found, err := s.store.ConsentRecord(ctx, id, record)
	if err != nil {
		return "", err
	}
	revision, err := s.InForce(ctx)
	if err != nil {
		return "", err
	}
	if jws, err = s.makeReceipt(ctx, revision, id, &found); err != nil {
		return "", err
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		if err := tx.PutReceipt(ctx, id, record, jws); err != nil {
			return err
		}
		batch, err := s.newBatch(s.instant(), []audit.Draft{{Action: audit.ActionReceiptIssue, Client: caller.Client, RequestID: caller.Request, Subject: id, Purpose: found.Purpose}})
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	if err != nil {
		return "", err
	}
	return s.store.Receipt(ctx, id, record) // another call may have been first
}

// termsCache keeps what receipts say of purposes under the revision asked for last.
type termsCache struct {
	mu       sync.Mutex
	revision privacy.RevisionID
	purposes map[privacy.PurposeName]*receipt.Terms
}

// terms gives what receipts say of a purpose, or of a scope of objections that is no purpose.
func (s *Service) terms(revision privacy.RevisionID, purpose privacy.PurposeName) *receipt.Terms {
	c := &s.receiptTerms
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.revision != revision {
		c.revision, c.purposes = revision, make(map[privacy.PurposeName]*receipt.Terms)
	}
	terms, ok := c.purposes[purpose]
	if !ok {
		terms = s.newTerms(revision, purpose)
		if len(c.purposes) < maxTerms {
			c.purposes[purpose] = terms
		}
	}
	return terms
}

// maxTerms bounds what callers can make the cache hold by naming scopes.
const maxTerms = 1_000

func (s *Service) newTerms(revision privacy.RevisionID, name privacy.PurposeName) *receipt.Terms {
	purpose, known := s.policy.Purpose(revision, name)
	if !known { // an objection to a family, or a purpose the policy has dropped
		return &receipt.Terms{Purpose: name, Category: "not stated"}
	}
	terms := &receipt.Terms{Purpose: name, Titles: purpose.Title, DPV: purpose.DPV, Category: purpose.Category, Profiling: purpose.Profiling, Automated: purpose.AutomatedDecision, Retention: purpose.Retention}
	for _, recipient := range purpose.Recipients {
		if recipient.Role == "third_party" {
			terms.ThirdParties = append(terms.ThirdParties, recipient.Name)
		}
	}
	for _, transfer := range purpose.Abroad {
		terms.Locations = append(terms.Locations, transfer.Country)
	}
	for _, attribute := range s.policy.Attributes(revision, name) {
		defined, ok := s.catalogue.Attribute(attribute)
		if !ok {
			continue
		}
		terms.PII = append(terms.PII, string(defined.Category))
		if defined.Classification == privacy.ClassSensitive {
			terms.Sensitive = append(terms.Sensitive, string(attribute))
		}
	}
	for _, client := range s.policy.Recipients(revision, name) {
		if client.Recipient == "third_party" {
			terms.ThirdParties = append(terms.ThirdParties, client.Title)
		}
		if client.Abroad(s.controller.Country) {
			terms.Locations = append(terms.Locations, client.Country)
		}
	}
	for _, list := range []*[]string{&terms.PII, &terms.ThirdParties, &terms.Locations} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return terms
}
