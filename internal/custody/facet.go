package custody

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// What segments see of a subject is worked out when a value changes and kept beside the subject under a seal of its own. Facets
// that change by themselves, as people grow older and values are no longer kept, are worked out ahead: each is a list of values and
// until when they hold. So an index can be built, and follow time, without opening a single value.

const facetsFormat = "1"

// heldIn gives the values of a profile, as they are about to be stored.
func heldIn(fields []ProfileValue, stored []store.Value) func(privacy.AttributeID) (catalogue.HeldValue, bool) {
	return func(id privacy.AttributeID) (catalogue.HeldValue, bool) {
		i := slices.IndexFunc(fields, func(f ProfileValue) bool { return f.Attribute.ID == id && !f.Delete })
		if i < 0 {
			return catalogue.HeldValue{}, false
		}
		return catalogue.HeldValue{Value: fields[i].Value, Until: stored[i].ExpiresAt}, true
	}
}

// sealFacets works the facets of a subject out and seals them.
func (s *Service) sealFacets(key *keyring.Subject, version uint32, held func(privacy.AttributeID) (catalogue.HeldValue, bool), at time.Time) (store.Facets, error) {
	var text strings.Builder
	text.WriteString(facetsFormat + fieldEnd + s.catalogue.FacetsID())
	for _, facet := range s.catalogue.Facets() {
		steps := facet.Steps(held, at)
		if len(steps) == 1 && steps[0].Value.IsEmpty() {
			continue
		}
		text.WriteString(fieldEnd + facet.Name)
		for _, step := range steps {
			text.WriteString(partEnd)
			_ = step.Value.Borrow(func(value string) error { text.WriteString(value); return nil })
			text.WriteString(partEnd)
			if !step.Until.IsZero() {
				text.WriteString(strconv.FormatInt(step.Until.Unix(), 10))
			}
		}
	}
	sealed, err := key.Seal(keyring.KindFacet, 0, version, privacy.NewCleartext(text.String()))
	return store.Facets{Version: version, Sealed: sealed}, err
}

// facetSources lists the attributes that feed facets.
func (s *Service) facetSources() []privacy.AttributeID {
	var ids []privacy.AttributeID
	for _, facet := range s.catalogue.Facets() {
		for _, source := range facet.Sources() {
			ids = append(ids, source.ID)
		}
	}
	return ids
}

// writeFacets works the facets of a locked subject out anew when an update has changed what they are made from, and has the
// indexes follow when it has changed anything they hold.
func (s *Service) writeFacets(ctx context.Context, tx *store.Tx, key *keyring.Subject, id privacy.SubjectID, fields []ProfileValue, profile *Profile, at time.Time) error {
	sources := s.facetSources()
	fed := slices.ContainsFunc(fields, func(f ProfileValue) bool { return slices.Contains(sources, f.Attribute.ID) })
	stated := profile.Regime != "" || slices.ContainsFunc(fields, func(f ProfileValue) bool { return s.isState(f.Attribute.Name) })
	if fed {
		if err := s.remakeFacets(ctx, tx, key, id, sources, at); err != nil {
			return err
		}
	}
	if !fed && !stated {
		return nil
	}
	change, err := s.subjectChanged(at, id)
	if err != nil {
		return err
	}
	return tx.AppendChange(ctx, change)
}

// remakeFacets works the facets of a locked subject out from what is stored.
func (s *Service) remakeFacets(ctx context.Context, tx *store.Tx, key *keyring.Subject, id privacy.SubjectID, sources []privacy.AttributeID, at time.Time) error {
	values, version, err := tx.HeldValues(ctx, id, sources)
	if err != nil {
		return err
	}
	opened := make(map[privacy.AttributeID]catalogue.HeldValue, len(values))
	for _, v := range values {
		clear, err := key.Open(keyring.KindAttribute, v.Attribute, v.Version, v.Sealed)
		if err != nil {
			return err
		}
		opened[v.Attribute] = catalogue.HeldValue{Value: clear, Until: v.ExpiresAt}
	}
	facets, err := s.sealFacets(key, version+1, func(id privacy.AttributeID) (catalogue.HeldValue, bool) {
		have, ok := opened[id]
		return have, ok
	}, at)
	if err != nil {
		return err
	}
	return tx.PutFacets(ctx, id, facets)
}

// RemakeFacets works the facets of one subject out anew: of somebody who was stored before there were any, or by other rules.
func (s *Service) RemakeFacets(ctx context.Context, id privacy.SubjectID) error {
	return s.store.Write(ctx, func(tx *store.Tx) error {
		row, err := tx.LockSubject(ctx, id)
		if err != nil {
			return err
		}
		at := s.instant()
		key, err := s.keyring.Subject(ctx, id, row.Slot)
		if err != nil {
			return err
		}
		if err := s.remakeFacets(ctx, tx, key, id, s.facetSources(), at); err != nil {
			return err
		}
		change, err := s.subjectChanged(at, id)
		if err != nil {
			return err
		}
		return tx.AppendChange(ctx, change)
	})
}

// subjectChanged is the event by which indexes learn that somebody has changed.
func (s *Service) subjectChanged(at time.Time, id privacy.SubjectID) (privacy.Event, error) {
	change, err := s.newID()
	return privacy.Event{ID: change, Kind: privacy.EventSubjectsChanged, At: at, Subject: id}, err
}

// subjectsChanged is the event by which indexes learn of new subjects, one for all of a batch.
func (s *Service) subjectsChanged(at time.Time, subjects []store.NewSubject) (privacy.Event, error) {
	change, err := s.newID()
	ids := make([]privacy.SubjectID, len(subjects))
	for i := range subjects {
		ids[i] = subjects[i].Subject.ID
	}
	return privacy.Event{ID: change, Kind: privacy.EventSubjectsChanged, At: at, Detail: privacy.EventDetail{Subjects: ids}}, err
}

// readFacets lends the values of a subject's facets as of a time, in the places of their names, "" for none, and tells when they change by
// themselves, zero for never. It reports false of those that were made by other rules, and lends nothing of them.
func (s *Service) readFacets(key *keyring.Subject, facets *store.Facets, at time.Time, names []string, lend func(values []string)) (next time.Time, current bool, err error) {
	opened, err := key.Open(keyring.KindFacet, 0, facets.Version, facets.Sealed)
	if err != nil {
		return next, false, err
	}
	err = opened.Borrow(func(text string) error {
		format, rest, _ := strings.Cut(text, fieldEnd)
		id, rest, more := strings.Cut(rest, fieldEnd)
		if current = format == facetsFormat && id == s.catalogue.FacetsID(); !current {
			return nil
		}
		values, place := make([]string, len(names)), -1
		for more {
			var field string
			field, rest, more = strings.Cut(rest, fieldEnd)
			name, steps, _ := strings.Cut(field, partEnd)
			value, until := stepAt(steps, at.Unix())
			if place = nextPlace(names, name, place); place >= 0 {
				values[place] = value
			}
			if until != 0 && (next.IsZero() || until < next.Unix()) {
				next = time.Unix(until, 0).UTC()
			}
		}
		lend(values)
		return nil
	})
	return next, current, err
}

// nextPlace finds a name from behind a place on, where it nearly always is, and then from the beginning; -1 when it is nowhere.
func nextPlace(names []string, name string, behind int) int {
	for i := behind + 1; i < len(names); i++ {
		if names[i] == name {
			return i
		}
	}
	return slices.Index(names[:behind+1], name)
}

// stepAt finds the value that holds at a time, and until when; 0 is for good.
func stepAt(steps string, at int64) (value string, until int64) {
	for more := true; more; {
		var end string
		value, steps, _ = strings.Cut(steps, partEnd)
		end, steps, more = strings.Cut(steps, partEnd)
		until, _ = strconv.ParseInt(end, 10, 64) // "" is 0
		if until == 0 || at < until {
			return value, until
		}
	}
	return "", 0
}
