package custody_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/testenv"
)

const ads privacy.PurposeName = "ads.personalised"

var adsDesk = custody.Caller{Caller: privacy.Caller{Client: "ads-desk", Roles: []privacy.Role{privacy.RoleConsumer}}, Request: "q3"}

// tcString gives a TC string of a day that consents to purposes of TCF.
func tcString(updated time.Time, consents ...int) string {
	return testenv.TCString{Updated: updated, Policy: 5, ServiceSpecific: true, Consents: consents, Disclosed: []int{7}}.Text()
}

// optedOut is a GPP string by which a Californian has opted out of sale, and that of sensitive data if told so.
func gppCalifornia(sale, sensitive int) string {
	values := append([]int{1, 1, 1, sale, 2}, slices.Repeat([]int{sensitive}, 9)...)
	return testenv.GPPString([]int{8}, testenv.USSection(1, append(values, 0, 0, 0, 1, 0, 0)...))
}

var yes = []int{1, 3, 4, 5, 8, 9, 10}

// send puts signals on record, which must work, and gives what became of them as "effect purpose outcome".
func (v *vault) send(id privacy.SubjectID, sent custody.Signals) []string {
	v.t.Helper()
	recorded, err := v.RecordSignals(v.t.Context(), steward, id, sent, custody.Once{})
	if err != nil {
		v.t.Fatal(err)
	}
	return outcomes(recorded)
}

func outcomes(recorded custody.SignalsRecorded) []string {
	var list []string
	for _, s := range recorded.Signals {
		for _, e := range s.Effects {
			list = append(list, strings.Join(strings.Fields(fmt.Sprint(e.Effect, " ", e.Purpose, " ", e.Outcome)), " "))
		}
	}
	return list
}

// adsTold is what the advertising desk is told of somebody's city.
func (v *vault) adsTold(id privacy.SubjectID) string {
	v.t.Helper()
	d, err := v.Disclose(v.t.Context(), adsDesk, custody.Request{Purpose: ads, Attributes: []privacy.AttributeName{"city"}, Subjects: []custody.SubjectRef{{ID: id}}})
	if err != nil {
		v.t.Fatal(err)
	}
	if len(d.Disclosures[0].Withheld) == 1 {
		return string(d.Disclosures[0].Withheld[0].Reason)
	}
	return "told"
}

func (v *vault) choose(id privacy.SubjectID, consent custody.Consent) {
	v.t.Helper()
	if _, err := v.RecordConsent(v.t.Context(), steward, custody.SubjectRef{ID: id}, consent, custody.Once{}); err != nil {
		v.t.Fatal(err)
	}
}

// step is something that happens to a subject, a day after the one before unless it says when.
type step struct {
	consent custody.Consent // with an action: a choice of the subject about ads.personalised, or what it names
	sent    custody.Signals
	tcfDay  int   // with tcf: how many days ago the string was last updated
	tcf     []int // a TC string that consents to these; empty but not nil: to nothing
	effects string
	then    string // what the advertising desk is told after it
}

func (v *vault) walk(id privacy.SubjectID, steps []step) {
	v.t.Helper()
	for n, s := range steps {
		v.clock.Advance(24 * time.Hour)
		if s.consent.Action != "" {
			if s.consent.Purpose == "" {
				s.consent.Purpose = ads
			}
			v.choose(id, s.consent)
		} else {
			if s.tcf != nil {
				s.sent.TCF = tcString(v.clock.Read().AddDate(0, 0, -s.tcfDay).Truncate(24*time.Hour), s.tcf...)
			}
			if got := strings.Join(v.send(id, s.sent), ", "); got != s.effects {
				v.t.Errorf("step %d: effects %q, want %q", n+1, got, s.effects)
			}
		}
		if got := v.adsTold(id); got != s.then {
			v.t.Errorf("step %d: %s, want %s", n+1, got, s.then)
		}
	}
}

var (
	grant    = custody.Consent{Action: privacy.ActionGrant}
	twoStep  = custody.Consent{Action: privacy.ActionGrant, Explicit: true, Method: "two-step"}
	withdraw = custody.Consent{Action: privacy.ActionWithdraw}
	gpc      = custody.Signals{GPCHeader: true}
)

const (
	adsGranted   = "grant ads.personalised applied, grant analytics.profiling applied"
	adsGrantedNo = "grant ads.personalised superseded, grant analytics.profiling applied"
)

// Precedence as package signal states it, one rule a row, by what is released after each step.
func TestSignalPrecedence(t *testing.T) {
	t.Parallel()
	v := setup(t)
	california := fields{"city": "Oakland", "province": "CA", "country": "US", "birth_date": "1990-05-17"}
	germany := fields{"city": "Potsdam", "province": "Brandenburg", "country": "DE", "birth_date": "1990-05-17"}
	nowhere := fields{"city": "Gotham", "birth_date": "1990-05-17"}
	for i, c := range []struct {
		name  string
		who   fields
		steps []step
	}{
		{"GPC opts out, a newer one-step consent does not lift it, a newer two-step one does", california, []step{
			{sent: custody.Signals{GPP: gppCalifornia(2, 2)}, effects: "none nothing_said", then: "told"},
			{sent: gpc, effects: "opt_out_signal applied", then: "opted_out_of_sale"},
			{consent: grant, then: "opted_out_of_sale"},
			{consent: twoStep, then: "told"},
			{sent: gpc, effects: "opt_out_signal applied", then: "opted_out_of_sale"},
			{sent: gpc, effects: "opt_out_signal unchanged", then: "opted_out_of_sale"},
		}},
		{"X11: GPC counts against an older opt-in to a programme", california, []step{
			{consent: twoStep, then: "told"},
			{sent: gpc, effects: "opt_out_signal applied", then: "opted_out_of_sale"},
			{consent: twoStep, then: "told"},
		}},
		{"a GPP opt-out, which not opting out later does not lift", california, []step{
			{sent: custody.Signals{GPP: gppCalifornia(1, 2)}, effects: "opt_out_signal applied", then: "opted_out_of_sale"},
			{sent: custody.Signals{GPP: gppCalifornia(2, 2)}, effects: "none nothing_said", then: "opted_out_of_sale"},
			{consent: twoStep, then: "told"},
		}},
		{"a TC string says nothing in California", california, []step{
			{tcf: []int{}, effects: "none other_regime", then: "told"},
		}},
		{"GPC withdraws no consent in Germany", germany, []step{
			{consent: grant, then: "told"},
			{sent: gpc, effects: "opt_out_signal applied", then: "told"},
		}},
		{"GPC where nobody knows", nowhere, []step{
			{consent: twoStep, then: "third_party_or_transfer"},
		}},
		{"a TC string consents, another takes it back", germany, []step{
			{tcf: yes, effects: adsGranted, then: "told"},
			{tcf: []int{1}, effects: "deny ads.personalised applied, deny analytics.profiling applied", then: "consent_denied"},
			{tcf: yes, effects: adsGranted, then: "told"},
		}},
		{"a withdrawal newer than the string stands", germany, []step{
			{tcf: yes, effects: adsGranted, then: "told"},
			{consent: withdraw, then: "consent_withdrawn"},
			{tcf: yes, tcfDay: 3, effects: "grant ads.personalised superseded, grant analytics.profiling superseded", then: "consent_withdrawn"},
			{tcf: yes, effects: adsGranted, then: "told"},
		}},
		{"a withdrawal on the day of the string stands", germany, []step{
			{consent: withdraw, then: "consent_withdrawn"},
			{tcf: yes, tcfDay: 1, effects: adsGrantedNo, then: "consent_withdrawn"},
		}},
		{"an objection newer than the string stands", germany, []step{
			{consent: custody.Consent{Action: privacy.ActionObject, Purpose: "ads.*"}, then: "objected"},
			{tcf: yes, tcfDay: 2, effects: adsGrantedNo, then: "objected"},
			{tcf: yes, effects: "grant ads.personalised applied, grant analytics.profiling applied", then: "told"},
		}},
		{"a consent newer than a refusing string stands", germany, []step{
			{consent: grant, then: "told"},
			{tcf: []int{}, tcfDay: 2, effects: "deny ads.personalised superseded, deny analytics.profiling applied", then: "told"},
			{tcf: []int{}, effects: "deny ads.personalised applied, deny analytics.profiling unchanged", then: "consent_denied"},
		}},
		{"a refusing string of the day of a consent wins", germany, []step{
			{consent: grant, then: "told"},
			{tcf: []int{}, tcfDay: 1, effects: "deny ads.personalised applied, deny analytics.profiling applied", then: "consent_denied"},
		}},
		{"a string does not take the place of an explicit consent", germany, []step{
			{consent: twoStep, then: "told"},
			{tcf: yes, effects: "grant ads.personalised unchanged, grant analytics.profiling applied", then: "told"},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inner := *v
			inner.t = t
			id := inner.put(fmt.Sprintf("signal-%d@example.com", i), c.who)
			if c.steps[0].then == "third_party_or_transfer" { // the strictest law withholds for more than one reason
				inner.choose(id, custody.Consent{Purpose: ads, Action: privacy.ActionGrant, Explicit: true})
				if before := inner.adsTold(id); before == "opted_out_of_sale" {
					t.Fatalf("before the signal: %s", before)
				}
				inner.send(id, gpc)
				if after := inner.adsTold(id); after != "opted_out_of_sale" {
					t.Errorf("after the signal: %s", after)
				}
				return
			}
			inner.walk(id, c.steps)
		})
	}
}

// Global Privacy Control is neither a request to limit nor a withdrawal from first-party marketing (11 CCR 7025); a GPP string can limit, and a
// newer explicit consent lifts it.
func TestSignalLimits(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "province": "CA", "country": "US", "birth_date": "1990-05-17"})
	state := func(purpose privacy.PurposeName) privacy.SubjectState {
		t.Helper()
		explained, err := v.Explain(t.Context(), custody.Caller{Caller: privacy.Caller{Client: "officer"}}, custody.Question{Client: "crm-mailer", Purpose: purpose, Attributes: []privacy.AttributeName{"given_name"}, Subject: &custody.SubjectRef{ID: id}})
		if err != nil {
			t.Fatal(err)
		}
		return explained.Input.Subject
	}
	v.send(id, gpc)
	v.wantTold(id, told{"given_name": `"Ada"`})
	if s := state(marketing); s.LimitSensitive || !s.OptOutSignal || s.Objected || s.Consent.Status != privacy.ConsentNone {
		t.Errorf("after GPC: %+v", s)
	}
	v.send(id, custody.Signals{GPP: gppCalifornia(2, 1)})
	if s := state(marketing); !s.LimitSensitive {
		t.Errorf("after GPP: %+v", s)
	}
	v.consent(id, custody.Consent{Action: privacy.ActionGrant, Explicit: true})
	if s := state(marketing); s.LimitSensitive || s.OptOutSignal {
		t.Errorf("after an explicit consent: %+v", s)
	}
	if s := state("analytics.profiling"); !s.LimitSensitive || !s.OptOutSignal {
		t.Errorf("for another purpose: %+v", s)
	}
}

func TestSignalsAreEvidence(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	tcf := tcString(v.clock.Read().Truncate(24*time.Hour), yes...)
	gpp := gppCalifornia(1, 1)
	v.send(id, custody.Signals{GPC: true, TCF: tcf, GPP: gpp})
	received, err := v.Signals(t.Context(), id, 0, 10)
	if err != nil || len(received) != 3 || received[0].Kind != privacy.SignalGPP || received[2].Kind != privacy.SignalGPC || received[2].Number != 1 || received[0].RecordedBy != "crm" {
		t.Fatalf("%+v, %v", received, err)
	}
	if older, err := v.Signals(t.Context(), id, 3, 1); err != nil || len(older) != 1 || older[0].Number != 2 {
		t.Errorf("the page after: %+v, %v", older, err)
	}
	for _, column := range []string{"sealed::text", "effects::text"} {
		rows, err := v.owner.Query(t.Context(), `SELECT `+column+` FROM subject_signal`)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			raw := rows.RawValues()[0]
			if bytes.Contains(raw, []byte(tcf)) || bytes.Contains(raw, []byte(gpp[8:])) {
				t.Errorf("%s holds a signal in clear", column)
			}
		}
		rows.Close()
	}
	// What a string said of a purpose is on the ledger, with its method, and everything is on the log.
	history, err := v.ConsentHistory(t.Context(), id, 0, 10)
	if err != nil || len(history) != 2 || history[0].Method != "tcf" || history[0].ExpiresAt.IsZero() {
		t.Errorf("ledger %+v, %v", history, err)
	}
	var actions []string
	for _, entry := range v.newest(id, 5) {
		actions = append(actions, string(entry.Action))
	}
	slices.Sort(actions)
	if want := []string{string(audit.ActionConsentGrant), string(audit.ActionConsentGrant), string(audit.ActionSignalReceive), string(audit.ActionSignalReceive), string(audit.ActionSignalReceive)}; !slices.Equal(actions, want) {
		t.Errorf("log %v", actions)
	}
	if n := v.count(`SELECT count(*) FROM change WHERE kind = 'signal.received' AND detail = '{"signals": ["gpc", "tcf", "gpp"]}' AND purpose = $1`, marketing); n != 1 {
		t.Errorf("%d events", n)
	}
}

// A signal is told to those on whose purposes it can bear, and to nobody else: that somebody has set a signal is
// itself something about them.
func TestSignalsAreToldByPurpose(t *testing.T) {
	t.Parallel()
	v := setup(t)
	told := func(id privacy.SubjectID, kind string) string {
		var purposes string
		err := v.owner.QueryRow(t.Context(), `SELECT coalesce(string_agg(purpose, ' ' ORDER BY purpose), '') FROM change WHERE subject_id = $1 AND kind LIKE $2`, id.String(), kind).Scan(&purposes)
		if err != nil {
			t.Fatal(err)
		}
		return purposes
	}
	ada, ben, eve := v.put("ada@example.com", nil), v.put("ben@example.com", nil), v.put("eve@example.com", fields{"country": "DE"})
	v.send(ada, custody.Signals{GPC: true})
	if got, want := told(ada, "signal.%"), "ads.personalised marketing.email marketing.segment marketing.sms sales.outreach"; got != want {
		t.Errorf("of an opt-out: %s", got)
	}
	v.send(ada, custody.Signals{GPCHeader: true}) // the same, in other words
	if got := told(ada, "signal.%"); strings.Count(got, "ads.personalised") != 1 {
		t.Errorf("of an opt-out that changes nothing: %s", got)
	}
	v.send(ben, custody.Signals{GPP: gppCalifornia(0, 1)})
	if got, want := told(ben, "signal.%"), "ads.personalised analytics.profiling marketing.email marketing.segment marketing.sms sales.outreach service.support"; got != want {
		t.Errorf("of a request to limit: %s", got)
	}
	v.send(eve, custody.Signals{TCF: tcString(v.clock.Read().Truncate(24*time.Hour), yes...)})
	if got := told(eve, "signal.%"); got != "" {
		t.Errorf("of a TC string: %s", got)
	}
	if got := told(eve, "consent.granted"); got != "ads.personalised analytics.profiling" {
		t.Errorf("of what a TC string says: %s", got)
	}
}

// Browsers send theirs with every page: what is on record and changes nothing leaves no trace.
func TestSignalsSentAgain(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"country": "DE"})
	sent := custody.Signals{GPCHeader: true, TCF: tcString(v.clock.Read().Truncate(24*time.Hour), yes...)}
	v.send(id, sent)
	rows := func() int {
		return v.count(`SELECT (SELECT count(*) FROM subject_signal) + (SELECT count(*) FROM audit_entry) + (SELECT count(*) FROM consent_record) + (SELECT count(*) FROM change)`)
	}
	before := rows()
	recorded, err := v.RecordSignals(t.Context(), steward, id, sent, custody.Once{})
	if err != nil || recorded.Stored || len(recorded.Signals) != 2 || recorded.Signals[1].Number != 2 || rows() != before {
		t.Errorf("%+v, %v; %d rows, were %d", recorded, err, rows(), before)
	}
	// The same in other words is evidence of its own.
	if v.send(id, custody.Signals{GPC: true}); rows() == before {
		t.Error("not kept")
	}
}

func TestSignalsOnce(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"country": "DE"})
	once := custody.Once{Client: "crm", Key: "k1", Operation: "signals-record", Request: []byte("a")}
	first, err := v.RecordSignals(t.Context(), steward, id, gpc, once)
	if err != nil || !first.Stored {
		t.Fatal(first, err)
	}
	again, err := v.RecordSignals(t.Context(), steward, id, gpc, once)
	if err != nil || !again.Stored || outcomes(again)[0] != "opt_out_signal applied" {
		t.Errorf("%+v, %v", again, err)
	}
	once.Request = []byte("b")
	_, err = v.RecordSignals(t.Context(), steward, id, gpc, once)
	wantCode(t, err, privacy.KindConflict, "idempotency_key_reused")
}

func TestSignalsRefused(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"country": "DE"})
	unknown := privacy.SubjectID{1}
	good := tcString(v.clock.Read().Truncate(24*time.Hour), yes...)
	before := v.count(`SELECT count(*) FROM audit_entry`)
	for name, c := range map[string]struct {
		id   privacy.SubjectID
		sent custody.Signals
		kind privacy.Kind
		code string
	}{
		"nothing":           {id, custody.Signals{}, privacy.KindInvalid, "signals_missing"},
		"truncated":         {id, custody.Signals{TCF: good[:20]}, privacy.KindInvalid, "signal_truncated"},
		"one of two broken": {id, custody.Signals{GPC: true, GPP: "DBABMA"}, privacy.KindInvalid, "signal_sections"},
		"from the future":   {id, custody.Signals{GPC: true, TCF: tcString(v.clock.Read().Add(time.Hour), 1)}, privacy.KindInvalid, "signal_in_future"},
		"in a GPP string":   {id, custody.Signals{GPP: testenv.GPPString([]int{2}, tcString(v.clock.Read().Add(time.Hour), 1))}, privacy.KindInvalid, "signal_in_future"},
		"nobody":            {unknown, gpc, privacy.KindNotFound, "subject_not_found"},
		"nobody, broken":    {unknown, custody.Signals{TCF: "C"}, privacy.KindInvalid, "signal_truncated"},
	} {
		_, err := v.RecordSignals(t.Context(), steward, c.id, c.sent, custody.Once{})
		t.Run(name, func(t *testing.T) { wantCode(t, err, c.kind, c.code) })
	}
	_, err := v.Signals(t.Context(), unknown, 0, 10)
	wantCode(t, err, privacy.KindNotFound, "subject_not_found")
	if n := v.count(`SELECT count(*) FROM subject_signal`) + v.count(`SELECT count(*) FROM consent_record`) + v.count(`SELECT count(*) FROM audit_entry`) - before; n != 0 {
		t.Errorf("%d rows were left behind", n)
	}
}
