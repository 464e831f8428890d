package custody

import "context"

// onRecord reports whether all that was decided is on record already, as what was decided last for the same object, client, purpose and
// subject. Overtaken says that there was another order about one of them meanwhile, as [Store.CommitAudit] does of what is recorded now.
func (r *releasePart) onRecord(ctx context.Context) (known, overtaken bool, err error) {
	for i := range r.drafts {
		one, late, err := r.service.store.OnRecord(ctx, &r.drafts[i])
		if err != nil || !one {
			return false, false, err
		}
		overtaken = overtaken || late
	}
	return true, overtaken, nil
}

// releaseKnown is the answer by a decision that is on record. There is none when it was overtaken: it is decided anew.
func (r *releasePart) releaseKnown(overtaken bool, err error) (*Disclosed, error) {
	if overtaken || err != nil {
		return nil, err
	}
	disclosures, err := r.openAll()
	if err != nil {
		return nil, err
	}
	return &Disclosed{Revision: r.revision, Disclosures: disclosures}, nil
}
