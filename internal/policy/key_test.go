package policy

import (
	"bytes"
	"fmt"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/consentry/consentry/internal/privacy"
)

// Two inputs share a memory exactly when they are one question.
func TestInputsShareAKeyOnlyWhenTheyAreOne(t *testing.T) {
	_, revision := setup(t)
	g := newGenerators(t, revision)
	rapid.Check(t, func(t *rapid.T) {
		one, two := g.input(t), g.input(t)
		oneJSON, err1 := CanonicalInput(one)
		twoJSON, err2 := CanonicalInput(two)
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		if same := decisionKey("r", &one) == decisionKey("r", &two); same != bytes.Equal(oneJSON, twoJSON) {
			t.Fatalf("same key %t:\n%s\n%s", same, oneJSON, twoJSON)
		}
	})
}

func TestKeysCoverEveryField(t *testing.T) {
	eachField(t, func(input *privacy.DecisionInput) memoKey { return decisionKey("r", input) })
	eachField(t, func(input *AuthzInput) memoKey { return permissionKey("r", input) })
	input := consenting("city")
	if decisionKey("r", &input) == decisionKey("q", &input) {
		t.Error("two revisions share a key")
	}
}

// eachField changes each field of a question, nested ones too, and wants another key for it.
func eachField[T any](t *testing.T, key func(*T) memoKey) {
	t.Helper()
	seen := map[memoKey]string{key(new(T)): "nothing"}
	var visit func(path string, index []int, kind reflect.Type)
	visit = func(path string, index []int, kind reflect.Type) {
		if kind.Kind() == reflect.Struct {
			for i := range kind.NumField() {
				visit(path+"."+kind.Field(i).Name, append(index[:len(index):len(index)], i), kind.Field(i).Type)
			}
			return
		}
		changed := new(T)
		field := reflect.ValueOf(changed).Elem().FieldByIndex(index)
		switch kind.Kind() {
		case reflect.String:
			field.SetString("x")
		case reflect.Bool:
			field.SetBool(true)
		case reflect.Int:
			field.SetInt(1)
		case reflect.Slice:
			item := reflect.New(kind.Elem()).Elem()
			item.SetString("x")
			field.Set(reflect.Append(field, item))
		default:
			t.Fatalf("%s is a %s: teach this test about it", path, kind)
		}
		if other, taken := seen[key(changed)]; taken {
			t.Errorf("%T%s has the key of %s", *changed, path, other)
		}
		seen[key(changed)] = fmt.Sprintf("%T%s", *changed, path)
	}
	visit("", nil, reflect.TypeFor[T]())
}
