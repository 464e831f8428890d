package e2e_test

import (
	"archive/zip"
	"bytes"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
)

// checkpointKeys gives the vault's public keys, as somebody keeps them who will want to verify.
func (v *vault) checkpointKeys() proofpack.Trust {
	v.t.Helper()
	var checkpoint struct{ Keys []audit.Key }
	v.get("/v1/audit/checkpoint", v.auditor()).into(v.t, &checkpoint)
	return proofpack.Trust{Keys: checkpoint.Keys}
}

func (v *vault) proof(id, token string) []byte {
	v.t.Helper()
	a := v.get("/v1/subjects/"+id+"/consents/proof", token)
	if a.header.Get("Content-Type") != "application/zip" || a.header.Get("Content-Disposition") != `attachment; filename="consent-proof-`+id+`.zip"` || a.header.Get("Cache-Control") != "no-store" {
		v.t.Errorf("headers: %v", a.header)
	}
	return a.body
}

func verifyPack(t *testing.T, pack []byte, trust proofpack.Trust) *proofpack.Report {
	t.Helper()
	report, err := proofpack.Verify(t.Context(), bytes.NewReader(pack), int64(len(pack)), trust)
	if err != nil {
		t.Fatal(err)
	}
	for _, check := range report.Checks {
		if !check.OK {
			t.Errorf("%s: %v", check.Name, check.Faults)
		}
	}
	return report
}

// publishNotice publishes a version of a notice for marketing by email, in two languages.
func (v *vault) publishNotice(id string, version int, words string) {
	v.t.Helper()
	path := "/v1/notices/" + id + "/versions/" + string(rune('0'+version))
	var drafted struct{ Edit int }
	a := v.call(http.MethodPut, v.url+path, v.officer(), object{"content": object{"contact": "privacy@example.com", "controller": "Example Ltd", "purposes": []string{"marketing.email"},
		"recipients": []string{}, "retention": "", "rights": []string{"withdrawal"}, "variants": object{"en": object{"title": "Marketing", "text": words}, "de": object{"title": "Werbung", "text": "de: " + words}}}})
	if a.status != http.StatusOK {
		v.t.Fatalf("notice: status %d: %s", a.status, a.body)
	}
	a.into(v.t, &drafted)
	v.post(path+"/publish", v.officer(), object{"edit": drafted.Edit}, http.StatusOK)
}

// Somebody decides, under two notices and two signing keys; the proof of it verifies elsewhere, and holds nothing of who they are.
func TestConsentsAreProvenElsewhere(t *testing.T) {
	v := setup(t)
	const email, city = "proven.person@example.com", "Castrop-Rauxel"
	id := v.store(email, object{"country": "DE", "city": city, "given_name": "Proventia"})
	v.publishNotice("marketing.email", 1, "We write to you.")
	decide := func(fields object) {
		t.Helper()
		body := object{"subject": object{"id": id}, "purpose": "marketing.email", "channel": "web", "method": "checkbox"}
		for name, value := range fields {
			body[name] = value
		}
		v.post("/v1/consents", v.steward(), body, http.StatusCreated)
	}
	decide(object{"action": "grant", "notice": object{"id": "marketing.email", "version": 1}, "locale": "de", "evidence": object{"form": "Sealed Evidence 4711"}})
	decide(object{"action": "object", "purpose": "marketing.*"})
	decide(object{"action": "lift", "purpose": "marketing.*"})
	decide(object{"action": "withdraw"})
	admin, err := keyring.OpenVault(t.Context(), v.keys, keyring.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer admin.Close() //nolint:errcheck // gives none
	if err := admin.RotateSigning(t.Context()); err != nil {
		t.Fatal(err)
	}
	v.publishNotice("marketing.email", 2, "We write to you, rarely.")
	decide(object{"action": "grant", "notice": object{"id": "marketing.email", "version": 2}, "explicit": true, "separate_for": []string{"transfer"}, "expires_at": "2099-01-01T00:00:00Z"})
	v.post("/v1/subjects/"+id+"/signals", v.steward(), object{"gpc": true}, http.StatusCreated)

	pack := v.proof(id, v.officer())
	report := verifyPack(t, pack, v.checkpointKeys())
	if m := report.Manifest; m == nil || m.Subject.String() != id || m.Records != 5 || !report.Vouched {
		t.Errorf("it says %+v", m)
	}
	files := unzip(t, pack)
	for _, name := range []string{"notices/marketing.email/1/notice.json", "notices/marketing.email/1/de.md", "notices/marketing.email/1/en.md", "notices/marketing.email/2/de.md"} {
		if files[name] == "" {
			t.Errorf("there is no %s", name)
		}
	}
	for name, content := range files {
		for _, word := range []string{email, "Proventia", city, "Sealed Evidence"} {
			if strings.Contains(content, word) {
				t.Errorf("%s tells who it is: %s", name, word)
			}
		}
	}
	// One that was made before stays valid, and the next one has what came after it.
	decide(object{"action": "deny"})
	verifyPack(t, pack, v.checkpointKeys())
	if report := verifyPack(t, v.proof(id, v.auditor()), v.checkpointKeys()); report.Manifest.Records != 6 {
		t.Errorf("the next proof has %d records", report.Manifest.Records)
	}
	// That it was given out is on record.
	var log struct {
		Entries []struct{ Action, Client, Object string }
	}
	v.get("/v1/audit/entries?limit=1000&subject="+id, v.auditor()).into(t, &log)
	issued := 0
	for _, e := range log.Entries {
		if e.Action == "proof.issue" && strings.HasPrefix(e.Object, "proof/") {
			issued++
		}
	}
	if issued != 2 {
		t.Errorf("%d proofs on record", issued)
	}
}

// What a vault gave out is changed on its way, in one place after the other: whoever verifies is told in which.
func TestTamperedProofsAreFound(t *testing.T) {
	v := setup(t)
	id := v.store("ada@example.com", object{"country": "DE"})
	v.publishNotice("marketing.email", 1, "We write to you.")
	for range 3 {
		v.post("/v1/consents", v.steward(), object{"subject": object{"id": id}, "purpose": "marketing.email", "action": "grant", "notice": object{"id": "marketing.email", "version": 1}, "locale": "de"}, http.StatusCreated)
	}
	pack := v.proof(id, v.officer())
	verifyPack(t, pack, v.checkpointKeys())
	for what, c := range map[string]struct {
		file, from, to, check string
	}{
		"what the notice said":        {"notices/marketing.email/1/notice.json", "We write", "We call", "notices"},
		"the form of the notice":      {"notices/marketing.email/1/notice.json", `{`, `[`, "notices"},
		"the page that was shown":     {"notices/marketing.email/1/de.md", "We write", "We call", "notices"},
		"the checkpoint's size":       {"audit/checkpoint.txt", "\n", "\n1", "audit log"},
		"the checkpoint's signature":  {"audit/checkpoint.txt", "\n— ", "\n— x", "audit log"},
		"an inclusion proof":          {"audit/entries.ndjson", `"proof":["`, `"proof":["ff`, "audit log"},
		"the place of an entry":       {"audit/entries.ndjson", `"index":`, `"index":1`, "audit log"},
		"a decision":                  {"records.ndjson", `"grant"`, `"deny"`, "records"},
		"a receipt":                   {"receipts.txt", ".", ".e", "receipts"},
		"what is signed of the files": {"manifest.json", `"records":3`, `"records":2`, "manifest"},
	} {
		files := unzip(t, pack)
		changed := strings.Replace(files[c.file], c.from, c.to, 1)
		if changed == files[c.file] {
			t.Errorf("%s: %s has no %q: %s", what, c.file, c.from, files[c.file])
		}
		files[c.file] = changed
		packed := rezip(t, pack, files)
		report, err := proofpack.Verify(t.Context(), bytes.NewReader(packed), int64(len(packed)), v.checkpointKeys())
		if err != nil || report.OK() {
			t.Errorf("%s: nothing is found, %v", what, err)
			continue
		}
		if !slices.ContainsFunc(report.Checks, func(check *proofpack.Check) bool { return check.Name == c.check && !check.OK }) {
			t.Errorf("%s: it is not found by %s", what, c.check)
		}
	}
}

// rezip puts files in the place of those of a pack.
func rezip(t *testing.T, pack []byte, files map[string]string) []byte {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		t.Fatal(err)
	}
	var packed bytes.Buffer
	w := zip.NewWriter(&packed)
	for _, file := range r.File {
		part, err := w.Create(file.Name)
		if err == nil {
			_, err = io.WriteString(part, files[file.Name])
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return packed.Bytes()
}

func unzip(t *testing.T, pack []byte) map[string]string {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(pack), int64(len(pack)))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, file := range r.File {
		opened, err := file.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		files[file.Name] = string(content)
	}
	return files
}

func TestConsentProofsAreForThoseWhoMayReadThem(t *testing.T) {
	v := setup(t)
	id, other := v.store("ada@example.com", nil), v.store("bob@example.com", nil)
	v.consent(id, "marketing.email", "grant")
	path := v.url + "/v1/subjects/" + id + "/consents/proof"
	for _, role := range []privacy.Role{privacy.RoleOfficer, privacy.RoleAuditor, privacy.RoleAgent} {
		verifyPack(t, v.proof(id, v.token("desk", role)), proofpack.Trust{})
	}
	verifyPack(t, v.proof(id, v.issuer.SubjectToken(t, "portal", mustID(t, id))), proofpack.Trust{})
	for what, token := range map[string]string{"another subject": v.issuer.SubjectToken(t, "portal", mustID(t, other)), "a steward": v.steward(), "a consumer": v.consumer(),
		"an approver": v.token("desk", privacy.RoleApprover), "an admin": v.token("desk", privacy.RoleAdmin)} {
		if a := v.call(http.MethodGet, path, token, nil); a.status != http.StatusForbidden || a.code() != "not_allowed" {
			t.Errorf("%s: status %d: %.200s", what, a.status, a.body)
		}
	}
	v.wantProblem(t, v.call(http.MethodGet, v.url+"/v1/subjects/"+marker+"/consents/proof", v.officer(), nil), http.StatusUnprocessableEntity, "invalid_id")
	v.wantProblem(t, v.call(http.MethodGet, v.url+"/v1/subjects/00000000-0000-7000-8000-000000000000/consents/proof", v.officer(), nil), http.StatusNotFound, "subject_not_found")
}

// Somebody who never decided anything has a proof of that.
func TestConsentProofOfNothing(t *testing.T) {
	v := setup(t)
	report := verifyPack(t, v.proof(v.store("ada@example.com", nil), v.officer()), v.checkpointKeys())
	if report.Manifest.Records != 0 || report.Manifest.Head != nil {
		t.Errorf("it says %+v", report.Manifest)
	}
}
