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

// MediaType is the typ of the header: whatever else the key signs cannot pass for a receipt.
const MediaType = "consent-receipt+jws"

// maxJWS bounds what is parsed, many times the size of any receipt.
const maxJWS = 64 << 10

// encoding is that of RFC 7515, and refuses spellings of the same bytes other than the one canonical.
var encoding = base64.RawURLEncoding.Strict()

type header struct {
	Algorithm string `json:"alg"`
	KeyID     string `json:"kid"`
	Type      string `json:"typ"`
}

// Header gives the protected header, encoded, of what is signed by a key, a receipt or something else of its own media type.
func Header(keyID, mediaType string) string {
	text, _ := json.Marshal(header{Algorithm: "EdDSA", KeyID: keyID, Type: mediaType}) // strings always marshal
	return encoding.EncodeToString(text)
}

// Payload gives a receipt encoded as the payload of its JWS.
func Payload(r *Receipt) (string, error) { return Encode(r) }

// Encode gives a document encoded as the payload of a JWS.
func Encode(document any) (string, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(document); err != nil {
		return "", privacy.Internal(err, "encode a document")
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
	errAlgorithm  = privacy.Invalid("receipt_header_refused", "a receipt's header has alg EdDSA, typ "+MediaType+" and kid, and nothing else")
	errUnknownKey = privacy.Invalid("receipt_key_unknown", "the receipt was signed by a key that is not in the key set")
	errSignature  = privacy.Invalid("receipt_signature_invalid", "the receipt is not what was signed")
	errPayload    = privacy.Invalid("receipt_payload_refused", "what was signed is not a consent receipt")
)

// Verify checks a compact JWS against trusted keys, without asking anybody, and gives what it says. It takes
// nothing from the header but which of the keys to use: an algorithm other than EdDSA, a key that the
// header brings along, and any member it does not know are refused.
func Verify(jws string, keys Keys) (Receipt, error) {
	payload, err := Open(jws, MediaType, keys)
	if err != nil {
		return Receipt{}, err
	}
	return parsePayload(payload)
}

// Open checks a compact JWS of a media type as Verify does, and gives its payload.
func Open(jws, mediaType string, keys Keys) (payload []byte, err error) {
	if len(jws) > maxJWS {
		return nil, errMalformed
	}
	parts := strings.Split(jws, ".")
	if len(parts) != 3 {
		return nil, errMalformed
	}
	var decoded [3][]byte
	for i, part := range parts {
		var err error
		if strings.ContainsAny(part, "\r\n") { // which the decoder passes over
			return nil, errMalformed
		}
		if decoded[i], err = encoding.DecodeString(part); err != nil {
			return nil, errMalformed
		}
	}
	h, err := parseHeader(decoded[0], mediaType)
	if err != nil {
		return nil, err
	}
	public, known := keys[h.KeyID]
	if !known {
		return nil, errUnknownKey
	}
	if !ed25519.Verify(public, []byte(jws[:len(parts[0])+1+len(parts[1])]), decoded[2]) {
		return nil, errSignature
	}
	return decoded[1], nil
}

func parseHeader(text []byte, mediaType string) (header, error) {
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
