package e2e_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"index/suffixarray"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/demo"
)

// processorTime is the one measured number that comes in hundredths, and so may equal somebody's spend by accident.
var processorTime = regexp.MustCompile(`(?m)^process_cpu_seconds_total .*$`)

// A stolen database is silent: a dump of the demo data, everything that was logged, the metrics, and every
// error answer of the run hold none of the demo's values, neither in clear nor in hex.
func TestLaw5NothingInClear(t *testing.T) {
	v := setup(t)
	stranger := demo.Person{Draft: custody.ProfileDraft{Identifiers: []custody.IdentifierDraft{{Type: "email", Value: "nobody@example.invalid"}}}}
	words := suffixarray.New(append(v.dump(), v.provoke([]demo.Person{stranger})...)) // the schema, the policy, the problems
	people := demo.People(2000, 1, time.Now())
	ids, err := demo.Load(t.Context(), v.node.Service, people, func(int) {})
	if err != nil {
		t.Fatal(err)
	}
	errors := v.provoke(people)
	for start := 0; start < 1000; start += 100 {
		refs := make([]string, 100)
		for i := range refs {
			refs[i] = ids[start+i].String()
		}
		v.disclose("marketing.email", []string{"email", "full_name", "city", "income"}, refs...)
	}
	if err := v.node.Service.Book().Sequence(t.Context()); err != nil {
		t.Fatal(err)
	}
	metrics := processorTime.ReplaceAll(v.get("/metrics", "").body, nil)

	values := demoValues(t, people)
	places := map[string][]byte{"the dump": v.dump(), "the logs": []byte(v.logs.String()), "the errors": errors, "the metrics": metrics}
	for place, content := range places {
		index := suffixarray.New(content)
		searched, found := 0, 0
		for value, attribute := range values {
			if contains(words, value) {
				continue // such as a channel's name
			}
			searched++
			if contains(index, value) {
				if found++; found <= 5 {
					t.Errorf("%s have a value of %s in clear: %s", place, attribute, value)
				}
			}
		}
		t.Logf("%s: %d bytes, %d values searched for", place, len(content), searched)
		if searched < 18_000 {
			t.Errorf("only %d values were searched for", searched)
		}
	}
}

// contains reports whether a text is there, in clear or in hex as pg_dump writes bytea. A number is there only
// where no digit stands beside it: the digits of a measured time hold short ones by accident.
func contains(index *suffixarray.Index, text string) bool {
	if len(index.Lookup([]byte(hex.EncodeToString([]byte(text))), 1)) > 0 {
		return true
	}
	if strings.Trim(text, "0123456789.") != "" {
		return len(index.Lookup([]byte(text), 1)) > 0
	}
	content := index.Bytes()
	return slices.ContainsFunc(index.Lookup([]byte(text), -1), func(at int) bool {
		end := at + len(text)
		return (at == 0 || !digit(content[at-1])) && (end == len(content) || !digit(content[end]))
	})
}

func digit(b byte) bool { return b >= '0' && b <= '9' }

// demoValues lists every value and identifier of the people that can be told from chance, with the attribute it
// is of. Left out are texts under six characters, bare numbers under nine digits and
// dates since 2015, which ciphertext in hex, ids and the timestamps of rows hold by accident, and the names
// of source systems, which stand beside each value in clear.
func demoValues(t *testing.T, people []demo.Person) map[string]string {
	t.Helper()
	values := make(map[string]string)
	add := func(attribute, text string) {
		telling := utf8.RuneCountInString(text) >= 6 || len(text) >= 6 && strings.IndexFunc(text, func(r rune) bool { return r > 127 }) >= 0
		bare := strings.Trim(text, "0123456789-") == "" && len(text) < 9
		date, err := time.Parse(time.DateOnly, text)
		if telling && !bare && (err != nil || date.Year() < 2015) {
			values[text] = attribute
		}
	}
	for _, person := range people {
		for _, identifier := range person.Draft.Identifiers {
			add(string(identifier.Type), identifier.Value)
		}
		for name, raw := range person.Draft.Attributes {
			var value any
			decoder := json.NewDecoder(strings.NewReader(string(raw)))
			decoder.UseNumber()
			if err := decoder.Decode(&value); err != nil {
				t.Fatal(err)
			}
			addAll(value, func(text string) { add(string(name), text) })
		}
	}
	for _, person := range people {
		for part := range strings.SplitSeq(person.Draft.Source, ".") {
			delete(values, part)
		}
	}
	return values
}

func addAll(value any, add func(string)) {
	switch v := value.(type) {
	case string:
		add(v)
	case json.Number:
		add(v.String())
	case []any:
		for _, item := range v {
			addAll(item, add)
		}
	case map[string]any:
		for _, item := range v {
			addAll(item, add)
		}
	}
}

// provoke sends people's values where they do not belong and gives all the answers.
func (v *vault) provoke(people []demo.Person) []byte {
	v.t.Helper()
	var answers []byte
	steward, consumer := v.steward(), v.consumer()
	for i, person := range people[:min(len(people), 200)] {
		email := person.Draft.Identifiers[0].Value
		for _, body := range []any{
			object{"identifiers": []object{{"type": email, "value": email}}, "source": "test"},
			object{"identifiers": []object{{"type": "phone", "value": email}}, "source": "test"},
			object{"identifiers": []object{{"type": "email", "value": email}}, "source": email},
			object{"identifiers": []object{{"type": "email", "value": email}}, "source": "test", email: email},
			object{"identifiers": []object{{"type": "email", "value": email}}, "source": "test", "attributes": object{email: email}},
			object{"identifiers": []object{{"type": "email", "value": email}}, "source": "test", "attributes": object{"birth_date": email, "income": email}},
			fmt.Sprintf(`{"identifiers":[{"type":"email","value":%q`, email),
			email,
		} {
			answers = append(answers, v.refused(http.MethodPost, "/v1/subjects", steward, body)...)
		}
		answers = append(answers, v.refused(http.MethodPost, "/v1/disclosures", consumer, object{"purpose": email, "attributes": []string{email}, "subjects": []object{{"id": email}}})...)
		answers = append(answers, v.refused(http.MethodGet, "/v1/subjects/"+email+"/consents?x="+email, steward, nil)...)
		if i%20 == 0 {
			answers = append(answers, v.refused(http.MethodPost, "/v1/subjects", email, nil)...)
		}
	}
	return answers
}

func (v *vault) refused(method, path, token string, body any) []byte {
	v.t.Helper()
	a := v.call(method, v.url+path, token, body)
	if a.status < 400 {
		v.t.Errorf("%s %.20s: answered %d", method, path, a.status)
	}
	return a.body
}
