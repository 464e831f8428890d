package rights

import (
	"context"
	"encoding/json"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Details shows what a request says in detail, to who has to decide on it, or has made it: in the order in which it was said. That it is
// read is on record before it is opened.
func (s *Service) Details(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID) ([]Details, error) {
	r, err := s.store.RightsRequest(ctx, id)
	if err != nil {
		return nil, err
	}
	if r.Identified == privacy.NotIdentified {
		return nil, errNotReady
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		batch, err := s.entries(caller, &r, s.vault.Instant(), audit.ActionRequestRead)
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	if err != nil {
		return nil, err
	}
	return s.said(ctx, &r)
}

// said opens what a request says in detail.
func (s *Service) said(ctx context.Context, r *store.RightsRequest) ([]Details, error) {
	said := []Details{}
	err := s.vault.OpenDetails(ctx, r.Subject, r.ID, func(content []byte) error {
		var d Details
		if err := json.Unmarshal(content, &d); err != nil {
			return privacy.Internal(nil, "read a request")
		}
		said = append(said, d)
		return nil
	})
	return said, err
}
