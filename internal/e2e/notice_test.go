package e2e_test

import (
	"net/http"
	"strings"
	"testing"
)

// A notice from draft to publication, over the API: who writes over what they have not seen gets a conflict, and what was published stays.
func TestNoticeOverTheAPI(t *testing.T) {
	t.Parallel()
	v := setup(t)
	const path = "/v1/notices/marketing.email/versions/1"
	write := func(edit int, title string) answer {
		return v.call(http.MethodPut, v.url+path, v.officer(), object{"edit": edit, "content": object{"contact": "", "controller": "Example Ltd", "purposes": []string{"marketing.email"},
			"recipients": []string{}, "retention": "P3Y", "rights": []string{}, "variants": object{"en": object{"title": title, "text": "We write."}, "zh-Hans": object{"title": "营销", "text": "我们写信。"}}}})
	}
	if a := write(0, "First"); a.status != http.StatusOK {
		t.Fatalf("write: %d %s", a.status, a.body)
	}
	v.wantProblem(t, write(0, "Unseen"), http.StatusConflict, "notice_changed")
	if a := write(1, "Second"); a.status != http.StatusOK {
		t.Errorf("edit: %d %s", a.status, a.body)
	}
	if a := write(2, ""); a.status != http.StatusUnprocessableEntity || strings.Contains(string(a.body), "We write") {
		t.Errorf("without a title: %d %s", a.status, a.body)
	}
	v.wantProblem(t, v.call(http.MethodPost, v.url+path+"/publish", v.officer(), object{"edit": 1}), http.StatusConflict, "notice_changed")
	v.post(path+"/publish", v.officer(), object{"edit": 2, "valid_from": "2026-01-01T00:00:00Z"}, http.StatusOK)
	v.wantProblem(t, write(2, "Third"), http.StatusConflict, "notice_published")
	v.wantProblem(t, v.call(http.MethodPost, v.url+path+"/publish", v.officer(), object{"edit": 2}), http.StatusConflict, "notice_published")
	v.wantProblem(t, v.call(http.MethodGet, v.url+"/v1/notices/marketing.email/versions/2", v.officer(), nil), http.StatusNotFound, "notice_not_found")
	var published struct {
		Status, Hash string
		ValidFrom    string `json:"valid_from"`
		Content      struct {
			Variants map[string]struct{ Title string }
		}
	}
	v.get(path, v.auditor()).into(t, &published)
	if published.Status != "published" || len(published.Hash) != 64 || published.ValidFrom != "2026-01-01T00:00:00Z" || published.Content.Variants["en"].Title != "Second" || published.Content.Variants["zh-Hans"].Title != "营销" {
		t.Errorf("%+v", published)
	}
}

// What no consent can be is refused with a code of its own, and nothing is recorded.
func TestConsentThatCannotBe(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id, child := v.store("ada@example.com", object{"country": "DE"}), v.store("kim@example.com", object{"country": "DE", "birth_date": "2016-05-01"})
	v.publishNotice("marketing.email", 1, "We write to you.")
	notice := object{"id": "marketing.email", "version": 1}
	for what, c := range map[string]struct {
		id     string
		fields object
		code   string
	}{
		"in the future":       {id, object{"occurred_at": "2999-01-01T00:00:00Z"}, "consent_in_future"},
		"before the notice":   {id, object{"notice": notice, "occurred_at": "2020-01-01T00:00:00Z"}, "consent_before_notice"},
		"on no notice":        {id, object{"notice": object{"id": "marketing.email", "version": 9}}, "unknown_notice"},
		"in another language": {id, object{"notice": notice, "locale": "fr"}, "notice_not_in_language"},
		"for another purpose": {id, object{"notice": notice, "purpose": "sales.outreach"}, "notice_not_for_purpose"},
		"of a child":          {child, object{}, "guardian_consent_required"},
		"before their birth":  {child, object{"occurred_at": "2015-12-30T00:00:00Z"}, "consent_before_birth"},
		"for somebody unborn": {child, object{"occurred_at": "2015-12-30T00:00:00Z", "by": "guardian"}, "consent_before_birth"},
		"before 1970":         {id, object{"occurred_at": "1969-12-31T00:00:00Z"}, "consent_too_early"},
		"without a courier":   {id, object{"confirm": "email"}, "confirmation_unavailable"},
	} {
		body := object{"subject": object{"id": c.id}, "purpose": "marketing.email", "action": "grant"}
		for name, value := range c.fields {
			body[name] = value
		}
		if a := v.call(http.MethodPost, v.url+"/v1/consents", v.steward(), body); a.status != http.StatusUnprocessableEntity || a.code() != c.code {
			t.Errorf("%s: %d %s", what, a.status, a.body)
		}
	}
	for _, who := range []string{id, child} {
		if body := string(v.get("/v1/subjects/"+who+"/consents/history", v.steward()).body); !strings.Contains(body, `"records":[]`) {
			t.Errorf("something was recorded: %s", body)
		}
	}
	// On the day of their birth, wherever that began, their guardian may speak for them.
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": child}, "purpose": "marketing.email", "action": "grant", "by": "guardian", "occurred_at": "2016-04-30T10:00:00Z"}, http.StatusCreated)
}

// An import over HTTP answers line by line, and the same file again, or after it broke off, records nothing twice.
func TestConsentsImportedOverHTTP(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.store("ada@example.com", nil)
	lines := []string{
		`{"subject":{"id":"` + id + `"},"purpose":"marketing.email","action":"grant","occurred_at":"2026-01-02T00:00:00Z","evidence":{"page":2}}`,
		`{"subject":{"id":"` + id + `"},"purpose":"lottery","action":"grant"}`,
		`not a consent`,
		`{"subject":{"identifier":{"type":"email","value":"nobody@example.com"}},"purpose":"marketing.email","action":"grant"}`,
		`{"subject":{"id":"` + id + `"},"purpose":"marketing.email","action":"withdraw","occurred_at":"2026-01-03T00:00:00Z"}`,
	}
	send := func(body string) string {
		t.Helper()
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.url+"/v1/consents/import", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+v.steward())
		request.Header.Set("Content-Type", "application/x-ndjson")
		request.Header.Set("Idempotency-Key", "file-1")
		return string(v.do(request).body)
	}
	first := send(strings.Join(lines[:2], "\n"))
	whole, again := send(strings.Join(lines, "\n")), send(strings.Join(lines, "\n"))
	if !strings.Contains(first, `"recorded":1,"rejected":1,"complete":true`) || !strings.Contains(whole, `"lines":5,"recorded":2,"rejected":3,"complete":true`) {
		t.Errorf("first %s, then %s", first, whole)
	}
	for line, code := range map[string]string{`{"line":2,`: "unknown_purpose", `{"line":3,`: "malformed_json", `{"line":4,`: "subject_not_found"} {
		_, rest, found := strings.Cut(whole, line)
		answered, _, _ := strings.Cut(rest, "\n")
		if !found || !strings.Contains(answered, `"code":"`+code+`"`) || strings.Contains(answered, "nobody@") || strings.Contains(answered, "lottery") {
			t.Errorf("%s %s", line, answered)
		}
	}
	if !strings.Contains(again, `"lines":5,"recorded":2,"rejected":3,"complete":true`) {
		t.Errorf("again %s", again)
	}
	var history struct{ Records []struct{ Action string } }
	v.get("/v1/subjects/"+id+"/consents/history", v.steward()).into(t, &history)
	if len(history.Records) != 2 || history.Records[0].Action != "withdraw" {
		t.Errorf("the ledger has %+v", history.Records)
	}
}
