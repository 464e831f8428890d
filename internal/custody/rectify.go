package custody

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/catalogue"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Who has received a value that was wrong is told the right one (GDPR Art. 19, PIPL Art. 46). The event that is kept says of whom, and
// which attributes, alone. The values are asked for when it is sent, in the name of the client that they go to and for the purposes
// for which it got the old ones: so they are decided on and put on record as any disclosure is, at the time they leave, and
// lie nowhere in between. What may not be told any more is withheld, with the reason. While the receiver is away each attempt decides anew, and
// the same decision is on record once.

// rightsSource is where values come from that the person themselves has put right.
const rightsSource = "rights_request"

// OwnWord reports whether people may put values right by their word alone: what they say of themselves. What others have recorded of
// them (what they bought, how they answered) they may not, nor where they live and when they were born, from which the law
// and its protection of children follow.
func (s *Service) OwnWord(fields []ProfileValue) bool {
	return !slices.ContainsFunc(fields, func(f ProfileValue) bool {
		stated := f.Attribute.Category == catalogue.CategoryBasic || f.Attribute.Category == catalogue.CategoryPsychographic
		return !stated || s.isState(f.Attribute.Name)
	})
}

// Rectify writes the right values of a locked subject, in the transaction that carries the request out. From then on the request says no more than which
// they were.
func (s *Service) Rectify(ctx context.Context, tx *store.Tx, caller Caller, id privacy.SubjectID, request privacy.RightsRequestID, fields []ProfileValue) error {
	if _, err := s.updateInside(ctx, tx, caller, id, Profile{Attributes: fields, Source: rightsSource, object: RequestObject(request)}, nil); err != nil {
		return err
	}
	subject, err := tx.LockSubject(ctx, id)
	if err != nil {
		return err
	}
	return s.forgetWritten(ctx, tx, &subject, request)
}

// receivedBy is what clients have got of somebody: by client and purpose, of some attributes.
type receivedBy map[privacy.ClientID]map[privacy.PurposeName][]privacy.AttributeName

// receivedOf tells who got which of some attributes of a subject, in whatever form.
func (s *Service) receivedOf(ctx context.Context, id privacy.SubjectID, among []privacy.AttributeName) (receivedBy, error) {
	list, err := s.store.Received(ctx, id)
	if err != nil {
		return nil, err
	}
	got := make(receivedBy)
	for _, r := range list {
		decision, err := s.store.Decision(ctx, r.Decision)
		if err != nil {
			return nil, err
		}
		var outcome privacy.Outcome
		if err := json.Unmarshal(decision.Outcome, &outcome); err != nil {
			return nil, privacy.Internal(nil, "read a decision")
		}
		for name, mode := range outcome.Permitted {
			if !mode.Releases() || !slices.Contains(among, name) && !slices.Contains(among, s.shownFor(name, mode)) {
				continue
			}
			if got[r.Client] == nil {
				got[r.Client] = make(map[privacy.PurposeName][]privacy.AttributeName)
			}
			if !slices.Contains(got[r.Client][r.Purpose], name) {
				got[r.Client][r.Purpose] = append(got[r.Client][r.Purpose], name)
			}
		}
	}
	return got, nil
}

// Releasing tells which of some decisions released anything, in whatever form. One that is not to be found may have.
func (s *Service) Releasing(ctx context.Context, decisions []audit.Hash) (map[audit.Hash]bool, error) {
	outcomes, err := s.store.Outcomes(ctx, decisions)
	if err != nil {
		return nil, err
	}
	releasing := make(map[audit.Hash]bool, len(decisions))
	for _, hash := range decisions {
		text, found := outcomes[hash]
		if !found {
			releasing[hash] = true
			continue
		}
		var outcome privacy.Outcome
		if err := json.Unmarshal(text, &outcome); err != nil {
			return nil, privacy.Internal(nil, "read a decision")
		}
		for _, mode := range outcome.Permitted {
			releasing[hash] = releasing[hash] || mode.Releases()
		}
	}
	return releasing, nil
}

// shownFor names the attribute whose value is shown in the place of another: of a city its province.
func (s *Service) shownFor(name privacy.AttributeName, mode privacy.Mode) privacy.AttributeName {
	if attribute, ok := s.catalogue.Attribute(name); ok && mode == privacy.ModeGeneralise {
		if from, ok := attribute.GeneraliseFrom(); ok {
			return from
		}
	}
	return name
}

// WhoReceived lists the clients that got any of some attributes of a subject.
func (s *Service) WhoReceived(ctx context.Context, id privacy.SubjectID, among []privacy.AttributeName) ([]privacy.ClientID, error) {
	got, err := s.receivedOf(ctx, id, among)
	clients := make([]privacy.ClientID, 0, len(got))
	for client := range got {
		clients = append(clients, client)
	}
	slices.Sort(clients)
	return clients, err
}

// Rectified is what a client is told in the place of what it got for a purpose.
type Rectified struct {
	Purpose    privacy.PurposeName                       `json:"purpose"`
	Attributes map[privacy.AttributeName]json.RawMessage `json:"attributes"`
	Withheld   map[privacy.AttributeName]privacy.Reason  `json:"withheld"`
}

// RectifiedFor discloses to a client the values of which an event says that they were put right, for each purpose for which it got the old ones.
func (s *Service) RectifiedFor(ctx context.Context, client privacy.ClientID, e *privacy.Event) ([]Rectified, error) {
	got, err := s.receivedOf(ctx, e.Subject, e.Detail.Attributes)
	if err != nil {
		return nil, err
	}
	revision, err := s.InForce(ctx)
	if err != nil {
		return nil, err
	}
	caller := Caller{Caller: privacy.Caller{Client: client, Roles: []privacy.Role{privacy.RoleConsumer}}}
	var told []Rectified
	for purpose, names := range got[client] {
		if !s.policy.PurposeKnown(revision, purpose) {
			continue // it has ended, and nobody gets anything for it any more
		}
		disclosed, err := s.Disclose(ctx, caller, Request{Purpose: purpose, Attributes: names, Subjects: []SubjectRef{{ID: e.Subject}}, Object: "request/" + e.Detail.Request, Retried: true})
		if err != nil {
			return nil, err
		}
		told = append(told, rectified(purpose, &disclosed.Disclosures[0]))
	}
	slices.SortFunc(told, func(a, b Rectified) int { return cmp.Compare(a.Purpose, b.Purpose) })
	return told, nil
}

func rectified(purpose privacy.PurposeName, d *Disclosure) Rectified {
	r := Rectified{Purpose: purpose, Attributes: make(map[privacy.AttributeName]json.RawMessage), Withheld: make(map[privacy.AttributeName]privacy.Reason)}
	for _, released := range d.Attributes {
		r.Attributes[released.Name] = released.JSON
	}
	for _, withheld := range d.Withheld {
		r.Withheld[withheld.Name] = withheld.Reason
	}
	return r
}
