package e2e_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

// signal sends one to a node, with or without the header of Global Privacy Control.
func (v *vault) signal(node, token, id, body, header string) answer {
	v.t.Helper()
	request, err := http.NewRequestWithContext(v.t.Context(), http.MethodPost, node+"/v1/subjects/"+id+"/signals", strings.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	if header != "" {
		request.Header.Set("Sec-GPC", header)
	}
	return v.do(request)
}

// A signal counts at once: once the call has returned from one node, no decision that another node starts later
// ignores it. And so does the choice that lifts it.
func TestLaw3SignalThenReadElsewhere(t *testing.T) {
	const people, rounds = 8, 25
	v := setup(t)
	_, other := v.start()
	steward, ads := v.steward(), v.token("ads-desk", privacy.RoleConsumer)
	var running sync.WaitGroup
	for p := range people {
		running.Go(func() {
			id := v.store(fmt.Sprintf("signal-%d@example.com", p), object{"language": "en", "province": "CA", "country": "US", "birth_date": "1990-12-10"})
			ask := fmt.Sprintf(`{"purpose":"ads.personalised","attributes":["province"],"subjects":[{"id":%q}]}`, id)
			optIn := fmt.Sprintf(`{"subject":{"id":%q},"purpose":"ads.personalised","action":"grant","explicit":true}`, id)
			for round := range rounds {
				if a := v.call(http.MethodPost, v.url+"/v1/consents", steward, optIn); a.status != http.StatusCreated {
					t.Errorf("opt-in: %d %s", a.status, a.body)
					return
				}
				if a := v.call(http.MethodPost, other+"/v1/disclosures", ads, ask); a.status != http.StatusOK || strings.Contains(string(a.body), "opted_out_of_sale") {
					t.Errorf("after an opt-in: %d %s", a.status, a.body)
					return
				}
				body, header := "{}", "1"
				if round%2 == 1 {
					body, header = `{"gpc":true}`, ""
				}
				if a := v.signal(v.url, steward, id, body, header); a.status != http.StatusCreated || !strings.Contains(string(a.body), "applied") {
					t.Errorf("signal: %d %s", a.status, a.body)
					return
				}
				if a := v.call(http.MethodPost, other+"/v1/disclosures", ads, ask); a.status != http.StatusOK || !strings.Contains(string(a.body), "opted_out_of_sale") {
					t.Errorf("after a signal: %d %s", a.status, a.body)
					return
				}
			}
		})
	}
	running.Wait()
}

// Whatever is wrong with a signal is told by a typed problem that holds nothing of it, and changes nothing.
func TestBadInputSignals(t *testing.T) {
	v := setup(t)
	id, stranger := v.store("ada@example.com", object{"country": "DE"}), v.store("bob@example.com", object{"country": "DE"})
	good := testenv.TCString{Updated: time.Now().Truncate(24 * time.Hour), Policy: 5, ServiceSpecific: true, Consents: []int{1, 3, 4}, Vendors: []int{1009}, Disclosed: []int{1009}}.Text()
	lies := (&testenv.SignalBits{}).Int(3, 6).Int(1, 6).Int(4095, 12).Int(0, 1).Fibonacci(9).Text()
	quoted := func(field, text string) string { return fmt.Sprintf(`{%q:%q}`, field, text) }
	for name, c := range map[string]struct {
		id, body, header string
		status           int
		code             string
	}{
		"no body":                   {id, "", "", 400, "body_missing"},
		"nothing in it":             {id, "{}", "", 422, "signals_missing"},
		"gpc false":                 {id, `{"gpc":false}`, "1", 422, "gpc_false"},
		"gpc in words":              {id, `{"gpc":"yes"}`, "", 422, "invalid_request"},
		"a header that is no value": {id, "{}", "0", 422, "signals_missing"},
		"a field nobody knows":      {id, `{"usp":"1YNN"}`, "", 422, "invalid_request"},
		"no JSON":                   {id, good, "", 400, "malformed_json"},
		"truncated":                 {id, quoted("tcf", good[:30]), "", 422, "signal_truncated"},
		"truncated in a segment":    {id, quoted("tcf", good[:len(good)-3]), "", 422, "signal_truncated"},
		"goes on":                   {id, quoted("tcf", good+"_"), "", 422, "signal_trailing"},
		"too long":                  {id, quoted("tcf", good+strings.Repeat("A", 70_000)), "", 413, "signal_too_long"},
		"far too long":              {id, quoted("gpp", strings.Repeat("A", 300_000)), "", 413, "body_too_large"},
		"lengths that lie":          {id, quoted("gpp", lies), "", 422, "signal_truncated"},
		"the wrong alphabet":        {id, quoted("tcf", "+"+good[1:]), "", 422, "signal_alphabet"},
		"an unknown section":        {id, quoted("gpp", testenv.GPPString([]int{28}, "BAAA")), "", 422, "signal_unknown_section"},
		"one of two":                {id, fmt.Sprintf(`{"gpc":true,"tcf":%q,"gpp":"AAAA"}`, good), "", 422, "signal_version"},
		"nobody":                    {"0192f0c1-a2b3-7c4d-8e5f-60718293a4b5", `{"gpc":true}`, "", 404, "subject_not_found"},
		"no id":                     {"ada", `{"gpc":true}`, "", 422, "invalid_id"},
	} {
		t.Run(name, func(t *testing.T) {
			a := v.signal(v.url, v.steward(), c.id, c.body, c.header)
			if a.status != c.status || a.code() != c.code || a.header.Get("Content-Type") != "application/problem+json" {
				t.Errorf("%d %s: %s", a.status, a.code(), a.body)
			}
			if strings.Contains(string(a.body), good[:16]) {
				t.Errorf("the problem holds the signal: %s", a.body)
			}
		})
	}
	// A person may speak for themselves, and for nobody else; an application without the role not at all.
	own := v.issuer.SubjectToken(t, "app", mustID(t, id))
	for name, c := range map[string]struct {
		token, id string
		status    int
	}{"somebody else's": {own, stranger, 403}, "a consumer's": {v.consumer(), id, 403}, "nobody's": {"x", id, 401}} {
		if a := v.signal(v.url, c.token, c.id, `{"gpc":true}`, ""); a.status != c.status {
			t.Errorf("%s: %d %s", name, a.status, a.body)
		}
		if a := v.call(http.MethodGet, v.url+"/v1/subjects/"+c.id+"/signals", c.token, nil); a.status != c.status {
			t.Errorf("%s, listed: %d %s", name, a.status, a.body)
		}
	}
	for _, subject := range []string{id, stranger} {
		var list struct{ Signals []object }
		if v.get("/v1/subjects/"+subject+"/signals", v.steward()).into(t, &list); len(list.Signals) != 0 {
			t.Errorf("something was kept: %v", list.Signals)
		}
	}
	if logs := v.logs.String(); strings.Contains(logs, good[:24]) {
		t.Error("the log holds a signal")
	}

	if a := v.signal(v.url, own, id, quoted("tcf", good), "1"); a.status != http.StatusCreated {
		t.Errorf("one's own: %d %s", a.status, a.body)
	}
	if a := v.signal(v.url, own, id, quoted("tcf", good), "1"); a.status != http.StatusOK {
		t.Errorf("again: %d %s", a.status, a.body)
	}
	var list struct{ Signals []struct{ Kind string } }
	v.get("/v1/subjects/"+id+"/signals?limit=1", v.steward()).into(t, &list)
	if kinds := slices.Collect(func(yield func(string) bool) {
		for _, s := range list.Signals {
			yield(s.Kind)
		}
	}); !slices.Equal(kinds, []string{"tcf"}) {
		t.Errorf("listed %v", list)
	}
}
