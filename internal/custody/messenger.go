package custody

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

const (
	messengerEvery = 5 * time.Second // how often it looks for what is due; what was just queued here goes at once
	messageLease   = 2 * time.Minute // until another node takes over from one that died
	sendWithin     = time.Minute     // well within the lease, so that no other node sends what is being sent
	messageTries   = 12
	firstRetry     = 15 * time.Second
	longestRetry   = time.Hour
)

// RunMessenger sends what is queued until ctx ends. Every node runs it, for the channels that it has a courier for; a message is taken by one
// at a time. A channel does not wait for another, whose server may be slow.
func (s *Service) RunMessenger(ctx context.Context) {
	var running sync.WaitGroup
	for channel := range s.queued {
		running.Go(func() { s.runChannel(ctx, channel) })
	}
	running.Wait()
}

func (s *Service) runChannel(ctx context.Context, channel mail.Channel) {
	ticker := time.NewTicker(messengerEvery)
	defer ticker.Stop()
	for {
		if _, err := s.sendQueued(ctx, channel); err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "sending messages failed; trying again", slog.String("channel", string(channel)), slog.String("code", privacy.CodeOf(err)))
		}
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		case <-s.queued[channel]:
		}
	}
}

// messageQueues has one signal for each channel that there is a courier for: something was queued.
func messageQueues(c *Confirming) map[mail.Channel]chan struct{} {
	queues := make(map[mail.Channel]chan struct{})
	for _, channel := range []mail.Channel{mail.Email, mail.SMS} {
		if c.carrier(channel) != nil {
			queues[channel] = make(chan struct{}, 1)
		}
	}
	return queues
}

// wakeMessenger is called once a message is committed.
func (s *Service) wakeMessenger() {
	for _, queued := range s.queued {
		select {
		case queued <- struct{}{}:
		default: // it has been woken already
		}
	}
}

// SendMessages sends what is due on the channels that this node has a courier for, and gives how many messages were handed over. A message can
// go twice, when a node dies between handing it over and saying so; its link works once all the same.
func (s *Service) SendMessages(ctx context.Context) (sent int, err error) {
	for channel := range s.queued {
		n, err := s.sendQueued(ctx, channel)
		if sent += n; err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// sendQueued sends what is due on a channel. Messages are taken one at a time: of several, the last would be another node's again before a slow
// server has taken the first.
func (s *Service) sendQueued(ctx context.Context, channel mail.Channel) (sent int, err error) {
	for {
		messages, err := s.claimMessages(ctx, channel)
		if err != nil || len(messages) == 0 {
			return sent, err
		}
		done, err := s.sendMessage(ctx, &messages[0])
		if err != nil {
			return sent, err
		}
		if done {
			sent++
		}
	}
}

// claimMessages takes one that is due, if any, and puts on record that the subject's address is about to be used.
func (s *Service) claimMessages(ctx context.Context, channel mail.Channel) (messages []store.Message, err error) {
	err = s.store.Write(ctx, func(tx *store.Tx) error {
		at := s.instant()
		if messages, err = tx.ClaimMessages(ctx, string(channel), 1, at, at.Add(messageLease)); err != nil || len(messages) == 0 {
			return err
		}
		drafts := make([]audit.Draft, len(messages))
		for i, m := range messages {
			drafts[i] = audit.Draft{Action: audit.ActionMessageSend, Client: privacy.SystemClient, Subject: m.Subject, Purpose: m.Purpose}
		}
		batch, err := s.newBatch(at, drafts)
		if err != nil {
			return err
		}
		return tx.AppendAudit(ctx, batch)
	})
	return messages, err
}

// sendMessage sends one message and settles it: away with it when it was sent, refused for good, or is of no use any
// more, and later again when not.
func (s *Service) sendMessage(ctx context.Context, m *store.Message) (sent bool, err error) {
	now := s.instant()
	if !now.Before(m.ExpiresAt) {
		return false, s.store.DeleteMessage(ctx, m.ID)
	}
	within, cancel := context.WithTimeout(ctx, sendWithin)
	defer cancel()
	switch err := s.handOver(within, m); {
	case err == nil:
		return true, s.store.DeleteMessage(ctx, m.ID)
	case ctx.Err() != nil:
		return false, err
	case (privacy.KindOf(err) == privacy.KindUnavailable || isDamage(err)) && m.Attempts < messageTries: // what does not open may have been sealed under another key since
		s.log.WarnContext(ctx, "a message was not sent; trying again later", slog.String("code", privacy.CodeOf(err)), slog.Int("attempt", m.Attempts))
		return false, s.store.PutOffMessage(ctx, m.ID, now.Add(store.Backoff(firstRetry, longestRetry, m.Attempts)))
	default:
		s.log.WarnContext(ctx, "a message was given up", slog.String("code", privacy.CodeOf(err)), slog.Int("attempt", m.Attempts))
		return false, s.store.DeleteMessage(ctx, m.ID)
	}
}

var errUnreachable = privacy.Invalid("no_address", "no address is held for the subject any more")

var errOvertaken = privacy.Conflict("overtaken", "the subject has decided otherwise since")

// mustBeAwaited fails when the subject has taken back what they are to be asked about.
func (s *Service) mustBeAwaited(ctx context.Context, m *store.Message) error {
	record, err := s.store.ConsentRecord(ctx, m.Subject, m.Record)
	if err != nil {
		return err
	}
	standing, states, _, err := s.store.Stands(ctx, m.Subject)
	if err != nil {
		return err
	}
	stands := ledger.Head{ID: m.Subject, Standing: standing, States: states}
	if stands.Overtaken(record.Seq, record.RecordedAt, record.Purpose) {
		return errOvertaken
	}
	return nil
}

// handOver opens the address and the link of a message and hands both to the courier, and to nobody else.
func (s *Service) handOver(ctx context.Context, m *store.Message) error {
	channel := mail.Channel(m.Channel)
	courier := s.confirming.carrier(channel)
	if courier == nil || m.Kind != store.MessageCode && s.confirming.PublicURL == "" {
		return privacy.Unavailable(nil, "confirmation_unavailable", "this node sends no messages of that kind")
	}
	if m.Kind == store.MessageConfirmation {
		if err := s.mustBeAwaited(ctx, m); err != nil {
			return err
		}
	}
	at, ok, err := s.contact(ctx, m.Subject, channel)
	if err != nil {
		return err
	}
	if !ok {
		return errUnreachable
	}
	key, err := s.keyring.Subject(ctx, m.Subject, at.Slot)
	if errors.Is(err, keyring.ErrPunctured) {
		return errUnreachable
	}
	if err != nil {
		return err
	}
	to, err := openContact(key, at)
	if err != nil {
		return err
	}
	token, err := key.Open(keyring.KindMessage, 1, 1, m.Sealed)
	if err != nil {
		return err
	}
	language, err := s.languageOf(ctx, m, key)
	if err != nil {
		return err
	}
	text, err := s.textOf(ctx, m, channel, language, token)
	if err != nil {
		return err
	}
	return courier.Send(ctx, to, text)
}

// textOf writes a message, by its kind.
func (s *Service) textOf(ctx context.Context, m *store.Message, channel mail.Channel, language string, token privacy.Cleartext) (text mail.Message, err error) {
	switch m.Kind {
	case store.MessageCode:
		return s.codeText(channel, language, token, m.ExpiresAt)
	case store.MessageExport:
		err = token.Borrow(func(token string) (err error) {
			text, err = mail.Export(channel, language, mail.ExportLink{Controller: s.controller.Name, Link: s.linkTo("/export", language, token), ExpiresAt: m.ExpiresAt})
			return err
		})
		return text, err
	}
	revision, err := s.InForce(ctx)
	if err != nil {
		return text, err
	}
	purpose, _ := s.policy.Purpose(revision, m.Purpose)
	content := mail.Confirmation{Controller: s.controller.Name, Purpose: titleIn(purpose.Title, language, m.Purpose), ExpiresAt: m.ExpiresAt}
	err = token.Borrow(func(token string) (err error) {
		content.Link = s.linkTo("/confirm", language, token)
		text, err = mail.Confirm(channel, language, content)
		return err
	})
	return text, err
}

// linkTo makes a link to a page. What stands after the # is not sent to any server, and so ends up in no log.
func (s *Service) linkTo(page, language, token string) string {
	return s.confirming.PublicURL + page + "?l=" + language + "#" + token
}

func titleIn(titles map[string]string, language string, purpose privacy.PurposeName) string {
	for _, tag := range []string{language, "en"} {
		if title, ok := titles[tag]; ok {
			return title
		}
	}
	return string(purpose)
}

// contact finds where a subject can be reached.
func (s *Service) contact(ctx context.Context, id privacy.SubjectID, channel mail.Channel) (store.Contact, bool, error) {
	name := map[mail.Channel]string{mail.Email: "email", mail.SMS: "phone"}[channel]
	var identifier, attribute privacy.AttributeID
	if defined, ok := s.catalogue.Identifier(privacy.IdentifierType(name)); ok {
		identifier = defined.ID
	}
	if defined, ok := s.catalogue.Attribute(privacy.AttributeName(name)); ok {
		attribute = defined.ID
	}
	return s.store.Contact(ctx, id, identifier, attribute, s.instant())
}

func openContact(key *keyring.Subject, at store.Contact) (privacy.Cleartext, error) {
	kind := keyring.KindAttribute
	if at.Identifier {
		kind = keyring.KindIdentifier
	}
	return key.Open(kind, at.Number, at.Version, at.Sealed)
}

// languageOf gives the language of a message: that in which the consent was given, else the one the subject prefers, if it is
// one we write.
func (s *Service) languageOf(ctx context.Context, m *store.Message, key *keyring.Subject) (language string, err error) {
	if m.Kind == store.MessageConfirmation {
		record, err := s.store.ConsentRecord(ctx, m.Subject, m.Record)
		if err != nil || record.Locale != "" {
			return mail.Language(record.Locale), err
		}
	}
	defined, ok := s.catalogue.Attribute("language")
	if !ok {
		return mail.Language(""), nil
	}
	at, ok, err := s.store.Contact(ctx, m.Subject, 0, defined.ID, s.instant())
	if err != nil || !ok {
		return mail.Language(""), err
	}
	value, err := openContact(key, at)
	if err != nil {
		return "", err
	}
	err = value.Borrow(func(tag string) error {
		language = mail.Language(tag) // one of three, not what the person has
		return nil
	})
	return language, err
}
