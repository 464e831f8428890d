package proofpack

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"io"
	"strconv"
	"strings"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// Verify checks a pack, offline. What is wrong with it is in the report; the error tells that the checking was interrupted.
func Verify(ctx context.Context, r io.ReaderAt, size int64, trust Trust) (*Report, error) {
	v := &verifier{report: &Report{Checks: []*Check{}, Vouched: len(trust.Keys) > 0, Keys: trust.Keys}}
	for _, step := range []func(context.Context) bool{
		func(context.Context) bool { return v.openPack(r, size) }, v.readManifest, v.compareFiles, v.compareKeys, v.walkRecords, v.compareNotices,
	} {
		if err := ctx.Err(); err != nil {
			return v.report, privacy.Unavailable(err, "interrupted", "the pack was not verified to its end")
		}
		if !step(ctx) {
			break
		}
	}
	if err := ctx.Err(); err != nil {
		return v.report, privacy.Unavailable(err, "interrupted", "the pack was not verified to its end")
	}
	return v.report, nil
}

// verifier is the state of one check of a pack. Each step reports whether the next one has something to go on.
type verifier struct {
	report   *Report
	pack     *container
	manifest Manifest
	keys     receipt.Keys // the trusted ones, by thumbprint
	shown    map[NoticeRef]*reference
	notices  *Check // begun where it is told, ended once the records are known
}

func (v *verifier) openPack(r io.ReaderAt, size int64) bool {
	check := v.report.begin("container")
	var err error
	if v.pack, err = openContainer(r, size); err != nil {
		check.fault("%s", detailOf(err))
		return false
	}
	check.done("%s", plural(len(v.pack.files), "file"))
	return true
}

// readManifest reads the manifest and finds the key that has signed it.
func (v *verifier) readManifest(context.Context) bool {
	check := v.report.begin("manifest")
	text, err := v.pack.read(manifestName)
	if err != nil {
		check.fault("%s %s", manifestName, detailOf(err))
		return false
	}
	if err := decode(text, &v.manifest); err != nil || v.manifest.Format != format {
		check.fault("%s is no manifest of the form %q", manifestName, format)
		return false
	}
	v.report.Manifest = &v.manifest
	if err := v.trust(); err != nil {
		check.fault("%s", detailOf(err))
		return false
	}
	for _, key := range v.report.Keys {
		if key.Name != v.manifest.Origin {
			check.fault("it is of the log %q, and the trusted key of another", v.manifest.Origin)
			break
		}
	}
	jws, err := v.pack.read(signatureName)
	if err != nil {
		check.fault("%s %s", signatureName, detailOf(err))
		return true
	}
	public, err := verifySignature(text, jws, v.keys)
	if err != nil {
		check.fault("%s", detailOf(err))
		return true
	}
	check.done("signed by %s", audit.Key{Name: v.manifest.Origin, Public: public})
	return true
}

// trust settles which keys count: those that were given, else those in the pack.
func (v *verifier) trust() error {
	if !v.report.Vouched {
		keys, err := v.packedKeys()
		if err != nil {
			return err
		}
		v.report.Keys = keys
	}
	publics := make([]ed25519.PublicKey, len(v.report.Keys))
	for i, key := range v.report.Keys {
		publics[i] = key.Public
	}
	v.keys = receipt.NewKeys(publics...)
	return nil
}

func (v *verifier) packedKeys() ([]audit.Key, error) {
	text, err := v.pack.read(logKeysName)
	if err != nil {
		return nil, err
	}
	var keys []audit.Key
	for line := range strings.Lines(string(text)) {
		key, err := audit.ParseKey(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(keys) == 0 {
		return nil, privacy.Invalid("no_keys", "there is no key in "+logKeysName)
	}
	return keys, nil
}

// compareFiles compares every file with the manifest, and the other way round.
func (v *verifier) compareFiles(ctx context.Context) bool {
	check := v.report.begin("files")
	listed := make(map[string]bool, len(v.manifest.Files))
	for _, file := range v.manifest.Files {
		if listed[file.Name] {
			check.fault("the manifest lists %s twice", file.Name)
		}
		listed[file.Name] = true
		if ctx.Err() != nil {
			return false
		}
		if fault := v.compareFile(file); fault != "" {
			check.fault("%s %s", file.Name, fault)
		}
	}
	for name := range v.pack.files {
		if !listed[name] && name != manifestName && name != signatureName {
			check.fault("%s is not in the manifest", name)
		}
	}
	for _, name := range []string{readmeName, recordsName, receiptsName, keySetName, entriesName, checkpointName, logKeysName} {
		if !listed[name] {
			check.fault("the manifest lists no %s", name)
		}
	}
	check.done("%s as the manifest lists them, and no other", plural(len(v.manifest.Files), "file"))
	return true
}

func (v *verifier) compareFile(file File) string {
	r, err := v.pack.open(file.Name)
	if err != nil {
		return detailOf(err)
	}
	hash := sha256.New()
	size, err := io.Copy(hash, r)
	if closing := r.Close(); err != nil || closing != nil {
		return detailOf(errPacked)
	}
	if uint64(size) != file.Size || audit.Hash(hash.Sum(nil)) != file.SHA256 { //nolint:gosec // never negative
		return "is not what the manifest says"
	}
	return ""
}

// compareKeys holds the keys in the pack to those that are trusted, so that nobody is handed a key set that verifies
// other receipts.
func (v *verifier) compareKeys(context.Context) bool {
	check := v.report.begin("keys")
	if set, err := v.pack.read(keySetName); err != nil {
		check.fault("%s %s", keySetName, detailOf(err))
	} else if keys, err := receipt.ParseKeys(set); err != nil {
		check.fault("%s: %s", keySetName, detailOf(err))
	} else {
		for id := range keys {
			if v.keys[id] == nil {
				check.fault("%s holds a key that is not trusted: %s", keySetName, id)
			}
		}
	}
	keys, err := v.packedKeys()
	if err != nil {
		check.fault("%s: %s", logKeysName, detailOf(err))
	}
	for _, key := range keys {
		if v.keys[receipt.Thumbprint(key.Public)] == nil || key.Name != v.manifest.Origin {
			check.fault("%s holds a key that is not trusted: %s", logKeysName, key)
		}
	}
	check.done("%s trusted", plural(len(v.report.Keys), "key"))
	return true
}

func detailOf(err error) string {
	var known *privacy.Error
	if errors.As(err, &known) {
		return known.Detail
	}
	return "cannot be read"
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return strconv.Itoa(n) + " " + word + "s"
}
