package events

import (
	"context"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Delivery is how far the telling of one event has come.
type Delivery = store.Delivery

// DeliveryState is how far that is.
type DeliveryState = store.DeliveryState

// DeliveryPending is the state of what is still to be told.
const DeliveryPending = store.DeliveryPending

// ReplayProcessor has every event after a cursor that the processor wants sent to it, again or for the first time.
func (s *Service) ReplayProcessor(ctx context.Context, caller custody.Caller, id privacy.ProcessorID, cursor Cursor, once custody.Once) error {
	return s.vault.WriteOnce(ctx, once, &struct{}{}, func(tx *store.Tx) error {
		at := s.vault.Instant()
		if err := tx.Rewind(ctx, id, int64(cursor)); err != nil {
			return err
		}
		if err := tx.WakeProcessor(ctx, id, at); err != nil {
			return err
		}
		return s.auditProcessor(ctx, tx, caller, audit.ActionProcessorReplay, id, at)
	})
}

// Deliveries lists the deliveries of a processor in a state, after a place in the log.
func (s *Service) Deliveries(ctx context.Context, id privacy.ProcessorID, state DeliveryState, after Cursor, limit int) ([]Delivery, error) {
	if _, err := s.store.Processor(ctx, id); err != nil {
		return nil, err
	}
	return s.store.Deliveries(ctx, id, state, int64(after), limit)
}

// RetryDelivery takes up again what was given up.
func (s *Service) RetryDelivery(ctx context.Context, caller custody.Caller, id privacy.ProcessorID, event [16]byte, once custody.Once) error {
	return s.vault.WriteOnce(ctx, once, &struct{}{}, func(tx *store.Tx) error {
		at := s.vault.Instant()
		if err := tx.Retry(ctx, id, event, at); err != nil {
			return err
		}
		if err := tx.WakeProcessor(ctx, id, at); err != nil {
			return err
		}
		return s.auditProcessor(ctx, tx, caller, audit.ActionDeliveryRetry, id, at)
	})
}
