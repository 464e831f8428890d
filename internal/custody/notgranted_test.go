package custody_test

import (
	"reflect"
	"testing"

	"github.com/consentry/consentry/internal/custody"
	"github.com/consentry/consentry/internal/privacy"
)

// A client without the grant is not told who is known, nor who somebody is.
func TestWithoutTheGrantNobodyIsKnown(t *testing.T) {
	t.Parallel()
	v := setup(t)
	id := v.put("ada@example.com", fields{"given_name": "Ada", "country": "DE"})
	v.decide(id, privacy.ActionGrant)
	by := func(email string) custody.SubjectRef {
		identifier, err := v.NormaliseIdentifier(custody.IdentifierDraft{Type: "email", Value: email}, "")
		if err != nil {
			t.Fatal(err)
		}
		return custody.SubjectRef{Identifier: identifier}
	}
	stranger := custody.Caller{Caller: privacy.Caller{Client: "analyst", Roles: []privacy.Role{privacy.RoleConsumer}}, Request: "q4"}
	ask := func(caller custody.Caller, refs ...custody.SubjectRef) []custody.Disclosure {
		t.Helper()
		disclosed, err := v.Disclose(t.Context(), caller, custody.Request{Purpose: marketing, Attributes: []privacy.AttributeName{"given_name"}, Subjects: refs})
		if err != nil {
			t.Fatal(err)
		}
		return disclosed.Disclosures
	}
	known, unknown := ask(stranger, by("ada@example.com")), ask(stranger, by("bob@example.com"))
	if !reflect.DeepEqual(known, unknown) || known[0].Withheld[0].Reason != privacy.ReasonPurposeNotGranted {
		t.Errorf("known %+v, unknown %+v", known, unknown)
	}
	if both := ask(stranger, by("ada@example.com"), custody.SubjectRef{ID: id}); !reflect.DeepEqual(both[0], both[1]) {
		t.Errorf("the same person by two names: %+v", both)
	}
	if got := v.newest(id, 1)[0]; got.Client != stranger.Client {
		t.Errorf("the newest entry about the subject is %+v", got)
	}
	if granted := ask(consumer, by("ada@example.com")); granted[0].Subject != id || len(granted[0].Attributes) != 1 {
		t.Errorf("with the grant: %+v", granted)
	}
	_, err := v.Disclose(t.Context(), consumer, custody.Request{Purpose: marketing, Attributes: []privacy.AttributeName{"given_name"}, Subjects: []custody.SubjectRef{by("ada@example.com"), {ID: id}}})
	wantCode(t, err, privacy.KindInvalid, "duplicate_subject")
}
