package e2e_test

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"io"
	"log/slog"
	"mime/quotedprintable"
	"net/http"
	"net/http/httptest"
	"net/mail"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/keyring"
	ours "github.com/consentry/consentry/internal/mail"
	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/receipt"
	"github.com/consentry/consentry/internal/testenv"
)

// startMailing adds a node that sends email, and gives its URL.
func (v *vault) startMailing(server *testenv.SMTPServer) string {
	v.t.Helper()
	face := httptest.NewUnstartedServer(nil)
	public := "http://" + face.Listener.Addr().String()
	smtp, err := ours.NewSMTP(ours.SMTPConfig{Host: server.Host, Port: server.Port, From: "privacy@example.com", Security: ours.NoTLS, Now: time.Now, Random: rand.Reader})
	if err != nil {
		v.t.Fatal(err)
	}
	log := slog.New(slog.NewJSONHandler(v.logs, nil))
	keys, err := keyring.OpenVault(v.t.Context(), v.keys, keyring.Options{Log: log})
	if err != nil {
		v.t.Fatal(err)
	}
	n, err := node.Open(v.t.Context(), node.Config{DatabaseURL: v.database, Keyring: keys, Authn: v.issuer.Config, Log: log, Version: "test", PerSecond: 1e6,
		Confirming: custody.Confirming{Email: smtp, PublicURL: public}})
	if err != nil {
		v.t.Fatal(err)
	}
	face.Config.Handler = n.Handler()
	face.Start()
	v.t.Cleanup(func() {
		face.Close()
		if err := n.Close(context.WithoutCancel(v.t.Context())); err != nil {
			v.t.Error(err)
		}
	})
	return public
}

// Somebody agrees, gets an email through a real SMTP conversation, opens its link, which changes nothing, presses the
// button, and has a receipt that verifies. The link does not work again, and nothing of it is in any log.
func TestConfirmByEmail(t *testing.T) {
	v := setup(t)
	server := testenv.NewSMTP(t, "")
	at := v.startMailing(server)
	id := v.store("ada@example.com", object{"given_name": "Ada", "country": "DE", "language": "zh"})
	var pending recorded
	a := v.call(http.MethodPost, at+"/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": "grant", "confirm": "email"})
	if a.into(t, &pending); a.status != http.StatusCreated || pending.Status != "pending" {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	link := linkTo(t, server, "ada@example.com")
	page := v.call(http.MethodGet, link.String(), "", nil)
	if page.status != http.StatusOK || !strings.Contains(string(page.body), `lang="zh"`) || strings.Contains(string(page.body), link.Fragment) {
		t.Fatalf("the page: status %d: %s", page.status, page.body)
	}
	wantPolicyFits(t, page)
	if withheld := v.disclose("marketing.email", []string{"given_name"}, id).Disclosures[0].Withheld["given_name"]; withheld != "consent_pending" {
		t.Errorf("after the page was opened: %s", withheld)
	}
	press := func(token string) answer {
		return v.call(http.MethodPost, at+"/v1/consents/confirm", "", object{"token": token})
	}
	for _, token := range []string{"", marker, link.Fragment[1:], link.Fragment[:60] + "AAAA"} {
		v.wantProblem(t, press(token), http.StatusUnprocessableEntity, "confirmation_invalid")
	}
	var granted recorded
	if a = press(link.Fragment); a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	a.into(t, &granted)
	if r, err := receipt.Verify(granted.Receipt, v.keySet()); err != nil || granted.Status != "granted" || r.Record.Event.Confirms != pending.ID {
		t.Errorf("%+v: %v", granted, err)
	}
	if got := v.disclose("marketing.email", []string{"given_name"}, id).Disclosures[0].Attributes["given_name"]; got != "Ada" {
		t.Errorf("confirmed, it releases %v", got)
	}
	v.wantProblem(t, press(link.Fragment), http.StatusUnprocessableEntity, "confirmation_invalid")
	for _, secret := range []string{link.Fragment, "ada@example.com"} {
		if strings.Contains(v.logs.String(), secret) {
			t.Errorf("%s is in the log", secret)
		}
	}
	limited := false
	for range 100 {
		limited = limited || press("x").status == http.StatusTooManyRequests
	}
	if !limited {
		t.Error("links can be tried as fast as one likes")
	}
}

// linkTo gives the link of the next letter.
func linkTo(t *testing.T, server *testenv.SMTPServer, address string) *url.URL {
	t.Helper()
	letter := <-server.Letters
	parsed, err := mail.ReadMessage(strings.NewReader(letter.Data))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(quotedprintable.NewReader(parsed.Body))
	if err != nil {
		t.Fatal(err)
	}
	link, err := url.Parse(regexp.MustCompile(`http://\S+`).FindString(string(text)))
	if err != nil || !strings.Contains(letter.To, "<"+address+">") || link.Fragment == "" {
		t.Fatalf("to %s: %s", letter.To, text)
	}
	return link
}

// Of a link that comes too late, was used before, or was tried with too many wrong secrets, the answer is the same, and nothing changes.
func TestLinksThatDoNotWorkAnyMore(t *testing.T) {
	v := setup(t)
	server := testenv.NewSMTP(t, "")
	at := v.startMailing(server)
	for name, c := range map[string]struct {
		before func(press func(token string) answer, token string)
		status string // afterwards
	}{
		"too late": {func(func(string) answer, string) {
			sql(t, v.connect(), `UPDATE confirmation SET expires_at = created_at + interval '1 millisecond'`)
		}, "pending"},
		"used": {func(press func(string) answer, token string) {
			if a := press(token); a.status != http.StatusOK {
				t.Errorf("the first time: %d %s", a.status, a.body)
			}
		}, "granted"},
		"guessed at": {func(press func(string) answer, token string) {
			for range 5 {
				v.wantProblem(t, press(token[:60]+"AAAA"), http.StatusUnprocessableEntity, "confirmation_invalid")
			}
		}, "pending"},
	} {
		address := strings.ReplaceAll(name, " ", "-") + "@example.com"
		id := v.store(address, object{"country": "DE"})
		a := v.call(http.MethodPost, at+"/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": "grant", "confirm": "email"})
		if a.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", name, a.status, a.body)
		}
		link := linkTo(t, server, address)
		press := func(token string) answer {
			return v.call(http.MethodPost, at+"/v1/consents/confirm", "", object{"token": token})
		}
		c.before(press, link.Fragment)
		was := v.rows(t)
		v.wantProblem(t, press(link.Fragment), http.StatusUnprocessableEntity, "confirmation_invalid")
		if is := v.rows(t); is != was {
			t.Errorf("%s: it changed %s to %s", name, was, is)
		}
		var list struct{ Consents []struct{ Status string } }
		v.get("/v1/subjects/"+id+"/consents", v.steward()).into(t, &list)
		if len(list.Consents) != 1 || list.Consents[0].Status != c.status {
			t.Errorf("%s: %+v, want %s", name, list, c.status)
		}
	}
}

// wantPolicyFits checks that the page's policy lets its own script and style run, and nothing else.
func wantPolicyFits(t *testing.T, page answer) {
	t.Helper()
	policy := page.header.Get("Content-Security-Policy")
	for _, element := range []string{"script", "style"} {
		found := regexp.MustCompile(`(?s)<` + element + `>(.*?)</` + element + `>`).FindSubmatch(page.body)
		if found == nil {
			t.Fatalf("the page has no %s", element)
		}
		sum := sha256.Sum256(found[1])
		if !strings.Contains(policy, element+"-src 'sha256-"+base64.StdEncoding.EncodeToString(sum[:])+"'") {
			t.Errorf("the policy does not fit the %s: %s", element, policy)
		}
	}
	if !strings.Contains(policy, "default-src 'none'") || page.header.Get("Referrer-Policy") != "no-referrer" {
		t.Errorf("headers %v", page.header)
	}
}
