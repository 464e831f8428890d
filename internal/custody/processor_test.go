package custody_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

var officer = custody.Caller{Caller: privacy.Caller{Client: "officer", Roles: []privacy.Role{privacy.RoleOfficer}}, Request: "q3"}

func mailHouse() custody.ProcessorDraft {
	return custody.ProcessorDraft{Name: "Mail House", Contact: "privacy desk", URL: "https://hooks.example.com/x", Purposes: []privacy.ObjectionScope{"marketing.*"},
		Country: "DE", Agreement: "DPA-1", Active: true}
}

// A secret is shown once, also when the call is repeated, and is nowhere in clear.
func TestProcessorSecretIsShownOnce(t *testing.T) {
	t.Parallel()
	v := setup(t)
	once := custody.Once{Client: "officer", Key: "k1", Operation: "processors-create", Request: []byte("{}")}
	first, err := v.CreateProcessor(t.Context(), officer, mailHouse(), once)
	if err != nil || !strings.HasPrefix(first.Secret, "whsec_") {
		t.Fatal(first.ID, err)
	}
	again, err := v.CreateProcessor(t.Context(), officer, mailHouse(), once)
	if err != nil || again.ID != first.ID || again.Secret != "" {
		t.Errorf("repeated: the same %t, secret %t, %v", again.ID == first.ID, again.Secret != "", err)
	}
	text := strings.TrimPrefix(first.Secret, "whsec_")
	if n := v.count(`SELECT count(*) FROM processor WHERE processor::text LIKE '%' || $1 || '%'`, text); n != 0 {
		t.Error("the secret is in clear in the row")
	}
	if n := v.count(`SELECT count(*) FROM idempotency WHERE convert_from(answer, 'UTF8') LIKE '%' || $1 || '%'`, text); n != 0 {
		t.Error("the secret is in clear in the kept answer")
	}
	if n := v.count(`SELECT count(*) FROM audit_entry WHERE action = 'processor.create' AND object = 'processor/' || $1`, first.ID.String()); n != 1 {
		t.Errorf("%d entries about it", n)
	}
}

func TestProcessorRefusesWhatIsWrong(t *testing.T) {
	t.Parallel()
	v := setup(t)
	for name, c := range map[string]struct {
		change func(*custody.ProcessorDraft)
		code   string
	}{
		"http":             {func(d *custody.ProcessorDraft) { d.URL = "http://example.com/" }, "url_not_https"},
		"a user":           {func(d *custody.ProcessorDraft) { d.URL = "https://a:b@example.com/" }, "invalid_url"},
		"no purposes":      {func(d *custody.ProcessorDraft) { d.Purposes = nil }, "invalid_purposes"},
		"a bad pattern":    {func(d *custody.ProcessorDraft) { d.Purposes = []privacy.ObjectionScope{"mark*"} }, "invalid_purposes"},
		"unknown purpose":  {func(d *custody.ProcessorDraft) { d.Purposes = []privacy.ObjectionScope{"marketing.pigeon"} }, "unknown_purpose"},
		"an unknown kind":  {func(d *custody.ProcessorDraft) { d.Kinds = []privacy.EventKind{"consent.forged"} }, "unknown_kind"},
		"a bad country":    {func(d *custody.ProcessorDraft) { d.Country = "Germany" }, "invalid_processor"},
		"no country":       {func(d *custody.ProcessorDraft) { d.Country = "UK" }, "invalid_processor"},
		"no contact":       {func(d *custody.ProcessorDraft) { d.Contact = "" }, "invalid_processor"},
		"no agreement":     {func(d *custody.ProcessorDraft) { d.Agreement = "" }, "invalid_processor"},
		"an unknown app":   {func(d *custody.ProcessorDraft) { d.Client = "crm-mailr" }, "unknown_client"},
		"no way to it":     {func(d *custody.ProcessorDraft) { d.URL = "" }, "processor_unreachable"},
		"no name":          {func(d *custody.ProcessorDraft) { d.Name = "" }, "invalid_processor"},
		"a name in lines":  {func(d *custody.ProcessorDraft) { d.Name = "a\nb" }, "invalid_processor"},
		"a client in caps": {func(d *custody.ProcessorDraft) { d.Client = "A" }, "invalid_processor"},
	} {
		draft := mailHouse()
		c.change(&draft)
		_, err := v.CreateProcessor(t.Context(), officer, draft, custody.Once{})
		wantCode(t, err, privacy.KindInvalid, c.code)
		if t.Failed() {
			t.Log(name)
		}
	}
	if n := v.count(`SELECT count(*) FROM processor`); n != 0 {
		t.Errorf("%d were stored", n)
	}
}

// Two officers change one processor: the second write is a conflict, and nothing is lost. A retired one stays as it is.
func TestProcessorVersions(t *testing.T) {
	t.Parallel()
	v := setup(t)
	saved, err := v.CreateProcessor(t.Context(), officer, mailHouse(), custody.Once{})
	if err != nil {
		t.Fatal(err)
	}
	one, two := mailHouse(), mailHouse()
	one.Name, two.Name = "One", "Two"
	if _, err := v.UpdateProcessor(t.Context(), officer, saved.ID, 1, one, custody.Once{}); err != nil {
		t.Fatal(err)
	}
	_, err = v.UpdateProcessor(t.Context(), officer, saved.ID, 1, two, custody.Once{})
	wantCode(t, err, privacy.KindConflict, "version_conflict")
	if p, err := v.Processor(t.Context(), saved.ID); err != nil || p.Name != "One" || p.Version != 2 {
		t.Errorf("%s at version %d, %v", p.Name, p.Version, err)
	}
	if _, err := v.RetireProcessor(t.Context(), officer, saved.ID, 2, custody.Once{}); err != nil {
		t.Fatal(err)
	}
	_, err = v.UpdateProcessor(t.Context(), officer, saved.ID, 3, two, custody.Once{})
	wantCode(t, err, privacy.KindConflict, "processor_retired")
	if n := v.count(`SELECT count(*) FROM processor WHERE secret <> '' OR former_secret IS NOT NULL OR active`); n != 0 {
		t.Error("a retired processor keeps its secret")
	}
}

// The feed shows an application the events of the purposes it is granted, and an officer all of them.
func TestFeedShowsWhatIsGranted(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", nil)
	record := func(purpose privacy.PurposeName, action privacy.ConsentAction) {
		if _, err := v.RecordConsent(t.Context(), steward, custody.SubjectRef{ID: id}, custody.Consent{Purpose: purpose, Action: action}, custody.Once{}); err != nil {
			t.Fatal(err)
		}
	}
	record("marketing.email", privacy.ActionGrant)
	record("sales.outreach", privacy.ActionGrant)
	record("marketing.*", privacy.ActionObject)
	record("sales.outreach", privacy.ActionObject)
	if _, err := v.store.Relay(t.Context(), 100, v.clock.read(), 0); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		caller custody.Caller
		want   []string
	}{
		"officer":    {officer, []string{"policy.published ", "consent.granted marketing.email", "consent.granted sales.outreach", "objection.recorded marketing.*", "objection.recorded sales.outreach"}},
		"crm-mailer": {consumer, []string{"policy.published ", "consent.granted marketing.email", "objection.recorded marketing.*"}},
		"a stranger": {custody.Caller{Caller: privacy.Caller{Client: "stranger", Roles: []privacy.Role{privacy.RoleConsumer}}}, []string{"policy.published "}},
	} {
		var got []string
		var cursor custody.EventCursor
		for {
			page, err := v.Feed(t.Context(), c.caller, cursor, 2, 0)
			if err != nil {
				t.Fatal(err)
			}
			if cursor = page.Cursor; len(page.Events) == 0 {
				break
			}
			for _, e := range page.Events {
				got = append(got, string(e.Type)+" "+string(e.Data.Purpose))
			}
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || cursor != 6 { // with the one by which nodes learn of the subject
			t.Errorf("%s sees %q up to %d", name, got, cursor)
		}
	}
}
