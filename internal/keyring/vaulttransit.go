package keyring

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strconv"

	hcvault "github.com/hashicorp/vault/api"
)

var errUnexpected = errors.New("the answer is not of the expected form")

func (b *vaultBackend) wrap(ctx context.Context, plaintext []byte, place string) (string, error) {
	data, err := b.post(ctx, "encrypt/"+kekKey, map[string]any{
		"plaintext":       base64.StdEncoding.EncodeToString(plaintext),
		"associated_data": base64.StdEncoding.EncodeToString([]byte(place)),
	})
	if err != nil {
		return "", vaultError(err)
	}
	wrapped, ok := data["ciphertext"].(string)
	if !ok {
		return "", unavailable(errUnexpected)
	}
	return wrapped, nil
}

func (b *vaultBackend) unwrap(ctx context.Context, wrapped, place string) ([]byte, error) {
	data, err := b.post(ctx, "decrypt/"+kekKey, map[string]any{
		"ciphertext":      wrapped,
		"associated_data": base64.StdEncoding.EncodeToString([]byte(place)),
	})
	if isRefusal(err, "encryption key not found") {
		return nil, ErrKeysLost
	}
	if isStatus(err, http.StatusBadRequest) {
		return nil, errUnwrap
	}
	if err != nil {
		return nil, vaultError(err)
	}
	encoded, _ := data["plaintext"].(string)
	plaintext, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		return nil, unavailable(errUnexpected)
	}
	return plaintext, nil
}

func (b *vaultBackend) sign(ctx context.Context, messages [][]byte) ([][]byte, int, error) {
	data, err := b.send(ctx, func(v *hcvault.Client) (*hcvault.Secret, error) {
		return v.Logical().WriteBytesWithContext(ctx, b.transit+"/sign/"+signKey, signBody(messages))
	})
	if err != nil {
		return nil, 0, vaultError(err)
	}
	results, _ := data["batch_results"].([]any)
	if len(results) != len(messages) {
		return nil, 0, unavailable(errUnexpected)
	}
	signatures, first := make([][]byte, len(messages)), 0
	for i, result := range results {
		signature, version, ok := signatureIn(result)
		if !ok || i > 0 && version != first {
			return nil, 0, unavailable(errUnexpected)
		}
		signatures[i], first = signature, version
	}
	return signatures, first, nil
}

// signBody is the body of a request to sign a batch. It is written out by hand: receipts are long, and to marshal them again as part of
// something takes longer than all else that is done with them here.
func signBody(messages [][]byte) []byte {
	const before, after = `{"input":"`, `"},`
	size := 0
	for _, message := range messages {
		size += len(before) + base64.StdEncoding.EncodedLen(len(message)) + len(after)
	}
	body := append(make([]byte, 0, size+20), `{"batch_input":[`...)
	for _, message := range messages {
		body = append(body, before...)
		body = base64.StdEncoding.AppendEncode(body, message)
		body = append(body, after...)
	}
	return append(bytes.TrimSuffix(body, []byte(",")), `]}`...)
}

// signatureIn reads one answer of a batch.
func signatureIn(result any) (signature []byte, version int, ok bool) {
	fields, _ := result.(map[string]any)
	versioned, _ := fields["signature"].(string)
	version, encoded, ok := splitVersioned(versioned)
	signature, err := base64.StdEncoding.DecodeString(encoded)
	return signature, version, ok && err == nil && len(signature) == ed25519.SignatureSize
}

func (b *vaultBackend) publicKeys(ctx context.Context) (map[int]ed25519.PublicKey, error) {
	data, err := b.transitKey(ctx, signKey)
	if err != nil {
		return nil, err
	}
	versions, ok := data["keys"].(map[string]any)
	if !ok {
		return nil, unavailable(errUnexpected)
	}
	keys := make(map[int]ed25519.PublicKey, len(versions))
	for number, described := range versions {
		version, err := strconv.Atoi(number)
		if err != nil {
			return nil, unavailable(errUnexpected)
		}
		description, _ := described.(map[string]any)
		encoded, _ := description["public_key"].(string)
		public, err := base64.StdEncoding.DecodeString(encoded)
		if err != nil || len(public) != ed25519.PublicKeySize {
			return nil, unavailable(errUnexpected)
		}
		keys[version] = public
	}
	return keys, nil
}

func (b *vaultBackend) kekVersion(ctx context.Context) (int, error) {
	data, err := b.transitKey(ctx, kekKey)
	if err != nil {
		return 0, err
	}
	latest, _ := data["latest_version"].(json.Number)
	version, err := strconv.Atoi(latest.String())
	if err != nil {
		return 0, unavailable(errUnexpected)
	}
	return version, nil
}

func (b *vaultBackend) rotateKEK(ctx context.Context) error {
	_, err := b.post(ctx, "keys/"+kekKey+"/rotate", nil)
	return vaultError(err)
}

func (b *vaultBackend) rotateSigning(ctx context.Context) error {
	_, err := b.post(ctx, "keys/"+signKey+"/rotate", nil)
	return vaultError(err)
}

// transitKey describes a Transit key; ErrNotInitialised when there is none.
func (b *vaultBackend) transitKey(ctx context.Context, name string) (map[string]any, error) {
	secret, err := ask(ctx, b.session, func(v *hcvault.Client) (*hcvault.Secret, error) {
		return v.Logical().ReadWithContext(ctx, b.transit+"/keys/"+name)
	})
	if err != nil {
		return nil, vaultError(err)
	}
	if secret == nil {
		return nil, ErrNotInitialised
	}
	return secret.Data, nil
}

func (b *vaultBackend) post(ctx context.Context, path string, body map[string]any) (map[string]any, error) {
	return b.send(ctx, func(v *hcvault.Client) (*hcvault.Secret, error) {
		return v.Logical().WriteWithContext(ctx, b.transit+"/"+path, body)
	})
}

func (b *vaultBackend) send(ctx context.Context, request func(*hcvault.Client) (*hcvault.Secret, error)) (map[string]any, error) {
	secret, err := ask(ctx, b.session, request)
	if err != nil || secret == nil {
		return nil, err
	}
	return secret.Data, nil
}
