package e2e_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/catalogue"
)

// marker stands for whatever a caller sent: it may come back in no problem and no log.
const marker = "Marker-4711"

// wantProblem checks that an answer is the problem wanted, of one request throughout, and that neither
// it nor the log repeats the marker.
func (v *vault) wantProblem(t *testing.T, a answer, status int, code string) {
	t.Helper()
	var problem struct {
		Type, Code string
		Status     int
		Detail     string
		RequestID  string `json:"request_id"`
	}
	if err := json.Unmarshal(a.body, &problem); err != nil || a.status != status || problem.Code != code {
		t.Fatalf("status %d, want %d %s: %.500s", a.status, status, code, a.body)
	}
	if problem.Status != status || problem.Type != "urn:consentry:problem:"+code || problem.Detail == "" || a.header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("not a whole problem: %s %s", a.header.Get("Content-Type"), a.body)
	}
	if id := a.header.Get("X-Request-Id"); problem.RequestID != id || !strings.Contains(v.logs.String(), `"request_id":"`+id+`"`) {
		t.Errorf("request id: header %q, problem %q", id, problem.RequestID)
	}
	v.wantSilence(t, a)
}

func (v *vault) wantSilence(t *testing.T, a answer) {
	t.Helper()
	if header := fmt.Sprint(a.header); strings.Contains(string(a.body)+header, marker) {
		t.Errorf("the answer repeats what was sent: %.500s %s", a.body, header)
	}
	for line := range strings.Lines(v.logs.String()) {
		if strings.Contains(line, marker) {
			t.Fatalf("the log repeats what was sent: %.500s", line)
		}
	}
}

const nobody = "0192f0c1-a2b3-7c4d-8e5f-60718293a4b5"

func TestBadInputRequests(t *testing.T) {
	v := setup(t)
	id, _ := v.permitted("bad@example.com")
	refs := func(n int) string {
		one := make([]string, n)
		for i := range one {
			one[i] = fmt.Sprintf(`{"id":"0192f0c1-a2b3-7c4d-8e5f-%012d"}`, i)
		}
		return strings.Join(one, ",")
	}
	ask := func(purpose, attributes, subjects string) string {
		return fmt.Sprintf(`{"purpose":%q,"attributes":[%s],"subjects":[%s]}`, purpose, attributes, subjects)
	}
	person := func(rest string) string {
		return `{"identifiers":[{"type":"email","value":"marker-4711@example.com"}],"source":"test",` + rest + `}`
	}
	grant := func(rest string) string {
		return `{"subject":{"id":"` + id + `"},"purpose":"marketing.email","action":"grant",` + rest + `}`
	}
	question := func(rest string) string {
		return `{"client":"crm-mailer","purpose":"marketing.email","attributes":["email"],` + rest + `}`
	}
	state := func(key, value string) string {
		s := object{"regime": "gdpr", "country": "DE", "age_band": "18+", "restricted": false, "storage_only": false, "objected": false, "opt_out_signal": false,
			"limit_sensitive": false, "soft_opt_in": false, "consent": object{"status": "granted", "notice_version": 0, "explicit": false, "separate_for": []string{}, "by": "self"}}
		s[key] = json.RawMessage(value)
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return question(`"state":` + string(text))
	}
	const disclosures, subjects, lookup, consents, explain = "POST /v1/disclosures", "POST /v1/subjects", "POST /v1/subjects/lookup", "POST /v1/consents", "POST /v1/decisions/explain"
	patch := "PATCH /v1/subjects/" + id + "/attributes"
	self := `{"id":"` + id + `"}`
	steward, consumer, auditor, officer := v.steward(), v.consumer(), v.auditor(), v.token("desk", "officer")
	for _, c := range []struct {
		name, route, token, body string
		status                   int
		code                     string
	}{
		{"unknown purpose", disclosures, consumer, ask(marker, `"email"`, self), 422, "unknown_purpose"},
		{"no purpose", disclosures, consumer, `{"attributes":["email"],"subjects":[` + self + `]}`, 422, "unknown_purpose"},
		{"unknown attribute", disclosures, consumer, ask("marketing.email", `"`+marker+`"`, self), 422, "unknown_attribute"},
		{"unknown identifier type", disclosures, consumer, ask("marketing.email", `"email"`, `{"identifier":{"type":"`+marker+`","value":"x"}}`), 422, "unknown_identifier_type"},
		{"bad identifier", disclosures, consumer, ask("marketing.email", `"email"`, `{"identifier":{"type":"email","value":"`+marker+`"}}`), 422, "invalid_identifier"},
		{"1,001 subjects", disclosures, consumer, ask("marketing.email", `"email"`, refs(1001)), 422, "too_many_subjects"},
		{"101 attributes", disclosures, consumer, ask("marketing.email", strings.TrimSuffix(strings.Repeat(`"email",`, 101), ","), self), 422, "too_many_attributes"},
		{"no subjects", disclosures, consumer, ask("marketing.email", `"email"`, ""), 422, "subjects_missing"},
		{"no attributes", disclosures, consumer, ask("marketing.email", "", self), 422, "attributes_missing"},
		{"null subjects", disclosures, consumer, `{"purpose":"marketing.email","attributes":["email"],"subjects":null}`, 422, "subjects_missing"},
		{"subject twice by id", disclosures, consumer, ask("marketing.email", `"email"`, self+","+self), 422, "duplicate_subject"},
		{"subject twice, upper case", disclosures, consumer, ask("marketing.email", `"email"`, self+`,{"id":"`+strings.ToUpper(id)+`"}`), 422, "duplicate_subject"},
		{"subject by id and identifier", disclosures, consumer, ask("marketing.email", `"email"`, self+`,{"identifier":{"type":"email","value":"bad@example.com"}}`), 422, "duplicate_subject"},
		{"nobody twice", disclosures, consumer, ask("marketing.email", `"email"`, `{"identifier":{"type":"email","value":"a@example.com"}},{"identifier":{"type":"email","value":" A@example.com"}}`), 422, "duplicate_subject"},
		{"id and identifier in one", disclosures, consumer, ask("marketing.email", `"email"`, `{"id":"`+id+`","identifier":{"type":"email","value":"bad@example.com"}}`), 422, "invalid_subject"},
		{"neither", disclosures, consumer, ask("marketing.email", `"email"`, `{}`), 422, "invalid_subject"},
		{"bad id", disclosures, consumer, ask("marketing.email", `"email"`, `{"id":"`+marker+`"}`), 422, "invalid_id"},
		{"zero id", disclosures, consumer, ask("marketing.email", `"email"`, `{"id":"00000000-0000-0000-0000-000000000000"}`), 404, "subject_not_found"},
		{"unknown key", disclosures, consumer, `{"` + marker + `":1}`, 422, "invalid_request"},
		{"wrong type", disclosures, consumer, `{"purpose":["` + marker + `"]}`, 422, "invalid_request"},
		{"broken JSON", disclosures, consumer, `{"purpose": ` + marker + `}`, 400, "malformed_json"},
		{"truncated JSON", disclosures, consumer, `{"purpose":"` + marker, 400, "malformed_json"},
		{"trailing garbage", disclosures, consumer, ask("marketing.email", `"email"`, self) + marker, 400, "malformed_json"},
		{"10,000 deep", disclosures, consumer, strings.Repeat(`{"subjects":[`, 10_000), 400, "json_too_deep"},
		{"NUL", disclosures, consumer, "{\"purpose\":\"" + marker + "\x00\"}", 400, "nul_character"},
		{"NUL escaped", disclosures, consumer, `{"purpose":"` + marker + `\u0000"}`, 400, "nul_character"},
		{"no UTF-8", disclosures, consumer, "{\"purpose\":\"" + marker + "\xff\"}", 400, "invalid_utf8"},
		{"lone surrogate", disclosures, consumer, `{"purpose":"` + marker + `\ud800"}`, 400, "lone_surrogate"},
		{"name twice", disclosures, consumer, `{"purpose":"marketing.email","purpose":"` + marker + `"}`, 400, "duplicate_name"},
		{"no body", disclosures, consumer, "", 400, "body_missing"},
		{"unknown parameter", disclosures + "?" + marker + "=1", consumer, ask("marketing.email", `"email"`, self), 422, "invalid_request"},
		{"11 MB", disclosures, consumer, `{"purpose":"` + marker + strings.Repeat("x", 11_000_000) + `"}`, 413, "body_too_large"},

		{"unknown attribute of a profile", subjects, steward, person(`"attributes":{"` + marker + `":1}`), 422, "unknown_attribute"},
		{"unknown identifier type of a profile", subjects, steward, `{"identifiers":[{"type":"` + marker + `","value":"x"}],"source":"test"}`, 422, "unknown_identifier_type"},
		{"no identifiers", subjects, steward, `{"identifiers":[],"source":"test"}`, 422, "invalid_request"},
		{"21 identifiers", subjects, steward, `{"identifiers":[` + strings.TrimSuffix(strings.Repeat(`{"type":"email","value":"`+marker+`"},`, 21), ",") + `],"source":"test"}`, 422, "invalid_request"},
		{"source a person", subjects, steward, `{"identifiers":[{"type":"email","value":"a@example.com"}],"source":"` + marker + `@example.com"}`, 422, "invalid_source"},
		{"unknown regime", subjects, steward, person(`"regime":"` + marker + `"`), 422, "unknown_regime"},
		{"collected tomorrow", subjects, steward, person(`"collected_at":"2999-01-01T00:00:00Z"`), 422, "collected_in_future"},
		{"collected, no time", subjects, steward, person(`"collected_at":"` + marker + `"`), 422, "invalid_request"},
		{"10,000 deep in a profile", subjects, steward, person(`"attributes":{"city":` + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000) + `}`), 400, "json_too_deep"},
		{"lone surrogate in a profile", subjects, steward, person(`"attributes":{"city":"` + marker + `\udc00"}`), 400, "lone_surrogate"},
		{"attribute twice", subjects, steward, person(`"attributes":{"city":"a","city":"` + marker + `"}`), 400, "duplicate_name"},
		{"NUL in a profile", subjects, steward, person(`"attributes":{"city":"` + marker + `\u0000"}`), 400, "nul_character"},
		{"broken profile", subjects, steward, person(marker), 400, "malformed_json"},
		{"11 MB of a profile", subjects, steward, person(`"attributes":{"city":"` + marker + strings.Repeat("x", 11_000_000) + `"}`), 413, "body_too_large"},

		{"change nothing", patch, steward, `{"attributes":{},"source":"test"}`, 422, "invalid_request"},
		{"change of nobody", "PATCH /v1/subjects/" + nobody + "/attributes", steward, `{"attributes":{"city":"x"},"source":"test"}`, 404, "subject_not_found"},
		{"change at a bad id", "PATCH /v1/subjects/" + marker + "/attributes", steward, `{"attributes":{"city":"x"},"source":"test"}`, 422, "invalid_id"},
		{"change at a long id", "PATCH /v1/subjects/" + marker + strings.Repeat("x", 80) + "/attributes", steward, `{"attributes":{"city":"x"},"source":"test"}`, 422, "invalid_request"},
		{"unknown attribute of a change", patch, steward, `{"attributes":{"` + marker + `":null},"source":"test"}`, 422, "unknown_attribute"},
		{"source of a change", patch, steward, `{"attributes":{"city":"x"},"source":"` + marker + `"}`, 422, "invalid_source"},

		{"look up nobody", lookup, steward, `{"identifier":{"type":"email","value":"marker-4711@example.com"}}`, 404, "subject_not_found"},
		{"look up an unknown type", lookup, steward, `{"identifier":{"type":"` + marker + `","value":"x"}}`, 422, "unknown_identifier_type"},
		{"look up a long value", lookup, steward, `{"identifier":{"type":"email","value":"` + marker + strings.Repeat("x", 600) + `"}}`, 422, "invalid_request"},

		{"unknown action", consents, steward, strings.Replace(grant(`"by":"self"`), "grant", marker, 1), 422, "invalid_request"},
		{"unknown purpose of a consent", consents, steward, strings.Replace(grant(`"by":"self"`), "marketing.email", marker, 1), 422, "unknown_purpose"},
		{"consent tomorrow", consents, steward, grant(`"occurred_at":"2999-01-01T00:00:00Z"`), 422, "consent_in_future"},
		{"expired before it was given", consents, steward, grant(`"occurred_at":"2025-01-02T00:00:00Z","expires_at":"2025-01-01T00:00:00Z"`), 422, "invalid_expiry"},
		{"expires in the year 1", consents, steward, grant(`"expires_at":"0001-01-01T00:00:00Z"`), 422, "invalid_expiry"},
		{"expiry of a withdrawal", consents, steward, strings.Replace(grant(`"expires_at":"2999-01-01T00:00:00Z"`), "grant", "withdraw", 1), 422, "invalid_expiry"},
		{"expiry, no time", consents, steward, grant(`"expires_at":"` + marker + `"`), 422, "invalid_request"},
		{"unknown scope", consents, steward, grant(`"separate_for":["` + marker + `"]`), 422, "invalid_request"},
		{"six scopes", consents, steward, grant(`"separate_for":["transfer","transfer","transfer","transfer","transfer","transfer"]`), 422, "invalid_request"},
		{"given by a stranger", consents, steward, grant(`"by":"` + marker + `"`), 422, "invalid_request"},
		{"channel a sentence", consents, steward, grant(`"channel":"` + marker + ` said so"`), 422, "invalid_request"},
		{"consent of nobody", consents, steward, strings.Replace(grant(`"by":"self"`), id, nobody, 1), 404, "subject_not_found"},
		{"consents of nobody", "GET /v1/subjects/" + nobody + "/consents", steward, "", 404, "subject_not_found"},
		{"consents at a bad id", "GET /v1/subjects/" + marker + "/consents", steward, "", 422, "invalid_id"},
		{"history, bad cursor", "GET /v1/subjects/" + id + "/consents/history?cursor=" + marker, steward, "", 422, "invalid_cursor"},
		{"history, bad limit", "GET /v1/subjects/" + id + "/consents/history?limit=" + marker, steward, "", 422, "invalid_request"},
		{"history, limit 0", "GET /v1/subjects/" + id + "/consents/history?limit=0", steward, "", 422, "invalid_request"},

		{"explain nothing", explain, officer, question(`"roles":[]`), 422, "invalid_subject"},
		{"explain an unknown role", explain, officer, strings.Replace(state("regime", `"gdpr"`), `"attributes"`, `"roles":["`+marker+`"],"attributes"`, 1), 422, "unknown_role"},
		{"explain an unknown regime", explain, officer, state("regime", `"`+marker+`"`), 422, "invalid_state"},
		{"explain an unknown age", explain, officer, state("age_band", `"`+marker+`"`), 422, "invalid_state"},
		{"explain an unknown country", explain, officer, state("country", `"`+marker+`"`), 422, "invalid_state"},
		{"explain an unknown status", explain, officer, state("consent", `{"status":"`+marker+`","notice_version":0,"explicit":false,"separate_for":[],"by":"self"}`), 422, "invalid_state"},
		{"explain nobody", explain, officer, question(`"subject":{"id":"` + nobody + `"}`), 404, "subject_not_found"},

		{"entries of a bad id", "GET /v1/audit/entries?subject=" + marker, auditor, "", 422, "invalid_id"},
		{"entries since never", "GET /v1/audit/entries?since=" + marker, auditor, "", 422, "invalid_request"},
		{"entries, bad cursor", "GET /v1/audit/entries?cursor=" + marker, auditor, "", 422, "invalid_cursor"},
		{"entries, client NUL", "GET /v1/audit/entries?client=%00" + marker, auditor, "", 422, "invalid_request"},
		{"entries, client no UTF-8", "GET /v1/audit/entries?client=%ff" + marker, auditor, "", 422, "invalid_request"},
		{"entries, purpose no UTF-8", "GET /v1/audit/entries?purpose=%ff" + marker, auditor, "", 422, "invalid_request"},
		{"entries, unknown parameter", "GET /v1/audit/entries?" + marker, auditor, "", 422, "invalid_request"},
		{"entry of a bad name", "GET /v1/audit/entries/" + marker, auditor, "", 422, "invalid_entry_name"},
		{"entry that is not there", "GET /v1/audit/entries/" + nobody + ".0", auditor, "", 404, ""},
		{"replay of what is not there", "GET /v1/audit/entries/" + nobody + ".0/replay", auditor, "", 404, ""},
		{"inclusion of what is not there", "GET /v1/audit/proof/inclusion?entry=" + nobody + ".0", auditor, "", 404, ""},
		{"inclusion of nothing", "GET /v1/audit/proof/inclusion", auditor, "", 422, "invalid_request"},
		{"consistency beyond the end", "GET /v1/audit/proof/consistency?from=18446744073709551615", auditor, "", 422, ""},
		{"consistency backwards", "GET /v1/audit/proof/consistency?from=2&to=1", auditor, "", 422, ""},
		{"consistency of words", "GET /v1/audit/proof/consistency?from=" + marker, auditor, "", 422, "invalid_request"},

		{"wrong method", "DELETE /v1/disclosures", consumer, "", 405, "method_not_allowed"},
		{"unknown path", "GET /v1/" + marker, consumer, "", 404, "no_such_route"},
	} {
		t.Run(c.name, func(t *testing.T) {
			method, path, _ := strings.Cut(c.route, " ")
			before := v.rows(t)
			a := v.call(method, v.url+path, c.token, c.body)
			if c.code == "" {
				c.code = a.code()
			}
			v.wantProblem(t, a, c.status, c.code)
			if after := v.rows(t); after != before {
				t.Errorf("something was written: %s, before %s", after, before)
			}
		})
	}
}

// rows counts what there is of everything that a request could write. That somebody was asked about
// goes on record, whatever comes of it, and does not count.
func (v *vault) rows(t testing.TB) string {
	t.Helper()
	conn := v.connect()
	defer conn.Close(t.Context()) //nolint:errcheck // read only
	var counts string
	err := conn.QueryRow(t.Context(), `SELECT concat_ws(' ', (SELECT count(*) FROM subject), (SELECT count(*) FROM identifier), (SELECT count(*) FROM subject_identifier),
		(SELECT count(*) FROM attribute_value), (SELECT sum(version) FROM subject), (SELECT count(*) FROM consent_record), (SELECT count(*) FROM consent_state), (SELECT count(*) FROM audit_trail WHERE action NOT IN ('subject.lookup', 'decision.explain', 'profile.read', 'request.read')), (SELECT count(*) FROM idempotency))`).Scan(&counts)
	if err != nil {
		t.Fatal(err)
	}
	return counts
}

// Every attribute of the catalogue refuses what is not of its type, and says only what it expects.
func TestBadInputAttributeTypes(t *testing.T) {
	v := setup(t)
	words, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	text := `"` + marker + ` ?!"`
	wrong := map[catalogue.Type][]string{
		catalogue.TypeString:  {`["` + marker + `"]`, `{"a":"` + marker + `"}`, `"` + marker + `\u0001"`, `""`, `"` + strings.Repeat(marker, 1000) + `"`},
		catalogue.TypeInteger: {text, "1.5", "true", "[1]", "1e999", "99999999999999999999"},
		catalogue.TypeMoney:   {text, "1.234", "true", "{}", "1e999"},
		catalogue.TypeDecimal: {text, "true", "[]", "1e999", "0.12345678901234567890"},
		catalogue.TypeBoolean: {text, "2", "[]"},
		catalogue.TypeDate:    {text, `"1990-13-01"`, `"1990-02-30"`, "19900101.5", "true"},
		catalogue.TypeYear:    {text, "19", "12345", "1990.5", "true"},
		catalogue.TypeEnum:    {text, "1.5", "true", "[]"},
		catalogue.TypeStrings: {"5", `{"a":"` + marker + `"}`, `["` + marker + `",7]`, `[["` + marker + `"]]`},
		catalogue.TypeAmounts: {text, `["` + marker + `"]`, `{"` + marker + `":"x"}`, `{"` + marker + `":{}}`, "5"},
	}
	id := v.store("types@example.com", object{"email": "types@example.com"})
	before := v.rows(t)
	for _, attribute := range words.Attributes() {
		if len(wrong[attribute.Type]) == 0 {
			t.Fatalf("no wrong values for type %s", attribute.Type)
		}
		for _, value := range wrong[attribute.Type] {
			body := fmt.Sprintf(`{"attributes":{%q:%s},"source":"test"}`, attribute.Name, value)
			a := v.call(http.MethodPatch, v.url+"/v1/subjects/"+id+"/attributes", v.steward(), body)
			if a.status != http.StatusUnprocessableEntity || a.code() != "invalid_attribute_value" && !strings.Contains(value, "e999") { // beyond JSON's own numbers
				t.Errorf("%s takes %.60s: status %d: %.200s", attribute.Name, value, a.status, a.body)
			}
			v.wantSilence(t, a)
		}
	}
	if after := v.rows(t); after != before {
		t.Errorf("something was written: %s, before %s", after, before)
	}
}

// A body just under the limit is read, however it is sent; lies about its length are found out.
func TestBadInputBodies(t *testing.T) {
	v := setup(t)
	id, _ := v.permitted("body@example.com")
	good := `{"purpose":"marketing.email","attributes":["email"],"subjects":[{"id":"` + id + `"}]}`
	post := func(body io.Reader) answer {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.url+"/v1/disclosures", body)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+v.consumer())
		return v.do(request)
	}
	padded := good + strings.Repeat(" ", 10<<20-1-len(good))
	if a := post(strings.NewReader(padded)); a.status != http.StatusOK {
		t.Errorf("just under the limit: status %d: %.200s", a.status, a.body)
	}
	if a := post(io.MultiReader(strings.NewReader(padded))); a.status != http.StatusOK { // no length known: chunked
		t.Errorf("just under the limit, chunked: status %d: %.200s", a.status, a.body)
	}
	v.wantProblem(t, post(io.MultiReader(strings.NewReader(padded+marker))), http.StatusRequestEntityTooLarge, "body_too_large")
	for name, c := range map[string]struct {
		length int
		ends   bool
		code   string
	}{"longer than announced": {10, false, "malformed_json"}, "shorter than announced": {len(good) + 10, true, "body_cut_short"}} {
		t.Run(name, func(t *testing.T) {
			v.wantProblem(t, v.raw(t, c.ends, fmt.Sprintf("POST /v1/disclosures HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", v.consumer(), c.length, good)), http.StatusBadRequest, c.code)
		})
	}
	t.Run("chunks that break off", func(t *testing.T) {
		v.wantProblem(t, v.raw(t, true, "POST /v1/disclosures HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+v.consumer()+"\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"pur"), http.StatusBadRequest, "body_cut_short")
	})
	t.Run("two lengths", func(t *testing.T) {
		a := v.raw(t, true, "POST /v1/disclosures HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+v.consumer()+"\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ")
		if a.status != http.StatusBadRequest {
			t.Errorf("status %d", a.status)
		}
	})
}

// raw sends bytes over a connection, ends its own side if asked to, and reads what comes back.
func (v *vault) raw(t *testing.T, ends bool, text string) answer {
	t.Helper()
	address, err := url.Parse(v.url)
	if err != nil {
		t.Fatal(err)
	}
	connection, err := net.Dial("tcp", address.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer connection.Close() //nolint:errcheck // read to its end
	_ = connection.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(connection, text); err != nil {
		t.Fatal(err)
	}
	if ends {
		if err := connection.(*net.TCPConn).CloseWrite(); err != nil {
			t.Fatal(err)
		}
	}
	return readAnswer(t, connection)
}
