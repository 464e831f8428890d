package policy

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/ast"

	"github.com/consentry/consentry/internal/privacy"
)

func TestRevisionIsContentAddressed(t *testing.T) {
	one := defaultRevision(t)
	two := defaultRevision(t)
	if one.ID != two.ID || len(one.ID) != 64 {
		t.Errorf("ids %s and %s", one.ID, two.ID)
	}
	content, err := one.Content()
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseRevision(content)
	if err != nil || parsed.ID != one.ID {
		t.Fatalf("parsed %s, %v", parsed.ID, err)
	}
	again, err := parsed.Content()
	if err != nil || !bytes.Equal(content, again) {
		t.Errorf("content changes on the way, %v", err)
	}
	data := tablesOf(t, one)
	data["matrix"].(map[string]any)["email"].(map[string]any)["marketing.email"] = "mask"
	changed, err := NewRevision(one.Modules, data)
	if err != nil || changed.ID == one.ID {
		t.Errorf("another matrix under the same id, %v", err)
	}
}

func TestParseRevisionRefuses(t *testing.T) {
	content, err := defaultRevision(t).Content()
	if err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string][]byte{
		"empty":         nil,
		"not JSON":      []byte("revision"),
		"no modules":    []byte(`{"data":{"a":1},"modules":{}}`),
		"unknown field": []byte(`{"data":{"a":1},"modules":{"a":"package a"},"more":1}`),
		"two objects":   append(bytes.Clone(content), content...),
		"spaces":        append([]byte(" "), content...),
		"order":         []byte(`{"modules":{"a":"package a"},"data":{"a":1}}`),
		"doubled key":   []byte(`{"data":{"a":1,"a":1},"modules":{"a":"package a"}}`),
		"other escapes": bytes.Replace(content, []byte("package"), []byte(`\u0070ackage`), 1),
		"cut":           content[:len(content)-1],
	} {
		if _, err := ParseRevision(broken); privacy.CodeOf(err) != "invalid_revision" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLoadRefusesAnIDThatDoesNotFit(t *testing.T) {
	revision := defaultRevision(t)
	revision.Modules["authz.rego"] = "package consentry.authz\n\nallow := true"
	if err := NewEngine().Load(t.Context(), revision); privacy.CodeOf(err) != "revision_mismatch" {
		t.Errorf("got %v", err)
	}
}

// A decision must not depend on anything but its input: a policy that reaches for the
// network, the clock, chance or the environment does not compile.
func TestImpureBuiltinsDoNotCompile(t *testing.T) {
	for _, call := range []string{
		`http.send({"method": "GET", "url": "http://localhost"})`, `time.now_ns()`, `rand.intn("x", 2)`, `opa.runtime()`,
		`net.lookup_ip_addr("localhost")`, `net.cidr_expand("10.0.0.0/8")`, `uuid.rfc4122("x")`,
		`io.jwt.decode_verify("x", {})`, `crypto.x509.parse_and_verify_certificates("x")`, `providers.aws.sign_req({}, {}, 0)`,
		`trace("x")`, `time.clock(0)`,
	} {
		revision := answering(t, `decision := `+call)
		err := NewEngine().Load(t.Context(), revision)
		if privacy.CodeOf(err) != "invalid_policy" || privacy.KindOf(err) != privacy.KindInvalid {
			t.Errorf("%s: %v", call, err)
		}
	}
}

func TestNoImpureBuiltinIsLeft(t *testing.T) {
	for _, builtin := range pureCapabilities().Builtins {
		family, _, _ := strings.Cut(builtin.Name, ".")
		switch {
		case builtin.IsNondeterministic(),
			slices.Contains(strings.Fields("http net opa providers rand uuid time io crypto trace print"), family):
			t.Errorf("%s is left", builtin.Name)
		}
	}
	if n, all := len(pureCapabilities().Builtins), len(ast.CapabilitiesForThisVersion().Builtins); n < 90 || n >= all {
		t.Errorf("%d of %d built-ins are left", n, all)
	}
}

func TestLoadIsStrict(t *testing.T) {
	for name, body := range map[string]string{
		"does not parse":  `decision := {`,
		"unused variable": "decision := 1 if {\n\tunused := 2\n\tinput.purpose\n}",
		"unknown call":    `decision := permit(input)`,
		"recursion":       "decision := other\n\nother := decision",
	} {
		if err := NewEngine().Load(t.Context(), answering(t, body)); privacy.CodeOf(err) != "invalid_policy" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParseRevision(f *testing.F) {
	f.Add([]byte(`{"data":{"a":1.50},"modules":{"a.rego":"package a"}}`))
	f.Add([]byte(`{"modules":{},"data":{}}`))
	f.Fuzz(func(t *testing.T, content []byte) {
		revision, err := ParseRevision(content)
		if err != nil {
			return
		}
		again, err := revision.Content()
		if err != nil || !bytes.Equal(again, content) || hashID(content) != revision.ID {
			t.Errorf("accepted what is not canonical")
		}
	})
}
