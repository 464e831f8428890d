package custody

import (
	"context"
	"iter"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/export"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// What a subject sees of themselves.
type (
	// OwnAttribute is one of their values.
	OwnAttribute = export.Attribute
	// OwnIdentifier is something that finds them.
	OwnIdentifier = export.Identifier
	// OwnGroup is a group that the vault has put them into.
	OwnGroup = export.Derived
	// OwnDisclosure is one time that somebody asked for their data.
	OwnDisclosure = export.Disclosure
)

// OwnProfile is what is held of a subject now, for them to look at.
type OwnProfile struct {
	Subject     privacy.SubjectID
	Language    string // of titles and explanations
	Attributes  []OwnAttribute
	Identifiers []OwnIdentifier
	Groups      []OwnGroup
}

// profileRounds bounds how often a profile is read again of which something did not open: what was read after the subject may be sealed under
// another key by then.
const profileRounds = 3

// OwnProfile shows a subject their profile. That they look at it is put on record before anything is opened.
func (s *Service) OwnProfile(ctx context.Context, caller Caller) (profile *OwnProfile, err error) {
	onRecord := false
	for range profileRounds {
		if profile, err = s.readProfile(ctx, caller, &onRecord); !isDamage(err) {
			break
		}
	}
	return profile, err
}

func (s *Service) readProfile(ctx context.Context, caller Caller, onRecord *bool) (*OwnProfile, error) {
	d, err := s.ownDataOf(ctx, caller.Subject)
	if err == nil && !*onRecord {
		err = s.record(ctx, audit.Draft{At: d.at, Action: audit.ActionProfileRead, Client: caller.Client, RequestID: caller.Request, Subject: d.subject.ID})
		*onRecord = err == nil
	}
	if err != nil {
		return nil, err
	}
	profile := &OwnProfile{Subject: d.subject.ID, Language: d.language}
	if profile.Attributes, err = gathered(d.attributes(privacy.RequestAccess)); err != nil {
		return nil, err
	}
	if profile.Identifiers, err = gathered(d.identifying()); err != nil {
		return nil, err
	}
	profile.Groups, err = gathered(d.groups())
	return profile, err
}

// gathered takes a sequence that is known to be short.
func gathered[T any](rows iter.Seq2[T, error]) ([]T, error) {
	list := []T{}
	for row, err := range rows {
		if err != nil {
			return nil, err
		}
		list = append(list, row)
	}
	return list, nil
}

// OwnDisclosures lists who received data of a subject, newest first, and says before which entry to go on: the zero name when there
// are no more.
func (s *Service) OwnDisclosures(ctx context.Context, caller Caller, before audit.EntryName, limit int) ([]OwnDisclosure, audit.EntryName, error) {
	d, err := s.ownDataOf(ctx, caller.Subject)
	if err != nil {
		return nil, before, err
	}
	return d.disclosurePage(store.AuditFilter{Subject: caller.Subject, Action: audit.ActionDisclosure, Before: before, Limit: limit})
}
