package demo_test

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"

	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/demo"
	"github.com/consentry/consentry/internal/privacy"
)

const (
	crowd = 2000 // what a demo loads
	seed  = 7
)

var today = time.Date(2026, 11, 20, 15, 4, 5, 0, time.UTC)

// text reads an attribute that is a string, "" when there is none.
func text(t *testing.T, person demo.Person, attribute privacy.AttributeName) (value string) {
	t.Helper()
	if raw, ok := person.Draft.Attributes[attribute]; ok {
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatalf("%s: %v", attribute, err)
		}
	}
	return value
}

func number(t *testing.T, person demo.Person, attribute privacy.AttributeName) (value float64, ok bool) {
	t.Helper()
	raw, ok := person.Draft.Attributes[attribute]
	if ok {
		if err := json.Unmarshal(raw, &value); err != nil {
			t.Fatalf("%s: %v", attribute, err)
		}
	}
	return value, ok
}

func born(t *testing.T, person demo.Person) (time.Time, bool) {
	t.Helper()
	return date(t, person, "birth_date")
}

func date(t *testing.T, person demo.Person, attribute privacy.AttributeName) (time.Time, bool) {
	t.Helper()
	value := text(t, person, attribute)
	if value == "" {
		return time.Time{}, false
	}
	at, err := time.Parse(time.DateOnly, value)
	if err != nil {
		t.Fatalf("%s: %v", attribute, err)
	}
	return at, true
}

// standing gives how a person's records leave them on a purpose.
func standing(person demo.Person, purpose privacy.PurposeName) privacy.ConsentStatus {
	return standingAt(person, purpose, today)
}

func standingAt(person demo.Person, purpose privacy.PurposeName, now time.Time) privacy.ConsentStatus {
	status := privacy.ConsentNone
	for _, record := range person.Consents {
		if record.Purpose == purpose {
			left, _ := record.Action.Status()
			status = left.StatusAt(now, record.ExpiresAt)
		}
	}
	return status
}

func TestSameSeedSamePeople(t *testing.T) {
	many := demo.People(300, seed, today)
	if again := demo.People(300, seed, today); !reflect.DeepEqual(many, again) {
		t.Error("the same seed gave other people")
	}
	if few := demo.People(40, seed, today); !reflect.DeepEqual(many[:40], few) {
		t.Error("the first of many are not the same as few")
	}
	if others := demo.People(300, seed+1, today); reflect.DeepEqual(many[2:], others[2:]) {
		t.Error("another seed gave the same people")
	}
}

func TestEveryValueFitsTheCatalogue(t *testing.T) {
	words, err := catalogue.Load()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[privacy.AttributeName]int{}
	for i, person := range demo.People(crowd, seed, today) {
		for name, raw := range person.Draft.Attributes {
			attribute, ok := words.Attribute(name)
			if !ok {
				t.Fatalf("the catalogue has no %s", name)
			}
			if _, err := attribute.Normalise(raw, ""); err != nil {
				t.Errorf("person %d: %s %s: %v", i, name, raw, err)
			}
			seen[name]++
		}
		for _, d := range person.Draft.Identifiers {
			kind, ok := words.Identifier(d.Type)
			if !ok {
				t.Fatalf("the catalogue has no identifier %s", d.Type)
			}
			if _, err := kind.Normalise(d.Value, ""); err != nil {
				t.Errorf("person %d: %s %s: %v", i, d.Type, d.Value, err)
			}
		}
	}
	for _, attribute := range words.Attributes() {
		if seen[attribute.Name] == 0 {
			t.Errorf("nobody has %s", attribute.Name)
		}
	}
	for _, rare := range []privacy.AttributeName{"health_notes", "religion", "government_id"} {
		if seen[rare] > crowd/10 {
			t.Errorf("%d people have %s", seen[rare], rare)
		}
	}
}

func TestIdentifiersFindOnePerson(t *testing.T) {
	type identifier struct {
		kind  privacy.IdentifierType
		value string
	}
	owner := map[identifier]int{}
	phones := 0
	for i, person := range demo.People(crowd, seed, today) {
		for _, d := range person.Draft.Identifiers {
			key := identifier{d.Type, d.Value}
			if other, taken := owner[key]; taken {
				t.Errorf("%s %s is of %d and %d", d.Type, d.Value, other, i)
			}
			owner[key] = i
			switch d.Type {
			case "email":
				if _, domain, _ := strings.Cut(d.Value, "@"); domain != "example.com" && domain != "example.org" && domain != "example.net" {
					t.Errorf("the address %s may be somebody's", d.Value)
				}
			case "phone":
				phones++
				country := text(t, person, "country")
				parsed, err := phonenumbers.Parse(d.Value, "")
				if err != nil || phonenumbers.GetRegionCodeForNumber(parsed) != country && !fictional(d.Value) {
					t.Errorf("%s is no number of %s: %v", d.Value, country, err)
				}
			}
		}
	}
	if phones < crowd*3/4 || phones == crowd {
		t.Errorf("%d phones", phones)
	}
}

// fictional are the ranges that the metadata of real numbers leaves out.
func fictional(number string) bool {
	return strings.HasPrefix(number, "+3363998") || strings.HasPrefix(number, "+447700900")
}

func TestSharesAreBelievable(t *testing.T) {
	people := demo.People(crowd, seed, today)
	count := map[string]int{}
	for _, person := range people {
		count["country "+text(t, person, "country")]++
		if text(t, person, "country") == "US" && text(t, person, "province") == "CA" {
			count["California"]++
		}
		if at, ok := born(t, person); ok && at.AddDate(18, 0, 0).After(today) {
			count["minor"]++
			if !at.AddDate(12, 0, 0).Before(today) {
				t.Error("a child below 12")
			}
		}
		for _, purpose := range []privacy.PurposeName{"marketing.email", "marketing.sms", "ads.personalised"} {
			count[string(purpose)+" "+string(standing(person, purpose))]++
		}
		for _, record := range person.Consents {
			count["by "+string(record.By)]++
			if len(record.SeparateFor) > 0 {
				count["separate in "+text(t, person, "country")]++
			}
		}
	}
	for _, want := range []struct {
		what      string
		low, high float64 // of a hundred people
	}{
		{"country CN", 46, 54}, {"country DE", 8, 14}, {"country FR", 5, 10}, {"country GB", 5.5, 10.5}, {"country US", 9, 15}, {"California", 4, 9},
		{"country BR", 3, 6.5}, {"country JP", 1.5, 4.5}, {"country SG", 1, 3.5}, {"country CA", 1, 3.5},
		{"minor", 2.5, 5.5}, {"by guardian", 1, 15}, {"separate in CN", 20, 200}, {"separate in DE", 0, 0},
		{"marketing.email granted", 51, 59}, {"marketing.email denied", 7, 13}, {"marketing.email withdrawn", 7, 13},
		{"marketing.email expired", 2, 6}, {"marketing.email none", 16, 26},
		{"marketing.sms granted", 25, 40}, {"ads.personalised granted", 15, 28}, {"ads.personalised denied", 28, 42},
	} {
		if got := 100 * float64(count[want.what]) / crowd; got < want.low || got > want.high {
			t.Errorf("%s: %.1f %%, want %v to %v", want.what, got, want.low, want.high)
		}
	}
}

func TestProfilesHangTogether(t *testing.T) {
	type home struct{ city, country string }
	province := map[home]string{}
	for i, person := range demo.People(crowd, seed, today) {
		at := home{text(t, person, "city"), text(t, person, "country")}
		if before, ok := province[at]; ok && before != text(t, person, "province") {
			t.Errorf("%s lies in two provinces", at.city)
		}
		province[at] = text(t, person, "province")

		since, _ := date(t, person, "customer_since")
		first, bought := date(t, person, "first_purchase")
		last, _ := date(t, person, "last_purchase")
		seen := person.Draft.CollectedAt
		if seen.After(today) || since.After(seen) || bought && (first.Before(since) || last.Before(first) || last.After(seen)) {
			t.Errorf("person %d: since %s, first %s, last %s, seen %s", i, since, first, last, seen)
		}
		if at, ok := born(t, person); ok && since.Before(at.AddDate(10, 0, 0)) {
			t.Errorf("person %d was a customer before the age of ten", i)
		}
		if recency, ok := number(t, person, "recency_days"); ok != bought || bought && int(recency) != int(seen.Sub(last).Hours()/24) {
			t.Errorf("person %d: recency %v", i, recency)
		}
		orders, _ := number(t, person, "orders_total")
		spend, spent := number(t, person, "spend_total")
		average, _ := number(t, person, "average_basket")
		if spent != (orders > 0) || spent && math.Abs(average-spend/orders) > 0.00501 {
			t.Errorf("person %d: %v in %v orders, %v on average", i, spend, orders, average)
		}
		checkSum(t, person, "spend_by_category", spend)
		checkSum(t, person, "orders_by_channel", orders)
	}
}

func checkSum(t *testing.T, person demo.Person, attribute privacy.AttributeName, want float64) {
	t.Helper()
	raw, ok := person.Draft.Attributes[attribute]
	if !ok {
		return
	}
	var parts map[string]float64
	if err := json.Unmarshal(raw, &parts); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, part := range parts {
		sum += part
	}
	if math.Abs(sum-want) > 0.001 {
		t.Errorf("%s adds up to %v, not %v", attribute, sum, want)
	}
}

func TestConsentsAreInOrder(t *testing.T) {
	for i, person := range demo.People(crowd, seed, today) {
		var before time.Time
		for _, record := range person.Consents {
			if record.OccurredAt.Before(before) || record.OccurredAt.After(today) {
				t.Errorf("person %d: a record of %s after one of %s", i, record.OccurredAt, before)
			}
			before = record.OccurredAt
			if !record.ExpiresAt.IsZero() && (record.Action != privacy.ActionGrant || !record.ExpiresAt.After(record.OccurredAt)) {
				t.Errorf("person %d: expiry %s of a %s at %s", i, record.ExpiresAt, record.Action, record.OccurredAt)
			}
			if at, ok := born(t, person); record.By == privacy.ByGuardian && (!ok || !at.AddDate(16, 0, 0).After(today)) {
				t.Errorf("person %d has a guardian consent", i)
			}
		}
	}
}

func TestKnownPeopleAreTheSameUnderEverySeed(t *testing.T) {
	for _, seed := range []uint64{0, 1, 7, 1 << 60} {
		people := demo.People(2, seed, today)
		for i, want := range []struct {
			email, name, country, city string
			marketing                  privacy.ConsentStatus
		}{
			{"anna.schmidt@example.com", "Anna Schmidt", "DE", "München", privacy.ConsentGranted},
			{"li.wei@example.com", "李伟", "CN", "杭州市", privacy.ConsentNone},
		} {
			person := people[i]
			email := person.Draft.Identifiers[0]
			if email.Type != "email" || email.Value != want.email || text(t, person, "email") != want.email || text(t, person, "full_name") != want.name ||
				text(t, person, "country") != want.country || text(t, person, "city") != want.city {
				t.Errorf("seed %d: person %d is %v", seed, i, email)
			}
			if got := standing(person, "marketing.email"); got != want.marketing {
				t.Errorf("seed %d: person %d is %s on marketing.email", seed, i, got)
			}
			if got := standing(person, "marketing.segment"); got != privacy.ConsentGranted {
				t.Errorf("seed %d: person %d is %s on marketing.segment", seed, i, got)
			}
			if at, ok := born(t, person); !ok || at.AddDate(18, 0, 0).After(today) {
				t.Errorf("seed %d: person %d is no known adult", seed, i)
			}
			for _, record := range person.Consents {
				if record.Explicit || len(record.SeparateFor) > 0 {
					t.Errorf("seed %d: person %d consented explicitly", seed, i)
				}
			}
			for _, name := range []privacy.AttributeName{"phone", "income", "health_notes", "customer_level", "company", "spend_total", "recency_days"} {
				if _, ok := person.Draft.Attributes[name]; !ok {
					t.Errorf("seed %d: person %d has no %s", seed, i, name)
				}
			}
		}
	}
}
