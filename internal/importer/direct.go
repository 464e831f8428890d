package importer

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/mapping"
	"github.com/consentry/consentry/internal/privacy"
)

// Direct stores records in the database, sealing them here.
type Direct struct {
	service *custody.Service
	caller  custody.Caller
	id      string
}

// NewDirect makes a way into the vault that service keeps. Caller is who stands in the audit log. Identity
// makes consents safe to send again.
func NewDirect(service *custody.Service, caller custody.Caller, identity Identity) *Direct {
	return &Direct{service: service, caller: caller, id: identity.short()}
}

// Store implements [Vault].
func (d *Direct) Store(ctx context.Context, records []Record) ([]Stored, error) {
	profiles := make([]custody.Profile, len(records))
	for i := range records {
		profile, err := d.profile(&records[i].Draft)
		if err != nil {
			return nil, err
		}
		profiles[i] = profile
	}
	upserted, err := d.service.Upsert(ctx, d.caller, profiles)
	if err != nil {
		return nil, err
	}
	stored := make([]Stored, len(records))
	for i, result := range upserted {
		stored[i] = Stored{ID: result.ID, Created: result.Created, Err: result.Err}
		if result.Err != nil {
			continue
		}
		if err := d.consents(ctx, &records[i], &stored[i]); err != nil {
			return nil, err
		}
	}
	return stored, nil
}

// profile hands a draft on, whose values are in canonical form already.
func (d *Direct) profile(draft *mapping.Draft) (custody.Profile, error) {
	profile := custody.Profile{Regime: draft.Regime, Source: draft.Source, CollectedAt: draft.CollectedAt,
		Identifiers: make([]custody.ProfileIdentifier, 0, len(draft.Identifiers)), Attributes: make([]custody.ProfileValue, 0, len(draft.Attributes))}
	words := d.service.Catalogue()
	for _, identifier := range draft.Identifiers {
		kind, ok := words.Identifier(identifier.Type)
		if !ok {
			return profile, errOtherCatalogue
		}
		profile.Identifiers = append(profile.Identifiers, custody.ProfileIdentifier{Type: kind, Value: identifier.Value})
	}
	for name, value := range draft.Attributes {
		attribute, ok := words.Attribute(name)
		if !ok {
			return profile, errOtherCatalogue
		}
		profile.Attributes = append(profile.Attributes, custody.ProfileValue{Attribute: attribute, Value: value})
	}
	return profile, nil
}

var errOtherCatalogue = privacy.Internal(nil, "the mapping was read with another catalogue")

// consents records what the record says about purposes. What concerns this record alone is its
// reject; the error is what concerns all.
func (d *Direct) consents(ctx context.Context, record *Record, stored *Stored) error {
	for _, consent := range record.Consents {
		once := custody.Once{Client: d.caller.Client, Key: consentKey(d.id, record, stored.ID, consent), Operation: "import"}
		_, err := d.service.RecordConsent(ctx, d.caller, custody.SubjectRef{ID: stored.ID}, custody.Consent{Purpose: consent.Purpose, Action: consent.Action,
			Channel: consentChannel, OccurredAt: record.CollectedAt}, once)
		if err = stored.consented(err); err != nil {
			return err
		}
	}
	return nil
}

// consentChannel says how such a consent came to the ledger.
const consentChannel = "import"

// consentKey names one consent of one import by its place in the file and what it says of whom, so that sending it again
// records it once, and another file in the same place is another consent.
func consentKey(id string, record *Record, subject privacy.SubjectID, consent mapping.Consent) string {
	said := strings.Join([]string{subject.String(), string(consent.Purpose), string(consent.Action), record.CollectedAt.UTC().Format(time.RFC3339Nano)}, "\x00")
	return fmt.Sprintf("import-%s-%d-%s", id, record.Number, digest([]byte(said))[:32])
}

// short is a name for an identity.
func (i Identity) short() string {
	return digest(fmt.Appendf(nil, "%d %s %s", i.Size, i.Head, i.Mapping))[:32]
}

// consented takes the outcome of recording one consent, and gives the error that ends the import.
func (s *Stored) consented(err error) error {
	if err == nil {
		s.Consents++
		return nil
	}
	switch kind := privacy.KindOf(err); {
	case privacy.CodeOf(err) == "unknown_purpose":
		return privacy.Invalid("unknown_purpose", "a consent in the mapping is for a purpose that the policy in force does not have")
	case kind == privacy.KindInvalid, kind == privacy.KindNotFound, kind == privacy.KindConflict, aboutOne(err):
		s.Err = err
		return nil
	default:
		return err
	}
}

// aboutOne tells a limit on how often one person is asked from one on how fast the vault is: sending everything again
// until the first is over would hold up all others until tomorrow.
func aboutOne(err error) bool { return privacy.CodeOf(err) == "too_many_confirmations" }
