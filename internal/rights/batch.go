package rights

import (
	"cmp"
	"context"
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A controller has to erase without being asked where the reasons of GDPR Art. 17(1) or PIPL Art. 47 hold: then they are of many
// people at once. Each of them gets a request, entries and a certificate of their own, as if they had asked.

// ErasureDuties are the reasons for which a controller has to erase unasked (GDPR Art. 17(1)(a) to (e), PIPL Art. 47(1) to (4)).
func ErasureDuties() []string {
	return []string{"no_longer_necessary", "consent_withdrawn", "objected", "unlawfully_processed", "legal_obligation"}
}

// BatchAtMost is how many people one call may have erased.
const BatchAtMost = 1000

// Batched is what became of one of many erasures. Problem is set, and the rest is not, where nothing did.
type Batched struct {
	Subject privacy.SubjectID `json:"subject"`
	Lodged  *Lodged           `json:"lodged,omitempty"`
	Problem string            `json:"problem,omitempty"` // its code
}

// EraseMany takes up the erasure of many people. Who has an open erasure joins it, who is held waits, and who is not known is told
// beside the others, as is who failed. It may be repeated: nobody is erased twice. The error is set when nothing became of anybody.
func (s *Service) EraseMany(ctx context.Context, caller custody.Caller, subjects []privacy.SubjectID, duty string, once custody.Once) ([]Batched, error) {
	if len(subjects) == 0 || len(subjects) > BatchAtMost {
		return nil, privacy.Invalid("batch_size", "name 1 to 1,000 subjects")
	}
	if !slices.Contains(ErasureDuties(), duty) {
		return nil, privacy.Invalid("unknown_duty", "the duty to erase is one of the list in the description")
	}
	var answer []Batched
	if answered, err := s.vault.Answered(ctx, once, &answer); answered || err != nil {
		return answer, err
	}
	b := batch{service: s, caller: caller, duty: duty, became: make(map[privacy.SubjectID]Batched, len(subjects))}
	if err := b.lodge(ctx, subjects); err != nil {
		return nil, err
	}
	answer = make([]Batched, len(subjects))
	for i, id := range subjects {
		answer[i] = b.became[id]
	}
	if b.cut { // what was not reached may be had by asking again
		return answer, nil
	}
	return answer, s.vault.WriteOnce(ctx, once, &answer, func(*store.Tx) error { return nil })
}

// batch is many erasures on their way into the database.
type batch struct {
	service *Service
	caller  custody.Caller
	duty    string
	laws    map[privacy.SubjectID]custody.Law
	became  map[privacy.SubjectID]Batched
	cut     bool // some were not taken up, for a reason that is not theirs
}

// lodge takes requests up a chunk at a time, those of a key page together: they share its tombstone.
func (b *batch) lodge(ctx context.Context, subjects []privacy.SubjectID) error {
	distinct := slices.Clone(subjects)
	slices.SortFunc(distinct, func(x, y privacy.SubjectID) int { return slices.Compare(x[:], y[:]) })
	distinct = slices.Compact(distinct)
	slots, err := b.service.fetchKeys(ctx, distinct)
	if err != nil {
		return err
	}
	if err := b.findLaws(ctx, distinct); err != nil {
		return err
	}
	open := slices.DeleteFunc(distinct, func(id privacy.SubjectID) bool { _, known := b.laws[id]; return !known })
	slices.SortFunc(open, func(x, y privacy.SubjectID) int { return cmp.Compare(slots[x], slots[y]) })
	var failed error
	for chunk := range slices.Chunk(open, erasureChunk) {
		if failed == nil || privacy.KindOf(failed) != privacy.KindUnavailable {
			failed = b.lodgeChunk(ctx, chunk)
		}
		if failed != nil { // a chunk before it has happened all the same, so each is told
			b.cut = true
			b.fail(failed, chunk...)
		}
	}
	if failed != nil && !b.any() {
		return failed
	}
	return nil
}

// lodgeChunk takes the requests of a chunk up in one transaction, but for those of whom something is damaged.
func (b *batch) lodgeChunk(ctx context.Context, chunk []privacy.SubjectID) error {
	var became map[privacy.SubjectID]Batched
	damaged, err := soundOf(chunk, func(sound []privacy.SubjectID) error {
		return b.service.store.Write(ctx, func(tx *store.Tx) (err error) {
			became, err = b.write(ctx, tx, sound)
			return err
		})
	})
	if err != nil {
		return err
	}
	for id, why := range damaged {
		b.fail(why, id)
	}
	maps.Copy(b.became, became)
	for _, id := range chunk {
		if _, told := b.became[id]; !told { // erased just now, by a request that is closed
			b.became[id] = b.gone(ctx, id, store.ErrErased)
		}
	}
	return nil
}

// fail tells those for whom nothing was done why.
func (b *batch) fail(why error, subjects ...privacy.SubjectID) {
	for _, id := range subjects {
		b.became[id] = Batched{Subject: id, Problem: privacy.CodeOf(why)}
	}
}

// any reports whether anything was done for anybody.
func (b *batch) any() bool {
	for _, one := range b.became {
		if one.Lodged != nil {
			return true
		}
	}
	return false
}

// findLaws looks up which law holds for whom. Those who are not known, or erased already, are answered here.
func (b *batch) findLaws(ctx context.Context, subjects []privacy.SubjectID) error {
	laws, err := b.service.vault.LawsOf(ctx, subjects, privacy.RequestErasure)
	if err != nil {
		return err
	}
	b.laws = make(map[privacy.SubjectID]custody.Law, len(subjects))
	for i, id := range subjects {
		switch err := laws[i].Err; {
		case err == nil:
			b.laws[id] = laws[i].Law
		case privacy.KindOf(err) == privacy.KindNotFound:
			b.became[id] = b.gone(ctx, id, err)
		case privacy.KindOf(err) == privacy.KindUnavailable: // the policy has no terms, for nobody
			return err
		default:
			b.fail(err, id)
		}
	}
	return nil
}

// gone answers for who is not there any more, by the request that led to it.
func (b *batch) gone(ctx context.Context, id privacy.SubjectID, why error) Batched {
	if earlier, err := b.service.erasedAlready(ctx, id); err == nil {
		return Batched{Subject: id, Lodged: &earlier}
	}
	return Batched{Subject: id, Problem: privacy.CodeOf(why)}
}

func (b *batch) write(ctx context.Context, tx *store.Tx, chunk []privacy.SubjectID) (map[privacy.SubjectID]Batched, error) {
	s, became := b.service, make(map[privacy.SubjectID]Batched, len(chunk))
	subjects, err := tx.LockSubjects(ctx, chunk)
	if err != nil {
		return nil, err
	}
	open, err := tx.OpenErasures(ctx, chunk)
	if err != nil {
		return nil, err
	}
	at, w := s.vault.Instant(), &store.Writes{}
	request := make(map[privacy.SubjectID]privacy.RightsRequestID, len(chunk))
	var drafts []audit.Draft
	var refs []Ref
	for _, id := range chunk {
		_, there := subjects[id]
		joined, found := open[id]
		switch {
		case found:
			delete(subjects, id)
			became[id] = Batched{Subject: id, Lodged: &Lodged{ID: joined.ID, DueAt: joined.DueAt, State: joined.State, Joined: true}}
			drafts = append(drafts, s.requestDraft(b.caller, id, joined.ID, audit.ActionRequestJoin))
			continue
		case !there:
			continue
		}
		r, err := b.request(id)
		if err != nil {
			return nil, err
		}
		w.InsertRightsRequest(&r)
		request[id] = r.ID
		became[id] = Batched{Subject: id, Lodged: &Lodged{ID: r.ID, DueAt: r.DueAt, State: r.State}}
		drafts, refs = append(drafts, s.requestDraft(b.caller, id, r.ID, audit.ActionRequestLodge)), append(refs, Ref{id, r.ID})
	}
	if err := s.markMany(ctx, tx, w, b.caller, subjects, request, at); err != nil {
		return nil, err
	}
	if len(drafts) > 0 {
		entered, err := s.vault.Entered(at, drafts...)
		if err != nil {
			return nil, err
		}
		w.AppendAudit(entered)
	}
	if err := tx.Send(ctx, w); err != nil || len(refs) == 0 {
		return became, err
	}
	return became, s.carry(ctx, tx, refs...)
}

// request makes the request of one of them. The law asks for it, and nobody's proof.
func (b *batch) request(id privacy.SubjectID) (store.RightsRequest, error) {
	name, err := b.service.vault.NewID()
	asked := Asked{Type: privacy.RequestErasure, Subject: id, Lodged: privacy.LodgedByAgent}
	r := b.service.newRequest(b.caller, &asked, id, name, everything, b.laws[id], b.service.vault.Instant())
	r.State, r.Identified, r.Ground = privacy.RequestInProgress, privacy.IdentifiedByLaw, b.duty
	return r, err
}
