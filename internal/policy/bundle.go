package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/bundle"
	"github.com/open-policy-agent/opa/v1/util"

	"github.com/consentry/consentry/internal/privacy"
)

// A bundle is a revision as OPA's tools read it: a tar.gz of modules, tables and tests with a manifest and a signature.
//
//	.manifest            the revision's id; the bundle owns all of data
//	data.json            the tables
//	modules/…            the modules
//	tests/…              the test modules
//	cases.json           the officer's cases; OPA does not read them
//	cases_test.rego      the same cases as tests, so that opa test runs them
//	.signatures.json     a JWT of the hashes of all of these
//
// The signature is EdDSA, because the vault's signing key is Ed25519 and leaves Vault never. OPA verifies it, in its
// library and where a key is given on its command line (--verification-key, --signing-alg EdDSA); only the list of algorithms
// that `keys` of its configuration file may name leaves EdDSA out (OPA 1.22, keys.go).
//
// Source: OPA's documentation on bundles, "Bundle File Format" and "Signing".
const (
	bundleManifest   = ".manifest"
	bundleData       = "data.json"
	bundleModules    = "modules/"
	bundleTests      = "tests/"
	bundleCases      = "cases.json"
	bundleCasesTest  = "cases_test.rego"
	bundleSignatures = ".signatures.json"
	bundleAlgorithm  = "EdDSA"
)

// BundleKey signs bundles. ID names the key to those who verify; Sign is Ed25519 over the bytes it is given.
type BundleKey struct {
	ID   string
	Sign func(ctx context.Context, message []byte) ([]byte, error)
}

// manifest is what OPA reads of a bundle first.
type manifest struct {
	Revision    privacy.RevisionID `json:"revision"`
	Roots       []string           `json:"roots"`
	RegoVersion int                `json:"rego_version"`
}

// ExportBundle writes a revision as a signed bundle. The same revision and key give the same bytes.
func ExportBundle(ctx context.Context, revision Revision, key BundleKey) ([]byte, error) {
	if err := revision.verify(); err != nil {
		return nil, err
	}
	files, err := bundleFiles(revision)
	if err != nil {
		return nil, err
	}
	if files[bundleSignatures], err = signFiles(ctx, files, key); err != nil {
		return nil, err
	}
	return writeArchive(files)
}

// bundleFiles gives what is in the bundle of a revision, but for the signature.
func bundleFiles(revision Revision) (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, document := range map[string]any{
		bundleManifest: manifest{Revision: revision.ID, Roots: []string{""}, RegoVersion: 1}, bundleData: revision.Data, bundleCases: revision.Tests.sorted().Cases,
	} {
		content, err := canonicalJSON(document)
		if err != nil {
			return nil, privacy.Internal(err, "write a bundle")
		}
		files[name] = content
	}
	if len(revision.Tests.Cases) == 0 {
		delete(files, bundleCases)
	} else {
		content, err := casesAsTests(revision.Tests.sorted().Cases)
		if err != nil {
			return nil, err
		}
		files[bundleCasesTest] = content
	}
	for name, source := range revision.Modules {
		if !moduleName(name, false) {
			return nil, privacy.Invalid("invalid_file_name", "a module of the revision has a name that no file can have; rename it")
		}
		files[bundleModules+name] = []byte(source)
	}
	for name, source := range revision.Tests.Modules {
		if !moduleName(name, true) {
			return nil, privacy.Invalid("invalid_file_name", "a test module of the revision has a name that no file can have; rename it")
		}
		files[bundleTests+name] = []byte(source)
	}
	return files, nil
}

// signFiles makes .signatures.json.
func signFiles(ctx context.Context, files map[string][]byte, key BundleKey) ([]byte, error) {
	hasher, err := bundle.NewSignatureHasher(bundle.SHA256)
	if err != nil {
		return nil, privacy.Internal(err, "sign a bundle")
	}
	claims := struct {
		Files []bundle.FileInfo `json:"files"`
	}{}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		var content any = files[name]
		if bundle.IsStructuredDoc(name) { // hashed by what it says, not by how it is written
			content = nil
			if err := util.Unmarshal(files[name], &content); err != nil {
				return nil, privacy.Internal(err, "sign a bundle")
			}
		}
		sum, err := hasher.HashFile(content)
		if err != nil {
			return nil, privacy.Internal(err, "sign a bundle")
		}
		claims.Files = append(claims.Files, bundle.FileInfo{Name: name, Hash: hex.EncodeToString(sum), Algorithm: string(bundle.SHA256)})
	}
	token, err := signToken(ctx, claims, key)
	if err != nil {
		return nil, err
	}
	content, err := json.Marshal(bundle.SignaturesConfig{Signatures: []string{token}})
	if err != nil {
		return nil, privacy.Internal(err, "sign a bundle")
	}
	return content, nil
}

// signToken makes a compact JWS (RFC 7515) with EdDSA (RFC 8037).
func signToken(ctx context.Context, claims any, key BundleKey) (string, error) {
	var parts []string
	for _, part := range []any{map[string]string{"alg": bundleAlgorithm, "kid": key.ID, "typ": "JWT"}, claims} {
		content, err := canonicalJSON(part)
		if err != nil {
			return "", privacy.Internal(err, "sign a bundle")
		}
		parts = append(parts, base64.RawURLEncoding.EncodeToString(content))
	}
	signature, err := key.Sign(ctx, []byte(strings.Join(parts, ".")))
	if err != nil {
		return "", err
	}
	return strings.Join(append(parts, base64.RawURLEncoding.EncodeToString(signature)), "."), nil
}

func writeArchive(files map[string][]byte) ([]byte, error) {
	var out bytes.Buffer
	compressed := gzip.NewWriter(&out)
	archive := tar.NewWriter(compressed)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(files[name])), ModTime: time.Unix(0, 0), Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return nil, privacy.Internal(err, "write a bundle")
		}
		if _, err := archive.Write(files[name]); err != nil {
			return nil, privacy.Internal(err, "write a bundle")
		}
	}
	if err := archive.Close(); err != nil {
		return nil, privacy.Internal(err, "write a bundle")
	}
	if err := compressed.Close(); err != nil {
		return nil, privacy.Internal(err, "write a bundle")
	}
	return out.Bytes(), nil
}
