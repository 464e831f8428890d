package custody

import (
	"crypto/rand"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/store"
)

// Two policy states that differ in anything that a policy can see never share a decision.
func TestStateKeyTellsEveryFieldApart(t *testing.T) {
	var zero privacy.SubjectState
	changed := eachFieldChanged(reflect.ValueOf(&zero).Elem(), func() any { return zero })
	if len(changed) != reflect.TypeFor[privacy.SubjectState]().NumField()-1+reflect.TypeFor[privacy.ConsentState]().NumField() {
		t.Fatalf("%d changes", len(changed))
	}
	seen := map[stateKey]bool{newStateKey(zero): true}
	for _, state := range changed {
		key := newStateKey(state.(privacy.SubjectState))
		if seen[key] {
			t.Errorf("no key of its own: %+v", state)
		}
		seen[key] = true
	}
	one, two := zero, zero
	one.Consent.SeparateFor = []privacy.ConsentScope{privacy.ScopePublic, privacy.ScopeTransfer}
	two.Consent.SeparateFor = []privacy.ConsentScope{privacy.ScopePublic}
	if newStateKey(one) == newStateKey(two) {
		t.Error("a scope is left out")
	}
}

// Whatever words a state has, known or not, in whichever of its fields, another has a key of its own.
func TestStateKeyTellsEveryWordApart(t *testing.T) {
	seen := make(map[saidKey]privacy.ConsentState)
	statuses, givers := append(slices.Clone(knownStatuses), "x", "y", ""), append(slices.Clone(knownGivers), "x", "y", "")
	scopes := [][]privacy.ConsentScope{nil, {"x"}, {"y"}, {"x", "y"}, {"x" + fieldEnd + "y"}}
	for _, scope := range knownScopes {
		scopes = append(scopes, []privacy.ConsentScope{scope}, []privacy.ConsentScope{scope, "x"})
	}
	for _, status := range statuses {
		for _, giver := range givers {
			for _, separate := range scopes {
				for notice := range 2 {
					state := privacy.SubjectState{Consent: privacy.ConsentState{Status: status, By: giver, SeparateFor: separate, NoticeVersion: notice}}
					key := newSaidKey(&state)
					if other, known := seen[key]; known {
						t.Errorf("%+v has the key of %+v", state.Consent, other)
					}
					seen[key] = state.Consent
				}
			}
		}
	}
}

// eachFieldChanged gives a copy of the whole for each field, in which that field alone is not zero.
func eachFieldChanged(value reflect.Value, whole func() any) (copies []any) {
	for i := range value.NumField() {
		field := value.Field(i)
		switch field.Kind() {
		case reflect.Struct:
			copies = append(copies, eachFieldChanged(field, whole)...)
			continue
		case reflect.String:
			field.SetString("x")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int:
			field.SetInt(7)
		case reflect.Slice:
			field.Set(reflect.MakeSlice(field.Type(), 1, 1))
			field.Index(0).SetString("x")
		default:
			panic("a field of another kind: " + field.Type().String())
		}
		copies = append(copies, whole())
		field.SetZero()
	}
	return copies
}

// A sealed state opens as what was sealed, and in its own place only.
func TestStateSealsAndOpens(t *testing.T) {
	keys, err := keyring.OpenFile(t.TempDir(), keyring.Options{Dev: true, Init: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = keys.Close() }()
	if _, err := keys.EnsurePage(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	subject, err := keys.Subject(t.Context(), privacy.SubjectID{1}, 0)
	if err != nil {
		t.Fatal(err)
	}
	order := []privacy.AttributeName{"birth_date", "birth_year", "country", "province"}
	printable := rapid.StringOfN(rapid.Rune().Filter(func(r rune) bool { return r >= ' ' && r != 0x7f }), 0, 20, -1)
	rapid.Check(t, func(rt *rapid.T) {
		want := state{regime: rapid.SampledFrom(append(privacy.Regimes(), "")).Draw(rt, "regime")}
		for _, name := range order {
			if rapid.Bool().Draw(rt, "held") {
				want.set(name, privacy.NewCleartext(printable.Draw(rt, string(name))))
			}
		}
		version := rapid.Uint32().Draw(rt, "version")
		sealed, err := want.seal(subject, order, version)
		if err != nil {
			rt.Fatal(err)
		}
		row := store.Subject{Version: version, State: sealed}
		got, err := openState(subject, &row)
		if err != nil || !reflect.DeepEqual(got, want) {
			rt.Fatalf("opened as something else: %v", err)
		}
		row.Version++
		if _, err := openState(subject, &row); err == nil {
			rt.Fatal("opened under another version")
		}
	})
	unknown, err := subject.Seal(keyring.KindState, 0, 1, privacy.NewCleartext("2"+fieldEnd+"gdpr"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := openState(subject, &store.Subject{Version: 1, State: unknown}); privacy.CodeOf(err) != "state_unreadable" {
		t.Errorf("a state of another format: %v", err)
	}
	junk := make([]byte, 64)
	_, _ = rand.Read(junk)
	if _, err := openState(subject, &store.Subject{Version: 1, State: junk}); err == nil || strings.Contains(err.Error(), string(junk)) {
		t.Errorf("junk: %v", err)
	}
}
