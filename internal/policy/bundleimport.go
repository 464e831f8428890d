package policy

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"io"
	"maps"
	"strings"

	"github.com/open-policy-agent/opa/v1/bundle"

	"github.com/consentry/consentry/internal/privacy"
)

// What an import reads at most; a bundle says of itself neither how large it unpacks nor how many files it has.
const (
	largestBundle = 4 << 20          // bytes compressed
	largestUnpack = 2 * largestWhole // bytes unpacked, of all files
	mostFiles     = mostModules + 8
)

// ImportBundle reads a bundle that ExportBundle wrote, and gives the revision under the same id. It trusts the keys it is
// given, by their ids, and nothing in the bundle: what is not signed, or is not exactly the bundle of
// that revision, is refused. Compilation is for Check.
func ImportBundle(r io.Reader, keys map[string]ed25519.PublicKey) (Revision, error) {
	files, err := readArchive(r)
	if err != nil {
		return Revision{}, err
	}
	if err := verifyFiles(files, keys); err != nil {
		return Revision{}, err
	}
	return revisionOfFiles(files)
}

func readArchive(r io.Reader) (map[string][]byte, error) {
	limited := &io.LimitedReader{R: r, N: largestBundle + 1}
	compressed, err := gzip.NewReader(limited)
	if err != nil {
		return nil, invalidBundle("a bundle is a tar.gz", err)
	}
	unpacked := &io.LimitedReader{R: compressed, N: largestUnpack + 1}
	archive := tar.NewReader(unpacked)
	files := map[string][]byte{}
	for {
		header, err := archive.Next()
		if limited.N <= 0 || unpacked.N <= 0 || len(files) > mostFiles {
			return nil, privacy.NewError(privacy.KindTooLarge, "bundle_too_large", "the bundle is larger than a policy may be")
		}
		if errors.Is(err, io.EOF) {
			return files, nil
		}
		if err != nil {
			return nil, invalidBundle("the archive cannot be read", err)
		}
		if header.Typeflag == tar.TypeDir {
			continue
		}
		name, ok := entryName(header)
		if _, twice := files[name]; !ok || twice {
			return nil, invalidBundle("the archive holds something that is not part of a policy", nil)
		}
		if files[name], err = io.ReadAll(archive); err != nil && unpacked.N > 0 {
			return nil, invalidBundle("the archive cannot be read", err)
		}
	}
}

// entryName gives the name of a plain file that belongs into a bundle. OPA's own tools write names from the root.
func entryName(header *tar.Header) (string, bool) {
	name := strings.TrimPrefix(header.Name, "/")
	if header.Typeflag != tar.TypeReg {
		return "", false
	}
	switch name {
	case bundleManifest, bundleData, bundleCases, bundleCasesTest, bundleSignatures:
		return name, true
	}
	if module, ok := strings.CutPrefix(name, bundleModules); ok {
		return name, moduleName(module, false)
	}
	module, ok := strings.CutPrefix(name, bundleTests)
	return name, ok && moduleName(module, true)
}

// verifyFiles checks the signature and that it covers every file, as OPA does.
func verifyFiles(files map[string][]byte, keys map[string]ed25519.PublicKey) error {
	text, signed := files[bundleSignatures]
	if !signed {
		return privacy.Invalid("bundle_unsigned", "the bundle is not signed; export it with a key that the vault knows")
	}
	var signatures bundle.SignaturesConfig
	if err := json.Unmarshal(text, &signatures); err != nil || signatures.Plugin != "" {
		return invalidBundle("the signature cannot be read", err)
	}
	known := make(map[string]*bundle.KeyConfig, len(keys))
	for id, key := range keys {
		encoded, err := PublicKeyPEM(key)
		if err != nil {
			return err
		}
		known[id] = &bundle.KeyConfig{Key: string(encoded), Algorithm: bundleAlgorithm}
	}
	expected, err := bundle.VerifyBundleSignature(signatures, bundle.NewVerificationConfig(known, "", "", nil))
	if err != nil {
		return bundleTampered(err)
	}
	for name, content := range files {
		if name == bundleSignatures {
			continue
		}
		if err := bundle.VerifyBundleFile(name, *bytes.NewBuffer(content), expected); err != nil {
			return bundleTampered(err)
		}
	}
	if len(expected) > 0 {
		return bundleTampered(nil)
	}
	return nil
}

// revisionOfFiles reads the revision, and holds the files to what its bundle would be.
func revisionOfFiles(files map[string][]byte) (Revision, error) {
	var about manifest
	if err := json.Unmarshal(files[bundleManifest], &about); err != nil {
		return Revision{}, invalidBundle("the manifest cannot be read", err)
	}
	document := revisionDocument{Modules: map[string]string{}, Tests: Tests{Modules: map[string]string{}}}
	decoder := json.NewDecoder(bytes.NewReader(files[bundleData]))
	decoder.UseNumber()
	if err := decoder.Decode(&document.Data); err != nil {
		return Revision{}, invalidBundle("the tables cannot be read", err)
	}
	if text, ok := files[bundleCases]; ok {
		cases, err := ParseCases(text)
		if err != nil {
			return Revision{}, err
		}
		document.Tests.Cases = cases
	}
	for name, source := range files {
		if module, ok := strings.CutPrefix(name, bundleModules); ok {
			document.Modules[module] = string(source)
		}
		if module, ok := strings.CutPrefix(name, bundleTests); ok {
			document.Tests.Modules[module] = string(source)
		}
	}
	revision, err := newRevision(document)
	if err != nil {
		return Revision{}, err
	}
	if revision.ID != about.Revision {
		return Revision{}, invalidBundle("the manifest names another revision than the one it holds", nil)
	}
	same, err := bundleFiles(revision)
	if err != nil {
		return Revision{}, err
	}
	delete(files, bundleSignatures)
	if !maps.EqualFunc(files, same, bytes.Equal) {
		return Revision{}, invalidBundle("the bundle is not written as the vault writes it", nil)
	}
	return revision, nil
}

// PublicKeyPEM writes a key as `opa` takes it with --verification-key.
func PublicKeyPEM(key ed25519.PublicKey) ([]byte, error) {
	encoded, err := x509.MarshalPKIXPublicKey(key)
	if err != nil {
		return nil, privacy.Internal(err, "write a public key")
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: encoded}), nil
}

func invalidBundle(detail string, cause error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_bundle", Detail: detail, Cause: cause}
}

func bundleTampered(cause error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "bundle_tampered",
		Detail: "the bundle is not what was signed, or was signed with a key that is not known", Cause: cause}
}
