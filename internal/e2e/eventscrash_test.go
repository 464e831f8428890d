package e2e_test

import (
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"math/rand/v2"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/node"
)

// A process that tells is killed in the middle of it, with calls on their way: another one finishes, nothing is lost,
// and each subject's events come in order.
func TestEventsSurviveAKill(t *testing.T) {
	v := setupWith(t, soon) // this node does not know the receiver's authority, so it is the other process that tells
	killed := make(chan struct{})
	var kill func()
	told := 0
	r := newReceiver(t, func(call) int {
		if told++; told == 20 {
			kill()
			close(killed)
		}
		return 200
	})
	server := httptest.NewUnstartedServer(r)
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError) // of the handshakes that fail
	server.StartTLS()
	t.Cleanup(server.Close)
	r.url = server.URL + "/hook"
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	authority := filepath.Join(t.TempDir(), "authority.pem")
	if err := os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: server.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	doomed, _ := v.launch([]string{"SSL_CERT_FILE=" + authority}, "--webhook-private")
	kill = func() { _ = doomed.Process.Kill() }
	t.Cleanup(func() { kill(); _ = doomed.Wait() })
	r.register(v, "*")

	ids := v.people(8)
	const rounds = 10
	var writing sync.WaitGroup
	for _, id := range ids {
		writing.Go(func() {
			for i := range rounds {
				v.consent(id, "marketing.email", []string{"grant", "withdraw"}[i%2])
			}
		})
	}
	writing.Wait()
	select {
	case <-killed:
	case <-time.After(2 * time.Minute):
		t.Fatal("the other process told nothing")
	}
	v.adjust = append(v.adjust, func(config *node.Config) { config.Webhooks.RootCAs = roots })
	v.start()
	if n := inOrder(t, r.wait(distinct(rounds*len(ids)))); n != rounds*len(ids) {
		t.Errorf("%d events came", n)
	}
}

// Two nodes write and tell at once, to a receiver that fails every now and then: order holds, and nothing is lost.
func TestEventsKeepOrderOverNodes(t *testing.T) {
	v := setupWith(t, soon)
	_, other := v.start()
	chance := rand.New(rand.NewPCG(1, 2)) // used while the receiver is locked
	r := v.receive(func(call) int { return []int{200, 200, 200, 503, 0}[chance.IntN(5)] }, "marketing.*")
	ids := v.people(6)
	const rounds = 12
	var writing sync.WaitGroup
	steward := v.steward()
	for _, id := range ids {
		writing.Go(func() {
			for i := range rounds {
				url, action := []string{v.url, other}[i%2], []string{"grant", "withdraw"}[i%2]
				if a := v.call("POST", url+"/v1/consents", steward, object{"subject": object{"id": id}, "purpose": "marketing.email", "action": action}); a.status != 201 {
					t.Errorf("%s: %d %s", action, a.status, a.body)
				}
			}
		})
	}
	writing.Wait()
	calls := r.wait(distinct(rounds * len(ids)))
	if n := inOrder(t, calls); n != rounds*len(ids) {
		t.Errorf("%d events came", n)
	}

	// What the database, the jobs' arguments among it, and the logs hold: the secret nowhere, and nobody's address.
	dump, logs := string(v.dump()), v.logs.String()
	for _, silent := range []string{dump, logs} {
		if strings.Contains(silent, "whsec_") || strings.Contains(silent, "person-") {
			t.Error("a secret or an address is in clear")
		}
	}
}
