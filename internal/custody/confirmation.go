package custody

import (
	"cmp"
	"context"
	"crypto/subtle"
	"encoding/base64"
	"io"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A grant that is to be confirmed is put on the ledger as one that waits: its state is pending, which permits nothing.
// The person is sent a link at the address the vault holds. Following it puts a second record on the ledger, which
// names the first. The link works once, for a time, and only while nothing else was decided about the purpose.

// Confirming says how confirmations are asked for. A nil courier sends nothing, and its channel cannot be asked for.
type Confirming struct {
	Email, SMS Courier
	PublicURL  string        // where people reach the page /confirm, without it
	Within     time.Duration // how long a link works; 0: 48 h
}

// Courier hands a message over to whoever delivers it. KindUnavailable is worth another try.
type Courier interface {
	Send(ctx context.Context, to privacy.Cleartext, message mail.Message) error
}

const (
	confirmWithin     = 48 * time.Hour
	confirmAttempts   = 5 // with a wrong secret; then the link is dead
	confirmationsADay = 5 // messages to one person, whoever asks for them
	secretSize        = 32
)

// courier gives who carries links through a channel, nil when nobody does.
func (c *Confirming) courier(channel mail.Channel) Courier {
	if c.PublicURL == "" {
		return nil
	}
	return c.carrier(channel)
}

// carrier gives who carries a channel's messages, nil when nobody does.
func (c *Confirming) carrier(channel mail.Channel) Courier {
	switch channel {
	case mail.Email:
		return c.Email
	case mail.SMS:
		return c.SMS
	default:
		return nil
	}
}

// methodDoubleOptIn is how a consent came about that was confirmed through a link.
const methodDoubleOptIn = "double_opt_in"

// link is what a message carries: it names the record, and proves with a secret that its bearer got the message.
type link struct {
	record [16]byte
	secret [secretSize]byte
}

var linkEncoding = base64.RawURLEncoding.Strict()

func (l link) token() string { return linkEncoding.EncodeToString(append(l.record[:], l.secret[:]...)) }

func parseLink(token string) (l link, ok bool) {
	if len(token) != linkEncoding.EncodedLen(len(l.record)+secretSize) {
		return link{}, false
	}
	raw, err := linkEncoding.DecodeString(token)
	if err != nil || len(raw) != len(l.record)+secretSize {
		return link{}, false
	}
	l.record, l.secret = [16]byte(raw), [secretSize]byte(raw[len(l.record):])
	return l, true
}

func (s *Service) linkHash(l link) [32]byte {
	return s.keyring.Fingerprint(append([]byte("confirmation\n"), append(l.record[:], l.secret[:]...)...))
}

var (
	errConfirmChannel     = privacy.Invalid("confirmation_unavailable", "this vault sends no messages of that kind; leave confirm out, or have it set up")
	errConfirmAction      = privacy.Invalid("confirmation_of_no_grant", "only a grant can be confirmed; leave confirm out")
	errConfirmImported    = privacy.Invalid("confirmation_in_import", "an import writes to nobody; leave confirm out, and give the evidence of what was confirmed elsewhere with method double_opt_in")
	errNoAddress          = privacy.Invalid("no_address", "no address of that kind is held for the subject; store one, or leave confirm out")
	errTooManyMessages    = privacy.NewError(privacy.KindRateLimited, "too_many_confirmations", "the subject was asked to confirm five times within a day; wait until tomorrow")
	errConfirmationFailed = privacy.Invalid("confirmation_invalid", "the link is not whole, has expired or was used before; ask for a new one")
)

// pending is a confirmation that is asked for together with a record.
type pending struct {
	channel mail.Channel
	key     *keyring.Subject
}

// confirmBy gives the channel through which a consent is to be confirmed, "" for none: what was asked for, else what the
// policy wants of the purpose.
func (s *Service) confirmBy(consent *Consent, purpose *policy.Purpose) (mail.Channel, error) {
	channel := mail.Channel(consent.Confirm)
	if channel != "" && consent.Action != privacy.ActionGrant {
		return "", errConfirmAction
	}
	if channel == "" && consent.Action == privacy.ActionGrant {
		channel = mail.Channel(purpose.DoubleOptIn)
	}
	if channel != "" && s.confirming.courier(channel) == nil {
		return "", errConfirmChannel
	}
	return channel, nil
}

// confirmBy is [Service.confirmBy] of a consent that is being recorded. One that is imported was confirmed elsewhere, or waits: an import
// writes to nobody.
func (r *recording) confirmBy() (mail.Channel, error) {
	switch {
	case !r.imported:
		return r.service.confirmBy(&r.consent, &r.purpose)
	case r.consent.Confirm != "":
		return "", errConfirmImported
	case r.consent.Action != privacy.ActionGrant || r.consent.Method == methodDoubleOptIn && !r.consent.Evidence.IsEmpty():
		return "", nil
	default:
		return mail.Channel(r.purpose.DoubleOptIn), nil
	}
}

// preparePending finds out whether the subject can be reached; nil when nothing is to
// be confirmed.
func (s *Service) preparePending(ctx context.Context, id privacy.SubjectID, channel mail.Channel) (*pending, error) {
	if channel == "" {
		return nil, nil //nolint:nilnil // documented
	}
	at, ok, err := s.contact(ctx, id, channel)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNoAddress
	}
	key, err := s.keyring.Subject(ctx, id, at.Slot)
	if err != nil {
		return nil, err
	}
	return &pending{channel: channel, key: key}, nil
}

// start keeps what the link must prove, and queues the message that brings it.
func (p *pending) start(s *Service, w *store.Writes, id privacy.SubjectID, record *store.ConsentRecord) (err error) {
	if p == nil {
		return nil
	}
	l := link{record: record.ID}
	if _, err := io.ReadFull(s.random, l.secret[:]); err != nil {
		return privacy.Internal(err, "draw a secret")
	}
	expires := record.RecordedAt.Add(s.confirming.Within)
	message := store.Message{Kind: store.MessageConfirmation, Subject: id, Record: record.ID, Channel: string(p.channel), Purpose: record.Purpose, DueAt: record.RecordedAt, ExpiresAt: expires}
	if message.ID, err = s.newID(); err != nil {
		return err
	}
	if message.Sealed, err = p.key.Seal(keyring.KindMessage, 1, 1, privacy.NewCleartext(l.token())); err != nil {
		return err
	}
	w.PutConfirmation(id, &store.Confirmation{Record: record.ID, SecretHash: s.linkHash(l), CreatedAt: record.RecordedAt, ExpiresAt: expires})
	w.PutMessage(&message)
	return nil
}

// Confirm puts the confirmation of a grant on the ledger, for whoever brings the token of its link. A token that is wrong,
// expired, used, tried too often or overtaken by a later decision is told apart from none of the others.
func (s *Service) Confirm(ctx context.Context, request privacy.RequestID, token string) (Recorded, error) {
	l, ok := parseLink(token)
	if !ok {
		return Recorded{}, errConfirmationFailed
	}
	id, err := s.store.RecordSubject(ctx, l.record)
	if err != nil {
		return Recorded{}, err
	}
	if id.IsZero() {
		return Recorded{}, errConfirmationFailed
	}
	if err := s.tryLink(ctx, request, id, l); err != nil {
		return Recorded{}, err
	}
	awaiting, err := s.store.ConsentRecord(ctx, id, l.record)
	if err != nil {
		return Recorded{}, err
	}
	record, err := s.confirmingRecord(awaiting)
	if err != nil {
		return Recorded{}, err
	}
	revision, err := s.InForce(ctx)
	if err != nil {
		return Recorded{}, err
	}
	purpose, known := s.policy.Purpose(revision, record.Purpose)
	if !known {
		return Recorded{}, errConfirmationFailed
	}
	signed, err := s.signRecord(ctx, revision, id, &record)
	if err != nil {
		return Recorded{}, err
	}
	var recorded Recorded
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		subject, err := tx.LockSubject(ctx, id)
		if err != nil {
			return err
		}
		record := record // the transaction may run again
		record.RecordedAt = s.instant()
		confirmation, err := s.usable(ctx, tx, id, l, record.RecordedAt)
		if err != nil {
			return err
		}
		head, err := tx.LedgerHead(ctx, subject)
		if err != nil {
			return err
		}
		on := ledger.Open(id, head)
		if on.Overtaken(awaiting.Seq, confirmation.CreatedAt, record.Purpose) {
			return errConfirmationFailed
		}
		w := &store.Writes{}
		on.Append(w, &record)
		if signed != "" {
			w.PutReceipt(id, record.ID, signed)
		}
		confirmation.UsedAt = record.RecordedAt
		w.UpdateConfirmation(id, &confirmation)
		batch, err := s.newBatch(record.RecordedAt, []audit.Draft{recordDraft(Caller{Caller: privacy.Caller{Client: privacy.SystemClient}, Request: request}, id, &record)})
		if err != nil {
			return err
		}
		w.AppendAudit(batch)
		recorded = recordedOn(&on, &record, purpose.MinimumNoticeVersion, record.RecordedAt)
		recorded.Receipt = signed
		return tx.Send(ctx, w)
	})
	return recorded, err
}

// tryLink counts a wrong secret against its record, and lets a right one pass.
func (s *Service) tryLink(ctx context.Context, request privacy.RequestID, id privacy.SubjectID, l link) error {
	var answer error
	err := s.store.Write(ctx, func(tx *store.Tx) error {
		if _, err := tx.LockSubject(ctx, id); err != nil {
			return err
		}
		at := s.instant()
		var confirmation store.Confirmation
		confirmation, answer = s.usable(ctx, tx, id, l, at)
		if answer != errWrongSecret { //nolint:errorlint // it is never wrapped
			return nil
		}
		answer = errConfirmationFailed
		confirmation.Attempts++
		batch, err := s.newBatch(at, []audit.Draft{{Action: audit.ActionConfirmRefused, Client: privacy.SystemClient, RequestID: request, Subject: id}})
		if err != nil {
			return err
		}
		w := &store.Writes{}
		w.UpdateConfirmation(id, &confirmation)
		w.AppendAudit(batch)
		return tx.Send(ctx, w)
	})
	return cmp.Or(err, answer)
}

// errWrongSecret stays in here: it is told as errConfirmationFailed.
var errWrongSecret = privacy.Invalid("confirmation_invalid", "the secret of the link is wrong")

// usable gives the confirmation a link is for, if the link is right and may still be used.
func (s *Service) usable(ctx context.Context, tx *store.Tx, id privacy.SubjectID, l link, at time.Time) (store.Confirmation, error) {
	confirmation, ok, err := tx.Confirmation(ctx, id, l.record)
	if err != nil {
		return confirmation, err
	}
	hash := s.linkHash(l)
	right := subtle.ConstantTimeCompare(hash[:], confirmation.SecretHash[:]) == 1
	switch {
	case !ok || confirmation.Attempts >= confirmAttempts || !confirmation.UsedAt.IsZero() || !at.Before(confirmation.ExpiresAt):
		return confirmation, errConfirmationFailed
	case !right:
		return confirmation, errWrongSecret
	default:
		return confirmation, nil
	}
}

// confirmingRecord is the grant again, as of now, and no longer waiting.
func (s *Service) confirmingRecord(awaiting store.ConsentRecord) (record store.ConsentRecord, err error) {
	record = awaiting
	record.Confirms, record.Channel, record.Method, record.ConfirmBy = awaiting.ID, awaiting.ConfirmBy, methodDoubleOptIn, ""
	record.OccurredAt, record.RecordedBy = s.instant(), privacy.SystemClient
	if !record.OccurredAt.After(awaiting.OccurredAt) { // which may be dated ahead, by clockSkew
		record.OccurredAt = awaiting.OccurredAt.Add(time.Microsecond)
	}
	record.Evidence = nil // that is the other's
	if record.ID, err = s.newID(); err != nil {
		return record, err
	}
	if !record.ExpiresAt.IsZero() && !record.ExpiresAt.After(record.OccurredAt) {
		return record, errConfirmationFailed
	}
	return record, nil
}
