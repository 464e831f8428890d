package custody

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// This file is what a run of the retention job does with a range of subjects.

// why says why a value is due.
func (t *retentionTerms) why(v store.DueValue) string {
	switch {
	case v.Held:
		return dueHeld
	case t.ended[v.Attribute]:
		return dueEnded
	case v.Expired:
		return dueExpired
	default:
		return duePurpose
	}
}

// dueOf is what is due of a subject.
type dueOf struct {
	subject privacy.SubjectID
	values  []store.DueValue
	said    []store.SaidLongAgo
}

// held reports whether a legal hold stands on all of it.
func (d *dueOf) held() bool {
	return len(d.values) > 0 && d.values[0].Held || len(d.said) > 0 && d.said[0].Held
}

// retainRange deletes, or only counts, what is due of a range of subjects.
func (s *Service) retainRange(ctx context.Context, run *store.RetentionRun, terms retentionTerms, in store.SubjectRange) error {
	values, err := s.store.DueValues(ctx, in, terms.Terms)
	if err != nil {
		return err
	}
	said, err := s.store.SaidLongAgo(ctx, in, terms.closed)
	if err != nil {
		return err
	}
	due := dueBySubject(values, said)
	if run.DryRun {
		for i := range due {
			s.count(run, &due[i], terms.why)
		}
		return nil
	}
	for chunk := range slices.Chunk(due, retentionChunk) {
		ids := column(chunk, func(of dueOf) privacy.SubjectID { return of.subject })
		if err := s.expire(ctx, run, terms, ids); err != nil {
			return err
		}
	}
	return nil
}

// dueBySubject puts together what is due of each subject, in their order.
func dueBySubject(values []store.DueValue, said []store.SaidLongAgo) []dueOf {
	of := make(map[privacy.SubjectID]dueOf)
	for _, v := range values {
		of[v.Subject] = dueOf{v.Subject, append(of[v.Subject].values, v), nil}
	}
	for _, one := range said {
		of[one.Subject] = dueOf{one.Subject, of[one.Subject].values, append(of[one.Subject].said, one)}
	}
	return slices.SortedFunc(maps.Values(of), func(a, b dueOf) int { return bytes.Compare(a.subject[:], b.subject[:]) })
}

// count notes what is due of a subject. What has left the catalogue has no name any more, and is counted by its number.
func (s *Service) count(run *store.RetentionRun, of *dueOf, why func(store.DueValue) string) {
	for _, v := range of.values {
		name := privacy.AttributeName(fmt.Sprintf("#%d", v.Attribute))
		if attribute, ok := s.catalogue.ByID(v.Attribute); ok {
			name = attribute.Name
		}
		run.Counts.Add(name, why(v), 1)
	}
	for _, said := range of.said {
		run.Counts.Add(ofRequests, map[bool]string{true: dueHeld, false: dueClosed}[said.Held], 1)
	}
	run.Subjects++
}

// expire deletes what is due of some subjects, in one short transaction. What has changed since they were looked at counts as it is now.
// Those of whom something is damaged are left out, and counted: the others must not be kept for longer because of them.
func (s *Service) expire(ctx context.Context, run *store.RetentionRun, terms retentionTerms, ids []privacy.SubjectID) error {
	slots, err := s.store.SlotsOf(ctx, ids)
	if err != nil {
		return err
	}
	failed, err := s.fetchSound(ctx, slots)
	if err != nil {
		return err
	}
	for {
		err := s.advance(ctx, run, func(tx *store.Tx, next *store.RetentionRun) error {
			return s.expireIn(ctx, tx, next, terms, ids, failed)
		})
		var more Damaged
		if !errors.As(err, &more) {
			if err == nil {
				s.tellDamaged(ctx, failed, slots)
			}
			return err
		}
		maps.Copy(failed, more)
	}
}

// fetchSound has the key pages of subjects at hand, and gives those whose page is damaged.
func (s *Service) fetchSound(ctx context.Context, slots map[privacy.SubjectID]privacy.KeySlot) (Damaged, error) {
	pages, damaged := make(map[keyring.PageNo]error), make(Damaged)
	for id, slot := range slots {
		err, asked := pages[keyring.PageOf(slot)]
		if !asked {
			err = s.keyring.Fetch(ctx, slot)
			pages[keyring.PageOf(slot)] = err
		}
		if err != nil && !isDamage(err) {
			return nil, err
		}
		if err != nil {
			damaged[id] = err
		}
	}
	return damaged, nil
}

// expireIn is the transaction of expire. Its error is [Damaged] when there are more to be left out: then some of their fields are deleted
// already, and the transaction has to begin anew without them.
func (s *Service) expireIn(ctx context.Context, tx *store.Tx, next *store.RetentionRun, terms retentionTerms, ids []privacy.SubjectID, failed Damaged) error {
	subjects, err := tx.LockSubjects(ctx, ids)
	if err != nil {
		return err
	}
	values, err := tx.DueValues(ctx, ids, terms.Terms)
	if err != nil {
		return err
	}
	said, err := tx.SaidLongAgo(ctx, ids, terms.closed)
	if err != nil {
		return err
	}
	next.Cursor = ids[len(ids)-1]
	at := s.instant()
	var drafts []audit.Draft
	more := make(Damaged)
	for _, of := range dueBySubject(values, said) {
		row, there := subjects[of.subject]
		if !there {
			continue // erased
		}
		if of.held() {
			s.count(next, &of, terms.why)
			continue
		}
		if err := s.forgetLongAgo(ctx, tx, of.said, &drafts); err != nil {
			return err
		}
		if failed[row.ID] != nil {
			s.count(next, &of, func(store.DueValue) string { return dueFailed })
			continue
		}
		s.count(next, &of, terms.why)
		draft, err := s.expireSubject(ctx, tx, next.ID, row, of.values, at)
		switch {
		case isDamage(err):
			more[row.ID] = err
		case err != nil:
			return err
		case len(draft.Attributes) > 0:
			drafts = append(drafts, draft)
		}
	}
	if len(more) > 0 {
		return more
	}
	if len(drafts) == 0 {
		return nil
	}
	batch, err := s.newBatch(at, drafts)
	if err != nil {
		return err
	}
	return tx.AppendAudit(ctx, batch)
}

// tellDamaged logs where subjects are of whom something is damaged.
func (s *Service) tellDamaged(ctx context.Context, failed Damaged, slots map[privacy.SubjectID]privacy.KeySlot) {
	type place struct {
		page keyring.PageNo
		code string
	}
	subjects := make(map[place]int)
	for id, err := range failed {
		subjects[place{keyring.PageOf(slots[id]), privacy.CodeOf(err)}]++
	}
	for at, n := range subjects {
		s.log.ErrorContext(ctx, "what has been kept for long enough could not be deleted: an operator must look into it", slog.Int64("page", int64(at.page)), slog.Int("subjects", n), slog.String("code", at.code))
	}
}

// forgetLongAgo deletes what requests of a locked subject have said, which needs no key, and adds the entries that tell of it.
func (*Service) forgetLongAgo(ctx context.Context, tx *store.Tx, said []store.SaidLongAgo, drafts *[]audit.Draft) error {
	if len(said) == 0 {
		return nil
	}
	for _, one := range said {
		*drafts = append(*drafts, audit.Draft{Action: audit.ActionRetentionDelete, Client: privacy.SystemClient, Subject: one.Subject, Object: RequestObject(one.ID)})
	}
	return tx.ForgetSaid(ctx, column(said, func(one store.SaidLongAgo) store.RightsRequestRef { return one.RightsRequestRef }))
}

// expireSubject deletes the values that are due of a locked subject.
func (s *Service) expireSubject(ctx context.Context, tx *store.Tx, run [16]byte, row store.Subject, due []store.DueValue, at time.Time) (audit.Draft, error) {
	if len(due) == 0 {
		return audit.Draft{}, nil
	}
	key, err := s.keyAtHand(ctx, row.ID, row.Slot)
	if err != nil {
		return audit.Draft{}, err
	}
	names, err := s.deleteFields(ctx, tx, key, row, column(due, func(v store.DueValue) privacy.AttributeID { return v.Attribute }), "retention", time.Time{}, at)
	return audit.Draft{Action: audit.ActionRetentionDelete, Client: privacy.SystemClient, Subject: row.ID, Object: retentionObject(run), Attributes: names}, err
}
