// Package demo makes up people, so that a vault that was started to be looked at has
// somebody in it: profiles that hang together and consents that differ.
//
// Nobody here exists. Email addresses lie under the domains that RFC 2606 reserves, and telephone
// numbers in the ranges that regulators keep for fiction, where a country has such.
//
// What hangs together is what somebody exploring the vault would notice: cities lie in their province and numbers
// in their country, income follows the occupation, the basket follows the income and the
// customer level the spend, the parts of a total add up to it, first things come before last
// things, and what is derived is derived. What differs is what decides: eight laws, adults and minors, and for every
// purpose people who granted, denied, withdrew, let expire, or were never asked.
//
// Two people are always the same, so that a guide can name them:
//
//   - the first, anna.schmidt@example.com, is an adult in München who granted marketing.email, marketing.segment
//     and analytics.profiling, denied ads.personalised and withdrew marketing.sms; none of it explicitly;
//   - the second, li.wei@example.com, is an adult in 杭州市 who granted marketing.segment and
//     analytics.profiling, and was never asked about marketing.email.
//
// Of the two, nearly every attribute is known.
package demo

import (
	"strconv"
	"time"

	"github.com/consentry/consentry/internal/custody"
)

// Person is somebody made up: what a source would send about them, and what they decided, oldest first.
type Person struct {
	Draft    custody.ProfileDraft
	Consents []custody.Consent
}

// People makes up n people as of a day. The same seed and now give the same people, and
// the first of many are the same as those of few.
func People(n int, seed uint64, now time.Time) []Person {
	c := census{now: now.UTC().Truncate(time.Second), emails: map[string]bool{}, phones: map[string]bool{}}
	people := make([]Person, n)
	for i := range people {
		people[i] = c.person(newDice(seed, i), i)
	}
	return people
}

// census makes people up one after the other and sees that no two are found by the same address or number.
type census struct {
	now            time.Time
	emails, phones map[string]bool
}

func (c *census) person(d dice, index int) Person {
	var who identity
	if index < len(known) {
		who, d.known = known[index].identity, true
		who.age = age(who.born, c.now)
	} else {
		who = newIdentity(d, c.now)
	}
	s := sketch{dice: d, identity: who, index: index, fields: fields{}, now: c.now, collected: c.now.Add(-d.hours(1, 60*24))}
	s.email = c.email(d, who, index)
	if d.has(0.85) {
		s.phone = c.phone(d, who.land)
	}
	s.draw()
	person := Person{Draft: s.draft()}
	if index < len(known) {
		person.Consents = decide(d, who, c.now, known[index].stances)
	} else {
		person.Consents = decide(d, who, c.now, drawStances(d, who.land))
	}
	return person
}

// email makes an address of the name; from the second of a name on, it is numbered.
func (c *census) email(d dice, who identity, index int) string {
	domain := pick(d, []string{"example.com", "example.org", "example.net"})
	if index < len(known) {
		domain = "example.com"
	}
	local := who.given.latin + "." + who.family.latin
	if who.land.familyFirst {
		local = who.family.latin + "." + who.given.latin
	}
	address := local + "@" + domain
	if c.emails[address] {
		address = local + strconv.Itoa(index) + "@" + domain
	}
	c.emails[address] = true
	return address
}

// phoneDraws bounds the search for a free number: the ranges for fiction are small, and
// whoever finds none has no phone.
const phoneDraws = 20

func (c *census) phone(d dice, home *land) string {
	for range phoneDraws {
		number := d.fill(pick(d, home.phones))
		if !c.phones[number] {
			c.phones[number] = true
			return number
		}
	}
	return ""
}
