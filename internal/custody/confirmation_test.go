package custody_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/privacy"
)

// postbox is a courier that keeps what it is given.
type postbox struct {
	mu   sync.Mutex
	got  []letter
	fail error
}

type letter struct {
	to string
	mail.Message
}

func (p *postbox) Send(_ context.Context, to privacy.Cleartext, message mail.Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fail != nil {
		return p.fail
	}
	return to.Borrow(func(address string) error {
		p.got = append(p.got, letter{address, message})
		return nil
	})
}

// last gives the newest letter and the token of its link.
func (p *postbox) last(t *testing.T) (letter, string) {
	t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.got) == 0 {
		t.Fatal("nothing was sent")
	}
	newest := p.got[len(p.got)-1]
	_, rest, found := strings.Cut(newest.Text, "#")
	if !found {
		t.Fatalf("no link in %q", newest.Text)
	}
	token, _, _ := strings.Cut(strings.Fields(rest)[0], " ")
	return newest, token
}

const publicURL = "https://consent.example.com"

// confirmingVault can send: email to the first postbox, text messages to the second.
func confirmingVault(t *testing.T) (v *vault, email, sms *postbox) {
	t.Helper()
	email, sms = &postbox{}, &postbox{}
	v = setup(t)
	v.confirming = custody.Confirming{Email: email, SMS: sms, PublicURL: publicURL}
	v.start()
	return v, email, sms
}

// request records a grant that is to be confirmed, and sends the message.
func (v *vault) request(id privacy.SubjectID, by string) custody.Recorded {
	v.t.Helper()
	recorded := v.consent(id, custody.Consent{Action: privacy.ActionGrant, Channel: "web", Explicit: true, Confirm: by})
	if recorded.Status != privacy.ConsentPending {
		v.t.Fatalf("asked to confirm, got %+v", recorded)
	}
	if sent, err := v.SendMessages(v.t.Context()); err != nil || sent != 1 {
		v.t.Fatalf("%d messages were sent, %v", sent, err)
	}
	return recorded
}

func TestConsentCountsOnceItIsConfirmed(t *testing.T) {
	t.Parallel()
	v, email, sms := confirmingVault(t)
	id := v.upsert(v.profile([]string{"ada@example.com"}, fields{"given_name": "Ada", "country": "DE", "language": "de", "phone": "+4930901820"})).ID
	first := v.request(id, "email")
	v.wantTold(id, told{"given_name": "!consent_pending"})
	sent, token := email.last(t)
	if sent.to != "ada@example.com" || !strings.Contains(sent.Text, publicURL+"/confirm?l=de#") || !strings.Contains(sent.Subject, "Einwilligung") || !strings.Contains(sent.Text, "Marketing by email") {
		t.Errorf("the message is %+v", sent)
	}
	if n := v.count(`SELECT count(*) FROM message`); n != 0 {
		t.Errorf("%d messages are left", n)
	}
	recorded, err := v.Confirm(t.Context(), "q9", token)
	if err != nil || recorded.Status != privacy.ConsentGranted || recorded.Subject != id || recorded.ID == first.ID {
		t.Fatalf("%+v, %v", recorded, err)
	}
	v.wantTold(id, told{"given_name": `"Ada"`})
	history, err := v.ConsentHistory(t.Context(), id, 0, 10)
	if err != nil || len(history) != 2 {
		t.Fatalf("%d records, %v", len(history), err)
	}
	confirmed, awaited := history[0], history[1]
	if confirmed.Confirms != awaited.ID || confirmed.Method != "double_opt_in" || confirmed.Channel != "email" || !confirmed.Explicit || confirmed.ConfirmBy != "" || awaited.ConfirmBy != "email" {
		t.Errorf("the ledger has %+v", history)
	}
	if state := v.verified(first.Receipt).Record.Event.State; state != "dpv:ConsentRequested" {
		t.Errorf("the first receipt says %s", state)
	}
	if r := v.verified(recorded.Receipt); r.Record.Event.State != "dpv:ConsentGiven" || r.Record.Event.Confirms != first.ID {
		t.Errorf("the second receipt says %+v", r.Record.Event)
	}
	if entry := v.newest(id, 2)[1]; entry.Action != "consent.grant" || entry.Client != "consentry" || entry.RequestID != "q9" {
		t.Errorf("on record is %+v", entry)
	}
	_, err = v.Confirm(t.Context(), "q", token)
	wantCode(t, err, privacy.KindInvalid, "confirmation_invalid")

	// By text message, in another language, to the attribute: there is no identifier.
	v.patch(id, fields{"language": "zh"})
	v.decide(id, privacy.ActionWithdraw)
	v.request(id, "sms")
	sent, token = sms.last(t)
	if sent.to != "+4930901820" || sent.Subject != "" || !strings.Contains(sent.Text, publicURL+"/confirm?l=zh#") || !strings.Contains(sent.Text, "电子邮件营销") {
		t.Errorf("the message is %+v", sent)
	}
	if recorded, err = v.Confirm(t.Context(), "q", token); err != nil || recorded.Status != privacy.ConsentGranted {
		t.Errorf("%+v, %v", recorded, err)
	}
}

// Whatever is wrong with a link, the answer is the same and nothing changes.
func TestLinksThatDoNotConfirm(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(t *testing.T, v *vault, id privacy.SubjectID, token string) string{
		"empty":          func(*testing.T, *vault, privacy.SubjectID, string) string { return "" },
		"cut":            func(_ *testing.T, _ *vault, _ privacy.SubjectID, token string) string { return token[:len(token)-1] },
		"longer":         func(_ *testing.T, _ *vault, _ privacy.SubjectID, token string) string { return token + "A" },
		"not base64":     func(_ *testing.T, _ *vault, _ privacy.SubjectID, token string) string { return "!" + token[1:] },
		"of no record":   func(_ *testing.T, _ *vault, _ privacy.SubjectID, token string) string { return "AAAA" + token[4:] },
		"another secret": func(_ *testing.T, _ *vault, _ privacy.SubjectID, token string) string { return token[:60] + "AAAA" },
		"expired": func(_ *testing.T, v *vault, _ privacy.SubjectID, token string) string {
			v.clock.Advance(49 * time.Hour)
			return token
		},
		"withdrawn since": func(_ *testing.T, v *vault, id privacy.SubjectID, token string) string {
			v.decide(id, privacy.ActionWithdraw)
			return token
		},
		"objected since": func(_ *testing.T, v *vault, id privacy.SubjectID, token string) string {
			v.decide(id, privacy.ActionObject)
			return token
		},
		"asked again since": func(_ *testing.T, v *vault, id privacy.SubjectID, token string) string {
			v.request(id, "email")
			return token
		},
		"tried too often": func(t *testing.T, v *vault, _ privacy.SubjectID, token string) string {
			for range 5 {
				_, err := v.Confirm(t.Context(), "q", token[:60]+"AAAA")
				wantCode(t, err, privacy.KindInvalid, "confirmation_invalid")
			}
			return token
		},
		"on a stolen row": func(_ *testing.T, v *vault, _ privacy.SubjectID, token string) string {
			v.exec(`UPDATE confirmation SET secret_hash = sha256('x')`)
			return token
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v, email, _ := confirmingVault(t)
			id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
			v.request(id, "email")
			_, token := email.last(t)
			token = spoil(t, v, id, token)
			before := v.count(`SELECT count(*) FROM consent_record`)
			_, err := v.Confirm(t.Context(), "q", token)
			wantCode(t, err, privacy.KindInvalid, "confirmation_invalid")
			if strings.Contains(err.Error(), "wrong") {
				t.Errorf("it tells which: %v", err)
			}
			if after := v.count(`SELECT count(*) FROM consent_record`); after != before {
				t.Errorf("%d records, %d before", after, before)
			}
			if answer := v.tell(id, "given_name")["given_name"]; !strings.HasPrefix(answer, "!") {
				t.Errorf("it released %s", answer)
			}
		})
	}
}

// Of many who bring one link at once, one confirms.
func TestLinkWorksOnceAtATime(t *testing.T) {
	t.Parallel()
	v, email, _ := confirmingVault(t)
	id := v.put("ada@example.com", nil)
	v.request(id, "email")
	_, token := email.last(t)
	other := v.another()
	var all sync.WaitGroup
	answers := make(chan error, 8)
	for n := range cap(answers) {
		at := []*vault{v, other}[n%2]
		all.Go(func() {
			_, err := at.Confirm(t.Context(), "q", token)
			answers <- err
		})
	}
	all.Wait()
	close(answers)
	confirmed := 0
	for err := range answers {
		if err == nil {
			confirmed++
		}
	}
	if n := v.count(`SELECT count(*) FROM consent_record`); confirmed != 1 || n != 2 {
		t.Errorf("%d confirmed, %d records", confirmed, n)
	}
}

func TestConfirmationCannotBeAskedFor(t *testing.T) {
	t.Parallel()
	v, email, _ := confirmingVault(t)
	id := v.put("ada@example.com", nil)
	record := func(v *vault, consent custody.Consent) error {
		consent.Purpose = marketing
		_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, consent, custody.Once{})
		return err
	}
	wantCode(t, record(v, custody.Consent{Action: privacy.ActionWithdraw, Confirm: "email"}), privacy.KindInvalid, "confirmation_of_no_grant")
	wantCode(t, record(v, custody.Consent{Action: privacy.ActionGrant, Confirm: "sms"}), privacy.KindInvalid, "no_address")
	wantCode(t, record(v, custody.Consent{Action: privacy.ActionGrant, Confirm: "pigeon"}), privacy.KindInvalid, "confirmation_unavailable")
	mute := *v
	mute.confirming = custody.Confirming{}
	mute.start()
	wantCode(t, record(&mute, custody.Consent{Action: privacy.ActionGrant, Confirm: "email"}), privacy.KindInvalid, "confirmation_unavailable")
	if n := v.count(`SELECT (SELECT count(*) FROM consent_record) + (SELECT count(*) FROM message)`); n != 0 {
		t.Errorf("%d rows were written", n)
	}
	for range 5 {
		v.request(id, "email")
	}
	wantCode(t, record(v, custody.Consent{Action: privacy.ActionGrant, Confirm: "email"}), privacy.KindRateLimited, "too_many_confirmations")
	v.clock.Advance(25 * time.Hour)
	v.request(id, "email")
	if len(email.got) != 6 {
		t.Errorf("%d messages", len(email.got))
	}
}

// A consent that stands goes on standing while it is asked for anew.
func TestAskingAnewTakesNothingAway(t *testing.T) {
	t.Parallel()
	v, email, _ := confirmingVault(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	v.decide(id, privacy.ActionGrant)
	recorded := v.consent(id, custody.Consent{Action: privacy.ActionGrant, Confirm: "email"})
	if recorded.Status != privacy.ConsentGranted {
		t.Errorf("it stands at %s", recorded.Status)
	}
	v.wantTold(id, told{"given_name": `"Ada"`})
	if _, err := v.SendMessages(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, token := email.last(t)
	if recorded, err := v.Confirm(t.Context(), "q", token); err != nil || recorded.Status != privacy.ConsentGranted {
		t.Errorf("%+v, %v", recorded, err)
	}
}

// A message that cannot be sent is tried again, ever later; one that is refused, of no use, or for somebody who
// was erased is dropped.
func TestMessagesAreTriedAgain(t *testing.T) {
	t.Parallel()
	v, email, _ := confirmingVault(t)
	id := v.put("ada@example.com", nil)
	ask := func() {
		v.consent(id, custody.Consent{Action: privacy.ActionGrant, Confirm: "email"})
	}
	queued := func() int { return v.count(`SELECT count(*) FROM message`) }
	send := func() int {
		sent, err := v.SendMessages(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return sent
	}
	email.fail = privacy.Unavailable(nil, "message_not_sent", "")
	ask()
	if send() != 0 || queued() != 1 || send() != 0 || v.count(`SELECT attempts FROM message`) != 1 {
		t.Fatal("it was tried at once again, or dropped")
	}
	v.clock.Advance(20 * time.Second)
	if send() != 0 || v.count(`SELECT attempts FROM message`) != 2 {
		t.Fatal("it was not tried again")
	}
	email.fail = nil
	v.clock.Advance(20 * time.Second)
	if send() != 0 {
		t.Fatal("the pause did not grow")
	}
	v.clock.Advance(20 * time.Second)
	if send() != 1 || queued() != 0 {
		t.Fatal("it was not sent once it could be")
	}
	email.fail = privacy.Invalid("message_refused", "")
	ask()
	if send() != 0 || queued() != 0 {
		t.Error("what was refused is kept")
	}
	email.fail = nil
	ask()
	v.clock.Advance(50 * time.Hour)
	if send() != 0 || queued() != 0 {
		t.Error("what has expired is sent, or kept")
	}
	ask()
	if err := v.keys.Puncture(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	if send() != 0 || queued() != 0 || len(email.got) != 1 {
		t.Errorf("the erased are written to: %d", len(email.got))
	}
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'message.send'`); n < 5 {
		t.Errorf("%d attempts are on record", n)
	}
}

// A thief of the database finds neither address nor a link that works.
func TestLaw5MessagesAreSealed(t *testing.T) {
	t.Parallel()
	v, email, _ := confirmingVault(t)
	id := v.put("ada@example.com", fields{"language": "de"})
	v.consent(id, custody.Consent{Action: privacy.ActionGrant, Confirm: "email"})
	var waiting string
	if err := v.owner.QueryRow(t.Context(), `SELECT concat((SELECT string_agg(m::text || encode(m.sealed, 'escape'), '') FROM message m), (SELECT string_agg(c::text, '') FROM confirmation c))`).Scan(&waiting); err != nil {
		t.Fatal(err)
	}
	if _, err := v.SendMessages(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, token := email.last(t)
	for _, secret := range []string{"ada@example.com", token, token[22:], "de#", "language"} {
		if strings.Contains(waiting, secret) {
			t.Errorf("%q lies in clear", secret)
		}
	}
}

// Nobody is written to more often than is bearable, however many ask at a time.
func TestConfirmationsADayAreFewWhenAskedForAtOnce(t *testing.T) {
	t.Parallel()
	v, _, _ := confirmingVault(t)
	id := v.put("a@example.com", fields{"country": "DE"})
	ask := func(key string) (custody.Recorded, error) {
		return v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: marketing, Action: privacy.ActionGrant, Confirm: "email"},
			custody.Once{Client: "crm", Key: key, Operation: "consents-record", Request: []byte(key)})
	}
	var calls sync.WaitGroup
	answers := make([]custody.Recorded, 12)
	for i := range answers {
		calls.Go(func() { answers[i], _ = ask(fmt.Sprint("key ", i)) })
	}
	calls.Wait()
	if n := v.count(`SELECT count(*) FROM message`); n != 5 {
		t.Errorf("%d messages to one person, want 5", n)
	}
	// A repeat of a call that went through is answered as it was, though a new one would be refused.
	for i, before := range answers {
		again, err := ask(fmt.Sprint("key ", i))
		if before.ID != "" && (err != nil || again.ID != before.ID) || before.ID == "" && privacy.CodeOf(err) != "too_many_confirmations" {
			t.Errorf("call %d, first %q, then %q, %v", i, before.ID, again.ID, err)
		}
	}
}

// A grant dated a little ahead, as clocks differ, can be confirmed at once.
func TestConfirmationOfAGrantDatedAhead(t *testing.T) {
	t.Parallel()
	v, email, _ := confirmingVault(t)
	id := v.put("a@example.com", fields{"given_name": "Ada", "country": "DE"})
	v.consent(id, custody.Consent{Action: privacy.ActionGrant, Confirm: "email", OccurredAt: v.clock.Read().Add(50 * time.Second)})
	if _, err := v.SendMessages(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, token := email.last(t)
	if recorded, err := v.Confirm(t.Context(), "q", token); err != nil || recorded.Status != privacy.ConsentGranted {
		t.Errorf("confirmed it is %q, %v", recorded.Status, err)
	}
}

// Who has taken a consent back is not asked to confirm it.
func TestNobodyIsAskedToConfirmWhatTheyTookBack(t *testing.T) {
	t.Parallel()
	for _, action := range []privacy.ConsentAction{privacy.ActionWithdraw, privacy.ActionObject} {
		v, _, _ := confirmingVault(t)
		id := v.put("ada@example.com", nil)
		v.consent(id, custody.Consent{Action: privacy.ActionGrant, Confirm: "email"})
		v.decide(id, action)
		if sent, err := v.SendMessages(t.Context()); err != nil || sent != 0 || v.count(`SELECT count(*) FROM message`) != 0 {
			t.Errorf("after %s: %d sent, %v", action, sent, err)
		}
	}
}

// hurried is a courier that looks at how long it has.
type hurried struct{ until time.Time }

func (h *hurried) Send(ctx context.Context, _ privacy.Cleartext, _ mail.Message) error {
	h.until, _ = ctx.Deadline()
	return nil
}

// While a message is on its way, no other node has it: what a node takes it sends before it is anybody else's again.
func TestMessagesAreTakenOneAtATime(t *testing.T) {
	t.Parallel()
	v := setup(t)
	courier := &hurried{}
	v.confirming = custody.Confirming{Email: courier, PublicURL: publicURL}
	v.start()
	for i := range 3 {
		v.consent(v.put(fmt.Sprintf("ada-%d@example.com", i), nil), custody.Consent{Action: privacy.ActionGrant, Confirm: "email"})
	}
	if sent, err := v.SendMessages(t.Context()); err != nil || sent != 3 || courier.until.IsZero() {
		t.Errorf("%d sent, within %v, %v", sent, courier.until, err)
	}
	if n := v.count(`SELECT max(n) FROM (SELECT count(*) AS n FROM audit_entry WHERE action = 'message.send' GROUP BY batch_id) b`); n != 1 {
		t.Errorf("%d were taken together", n)
	}
}
