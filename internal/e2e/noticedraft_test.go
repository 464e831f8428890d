package e2e_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// What is not published yet is for those who may see drafts.
func TestNoticeDraftsAreNotShownToPeople(t *testing.T) {
	v := setup(t)
	const path = "/v1/notices/draft.notice/versions/1"
	a := v.call(http.MethodPut, v.url+path, v.officer(), object{"content": object{"contact": "privacy@example.com", "controller": "Example Ltd", "purposes": []string{"marketing.email"},
		"recipients": []string{}, "retention": "", "rights": []string{"withdrawal"}, "variants": object{"en": object{"title": "Marketing", "text": "not yet"}}}})
	if a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	agent := v.token("desk", privacy.RoleAgent)
	for _, get := range []string{"/v1/notices", "/v1/notices/draft.notice/versions", path} {
		if a := v.call(http.MethodGet, v.url+get, agent, nil); strings.Contains(string(a.body), "not yet") {
			t.Errorf("GET %s as an agent: %d %s", get, a.status, a.body)
		}
		if a := v.get(get, v.auditor()); !strings.Contains(string(a.body), "not yet") {
			t.Errorf("GET %s as an auditor: %s", get, a.body)
		}
	}
	if a := v.call(http.MethodGet, v.url+path, agent, nil); a.code() != "notice_not_found" {
		t.Errorf("got %d %s", a.status, a.body)
	}
}
