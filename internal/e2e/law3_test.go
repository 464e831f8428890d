package e2e_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// consentry builds the command once for all tests and gives its path.
var consentry = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "consentry-e2e-")
	if err != nil {
		return "", err
	}
	name := filepath.Join(dir, "consentry")
	output, err := exec.Command("go", "build", "-o", name, "github.com/consentry/consentry/cmd/consentry").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("%w: %s", err, output)
	}
	return name, nil
})

// process starts a node in a process of its own, which shares nothing with the first but PostgreSQL and
// Vault, and gives its URL.
func (v *vault) process() (url string) {
	v.t.Helper()
	command, url := v.launch(nil)
	v.t.Cleanup(func() {
		_ = command.Process.Signal(syscall.SIGTERM)
		if err := command.Wait(); err != nil && v.t.Context().Err() == nil {
			v.t.Errorf("the second process ended with %v", err)
		}
	})
	return url
}

// launch starts the command as a node, with more of an environment and more flags, and gives it once it serves.
func (v *vault) launch(env []string, flags ...string) (command *exec.Cmd, url string) {
	v.t.Helper()
	name, err := consentry()
	if err != nil {
		v.t.Fatal(err)
	}
	command = exec.CommandContext(v.t.Context(), name, append([]string{"serve", "--listen=127.0.0.1:0", "--rate-limit=1000000",
		"--issuer=" + v.issuer.Config.Issuer, "--audience=" + v.issuer.Config.Audience, "--jwks-file=" + v.issuer.Config.JWKSFile,
		"--vault-kv-mount=" + v.keys.KVMount, "--vault-transit-mount=" + v.keys.TransitMount}, flags...)...)
	command.Env = append(append(os.Environ(), "DATABASE_URL="+v.database, "VAULT_ADDR="+v.keys.Address, "VAULT_TOKEN="+string(v.keys.Auth.Token)), env...)
	command.Stderr = v.logs
	command.Cancel = func() error { return command.Process.Signal(syscall.SIGTERM) }
	stdout, err := command.StdoutPipe()
	if err != nil {
		v.t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		v.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		v.t.Fatalf("the second process did not start: %v\n%s", err, v.logs)
	}
	return command, strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
}

// Withdrawal is immediate: once a withdrawal has returned from one process, no read that another process
// starts later uses the consent. 10,000 times out of 10,000, under load.
func TestLaw3WithdrawThenReadElsewhere(t *testing.T) {
	const (
		withdrawals = 10_000
		workers     = 12
	)
	v := setup(t)
	other := v.process()
	steward, consumer := v.steward(), v.consumer()
	v.client.Transport = &http.Transport{MaxIdleConnsPerHost: 2 * workers}

	var done, released atomic.Int64
	var running sync.WaitGroup
	for w := range workers {
		running.Go(func() {
			email := fmt.Sprintf("law3-%d@example.com", w)
			id := v.store(email, object{"email": email, "country": "DE", "birth_date": "1990-12-10"})
			consent := func(action string) string {
				return fmt.Sprintf(`{"subject":{"id":%q},"purpose":"marketing.email","action":%q}`, id, action)
			}
			ask := fmt.Sprintf(`{"purpose":"marketing.email","attributes":["email"],"subjects":[{"id":%q}]}`, id)
			for done.Add(1) <= withdrawals {
				if a := v.call(http.MethodPost, v.url+"/v1/consents", steward, consent("grant")); a.status != http.StatusCreated {
					t.Errorf("grant: %d %s", a.status, a.body)
					return
				}
				if a := v.call(http.MethodPost, other+"/v1/disclosures", consumer, ask); strings.Contains(string(a.body), email) {
					released.Add(1) // the consent works, so that its withdrawal means something
				}
				if a := v.call(http.MethodPost, v.url+"/v1/consents", steward, consent("withdraw")); a.status != http.StatusCreated {
					t.Errorf("withdraw: %d %s", a.status, a.body)
					return
				}
				a := v.call(http.MethodPost, other+"/v1/disclosures", consumer, ask)
				if a.status != http.StatusOK || strings.Contains(string(a.body), email) || !strings.Contains(string(a.body), "consent_withdrawn") {
					t.Errorf("after a withdrawal: %d %s", a.status, a.body)
					return
				}
			}
		})
	}
	running.Wait()
	if released.Load() != withdrawals {
		t.Errorf("the consent worked %d times of %d before it was withdrawn", released.Load(), withdrawals)
	}
}

// A withdrawal whose clock runs behind the grant's still ends it, and a grant dated before the
// withdrawal does not bring it back.
func TestLaw3ClocksDoNotMatter(t *testing.T) {
	v := setup(t)
	id, _ := v.permitted("law3@example.com")
	record := func(action string, occurred time.Time) string {
		var recorded struct{ Status string }
		v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": action,
			"occurred_at": occurred.Format(time.RFC3339Nano)}, http.StatusCreated).into(t, &recorded)
		return recorded.Status
	}
	now := time.Now()
	if status := record("withdraw", now.Add(-time.Hour)); status != "withdrawn" {
		t.Errorf("a withdrawal with a late clock leads to %s", status)
	}
	if status := record("grant", now.Add(-30*time.Minute)); status != "withdrawn" {
		t.Errorf("a grant dated before it leads to %s", status)
	}
	if d := v.disclose("marketing.email", []string{"email"}, id).Disclosures[0]; d.Withheld["email"] != "consent_withdrawn" {
		t.Errorf("%+v", d)
	}
	if status := record("grant", time.Now()); status != "granted" {
		t.Errorf("a fresh grant leads to %s", status)
	}
	var history struct{ Records []json.RawMessage }
	v.get("/v1/subjects/"+id+"/consents/history", v.steward()).into(t, &history)
	if len(history.Records) != 4 {
		t.Errorf("the ledger has %d records, want 4", len(history.Records))
	}
}
