package e2e_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/consentry/consentry/internal/privacy"
)

// Two people work through one console: a client is not a person.
func (v *vault) officer() string  { return v.token("olga", privacy.RoleOfficer) }
func (v *vault) approver() string { return v.token("anton", privacy.RoleApprover) }

// draft is what tests look at of a draft.
type draft struct {
	ID       string
	Version  int64
	State    string
	Base     string
	Revision string
	Author   string
	Content  json.RawMessage
	Review   *struct {
		Actor   string
		Comment string
	}
}

const (
	drafts    = "/v1/policies/drafts"
	revisions = "/v1/policies/revisions"
)

// begin begins a draft from the revision in force.
func (v *vault) begin(title string) draft {
	v.t.Helper()
	var d draft
	v.post(drafts, v.officer(), object{"title": title}, http.StatusCreated).into(v.t, &d)
	return d
}

// step takes a step that names the version it is about, in a token's name.
func (v *vault) step(method, path, token string, version string, body any) answer {
	v.t.Helper()
	text := ""
	switch body := body.(type) {
	case nil:
	case string:
		text = body
	default:
		encoded, err := json.Marshal(body)
		if err != nil {
			v.t.Fatal(err)
		}
		text = string(encoded)
	}
	request, err := http.NewRequestWithContext(v.t.Context(), method, v.url+path, strings.NewReader(text))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	if version != "" {
		request.Header.Set("If-Match", version)
	}
	return v.do(request)
}

func tag(d draft) string {
	encoded, _ := json.Marshal(d.Version) //nolint:errchkjson // a number
	return `"` + string(encoded) + `"`
}

// edit patches a draft in its newest version.
func (v *vault) edit(d draft, patch any) draft {
	v.t.Helper()
	return v.moved(v.step(http.MethodPatch, drafts+"/"+d.ID, v.officer(), tag(d), patch))
}

// moved is the draft that a step answered with.
func (v *vault) moved(a answer) draft {
	v.t.Helper()
	if a.status != http.StatusOK {
		v.t.Fatalf("status %d: %.500s", a.status, a.body)
	}
	var d draft
	a.into(v.t, &d)
	return d
}

func (v *vault) submit(d draft) draft {
	v.t.Helper()
	return v.moved(v.step(http.MethodPost, drafts+"/"+d.ID+"/submit", v.officer(), tag(d), nil))
}

func (v *vault) approve(d draft) draft {
	v.t.Helper()
	return v.moved(v.step(http.MethodPost, drafts+"/"+d.ID+"/approve", v.approver(), "", object{"revision": d.Revision}))
}

func (v *vault) publish(d draft) draft {
	v.t.Helper()
	return v.moved(v.step(http.MethodPost, drafts+"/"+d.ID+"/publish", v.approver(), "", nil))
}

// enact takes a patch all the way: draft, edit, submit, approve, publish.
func (v *vault) enact(title string, patch any) draft {
	v.t.Helper()
	return v.publish(v.approve(v.submit(v.edit(v.begin(title), patch))))
}

// inForce gives the revision in force, by way of the list.
func (v *vault) inForce() string {
	v.t.Helper()
	var list struct {
		Publications []struct {
			Revision string
			InForce  bool `json:"in_force"`
		}
	}
	v.get(revisions+"?limit=1", v.officer()).into(v.t, &list)
	if len(list.Publications) != 1 || !list.Publications[0].InForce {
		v.t.Fatalf("%+v", list)
	}
	return list.Publications[0].Revision
}

// A change of one cell goes all the way, and back.
func TestPolicyLifeCycle(t *testing.T) {
	v := setup(t)
	id, _ := v.permitted("cycle@example.com")
	ask := func() disclosed { return v.disclose("marketing.email", []string{"email"}, id) }
	before := ask()
	if before.Disclosures[0].Attributes["email"] == nil {
		t.Fatalf("%+v", before)
	}
	d := v.begin("No address for campaigns")
	if d.Base != before.Revision || d.State != "draft" || d.Version != 1 {
		t.Fatalf("%+v", d)
	}
	d = v.edit(d, `{"data":{"matrix":{"email":{"marketing.email":null}}}}`)
	if after := ask(); after.Disclosures[0].Attributes["email"] == nil || after.Revision != before.Revision {
		t.Fatalf("a draft decides: %+v", after)
	}
	d = v.publish(v.approve(v.submit(d)))
	if d.State != "published" || v.inForce() != d.Revision {
		t.Errorf("%+v", d)
	}
	if after := ask(); after.Revision != d.Revision || after.Disclosures[0].Withheld["email"] == "" {
		t.Errorf("after the publication: %+v", after)
	}
	v.post(revisions+"/"+before.Revision+"/rollback", v.officer(), object{"reason": "The campaign of the week needs it"}, http.StatusOK)
	if after := ask(); after.Revision != before.Revision || after.Disclosures[0].Attributes["email"] == nil {
		t.Errorf("after the roll back: %+v", after)
	}
	var trail struct {
		Entries []struct{ Action, Actor, Client, Object string }
	}
	v.get("/v1/audit/entries?object=draft/"+d.ID, v.auditor()).into(t, &trail)
	var actions []string
	for _, e := range trail.Entries {
		actions = append(actions, e.Action)
		if !strings.HasPrefix(e.Object, "draft/"+d.ID+"@") || e.Actor == "" {
			t.Errorf("%+v", e)
		}
	}
	if got := strings.Join(actions, " "); got != "policy.publish policy.draft.approve policy.draft.submit policy.draft.edit policy.draft.create" {
		t.Errorf("the trail is %s", got)
	}
}

// Of two who edit one version, the second gets a conflict, nothing of either is lost, and the second can
// carry on from what the first has made of it.
func TestPolicyTwoOfficersOneDraft(t *testing.T) {
	v := setup(t)
	d := v.begin("Together")
	first := v.edit(d, `{"data":{"matrix":{"email":{"marketing.email":"mask"}}}}`)
	mine := `{"data":{"matrix":{"phone":{"marketing.sms":"mask"}}}}`
	other := v.token("oscar", privacy.RoleOfficer)
	v.wantProblem(t, v.step(http.MethodPatch, drafts+"/"+d.ID, other, tag(d), mine), http.StatusConflict, "draft_changed")
	if got := v.cell(d.ID, "email", "marketing.email"); got != "mask" {
		t.Errorf("what the first wrote is now %q", got)
	}
	if got := v.cell(d.ID, "phone", "marketing.sms"); got != "plain" {
		t.Errorf("the refused edit left %q", got)
	}
	v.moved(v.step(http.MethodPatch, drafts+"/"+d.ID, other, tag(first), mine))
	if v.cell(d.ID, "email", "marketing.email") != "mask" || v.cell(d.ID, "phone", "marketing.sms") != "mask" {
		t.Error("an edit was lost")
	}

	// Both at once, many times: each edit is in the draft or was refused.
	const edits = 40
	var done sync.WaitGroup
	var kept atomic.Int64
	for n := range edits {
		done.Go(func() {
			var now draft
			v.get(drafts+"/"+d.ID+"?part=/data/purposes", v.officer()).into(t, &now)
			a := v.step(http.MethodPatch, drafts+"/"+d.ID, v.officer(), tag(now), object{"modules": object{fmt.Sprintf("m%d.rego", n): "package m\n"}})
			switch a.status {
			case http.StatusOK:
				kept.Add(1)
			case http.StatusConflict:
			default:
				t.Errorf("status %d: %.300s", a.status, a.body)
			}
		})
	}
	done.Wait()
	var now draft
	v.get(drafts+"/"+d.ID+"?part=/modules", v.officer()).into(t, &now)
	if got := int64(strings.Count(string(now.Content), `"package m\n"`)); got != kept.Load() || got == 0 {
		t.Errorf("%d edits were accepted, %d are in the draft", kept.Load(), got)
	}
	if now.Version != 3+kept.Load() {
		t.Errorf("version %d after %d edits", now.Version, kept.Load())
	}
}

// cell reads a cell of a draft's matrix.
func (v *vault) cell(id, attribute, purpose string) string {
	v.t.Helper()
	var d draft
	v.get(drafts+"/"+id+"?part=/data/matrix/"+attribute, v.officer()).into(v.t, &d)
	var row map[string]string
	if err := json.Unmarshal(d.Content, &row); err != nil {
		v.t.Fatal(err)
	}
	return row[purpose]
}

// Nobody approves what they have written, in whatever role and by whatever client, nor what they have not seen.
func TestPolicyApproval(t *testing.T) {
	v := setup(t)
	person := func(client privacy.ClientID, sub string, roles ...privacy.Role) string {
		return v.issuer.PersonToken(t, client, sub, roles...)
	}
	olga := person("console", "olga@bank.example", privacy.RoleOfficer, privacy.RoleApprover)
	before := v.inForce()
	var d draft
	v.post(drafts, olga, object{"title": "Self"}, http.StatusCreated).into(t, &d)
	path := drafts + "/" + d.ID
	patch := func(token, mode string) {
		d = v.moved(v.step(http.MethodPatch, path, token, tag(d), `{"data":{"matrix":{"email":{"marketing.email":"`+mode+`"}}}}`))
	}
	submit := func() { d = v.moved(v.step(http.MethodPost, path+"/submit", olga, tag(d), nil)) }
	approve := func(token string, revision string) answer {
		return v.step(http.MethodPost, path+"/approve", token, "", object{"revision": revision})
	}
	patch(olga, "mask")
	anton := person("console", "anton@bank.example", privacy.RoleApprover)
	v.wantProblem(t, approve(anton, d.Revision), http.StatusConflict, "draft_not_submitted")
	submit()
	first := d
	v.wantProblem(t, approve(olga, d.Revision), http.StatusForbidden, "own_draft")
	v.wantProblem(t, approve(person("cli", "olga@bank.example", privacy.RoleApprover), d.Revision), http.StatusForbidden, "own_draft")
	v.wantProblem(t, approve(person("console", "oscar@bank.example", privacy.RoleOfficer), d.Revision), http.StatusForbidden, "not_allowed")
	v.wantProblem(t, v.step(http.MethodPost, path+"/publish", anton, "", nil), http.StatusConflict, "draft_not_approved")

	// Somebody else writes in it: then they cannot approve it either, and the old content cannot be approved by anybody.
	both := person("console", "otto@bank.example", privacy.RoleOfficer, privacy.RoleApprover)
	patch(both, "generalise")
	if d.State != "draft" {
		t.Errorf("after an edit the draft is %s", d.State)
	}
	v.wantProblem(t, approve(anton, first.Revision), http.StatusConflict, "draft_changed")
	submit()
	v.wantProblem(t, approve(anton, first.Revision), http.StatusConflict, "draft_changed")
	v.wantProblem(t, approve(both, d.Revision), http.StatusForbidden, "own_draft")
	a := approve(anton, d.Revision)
	d = v.moved(a)
	if d.State != "approved" {
		t.Errorf("%+v", d)
	}
	// An edit takes the approval back.
	approved := d
	patch(olga, "mask")
	v.wantProblem(t, v.step(http.MethodPost, path+"/publish", anton, "", nil), http.StatusConflict, "draft_not_approved")
	patch(olga, "generalise") // the content that was approved; the approval is gone all the same
	if d.Revision != approved.Revision || d.State != "draft" {
		t.Errorf("%+v", d)
	}
	v.wantProblem(t, v.step(http.MethodPost, path+"/publish", anton, "", nil), http.StatusConflict, "draft_not_approved")

	submit()
	v.wantProblem(t, v.step(http.MethodPost, path+"/reject", anton, "", object{"revision": d.Revision}), http.StatusUnprocessableEntity, "comment_needed")
	d = v.moved(v.step(http.MethodPost, path+"/reject", anton, "", object{"revision": d.Revision, "comment": "The address is needed plain"}))
	if d.State != "rejected" || d.Review == nil || d.Review.Comment == "" {
		t.Errorf("%+v", d)
	}
	patch(olga, "mask")
	submit()
	d = v.moved(approve(anton, d.Revision))
	if got := v.inForce(); got != before {
		t.Errorf("an approval published %s", got)
	}
	d = v.moved(v.step(http.MethodPost, path+"/publish", anton, "", nil))
	for _, step := range []answer{v.step(http.MethodPatch, path, olga, tag(d), `{"title":"x"}`), v.step(http.MethodDelete, path, olga, tag(d), nil), v.step(http.MethodPost, path+"/publish", anton, "", nil), approve(anton, d.Revision)} {
		v.wantProblem(t, step, http.StatusConflict, "draft_closed")
	}
	if bytes.Contains(v.dump(), []byte("bank.example")) {
		t.Error("an officer's address is in the database")
	}
}

// A draft whose base is no longer in force cannot be published over what came between; it is carried over, unless
// both changed the same.
func TestPolicyBaseOutdated(t *testing.T) {
	v := setup(t)
	old := v.inForce()
	late := v.edit(v.begin("Late"), `{"data":{"matrix":{"phone":{"marketing.sms":"mask"}}},"tests":{"cases":[`+smsCase+`]}}`)
	late = v.approve(v.submit(late))
	clash := v.edit(v.begin("Clash"), `{"data":{"matrix":{"email":{"marketing.email":"generalise"}}}}`)
	quick := v.enact("Quick", `{"data":{"matrix":{"email":{"marketing.email":"mask"}}},"tests":{"cases":[`+emailCase+`]}}`)

	v.wantProblem(t, v.step(http.MethodPost, drafts+"/"+late.ID+"/publish", v.approver(), "", nil), http.StatusConflict, "base_outdated")
	if v.inForce() != quick.Revision {
		t.Fatal("a late draft was published")
	}
	a := v.step(http.MethodPost, drafts+"/"+clash.ID+"/rebase", v.officer(), tag(clash), nil)
	v.wantProblem(t, a, http.StatusConflict, "rebase_conflict")
	if !strings.Contains(string(a.body), `"/data/matrix/email/marketing.email"`) {
		t.Errorf("the conflict is not named: %s", a.body)
	}
	late = v.moved(v.step(http.MethodPost, drafts+"/"+late.ID+"/rebase", v.officer(), tag(late), nil))
	if late.State != "draft" || late.Base != quick.Revision {
		t.Errorf("%+v", late)
	}
	late = v.publish(v.approve(v.submit(late)))
	if v.inForce() != late.Revision || v.cell(late.ID, "email", "marketing.email") != "mask" || v.cell(late.ID, "phone", "marketing.sms") != "mask" {
		t.Error("one of the two changes is missing")
	}
	var cases draft
	v.get(drafts+"/"+late.ID+"?part=/tests/cases", v.officer()).into(t, &cases)
	if text := string(cases.Content); !strings.Contains(text, "campaigns mask addresses") || !strings.Contains(text, "campaigns mask numbers") {
		t.Errorf("a case is missing: %s", text)
	}
	// Any revision may be where a draft begins; it is based on what is in force all the same.
	var from draft
	v.post(drafts, v.officer(), object{"title": "As it was", "from": old}, http.StatusCreated).into(t, &from)
	if from.Base != late.Revision || from.Revision != old {
		t.Errorf("%+v", from)
	}
}

const (
	emailCase = `{"name":"campaigns mask addresses","input":{"client":"crm-mailer","purpose":"marketing.email","attributes":["email"]},"subject":{"regime":"gdpr"},"consent":{"status":"granted"},"permitted":{"email":"mask"}}`
	smsCase   = `{"name":"campaigns mask numbers","input":{"client":"crm-mailer","purpose":"marketing.sms","attributes":["phone"]},"subject":{"regime":"gdpr"},"consent":{"status":"granted"},"permitted":{"phone":"mask"}}`
)

// A step that is sent again with its Idempotency-Key gets its first answer, and happens once.
func TestPolicyStepsRepeat(t *testing.T) {
	v := setup(t)
	d := v.approve(v.submit(v.edit(v.begin("Twice"), `{"data":{"matrix":{"email":{"marketing.email":"mask"}}}}`)))
	before := v.inForce()
	again := func(path, token, key string, body string) answer {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, v.url+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Authorization", "Bearer "+token)
		request.Header.Set("Idempotency-Key", key)
		return v.do(request)
	}
	first, second := again(drafts+"/"+d.ID+"/publish", v.approver(), "p1", ""), again(drafts+"/"+d.ID+"/publish", v.approver(), "p1", "")
	if first.status != http.StatusOK || string(first.body) != string(second.body) {
		t.Errorf("%d %s, then %d %s", first.status, first.body, second.status, second.body)
	}
	reason := `{"reason":"To try it"}`
	for range 2 {
		if a := again(revisions+"/"+before+"/rollback", v.officer(), "r1", reason); a.status != http.StatusOK {
			t.Errorf("%d %s", a.status, a.body)
		}
	}
	var n int
	conn := v.connect()
	if err := conn.QueryRow(t.Context(), `SELECT count(*) FROM publication`).Scan(&n); err != nil || n != 3 {
		t.Errorf("%d publications, %v", n, err)
	}
}
