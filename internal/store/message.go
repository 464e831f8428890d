package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Message is something to be sent to a subject. It holds no address.
type Message struct {
	ID        [16]byte
	Kind      MessageKind
	Subject   privacy.SubjectID
	Record    [16]byte // that it is about, or the request
	Channel   string
	Purpose   privacy.PurposeName
	Sealed    []byte
	Attempts  int
	DueAt     time.Time
	ExpiresAt time.Time // it is of no use after that
}

// MessageKind says what a message brings.
type MessageKind string

// The kinds of messages.
const (
	MessageConfirmation MessageKind = "confirmation" // a link to confirm a consent
	MessageCode         MessageKind = "code"         // that shows who is asking
	MessageExport       MessageKind = "export"       // a link that fetches what somebody has asked for
)

// PutMessage queues a message: it is sent if and only if the transaction commits.
func (w *Writes) PutMessage(m *Message) {
	w.queue(`INSERT INTO message (message_id, subject_id, record_id, channel, purpose, sealed, attempts, due_at, expires_at, kind) VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9)`,
		m.ID, [16]byte(m.Subject), m.Record, m.Channel, m.Purpose, m.Sealed, m.DueAt, m.ExpiresAt, m.Kind)
}

// ClaimMessages takes up to limit messages of a channel that are due, counts the attempt, and puts each off until the given time: if
// whoever took it dies, another does then. Several nodes may claim at once.
func (t *Tx) ClaimMessages(ctx context.Context, channel string, limit int, now, until time.Time) ([]Message, error) {
	rows, err := t.tx.Query(ctx, `
		UPDATE message SET attempts = attempts + 1, due_at = $3
		WHERE message_id IN (SELECT message_id FROM message WHERE channel = $4 AND due_at <= $2 ORDER BY due_at LIMIT $1 FOR UPDATE SKIP LOCKED)
		RETURNING message_id, subject_id, record_id, channel, purpose, sealed, attempts, due_at, expires_at, kind`, limit, now, until, channel)
	if err != nil {
		return nil, wrap(err, "claim messages")
	}
	messages, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Message, error) {
		var m Message
		return m, row.Scan(&m.ID, (*[16]byte)(&m.Subject), &m.Record, &m.Channel, &m.Purpose, &m.Sealed, &m.Attempts, &m.DueAt, &m.ExpiresAt, &m.Kind)
	})
	return messages, wrap(err, "claim messages")
}

// PutOffMessage makes a message due again at a time.
func (s *Store) PutOffMessage(ctx context.Context, id [16]byte, until time.Time) error {
	_, err := s.pool.Exec(ctx, `UPDATE message SET due_at = $2 WHERE message_id = $1`, id, until)
	return wrap(err, "put a message off")
}

// DeleteMessage removes a message that was sent, or never will be.
func (s *Store) DeleteMessage(ctx context.Context, id [16]byte) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM message WHERE message_id = $1`, id)
	return wrap(err, "delete a message")
}

// ForgetMessages deletes those that are of no use any more, and that nobody has sent: there may be no node with a courier for them.
func (s *Store) ForgetMessages(ctx context.Context, now time.Time) error {
	_, err := s.pool.Exec(ctx, `DELETE FROM message WHERE expires_at <= $1`, now)
	return wrap(err, "forget messages")
}

// Contact is where a subject can be reached: an identifier, or an attribute when there is none.
type Contact struct {
	Slot       privacy.KeySlot
	Identifier bool
	Number     privacy.AttributeID // of the identifier's type or the attribute
	Version    uint32
	Sealed     []byte
	Verified   bool // shown to be the subject's
}

// Contact finds where a subject can be reached: under the identifier's type, a verified one and then the oldest
// first, else in the attribute; 0 for none of either. ok is false when nowhere, or when there is no such subject.
func (s *Store) Contact(ctx context.Context, id privacy.SubjectID, identifier, attribute privacy.AttributeID, now time.Time) (a Contact, ok bool, err error) {
	var number int32
	var version int64
	err = s.pool.QueryRow(ctx, `
		SELECT s.key_slot, f.identifier, f.number, f.version, f.sealed, f.verified
		FROM subject s, LATERAL (
			(SELECT true AS identifier, i.type::integer AS number, 1::bigint AS version, i.sealed, i.verified FROM subject_identifier i
				WHERE i.subject_id = s.subject_id AND i.type = $2 AND i.sealed <> '' ORDER BY i.verified DESC, i.created_at, i.blind_index LIMIT 1)
			UNION ALL
			(SELECT false, v.attribute_id, v.version, v.sealed, false FROM attribute_value v
				WHERE v.subject_id = s.subject_id AND v.attribute_id = $3 AND v.sealed IS NOT NULL AND (v.expires_at IS NULL OR v.expires_at > $4))
		) f
		WHERE s.subject_id = $1 AND s.erased_at IS NULL ORDER BY f.identifier DESC LIMIT 1`, [16]byte(id), int16(identifier), int32(attribute), now). //nolint:gosec // the catalogue numbers types from 1
		Scan(&a.Slot, &a.Identifier, &number, &version, &a.Sealed, &a.Verified)
	if isNoRows(err) {
		return Contact{}, false, nil
	}
	a.Number, a.Version = privacy.AttributeID(number), uint32(version) //nolint:gosec // bounded by check constraints
	return a, err == nil, wrap(err, "find an address")
}
