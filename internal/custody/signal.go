package custody

import (
	"context"
	"errors"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/signal"
	"github.com/consentry/consentry/internal/store"
)

// Signals are the privacy signals that came with one call, at least one of them.
type Signals struct {
	GPCHeader bool   // the header Sec-GPC: 1
	GPC       bool   // said in the body
	TCF, GPP  string // as the consent platform gave them; "" for none
}

// SignalReceived is one signal on record: when it came, and what became of what it means. The signal itself
// stays sealed.
type SignalReceived struct {
	Number     int32                  `json:"number"`
	Kind       privacy.SignalKind     `json:"kind"`
	ReceivedAt time.Time              `json:"received_at"`
	RecordedBy privacy.ClientID       `json:"recorded_by"`
	Effects    []privacy.SignalEffect `json:"effects"`
}

// SignalsRecorded tells what was received. Stored is false when it was all on record, and changes nothing.
type SignalsRecorded struct {
	Subject privacy.SubjectID `json:"subject"`
	Signals []SignalReceived  `json:"signals"`
	Stored  bool              `json:"stored"`
}

var (
	errNoSignal      = privacy.Invalid("signals_missing", "send the header Sec-GPC: 1, or gpc, tcf or gpp in the body")
	errSignalFuture  = privacy.Invalid("signal_in_future", "the TC string was last updated in the future; look into the clock of the consent platform")
	errNoSignalRules = privacy.Invalid("signals_not_configured", "the policy in force does not say what signals mean; have an officer add the table signals")
)

// methodTCF is how a consent came about that a TC string brought.
const methodTCF = "tcf"

// RecordSignals puts signals on record and applies what they mean, in one transaction: once it returns, every
// decision that starts later knows. A signal that is on record already, as browsers send theirs with every page,
// and changes nothing is not kept again.
func (s *Service) RecordSignals(ctx context.Context, caller Caller, id privacy.SubjectID, sent Signals, once Once) (SignalsRecorded, error) {
	heard, err := decodeSignals(sent)
	if err != nil {
		return SignalsRecorded{}, err
	}
	revision, err := s.InForce(ctx)
	if err != nil {
		return SignalsRecorded{}, err
	}
	rules, ok := s.policy.Signals(revision)
	if !ok {
		return SignalsRecorded{}, errNoSignalRules
	}
	var recorded SignalsRecorded
	err = s.WriteOnce(ctx, once, &recorded, func(tx *store.Tx) error {
		w := &signalWrite{service: s, caller: caller, revision: revision, rules: &rules}
		if err := w.open(ctx, tx, id); err != nil {
			return err
		}
		for _, h := range heard {
			if err := w.receive(ctx, h); err != nil {
				return err
			}
		}
		recorded = SignalsRecorded{Subject: id, Signals: w.received, Stored: len(w.stored) > 0}
		return w.finish(ctx)
	})
	return recorded, err
}

// Signals lists what was received for a subject, newest first.
func (s *Service) Signals(ctx context.Context, id privacy.SubjectID, before int32, limit int) ([]SignalReceived, error) {
	if err := s.mustExist(ctx, id); err != nil {
		return nil, err
	}
	rows, err := s.store.Signals(ctx, id, before, limit)
	received := make([]SignalReceived, len(rows))
	for i := range rows {
		received[i] = signalReceived(&rows[i])
	}
	return received, err
}

func signalReceived(row *store.Signal) SignalReceived {
	return SignalReceived{Number: row.Seq, Kind: row.Kind, ReceivedAt: row.ReceivedAt, RecordedBy: row.RecordedBy, Effects: row.Effects}
}

// heardSignal is a signal that could be read: what is kept of it, and what it means under a law.
type heardSignal struct {
	kind privacy.SignalKind
	text string
	tcf  *signal.TCF // nil: there is none in it
	mean func(rules *signal.Rules, regime privacy.Regime, at time.Time) signal.Reading
}

// The texts that are kept of Global Privacy Control.
const (
	gpcHeader = "Sec-GPC: 1"
	gpcField  = `{"gpc":true}`
)

func decodeSignals(sent Signals) ([]heardSignal, error) {
	var heard []heardSignal
	if sent.GPC || sent.GPCHeader {
		text := gpcField
		if sent.GPCHeader {
			text = gpcHeader
		}
		heard = append(heard, heardSignal{kind: privacy.SignalGPC, text: text, mean: func(rules *signal.Rules, _ privacy.Regime, _ time.Time) signal.Reading { return rules.ReadGPC() }})
	}
	if sent.TCF != "" {
		decoded, err := signal.DecodeTCF(sent.TCF)
		if err != nil {
			return nil, err
		}
		heard = append(heard, heardSignal{kind: privacy.SignalTCF, text: sent.TCF, tcf: decoded, mean: func(rules *signal.Rules, regime privacy.Regime, at time.Time) signal.Reading {
			return rules.ReadTCF(decoded, regime, at)
		}})
	}
	if sent.GPP != "" {
		decoded, err := signal.DecodeGPP(sent.GPP)
		if err != nil {
			return nil, err
		}
		heard = append(heard, heardSignal{kind: privacy.SignalGPP, text: sent.GPP, tcf: decoded.TCF(), mean: func(rules *signal.Rules, regime privacy.Regime, at time.Time) signal.Reading {
			return rules.ReadGPP(decoded, regime, at)
		}})
	}
	if len(heard) == 0 {
		return nil, errNoSignal
	}
	return heard, nil
}

// signalWrite is one call's signals on their way onto a locked subject.
type signalWrite struct {
	service  *Service
	caller   Caller
	revision privacy.RevisionID
	rules    *signal.Rules

	tx     *store.Tx
	ledger ledger.Head
	writes store.Writes
	before privacy.Standing
	key    *keyring.Subject
	regime privacy.Regime
	at     time.Time
	last   map[privacy.SignalKind]store.Signal
	seq    int32

	received []SignalReceived
	stored   []string // kinds
	drafts   []audit.Draft
}

// open locks the subject and reads where they stand.
func (w *signalWrite) open(ctx context.Context, tx *store.Tx, id privacy.SubjectID) error {
	row, err := tx.LockSubject(ctx, id)
	if err != nil {
		return err
	}
	w.at = w.service.instant() // after the wait for the lock, as for consents
	if w.key, err = w.service.keyAtHand(ctx, id, row.Slot); err != nil {
		return err
	}
	st, err := openState(w.key, &row)
	if err != nil {
		return err
	}
	w.regime = w.service.regime(w.revision, st)
	head, err := tx.LedgerHead(ctx, row)
	if err != nil {
		return err
	}
	w.tx, w.before, w.ledger = tx, row.Standing, ledger.Open(id, head)
	w.last, w.seq, err = tx.LastSignals(ctx, id)
	return err
}

// regime works out which law a subject is under.
func (s *Service) regime(revision privacy.RevisionID, st state) privacy.Regime {
	return s.policyState(revision, "", st, privacy.Standing{}, store.ConsentState{}, time.Time{}).Regime
}

// receive applies one signal and keeps it.
func (w *signalWrite) receive(ctx context.Context, h heardSignal) error {
	if h.tcf != nil && h.tcf.LastUpdated.After(w.at.Add(clockSkew)) {
		return errSignalFuture
	}
	effects, err := w.apply(h.mean(w.rules, w.regime, w.at))
	if err != nil {
		return err
	}
	same, err := w.onRecord(h)
	if err != nil {
		return err
	}
	if same && !anyApplied(effects) {
		last := w.last[h.kind]
		last.Effects = effects
		w.received = append(w.received, signalReceived(&last))
		return nil
	}
	w.seq++
	row := store.Signal{Seq: w.seq, Kind: h.kind, Effects: effects, Revision: w.revision, RecordedBy: w.caller.Client, ReceivedAt: w.at}
	if row.Sealed, err = w.key.Seal(keyring.KindSignal, 0, uint32(row.Seq), privacy.NewCleartext(h.text)); err != nil { //nolint:gosec // counts from 1
		return err
	}
	if err := w.tx.AppendSignal(ctx, w.ledger.ID, row); err != nil {
		return err
	}
	w.received, w.stored = append(w.received, signalReceived(&row)), append(w.stored, string(h.kind))
	w.drafts = append(w.drafts, audit.Draft{Action: audit.ActionSignalReceive, Client: w.caller.Client, RequestID: w.caller.Request, Subject: w.ledger.ID})
	return nil
}

// onRecord reports whether the newest signal of the kind says the same in the same words. Of one that does not open nobody can say so: it keeps no
// other from being received.
func (w *signalWrite) onRecord(h heardSignal) (same bool, err error) {
	last, ok := w.last[h.kind]
	if !ok {
		return false, nil
	}
	kept, err := w.key.Open(keyring.KindSignal, 0, uint32(last.Seq), last.Sealed) //nolint:gosec // counts from 1
	if errors.Is(err, keyring.ErrNotAuthentic) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	err = kept.Borrow(func(text string) error { same = text == h.text; return nil })
	return same, err
}

// finish writes the flags, the events and the audit entries of what was stored.
func (w *signalWrite) finish(ctx context.Context) error {
	if len(w.stored) == 0 {
		return nil
	}
	if !w.ledger.Standing.Equal(w.before) {
		w.writes.PutStanding(w.ledger.ID, w.ledger.Standing, w.at)
	}
	if err := w.tell(); err != nil {
		return err
	}
	batch, err := w.service.newBatch(w.at, w.drafts)
	if err != nil {
		return err
	}
	w.writes.AppendAudit(batch)
	return w.tx.Send(ctx, &w.writes)
}

// tell puts one event for each purpose that the signals now bear on into the outbox, so that it reaches those who work
// for it and nobody else. Signals that raise no flag are no news: what TC strings say of purposes is told as consent.
func (w *signalWrite) tell() error {
	now := w.ledger.Standing
	optOut, limit := !now.OptOutSignal.Equal(w.before.OptOutSignal), !now.LimitSensitive.Equal(w.before.LimitSensitive)
	for _, purpose := range w.service.policy.Heeding(w.revision, optOut, limit) {
		id, err := w.service.newID()
		if err != nil {
			return err
		}
		w.writes.AppendChange(privacy.Event{ID: id, Kind: privacy.EventSignalReceived, At: w.at, Subject: w.ledger.ID, Purpose: purpose, Detail: privacy.EventDetail{Signals: w.stored}})
	}
	return nil
}
