package rights

import (
	"context"
	"slices"
	"time"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Some people have neither a token nor an address that was verified, and stand at a desk: their data must not be out of their reach for that
// (GDPR Art. 12(2), (6)). Then the link can be handed over to an agent, who gives the person the file. It is the one way by which data of
// somebody goes through the hands of somebody else, so it takes two of them: who vouched for the person, having seen a proof, is not
// who gets the link. It is on record as what it is, works for minutes, and there is none once the file was fetched.

const handOverWithin = 10 * time.Minute

var (
	errNotVouched = privacy.Conflict("not_vouched_for", "a link is handed over only for somebody whom an agent or officer has vouched for; who was identified otherwise fetches the file as they were")
	errVouched    = privacy.Forbidden("second_look_needed", "whoever vouched for the person cannot be handed the link to their file as well; have somebody else ask for it")
	errFetched    = privacy.Conflict("export_fetched", "the file was fetched before, and a link to it is not handed over again; the person can make the request again")
)

// barred says why the link to the file of a request cannot be handed over to a caller, nil when it can.
func (s *Service) barred(ctx context.Context, caller custody.Caller, r *store.RightsRequest) (why, err error) {
	if r.Identified != privacy.IdentifiedByAgent {
		return errNotVouched, nil
	}
	vouched, err := s.vouchers(ctx, r)
	switch {
	case err != nil:
		return nil, err
	case len(vouched) == 0: // nobody can say who did
		return errNotVouched, nil
	case slices.Contains(vouched, s.vault.Actor(caller)):
		return errVouched, nil
	}
	return nil, nil
}
