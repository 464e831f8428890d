package events_test

import (
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/events"
	"github.com/consentry/consentry/internal/privacy"
)

func mailHouse() events.ProcessorDraft {
	return events.ProcessorDraft{Name: "Mail House", Contact: "privacy desk", URL: "https://hooks.example.com/x", Purposes: []privacy.ObjectionScope{"marketing.*"},
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
		change func(*events.ProcessorDraft)
		code   string
	}{
		"http":             {func(d *events.ProcessorDraft) { d.URL = "http://example.com/" }, "url_not_https"},
		"a user":           {func(d *events.ProcessorDraft) { d.URL = "https://a:b@example.com/" }, "invalid_url"},
		"no purposes":      {func(d *events.ProcessorDraft) { d.Purposes = nil }, "invalid_purposes"},
		"a bad pattern":    {func(d *events.ProcessorDraft) { d.Purposes = []privacy.ObjectionScope{"mark*"} }, "invalid_purposes"},
		"unknown purpose":  {func(d *events.ProcessorDraft) { d.Purposes = []privacy.ObjectionScope{"marketing.pigeon"} }, "unknown_purpose"},
		"an unknown kind":  {func(d *events.ProcessorDraft) { d.Kinds = []privacy.EventKind{"consent.forged"} }, "unknown_kind"},
		"a bad country":    {func(d *events.ProcessorDraft) { d.Country = "Germany" }, "invalid_processor"},
		"no country":       {func(d *events.ProcessorDraft) { d.Country = "UK" }, "invalid_processor"},
		"no contact":       {func(d *events.ProcessorDraft) { d.Contact = "" }, "invalid_processor"},
		"no agreement":     {func(d *events.ProcessorDraft) { d.Agreement = "" }, "invalid_processor"},
		"an unknown app":   {func(d *events.ProcessorDraft) { d.Client = "crm-mailr" }, "unknown_client"},
		"no way to it":     {func(d *events.ProcessorDraft) { d.URL = "" }, "processor_unreachable"},
		"no name":          {func(d *events.ProcessorDraft) { d.Name = "" }, "invalid_processor"},
		"a name in lines":  {func(d *events.ProcessorDraft) { d.Name = "a\nb" }, "invalid_processor"},
		"a client in caps": {func(d *events.ProcessorDraft) { d.Client = "A" }, "invalid_processor"},
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
