package rights

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// markOne takes the first step of an erasure in the transaction that takes its request up, so that nothing of the subject is read
// once that is answered. A legal hold keeps it from being taken; while the keyring is away, the job takes it later.
func (s *Service) markOne(ctx context.Context, tx *store.Tx, caller custody.Caller, subject store.Subject, r *store.RightsRequest, at time.Time) error {
	holds, err := tx.StandingHolds(ctx, subject.ID)
	if err != nil || len(holds) > 0 {
		return err
	}
	w := &store.Writes{}
	_, err = s.vault.MarkErased(ctx, tx, w, caller, []custody.Doomed{{Subject: subject, Request: r.ID}}, at)
	if err != nil && privacy.KindOf(err) == privacy.KindUnavailable && ctx.Err() == nil {
		return nil
	}
	if err != nil {
		return err
	}
	return tx.Send(ctx, w)
}

// erasureChunk is how many erasures one transaction is about: enough that a statement costs more than a row, and so few that nobody waits
// for its locks.
const erasureChunk = 250

// erasureStep is one step of erasures: those that have come as far as from go on to another step.
type erasureStep struct {
	from  store.ErasureStep
	take  func(ctx context.Context, erasures []store.Erasure) error
	to    store.ErasureStep
	chunk int
}

func (s *Service) erasureSteps() []erasureStep {
	return []erasureStep{
		{store.ErasureMarked, s.vault.Bury, store.ErasureBuried, erasureChunk},
		{store.ErasureBuried, s.vault.Puncture, store.ErasurePunctured, carryAtMost}, // one change of a page for all whose keys are on it
		{store.ErasurePunctured, s.vault.DeleteErased, store.ErasureDeleted, erasureChunk},
		{store.ErasureDeleted, s.tell, store.ErasureTold, erasureChunk},
		{store.ErasureTold, s.certify, store.ErasureCertified, erasureChunk},
	}
}

// erase leads erasures from wherever they are to their end, together. What fails holds up those alone whom it is about; the error
// says that something did.
func (s *Service) erase(ctx context.Context, requests []store.RightsRequest) error {
	subjects := make([]privacy.SubjectID, len(requests))
	for i := range requests {
		subjects[i] = requests[i].Subject
	}
	under, err := s.store.Erasures(ctx, subjects)
	if err != nil {
		return err
	}
	var failed error
	if len(under) < len(requests) {
		failed = s.markRest(ctx, requests, under)
		if under, err = s.store.Erasures(ctx, subjects); err != nil {
			return errors.Join(failed, err)
		}
	}
	s.reach(string(store.ErasureMarked))
	for _, step := range s.erasureSteps() {
		at := slices.DeleteFunc(slices.Clone(under), func(e store.Erasure) bool { return e.Step != step.from })
		if len(at) == 0 {
			continue
		}
		slices.SortFunc(at, func(a, b store.Erasure) int { return cmp.Compare(a.Slot, b.Slot) })
		failed = errors.Join(failed, step.takeAll(ctx, at))
		s.reach(string(step.to))
		if step.to == store.ErasureCertified {
			break
		}
		if under, err = s.store.Erasures(ctx, subjects); err != nil {
			return errors.Join(failed, err)
		}
	}
	return failed
}

// takeAll takes the step a chunk at a time. It ends early where the database or the keyring is away.
func (step *erasureStep) takeAll(ctx context.Context, erasures []store.Erasure) (failed error) {
	for chunk := range slices.Chunk(erasures, step.chunk) {
		if err := step.take(ctx, chunk); err != nil {
			if failed = errors.Join(failed, err); privacy.KindOf(err) == privacy.KindUnavailable {
				return failed
			}
		}
	}
	return failed
}

// markRest takes the first step for those requests whose subjects are not marked yet, unless they are held.
func (s *Service) markRest(ctx context.Context, requests []store.RightsRequest, under []store.Erasure) error {
	marked := make(map[privacy.SubjectID]bool, len(under))
	for i := range under {
		marked[under[i].Subject] = true
	}
	request := make(map[privacy.SubjectID]privacy.RightsRequestID)
	var rest []privacy.SubjectID
	for i := range requests {
		if id := requests[i].Subject; !marked[id] && !requests[i].State.Closed() {
			request[id] = requests[i].ID
			rest = append(rest, id)
		}
	}
	slots, err := s.fetchKeys(ctx, rest)
	if err != nil {
		return err
	}
	slices.SortFunc(rest, func(a, b privacy.SubjectID) int { return cmp.Compare(slots[a], slots[b]) }) // so that those of a page share a tombstone
	var failed error
	for chunk := range slices.Chunk(rest, erasureChunk) {
		damaged, err := soundOf(chunk, func(sound []privacy.SubjectID) error {
			return s.store.Write(ctx, func(tx *store.Tx) error {
				subjects, err := tx.LockSubjects(ctx, sound)
				if err != nil {
					return err
				}
				if err := keepOpen(ctx, tx, subjects, request); err != nil {
					return err
				}
				w := &store.Writes{}
				if err := s.markMany(ctx, tx, w, custody.System(), subjects, request, s.vault.Instant()); err != nil {
					return err
				}
				return tx.Send(ctx, w)
			})
		})
		if err != nil {
			return errors.Join(failed, err)
		}
		if len(damaged) > 0 {
			failed = errors.Join(failed, damaged)
		}
	}
	return failed
}

// keepOpen leaves those out of locked subjects whose request is not in progress any more: an officer has refused it since it was read.
func keepOpen(ctx context.Context, tx *store.Tx, subjects map[privacy.SubjectID]store.Subject, request map[privacy.SubjectID]privacy.RightsRequestID) error {
	refs := make([]store.RightsRequestRef, 0, len(subjects))
	for id := range subjects {
		refs = append(refs, store.RightsRequestRef{Subject: id, ID: request[id]})
	}
	open, err := tx.InProgress(ctx, refs)
	maps.DeleteFunc(subjects, func(id privacy.SubjectID, _ store.Subject) bool { return !open[id] })
	return err
}

// soundOf does something for many subjects at once, and anew without those of whom something turns out to be damaged.
func soundOf(subjects []privacy.SubjectID, do func(sound []privacy.SubjectID) error) (custody.Damaged, error) {
	damaged := make(custody.Damaged)
	for sound := slices.Clone(subjects); len(sound) > 0; {
		err := do(sound)
		var more custody.Damaged
		if !errors.As(err, &more) {
			return damaged, err
		}
		maps.Copy(damaged, more)
		sound = slices.DeleteFunc(sound, func(id privacy.SubjectID) bool { return damaged[id] != nil })
	}
	return damaged, nil
}

// fetchKeys has the keys of subjects at hand before any of them is locked, and tells where they are.
func (s *Service) fetchKeys(ctx context.Context, subjects []privacy.SubjectID) (map[privacy.SubjectID]privacy.KeySlot, error) {
	slots, err := s.store.SlotsOf(ctx, subjects)
	if err == nil {
		s.vault.FetchKeys(ctx, slices.Sorted(maps.Values(slots)))
	}
	return slots, err
}

// markMany queues the first step for locked subjects, but for those who are held.
func (s *Service) markMany(ctx context.Context, tx *store.Tx, w *store.Writes, caller custody.Caller, subjects map[privacy.SubjectID]store.Subject, request map[privacy.SubjectID]privacy.RightsRequestID, at time.Time) error {
	held, err := tx.Held(ctx, slices.Collect(maps.Keys(subjects)))
	if err != nil {
		return err
	}
	var doomed []custody.Doomed
	for id, subject := range subjects {
		if !held[id] {
			doomed = append(doomed, custody.Doomed{Subject: subject, Request: request[id]})
		}
	}
	if len(doomed) == 0 {
		return nil
	}
	slices.SortFunc(doomed, func(a, b custody.Doomed) int { return cmp.Compare(a.Subject.Slot, b.Subject.Slot) })
	_, err = s.vault.MarkErased(ctx, tx, w, caller, doomed, at)
	return err
}

// tell notes which processors have received something of the subjects, and puts the events that tell them into the outbox.
func (s *Service) tell(ctx context.Context, erasures []store.Erasure) error {
	subjects := make([]privacy.SubjectID, len(erasures))
	for i := range erasures {
		subjects[i] = erasures[i].Subject
	}
	recipients, err := s.recipients(ctx, subjects...)
	if err != nil {
		return err
	}
	return s.store.Write(ctx, func(tx *store.Tx) error {
		mine, err := tx.TakeErasures(ctx, erasures, store.ErasureDeleted, store.ErasureTold)
		if err != nil || len(mine) == 0 {
			return err
		}
		at := s.vault.Instant()
		w := &store.Writes{}
		var awaiting, told []store.Erasure
		var whom []privacy.ProcessorID
		for _, e := range mine {
			for _, processor := range recipients[e.Subject] {
				told, whom = append(told, e), append(whom, processor)
			}
			if len(recipients[e.Subject]) > 0 {
				awaiting = append(awaiting, e)
			}
			w.AppendChange(orderOf(privacy.EventSubjectErased, e.Subject, e.Request, at))
		}
		w.NoteRecipients(told, whom, at)
		w.AwaitProcessors(awaiting, at)
		return tx.Send(ctx, w)
	})
}

// resumeAtMost bounds what is looked for at a time, and what one job is about.
const resumeAtMost = carryAtMost

// Resume takes keys away that have come back to where they had gone from, and enqueues what is under way, for which there may be no job: in a restored database, and of requests that an older version left to
// an officer. It is run at start and now and then; a job that comes on top of another does no harm.
func (s *Service) Resume(ctx context.Context) error {
	returned := s.vault.TakeReturned(ctx)
	return errors.Join(returned, s.enqueueUnfinished(ctx))
}

func (s *Service) enqueueUnfinished(ctx context.Context) error {
	var subject privacy.SubjectID
	err := s.enqueueAll(ctx, func() (refs []store.RightsRequestRef, err error) {
		if refs, err = s.store.UnfinishedErasures(ctx, subject, resumeAtMost); len(refs) > 0 {
			subject = refs[len(refs)-1].Subject
		}
		return refs, err
	})
	if err != nil {
		return err
	}
	var request privacy.RightsRequestID
	return s.enqueueAll(ctx, func() (refs []store.RightsRequestRef, err error) {
		if refs, err = s.store.Unfinished(ctx, carriedOut, request, resumeAtMost); len(refs) > 0 {
			request = refs[len(refs)-1].ID
		}
		return refs, err
	})
}

// enqueueAll enqueues a job for each page of requests, until there is none: those that wait for somebody must not hide what comes after them.
func (s *Service) enqueueAll(ctx context.Context, page func() ([]store.RightsRequestRef, error)) error {
	for {
		found, err := page()
		if err != nil || len(found) == 0 {
			return err
		}
		refs := make([]Ref, len(found))
		for i := range found {
			refs[i] = Ref(found[i])
		}
		if err := s.store.Write(ctx, func(tx *store.Tx) error { return tx.Enqueue(ctx, CarryArgs{Requests: refs}) }); err != nil {
			return err
		}
	}
}
