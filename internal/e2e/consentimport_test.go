package e2e_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// A sender whose connection breaks in the midst of a file of consents sends all of it again, under the same key: every line is on the
// ledger once, in the order of the file, and goes by the name it had.
func TestConsentImportIsResumed(t *testing.T) {
	v := setup(t)
	const people, rounds = 50, 24
	ids := v.people(people)
	var file []string
	for round := range rounds {
		for _, id := range ids {
			action := []string{"grant", "withdraw"}[round%2]
			file = append(file, fmt.Sprintf(`{"subject":{"id":%q},"purpose":"marketing.email","action":%q,"occurred_at":"2026-01-02T00:%02d:00Z","evidence":{"round":%d}}`, id, action, round, round))
		}
	}
	send := func(ctx context.Context, body io.Reader) *http.Response {
		t.Helper()
		request, err := http.NewRequestWithContext(ctx, http.MethodPost, v.url+"/v1/consents/import", body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+v.steward())
		request.Header.Set("Content-Type", "application/x-ndjson")
		request.Header.Set("Idempotency-Key", "file-7")
		response, err := v.client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		return response
	}
	type line struct {
		Line    int
		ID      string
		Summary *struct {
			Recorded, Rejected int
			Complete           bool
		}
	}
	recorded := func() (n int) {
		t.Helper()
		if err := v.connect().QueryRow(t.Context(), `SELECT count(*) FROM consent_record`).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}

	ctx, leave := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	go func() {
		_, _ = io.WriteString(writer, strings.Join(file[:len(file)*3/4], "\n")+"\n"+file[len(file)*3/4][:40])
	}()
	response := send(ctx, reader)
	names := map[int]string{}
	answers := json.NewDecoder(response.Body)
	for range 100 {
		var l line
		if err := answers.Decode(&l); err != nil || l.ID == "" {
			t.Fatalf("%+v: %v", l, err)
		}
		names[l.Line] = l.ID
	}
	leave()
	_ = response.Body.Close()
	waitUntil(t, func() bool { return strings.Contains(v.logs.String(), `"route":"POST /v1/consents/import"`) })
	if n := recorded(); n < 100 || n >= len(file) {
		t.Fatalf("%d records were made before the connection broke", n)
	}

	response = send(t.Context(), strings.NewReader(strings.Join(file, "\n")))
	answers = json.NewDecoder(response.Body)
	for {
		var l line
		if err := answers.Decode(&l); err != nil {
			t.Fatal(err)
		}
		if l.Summary != nil {
			if l.Summary.Recorded != len(file) || l.Summary.Rejected != 0 || !l.Summary.Complete {
				t.Errorf("%+v", l.Summary)
			}
			break
		}
		if name := names[l.Line]; name != "" && name != l.ID {
			t.Errorf("line %d became %s, and %s before", l.Line, l.ID, name)
		}
	}
	_ = response.Body.Close()
	if n := recorded(); n != len(file) {
		t.Errorf("%d records of %d lines", n, len(file))
	}
	var history struct {
		Records []struct {
			Action     string
			OccurredAt string `json:"occurred_at"`
		}
	}
	v.get("/v1/subjects/"+ids[7]+"/consents/history?limit=100", v.steward()).into(t, &history)
	for i, r := range history.Records { // newest first
		if want := fmt.Sprintf("2026-01-02T00:%02d:00Z", rounds-1-i); r.OccurredAt != want {
			t.Errorf("record %d of a person is of %s, want %s", i, r.OccurredAt, want)
		}
	}
}
