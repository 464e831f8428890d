package rights

import (
	"cmp"
	"context"
	"crypto/subtle"
	"errors"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// A request of access or portability is answered with a file, which a job makes and which the subject fetches with a link. Who has a token
// of their own asks for the link; to others it is sent, to an address that was verified. It works once, and for a limited time; there
// can be another as long as the file is kept. A legal hold keeps nobody from their own data: the
// laws that know one know it against erasure alone.

// How long a link works, given to the subject themselves and sent to them.
const (
	linkWithin = time.Hour
	mailWithin = 3 * 24 * time.Hour
)

var (
	errNotExportable = privacy.Invalid("no_export_of_request", "only a request of access or portability is answered with an export")
	errNotReady      = privacy.Conflict("export_not_ready", "the request has not been carried out yet; try again later")
	errExportGone    = privacy.NotFound("export_expired", "the export has expired, or what it held has changed since; make the request again")
	errNoAddress     = privacy.Conflict("no_verified_address", "no verified address of the person is held, or this vault sends no messages; the person can fetch the file with a token of their own, or be handed a link where an agent has seen who they are (hand_over)")
	errExportLink    = privacy.Invalid("export_link_invalid", "the link is not whole, has expired or was used before; ask for a new one")
)

// Export is a file that a subject can fetch.
type Export = store.Export

// giveCopy makes the file that a request asks for, and closes the request with it.
func (s *Service) giveCopy(ctx context.Context, r *store.RightsRequest) error {
	made, err := s.vault.MakeExport(ctx, r)
	if gone(err) {
		return s.pastAnswering(ctx, r)
	}
	if err != nil {
		return err
	}
	s.reach("exported")
	link := &freshLink{}
	if r.Identified != privacy.IdentifiedByToken {
		if link, err = s.newLink(ctx, &made); err != nil && privacy.KindOf(err) != privacy.KindUnavailable {
			_ = s.store.DropExport(context.WithoutCancel(ctx), made.Subject, made.ID) // else it expires
			return err
		}
	}
	_, err = s.changeAnd(ctx, custody.System(), r.ID, []audit.Action{audit.ActionExportMake, audit.ActionRequestComplete}, func(tx *store.Tx, now *store.RightsRequest, at time.Time) error {
		now.State, now.ClosedAt = privacy.RequestCompleted, at // who joined it gets the same file
		if err := tx.FinishExport(ctx, &made); err != nil {
			return err
		}
		w := &store.Writes{}
		link.send(w, &made)
		return tx.Send(ctx, w)
	})
	s.vault.WakeMessenger()
	if err == nil {
		return nil
	}
	_ = s.store.DropExport(context.WithoutCancel(ctx), made.Subject, made.ID) // else it expires
	switch {
	case gone(err):
		return s.pastAnswering(ctx, r)
	case privacy.CodeOf(err) == errClosed.Code:
		return nil // it was refused, or another job was faster
	}
	return err
}

// gone reports whether an error says that the subject themselves was erased. What else is not found is missing, and no reason to leave
// somebody without an answer.
func gone(err error) bool {
	return errors.Is(err, store.ErrErased) || errors.Is(err, store.ErrNoSubject)
}

// Export tells of the file that a request was answered with. KindConflict while it is being made, KindNotFound once it has expired.
func (s *Service) Export(ctx context.Context, id privacy.RightsRequestID) (Export, error) {
	r, err := s.answered(ctx, id)
	if err != nil {
		return Export{}, err
	}
	e, err := s.store.ExportOf(ctx, r.Subject, r.ID)
	return e, s.alive(&e, err)
}

// answered gives the request whose file is asked for: the one itself, or that which it has joined.
func (s *Service) answered(ctx context.Context, id privacy.RightsRequestID) (store.RightsRequest, error) {
	r, err := s.store.RightsRequest(ctx, id)
	if err == nil && !r.JoinedTo.IsZero() {
		r, err = s.store.RightsRequest(ctx, r.JoinedTo)
	}
	switch {
	case err != nil:
		return r, err
	case r.Type != privacy.RequestAccess && r.Type != privacy.RequestPortability:
		return r, errNotExportable
	case r.State != privacy.RequestCompleted || r.Identified == privacy.NotIdentified:
		return r, errNotReady
	}
	return r, nil
}

// alive says of an export that was read whether it can be fetched.
func (s *Service) alive(e *Export, err error) error {
	if err == nil && !s.vault.Instant().Before(e.ExpiresAt) {
		return errExportGone
	}
	return cmp.Or(notFoundAs(err, errExportGone), err)
}

// Exports lists the files that a subject can fetch, newest first.
func (s *Service) Exports(ctx context.Context, subject privacy.SubjectID) ([]Export, error) {
	list, err := s.store.Exports(ctx, subject)
	at, alive := s.vault.Instant(), []Export{}
	for _, e := range list {
		if at.Before(e.ExpiresAt) {
			alive = append(alive, e)
		}
	}
	return alive, err
}

// ExportLink is a link that fetches a file once. It has no token when it was sent to the subject.
type ExportLink struct {
	Token     privacy.Cleartext
	ExpiresAt time.Time
}

// LinkExport gives the subject a link to the file of their request. To anybody else it is not given, but sent to an address of the
// subject; where there is none, it can be handed over if that was asked for (handover.go). One that was there before works no more.
func (s *Service) LinkExport(ctx context.Context, caller custody.Caller, id privacy.RightsRequestID, handOver bool) (link ExportLink, err error) {
	r, err := s.answered(ctx, id)
	if err != nil {
		return link, err
	}
	own := caller.Has(privacy.RoleSubject) && caller.Subject == r.Subject
	barred := error(errNoAddress)
	if handOver && !own {
		if barred, err = s.barred(ctx, caller, &r); err != nil {
			return link, err
		}
	}
	mailed := &freshLink{}
	if !own {
		e, err := s.store.ExportOf(ctx, r.Subject, r.ID)
		if err = s.alive(&e, err); err != nil {
			return link, err
		}
		if mailed, err = s.newLink(ctx, &e); err != nil {
			return link, err
		}
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		e, at, err := s.lockExport(ctx, tx, &r)
		if err != nil {
			return err
		}
		w, action := &store.Writes{}, audit.ActionExportLink
		switch {
		case mailed.send(w, &e):
		case own:
			link.Token, err = s.giveLink(w, &e, at.Add(linkWithin))
		case barred != nil:
			err = barred
		case !e.FetchedAt.IsZero():
			err = errFetched
		default:
			action = audit.ActionExportHandOver
			link.Token, err = s.giveLink(w, &e, at.Add(handOverWithin))
		}
		if err != nil {
			return err
		}
		link.ExpiresAt = e.LinkExpiresAt
		return s.writeExport(ctx, tx, w, caller, &e, at, action)
	})
	s.vault.WakeMessenger()
	return link, err
}

// drawLink puts a new link in the place of the one before.
func (s *Service) drawLink(e *Export, expires time.Time) (privacy.Cleartext, error) {
	token, hash, err := s.vault.NewExportLink(e.ID)
	if e.LinkHash, e.LinkExpiresAt = hash[:], expires; expires.After(e.ExpiresAt) {
		e.LinkExpiresAt = e.ExpiresAt
	}
	return token, err
}

// giveLink gives a new link to whoever calls.
func (s *Service) giveLink(w *store.Writes, e *Export, expires time.Time) (privacy.Cleartext, error) {
	token, err := s.drawLink(e, expires)
	w.UpdateExport(e)
	return token, err
}

// freshLink is a new link to a file, and the message that brings it.
type freshLink struct {
	export  Export // as it is once the link is sent
	message store.Writes
	sent    bool // false when there is no way to send it
}

// newLink makes a link that is sent. It is called before a transaction, because it reads: see drawCode.
func (s *Service) newLink(ctx context.Context, e *Export) (*freshLink, error) {
	fresh, at := &freshLink{export: *e}, s.vault.Instant()
	token, err := s.drawLink(&fresh.export, at.Add(mailWithin))
	if err == nil {
		fresh.sent, err = s.vault.QueueExportLink(ctx, &fresh.message, e.Subject, e.Request, token, at, fresh.export.LinkExpiresAt)
	}
	return fresh, err
}

// send sends the link, if it can be sent, and if the file is still the one that it was made for.
func (f *freshLink) send(w *store.Writes, e *Export) (sent bool) {
	if !f.sent || f.export.ID != e.ID {
		return false
	}
	e.LinkHash, e.LinkExpiresAt = f.export.LinkHash, f.export.LinkExpiresAt
	w.Add(&f.message)
	w.UpdateExport(e)
	return true
}

// lockExport locks a request's subject and reads the file.
func (s *Service) lockExport(ctx context.Context, tx *store.Tx, r *store.RightsRequest) (e Export, at time.Time, err error) {
	if _, err := tx.LockSubject(ctx, r.Subject); err != nil {
		return e, at, err
	}
	e, err = tx.ExportOf(ctx, r.Subject, r.ID)
	return e, s.vault.Instant(), s.alive(&e, err)
}

// writeExport carries writes out that are about a file, with their entry.
func (s *Service) writeExport(ctx context.Context, tx *store.Tx, w *store.Writes, caller custody.Caller, e *Export, at time.Time, action audit.Action) error {
	batch, err := s.vault.Entered(at, audit.Draft{Action: action, Client: caller.Client, RequestID: caller.Request, Subject: e.Subject, Object: "export/" + e.ID.String(), Actor: s.vault.Actor(caller)})
	if err != nil {
		return err
	}
	w.AppendAudit(batch)
	return tx.Send(ctx, w)
}

// FetchExport uses a link up, and gives the file that is to be written out. Links that are wrong, expired or used are told apart by
// nothing.
func (s *Service) FetchExport(ctx context.Context, request privacy.RequestID, token string) (*custody.OpenedExport, error) {
	id, hash, ok := s.vault.ReadExportLink(token)
	if !ok {
		return nil, errExportLink
	}
	found, err := s.store.Export(ctx, id)
	if err != nil {
		return nil, cmp.Or(notFoundAs(err, errExportLink), err)
	}
	if !fits(&found, hash, s.vault.Instant()) {
		return nil, errExportLink
	}
	r, err := s.answered(ctx, found.Request)
	if err != nil {
		return nil, errExportLink
	}
	file, err := s.vault.OpenExport(ctx, &found) // before the link is used up: without the key it would be for nothing
	if err != nil {
		return nil, cmp.Or(notFoundAs(err, errExportLink), err)
	}
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		e, at, err := s.lockExport(ctx, tx, &r)
		if err != nil {
			return cmp.Or(notFoundAs(err, errExportLink), err)
		}
		if e.ID != found.ID || !fits(&e, hash, at) {
			return errExportLink
		}
		e.LinkHash, e.LinkExpiresAt, e.FetchedAt = nil, time.Time{}, at
		caller := custody.System()
		caller.Request = request
		w := &store.Writes{}
		w.UpdateExport(&e)
		return s.writeExport(ctx, tx, w, caller, &e, at, audit.ActionExportFetch)
	})
	return file, err
}

// fits reports whether a link is the one that fetches a file.
func fits(e *Export, hash [32]byte, at time.Time) bool {
	return len(e.LinkHash) > 0 && subtle.ConstantTimeCompare(hash[:], e.LinkHash) == 1 && at.Before(e.LinkExpiresAt)
}
