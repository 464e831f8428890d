package demo

import (
	"math"
	"time"
)

// dormantDays is how long ago a last purchase commonly lies, in the median.
const dormantDays = 75

func (s *sketch) drawPurchases() {
	years := min(6, float64(s.age-11)/2) // children are customers for a short time
	since := day(s.collected).AddDate(0, 0, -s.between(20, int(365*years)))
	s.put("customer_since", date(since))
	if s.has(0.8) {
		sources := []string{"store", "store", "webshop", "webshop", "referral", "trade fair", "social media", "call centre"}
		s.put("source", pick(s.dice, sources))
	}
	orders := s.count(6, 1.1)
	if s.known {
		orders = max(orders, 3)
	}
	if orders == 0 { // a prospect
		s.put("orders_total", 0)
		s.put("customer_level", "standard")
		return
	}
	basket := 4200 * math.Exp(0.55*s.NormFloat64())
	if s.income > 0 {
		basket *= math.Pow(s.income/30000, 0.35)
	}
	if !s.adult() {
		basket /= 3
	}
	spent := cents(float64(orders)*basket) + 100
	s.put("orders_total", orders)
	s.put("spend_total", spent)
	s.put("average_basket", cents(math.Round(float64(spent)/float64(orders))))
	s.put("customer_level", s.level(spent))
	s.drawTimes(since, orders)
	s.drawShares(int(spent), orders)
	if s.has(0.2) || spent > 500000 {
		s.put("account_owner", pick(s.dice, []string{"Chen Min", "Eva Lindner", "Tom Becker", "Sofia Duarte", "赵敏", "Oliver Grant"}))
	}
}

// level follows the spend, but for those whom somebody moved up or down.
func (s *sketch) level(spent cents) string {
	levels := []string{"standard", "bronze", "silver", "gold", "platinum", "diamond"}
	level := 0
	for _, bound := range []cents{15000, 40000, 100000, 250000, 800000} {
		if spent >= bound {
			level++
		}
	}
	switch at := s.Float64(); {
	case at < 0.06:
		level--
	case at < 0.14:
		level++
	}
	return levels[min(max(level, 0), len(levels)-1)]
}

// drawTimes tells when the purchases were: the first on or after the day the person became
// a customer, the last on or before the day the source saw them, a single one first and last.
func (s *sketch) drawTimes(since time.Time, orders int) {
	seen := day(s.collected)
	span := int(seen.Sub(since).Hours() / 24)
	first := s.IntN(min(span, 15) + 1)
	last := max(span-s.count(dormantDays, 1.2), first)
	if orders == 1 {
		last = first
	}
	s.put("first_purchase", date(since.AddDate(0, 0, first)))
	s.put("last_purchase", date(since.AddDate(0, 0, last)))
	s.put("recency_days", span-last)
	if orders > 1 {
		s.put("purchase_cycle_days", math.Round(10*float64(last-first)/float64(orders-1))/10)
	}
}

// drawShares divides the whole among categories and channels.
func (s *sketch) drawShares(spent, orders int) {
	if s.has(0.7) {
		categories := some(s.dice, []string{"electronics", "fashion", "grocery", "beauty", "home", "sports", "books", "toys"}, s.between(1, 4))
		spend := map[string]cents{}
		for i, part := range s.split(spent, len(categories)) {
			spend[categories[i]] = cents(part)
		}
		s.put("spend_by_category", spend)
	}
	if s.has(0.7) {
		channels := []string{"store", "web", "app", "phone"}
		if s.land.country == "CN" {
			channels = []string{"wechat", "app", "store", "web"}
		}
		channels = some(s.dice, channels, s.between(1, 3))
		count := map[string]int{}
		for i, part := range s.split(orders, len(channels)) {
			if part > 0 {
				count[channels[i]] = part
			}
		}
		s.put("orders_by_channel", count)
	}
}

func (s *sketch) drawBehaviour() {
	if s.has(0.6) {
		complaints := s.count(0.5, 0.9)
		s.put("complaints", complaints)
		if s.has(0.6) {
			score := min(max(8.1-1.1*float64(complaints)+1.2*s.NormFloat64(), 0), 10)
			s.put("satisfaction", math.Round(10*score)/10)
		}
	}
	if s.has(0.65) {
		s.put("visits_month", s.count(4, 0.9))
	}
	if s.has(0.45) {
		s.put("app_sessions", s.count(6, 1.1))
		s.put("device_id", s.faker.UUID())
	}
}

// drawCampaigns has who is contacted open some of it, click on less and accept the least.
func (s *sketch) drawCampaigns() {
	if !s.has(0.7) {
		return
	}
	sent := s.between(1, 40)
	opened := int(float64(sent) * s.Float64() * 0.8)
	clicked := int(float64(opened) * s.Float64() * 0.5)
	s.put("campaigns_sent", sent)
	s.put("emails_opened", opened)
	s.put("campaigns_clicked", clicked)
	if clicked > 0 {
		names := []string{"spring sale", "summer festival", "back to school", "singles day", "winter sale", "new year", "anniversary"}
		s.put("campaigns_accepted", some(s.dice, names, s.between(0, min(clicked, 3))))
	}
}
