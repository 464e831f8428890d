package webhook_test

import (
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"github.com/consentry/consentry/internal/webhook"
)

func secret(t testing.TB) webhook.Secret {
	t.Helper()
	s, err := webhook.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// What is signed here, the reference library verifies, and the other way round; with two secrets, either will do.
func TestSignAgreesWithTheReference(t *testing.T) {
	t.Parallel()
	old, current, other := secret(t), secret(t), secret(t)
	body, now := []byte(`{"type":"consent.withdrawn"}`), time.Now()
	header := webhook.Sign("id-1", now, body, current, old)
	for name, c := range map[string]struct {
		secret webhook.Secret
		good   bool
	}{"the current secret": {current, true}, "the old secret": {old, true}, "another secret": {other, false}} {
		verifier, err := standardwebhooks.NewWebhook(c.secret.Text())
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(body, header); (err == nil) != c.good {
			t.Errorf("%s: the reference says %v", name, err)
		}
		if err := webhook.Verify(header, body, now, c.secret); (err == nil) != c.good {
			t.Errorf("%s: Verify says %v", name, err)
		}
		signature, err := verifier.Sign("id-1", now, body)
		if err != nil {
			t.Fatal(err)
		}
		theirs := header.Clone()
		theirs.Set(webhook.HeaderSignature, "v1a,AAAA v1 "+signature)
		if err := webhook.Verify(theirs, body, now, current, old); (err == nil) != c.good {
			t.Errorf("%s: of the reference's signature Verify says %v", name, err)
		}
	}
}

func TestVerifyRefuses(t *testing.T) {
	t.Parallel()
	s, body, now := secret(t), []byte(`{}`), time.Now()
	change := func(name, value string) http.Header {
		header := webhook.Sign("id-1", now, body, s)
		header.Set(name, value)
		return header
	}
	for name, header := range map[string]http.Header{
		"another id":         change(webhook.HeaderID, "id-2"),
		"no id":              change(webhook.HeaderID, ""),
		"another time":       change(webhook.HeaderTimestamp, fmt.Sprint(now.Unix()+1)),
		"no number for time": change(webhook.HeaderTimestamp, "now"),
		"no signature":       change(webhook.HeaderSignature, ""),
		"another version":    change(webhook.HeaderSignature, strings.Replace(webhook.Sign("id-1", now, body, s).Get(webhook.HeaderSignature), "v1", "v2", 1)),
		"replayed":           webhook.Sign("id-1", now.Add(-webhook.Tolerance-2*time.Second), body, s),
		"from the future":    webhook.Sign("id-1", now.Add(webhook.Tolerance+2*time.Second), body, s),
		"nothing":            {},
	} {
		if err := webhook.Verify(header, body, now, s); !errors.Is(err, webhook.ErrNotAuthentic) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := webhook.Verify(webhook.Sign("id-1", now, body, s), []byte(`{"a":1}`), now, s); err == nil {
		t.Error("another body was accepted")
	}
	if err := webhook.Verify(webhook.Sign("id-1", now, body, s), body, now); err == nil {
		t.Error("accepted without a secret")
	}
}

func TestSecretDoesNotPrint(t *testing.T) {
	t.Parallel()
	s := secret(t)
	encoded, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{fmt.Sprint(s), fmt.Sprintf("%v %+v %x %s %d %q", s, s, s, s, s, s), string(encoded)} {
		if strings.Contains(text, strings.TrimPrefix(s.Text(), "whsec_")) || strings.Contains(text, fmt.Sprintf("%x", s[:])) || !strings.Contains(text, "[secret]") {
			t.Errorf("a secret prints as %s", text)
		}
	}
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	production, development := webhook.New(webhook.Config{}), webhook.New(webhook.Config{Plain: true, Private: true})
	for url, want := range map[string][2]bool{ // in production, in development
		"https://hooks.example.com/consent":             {true, true},
		"https://hooks.example.com:8443":                {true, true},
		"http://hooks.example.com/":                     {},
		"http://127.0.0.1:8080/x":                       {false, true},
		"http://localhost/x":                            {false, true},
		"http://[::1]:1/":                               {false, true},
		"http://localhost.example.com/":                 {},
		"https://user:pw@hooks.example.com/":            {},
		"https://user@hooks.example.com/":               {},
		"https://hooks.example.com/?token=x":            {},
		"https://hooks.example.com/?":                   {},
		"https://hooks.example.com/#x":                  {},
		"https:///path":                                 {},
		"https:hooks.example.com":                       {},
		"ftp://hooks.example.com/":                      {},
		"file:///etc/passwd":                            {},
		"//hooks.example.com/":                          {},
		"":                                              {},
		"https://hooks.example.com/\r\nx":               {},
		"https://hooks.example.com\\@127.0.0.1/":        {},
		"https://h.example/" + strings.Repeat("a", 600): {},
	} {
		for i, sender := range []*webhook.Sender{production, development} {
			if err := sender.CheckURL(url); (err == nil) != want[i] {
				t.Errorf("%q, sender %d: %v", url, i, err)
			} else if err != nil && len(url) > 0 && strings.Contains(err.Error(), url) {
				t.Errorf("%q is repeated", url)
			}
		}
	}
}

// receiver is a server that answers with a status and counts its calls.
func receiver(t *testing.T, answer http.HandlerFunc) (url string, sender *webhook.Sender) {
	t.Helper()
	server := httptest.NewTLSServer(answer)
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	sender = webhook.New(webhook.Config{Private: true, RootCAs: roots, Timeout: time.Minute})
	t.Cleanup(func() { sender.Close(); server.Close() })
	return server.URL + "/hook", sender
}

func TestPostTellsAnswersApart(t *testing.T) {
	t.Parallel()
	status := 0
	calls := 0
	url, sender := receiver(t, func(w http.ResponseWriter, r *http.Request) {
		calls++
		body, _ := io.ReadAll(r.Body)
		if string(body) != "{}" || r.Header.Get("webhook-id") != "id-1" || r.Header.Get("Content-Type") != "application/json" || r.Method != http.MethodPost {
			t.Errorf("got %s %v %s", r.Method, r.Header, body)
		}
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		_, _ = w.Write(make([]byte, 1<<20)) // more than anybody wants to read
	})
	for given, want := range map[int]webhook.Problem{200: "", 202: "", 301: webhook.ProblemRefused, 307: webhook.ProblemRefused, 400: webhook.ProblemRefused,
		404: webhook.ProblemRefused, 410: webhook.ProblemRefused, 429: webhook.ProblemBusy, 500: webhook.ProblemFailed, 503: webhook.ProblemFailed} {
		status, calls = given, 0
		answer, err := sender.Post(t.Context(), url, http.Header{"Webhook-Id": {"id-1"}}, []byte("{}"))
		if err != nil || answer.Status != given || answer.Problem != want || calls != 1 {
			t.Errorf("%d: %+v, %v, %d calls", given, answer, err, calls)
		}
	}
}

func TestPostWithoutAnswer(t *testing.T) {
	t.Parallel()
	url, _ := receiver(t, func(http.ResponseWriter, *http.Request) { t.Error("called") })
	for name, c := range map[string]struct {
		sender *webhook.Sender
		url    string
		want   webhook.Problem
	}{
		"an address of the own network": {webhook.New(webhook.Config{}), url, webhook.ProblemAddress},
		"a name that leads there":       {webhook.New(webhook.Config{}), "https://localhost:1/", webhook.ProblemAddress},
		"the metadata service":          {webhook.New(webhook.Config{Private: true}), "https://169.254.169.254/", webhook.ProblemAddress},
		"the same as IPv6":              {webhook.New(webhook.Config{Private: true}), "https://[::ffff:169.254.169.254]/", webhook.ProblemAddress},
		"an unknown certificate":        {webhook.New(webhook.Config{Private: true}), url, webhook.ProblemTLS},
		"nobody there":                  {webhook.New(webhook.Config{Private: true}), "https://127.0.0.1:1/", webhook.ProblemUnreachable},
		"no such kind of URL":           {webhook.New(webhook.Config{}), "http://example.com/", webhook.ProblemAddress},
	} {
		answer, err := c.sender.Post(t.Context(), c.url, nil, nil)
		if err != nil || answer != (webhook.Answer{Problem: c.want}) {
			t.Errorf("%s: %+v, %v", name, answer, err)
		}
	}
}

func TestPostWaitsSoLong(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	sender := webhook.New(webhook.Config{Private: true, Plain: true, Timeout: 50 * time.Millisecond})
	if answer, err := sender.Post(t.Context(), server.URL, nil, nil); err != nil || answer.Problem != webhook.ProblemTimeout {
		t.Errorf("%+v, %v", answer, err)
	}
}
