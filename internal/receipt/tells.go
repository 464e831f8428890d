package receipt

import (
	"slices"

	"github.com/consentry/consentry/internal/privacy"
)

// Tells reports whether the receipt is of a record: the same decision of the same subject, about the same purpose and
// notice, at the same time. What it says of controller and purpose beside, no record has.
func (r *Receipt) Tells(purpose privacy.PurposeName, event *Event) bool {
	made := New(&privacy.Controller{}, &Terms{Purpose: purpose}, event)
	is, has := &r.Record, &made.Record
	return r.ConsentReceiptID == made.ConsentReceiptID && r.PIIPrincipalID == made.PIIPrincipalID && r.ConsentTimestamp == made.ConsentTimestamp &&
		is.RecordID == has.RecordID && is.ReceiptID == has.ReceiptID && is.PIIPrincipalID == has.PIIPrincipalID &&
		is.Purpose == has.Purpose && is.PrivacyNotice.Notice == has.PrivacyNotice.Notice && is.Language == has.Language &&
		is.Event.Time.Equal(has.Event.Time) && is.Event.EntityID == has.Event.EntityID && is.Event.Type == has.Event.Type && is.Event.State == has.Event.State &&
		is.Event.GivenBy == has.Event.GivenBy && is.Event.Confirms == has.Event.Confirms && slices.Equal(is.Event.SeparateFor, has.Event.SeparateFor)
}
