package governance

import (
	"cmp"
	"context"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/policy"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/ropa"
	"github.com/consentry/consentry/internal/store"
)

// RecordOfProcessing is the record of processing activities.
type RecordOfProcessing = ropa.Record

// RecordPagePolicy is the Content-Security-Policy of the record's printable page.
const RecordPagePolicy = ropa.PagePolicy

// RecordsOfProcessing makes the record of processing activities from what was in force at a time (zero: now). The controller is the
// one that is set today.
func (s *Service) RecordsOfProcessing(ctx context.Context, at time.Time) (*RecordOfProcessing, error) {
	now := s.instant()
	if at.IsZero() {
		at = now
	}
	if at.After(now) {
		return nil, privacy.Invalid("at_in_future", "at lies in the future; leave it out for now")
	}
	id, since, err := s.store.PublicationAt(ctx, at)
	if err != nil {
		return nil, err
	}
	revision, err := s.custody.StoredRevision(ctx, id)
	if err != nil {
		return nil, err
	}
	engine := policy.NewEngine(policy.WithMemo(1)) // of its own: an old revision must not push out those that decide
	if err := engine.Load(ctx, revision); err != nil {
		return nil, err
	}
	c := s.controller
	record := &RecordOfProcessing{At: at.UTC(), GeneratedAt: now, Revision: id, PublishedAt: since, Security: ropa.SecurityMeasures(), Activities: []ropa.Activity{},
		Controller: ropa.RecordController{Name: c.Name, Contact: c.Contact, Address: c.Street, Country: c.Country, Email: c.Email, Phone: c.Phone, URL: c.URL, Policy: c.PolicyURL}}
	tables := recordTables{service: s, engine: engine, revision: revision}
	if tables.processors, err = s.processorsAt(ctx, at); err != nil {
		return nil, err
	}
	purposes := engine.Purposes(id)
	for _, name := range slices.Sorted(maps.Keys(purposes)) {
		activity := tables.activity(name, purposes[name])
		if activity.Notice, err = s.noticeAt(ctx, purposes[name].Notice, at); err != nil {
			return nil, err
		}
		record.Activities = append(record.Activities, activity)
	}
	return record, nil
}

// noticeAt gives the newest version of a notice that was published and valid at a time; nil when there was none.
func (s *Service) noticeAt(ctx context.Context, id string, at time.Time) (*ropa.NoticeInForce, error) {
	if id == "" {
		return nil, nil //nolint:nilnil // documented
	}
	versions, err := s.store.NoticeVersions(ctx, id)
	for i := range versions {
		if v := &versions[i]; !v.PublishedAt.After(at) && !v.ValidFrom.After(at) {
			return &ropa.NoticeInForce{ID: v.ID, Version: v.Version, SHA256: hex.EncodeToString(v.Hash), ValidFrom: v.ValidFrom.UTC()}, nil
		}
	}
	return nil, err
}

// processorsAt lists the processors that were in use at a time.
func (s *Service) processorsAt(ctx context.Context, at time.Time) ([]store.Processor, error) {
	all, err := s.store.Processors(ctx)
	return slices.DeleteFunc(all, func(p store.Processor) bool {
		return p.CreatedAt.After(at) || !p.RetiredAt.IsZero() && !p.RetiredAt.After(at)
	}), err
}

// serves reports whether a processor is registered for a purpose, by its name, its family or with everything.
func serves(p *store.Processor, purpose privacy.PurposeName) bool {
	return slices.ContainsFunc(p.Purposes, func(scope privacy.ObjectionScope) bool {
		if one, single := scope.Purpose(); single {
			return one == purpose
		}
		return scope.Covers(purpose)
	})
}

// recordTables reads the record out of a revision's tables.
type recordTables struct {
	service    *Service
	engine     *policy.Engine
	revision   policy.Revision
	processors []store.Processor
}

func (t *recordTables) activity(name privacy.PurposeName, purpose policy.Purpose) ropa.Activity {
	activity := ropa.Activity{Purpose: name, Titles: purpose.Title, Descriptions: purpose.Descriptions, DPV: purpose.DPV, Category: purpose.Category,
		Bases: t.bases(purpose), Subjects: []string{"customers and prospective customers"}, Data: t.data(name),
		Retention: purpose.Retention, Lifetime: purpose.Lifetime, Marketing: purpose.Marketing, Profiling: purpose.Profiling, Automated: purpose.AutomatedDecision}
	if children, _ := t.row("purposes", string(name))["children_likely"].(bool); children {
		activity.Subjects = append(activity.Subjects, "children")
	}
	activity.Recipients, activity.Transfers = t.recipients(name, purpose)
	activity.Assess()
	return activity
}

// row gives a row of a table, nil when there is none.
func (t *recordTables) row(table, name string) map[string]any {
	rows, _ := t.revision.Data[table].(map[string]any)
	row, _ := rows[name].(map[string]any)
	return row
}

func text(row map[string]any, name string) string {
	value, _ := row[name].(string)
	return value
}

func (t *recordTables) bases(purpose policy.Purpose) []ropa.LegalBasis {
	laws := t.row("regimes", "laws")
	bases := make([]ropa.LegalBasis, 0, len(laws))
	for _, regime := range slices.Sorted(maps.Keys(laws)) {
		law, _ := laws[regime].(map[string]any)
		bases = append(bases, ropa.LegalBasis{Regime: privacy.Regime(regime), Law: cmp.Or(text(law, "title"), regime), Basis: purpose.BasisUnder(privacy.Regime(regime))})
	}
	return bases
}

// data lists the attributes that the matrix lets out for a purpose, by category.
func (t *recordTables) data(purpose privacy.PurposeName) []ropa.DataItem {
	items := []ropa.DataItem{}
	matrix, _ := t.revision.Data["matrix"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(matrix)) {
		mode := privacy.Mode(text(t.row("matrix", name), string(purpose)))
		if mode == "" || mode == privacy.ModeDeny {
			continue
		}
		definition := t.row("attributes", name)
		item := ropa.DataItem{Attribute: privacy.AttributeName(name), Title: name, Category: text(definition, "category"),
			Classification: privacy.Classification(text(definition, "classification")), Mode: mode}
		if known, ok := t.service.custody.Catalogue().Attribute(item.Attribute); ok {
			item.Title = cmp.Or(known.Titles["en"], name)
			if !known.Retention.IsZero() {
				item.Retention = known.Retention.String()
			}
		}
		items = append(items, item)
	}
	slices.SortStableFunc(items, func(a, b ropa.DataItem) int { return cmp.Compare(a.Category, b.Category) })
	return items
}

// recipients lists the applications that are granted a purpose, those whom the purpose itself names, and the registered processors
// that serve it, and where their data goes abroad: out of the controller's country, as far as processors go.
func (t *recordTables) recipients(name privacy.PurposeName, purpose policy.Purpose) ([]ropa.DataRecipient, []ropa.DataTransfer) {
	recipients, transfers := []ropa.DataRecipient{}, []ropa.DataTransfer{}
	clients, _ := t.revision.Data["clients"].(map[string]any)
	for _, id := range slices.Sorted(maps.Keys(clients)) {
		if !t.engine.Granted(t.revision.ID, privacy.ClientID(id), name) {
			continue
		}
		client, _ := t.engine.Client(t.revision.ID, privacy.ClientID(id))
		recipient := ropa.DataRecipient{Name: cmp.Or(client.Title, id), Client: privacy.ClientID(id), Kind: client.Recipient, Country: client.Country, Mechanism: client.Mechanism}
		recipients = append(recipients, recipient)
		if client.Abroad(t.service.controller.Country) {
			transfers = append(transfers, ropa.DataTransfer{Country: recipient.Country, Recipient: recipient.Name, Safeguard: recipient.Mechanism})
		}
	}
	for _, recipient := range purpose.Recipients {
		recipients = append(recipients, ropa.DataRecipient{Name: recipient.Name, Kind: recipient.Role})
	}
	for i := range t.processors {
		p := &t.processors[i]
		if !serves(p, name) {
			continue
		}
		recipients = append(recipients, ropa.DataRecipient{Name: p.Name, Client: p.Client, Kind: "processor", Country: p.Country, Agreement: p.Agreement})
		if p.Country != t.service.controller.Country {
			transfers = append(transfers, ropa.DataTransfer{Country: p.Country, Recipient: p.Name})
		}
	}
	for _, abroad := range purpose.Abroad {
		told := func(other ropa.DataTransfer) bool {
			return other.Country == abroad.Country && other.Safeguard == abroad.Mechanism
		}
		if !slices.ContainsFunc(transfers, told) {
			transfers = append(transfers, ropa.DataTransfer{Country: abroad.Country, Safeguard: abroad.Mechanism})
		}
	}
	return recipients, transfers
}
