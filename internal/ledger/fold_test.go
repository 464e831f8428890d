package ledger

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// replay works the state out of a ledger, from nothing.
func replay(ledger []store.ConsentRecord) (state store.ConsentState, exists bool) {
	for _, record := range ledger {
		state, exists = Fold(state, exists, record), true
	}
	return state, exists
}

var dawn = time.Date(2026, time.March, 1, 0, 0, 0, 0, time.UTC)

// ledgers draws ledgers whose records are dated out of order, and at the same moment, often.
func ledgers() *rapid.Generator[[]store.ConsentRecord] {
	return rapid.Custom(func(rt *rapid.T) []store.ConsentRecord {
		ledger := make([]store.ConsentRecord, rapid.IntRange(1, 12).Draw(rt, "records"))
		for i := range ledger {
			ledger[i] = store.ConsentRecord{
				Seq: int32(i + 1), Purpose: "p", By: privacy.BySelf, RecordedAt: dawn.Add(time.Duration(i) * time.Hour),
				Action:     rapid.SampledFrom([]privacy.ConsentAction{privacy.ActionGrant, privacy.ActionGrant, privacy.ActionDeny, privacy.ActionWithdraw}).Draw(rt, "action"),
				OccurredAt: dawn.Add(time.Duration(rapid.IntRange(0, 6).Draw(rt, "occurred")) * time.Hour),
				Explicit:   rapid.Bool().Draw(rt, "explicit"),
			}
		}
		return ledger
	})
}

func isRefusal(action privacy.ConsentAction) bool { return action != privacy.ActionGrant }

// A withdrawal or denial wins over everything that was recorded before it, whatever the dates.
func TestFoldRefusalWinsOverWhatWasRecordedBefore(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ledger := ledgers().Draw(rt, "ledger")
		last := &ledger[len(ledger)-1]
		last.Action = rapid.SampledFrom([]privacy.ConsentAction{privacy.ActionDeny, privacy.ActionWithdraw}).Draw(rt, "refusal")
		state, _ := replay(ledger)
		if want, _ := last.Action.Status(); state.Status != want || state.Seq != last.Seq {
			rt.Fatalf("%s by record %d, want %s by %d", state.Status, state.Seq, want, last.Seq)
		}
	})
}

// Whenever consent stands as granted, the grant is dated after every refusal on the ledger before it
// and none follows it: a backdated grant, or one of the same moment, resurrects nothing.
func TestFoldBackdatedGrantNeverResurrects(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		ledger := ledgers().Draw(rt, "ledger")
		state, _ := replay(ledger)
		if state.Status != privacy.ConsentGranted {
			return
		}
		grant := ledger[state.Seq-1]
		for _, record := range ledger {
			if isRefusal(record.Action) && (record.Seq > grant.Seq || !grant.OccurredAt.After(record.OccurredAt)) {
				rt.Fatalf("record %d stands against the refusal %d", grant.Seq, record.Seq)
			}
		}
	})
}

// Time stands still or goes on, and what a state says is what one record said.
func TestFoldStateIsThatOfOneRecord(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var state store.ConsentState
		var exists bool
		ledger := ledgers().Draw(rt, "ledger")
		for i, record := range ledger {
			next := Fold(state, exists, record)
			if exists && next.OccurredAt.Before(state.OccurredAt) {
				rt.Fatalf("record %d turned time back", record.Seq)
			}
			if next.Seq != record.Seq && (!exists || next.Seq != state.Seq) {
				rt.Fatalf("record %d led to the state of %d", record.Seq, next.Seq)
			}
			source := ledger[next.Seq-1]
			if status, _ := source.Action.Status(); next.Status != status || next.Explicit != source.Explicit || !next.UpdatedAt.Equal(source.RecordedAt) {
				rt.Fatalf("the state after %d is not what record %d says", i+1, next.Seq)
			}
			state, exists = next, true
		}
	})
}

// Recording a grant twice, with the same date, renews it and harms nothing.
func TestFoldGrantMayBeRenewedAtOnce(t *testing.T) {
	grant := store.ConsentRecord{Seq: 1, Action: privacy.ActionGrant, OccurredAt: dawn}
	renewed := grant
	renewed.Seq, renewed.Explicit = 2, true
	if state, _ := replay([]store.ConsentRecord{grant, renewed}); state.Seq != 2 || !state.Explicit {
		t.Errorf("got %+v", state)
	}
}

// The flags of a subject follow from their signals in any order, and from no others than those that set them.
func TestFoldSignalsInAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var opted, limited time.Time
		signals := make([]store.Signal, rapid.IntRange(0, 6).Draw(rt, "signals"))
		for i := range signals {
			at := dawn.Add(time.Duration(rapid.IntRange(1, 9).Draw(rt, "at")) * time.Hour)
			effect := rapid.SampledFrom([]privacy.EffectKind{privacy.EffectOptOut, privacy.EffectLimitSensitive, privacy.EffectGrant, privacy.EffectNone}).Draw(rt, "effect")
			signals[i].Effects = []privacy.SignalEffect{{Effect: effect, At: at}}
			if effect == privacy.EffectOptOut && at.After(opted) {
				opted = at
			}
			if effect == privacy.EffectLimitSensitive && at.After(limited) {
				limited = at
			}
		}
		objected := privacy.Standing{}.Object("*", dawn)
		got := foldSignals(objected, rapid.Permutation(signals).Draw(rt, "order"))
		want := objected
		want.OptOutSignal, want.LimitSensitive = opted, limited
		if !got.Equal(want) {
			rt.Fatalf("%+v, want %+v", got, want)
		}
	})
}
