package custody_test

import (
	"context"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/privacy"
)

// slow is a courier that says when it has begun with a message, and is done with it when it is let go.
type slow struct{ begun, release chan struct{} }

func (s *slow) Send(ctx context.Context, _ privacy.Cleartext, _ mail.Message) error {
	s.begun <- struct{}{}
	select {
	case <-s.release:
		return nil
	case <-ctx.Done():
		return privacy.Unavailable(nil, "message_not_sent", "")
	}
}

// prompt is a courier that says when it has been given a message.
type prompt struct{ got chan struct{} }

func (p *prompt) Send(context.Context, privacy.Cleartext, mail.Message) error {
	p.got <- struct{}{}
	return nil
}

// A text message does not wait for a mail server that takes its time.
func TestSlowMailDoesNotDelayTextMessages(t *testing.T) {
	t.Parallel()
	v := setup(t)
	email, sms := &slow{make(chan struct{}, 8), make(chan struct{})}, &prompt{make(chan struct{}, 8)}
	v.confirming = custody.Confirming{Email: email, SMS: sms, PublicURL: publicURL}
	v.start()
	id := v.put("ada@example.com", fields{"phone": "+4915123456789"})
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		v.RunMessenger(ctx)
	}()
	v.consent(id, custody.Consent{Action: privacy.ActionGrant, Confirm: "email"})
	<-email.begun
	v.consent(id, custody.Consent{Purpose: "marketing.sms", Action: privacy.ActionGrant, Confirm: "sms"})
	<-sms.got // while the mail server still has the other
	close(email.release)
	stop()
	<-ended
}

// A node leaves alone what it has no courier for: another may have one. What nobody has sent in time is deleted.
func TestMessagesWaitForANodeThatCanSendThem(t *testing.T) {
	t.Parallel()
	v, email, sms := confirmingVault(t)
	id := v.put("ada@example.com", fields{"phone": "+4915123456789"})
	v.consent(id, custody.Consent{Purpose: "marketing.sms", Action: privacy.ActionGrant, Confirm: "sms"})
	v.confirming = custody.Confirming{Email: email, PublicURL: publicURL}
	v.start()
	if sent, err := v.SendMessages(t.Context()); err != nil || sent != 0 || len(sms.got) != 0 || v.count(`SELECT attempts FROM message`) != 0 {
		t.Errorf("%d sent, %v", sent, err)
	}
	v.confirming = custody.Confirming{Email: email, SMS: sms, PublicURL: publicURL}
	v.start()
	if sent, err := v.SendMessages(t.Context()); err != nil || sent != 1 || len(sms.got) != 1 {
		t.Errorf("%d sent, %v", sent, err)
	}
}
