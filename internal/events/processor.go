package events

import (
	"context"
	"regexp"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Processor is a downstream system that is told of changes.
type Processor = store.Processor

// ProcessorDraft is what an administrator says about a processor.
type ProcessorDraft struct {
	Name      string
	Contact   string
	URL       string
	Purposes  []privacy.ObjectionScope
	Kinds     []privacy.EventKind
	Country   string
	Agreement string
	Client    privacy.ClientID
	Active    bool
}

// ProcessorSaved is a processor after a write. Secret is there when the write made one, and only in the first answer:
// it is nowhere in clear, so a repeat of the call cannot give it.
type ProcessorSaved struct {
	ID      privacy.ProcessorID
	Version int64
	Secret  string `json:"-"`
}

// formerFor is how long the secret before the current one still signs.
const formerFor = 24 * time.Hour

var (
	processorClient  = regexp.MustCompile(`^[a-z0-9._-]{0,64}$`)
	processorText    = regexp.MustCompile(`^\P{C}{1,200}$`)
	errProcessorText = privacy.Invalid("invalid_processor", "name, contact and agreement are texts of 1 to 200 characters, country is a code of ISO 3166-1 (two capital letters), client is a name of the policy")
	errUnknownClient = privacy.Invalid("unknown_client", "the policy in force has no such client; leave it out when the processor does not ask for data itself")
	errUncalled      = privacy.Invalid("processor_unreachable", "give the url to which events are posted or the client as which the processor asks for them")
	errPatterns      = privacy.Invalid("invalid_purposes", "a processor has 1 to 50 purposes: names, families such as marketing.*, or * for everything")
	errKinds         = privacy.Invalid("unknown_kind", "there is no such kind of event; see the schema event")
)

func (s *Service) checkProcessor(ctx context.Context, d *ProcessorDraft) error {
	if d.URL == "" && d.Client == "" {
		return errUncalled
	}
	if d.URL != "" {
		if err := s.sender.CheckURL(d.URL); err != nil {
			return err
		}
	}
	if !processorText.MatchString(d.Name) || !processorText.MatchString(d.Contact) || !processorText.MatchString(d.Agreement) ||
		!privacy.IsCountry(d.Country) || !processorClient.MatchString(string(d.Client)) {
		return errProcessorText
	}
	if slices.ContainsFunc(d.Kinds, func(kind privacy.EventKind) bool { return !kind.Valid() }) {
		return errKinds
	}
	if len(d.Purposes) == 0 || len(d.Purposes) > 50 {
		return errPatterns
	}
	revision, err := s.vault.InForce(ctx)
	if err != nil {
		return err
	}
	if _, ok := s.policy.Client(revision, d.Client); d.Client != "" && !ok {
		return errUnknownClient // nobody would find out what it has received
	}
	known := s.policy.Purposes(revision)
	for _, scope := range d.Purposes {
		if !scope.Valid() {
			return errPatterns
		}
		if purpose, single := scope.Purpose(); single {
			if _, ok := known[purpose]; !ok {
				return custody.ErrUnknownPurpose
			}
		}
	}
	return nil
}

func (d *ProcessorDraft) fill(p *Processor) {
	p.Name, p.Contact, p.URL, p.Country, p.Agreement, p.Client, p.Active = d.Name, d.Contact, d.URL, d.Country, d.Agreement, d.Client, d.Active
	p.Purposes, p.Kinds = slices.Compact(slices.Sorted(slices.Values(d.Purposes))), slices.Compact(slices.Sorted(slices.Values(d.Kinds)))
}

// CreateProcessor registers a processor, which is told of what happens from now on, and gives its secret.
func (s *Service) CreateProcessor(ctx context.Context, caller custody.Caller, draft ProcessorDraft, once custody.Once) (ProcessorSaved, error) {
	if err := s.checkProcessor(ctx, &draft); err != nil {
		return ProcessorSaved{}, err
	}
	id, err := s.vault.NewID()
	if err != nil {
		return ProcessorSaved{}, err
	}
	at := s.vault.Instant()
	p := Processor{ID: id, Version: 1, CreatedBy: caller.Client, CreatedAt: at}
	draft.fill(&p)
	secret, err := s.newSecret(ctx, &p)
	if err != nil {
		return ProcessorSaved{}, err
	}
	var saved ProcessorSaved
	err = s.vault.WriteOnce(ctx, once, &saved, func(tx *store.Tx) error {
		saved = ProcessorSaved{ID: p.ID, Version: p.Version, Secret: secret.Text()}
		if err := tx.InsertProcessor(ctx, p); err != nil {
			return err
		}
		return s.auditProcessor(ctx, tx, caller, audit.ActionProcessorCreate, p.ID, at)
	})
	return saved, err
}

// UpdateProcessor replaces what is said about a processor. KindConflict when it is no longer at the version given.
func (s *Service) UpdateProcessor(ctx context.Context, caller custody.Caller, id privacy.ProcessorID, version int64, draft ProcessorDraft, once custody.Once) (ProcessorSaved, error) {
	if err := s.checkProcessor(ctx, &draft); err != nil {
		return ProcessorSaved{}, err
	}
	return s.changeProcessor(ctx, caller, audit.ActionProcessorUpdate, id, version, once, func(tx *store.Tx, p *Processor) error {
		draft.fill(p)
		return tx.WakeProcessor(ctx, id, p.UpdatedAt)
	})
}

// RotateProcessorSecret gives a processor a new secret. Events are signed with both for a day, unless the old
// one is revoked: then with the new one only, from now on.
func (s *Service) RotateProcessorSecret(ctx context.Context, caller custody.Caller, id privacy.ProcessorID, version int64, revoke bool, once custody.Once) (ProcessorSaved, error) {
	fresh := Processor{ID: id}
	secret, err := s.newSecret(ctx, &fresh)
	if err != nil {
		return ProcessorSaved{}, err
	}
	made := false
	saved, err := s.changeProcessor(ctx, caller, audit.ActionProcessorRotate, id, version, once, func(_ *store.Tx, p *Processor) error {
		p.FormerSecret, p.FormerUntil, made = p.Secret, p.UpdatedAt.Add(formerFor), true
		if revoke {
			p.FormerSecret, p.FormerUntil = "", time.Time{}
		}
		p.Secret = fresh.Secret
		return nil
	})
	if made && err == nil {
		saved.Secret = secret.Text()
	}
	return saved, err
}

// RetireProcessor ends a relation: the processor is told nothing any more, and its secrets are forgotten. The record
// of it stays.
func (s *Service) RetireProcessor(ctx context.Context, caller custody.Caller, id privacy.ProcessorID, version int64, once custody.Once) (ProcessorSaved, error) {
	return s.changeProcessor(ctx, caller, audit.ActionProcessorRetire, id, version, once, func(_ *store.Tx, p *Processor) error {
		p.Active, p.RetiredAt, p.Secret, p.FormerSecret, p.FormerUntil = false, p.UpdatedAt, "", "", time.Time{}
		return nil
	})
}

// changeProcessor changes a processor that is in use. The version 0 takes it as it is.
func (s *Service) changeProcessor(ctx context.Context, caller custody.Caller, action audit.Action, id privacy.ProcessorID, version int64, once custody.Once,
	change func(tx *store.Tx, p *Processor) error) (saved ProcessorSaved, err error) {
	err = s.vault.WriteOnce(ctx, once, &saved, func(tx *store.Tx) error {
		p, err := tx.LockProcessor(ctx, id, version)
		if err != nil {
			return err
		}
		if !p.RetiredAt.IsZero() {
			return privacy.Conflict("processor_retired", "the processor has been retired; register it anew")
		}
		p.UpdatedAt = s.vault.Instant()
		if err := change(tx, &p); err != nil {
			return err
		}
		saved = ProcessorSaved{ID: p.ID, Version: p.Version + 1}
		if err := tx.PutProcessor(ctx, p); err != nil {
			return err
		}
		return s.auditProcessor(ctx, tx, caller, action, id, p.UpdatedAt)
	})
	return saved, err
}

func (s *Service) auditProcessor(ctx context.Context, tx *store.Tx, caller custody.Caller, action audit.Action, id privacy.ProcessorID, at time.Time) error {
	batch, err := s.vault.Entered(at, audit.Draft{Action: action, Client: caller.Client, RequestID: caller.Request, Object: "processor/" + id.String()})
	if err != nil {
		return err
	}
	return tx.AppendAudit(ctx, batch)
}

// Processors lists all that were ever registered.
func (s *Service) Processors(ctx context.Context) ([]Processor, error) {
	return s.store.Processors(ctx)
}

// Processor reads one.
func (s *Service) Processor(ctx context.Context, id privacy.ProcessorID) (Processor, error) {
	return s.store.Processor(ctx, id)
}
