package store

import (
	"context"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/privacy"
)

// Processor is a downstream system that is told of changes. Version rises with every change of the row.
type Processor struct {
	ID           privacy.ProcessorID
	Version      int64
	Name         string
	Contact      string
	URL          string
	Purposes     []privacy.ObjectionScope // a purpose, a family of them, or all
	Kinds        []privacy.EventKind      // none: all of them
	Country      string                   // ISO 3166-1 alpha-2
	Agreement    string                   // a reference to the contract (GDPR Art. 28)
	Client       privacy.ClientID         // the application as which it asks for data; "" when it does not
	Active       bool
	Secret       string // sealed
	FormerSecret string // sealed; "" when there is none
	FormerUntil  time.Time
	CreatedBy    privacy.ClientID
	CreatedAt    time.Time
	UpdatedAt    time.Time
	RetiredAt    time.Time // zero: in use
}

// Listens reports whether the processor is to be told anything at all.
func (p *Processor) Listens() bool { return p.Active && p.RetiredAt.IsZero() }

// Called reports whether events are posted to the processor; one without a URL asks for them itself.
func (p *Processor) Called() bool { return p.Listens() && p.URL != "" }

// Wants reports whether an event is news for the processor: of a kind that it asked for, and about a purpose that it is
// registered for or none in particular. What follows from a request of a subject is no news, but an order: it goes to those who
// were noted for it ([Writes.NoteRecipient]).
func (p *Processor) Wants(e *privacy.Event) bool {
	named := slices.Contains(p.Kinds, e.Kind)
	switch {
	case !e.Kind.Valid(), e.Kind.FollowsRequest():
		return false
	case e.Kind.ForOfficer():
		return named
	}
	return (named || len(p.Kinds) == 0) && (e.Purpose == "" || p.Serves(e.Purpose))
}

// Serves reports whether the processor works for a purpose, or for one of a family of them.
func (p *Processor) Serves(purpose privacy.PurposeName) bool {
	return slices.ContainsFunc(p.Purposes, func(scope privacy.ObjectionScope) bool {
		// An objection may be to a whole family, of which the processor serves one.
		return scope.Covers(purpose) || privacy.ObjectionScope(purpose).Covers(privacy.PurposeName(scope))
	})
}

const processorColumns = `processor_id, version, name, contact, url, purposes, kinds, country, agreement, client, active,
	secret, former_secret, former_until, created_by, created_at, updated_at, retired_at`

func scanProcessor(row pgx.CollectableRow) (Processor, error) {
	var p Processor
	var former *string
	var until, retired *time.Time
	err := row.Scan((*[16]byte)(&p.ID), &p.Version, &p.Name, &p.Contact, &p.URL, &p.Purposes, &p.Kinds, &p.Country, &p.Agreement, &p.Client, &p.Active,
		&p.Secret, &former, &until, &p.CreatedBy, &p.CreatedAt, &p.UpdatedAt, &retired)
	if former != nil {
		p.FormerSecret = *former
	}
	p.FormerUntil, p.RetiredAt = timeOrZero(until), timeOrZero(retired)
	return p, err
}

var errNoProcessor = privacy.NotFound("processor_not_found", "there is no such processor")

func oneProcessor(rows pgx.Rows, err error) (Processor, error) {
	if err != nil {
		return Processor{}, wrap(err, "read a processor")
	}
	p, err := pgx.CollectExactlyOneRow(rows, scanProcessor)
	if isNoRows(err) {
		return p, errNoProcessor
	}
	return p, wrap(err, "read a processor")
}

// Processor reads one. KindNotFound when there is none.
func (s *Store) Processor(ctx context.Context, id privacy.ProcessorID) (Processor, error) {
	return oneProcessor(s.pool.Query(ctx, `SELECT `+processorColumns+` FROM processor WHERE processor_id = $1`, [16]byte(id)))
}

// Processors lists all there ever were, by age.
func (s *Store) Processors(ctx context.Context) ([]Processor, error) {
	rows, err := s.pool.Query(ctx, `SELECT `+processorColumns+` FROM processor ORDER BY processor_id`)
	if err != nil {
		return nil, wrap(err, "list the processors")
	}
	list, err := pgx.CollectRows(rows, scanProcessor)
	return list, wrap(err, "list the processors")
}

// LockProcessor reads a processor and holds it until the transaction ends. KindConflict when it is not at the version
// that the caller has seen.
func (t *Tx) LockProcessor(ctx context.Context, id privacy.ProcessorID, version int64) (Processor, error) {
	p, err := oneProcessor(t.tx.Query(ctx, `SELECT `+processorColumns+` FROM processor WHERE processor_id = $1 FOR UPDATE`, [16]byte(id)))
	if err == nil && version != 0 && p.Version != version {
		return p, privacy.Conflict("version_conflict", "the processor has changed meanwhile; read it again")
	}
	return p, err
}

// InsertProcessor adds a processor, which is told of what happens from now on.
func (t *Tx) InsertProcessor(ctx context.Context, p Processor) error {
	_, err := t.tx.Exec(ctx, `INSERT INTO processor (`+processorColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, NULL, NULL, $13, $14, $14, NULL)`,
		[16]byte(p.ID), p.Version, p.Name, p.Contact, p.URL, texts(p.Purposes), texts(p.Kinds), p.Country, p.Agreement, p.Client, p.Active,
		p.Secret, p.CreatedBy, p.CreatedAt)
	if err != nil {
		return wrap(err, "store a processor")
	}
	_, err = t.tx.Exec(ctx, `INSERT INTO dispatch (processor_id, cursor) SELECT $1, coalesce(max(index), 0) FROM change_log`, [16]byte(p.ID))
	return wrap(err, "store a processor")
}

// PutProcessor writes a locked processor under its next version.
func (t *Tx) PutProcessor(ctx context.Context, p Processor) error {
	_, err := t.tx.Exec(ctx, `
		UPDATE processor SET version = version + 1, name = $2, contact = $3, url = $4, purposes = $5, kinds = $6, country = $7, agreement = $8, client = $9, active = $10,
			secret = $11, former_secret = nullif($12, ''), former_until = $13, updated_at = $14, retired_at = $15
		WHERE processor_id = $1`,
		[16]byte(p.ID), p.Name, p.Contact, p.URL, texts(p.Purposes), texts(p.Kinds), p.Country, p.Agreement, p.Client, p.Active,
		p.Secret, p.FormerSecret, nullTime(p.FormerUntil), p.UpdatedAt, nullTime(p.RetiredAt))
	return wrap(err, "store a processor")
}

func texts[T ~string](names []T) []string {
	list := make([]string, len(names))
	for i, name := range names {
		list[i] = string(name)
	}
	return list
}
