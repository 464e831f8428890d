package e2e_test

import (
	"encoding/csv"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/consentry/consentry/internal/node"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/schemas"
)

// exported is data.json, as far as tests look at it.
type exported struct {
	Head struct {
		Kind, Language, Request, Subject string
	}
	Attributes []struct {
		Name, Title, Source, Retention, Derivation string
		Value                                      any
		KeptUntil                                  *time.Time `json:"kept_until"`
		Purposes                                   []struct{ Name, Title string }
		DerivedFrom                                []string `json:"derived_from"`
	}
	Identifiers []struct{ Type, Value string }
	Derived     []struct {
		Name, Value, Derivation string
		From                    []string
	}
	Consents []struct {
		Action   string
		Purpose  struct{ Name string }
		Evidence string
		Notice   *struct {
			ID      string
			Version int
		}
	}
	Notices []struct{ ID, Text, Language string }
	Signals []struct {
		Kind, Value string
		Effects     []object
	}
	Disclosures []struct {
		ID        string
		Recipient struct{ Client, Role string }
		Purpose   struct{ Name string }

		Attributes map[string]string
		Withheld   []string
	}
	Requests []struct {
		ID, Type, State string
		Details         []map[string]any
	}
}

// value finds the value of an attribute, nil when it is not there.
func (e *exported) value(name string) any {
	for _, a := range e.Attributes {
		if a.Name == name {
			return a.Value
		}
	}
	return nil
}

// askFor has a subject ask for their data, and waits until they have it.
func (v *vault) askFor(kind, id string) (request string) {
	v.t.Helper()
	var lodged rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": kind}, http.StatusCreated).into(v.t, &lodged)
	if done := v.closed(lodged.ID); done.State != "completed" {
		v.t.Fatalf("%s: %+v", kind, done)
	}
	return lodged.ID
}

// link gets a link to the file of a request.
func (v *vault) link(request, id string) string {
	v.t.Helper()
	var link struct{ Token, Path string }
	v.post("/v1/requests/"+request+"/export/link", v.self(id), object{}, http.StatusCreated).into(v.t, &link)
	if link.Path != "/export#"+link.Token {
		v.t.Errorf("the page of the link is %s", link.Path)
	}
	return link.Token
}

// fetch uses a link up.
func (v *vault) fetch(token string) answer {
	v.t.Helper()
	return v.call(http.MethodPost, v.url+"/v1/exports/fetch", "", object{"token": token})
}

// takeAway fetches the file of a request, holds it to its schema, and gives what is in it.
func (v *vault) takeAway(request, id string) (data exported, files map[string]string) {
	v.t.Helper()
	a := v.fetch(v.link(request, id))
	if a.status != http.StatusOK || a.header.Get("Content-Type") != "application/zip" || a.header.Get("Cache-Control") != "no-store" {
		v.t.Fatalf("fetched: %d %v %.300s", a.status, a.header, a.body)
	}
	t, ok := v.t.(*testing.T)
	if !ok {
		v.t.Fatal("not in a benchmark")
	}
	files = unzip(t, a.body)
	answer{body: []byte(files["data.json"])}.into(t, &data)
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(files["data.json"]))
	if err != nil {
		t.Fatal(err)
	}
	if err := exportSchema(t).Validate(document); err != nil {
		t.Errorf("data.json: %v", err)
	}
	return data, files
}

func exportSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	text, err := fs.ReadFile(schemas.FS, "export.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	compiler := jsonschema.NewCompiler()
	if err := compiler.AddResource("export", document); err != nil {
		t.Fatal(err)
	}
	compiler.AssertFormat()
	schema, err := compiler.Compile("export")
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

func rowsOf(t *testing.T, table string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(table, "\ufeff"))).ReadAll()
	if err != nil || len(rows) == 0 || !strings.HasPrefix(table, "\ufeff") {
		t.Fatalf("no table: %v", err)
	}
	return rows
}

// Somebody asks for everything that is held about them, and gets it: each value with where it came from, how long it is kept and what
// for; what was agreed and under which notice; who received what; and how the rest came about.
func TestExportHoldsAllThatIsHeld(t *testing.T) {
	v := setup(t)
	const email, given, said = "export.person@example.com", "=Exportia <b>", "Bitte um Auskunft, Az. 4711"
	id := v.store(email, object{"email": email, "given_name": given, "country": "DE", "birth_date": "1990-12-10", "interests": []string{"wine", "chess"},
		"average_basket": 41.5, "orders_total": 12})
	v.publishNotice("marketing.email", 1, "We write to you about wine.")
	v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": "grant", "notice": object{"id": "marketing.email", "version": 1},
		"channel": "web", "evidence": object{"form": "evidence-of-exportia"}}, http.StatusCreated)
	v.consent(id, "analytics.profiling", "deny")
	v.post("/v1/subjects/"+id+"/signals", v.steward(), object{"gpc": true}, http.StatusCreated)
	v.disclose("marketing.email", []string{"email", "given_name"}, id)
	v.disclose("marketing.sms", []string{"email"}, id)

	var lodged rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "access", "details": object{"text": said}}, http.StatusCreated).into(t, &lodged)
	v.closed(lodged.ID)
	data, files := v.takeAway(lodged.ID, id)
	if data.Head.Kind != "access" || data.Head.Language != "en" || data.Head.Request != lodged.ID || data.Head.Subject != id {
		t.Errorf("the head is %+v", data.Head)
	}
	if data.value("email") != email || data.value("given_name") != given || data.value("orders_total") != 12.0 || data.value("average_basket") != 41.5 || data.value("interests").([]any)[1] != "wine" {
		t.Errorf("the values are %+v", data.Attributes)
	}
	for _, a := range data.Attributes {
		if a.Source != "test" || a.Title == "" || a.Retention == "" || a.KeptUntil == nil || a.KeptUntil.Before(time.Now()) {
			t.Errorf("%+v", a)
		}
		if a.Name == "email" && (len(a.Purposes) < 2 || a.Purposes[0].Title == "") {
			t.Errorf("email may be used for %v", a.Purposes)
		}
		if a.Name == "average_basket" && (len(a.DerivedFrom) != 2 || !strings.Contains(a.Derivation, "Worked out from: ")) {
			t.Errorf("how it came about: %+v", a)
		}
	}
	if len(data.Identifiers) != 1 || data.Identifiers[0].Value != email {
		t.Errorf("the identifiers are %+v", data.Identifiers)
	}
	band := false
	for _, d := range data.Derived {
		band = band || d.Name == "age_band" && d.Value == "35-44" && strings.Contains(d.Derivation, "Date of birth")
	}
	if !band {
		t.Errorf("worked out: %+v", data.Derived)
	}
	if c := data.Consents; len(c) != 2 || c[0].Action != "grant" || c[0].Notice == nil || c[0].Notice.Version != 1 || !strings.Contains(c[0].Evidence, "evidence-of-exportia") || c[1].Action != "deny" {
		t.Errorf("the consents are %+v", c)
	}
	if n := data.Notices; len(n) != 1 || n[0].Text != "We write to you about wine." || n[0].Language != "en" {
		t.Errorf("the notices are %+v", n)
	}
	if d := data.Disclosures; len(d) != 2 || d[0].Purpose.Name != "marketing.sms" || len(d[0].Attributes) != 0 || d[0].Withheld[0] != "email" ||
		d[1].Recipient.Client != "crm-mailer" || d[1].Recipient.Role == "" || d[1].Attributes["email"] != "plain" {
		t.Errorf("the disclosures are %+v", d)
	}
	if r := data.Requests; len(r) != 1 || r[0].ID != lodged.ID || len(r[0].Details) != 1 || r[0].Details[0]["text"] != said {
		t.Errorf("the requests are %+v", r)
	}

	page := files["index.html"]
	for _, text := range []string{`<html lang="en">`, "=Exportia &lt;b&gt;", email, "crm-mailer", "We write to you about wine.", "Global Privacy Control", "wine; chess"} {
		if !strings.Contains(page, text) && !strings.Contains(page, "chess; wine") {
			t.Errorf("the page does not say %q", text)
		}
	}
	table := rowsOf(t, files["attributes.csv"])
	for _, row := range table[1:] {
		if row[0] == "given_name" && row[2] != "'"+given { // no formula
			t.Errorf("the table says %v", row)
		}
	}
	for name, rows := range map[string]int{"attributes": len(data.Attributes), "consents": 2, "disclosures": 2, "signals": 1, "requests": 1, "notices": 1, "identifiers": 1, "derived": len(data.Derived)} {
		if table := rowsOf(t, files[name+".csv"]); len(table) != rows+1 {
			t.Errorf("%s.csv has %d rows", name, len(table))
		}
	}

	var entries struct {
		Entries []struct{ Action, Object string }
	}
	v.get("/v1/audit/entries?subject="+id, v.auditor()).into(t, &entries)
	told := map[string]int{}
	for _, e := range entries.Entries {
		told[e.Action]++
	}
	if told["export.make"] != 1 || told["export.link"] != 1 || told["export.fetch"] != 1 {
		t.Errorf("on record: %v", told)
	}
	dump, logs := string(v.dump()), v.logs.String()
	for _, text := range []string{email, given, said, "evidence-of-exportia"} {
		if strings.Contains(dump, text) || strings.Contains(dump, fmt.Sprintf("%x", text)) || strings.Contains(logs, text) {
			t.Errorf("%q is in clear", text)
		}
	}
}

// What is taken to another provider has what the person provided, for programs, and nothing that others made of it; and is told in the
// person's language.
func TestPortabilityHoldsWhatWasProvided(t *testing.T) {
	v := setup(t)
	id := v.store("portable@example.com", object{"email": "portable@example.com", "country": "CN", "language": "zh-CN", "average_basket": 41.5, "recency_days": 3, "interests": []string{"wine"}})
	v.consent(id, "marketing.email", "grant")
	v.disclose("marketing.email", []string{"email"}, id)
	data, files := v.takeAway(v.askFor("portability", id), id)
	if data.value("email") != "portable@example.com" || data.value("interests") == nil || data.value("average_basket") != nil || data.value("recency_days") != nil {
		t.Errorf("the values are %+v", data.Attributes)
	}
	if len(data.Consents) != 1 || len(data.Identifiers) != 1 || data.Head.Language != "zh" {
		t.Errorf("it has %+v", data)
	}
	if len(files) != 4 {
		t.Errorf("the files are %v", len(files))
	}
	for _, name := range []string{"derived", "disclosures", "requests", "signals"} {
		if strings.Contains(files["data.json"], `"`+name+`":`) {
			t.Errorf("there are %s in it", name)
		}
	}
	_, files = v.takeAway(v.askFor("access", id), id)
	if page := files["index.html"]; !strings.Contains(page, `<html lang="zh">`) || !strings.Contains(page, "您的个人信息") || !strings.Contains(page, "电子邮箱") || !strings.Contains(page, "由以下信息推算得出") {
		t.Errorf("the page is %.2000s", page)
	}
}

// Only the subject gets a link, only the newest works, once; a request that nobody has proved, or that was refused, gives none; and
// looking at a link changes nothing.
func TestExportLinkWorksOnceForItsSubject(t *testing.T) {
	time0, bag := &clock{}, &postbag{}
	v := setupWith(t, time0.set, func(c *node.Config) { c.Confirming.Email = bag })
	id := v.store("linked@example.com", object{"email": "linked@example.com", "country": "DE"})
	other := v.store("unlinked@example.com", object{"email": "unlinked@example.com", "country": "DE"})
	request := v.askFor("access", id)
	path := "/v1/requests/" + request + "/export"
	for name, token := range map[string]string{"another subject": v.self(other), "an auditor": v.auditor(), "a consumer": v.consumer(), "an admin": v.token("root", privacy.RoleAdmin)} {
		if a := v.call(http.MethodPost, v.url+path+"/link", token, object{}); a.status != http.StatusForbidden || strings.Contains(string(a.body), id) {
			t.Errorf("%s gets a link: %d %s", name, a.status, a.body)
		}
	}
	for name, token := range map[string]string{"another subject": v.self(other), "a consumer": v.consumer()} {
		if a := v.call(http.MethodGet, v.url+path, token, nil); a.status != http.StatusForbidden {
			t.Errorf("%s is told of the file: %d %s", name, a.status, a.body)
		}
	}
	for name, token := range map[string]string{"an agent": v.agent(), "an officer": v.officer()} {
		if a := v.call(http.MethodPost, v.url+path+"/link", token, object{}); a.status != http.StatusConflict || a.code() != "no_verified_address" {
			t.Errorf("%s gets a link: %d %s", name, a.status, a.body)
		}
	}
	first := v.link(request, id)
	time0.pass(time.Hour)
	if a := v.fetch(first); a.code() != "export_link_invalid" {
		t.Errorf("an hour later: %d %s", a.status, a.body)
	}
	time0.pass(-time.Hour)
	first = v.link(request, id)
	second := v.link(request, id)
	before := v.exportRows()
	v.get(path, v.self(id))
	v.get("/export", "")
	v.get("/v1/me/exports", v.self(id))
	if after := v.exportRows(); after != before {
		t.Errorf("looking changes something: %s, before %s", after, before)
	}
	for name, token := range map[string]string{"replaced": first, "cut": second[1:], "changed": second[:len(second)-2] + "AA", "empty": "", "of nothing": "AAAA"} {
		if a := v.fetch(token); a.status != http.StatusUnprocessableEntity || token != "" && a.code() != "export_link_invalid" {
			t.Errorf("a link that is %s: %d %s", name, a.status, a.body)
		}
	}
	var running sync.WaitGroup
	var fetched atomic.Int32
	for range 8 { // at once, as a person and their mail's scanner might
		running.Go(func() {
			if a := v.fetch(second); a.status == http.StatusOK {
				fetched.Add(1)
			} else if a.code() != "export_link_invalid" {
				t.Errorf("the link: %d %s", a.status, a.body)
			}
		})
	}
	if running.Wait(); fetched.Load() != 1 {
		t.Errorf("the link was good for %d of eight", fetched.Load())
	}
	if a := v.fetch(second); a.code() != "export_link_invalid" {
		t.Errorf("the link again: %d %s", a.status, a.body)
	}
	if strings.Contains(string(v.dump()), second) || strings.Contains(v.logs.String(), second) {
		t.Error("the link is in clear")
	}

	// A request that came by an identifier waits for its proof.
	var asked rightsRequest
	v.post("/v1/requests", v.agent(), object{"type": "access", "identifier": object{"type": "email", "value": "unlinked@example.com"}}, http.StatusCreated).into(t, &asked)
	for _, token := range []string{v.self(other), v.officer()} {
		if a := v.call(http.MethodGet, v.url+"/v1/requests/"+asked.ID+"/export", token, nil); a.status != http.StatusConflict || a.code() != "export_not_ready" {
			t.Errorf("before the proof: %d %s", a.status, a.body)
		}
	}
	if a := v.call(http.MethodPost, v.url+"/v1/requests/"+asked.ID+"/export/link", v.self(other), object{}); a.code() != "export_not_ready" {
		t.Errorf("a link before the proof: %d %s", a.status, a.body)
	}
	v.post("/v1/requests/"+asked.ID+"/reject", v.officer(), object{"ground": "not_identified"}, http.StatusOK)
	if a := v.call(http.MethodPost, v.url+"/v1/requests/"+asked.ID+"/export/link", v.self(other), object{}); a.code() != "export_not_ready" {
		t.Errorf("a link after the refusal: %d %s", a.status, a.body)
	}
}

// Who has no token of their own is sent the link, at once and whenever an agent asks for it: it is nowhere else.
func TestExportLinkIsSentToWhoHasNoToken(t *testing.T) {
	bag := &postbag{}
	v := setupWith(t, func(c *node.Config) { c.Confirming.Email, c.Confirming.PublicURL = bag, "https://privacy.example.com" })
	var stored struct{ ID string }
	v.post("/v1/subjects", v.steward(), object{"identifiers": []object{{"type": "email", "value": "sent@example.com", "verified": true}}, "source": "test",
		"attributes": object{"email": "sent@example.com", "country": "DE", "language": "de"}}, http.StatusCreated).into(t, &stored)
	var r rightsRequest
	v.post("/v1/requests", v.agent(), object{"type": "access", "identifier": object{"type": "email", "value": "sent@example.com"}}, http.StatusCreated).into(t, &r)
	v.post("/v1/requests/"+r.ID+"/verify", v.agent(), object{"code": bag.code(t, 1)}, http.StatusOK)
	v.closed(r.ID)
	first := bag.link(t, 2)
	a := v.call(http.MethodPost, v.url+"/v1/requests/"+r.ID+"/export/link", v.agent(), object{})
	var told struct {
		Sent  bool
		Token string
	}
	if a.into(t, &told); a.status != http.StatusCreated || !told.Sent || told.Token != "" || strings.Contains(string(a.body), "#") {
		t.Errorf("the agent is told %d %s", a.status, a.body)
	}
	second := bag.link(t, 3)
	if a := v.fetch(first); a.code() != "export_link_invalid" {
		t.Errorf("the first link, after the second was sent: %d %s", a.status, a.body)
	}
	if strings.Contains(string(v.dump()), second) || strings.Contains(v.logs.String(), second) {
		t.Error("the link is in clear")
	}
	if a := v.fetch(second); a.status != http.StatusOK || len(unzip(t, a.body)) != 10 {
		t.Errorf("the link: %d %.300s", a.status, a.body)
	}
}

// link waits for the n-th message and takes the token of its link out of it.
func (b *postbag) link(t testing.TB, n int) string {
	t.Helper()
	text := b.text(t, n)
	if !strings.Contains(text, "Datei mit Ihren Daten") {
		t.Errorf("the message is %q", text)
	}
	_, token, _ := strings.Cut(text, "https://privacy.example.com/export?l=de#")
	token, _, _ = strings.Cut(token, "\n")
	return token
}

func (v *vault) exportRows() (rows string) {
	v.t.Helper()
	conn := v.connect()
	defer conn.Close(v.t.Context()) //nolint:errcheck // read only
	if err := conn.QueryRow(v.t.Context(), `SELECT (SELECT string_agg(e::text, ';') FROM export e) || (SELECT count(*) FROM export_chunk) || (SELECT count(*) FROM audit_entry)`).Scan(&rows); err != nil {
		v.t.Fatal(err)
	}
	return rows
}

// A file goes with its time, and with its subject: with every chunk of it.
func TestExportGoesWithItsTimeAndItsSubject(t *testing.T) {
	v := setup(t)
	id := v.store("gone@example.com", object{"email": "gone@example.com", "country": "DE"})
	request := v.askFor("access", id)
	link := v.link(request, id)
	if err := v.node.Store.ForgetExports(t.Context(), time.Now().Add(6*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	v.get("/v1/requests/"+request+"/export", v.self(id))
	if err := v.node.Store.ForgetExports(t.Context(), time.Now().Add(8*24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if a := v.call(http.MethodGet, v.url+"/v1/requests/"+request+"/export", v.self(id), nil); a.code() != "export_expired" {
		t.Errorf("after its time: %d %s", a.status, a.body)
	}
	if a := v.fetch(link); a.code() != "export_link_invalid" {
		t.Errorf("a link after its time: %d %s", a.status, a.body)
	}

	link = v.link(v.askFor("access", id), id)
	var erasure rightsRequest
	v.post("/v1/me/requests", v.self(id), object{"type": "erasure"}, http.StatusCreated).into(t, &erasure)
	v.closed(erasure.ID)
	if a := v.fetch(link); a.code() != "export_link_invalid" {
		t.Errorf("a link after the erasure: %d %s", a.status, a.body)
	}
	conn := v.connect()
	defer conn.Close(t.Context()) //nolint:errcheck // read only
	var left int
	if err := conn.QueryRow(t.Context(), `SELECT (SELECT count(*) FROM export) + (SELECT count(*) FROM export_chunk)`).Scan(&left); err != nil || left != 0 {
		t.Errorf("%d rows are left, %v", left, err)
	}
}
