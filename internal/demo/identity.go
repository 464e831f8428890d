package demo

import (
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// identity is who somebody is, before anything is known about what they do.
type identity struct {
	land          *land
	home          place
	gender        string
	given, family name
	born          time.Time
	age           int // in whole years, at the census
}

// minors is the share of people from 12 to 17.
const minors = 0.04

func newIdentity(d dice, now time.Time) identity {
	home := lands[weighted(d, len(lands), func(i int) int { return lands[i].weight })]
	who := identity{land: home, home: home.places[weighted(d, len(home.places), func(i int) int { return home.places[i].weight })]}
	who.gender, who.given = newGender(d, home)
	who.family = newFamily(d, home)
	years := min(max(int(43+15*d.NormFloat64()), 18), 90)
	if d.chance(minors) {
		years = d.between(12, 17)
	}
	who.born = day(now).AddDate(-years, 0, -d.IntN(365))
	who.age = age(who.born, now)
	return who
}

func newGender(d dice, home *land) (string, name) {
	switch at := d.Float64(); {
	case at < 0.49:
		return "female", pick(d, home.female)
	case at < 0.97:
		return "male", pick(d, home.male)
	case at < 0.99:
		return "other", pick(d, append(home.female[:len(home.female):len(home.female)], home.male...))
	default:
		return "undisclosed", pick(d, append(home.female[:len(home.female):len(home.female)], home.male...))
	}
}

func newFamily(d dice, home *land) name {
	if len(home.family) == 0 {
		written := d.faker.LastName()
		return name{written, plain(written)}
	}
	return pick(d, home.family)
}

// adult says whether somebody is past the rules for minors, in every land.
func (who *identity) adult() bool { return who.age >= 18 }

// day is the midnight a moment falls after, in UTC.
func day(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }

// known are the people who are always there, first of all.
var known = []struct {
	identity
	stances map[privacy.PurposeName]stance
}{
	{
		identity{land: &germany, home: place{city: "München", province: "Bayern", postcode: "80###"}, gender: "female",
			given: name{"Anna", "anna"}, family: name{"Schmidt", "schmidt"}, born: time.Date(1988, 5, 14, 0, 0, 0, 0, time.UTC)},
		map[privacy.PurposeName]stance{"marketing.email": granted, "marketing.segment": granted, "analytics.profiling": granted, "ads.personalised": denied, "marketing.sms": withdrawn},
	},
	{
		identity{land: &china, home: place{city: "杭州市", province: "浙江省", postcode: "310###"}, gender: "male",
			given: name{"伟", "wei"}, family: name{"李", "li"}, born: time.Date(1985, 9, 2, 0, 0, 0, 0, time.UTC)},
		map[privacy.PurposeName]stance{"marketing.segment": granted, "analytics.profiling": granted},
	},
}

// age counts the birthdays there have been.
func age(born, now time.Time) int {
	years := now.Year() - born.Year()
	if born.AddDate(years, 0, 0).After(now) {
		years--
	}
	return years
}
