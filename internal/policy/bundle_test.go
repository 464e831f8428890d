package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/ed25519"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/storage/inmem"
	"github.com/open-policy-agent/opa/v1/tester"

	"github.com/consentry/consentry/internal/privacy"
)

// bundleKeys is a key pair that is the same in every run.
func bundleKeys() (BundleKey, map[string]ed25519.PublicKey) {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{7}, ed25519.SeedSize))
	sign := func(_ context.Context, message []byte) ([]byte, error) { return ed25519.Sign(private, message), nil }
	return BundleKey{ID: "test", Sign: sign}, map[string]ed25519.PublicKey{"test": private.Public().(ed25519.PublicKey)}
}

// bundledRevision has everything that a bundle can have.
func bundledRevision(t testing.TB) Revision {
	t.Helper()
	granted := privacy.ConsentGranted
	ask := CaseInput{Client: "crm-mailer", Purpose: "marketing.email", Attributes: []privacy.AttributeName{"email", "city", "religion"}}
	tests := builtinTests(t)
	tests.Cases = []Case{
		{Name: "consent given\nfor mail", Input: ask, Subject: CaseSubject{Regime: privacy.RegimeGDPR, Country: "DE"}, Consent: CaseConsent{Status: &granted},
			Permitted: map[privacy.AttributeName]privacy.Mode{"email": "plain", "city": "any"}, Withheld: map[privacy.AttributeName]privacy.Reason{"religion": "any"}},
		{Name: "nobody asked", Input: ask, Subject: CaseSubject{Regime: privacy.RegimeGDPR, Country: "DE"}, Withheld: map[privacy.AttributeName]privacy.Reason{"email": "consent_missing"}},
	}
	revision, err := defaultRevision(t).WithTests(tests)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

func exported(t testing.TB, revision Revision) []byte {
	t.Helper()
	key, _ := bundleKeys()
	content, err := ExportBundle(t.Context(), revision, key)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func TestBundlesRoundTrip(t *testing.T) {
	_, keys := bundleKeys()
	for name, revision := range map[string]Revision{"with tests": bundledRevision(t), "without": defaultRevision(t)} {
		content := exported(t, revision)
		if !bytes.Equal(content, exported(t, revision)) {
			t.Errorf("%s: the same revision gives other bytes", name)
		}
		imported, err := ImportBundle(bytes.NewReader(content), keys)
		if err != nil || imported.ID != revision.ID {
			t.Fatalf("%s: %s, %v", name, imported.ID, err)
		}
		if diff := Compare(revision, imported); !diff.Empty() {
			t.Errorf("%s: %v", name, diff)
		}
	}
}

// readByOPA reads a bundle as OPA does, and verifies it as OPA does.
func readByOPA(t *testing.T, content []byte, key ed25519.PublicKey) bundle.Bundle {
	t.Helper()
	encoded, err := PublicKeyPEM(key)
	if err != nil {
		t.Fatal(err)
	}
	trust := bundle.NewVerificationConfig(map[string]*bundle.KeyConfig{"test": {Key: string(encoded), Algorithm: "EdDSA"}}, "", "", nil)
	read, err := bundle.NewReader(bytes.NewReader(content)).WithBundleVerificationConfig(trust).Read()
	if err != nil {
		t.Fatal(err)
	}
	return read
}

// TestOPAReadsBundlesTheSame asks the vault and plain OPA, which knows nothing but the bundle, the questions of all law cases.
func TestOPAReadsBundlesTheSame(t *testing.T) {
	engine, revision := setup(t)
	_, keys := bundleKeys()
	outside := readByOPA(t, exported(t, revision), keys["test"])
	query, err := rego.New(rego.Query(decisionQuery), rego.ParsedBundle("policy", &outside)).PrepareForEval(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	for _, c := range lawCases(t) {
		decision, err := engine.Decide(t.Context(), revision.ID, c.DecisionInput())
		if err != nil {
			t.Fatal(err)
		}
		answer, err := run(t.Context(), query, decision.Input)
		if err != nil {
			t.Fatal(err)
		}
		outcome, ok := readOutcome(answer, distinct(c.Input.Attributes))
		if !ok || !maps.Equal(outcome.Permitted, decision.Outcome.Permitted) || !maps.Equal(outcome.Withheld, decision.Outcome.Withheld) {
			t.Errorf("%s: %v outside, %v inside", c.Name, outcome, decision.Outcome)
		}
		asked++
	}
	if asked < 60 || outside.Manifest.Revision != string(revision.ID) {
		t.Errorf("%d questions, revision %s", asked, outside.Manifest.Revision)
	}
}

// TestOPATestsBundlesTheSame runs OPA's tester over the bundle alone: it finds what Check finds, the officer's cases too.
func TestOPATestsBundlesTheSame(t *testing.T) {
	revision := bundledRevision(t)
	broken := slices.Clone(revision.Tests.Cases)
	broken[1].Withheld = map[privacy.AttributeName]privacy.Reason{"email": "objected"}
	failing, err := revision.WithTests(Tests{Cases: broken, Modules: revision.Tests.Modules})
	if err != nil {
		t.Fatal(err)
	}
	_, keys := bundleKeys()
	for _, revision := range []Revision{revision, failing} {
		read := readByOPA(t, exported(t, revision), keys["test"])
		passed, failed := 0, 0
		store := inmem.New()
		err := storage.Txn(t.Context(), store, storage.WriteParams, func(txn storage.Transaction) error {
			results, err := tester.NewRunner().SetStore(store).SetBundles(map[string]*bundle.Bundle{"policy": &read}).RunTests(t.Context(), txn)
			if err != nil {
				return err
			}
			for result := range results {
				if result.Pass() {
					passed++
				} else {
					failed++
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		report := check(t, revision)
		inside := 0
		for _, c := range report.Cases {
			if !c.Pass {
				inside++
			}
		}
		if failed != inside || passed+failed != len(report.Cases)+len(report.Tests) || report.Pass != (failed == 0) {
			t.Errorf("outside %d passed and %d failed; inside %+v", passed, failed, report.Cases)
		}
	}
}

// repack writes the files of a bundle anew, changed.
func repack(t testing.TB, content []byte, change func(map[string][]byte)) []byte {
	t.Helper()
	files, err := readArchive(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	change(files)
	content, err = writeArchive(files)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// resign signs changed files with the right key.
func resign(t testing.TB, content []byte, change func(map[string][]byte)) []byte {
	t.Helper()
	return repack(t, content, func(files map[string][]byte) {
		delete(files, bundleSignatures)
		change(files)
		key, _ := bundleKeys()
		var err error
		if files[bundleSignatures], err = signFiles(t.Context(), files, key); err != nil {
			t.Fatal(err)
		}
	})
}

func TestImportRefuses(t *testing.T) {
	_, keys := bundleKeys()
	good := exported(t, bundledRevision(t))
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{8}, ed25519.SeedSize)).Public().(ed25519.PublicKey)
	set := func(name, text string) func(map[string][]byte) {
		return func(files map[string][]byte) { files[name] = []byte(text) }
	}
	for name, test := range map[string]struct {
		content []byte
		keys    map[string]ed25519.PublicKey
		code    string
	}{
		"not an archive":     {[]byte("policy"), keys, "invalid_bundle"},
		"cut short":          {good[:len(good)/2], keys, "invalid_bundle"},
		"another key":        {good, map[string]ed25519.PublicKey{"test": stranger}, "bundle_tampered"},
		"no key of the name": {good, map[string]ed25519.PublicKey{"other": keys["test"]}, "bundle_tampered"},
		"no keys":            {good, nil, "bundle_tampered"},
		"unsigned":           {repack(t, good, func(files map[string][]byte) { delete(files, bundleSignatures) }), keys, "bundle_unsigned"},
		"no signature":       {repack(t, good, set(bundleSignatures, `{"signatures":[]}`)), keys, "bundle_tampered"},
		"odd signature":      {repack(t, good, set(bundleSignatures, `[]`)), keys, "invalid_bundle"},
		"other plugin":       {repack(t, good, set(bundleSignatures, `{"plugin":"none"}`)), keys, "invalid_bundle"},
		"alg none":           {repack(t, good, set(bundleSignatures, `{"signatures":["eyJhbGciOiJub25lIiwia2lkIjoidGVzdCJ9.e30."]}`)), keys, "bundle_tampered"},
		"module changed":     {repack(t, good, set("modules/authz.rego", "package consentry.authz\n\nallow := true")), keys, "bundle_tampered"},
		"module added":       {repack(t, good, set("modules/more.rego", "package more")), keys, "bundle_tampered"},
		"module removed":     {repack(t, good, func(files map[string][]byte) { delete(files, "modules/sale.rego") }), keys, "bundle_tampered"},
		"tables changed":     {repack(t, good, set(bundleData, "{}")), keys, "bundle_tampered"},
		"case removed":       {repack(t, good, func(files map[string][]byte) { delete(files, bundleCases) }), keys, "bundle_tampered"},
		"signed, up and out": {resign(t, good, set("modules/../../x.rego", "package x")), keys, "invalid_bundle"},
		"signed, a stranger": {resign(t, good, set("etc/passwd", "x")), keys, "invalid_bundle"},
		"signed, other id":   {resign(t, good, set(bundleManifest, `{"revision":"x","roots":[""],"rego_version":1}`)), keys, "invalid_bundle"},
		"signed, more cases": {resign(t, good, set(bundleCasesTest, "package x")), keys, "invalid_bundle"},
		"signed, no tables":  {resign(t, good, set(bundleData, "[]")), keys, "invalid_bundle"},
		"signed, spaces":     {resign(t, good, func(files map[string][]byte) { files[bundleData] = append(files[bundleData], ' ') }), keys, "invalid_bundle"},
		"a link":             {archiveOf(t, tar.Header{Typeflag: tar.TypeSymlink, Name: "data.json", Linkname: "/etc/passwd"}, nil), keys, "invalid_bundle"},
		"twice":              {archiveOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "data.json", Size: 2}, []byte("{}"), []byte("{}")), keys, "invalid_bundle"},
		"a bomb":             {archiveOf(t, tar.Header{Typeflag: tar.TypeReg, Name: "data.json", Size: 64 << 20}, make([]byte, 64<<20)), keys, "bundle_too_large"},
		"larger than it says": {archiveOf(t, tar.Header{Typeflag: tar.TypeDir, Name: strings.Repeat("d/", 50)}, slices.Repeat([][]byte{nil}, 40000)...), keys,
			"bundle_too_large"},
	} {
		if _, err := ImportBundle(bytes.NewReader(test.content), test.keys); privacy.CodeOf(err) != test.code {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// archiveOf writes entries of one name.
func archiveOf(t *testing.T, header tar.Header, contents ...[]byte) []byte {
	t.Helper()
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	for _, content := range contents {
		if err := archive.WriteHeader(&header); err != nil {
			t.Fatal(err)
		}
		if _, err := archive.Write(content); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(archive.Close(), compressed.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestExportRefuses(t *testing.T) {
	key, _ := bundleKeys()
	odd, err := NewRevision(map[string]string{"../a.rego": "package a"}, map[string]any{"a": 1})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ExportBundle(t.Context(), odd, key); privacy.CodeOf(err) != "invalid_file_name" {
		t.Errorf("got %v", err)
	}
	away := BundleKey{ID: "test", Sign: func(context.Context, []byte) ([]byte, error) {
		return nil, privacy.Unavailable(nil, "vault_unavailable", "try again")
	}}
	if _, err := ExportBundle(t.Context(), defaultRevision(t), away); privacy.CodeOf(err) != "vault_unavailable" {
		t.Errorf("got %v", err)
	}
}

func FuzzImportBundle(f *testing.F) {
	_, keys := bundleKeys()
	good := exported(f, bundledRevision(f))
	f.Add(good)
	f.Add(good[:100])
	f.Add(repack(f, good, func(files map[string][]byte) { delete(files, bundleSignatures) }))
	f.Fuzz(func(t *testing.T, content []byte) {
		revision, err := ImportBundle(bytes.NewReader(content), keys)
		if err != nil {
			return
		}
		if revision.verify() != nil {
			t.Error("a revision that is not what its id says")
		}
	})
}
