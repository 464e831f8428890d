package store_test

import (
	"reflect"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

func TestSignalsAreKeptInOrder(t *testing.T) {
	t.Parallel()
	db := setup(t)
	id, other := db.subject(), db.subject()
	var want []store.Signal
	for i, kind := range []privacy.SignalKind{privacy.SignalGPC, privacy.SignalTCF, privacy.SignalGPC} {
		signal := store.Signal{Seq: int32(i + 1), Kind: kind, Sealed: []byte{byte(i)}, Revision: "r", RecordedBy: "crm", ReceivedAt: start,
			Effects: []privacy.SignalEffect{{Effect: privacy.EffectOptOut, Outcome: privacy.OutcomeApplied, At: start}, {Effect: privacy.EffectGrant, Purpose: "p", Outcome: privacy.OutcomeSuperseded}}}
		db.write(func(tx *store.Tx) error { return tx.AppendSignal(t.Context(), id, signal) })
		want = append([]store.Signal{signal}, want...)
	}
	check := func(before int32, limit int, want []store.Signal) {
		t.Helper()
		got, err := db.Signals(t.Context(), id, before, limit)
		if err != nil || len(got) != len(want) {
			t.Fatalf("%d signals, want %d: %v", len(got), len(want), err)
		}
		for i := range got {
			got[i].ReceivedAt = got[i].ReceivedAt.UTC()
			if !reflect.DeepEqual(got[i], want[i]) {
				t.Errorf("signal %d is %+v, want %+v", i, got[i], want[i])
			}
		}
	}
	check(0, 10, want)
	check(3, 1, want[1:2])
	if none, err := db.Signals(t.Context(), other, 0, 10); err != nil || len(none) != 0 {
		t.Errorf("of somebody else: %v, %v", none, err)
	}
	db.write(func(tx *store.Tx) error {
		last, highest, err := tx.LastSignals(t.Context(), id)
		if highest != 3 || len(last) != 2 || last[privacy.SignalGPC].Seq != 3 || last[privacy.SignalTCF].Seq != 2 {
			t.Errorf("the newest are %+v up to %d", last, highest)
		}
		return err
	})
	// A number is given once.
	err := db.Write(t.Context(), func(tx *store.Tx) error { return tx.AppendSignal(t.Context(), id, want[0]) })
	if err == nil {
		t.Errorf("the same number again: %v", err)
	}
}
