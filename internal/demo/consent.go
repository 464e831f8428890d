package demo

import (
	"slices"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// stance is where somebody stands on a purpose.
type stance int

const (
	unasked   stance = iota
	granted          // and in force
	expired          // granted, for a time that has passed
	denied           // from the start
	withdrawn        // granted, then taken back
)

// leaning is how people stand on a purpose, in shares of all; the rest was never asked.
type leaning struct {
	purpose                            privacy.PurposeName
	granted, expired, denied, withdrew float64
}

var leanings = []leaning{
	{"marketing.email", 0.55, 0.04, 0.10, 0.10},
	{"marketing.segment", 0.62, 0.02, 0.06, 0.05},
	{"analytics.profiling", 0.45, 0.03, 0.15, 0.06},
	{"marketing.sms", 0.32, 0.03, 0.18, 0.08},
	{"ads.personalised", 0.22, 0.02, 0.35, 0.06},
	{"sales.outreach", 0.18, 0.01, 0.20, 0.03},
}

// openness is how often somebody answers as is their way, rather than as the purpose strikes them.
const openness = 0.6

// drawStances has people be of one mind mostly: who grants one thing rather grants the next. How readily
// differs between countries; the purpose that guides speak of has the same shares everywhere.
func drawStances(d dice, home *land) map[privacy.PurposeName]stance {
	stances := map[privacy.PurposeName]stance{}
	habit := d.Float64()
	for _, l := range leanings {
		at := d.Float64()
		if d.chance(openness) {
			at = habit
		}
		readily := home.grants
		if l.purpose == "marketing.email" {
			readily = 1
		}
		stances[l.purpose] = l.stanceAt(at, readily)
	}
	return stances
}

func (l leaning) stanceAt(at, readily float64) stance {
	yes := l.granted * readily
	switch {
	case at < yes:
		return granted
	case at < yes+l.expired:
		return expired
	case at < yes+l.expired+l.withdrew:
		return withdrawn
	case at < yes+l.expired+l.withdrew+l.denied:
		return denied
	default:
		return unasked
	}
}

// decide gives the records that lead to the stances, oldest first.
func decide(d dice, who identity, now time.Time, stances map[privacy.PurposeName]stance) []custody.Consent {
	var records []custody.Consent
	for _, l := range leanings {
		record := custody.Consent{Purpose: l.purpose, Action: privacy.ActionGrant, By: giver(who), Notice: noticeOf(l.purpose), Locale: languageOf(who.land)}
		record.Channel, record.Method = occasion(d, who.land)
		at := now.Add(-d.hours(60*24, 540*24) - time.Duration(d.IntN(3600))*time.Second)
		switch stances[l.purpose] {
		case unasked:
			continue
		case denied:
			record.Action, record.Method = privacy.ActionDeny, "declined"
		case expired:
			at = at.AddDate(0, 0, -400)
			record.ExpiresAt = at.AddDate(1, 0, 0)
		case granted:
			if d.chance(0.2) && !d.known {
				record.ExpiresAt = at.AddDate(2, 0, 0)
			}
		case withdrawn:
		}
		record.OccurredAt = at
		if record.Action == privacy.ActionGrant && !d.known {
			record.Explicit, record.SeparateFor = d.chance(0.45), scopes(d, who.land)
		}
		records = append(records, record)
		if stances[l.purpose] == withdrawn {
			back := custody.Consent{Purpose: l.purpose, Action: privacy.ActionWithdraw, By: record.By, OccurredAt: now.Add(-d.hours(1, 59*24))}
			back.Channel, back.Method = pick(d, []string{"email", "web", "phone"}), "unsubscribe"
			records = append(records, back)
		}
	}
	slices.SortStableFunc(records, func(a, b custody.Consent) int { return a.OccurredAt.Compare(b.OccurredAt) })
	return records
}

// consentAge is the highest of the ages that the laws name: nobody below it speaks for themselves here,
// whatever law a missing region makes theirs.
const consentAge = 16

// giver is the guardian of a child below the age of consent: the vault takes no child's own word.
func giver(who identity) privacy.ConsentBy {
	if who.age < consentAge {
		return privacy.ByGuardian
	}
	return privacy.BySelf
}

// scopes are what a consent was given for separately, as the law of China asks.
func scopes(d dice, home *land) []privacy.ConsentScope {
	if home.country != "CN" {
		return nil
	}
	var out []privacy.ConsentScope
	for _, scope := range []privacy.ConsentScope{privacy.ScopeSensitive, privacy.ScopeThirdParty, privacy.ScopeTransfer} {
		if d.chance(0.4) {
			out = append(out, scope)
		}
	}
	return out
}

// occasion is where and how somebody was asked.
func occasion(d dice, home *land) (channel, method string) {
	occasions := [][2]string{{"web", "checkbox"}, {"web", "double_opt_in"}, {"app", "toggle"}, {"store", "signature"}, {"phone", "spoken"}}
	if home.country == "CN" {
		occasions = [][2]string{{"wechat", "toggle"}, {"app", "toggle"}, {"store", "signature"}, {"web", "checkbox"}}
	}
	drawn := pick(d, occasions)
	if d.known {
		drawn = occasions[0]
	}
	return drawn[0], drawn[1]
}
