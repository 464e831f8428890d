package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// The headers of a call.
const (
	HeaderID        = "webhook-id"
	HeaderTimestamp = "webhook-timestamp"
	HeaderSignature = "webhook-signature"
)

const (
	secretSize   = 32 // bytes; the specification asks for 24 to 64
	secretPrefix = "whsec_"
	scheme       = "v1"
)

// Tolerance is how far the timestamp of a call may be from the receiver's clock.
const Tolerance = 5 * time.Minute

// Secret is what sender and receiver share. It does not print.
type Secret [secretSize]byte

// NewSecret draws a secret.
func NewSecret(random io.Reader) (Secret, error) {
	var s Secret
	if _, err := io.ReadFull(random, s[:]); err != nil {
		return Secret{}, privacy.Internal(err, "draw a secret")
	}
	return s, nil
}

// SecretOf gives the secret of stored bytes.
func SecretOf(stored []byte) (Secret, error) {
	if len(stored) != secretSize {
		return Secret{}, privacy.Internal(nil, "read a stored secret")
	}
	return Secret(stored), nil
}

// Text gives the secret in the form in which receivers configure it. It is shown once.
func (s Secret) Text() string { return secretPrefix + base64.StdEncoding.EncodeToString(s[:]) }

// Format implements fmt.Formatter, redacted for every verb.
func (Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, "[secret]") }

// MarshalText implements encoding.TextMarshaler, redacted.
func (Secret) MarshalText() ([]byte, error) { return []byte("[secret]"), nil }

// Sign gives the headers of a message sent at a time, signed with each of the secrets.
func Sign(id string, at time.Time, body []byte, secrets ...Secret) http.Header {
	timestamp := strconv.FormatInt(at.Unix(), 10)
	signatures := make([]string, len(secrets))
	for i := range secrets {
		signatures[i] = scheme + "," + signature(&secrets[i], id, timestamp, body)
	}
	header := make(http.Header, 3)
	header.Set(HeaderID, id)
	header.Set(HeaderTimestamp, timestamp)
	header.Set(HeaderSignature, strings.Join(signatures, " "))
	return header
}

func signature(secret *Secret, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, secret[:])
	_, _ = io.WriteString(mac, id+"."+timestamp+".")
	_, _ = mac.Write(body)
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// ErrNotAuthentic says that a call was not signed with a known secret, or too long ago. It does not say which.
var ErrNotAuthentic = privacy.NewError(privacy.KindUnauthenticated, "webhook_not_authentic", "the call is not signed with the current secret, or its timestamp is not within five minutes")

// Verify checks a call that was received now against the secrets that are valid. The comparison takes the
// same time whatever was sent.
func Verify(header http.Header, body []byte, now time.Time, secrets ...Secret) error {
	timestamp := header.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(timestamp, 10, 64)
	if err != nil || header.Get(HeaderID) == "" {
		return ErrNotAuthentic
	}
	if age := now.Sub(time.Unix(seconds, 0)); age > Tolerance || age < -Tolerance {
		return ErrNotAuthentic
	}
	authentic := false
	for i := range secrets {
		want := []byte(signature(&secrets[i], header.Get(HeaderID), timestamp, body))
		for _, given := range strings.Fields(header.Get(HeaderSignature)) {
			version, text, _ := strings.Cut(given, ",")
			authentic = authentic || version == scheme && hmac.Equal([]byte(text), want)
		}
	}
	if !authentic {
		return ErrNotAuthentic
	}
	return nil
}
