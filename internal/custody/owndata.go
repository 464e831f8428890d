package custody

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/export"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// ownData is what is held about one subject, for the subject: as of one moment, and in one language. What grows without end is read a
// page at a time, whenever a sequence is gone through; values are opened one at a time, and lent for as long as
// the row is looked at.
type ownData struct {
	service  *Service
	ctx      context.Context // of the one call that the reader lives in
	subject  store.HeldSubject
	key      *keyring.Subject
	at       time.Time
	revision privacy.RevisionID
	language string
	end      int32 // number of the last record on the ledger

	fields      []store.Value
	identifiers []store.HeldIdentifier
	uses        map[privacy.AttributeName][]export.Purpose
	decided     map[audit.Hash]privacy.Outcome // of decisions that were read lately
}

// ownDataOf begins to read what is held about a subject. KindNotFound when there is none, or when they are erased.
func (s *Service) ownDataOf(ctx context.Context, id privacy.SubjectID) (*ownData, error) {
	subject, err := s.store.HeldSubject(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &ownData{service: s, ctx: ctx, subject: subject, at: s.instant(), decided: make(map[audit.Hash]privacy.Outcome)}
	if d.key, err = s.subjectKey(ctx, &subject.Subject); err != nil {
		return nil, err
	}
	if d.revision, err = s.InForce(ctx); err != nil {
		return nil, err
	}
	if d.fields, err = s.store.HeldFields(ctx, id, d.at); err != nil {
		return nil, err
	}
	if d.identifiers, err = s.store.HeldIdentifiers(ctx, id); err != nil {
		return nil, err
	}
	if d.end, _, err = s.store.LedgerEnd(ctx, id); err != nil {
		return nil, err
	}
	if d.language, err = d.speaks(); err != nil {
		return nil, err
	}
	d.uses = d.purposesByAttribute()
	return d, nil
}

// speaks gives the language that the subject wants to be addressed in, else the one of the country where they live, as far as we write it.
func (d *ownData) speaks() (language string, err error) {
	if attribute, ok := d.service.catalogue.Attribute("language"); ok {
		for i := range d.fields {
			if d.fields[i].Attribute != attribute.ID {
				continue
			}
			value, err := d.open(&d.fields[i])
			if err != nil {
				return "", err
			}
			err = value.Borrow(func(tag string) error { language = export.Language(tag); return nil }) // one of two, not what the person has
			return language, err
		}
	}
	st, err := openState(d.key, &d.subject.Subject)
	if err != nil {
		return "", err
	}
	if d.service.residence(st, d.at).country == "CN" {
		return export.Language("zh"), nil
	}
	return export.Language(""), nil
}

func (d *ownData) open(v *store.Value) (privacy.Cleartext, error) {
	return d.key.Open(keyring.KindAttribute, v.Attribute, v.Version, v.Sealed)
}

// purpose names a purpose, with its title if the policy in force still knows it. A family, and everything, have none.
func (d *ownData) purpose(name privacy.PurposeName) export.Purpose {
	if purpose, ok := d.service.policy.Purpose(d.revision, name); ok {
		return export.Purpose{Name: name, Title: titleIn(purpose.Title, d.language, name)}
	}
	return export.Purpose{Name: name, Title: string(name)}
}

// purposesByAttribute tells what the policy in force lets each attribute be used for.
func (d *ownData) purposesByAttribute() map[privacy.AttributeName][]export.Purpose {
	names := make([]privacy.PurposeName, 0, 16)
	for name := range d.service.policy.Purposes(d.revision) {
		names = append(names, name)
	}
	slices.Sort(names)
	uses := make(map[privacy.AttributeName][]export.Purpose)
	for _, name := range names {
		purpose := d.purpose(name)
		for _, attribute := range d.service.policy.Attributes(d.revision, name) {
			uses[attribute] = append(uses[attribute], purpose)
		}
	}
	return uses
}

// in gives a text in the subject's language, else in English.
func (d *ownData) in(text catalogue.Text) string {
	if said, ok := text[d.language]; ok {
		return said
	}
	return text["en"]
}

func (d *ownData) titles(names []privacy.AttributeName) []string {
	titles := make([]string, len(names))
	for i, name := range names {
		titles[i] = string(name)
		if attribute, ok := d.service.catalogue.Attribute(name); ok {
			titles[i] = d.in(attribute.Titles)
		}
	}
	return titles
}

// derived reports whether a value was worked out from others, by whoever it came from.
func derived(attribute *catalogue.Attribute) bool {
	return len(attribute.DerivedFrom) > 0 || attribute.Category == catalogue.CategoryDerived
}

// attributes gives the values; of a portability without those that somebody worked out.
func (d *ownData) attributes(kind privacy.RequestType) iter.Seq2[export.Attribute, error] {
	return func(yield func(export.Attribute, error) bool) {
		for i := range d.fields {
			v := &d.fields[i]
			attribute, ok := d.service.catalogue.ByID(v.Attribute)
			if !ok || kind == privacy.RequestPortability && derived(attribute) {
				continue // without the catalogue, nobody knows any more what it is, and it is used for nothing
			}
			more := true
			value, err := d.open(v)
			if err == nil {
				err = value.Borrow(func(text string) (err error) {
					row := d.attribute(attribute, v)
					if row.Value, err = attribute.AppendJSON(nil, text); err == nil {
						more = yield(row, nil)
					}
					return err
				})
			}
			if err != nil {
				yield(export.Attribute{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// attribute tells of a value everything but the value.
func (d *ownData) attribute(attribute *catalogue.Attribute, v *store.Value) export.Attribute {
	row := export.Attribute{Name: attribute.Name, Title: d.in(attribute.Titles), Category: string(attribute.Category), Classification: attribute.Classification,
		Source: v.Source, CollectedAt: v.CollectedAt.UTC(), Purposes: d.uses[attribute.Name], DerivedFrom: attribute.DerivedFrom}
	if row.Purposes == nil {
		row.Purposes = []export.Purpose{}
	}
	if !attribute.Retention.IsZero() {
		row.Retention = attribute.Retention.String()
	}
	if !v.ExpiresAt.IsZero() {
		until := v.ExpiresAt.UTC()
		row.KeptUntil = &until
	}
	switch {
	case len(attribute.DerivedFrom) > 0:
		row.Derivation = export.Derivation(d.language, "derived_from", d.titles(attribute.DerivedFrom)) + " " + d.in(attribute.Description)
	case derived(attribute):
		row.Derivation = d.in(attribute.Description)
	}
	return row
}

func (d *ownData) identifying() iter.Seq2[export.Identifier, error] {
	return func(yield func(export.Identifier, error) bool) {
		for i := range d.identifiers {
			h := &d.identifiers[i]
			kind, ok := d.service.catalogue.IdentifierByID(h.Key.Type)
			if !ok {
				continue
			}
			more := true
			value, err := d.key.Open(keyring.KindIdentifier, h.Key.Type, 1, h.Sealed)
			if err == nil {
				err = value.Borrow(func(text string) error {
					more = yield(export.Identifier{Type: kind.Type, Title: d.in(kind.Titles), Value: text, Verified: h.Verified, Source: h.Source, AddedAt: h.AddedAt.UTC()}, nil)
					return nil
				})
			}
			if err != nil {
				yield(export.Identifier{}, err)
				return
			}
			if !more {
				return
			}
		}
	}
}

// groups gives the facets: what the vault itself has worked out.
func (d *ownData) groups() iter.Seq2[export.Derived, error] {
	return func(yield func(export.Derived, error) bool) {
		if d.subject.Facets.Sealed == nil {
			return
		}
		facets := d.service.catalogue.Facets()
		names, values := make([]string, len(facets)), make([]string, len(facets))
		for i, facet := range facets {
			names[i] = facet.Name
		}
		if _, _, err := d.service.readFacets(d.key, &d.subject.Facets, d.at, names, func(lent []string) {
			for i, value := range lent {
				values[i] = strings.Clone(value)
			}
		}); err != nil {
			yield(export.Derived{}, err)
			return
		}
		for i, facet := range facets {
			if values[i] != "" && !yield(d.group(facet, values[i]), nil) {
				return
			}
		}
	}
}

// group tells how somebody came to be in a group: by the first of its sources that they have a value of.
func (d *ownData) group(facet *catalogue.Facet, value string) export.Derived {
	row := export.Derived{Name: facet.Name, Title: d.in(facet.Titles), Value: value}
	if named, ok := facet.Named[value]; ok {
		row.Value = d.in(named)
	}
	rule := ""
	for _, source := range facet.Sources() {
		held := slices.ContainsFunc(d.fields, func(v store.Value) bool { return v.Attribute == source.ID })
		if held && len(row.From) == 0 {
			row.From, rule = []privacy.AttributeName{source.Name}, string(source.Facet.Rule.Rule)
		}
	}
	if row.From == nil {
		row.From = []privacy.AttributeName{}
	}
	row.Derivation = export.Derivation(d.language, rule, d.titles(row.From))
	return row
}

const ownPage = 1000 // rows read at a time

// consents gives the ledger, oldest first, in an access with what proves its records.
func (d *ownData) consents(kind privacy.RequestType) iter.Seq2[export.Consent, error] {
	records := paged(d.end, func(r *ConsentRecord) int32 { return r.Seq }, func(after int32) ([]ConsentRecord, error) {
		return d.service.store.LedgerPage(d.ctx, d.subject.ID, after, d.end, ownPage)
	})
	return func(yield func(export.Consent, error) bool) {
		for record, err := range records {
			if err != nil {
				yield(export.Consent{}, err)
				return
			}
			row, more := d.consent(&record), true
			if record.Evidence == nil || kind == privacy.RequestPortability {
				more = yield(row, nil)
			} else if evidence, err := d.evidence(&record); err != nil {
				yield(export.Consent{}, err)
				return
			} else {
				_ = evidence.Borrow(func(text string) error {
					row.Evidence = text
					more = yield(row, nil)
					return nil
				})
			}
			if !more {
				return
			}
		}
	}
}

func (d *ownData) evidence(record *ConsentRecord) (privacy.Cleartext, error) {
	_, sealed, err := d.service.store.Evidence(d.ctx, d.subject.ID, record.Seq)
	if gone := err != nil && privacy.KindOf(err) == privacy.KindNotFound; gone {
		return privacy.Cleartext{}, nil // the ledger tells that there was some
	}
	if err != nil {
		return privacy.Cleartext{}, err
	}
	return openEvidence(d.key, record.Seq, sealed, record.Evidence)
}

func (d *ownData) consent(r *ConsentRecord) export.Consent {
	row := export.Consent{Seq: r.Seq, ID: formatID(r.ID), Purpose: d.purpose(r.Purpose), Action: r.Action, Explicit: r.Explicit, SeparateFor: r.SeparateFor, By: r.By,
		Channel: r.Channel, Method: r.Method, OccurredAt: r.OccurredAt.UTC(), RecordedAt: r.RecordedAt.UTC(), RecordedBy: r.RecordedBy, Locale: r.Locale}
	if !r.ExpiresAt.IsZero() {
		until := r.ExpiresAt.UTC()
		row.ExpiresAt = &until
	}
	if r.Notice.ID != "" {
		row.Notice = &export.NoticeRef{ID: r.Notice.ID, Version: r.Notice.Version, SHA256: hex.EncodeToString(r.NoticeHash)}
	}
	return row
}

// notices gives the notices that the ledger refers to, in the subject's language if they were written in it.
func (d *ownData) notices() iter.Seq2[export.Notice, error] {
	return func(yield func(export.Notice, error) bool) {
		refs, err := d.service.store.NoticesShown(d.ctx, d.subject.ID, d.end)
		if err != nil {
			yield(export.Notice{}, err)
			return
		}
		for _, ref := range refs {
			notice, err := d.service.NoticeVersion(d.ctx, ref)
			if err != nil {
				yield(export.Notice{}, err)
				return
			}
			if !yield(d.notice(&notice), nil) {
				return
			}
		}
	}
}

func (d *ownData) notice(n *Notice) export.Notice {
	language := d.variantOf(n)
	shown := n.Body.Variants[language]
	return export.Notice{NoticeRef: export.NoticeRef{ID: n.ID, Version: n.Version, SHA256: hex.EncodeToString(n.Hash)}, Controller: n.Body.Controller, Contact: n.Body.Contact,
		Recipients: n.Body.Recipients, Language: language, Title: shown.Title, Text: shown.Text, URI: shown.URI}
}

// variantOf picks the subject's language, else English, else whatever there is.
func (d *ownData) variantOf(n *Notice) string {
	tags := slices.Sorted(maps.Keys(n.Body.Variants))
	for _, language := range []string{d.language, "en"} {
		if i := slices.IndexFunc(tags, func(tag string) bool { primary, _, _ := strings.Cut(tag, "-"); return primary == language }); i >= 0 {
			return tags[i]
		}
	}
	return tags[0]
}

func (d *ownData) signals() iter.Seq2[export.Signal, error] {
	return func(yield func(export.Signal, error) bool) {
		for before := int32(0); ; {
			page, err := d.service.store.Signals(d.ctx, d.subject.ID, before, ownPage)
			if err != nil {
				yield(export.Signal{}, err)
				return
			}
			for i := range page {
				signal := &page[i]
				if before = signal.Seq; signal.ReceivedAt.After(d.at) {
					continue
				}
				more := true
				value, err := d.said(signal)
				if err != nil {
					yield(export.Signal{}, err)
					return
				}
				_ = value.Borrow(func(text string) error {
					row := export.Signal{Seq: signal.Seq, Kind: signal.Kind, Value: text, Effects: signal.Effects, ReceivedAt: signal.ReceivedAt.UTC(), RecordedBy: signal.RecordedBy}
					if row.Effects == nil {
						row.Effects = []privacy.SignalEffect{}
					}
					more = yield(row, nil)
					return nil
				})
				if !more {
					return
				}
			}
			if len(page) < ownPage {
				return
			}
		}
	}
}

// said opens a signal. There is nothing in it after a restore from a backup that opens no more.
func (d *ownData) said(signal *store.Signal) (privacy.Cleartext, error) {
	if len(signal.Sealed) == 0 {
		return privacy.Cleartext{}, nil
	}
	return d.key.Open(keyring.KindSignal, 0, uint32(signal.Seq), signal.Sealed) //nolint:gosec // counts from 1
}

// disclosures gives every time that somebody asked for data of the subject, newest first.
func (d *ownData) disclosures() iter.Seq2[export.Disclosure, error] {
	return func(yield func(export.Disclosure, error) bool) {
		filter := store.AuditFilter{Subject: d.subject.ID, Action: audit.ActionDisclosure, Until: d.at, Limit: ownPage}
		for {
			page, next, err := d.disclosurePage(filter)
			if err != nil {
				yield(export.Disclosure{}, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			if next.IsZero() {
				return
			}
			filter.Before = next
		}
	}
}

func (d *ownData) disclosurePage(filter store.AuditFilter) (page []export.Disclosure, next audit.EntryName, err error) {
	entries, next, err := d.service.store.AuditEntries(d.ctx, filter)
	if err != nil {
		return nil, next, err
	}
	page = make([]export.Disclosure, len(entries))
	for i := range entries {
		if page[i], err = d.disclosure(&entries[i]); err != nil {
			return nil, next, err
		}
	}
	return page, next, nil
}

func (d *ownData) disclosure(e *audit.Entry) (export.Disclosure, error) {
	row := export.Disclosure{ID: e.Name.String(), At: e.At.UTC(), Recipient: export.Recipient{Client: e.Client}, Purpose: d.purpose(e.Purpose), Attributes: map[privacy.AttributeName]privacy.Mode{}}
	if client, ok := d.service.policy.Client(d.revision, e.Client); ok {
		row.Recipient.Role, row.Recipient.Country = client.Recipient, client.Country
	}
	if e.Decision.IsZero() {
		row.Withheld = e.Attributes
		return row, nil
	}
	outcome, err := d.outcome(e.Decision)
	if err != nil {
		return row, err
	}
	for name, mode := range outcome.Permitted {
		if mode.Releases() {
			row.Attributes[name] = mode
		} else {
			row.Withheld = append(row.Withheld, name)
		}
	}
	for name := range outcome.Withheld {
		row.Withheld = append(row.Withheld, name)
	}
	slices.Sort(row.Withheld)
	return row, nil
}

// decisionsKept bounds how many decisions are kept at hand: most disclosures rest on a few.
const decisionsKept = 1000

func (d *ownData) outcome(hash audit.Hash) (outcome privacy.Outcome, err error) {
	if outcome, ok := d.decided[hash]; ok {
		return outcome, nil
	}
	decision, err := d.service.store.Decision(d.ctx, hash)
	if err != nil {
		return outcome, err
	}
	if err := json.Unmarshal(decision.Outcome, &outcome); err != nil {
		return outcome, privacy.Internal(nil, "read a decision")
	}
	if len(d.decided) >= decisionsKept {
		clear(d.decided)
	}
	d.decided[hash] = outcome
	return outcome, nil
}

// requests gives what the subject has asked for, newest first, with what they said.
func (d *ownData) requests() iter.Seq2[export.Request, error] {
	return func(yield func(export.Request, error) bool) {
		filter := store.RightsFilter{Subject: d.subject.ID, Identified: true, Limit: ownPage}
		for {
			page, err := d.service.store.RightsRequests(d.ctx, filter)
			if err != nil {
				yield(export.Request{}, err)
				return
			}
			for i := range page {
				row, err := d.request(&page[i])
				if !yield(row, err) || err != nil {
					return
				}
				filter.Before = page[i].ID
			}
			if len(page) < ownPage {
				return
			}
		}
	}
}

func (d *ownData) request(r *store.RightsRequest) (export.Request, error) {
	row := export.Request{ID: r.ID, Type: r.Type, State: r.State, ReceivedAt: r.ReceivedAt.UTC(), DueAt: r.DueAt.UTC(), Ground: r.Ground}
	if !r.ClosedAt.IsZero() {
		closed := r.ClosedAt.UTC()
		row.ClosedAt = &closed
	}
	err := d.service.OpenDetails(d.ctx, r.Subject, r.ID, func(content []byte) error {
		row.Details = append(row.Details, slices.Clone(content))
		return nil
	})
	return row, err
}
