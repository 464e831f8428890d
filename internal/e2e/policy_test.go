package e2e_test

import (
	"encoding/json"
	"net/http"
	"strings"
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

const drafts = "/v1/policies/drafts"

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
	v.get("/v1/policies/revisions?limit=1", v.officer()).into(v.t, &list)
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
	v.post("/v1/policies/revisions/"+before.Revision+"/rollback", v.officer(), object{"reason": "The campaign of the week needs it"}, http.StatusOK)
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
