package mail_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	ours "github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/privacy"
)

// A gateway is posted the number and the text, with the token; what it answers says whether to try again, and where else it
// points to is not followed.
func TestGateway(t *testing.T) {
	t.Parallel()
	var status int
	var body, kind, authorisation string
	strayed := 0
	elsewhere := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { strayed++ }))
	defer elsewhere.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		body, kind, authorisation = string(text), r.Header.Get("Content-Type"), r.Header.Get("Authorization")
		w.Header().Set("Location", elsewhere.URL)
		w.WriteHeader(status)
	}))
	gateway, err := ours.NewGateway(server.URL, "t0ken")
	if err != nil {
		t.Fatal(err)
	}
	send := func() error {
		return gateway.Send(t.Context(), privacy.NewCleartext("+4930901820"), ours.Message{Subject: "not sent", Text: `Say "yes"`})
	}
	for code, want := range map[int]privacy.Kind{400: privacy.KindInvalid, 422: privacy.KindInvalid, 302: privacy.KindUnavailable, 307: privacy.KindUnavailable,
		401: privacy.KindUnavailable, 429: privacy.KindUnavailable, 500: privacy.KindUnavailable, 503: privacy.KindUnavailable} {
		status = code
		if err := send(); err == nil || privacy.KindOf(err) != want || strings.Contains(err.Error(), "4930901820") {
			t.Errorf("status %d: %v", code, err)
		}
	}
	for _, code := range []int{200, 202, 204} {
		status = code
		if err := send(); err != nil {
			t.Errorf("status %d: %v", code, err)
		}
	}
	if body != `{"text":"Say \"yes\"","to":"+4930901820"}` || kind != "application/json" || authorisation != "Bearer t0ken" || strayed != 0 {
		t.Errorf("posted %s as %s with %q; strayed %d times", body, kind, authorisation, strayed)
	}
	server.Close()
	if err := send(); privacy.KindOf(err) != privacy.KindUnavailable || strings.Contains(err.Error(), "4930901820") {
		t.Errorf("a gateway that is away: %v", err)
	}
	for _, address := range []string{"", "sms.example", "ftp://sms.example", "https://"} {
		if _, err := ours.NewGateway(address, ""); privacy.CodeOf(err) != "invalid_gateway" {
			t.Errorf("%q: %v", address, err)
		}
	}
}
