package custody_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

func content(purposes ...privacy.PurposeName) custody.NoticeContent {
	return custody.NoticeContent{Controller: "Example Ltd", Purposes: purposes, Rights: []string{"withdrawal", "access"},
		Variants: map[string]custody.NoticeVariant{"en": {Title: "Privacy", Text: "We write <to> you & yours."}, "de": {Title: "Datenschutz", Text: "Wir schreiben Ihnen."}}}
}

// notice publishes the next version of a notice.
func (v *vault) notice(id string, version int32, from time.Time, purposes ...privacy.PurposeName) custody.NoticeRef {
	v.t.Helper()
	ref := custody.NoticeRef{ID: id, Version: version}
	draft, err := v.WriteNotice(v.t.Context(), officer, ref, content(purposes...), 0)
	if err != nil {
		v.t.Fatal(err)
	}
	if _, err := v.PublishNotice(v.t.Context(), officer, ref, draft.Edit, from); err != nil {
		v.t.Fatal(err)
	}
	return ref
}

func TestNoticeNeverChangesOncePublished(t *testing.T) {
	t.Parallel()
	v := setup(t)
	ref := custody.NoticeRef{ID: "marketing.email", Version: 1}
	write := func(version, edit int32) (custody.Notice, error) {
		return v.WriteNotice(t.Context(), officer, custody.NoticeRef{ID: "marketing.email", Version: version}, content(marketing), edit)
	}
	first, err := write(1, 0)
	if err != nil || first.Edit != 1 || first.Published() {
		t.Fatalf("%+v, %v", first, err)
	}
	_, err = write(1, 0)
	wantCode(t, err, privacy.KindConflict, "notice_changed")
	_, err = write(2, 0)
	wantCode(t, err, privacy.KindConflict, "notice_version_gap")
	if _, err = write(1, 1); err != nil {
		t.Error(err)
	}
	_, err = v.PublishNotice(t.Context(), officer, ref, 1, time.Time{})
	wantCode(t, err, privacy.KindConflict, "notice_changed")
	published, err := v.PublishNotice(t.Context(), officer, ref, 2, time.Time{})
	if err != nil || !published.Published() || len(published.Hash) != 32 {
		t.Fatalf("%+v, %v", published, err)
	}
	_, err = write(1, 2)
	wantCode(t, err, privacy.KindConflict, "notice_published")
	_, err = v.PublishNotice(t.Context(), officer, ref, 2, time.Time{})
	wantCode(t, err, privacy.KindConflict, "notice_published")
	if second, err := write(2, 0); err != nil || second.Edit != 4 {
		t.Errorf("%+v, %v", second, err)
	}
	versions, err := v.NoticeVersions(t.Context(), "marketing.email")
	if err != nil || len(versions) != 2 || versions[0].Published() || !bytes.Equal(versions[1].Hash, published.Hash) {
		t.Errorf("%+v, %v", versions, err)
	}
	if got, err := v.NoticeVersion(t.Context(), ref); err != nil || got.Body.Variants["de"].Title != "Datenschutz" {
		t.Errorf("%+v, %v", got, err)
	}
	v.exec(`UPDATE notice SET content = replace(encode(content, 'escape'), 'Example', 'Another')::bytea`)
	_, err = v.NoticeVersion(t.Context(), ref)
	wantCode(t, err, privacy.KindInternal, "notice_tampered")
}

func TestNoticeRefusesWhatIsNone(t *testing.T) {
	t.Parallel()
	v := setup(t)
	variant := func(words custody.NoticeVariant) func(*custody.NoticeContent) {
		return func(c *custody.NoticeContent) { c.Variants["en"] = words }
	}
	hash := strings.Repeat("a", 64)
	for what, c := range map[string]struct {
		spoil func(*custody.NoticeContent)
		place string // in the schema; "" for what a schema cannot say
	}{
		"no controller":     {func(c *custody.NoticeContent) { c.Controller = "" }, "/content/controller"},
		"no purpose":        {func(c *custody.NoticeContent) { c.Purposes = nil }, "/content/purposes"},
		"a purpose of none": {func(c *custody.NoticeContent) { c.Purposes = append(c.Purposes, "Marketing by email") }, "/content/purposes/0"},
		"a long recipient":  {func(c *custody.NoticeContent) { c.Recipients = []string{strings.Repeat("x", 201)} }, "/content/recipients/0"},
		"an unknown right":  {func(c *custody.NoticeContent) { c.Rights = []string{"remain_silent"} }, "/content/rights/0"},
		"no words":          {func(c *custody.NoticeContent) { c.Variants = map[string]custody.NoticeVariant{} }, "/content/variants"},
		"no language":       {func(c *custody.NoticeContent) { c.Variants["no language"] = c.Variants["en"] }, "/content/variants"},
		"no title":          {variant(custody.NoticeVariant{Text: "x"}), "/content/variants/*/title"},
		"no text":           {variant(custody.NoticeVariant{Title: "x"}), "/content/variants/*"},
		"text and uri":      {variant(custody.NoticeVariant{Title: "x", Text: "x", URI: "https://x", SHA256: hash}), "/content/variants/*/text"},
		"uri, no hash":      {variant(custody.NoticeVariant{Title: "x", URI: "https://x"}), "/content/variants/*"},
		"uri, half a hash":  {variant(custody.NoticeVariant{Title: "x", URI: "https://x", SHA256: "ab"}), "/content/variants/*/sha256"},
		"uri in clear":      {variant(custody.NoticeVariant{Title: "x", URI: "http://x", SHA256: hash}), "/content/variants/*/uri"},
		"text and hash":     {variant(custody.NoticeVariant{Title: "x", Text: "x", SHA256: hash}), "/content/variants/*/sha256"},
		"a long text":       {variant(custody.NoticeVariant{Title: "x", Text: strings.Repeat("x", 65537)}), "/content/variants/*/text"},
		"retention":         {func(c *custody.NoticeContent) { c.Retention = "long" }, "/content/retention"},
		"retention twice":   {func(c *custody.NoticeContent) { c.Retention = "P1Y1Y" }, ""},
		"other case":        {func(c *custody.NoticeContent) { c.Variants["EN"] = c.Variants["en"] }, ""},
		"control":           {func(c *custody.NoticeContent) { c.Contact = "a\x07" }, ""},
		"separator":         {func(c *custody.NoticeContent) { c.Contact = "a\u2028" }, ""},
	} {
		notice := content(marketing)
		c.spoil(&notice)
		_, err := v.WriteNotice(t.Context(), officer, custody.NoticeRef{ID: "marketing.email", Version: 1}, notice, 0)
		if privacy.CodeOf(err) != "invalid_notice" {
			t.Errorf("%s: %v", what, err)
		}
		var fault *privacy.FaultError
		if found := errors.As(err, &fault); found != (c.place != "") || found && fault.Places[0].Location != c.place {
			t.Errorf("%s: found %v, %+v", what, found, fault.Places)
		}
	}
	for _, id := range []string{"", "Privacy", "a b", "ä", strings.Repeat("a", 64)} {
		_, err := v.WriteNotice(t.Context(), officer, custody.NoticeRef{ID: id, Version: 1}, content(marketing), 0)
		wantCode(t, err, privacy.KindInvalid, "invalid_notice_id")
	}
}

func TestConsentRestsOnANotice(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	now := v.clock.Read()
	v.clock.Advance(time.Hour)
	ref := v.notice("marketing.email", 1, now.Add(time.Minute), marketing)
	other := v.notice("sales", 1, time.Time{}, "sales.outreach")
	for code, c := range map[string]custody.Consent{
		"unknown_notice":         {Notice: custody.NoticeRef{ID: "marketing.email", Version: 2}},
		"notice_not_for_purpose": {Notice: other},
		"consent_before_notice":  {Notice: ref, OccurredAt: now},
		"notice_not_in_language": {Notice: ref, Locale: "fr"},
		"evidence_too_large":     {Evidence: privacy.NewCleartext(strings.Repeat("x", custody.MaxEvidence+1))},
	} {
		c.Purpose, c.Action = marketing, privacy.ActionGrant
		_, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, c, custody.Once{})
		if privacy.CodeOf(err) != code {
			t.Errorf("%s: %v", code, err)
		}
	}
	if n := v.count(`SELECT count(*) FROM consent_record`); n != 0 {
		t.Errorf("%d records of what was refused", n)
	}
	v.consent(id, custody.Consent{Action: privacy.ActionGrant, Notice: ref, Locale: "de", Evidence: privacy.NewCleartext(`{"form":"ada@example.com"}`)})
	history, err := v.ConsentHistory(t.Context(), id, 0, 1)
	if err != nil || history[0].Notice != ref || len(history[0].NoticeHash) != 32 || len(history[0].Evidence) != 32 || history[0].Locale != "de" {
		t.Errorf("%+v, %v", history, err)
	}
	if n := v.count(`SELECT count(*) FROM consent_evidence WHERE position('ada' in encode(sealed, 'escape')) > 0`); n != 0 {
		t.Error("evidence lies open")
	}
	v.wantFaults(v.verify())
	opened, err := v.Evidence(t.Context(), officer, id, history[0].ID)
	if err != nil || read(opened) != `{"form":"ada@example.com"}` || v.newest(id, 1)[0].Action != audit.ActionEvidenceOpen {
		t.Errorf("evidence: %v", err)
	}
	v.exec(`UPDATE consent_record SET evidence_hash = sha256('another')`)
	_, err = v.Evidence(t.Context(), officer, id, history[0].ID)
	wantCode(t, err, privacy.KindInternal, "sealed_value_not_authentic")
}

// When the minimum version of a purpose rises, older consents stop counting and the preference is to be asked again.
func TestConsentOnAnOutdatedNoticeStopsCounting(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	first, second := v.notice("marketing.email", 1, time.Time{}, marketing), v.notice("marketing.email", 2, time.Time{}, marketing)
	if r := v.consent(id, custody.Consent{Action: privacy.ActionGrant, Notice: first}); r.AskAgain {
		t.Errorf("%+v", r)
	}
	v.wantTold(id, told{"given_name": `"Ada"`})
	v.publish(func(data map[string]any) {
		row := data["purposes"].(map[string]any)["marketing.email"].(map[string]any)
		row["minimum_notice_version"] = json.Number("2")
	})
	v.wantTold(id, told{"given_name": "!notice_outdated"})
	stands, err := v.Stands(t.Context(), id)
	if err != nil || len(stands.Consents) != 1 || !stands.Consents[0].AskAgain || stands.Consents[0].Status != privacy.ConsentGranted {
		t.Errorf("%+v, %v", stands, err)
	}
	if r := v.consent(id, custody.Consent{Action: privacy.ActionGrant, Notice: second}); r.AskAgain {
		t.Errorf("%+v", r)
	}
	v.wantTold(id, told{"given_name": `"Ada"`})
}

func TestConsentLastsAsLongAsThePurposeSays(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	v.publish(func(data map[string]any) {
		data["purposes"].(map[string]any)["marketing.email"].(map[string]any)["lifetime"] = "P1M"
	})
	v.decide(id, privacy.ActionGrant)
	states, err := v.Consents(t.Context(), id)
	if err != nil || !states[0].ExpiresAt.Equal(states[0].OccurredAt.AddDate(0, 1, 0)) {
		t.Errorf("%+v, %v", states, err)
	}
}

// A child's own grant is refused at the door; a guardian's is taken, and so is every refusal.
func TestConsentOfAChild(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("bob@example.com", fields{"given_name": "Bob", "country": "DE", "birth_date": "2012-05-01"})
	_, err := v.act(id, privacy.ActionGrant, marketing, time.Time{})
	wantCode(t, err, privacy.KindInvalid, "guardian_consent_required")
	for _, action := range []privacy.ConsentAction{privacy.ActionDeny, privacy.ActionWithdraw, privacy.ActionObject} {
		v.mustAct(id, action, marketing, time.Time{})
	}
	if r := v.consent(id, custody.Consent{Action: privacy.ActionGrant, By: privacy.ByGuardian}); r.Status != privacy.ConsentGranted {
		t.Errorf("%+v", r)
	}
	unknown := v.put("eve@example.com", fields{"country": "DE"})
	v.mustAct(unknown, privacy.ActionGrant, marketing, time.Time{})
}

// A line that is sent again, at any time, is recorded once; one that cannot be is told so and harms no other.
func TestImportConsentsOnce(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	at := v.clock.Read().Add(-time.Hour)
	lines := func() []custody.ImportedConsent {
		ref := custody.SubjectRef{ID: id}
		return []custody.ImportedConsent{
			{Line: 1, Subject: ref, Consent: custody.Consent{Purpose: marketing, Action: privacy.ActionGrant, OccurredAt: at}},
			{Line: 2, Subject: ref, Consent: custody.Consent{Purpose: "lottery", Action: privacy.ActionGrant}},
			{Line: 3, Subject: ref, Consent: custody.Consent{Purpose: marketing, Action: privacy.ActionWithdraw, OccurredAt: at.Add(time.Minute)}},
		}
	}
	var names []string
	for range 2 {
		done := lines()
		if err := v.ImportConsents(t.Context(), steward, "file", done); err != nil {
			t.Fatal(err)
		}
		if done[0].Err != nil || done[2].Err != nil || done[2].Recorded.Status != privacy.ConsentWithdrawn {
			t.Errorf("%+v", done)
		}
		wantCode(t, done[1].Err, privacy.KindInvalid, "unknown_purpose")
		names = append(names, done[0].Recorded.ID)
	}
	if n := v.count(`SELECT count(*) FROM consent_record`); n != 2 || names[0] != names[1] {
		t.Errorf("%d records, %v", n, names)
	}
}

// read lends a value to a test.
func read(value privacy.Cleartext) (text string) {
	_ = value.Borrow(func(v string) error { text = v; return nil })
	return text
}
