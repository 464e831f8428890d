package rights

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Asked is a request as somebody brings it.
type Asked struct {
	Type       privacy.RequestType
	Subject    privacy.SubjectID         // or
	Identifier custody.ProfileIdentifier // that finds the subject, when the id is zero
	Lodged     privacy.Lodger
	Details    Details
}

// Details are what is asked for in particular. They are sealed.
type Details struct {
	// Purpose is what is objected to: a purpose, a family such as marketing.*, or * for everything, which "" stands for, too.
	Purpose privacy.ObjectionScope `json:"purpose,omitempty"`
	// Attributes are the right values of a rectification, by name; null deletes.
	Attributes map[privacy.AttributeName]json.RawMessage `json:"attributes,omitempty"`
	Text       string                                    `json:"text,omitempty"`
	// Corrected names the attributes that were put right: their values are in the profile, and kept here no more.
	Corrected []privacy.AttributeName `json:"corrected,omitempty"`
	// Only says what alone an erasure is of. It is not sealed: what it names is the scope of the request.
	Only *Part `json:"-"`
}

func (d *Details) empty() bool { return len(d.Attributes) == 0 && d.Text == "" }

// inWords reports whether nothing is said but in words, which somebody has to read.
func (d *Details) inWords() bool {
	return d.Text != "" && len(d.Attributes) == 0 && len(d.Corrected) == 0
}

// Lodged is what became of a request that was brought.
type Lodged struct {
	ID     privacy.RightsRequestID `json:"id"`
	DueAt  time.Time               `json:"due_at"`
	State  privacy.RequestState    `json:"state"`
	Joined bool                    `json:"joined,omitempty"`
}

// everything is the scope of a request that is about all there is.
const everything = string(privacy.ScopeEverything)

// Lodge takes a request up. It joins the open request of its kind, if it is certain that the subject asks and there is something left to do later.
func (s *Service) Lodge(ctx context.Context, caller custody.Caller, asked Asked, once custody.Once) (Lodged, error) {
	scope, err := s.check(ctx, &asked)
	if err != nil {
		return Lodged{}, err
	}
	subject, known, err := s.find(ctx, &asked)
	if err != nil {
		return Lodged{}, err
	}
	law, err := s.lawFor(ctx, &asked, subject)
	if asked.joinsErasure(err) {
		return s.erasedAlready(ctx, subject)
	}
	if err != nil {
		return Lodged{}, err
	}
	id, err := s.vault.NewID()
	if err != nil {
		return Lodged{}, err
	}
	var code *freshCode
	if asked.Lodged != privacy.LodgedBySubject {
		if code, err = s.drawCode(ctx, subject, id, false); err != nil {
			return Lodged{}, err
		}
	}
	var answer Lodged
	err = s.vault.WriteOnce(ctx, once, &answer, func(tx *store.Tx) error {
		l := lodging{service: s, tx: tx, caller: caller, asked: &asked, known: known, code: code, at: s.vault.Instant()}
		l.request = s.newRequest(caller, &asked, subject, id, scope, law, l.at)
		if err := l.write(ctx); err != nil {
			return err
		}
		answer = Lodged{ID: l.request.ID, DueAt: l.request.DueAt, State: l.request.State, Joined: l.joined}
		return nil
	})
	if asked.joinsErasure(err) { // just now, by another call
		return s.erasedAlready(ctx, subject)
	}
	if err != nil {
		return Lodged{}, err
	}
	s.vault.WakeMessenger()
	answer.State = s.carryAtOnce(ctx, asked.Type, Ref{subject, answer.ID}, answer.State)
	return answer, nil
}

// joinsErasure reports whether a request has failed because what it asks for has been done, or begun, already.
func (a *Asked) joinsErasure(err error) bool {
	return errors.Is(err, store.ErrErased) && a.Type == privacy.RequestErasure && a.Lodged == privacy.LodgedBySubject
}

// erasedAlready answers who asks to be erased and is, or is about to be.
func (s *Service) erasedAlready(ctx context.Context, subject privacy.SubjectID) (Lodged, error) {
	list, err := s.store.RightsRequests(ctx, Filter{Subject: subject, Type: privacy.RequestErasure, Identified: true, Limit: 100})
	if err != nil {
		return Lodged{}, err
	}
	for _, r := range list {
		if r.JoinedTo.IsZero() && erasesAll(&r) && r.State != privacy.RequestRejected {
			return Lodged{ID: r.ID, DueAt: r.DueAt, State: r.State, Joined: true}, nil
		}
	}
	return Lodged{}, store.ErrErased
}

// carryAtOnce has processors told of what was taken back before the request is answered. When that cannot be done now, the job will: in force it
// is already.
func (s *Service) carryAtOnce(ctx context.Context, kind privacy.RequestType, ref Ref, state privacy.RequestState) privacy.RequestState {
	if state != privacy.RequestInProgress || !atOnce(kind) {
		return state
	}
	err := s.CarryOut(ctx, ref)
	if err == nil {
		var r store.RightsRequest
		if r, err = s.store.RightsRequest(ctx, ref.ID); err == nil {
			return r.State
		}
	}
	s.log.WarnContext(ctx, "processors could not be told at once of what was taken back; a job tries again", slog.String("code", privacy.CodeOf(err)))
	return state
}

// openLike finds the open request that a locked subject's request joins. What is done at once joins none: the other may have been at work before
// the subject decided what this one is about.
func openLike(ctx context.Context, tx *store.Tx, r *store.RightsRequest) (open store.RightsRequest, found bool, err error) {
	if atOnce(r.Type) {
		return open, false, nil
	}
	return tx.OpenRightsRequest(ctx, r.Subject, r.Type, r.Scope)
}

// atOnce reports whether a request takes no longer than the answer to it.
func atOnce(kind privacy.RequestType) bool { return takenBack[kind] != "" }

// check refuses what cannot be asked, whoever asks, and gives the scope of the request.
func (s *Service) check(ctx context.Context, asked *Asked) (scope string, err error) {
	d := &asked.Details
	switch {
	case d.Only != nil && asked.Type != privacy.RequestErasure:
		return "", privacy.Invalid("part_not_asked_for", "only an erasure can be of a part; leave details.only out")
	case len(d.Attributes) > 0 && asked.Type != privacy.RequestRectification:
		return "", privacy.Invalid("attributes_not_asked_for", "only a rectification brings attributes; leave them out")
	case len(d.Attributes) == 0 && d.Text == "" && asked.Type == privacy.RequestRectification:
		return "", privacy.Invalid("rectification_empty", "say in details.attributes which values are right, or in details.text what is wrong")
	}
	if err := s.checkRectified(d); err != nil {
		return "", err
	}
	if d.Only != nil {
		return s.scopeOf(ctx, d.Only)
	}
	return s.checkScope(ctx, asked)
}

// checkScope refuses types and purposes that there are not, and gives the scope of the request.
func (s *Service) checkScope(ctx context.Context, asked *Asked) (scope string, err error) {
	purpose := asked.Details.Purpose
	switch {
	case !asked.Type.Valid():
		return "", privacy.Invalid("unknown_request_type", "the type is "+strings.Join(typeNames(), ", "))
	case purpose == "":
		return everything, nil
	case asked.Type != privacy.RequestObjection:
		return "", privacy.Invalid("purpose_not_asked_for", "only an objection is to a purpose; leave it out")
	case !purpose.Valid():
		return "", privacy.Invalid("invalid_scope", "an objection is to a purpose, to a family such as marketing.*, or to * for everything")
	}
	return string(purpose), s.vault.KnownScope(ctx, purpose)
}

func typeNames() []string {
	var names []string
	for _, kind := range privacy.RequestTypes() {
		names = append(names, string(kind))
	}
	return names
}

// checkRectified makes sure that the values can be stored. One that was worked out from others cannot: what it was worked out
// from can be.
func (s *Service) checkRectified(d *Details) error {
	for name := range d.Attributes {
		if attribute, ok := s.vault.Catalogue().Attribute(name); ok && len(attribute.DerivedFrom) > 0 {
			return privacy.Invalid("attribute_derived", "an attribute that is worked out from others cannot be rectified itself; ask for those to be rectified")
		}
	}
	_, err := s.vault.NormaliseAttributes(d.Attributes)
	return err
}

// find gives the subject that a request is about, or the id that stands for nobody.
func (s *Service) find(ctx context.Context, asked *Asked) (id privacy.SubjectID, known bool, err error) {
	if !asked.Subject.IsZero() {
		return asked.Subject, true, nil
	}
	return s.vault.Find(ctx, asked.Identifier)
}

// lawFor gives the law whose dates a request gets at first: their own where the subject is named by id, else the strictest, so that
// the date does not tell who is known.
func (s *Service) lawFor(ctx context.Context, asked *Asked, subject privacy.SubjectID) (custody.Law, error) {
	if asked.Subject.IsZero() {
		return s.vault.StrictestLaw(ctx, asked.Type)
	}
	return s.vault.LawOf(ctx, subject, asked.Type)
}

func (s *Service) newRequest(caller custody.Caller, asked *Asked, subject privacy.SubjectID, id privacy.RightsRequestID, scope string, law custody.Law, at time.Time) store.RightsRequest {
	d := datesUnder(law, at, s.calendars)
	r := store.RightsRequest{ID: id, Subject: subject, Type: asked.Type, Scope: scope, State: privacy.RequestVerifying, Lodged: asked.Lodged,
		Regime: law.Regime, Revision: law.Revision, ReceivedAt: at, AcknowledgeBy: d.AcknowledgeBy, AcknowledgedAt: at, DueAt: d.DueAt, LegalDueOn: d.LegalDueOn,
		Client: caller.Client, Actor: s.vault.Actor(caller), UpdatedAt: at}
	if asked.Lodged == privacy.LodgedBySubject {
		r.State, r.Identified = privacy.RequestInProgress, privacy.IdentifiedByToken
	}
	return r
}

// lodging is a request on its way into the database.
type lodging struct {
	service *Service
	tx      *store.Tx
	caller  custody.Caller
	asked   *Asked
	known   bool
	code    *freshCode // nil for who shows a token of their own
	at      time.Time
	request store.RightsRequest
	subject store.Subject
	joined  bool
}

func (l *lodging) write(ctx context.Context) error {
	if err := l.lock(ctx); err != nil {
		return err
	}
	w := &store.Writes{}
	action := audit.ActionRequestLodge
	if l.request.State == privacy.RequestInProgress {
		open, found, err := openLike(ctx, l.tx, &l.request)
		if err != nil {
			return err
		}
		if found {
			l.request, l.joined, action = open, true, audit.ActionRequestJoin
			w.JoinRightsRequest(&open)
		}
	}
	if !l.joined {
		w.InsertRightsRequest(&l.request)
	}
	if err := l.details(ctx, w); err != nil {
		return err
	}
	if l.request.State == privacy.RequestVerifying {
		l.code.give(w, l.known)
	}
	batch, err := l.service.entries(l.caller, &l.request, l.at, action)
	if err != nil {
		return err
	}
	w.AppendAudit(batch)
	if err := l.tx.Send(ctx, w); err != nil {
		return err
	}
	if l.request.State == privacy.RequestInProgress && !l.joined {
		return l.service.begin(ctx, l.tx, l.caller, l.subject, &l.request, l.at)
	}
	return nil
}

// lock holds the subject. Where an identifier found one who is erased meanwhile, it finds nobody.
func (l *lodging) lock(ctx context.Context) (err error) {
	if !l.known {
		return nil
	}
	l.subject, err = l.tx.LockSubject(ctx, l.request.Subject)
	if err != nil && l.asked.Subject.IsZero() && privacy.KindOf(err) == privacy.KindNotFound {
		l.known = false
		return nil
	}
	return err
}

// details keeps what was said, for those who are known: of others there is no key to seal it under, and nothing to keep.
func (l *lodging) details(ctx context.Context, w *store.Writes) error {
	if !l.known || l.asked.Details.empty() {
		return nil
	}
	sealed, err := l.service.vault.SealDetail(ctx, &l.subject, l.request.ID, l.asked.Details)
	if err != nil {
		return err
	}
	w.AddRightsDetail(l.request.Subject, l.request.ID, sealed, l.at)
	return nil
}

// entries makes the audit entries of something that happened to a request. That a request is about nobody must not be seen in
// the log either: its subject is named all the same.
func (s *Service) entries(caller custody.Caller, r *store.RightsRequest, at time.Time, actions ...audit.Action) (audit.Batch, error) {
	drafts := make([]audit.Draft, len(actions))
	for i, action := range actions {
		drafts[i] = s.requestDraft(caller, r.Subject, r.ID, action)
	}
	return s.vault.Entered(at, drafts...)
}

func (s *Service) requestDraft(caller custody.Caller, subject privacy.SubjectID, request privacy.RightsRequestID, action audit.Action) audit.Draft {
	return audit.Draft{Action: action, Client: caller.Client, RequestID: caller.Request, Subject: subject, Object: custody.RequestObject(request), Actor: s.vault.Actor(caller)}
}

// begin takes up a request of which it is certain that the subject asks: a job carries it out. What it takes back is in force with the transaction,
// and an erasure stops all reads with it, unless something must be kept.
func (s *Service) begin(ctx context.Context, tx *store.Tx, caller custody.Caller, subject store.Subject, r *store.RightsRequest, at time.Time) error {
	ref := Ref{r.Subject, r.ID}
	if erasesAll(r) {
		if err := s.markOne(ctx, tx, caller, subject, r, at); err != nil {
			return err
		}
	}
	if atOnce(r.Type) {
		if err := s.takeBack(ctx, tx, subject, r, at); err != nil {
			return err
		}
	}
	if r.Type == privacy.RequestErasure {
		return s.carry(ctx, tx, ref)
	}
	if slices.Contains(carriedOut, r.Type) {
		return tx.Enqueue(ctx, CarryArgs{Requests: []Ref{ref}})
	}
	return nil
}

// carriedOut are the requests that are carried out without an officer, or a rectification once one has looked at it.
var carriedOut = []privacy.RequestType{privacy.RequestAccess, privacy.RequestPortability, privacy.RequestRectification, privacy.RequestErasure, privacy.RequestRestriction, privacy.RequestObjection, privacy.RequestWithdrawal}
