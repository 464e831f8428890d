package receipt

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
)

// mediaType is the typ of the header: whatever else the key signs cannot pass for a receipt.
const mediaType = "consent-receipt+jws"

// maxJWS bounds what is parsed, many times the size of any receipt.
const maxJWS = 64 << 10

// encoding is that of RFC 7515, and refuses spellings of the same bytes other than the one canonical.
var encoding = base64.RawURLEncoding.Strict()

type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// Header gives the protected header, encoded, of receipts signed by a key.
func Header(keyID string) string {
	text, _ := json.Marshal(header{Algorithm: "EdDSA", KeyID: keyID, Type: mediaType}) // strings always marshal
	return encoding.EncodeToString(text)
}

// Payload gives a receipt encoded as the payload of its JWS.
func Payload(r *Receipt) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return "", privacy.Internal(err, "encode a receipt")
	}
	return encoding.EncodeToString(bytes.TrimSuffix(text.Bytes(), []byte("\n"))), nil
}

// SigningInput is what is to be signed, of an encoded header and an encoded payload (RFC 7515 §5.1).
func SigningInput(header, payload string) []byte {
	return append(append(append(make([]byte, 0, len(header)+1+len(payload)), header...), '.'), payload...)
}

// Compact appends the signature of a signing input, which makes it a compact JWS.
func Compact(input, signature []byte) string {
	return string(input) + "." + encoding.EncodeToString(signature)
}

var (
	errMalformed  = privacy.Invalid("receipt_malformed", "a receipt is a compact JWS of three parts")
	errAlgorithm  = privacy.Invalid("receipt_header_refused", "a receipt's header has alg EdDSA, typ "+mediaType+" and kid, and nothing else")
	errUnknownKey = privacy.Invalid("receipt_key_unknown", "the receipt was signed by a key that is not in the key set")
	errSignature  = privacy.Invalid("receipt_signature_invalid", "the receipt is not what was signed")
	errPayload    = privacy.Invalid("receipt_payload_refused", "what was signed is not a consent receipt")
)

// Verify checks a compact JWS against trusted keys, without asking anybody, and gives what it says. It takes
// nothing from the header but which of the keys to use: an algorithm other than EdDSA, a key that the
// header brings along, and any member it does not know are refused.
func Verify(jws string, keys Keys) (Receipt, error) {
	if len(jws) > maxJWS {
		return Receipt{}, errMalformed
	}
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return Receipt{}, errMalformed
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if strings.ContainsAny(part, "\r\n") { // which the decoder passes over
			return Receipt{}, errMalformed
		}
		if decoded[i], err = encoding.DecodeString(part); err != nil {
			return Receipt{}, errMalformed
		}
	}
	h, err := parseHeader(decoded[0])
	if err != nil {
		return Receipt{}, err
	}
	public, known := keys[h.KeyID]
	if !known {
		return Receipt{}, errUnknownKey
	}
	if !ed25519.Verify(public, []byte(jws[:len(parts[0])+1+len(parts[1])]), decoded[2]) {
		return Receipt{}, errSignature
	}
	return parsePayload(decoded[1])
}

func parseHeader(text []byte) (header, error) {
	var h header
	if err := decodeOne(text, &h, true); err != nil || h.Algorithm != "EdDSA" || h.Type != mediaType || h.KeyID == "" {
		return header{}, errAlgorithm
	}
	return h, nil
}

// parsePayload lets members pass that it does not know: a later version may add some.
func parsePayload(text []byte) (Receipt, error) {
	var r Receipt
	if err := decodeOne(text, &r, false); err != nil || r.Version != kantaraVersion || r.Record.SchemaVersion != recordSchema {
		return Receipt{}, errPayload
	}
	for _, id := range []string{r.ConsentReceiptID, r.PIIPrincipalID} {
		if _, err := privacy.ParseSubjectID(id); err != nil {
			return Receipt{}, errPayload
		}
	}
	if len(r.Services) != 1 || len(r.Services[0].Purposes) != 1 || len(r.PIIControllers) != 1 {
		return Receipt{}, errPayload
	}
	return r, nil
}

// decodeOne reads one JSON object and nothing after it.
func decodeOne(text []byte, into any, strict bool) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	if strict {
		decoder.DisallowUnknownFields()
	}
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errMalformed
	}
	return nil
}
