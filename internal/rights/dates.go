package rights

import (
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// dates are the days by which a law wants a request acknowledged and answered.
type dates struct {
	AcknowledgeBy time.Time // zero: it does not say
	DueAt         time.Time // the clock of the place shows the same time as when the period began
	LegalDueOn    time.Time // a day, at midnight UTC
}

// datesUnder works out the dates of a request whose time began at some moment. The day on which it began is that of the
// place whose law it is, and does not count itself (Regulation 1182/71 Art. 3(1)).
func datesUnder(law custody.Law, began time.Time, calendars calendars) dates {
	place := calendars.of(law.Regime, law.Country)
	local := began.In(place.zone)
	d := dates{DueAt: law.Terms.Answer.From(local, place.worked)}
	if law.Terms.Acknowledge != nil {
		d.AcknowledgeBy = law.Terms.Acknowledge.From(local, place.worked).UTC()
	}
	d.LegalDueOn = dayOf(d.DueAt)
	if law.Terms.Rolls {
		d.LegalDueOn = privacy.Rolled(d.LegalDueOn, place.worked)
	}
	d.DueAt = d.DueAt.UTC()
	return d
}

// extended gives the dates when the law's extension is used; ok is false when it has none. One without an end gives
// the same time once more.
func extended(law custody.Law, began time.Time, calendars calendars) (d dates, tellBy time.Time, ok bool) {
	if law.Terms.Extension == nil {
		return dates{}, time.Time{}, false
	}
	place := calendars.of(law.Regime, law.Country)
	local := began.In(place.zone)
	tell := law.Terms.Extension.TellWithin.From(local, place.worked).UTC()
	if total := law.Terms.Extension.Total; total != nil {
		law.Terms.Answer = total
	} else {
		twice := *law.Terms.Answer
		twice.Count *= 2
		law.Terms.Answer = &twice
	}
	return datesUnder(law, began, calendars), tell, true
}

// dayOf gives the day that the clock of a place shows, at midnight UTC.
func dayOf(local time.Time) time.Time {
	year, month, day := local.Date()
	return time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
}
