package proofpack

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// format is the first thing in a manifest. Another format gets another name.
const format = "consentry consent proof pack v1"

// Manifest says what a pack is about and what is in it. It is signed: so the number of records and the last one's hash
// are the vault's word for where the ledger ended.
type Manifest struct {
	Format  string            `json:"format"`
	Subject privacy.SubjectID `json:"subject"`
	MadeAt  time.Time         `json:"made_at"`
	Origin  string            `json:"log"` // the name of the audit log
	Records int               `json:"records"`
	Head    Bytes             `json:"head,omitempty"` // hash of the last record; none when there is no record, or it has none
	Files   []File            `json:"files"`          // all but the manifest and its signature, in the order in which they were written
}

// File is one file of a pack.
type File struct {
	Name   string     `json:"name"`
	Size   uint64     `json:"size"` // in bytes, unpacked
	SHA256 audit.Hash `json:"sha256"`
}

// encoding is that of RFC 7515, and refuses spellings of the same bytes other than the one canonical.
var encoding = base64.RawURLEncoding.Strict()

// mediaType is the typ of the header: whatever else the key signs cannot pass for a manifest.
const mediaType = "consent-proof+jws"

type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// SigningInput is what the key is to sign for a manifest (RFC 7515 §5.1).
func SigningInput(public ed25519.PublicKey, manifest []byte) []byte {
	text, _ := json.Marshal(header{Algorithm: "EdDSA", KeyID: receipt.Thumbprint(public), Type: mediaType}) // strings always marshal
	return []byte(encoding.EncodeToString(text) + "." + encoding.EncodeToString(manifest))
}

// detached makes the JWS of a signing input and its signature, without the content (RFC 7515 appendix F).
func detached(input, signature []byte) []byte {
	head, _, _ := bytes.Cut(input, []byte("."))
	return []byte(string(head) + ".." + encoding.EncodeToString(signature))
}

var errSignature = privacy.Invalid("manifest_signature_invalid", "no trusted key has signed the manifest")

// verifySignature finds the key that has signed a manifest.
func verifySignature(manifest, jws []byte, keys receipt.Keys) (ed25519.PublicKey, error) {
	parts := strings.Split(string(jws), ".")
	if len(parts) != 3 || parts[1] != "" {
		return nil, errSignature
	}
	signature, err := encoding.DecodeString(parts[2])
	if err != nil {
		return nil, errSignature
	}
	for _, public := range keys {
		// The header is compared, not read: it can choose neither the algorithm nor a key of its own.
		input := SigningInput(public, manifest)
		if bytes.HasPrefix(input, []byte(parts[0]+".")) && ed25519.Verify(public, input, signature) {
			return public, nil
		}
	}
	return nil, errSignature
}
