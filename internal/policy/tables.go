package policy

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/signal"
)

// Purpose is a row of the purposes table: what the flows and the console show of it.
type Purpose struct {
	Title                map[string]string         `json:"title"` // by language, "en" always
	DPV                  string                    `json:"dpv"`   // IRI of the W3C Data Privacy Vocabulary
	Category             string                    `json:"category"`
	Basis                map[privacy.Regime]string `json:"basis"`
	Marketing            bool                      `json:"marketing"`
	Profiling            bool                      `json:"profiling"`
	AutomatedDecision    bool                      `json:"automated_decision"`
	CrossContext         bool                      `json:"cross_context"`
	LimitExempt          bool                      `json:"limit_exempt"`  // may use sensitive data although its use was limited
	DoubleOptIn          string                    `json:"double_opt_in"` // email or sms: a grant waits to be confirmed there; "": it does not
	MinimumNoticeVersion int                       `json:"minimum_notice_version"`
	Descriptions         map[string]string         `json:"descriptions"` // by language: what is done with the data
	Notice               string                    `json:"notice"`       // id of the notice that explains it; "" for none
	Lifetime             string                    `json:"lifetime"`     // how long a consent lasts by default, as P2Y; "" for no end
	Retention            string                    `json:"retention"`    // how long data is kept for it at most, as P3Y; "" when not said
	Recipients           []Recipient               `json:"recipients"`   // who gets the data besides the controller
	Abroad               []Transfer                `json:"abroad"`       // where it goes outside the subject's country
}

// Recipient is somebody, or some kind of somebody, who gets data for a purpose.
type Recipient struct {
	Name string `json:"name"`
	Role string `json:"role"` // processor or third_party
}

// Transfer is a country that data goes to, and what makes it lawful.
type Transfer struct {
	Country   string `json:"country"` // ISO 3166-1 alpha-2
	Mechanism string `json:"mechanism,omitempty"`
}

// BasisUnder gives the legal basis of the purpose under a law.
func (p Purpose) BasisUnder(regime privacy.Regime) string {
	if basis, ok := p.Basis[regime]; ok {
		return basis
	}
	return p.Basis[privacy.RegimeDefault]
}

// Client is a row of the clients table.
type Client struct {
	Title     string `json:"title"`
	Recipient string `json:"recipient"` // own, processor or third_party
	Country   string `json:"country"`   // ISO 3166-1 alpha-2, or "local": wherever the subject is
	Mechanism string `json:"mechanism"` // what makes a transfer there lawful; "" for none

	Segments *Segments `json:"segments"` // nil: as usual
}

// Abroad reports whether what the client is given leaves the country of a controller.
func (c Client) Abroad(home string) bool { return c.Country != "local" && c.Country != home }

// Segments says how much a client may be told about groups of people, for each purpose.
type Segments struct {
	Epsilon    float64 `json:"epsilon"`     // of each answer
	Budget     float64 `json:"budget"`      // of epsilons in a window
	WindowDays int     `json:"window_days"` // how long a window is
	Minimum    int64   `json:"minimum"`     // the smallest noisy count that is told
}

// Recipients in whose hands data has not left the controller's.
const (
	recipientOwn       = "own"
	recipientProcessor = "processor"
)

// tables are the parts of a revision's data that flows look up without a decision.
type tables struct {
	purposes  map[privacy.PurposeName]Purpose
	clients   map[privacy.ClientID]Client
	granted   map[privacy.ClientID][]privacy.PurposeName
	regimes   regimeTable
	matrix    map[privacy.AttributeName]map[privacy.PurposeName]privacy.Mode
	signals   *signal.Rules // nil: the revision does not say
	deadlines Deadlines     // the same
	handling  *Handling     // the same
}

type regimeTable struct {
	Countries map[string]privacy.Regime            `json:"countries"`
	Regions   map[string]map[string]privacy.Regime `json:"regions"`
	Laws      map[privacy.Regime]json.RawMessage   `json:"laws"`
}

func readTables(data map[string]any, granted any) (tables, error) {
	var t tables
	for _, part := range []struct {
		document any
		into     any
	}{
		{data["purposes"], &t.purposes}, {data["clients"], &t.clients}, {data["regimes"], &t.regimes}, {granted, &t.granted}, {data["matrix"], &t.matrix},
	} {
		content, err := json.Marshal(part.document)
		if err != nil {
			return tables{}, err
		}
		if err := json.Unmarshal(content, part.into); err != nil {
			return tables{}, err
		}
	}
	if err := readSignals(data["signals"], &t); err != nil {
		return tables{}, err
	}
	err := readDeadlines(data["deadlines"], &t)
	return t, err
}

// Regime says which law applies to a subject, from the country (ISO 3166-1 alpha-2) and the
// region (by name, or ISO 3166-2 with or without the country): that of the region, else that of the country, else the
// strictest. What a source stated counts where [Engine.RegimeMayStand] says so, and a law the
// revision does not know is the strictest.
func (e *Engine) Regime(id privacy.RevisionID, country, region string, stated privacy.Regime) privacy.Regime {
	ready, err := e.revision(id)
	if err != nil {
		return privacy.RegimeDefault
	}
	table := &ready.tables.regimes
	law := table.follows(country, region)
	if stated != "" && table.mayStand(country, region, stated) {
		law = stated
	}
	return table.known(law)
}

// RegimeMayStand reports whether a law that a source states may hold for a subject, about whom it must not say less than where
// they live does: any law while the country is not known, one of the country's regions while the
// region is not, the law that follows from both, and always the strictest.
func (e *Engine) RegimeMayStand(id privacy.RevisionID, country, region string, stated privacy.Regime) bool {
	ready, err := e.revision(id)
	return err == nil && ready.tables.regimes.mayStand(country, region, stated)
}

func (t *regimeTable) mayStand(country, region string, stated privacy.Regime) bool {
	switch {
	case country == "", stated == privacy.RegimeDefault, stated == t.known(t.follows(country, region)):
		return true
	case region != "":
		return false
	}
	for _, regional := range t.Regions[country] {
		if regional == stated {
			return true
		}
	}
	return false
}

// follows gives the law of where somebody lives, "" when the table does not say.
func (t *regimeTable) follows(country, region string) privacy.Regime {
	law := t.Countries[country]
	region = strings.TrimPrefix(region, country+"-")
	for name, regional := range t.Regions[country] {
		if strings.EqualFold(name, region) {
			law = regional
		}
	}
	return law
}

func (t *regimeTable) known(law privacy.Regime) privacy.Regime {
	if _, known := t.Laws[law]; !known {
		return privacy.RegimeDefault
	}
	return law
}

// Purposes gives the purposes of a revision; nil when it is not loaded.
func (e *Engine) Purposes(id privacy.RevisionID) map[privacy.PurposeName]Purpose {
	ready, err := e.revision(id)
	if err != nil {
		return nil
	}
	purposes := make(map[privacy.PurposeName]Purpose, len(ready.tables.purposes))
	for name, purpose := range ready.tables.purposes {
		purposes[name] = purpose
	}
	return purposes
}

// Purpose gives one purpose, and whether the revision knows it.
func (e *Engine) Purpose(id privacy.RevisionID, name privacy.PurposeName) (Purpose, bool) {
	ready, err := e.revision(id)
	if err != nil {
		return Purpose{}, false
	}
	purpose, known := ready.tables.purposes[name]
	return purpose, known
}

// PurposeKnown reports whether the revision has the purpose.
func (e *Engine) PurposeKnown(id privacy.RevisionID, name privacy.PurposeName) bool {
	_, known := e.Purpose(id, name)
	return known
}

// Client gives what a revision says about an application, and whether it knows it.
func (e *Engine) Client(id privacy.RevisionID, name privacy.ClientID) (Client, bool) {
	ready, err := e.revision(id)
	if err != nil {
		return Client{}, false
	}
	client, known := ready.tables.clients[name]
	return client, known
}

// Granted reports whether the client may ask for the purpose at all. A decision asks this by
// itself; flows that tell of a purpose without one, such as the feed of events, ask here.
func (e *Engine) Granted(id privacy.RevisionID, client privacy.ClientID, purpose privacy.PurposeName) bool {
	ready, err := e.revision(id)
	if err != nil {
		return false
	}
	return slices.Contains(ready.tables.granted[client], purpose)
}

// SaysGrants reports whether the revision says at all which client may ask for what. One that is broken does not.
func (e *Engine) SaysGrants(id privacy.RevisionID) bool {
	ready, err := e.revision(id)
	return err == nil && ready.tables.granted != nil
}

// GrantedPurposes lists the purposes that the client may ask for.
func (e *Engine) GrantedPurposes(id privacy.RevisionID, client privacy.ClientID) []privacy.PurposeName {
	ready, err := e.revision(id)
	if err != nil {
		return nil
	}
	return slices.Clone(ready.tables.granted[client])
}
