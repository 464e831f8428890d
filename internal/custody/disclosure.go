package custody

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Disclosed is the answer: for each subject asked about, in order, every asked attribute either
// with its value or with the reason why not.
type Disclosed struct {
	Revision    privacy.RevisionID
	Disclosures []Disclosure
}

// Disclosure is what is released about one subject. Attributes holds values as typed JSON: this is
// where they leave the vault. Subject is zero when an identifier finds nobody.
type Disclosure struct {
	Subject    privacy.SubjectID
	Attributes []Released
	Withheld   []Withheld

	outcome privacy.Outcome // of the decision that is on record
}

// Released is one value on its way out.
type Released struct {
	Name privacy.AttributeName
	JSON json.RawMessage
}

// Withheld is one attribute that stays in, and why.
type Withheld struct {
	Name   privacy.AttributeName
	Reason privacy.Reason
}

// Disclose decides for each subject what the caller may see for the purpose, puts the decisions on
// record, and releases the permitted values. Nothing is released unless the record
// is durably committed; when anything fails, nothing is released at all.
func (s *Service) Disclose(ctx context.Context, caller Caller, request Request) (*Disclosed, error) {
	asked, err := s.askedAttributes(request.Attributes)
	if err != nil {
		return nil, err
	}
	ids, err := s.resolve(ctx, request.Subjects)
	if errors.Is(err, errSamePerson) {
		err = s.tellSamePerson(ctx, caller, request.Purpose)
	} else if errors.Is(err, errDuplicateSubject) {
		// That two references find one person is told, so it is put on record.
		err = cmp.Or(s.recordLookup(ctx, caller, privacy.SubjectID{}), err)
	}
	if err != nil {
		return nil, err
	}
	release := &release{service: s, caller: caller, request: request, asked: asked}
	for round := range decisionRounds {
		release.now, release.anew = s.instant(), round > 0
		disclosed, err := release.inParts(ctx, ids)
		if disclosed != nil || err != nil {
			return disclosed, err
		}
	}
	return nil, privacy.Unavailable(nil, "policy_changing", "the policy, or the rights of somebody asked about, are changing again and again; try again")
}

var errOtherPolicy = privacy.Unavailable(nil, "policy_changing", "a policy was published meanwhile; go on under it, with what has not come through")

// decisionRounds bounds how often a disclosure is decided again because the policy changed under it, or a subject was erased, restricted
// or the like.
const decisionRounds = 5

// tellSamePerson refuses a request of which two references find one person, and puts on record that it does. To a client that may not
// ask for the purpose it would tell who somebody is: their request goes on, to the answer that everybody without the
// grant gets.
func (s *Service) tellSamePerson(ctx context.Context, caller Caller, purpose privacy.PurposeName) error {
	revision, err := s.InForce(ctx)
	if err != nil || !s.policy.Granted(revision, caller.Client, purpose) {
		return err
	}
	return cmp.Or(s.recordLookup(ctx, caller, privacy.SubjectID{}), error(errSamePerson))
}

// partSize is how many subjects are worth a part of their own, and partsAtOnce how many parts of one
// disclosure go on at a time: while one waits for the database, another decides and opens.
const (
	partSize    = 250
	partsAtOnce = 4
)

// release is what the parts of one disclosure share.
type release struct {
	service *Service
	caller  Caller
	request Request
	asked   asked
	now     time.Time
	anew    bool // it was read and decided before

	deciding sync.Mutex
}

// inParts carries a disclosure out in parts, each of which reads, decides, records and opens by
// itself. The answer is nil when the policy changed between the parts, because one answer speaks of one revision, and when a part was overtaken, or
// has to be read again.
func (r *release) inParts(ctx context.Context, ids []privacy.SubjectID) (*Disclosed, error) {
	chunks := slices.Collect(slices.Chunk(ids, partSize))
	parts := make([]*Disclosed, len(chunks))
	if len(chunks) == 1 {
		return r.part(ctx, ids)
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(partsAtOnce)
	for i, chunk := range chunks {
		group.Go(func() (err error) {
			parts[i], err = r.part(ctx, chunk)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	if parts[0] == nil {
		return nil, nil //nolint:nilnil // documented
	}
	whole := &Disclosed{Revision: parts[0].Revision, Disclosures: make([]Disclosure, 0, len(ids))}
	for _, part := range parts {
		if part == nil || part.Revision != whole.Revision {
			return nil, nil //nolint:nilnil // documented
		}
		whole.Disclosures = append(whole.Disclosures, part.Disclosures...)
	}
	return whole, nil
}

func (r *release) part(ctx context.Context, ids []privacy.SubjectID) (*Disclosed, error) {
	s := r.service
	revision, snapshots, err := s.store.ReadForDisclosure(ctx, r.request.Purpose, r.asked.stored, ids, r.now)
	if err != nil {
		return nil, err
	}
	if under := r.request.Revision; under != "" && under != revision {
		return nil, errOtherPolicy
	}
	if err := s.LoadRevision(ctx, revision); err != nil {
		return nil, err
	}
	if err := s.authorise(ctx, revision, r.caller.Caller, "disclosures-create", privacy.SubjectID{}); err != nil {
		return nil, err
	}
	if !s.policy.PurposeKnown(revision, r.request.Purpose) {
		return nil, ErrUnknownPurpose
	}
	part := releasePart{release: r, revision: revision, ids: ids}
	return part.run(ctx, snapshots)
}

// releasePart is one part of a disclosure under way.
type releasePart struct {
	*release
	revision privacy.RevisionID
	ids      []privacy.SubjectID

	decisions []audit.Decision // distinct
	drafts    []audit.Draft
	cases     []subjectCase
	keyGone   bool   // of somebody who is not erased
	rendered  []byte // room for values on their way out
}

// subjectCase is one subject under decision.
type subjectCase struct {
	key      *keyring.Subject // nil when nothing of theirs can be opened
	snapshot *store.Snapshot
	outcome  privacy.Outcome
}

// run decides, then opens values while the decisions are being committed: opened values stay in this
// function until the commit has succeeded, and are dropped when it has not. Nor is there an answer when one of the subjects was erased, or
// there was another order about them, before the decision was on record: who has to be told of the order has been read by then, and what is
// released now would be unknown to it.
func (r *releasePart) run(ctx context.Context, snapshots []store.Snapshot) (*Disclosed, error) {
	if err := r.decideAll(ctx, snapshots); err != nil {
		return nil, err
	}
	if r.keyGone && !r.anew { // they may have got another since they were read, and are no less there for that
		return nil, nil //nolint:nilnil // documented
	}
	if r.request.Retried {
		if known, overtaken, err := r.onRecord(ctx); known || err != nil {
			return r.releaseKnown(overtaken, err)
		}
	}
	recorded, err := r.service.batcher.Begin(ctx, r.drafts, r.decisions)
	if err != nil {
		return nil, err
	}
	disclosures, openErr := r.openAll()
	if err := recorded.Wait(ctx); err != nil {
		return nil, err
	}
	if slices.ContainsFunc(r.ids, recorded.Overtaken) {
		return nil, nil //nolint:nilnil // documented
	}
	if openErr != nil {
		return nil, openErr
	}
	return &Disclosed{Revision: r.revision, Disclosures: disclosures}, nil
}

func (r *releasePart) decideAll(ctx context.Context, snapshots []store.Snapshot) error {
	decider := r.newDecider()
	r.cases = make([]subjectCase, len(r.ids))
	r.drafts = make([]audit.Draft, len(r.ids))
	for i, id := range r.ids {
		r.drafts[i] = audit.Draft{At: r.now, Action: audit.ActionDisclosure, Client: r.caller.Client, RequestID: r.caller.Request, Purpose: r.request.Purpose, Object: r.request.Object}
		snapshot := &snapshots[i]
		if !snapshot.Exists() {
			r.cases[i].outcome = withholdAll(r.asked.names, privacy.ReasonUnknownSubject)
			r.drafts[i].Attributes = r.asked.names // nothing was decided: what was asked stands in the entry itself
			continue
		}
		r.drafts[i].Subject, r.drafts[i].Orders = id, snapshot.Subject.Orders
		if err := r.decideOne(ctx, decider, snapshot, &r.cases[i], &r.drafts[i]); err != nil {
			return err
		}
	}
	r.decisions = decider.recorded
	return nil
}

func (r *releasePart) decideOne(ctx context.Context, decider *decider, snapshot *store.Snapshot, c *subjectCase, draft *audit.Draft) error {
	key, err := r.service.subjectKey(ctx, &snapshot.Subject)
	if errors.Is(err, keyring.ErrPunctured) {
		r.keyGone = r.keyGone || !snapshot.Subject.Erased
		c.outcome = withholdAll(r.asked.names, privacy.ReasonErased)
		draft.Attributes = r.asked.names
		return nil
	}
	if err != nil {
		return err
	}
	st, err := openState(key, &snapshot.Subject)
	if err != nil {
		return err
	}
	decided, err := decider.decide(ctx, r.service.policyState(r.revision, r.request.Purpose, st, snapshot.Subject.Standing, snapshot.Consent, r.now))
	if err != nil {
		return err
	}
	*c = subjectCase{key: key, snapshot: snapshot, outcome: decided.outcome}
	draft.Decision = decided.hash
	return nil
}

func (r *releasePart) openAll() ([]Disclosure, error) {
	disclosures, granted := make([]Disclosure, len(r.cases)), r.service.policy.Granted(r.revision, r.caller.Client, r.request.Purpose)
	for i := range r.cases {
		var err error
		if disclosures[i], err = r.open(&r.cases[i]); err != nil {
			return nil, err
		}
		disclosures[i].Subject, disclosures[i].outcome = r.ids[i], r.cases[i].outcome
		if !granted && len(disclosures[i].Attributes) == 0 {
			disclosures[i] = r.notGranted()
		}
	}
	return disclosures, nil
}

// notGranted is the answer about everybody, known or not, to a client that may not ask for the purpose: who is known is
// told to nobody who has no business with them. What was decided stands in the log.
func (r *releasePart) notGranted() (d Disclosure) {
	reason := privacy.ReasonPurposeNotGranted
	if !r.service.policy.SaysGrants(r.revision) {
		reason = privacy.ReasonPolicyError
	}
	for _, name := range r.asked.names {
		d.Withheld = append(d.Withheld, Withheld{name, reason})
	}
	return d
}

// open gives every asked attribute of one subject its value or its reason.
func (r *releasePart) open(c *subjectCase) (Disclosure, error) {
	d := Disclosure{Attributes: make([]Released, 0, len(c.outcome.Permitted))}
	for _, attribute := range r.asked.attributes {
		mode, permitted := c.outcome.Permitted[attribute.Name]
		if !permitted || !mode.Releases() {
			d.Withheld = append(d.Withheld, Withheld{attribute.Name, reasonFor(c.outcome, attribute.Name)})
			continue
		}
		value, held, err := r.transformed(c, attribute, mode)
		if err != nil {
			return d, err
		}
		if !held {
			d.Withheld = append(d.Withheld, Withheld{attribute.Name, privacy.ReasonNoValue})
			continue
		}
		d.Attributes = append(d.Attributes, Released{attribute.Name, value})
	}
	return d, nil
}

// reasonFor gives the reason of an outcome, and a denial when the outcome has none.
func reasonFor(outcome privacy.Outcome, name privacy.AttributeName) privacy.Reason {
	if reason, ok := outcome.Withheld[name]; ok {
		return reason
	}
	return privacy.ReasonPolicyError
}

// transformed opens a value and gives it the form that the decision permits. This is the one place where
// a value leaves its wrapper.
func (r *releasePart) transformed(c *subjectCase, attribute *catalogue.Attribute, mode privacy.Mode) (value json.RawMessage, held bool, err error) {
	source := attribute
	if from, ok := attribute.GeneraliseFrom(); ok && mode == privacy.ModeGeneralise {
		if source, ok = r.service.catalogue.Attribute(from); !ok {
			return nil, false, nil
		}
	}
	sealed, ok := c.snapshot.Value(source.ID)
	if !ok {
		return nil, false, nil
	}
	clear, err := c.key.Open(keyring.KindAttribute, source.ID, sealed.Version, sealed.Sealed)
	if err != nil {
		return nil, false, err
	}
	switch mode {
	case privacy.ModePlain:
		return r.render(clear, func(dst []byte, text string) ([]byte, error) { return attribute.AppendJSON(dst, text) })
	case privacy.ModeGeneralise:
		if source == attribute {
			clear, err = attribute.Generalised(clear, r.now)
		}
	case privacy.ModeMask:
		clear, err = attribute.Masked(clear)
	case privacy.ModeTokenise:
		clear = privacy.NewCleartext(r.service.keyring.Token(r.caller.Client, r.request.Purpose, attribute.ID, clear))
	default:
		return nil, false, privacy.NewError(privacy.KindInternal, "mode_unknown", "the decision has a mode that releases nothing")
	}
	if err != nil {
		return nil, false, err
	}
	return r.render(clear, func(dst []byte, text string) ([]byte, error) { return catalogue.AppendString(dst, text), nil })
}

// renderedChunk is how much room for values is made at a time.
const renderedChunk = 1 << 10

// render writes a value as JSON behind those that were written before.
func (r *releasePart) render(clear privacy.Cleartext, write func(dst []byte, text string) ([]byte, error)) (value json.RawMessage, held bool, err error) {
	if cap(r.rendered)-len(r.rendered) < renderedChunk/4 {
		r.rendered = make([]byte, 0, renderedChunk*min(len(r.cases), 16))
	}
	start := len(r.rendered)
	if r.rendered, err = write(r.rendered, clear.Reveal()); err != nil {
		return nil, false, err
	}
	return r.rendered[start:len(r.rendered):len(r.rendered)], true, nil
}

// handOver releases a piece of what a subject takes away: the link that was given to them was used up, and that is on record, before the
// first of them is opened.
func (o *OpenedExport) handOver(w io.Writer, place keyring.Chunk, sealed []byte) error {
	piece, err := o.key.OpenChunk(place, sealed)
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, piece.Reveal())
	return err
}

func withholdAll(names []privacy.AttributeName, reason privacy.Reason) privacy.Outcome {
	outcome := privacy.Outcome{Withheld: make(map[privacy.AttributeName]privacy.Reason, len(names))}
	for _, name := range names {
		outcome.Withheld[name] = reason
	}
	return outcome
}
