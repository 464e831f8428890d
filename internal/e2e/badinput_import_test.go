package e2e_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// importLine is one line of an import's answer.
type importLine struct {
	Line    int
	ID      string
	Created bool
	Problem *struct{ Code string }
	Summary *struct {
		Lines, Created, Updated, Rejected int
		Complete                          bool
	}
}

func importRequest(ctx context.Context, t *testing.T, url, token string, body io.Reader) *http.Request {
	t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/v1/subjects/import", body)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/x-ndjson")
	return request
}

func importLines(t *testing.T, a answer) []importLine {
	t.Helper()
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/x-ndjson" {
		t.Fatalf("status %d, %s: %.300s", a.status, a.header.Get("Content-Type"), a.body)
	}
	var lines []importLine
	for decoder := json.NewDecoder(bytes.NewReader(a.body)); decoder.More(); {
		var line importLine
		if err := decoder.Decode(&line); err != nil {
			t.Fatalf("%v in %.300s", err, a.body)
		}
		lines = append(lines, line)
	}
	return lines
}

func profileLine(email, rest string) string {
	return fmt.Sprintf(`{"identifiers":[{"type":"email","value":%q}],"source":"test"%s}`, email, rest)
}

// Each bad line is turned away by number and reason; the good ones beside it are stored.
func TestBadInputImportLines(t *testing.T) {
	v := setup(t)
	known := v.store("known@example.com", object{"city": "Berlin"})
	bad := []struct{ line, code string }{
		{"", ""}, // blank
		{"   \t", ""},
		{marker, "malformed_json"},
		{`{"identifiers":[{"type":"email","value":"` + marker, "malformed_json"},
		{profileLine("a@example.com", "") + marker, "malformed_json"},
		{`[]`, "invalid_request"},
		{`null`, "invalid_source"},
		{profileLine("a@example.com", `,"`+marker+`":1`), "invalid_request"},
		{profileLine("a@example.com", `,"attributes":{"`+marker+`":1}`), "unknown_attribute"},
		{profileLine("a@example.com", `,"attributes":{"income":"`+marker+`"}`), "invalid_attribute_value"},
		{profileLine("a@example.com", `,"attributes":{"city":"`+marker+`\u0000"}`), "nul_character"},
		{profileLine("a@example.com", `,"attributes":{"city":"`+marker+`\ud800"}`), "lone_surrogate"},
		{profileLine("a@example.com", `,"attributes":{"city":"`+marker+"\xff"+`"}`), "invalid_utf8"},
		{profileLine("a@example.com", `,"attributes":{"city":"a","city":"`+marker+`"}`), "duplicate_name"},
		{profileLine("a@example.com", `,"attributes":{"city":`+strings.Repeat("[", 10_000)+`}`), "json_too_deep"},
		{profileLine("a@example.com", `,"regime":"`+marker+`"`), "unknown_regime"},
		{profileLine("a@example.com", `,"collected_at":"2999-01-01T00:00:00Z"`), "collected_in_future"},
		{profileLine(marker, ""), "invalid_identifier"},
		{`{"identifiers":[{"type":"` + marker + `","value":"x"}],"source":"test"}`, "unknown_identifier_type"},
		{`{"identifiers":[],"source":"test"}`, "identifier_missing"},
		{profileLine("a@example.com", `,"attributes":{"city":"`+marker+strings.Repeat("x", 1<<20)+`"}`), "line_too_long"},
		{profileLine("known@example.com", `,"attributes":{"city":"Bonn"}`), ""}, // an update
		{`{"identifiers":[{"type":"email","value":"known@example.com"},{"type":"email","value":"first@example.com"}],"source":"test"}`, "identifier_conflict"},
	}
	var body strings.Builder
	fmt.Fprintln(&body, profileLine("first@example.com", ""))
	for _, b := range bad {
		body.WriteString(b.line + "\r\n")
	}
	body.WriteString(profileLine("last@example.com", "")) // no line end
	// The conflict shows only once first@ is stored.
	if a := v.do(importRequest(t.Context(), t, v.url, v.steward(), strings.NewReader(profileLine("first@example.com", "")))); a.status != http.StatusOK {
		t.Fatalf("status %d: %s", a.status, a.body)
	}
	a := v.do(importRequest(t.Context(), t, v.url, v.steward(), io.MultiReader(strings.NewReader(body.String()))))
	v.wantSilence(t, a)
	lines := importLines(t, a)
	answered := make(map[int]importLine)
	for _, line := range lines[:len(lines)-1] {
		if _, twice := answered[line.Line]; twice {
			t.Errorf("line %d is answered twice", line.Line)
		}
		answered[line.Line] = line
	}
	rejected := 0
	for i, b := range bad {
		line, ok := answered[i+2]
		switch {
		case strings.TrimSpace(b.line) == "":
			if ok {
				t.Errorf("blank line %d is answered: %+v", i+2, line)
			}
		case b.code == "":
			if line.ID != known || line.Created {
				t.Errorf("line %d: %+v", i+2, line)
			}
		case line.Problem == nil || line.Problem.Code != b.code || line.ID != "":
			t.Errorf("line %d: %+v %+v, want %s", i+2, line, line.Problem, b.code)
		}
		if b.code != "" {
			rejected++
		}
	}
	if answered[1].ID == "" || answered[1].Created || !answered[len(bad)+2].Created {
		t.Errorf("first %+v, last %+v", answered[1], answered[len(bad)+2])
	}
	summary := lines[len(lines)-1].Summary
	if summary == nil || summary.Lines != len(bad)+2 || summary.Created != 1 || summary.Updated != 2 || summary.Rejected != rejected || !summary.Complete {
		t.Errorf("summary %+v, %d bad lines", summary, rejected)
	}
}

func TestBadInputImportOfNothing(t *testing.T) {
	v := setup(t)
	for name, body := range map[string]string{"empty": "", "blank": "\n\n \n"} {
		lines := importLines(t, v.do(importRequest(t.Context(), t, v.url, v.steward(), strings.NewReader(body))))
		if len(lines) != 1 || lines[0].Summary == nil || !lines[0].Summary.Complete || lines[0].Summary.Created != 0 {
			t.Errorf("%s: %+v", name, lines)
		}
	}
}

// More comes in than a body may otherwise hold, answers go out meanwhile, and the same person twice
// in one batch is one subject.
func TestBadInputImportStreams(t *testing.T) {
	v := setup(t)
	reader, writer := io.Pipe()
	heard := make(chan struct{})
	go func() {
		filler := strings.Repeat(" ", 20_000)
		for i := range 600 {
			_, _ = fmt.Fprintln(writer, profileLine(fmt.Sprintf("stream%d@example.com", i/2), filler))
		}
		<-heard // the rest is sent once an answer has come
		_, _ = fmt.Fprintln(writer, profileLine("after@example.com", ""))
		_ = writer.Close()
	}()
	response, err := v.client.Do(importRequest(t.Context(), t, v.url, v.steward(), reader))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // read to its end
	first := make([]byte, 1)
	if _, err := io.ReadFull(response.Body, first); err != nil {
		t.Fatal(err)
	}
	close(heard)
	rest, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	lines := importLines(t, answer{response.StatusCode, response.Header, append(first, rest...)})
	summary := lines[len(lines)-1].Summary
	if summary == nil || summary.Created != 301 || summary.Updated != 300 || summary.Rejected != 0 {
		t.Errorf("summary %+v", summary)
	}
}

// A sender who goes away in mid-import leaves whole profiles behind, and can send all of them again.
func TestBadInputImportBreaksOff(t *testing.T) {
	v := setup(t)
	ctx, leave := context.WithCancel(t.Context())
	reader, writer := io.Pipe()
	line := func(i int) string {
		return profileLine(fmt.Sprintf("off%d@example.com", i), `,"attributes":{"city":"Berlin","visits_month":1}`)
	}
	go func() {
		for i := range 700 {
			_, _ = fmt.Fprintln(writer, line(i))
		}
		_, _ = io.WriteString(writer, line(700)[:30])
	}()
	response, err := v.client.Do(importRequest(ctx, t, v.url, v.steward(), reader))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(response.Body, make([]byte, 100)); err != nil { // the first batch is stored
		t.Fatal(err)
	}
	leave()
	_ = response.Body.Close()
	waitUntil(t, func() bool { return strings.Contains(v.logs.String(), `"route":"POST /v1/subjects/import"`) })
	var whole bool
	err = v.connect().QueryRow(t.Context(), `SELECT (SELECT count(*) FROM subject) >= 500 AND (SELECT count(*) FROM attribute_value) = 2 * (SELECT count(*) FROM subject)
		AND (SELECT count(*) FROM subject_identifier) = (SELECT count(*) FROM subject) AND (SELECT count(*) FROM identifier) = (SELECT count(*) FROM subject)
		AND (SELECT count(*) FROM audit_trail WHERE subject_id IS NOT NULL) = (SELECT count(*) FROM subject)`).Scan(&whole)
	if err != nil || !whole {
		t.Errorf("something was half written: %s, %v", v.rows(t), err)
	}
	if strings.Contains(v.logs.String(), `"msg":"panic"`) {
		t.Error("the service panicked")
	}
	var all strings.Builder
	for i := range 701 {
		fmt.Fprintln(&all, line(i))
	}
	lines := importLines(t, v.do(importRequest(t.Context(), t, v.url, v.steward(), strings.NewReader(all.String()))))
	summary := lines[len(lines)-1].Summary
	if summary == nil || summary.Created+summary.Updated != 701 || summary.Updated < 500 {
		t.Errorf("sent again: %+v", summary)
	}
}
