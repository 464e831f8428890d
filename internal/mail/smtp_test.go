package mail_test

import (
	"crypto/rand"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"strings"
	"testing"
	"time"

	ours "github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

func sender(t *testing.T, server *testenv.SMTPServer, security ours.Security) *ours.SMTP {
	t.Helper()
	s, err := ours.NewSMTP(ours.SMTPConfig{Host: server.Host, Port: server.Port, From: "Consentry <privacy@example.com>", Security: security,
		Timeout: 5 * time.Second, Now: time.Now, Random: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var ada = privacy.NewCleartext("ada@example.org")

func TestSMTPDelivers(t *testing.T) {
	t.Parallel()
	server := testenv.NewSMTP(t, "")
	message, err := ours.Confirm(ours.Email, "de-AT", ours.Confirmation{Controller: "Müller & Söhne", Purpose: "Werbung", Link: "https://x.example/confirm?l=de#tok_-en", ExpiresAt: time.Now()})
	if err != nil {
		t.Fatal(err)
	}
	if err := sender(t, server, ours.NoTLS).Send(t.Context(), ada, message); err != nil {
		t.Fatal(err)
	}
	letter := <-server.Letters
	parsed, err := mail.ReadMessage(strings.NewReader(letter.Data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(letter.To, "<ada@example.org>") || !strings.Contains(string(text), "https://x.example/confirm?l=de#tok_-en\r\n") || !strings.Contains(string(text), "Müller & Söhne") {
		t.Errorf("%s: %s", letter.To, text)
	}
	if parsed.Header.Get("Auto-Submitted") != "auto-generated" || !strings.HasSuffix(parsed.Header.Get("Message-Id"), "@example.com>") {
		t.Errorf("headers %v", parsed.Header)
	}
}

// What the other side says is not repeated: it quotes addresses.
func TestSMTPFailures(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		refuse   string
		security ours.Security
		to       string
		code     string
	}{
		"refused for good":  {"550 5.1.1 ada@example.org unknown", ours.NoTLS, "ada@example.org", "message_refused"},
		"refused for now":   {"451 4.7.1 ada@example.org greylisted", ours.NoTLS, "ada@example.org", "message_not_sent"},
		"no TLS on offer":   {"", ours.StartTLS, "ada@example.org", "message_not_sent"},
		"not an address":    {"", ours.NoTLS, "ada", "message_refused"},
		"header in address": {"", ours.NoTLS, "ada@example.org\r\nBcc: eve@example.org", "message_refused"},
	} {
		server := testenv.NewSMTP(t, c.refuse)
		err := sender(t, server, c.security).Send(t.Context(), privacy.NewCleartext(c.to), ours.Message{Subject: "s", Text: "t"})
		if privacy.CodeOf(err) != c.code || strings.Contains(err.Error(), "ada") || len(server.Letters) != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := ours.NewSMTP(ours.SMTPConfig{Host: "localhost", Port: 25, From: "nobody", Security: ours.NoTLS}); privacy.CodeOf(err) != "invalid_mail_settings" {
		t.Errorf("a sender without address: %v", err)
	}
}
