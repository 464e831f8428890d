package rights

import (
	"context"
	"slices"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// CertifiedPart says that a part was erased, and what became of the key that it was sealed under.
type CertifiedPart struct {
	Asked []privacy.AttributeName `json:"asked"` // those of them that there was anything of are the erased ones
	Key   KeyFate                 `json:"key"`
}

// KeyFate is what became of the key that an erased part was sealed under.
type KeyFate string

// What can become of it. The rest of the person is sealed under the same key, so it goes only where what is left was sealed anew under another.
const (
	// KeyLeft is the key's that was left: the values were deleted, but a backup of the database from before holds them, and opens.
	KeyLeft KeyFate = "left"
	// KeyReplaced is the key's that is gone: what is left of the person has another, and a backup from before opens nothing of them.
	KeyReplaced KeyFate = "replaced"
	// KeyErased is the key's of somebody who was erased altogether before theirs was replaced. That erasure has a certificate of its own.
	KeyErased KeyFate = "erased"
)

// keptOfAll is what stays of a person in any case.
var keptOfAll = []string{"consent ledger", "audit log", "request"}

const (
	keptRest    = "all other attributes, identifiers and evidence"
	keptBackups = "backups from before the deletion: they hold what was deleted, sealed under the key that was left"
)

// certifyPart makes the certificate of a partial erasure out, and signs it. There is none, "", of other requests, and where nothing was left to be
// erased because all of the person had been.
func (s *Service) certifyPart(ctx context.Context, r *store.RightsRequest) (string, error) {
	if !erasesPart(r) {
		return "", nil
	}
	entries, err := s.store.PartEntries(ctx, r.Subject, custody.RequestObject(r.ID))
	if err != nil || !slices.ContainsFunc(entries, tellsOfPart) {
		return "", err
	}
	document, err := s.certificateOfPart(ctx, r, entries)
	if err != nil {
		return "", err
	}
	names := make([]string, len(entries))
	for i := range entries {
		names[i] = entries[i].Name.String()
	}
	documents := []any{document}
	if err := s.prove(ctx, [][]string{names}, documents); err != nil {
		return "", err
	}
	signed, err := s.vault.SignDocuments(ctx, CertificateType, documents)
	if err != nil {
		return "", err
	}
	s.reach("part_signed")
	return signed[0], nil
}

func tellsOfPart(e audit.Entry) bool { return e.Action == audit.ActionErasureFields }

// erasedIn lists the attributes that entries say were erased.
func erasedIn(entries []audit.Entry) []privacy.AttributeName {
	var names []privacy.AttributeName
	for i := range entries {
		if tellsOfPart(entries[i]) {
			names = append(names, entries[i].Attributes...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// certificateOfPart makes a certificate out, but for the proof.
func (s *Service) certificateOfPart(ctx context.Context, r *store.RightsRequest, entries []audit.Entry) (*Certificate, error) {
	recipients, err := s.store.Recipients(ctx, r.Subject, r.ID)
	if err != nil {
		return nil, err
	}
	spent, replaced, err := s.store.SpentKeyOf(ctx, r)
	if err != nil {
		return nil, err
	}
	asked, backups, _ := partIn(r.Scope)
	c := &Certificate{Version: certificateVersion, Request: r.ID, Subject: r.Subject, Controller: s.vault.Controller().Name, Regime: r.Regime, RequestedAt: r.ReceivedAt.UTC(),
		IssuedAt: s.vault.Instant(), Part: &CertifiedPart{Asked: asked, Key: KeyLeft}, Erased: CertifiedData{Attributes: listed(erasedIn(entries)), Identifiers: []privacy.IdentifierType{}},
		Kept: append([]string{keptRest}, keptOfAll...), Processors: certifiedProcessors(recipients), Log: CertifiedLog{Origin: s.vault.Book().Origin()}}
	for i := range entries {
		if tellsOfPart(entries[i]) {
			c.DeletedAt = entries[i].At.UTC()
		}
	}
	c.StoppedAt = c.DeletedAt // in the same transaction
	switch {
	case replaced:
		c.Part.Key, c.KeyErasedAt, c.Key = KeyReplaced, spent.PuncturedAt.UTC(), CertifiedKey{Page: custody.PageOf(spent.Slot), Version: spent.PageVersion}
	case backups:
		c.Part.Key, c.Kept = KeyErased, slices.Clone(keptOfAll) // with the rest of the person
	default:
		c.Kept = append(c.Kept, keptBackups)
	}
	return c, nil
}

// tells reports whether entries of the log say what the certificate says was erased, no more and no less, and that the key was replaced if it was.
func (p *CertifiedPart) tells(c *Certificate, entries []audit.Entry) bool {
	rekeyed := slices.ContainsFunc(entries, func(e audit.Entry) bool { return e.Action == audit.ActionSubjectRekey })
	return slices.ContainsFunc(entries, tellsOfPart) && slices.Equal(c.Erased.Attributes, erasedIn(entries)) && (p.Key == KeyErased || (p.Key == KeyReplaced) == rekeyed)
}
