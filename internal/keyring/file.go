package keyring

import (
	"context"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// OpenFile opens the keyring of `consentry dev`: the same pages as with Vault, but wrapped
// by keys that lie in the same directory, in files only their owner may read. It refuses
// to open outside development ([ErrNotDev]) or when others may read the keys.
func OpenFile(dir string, o Options) (*Keyring, error) {
	if !o.Dev {
		return nil, ErrNotDev
	}
	o = o.withDefaults()
	b := &fileBackend{dir: dir, kek: numbered(filepath.Join(dir, "kek")), seeds: numbered(filepath.Join(dir, "sign")), random: o.Random}
	if err := b.ready(context.Background()); err != nil {
		return nil, err
	}
	return open(context.Background(), b, o)
}

// fileBackend keeps everything in numbered files, which are written once and exclusively:
// that is the check-and-set of several processes over one directory.
type fileBackend struct {
	dir        string
	kek, seeds numbered
	random     io.Reader
}

func (b *fileBackend) name() string { return "file" }
func (b *fileBackend) close()       {}

func (b *fileBackend) prepare(_ context.Context, fresh bool) error {
	for _, keys := range []numbered{b.kek, b.seeds} {
		newest, err := keys.newest()
		if err != nil {
			return unavailable(err)
		}
		if newest > 0 {
			continue
		}
		if !fresh {
			return ErrKeysLost
		}
		if err := b.addKey(keys, 1); err != nil && !errors.Is(err, errConflict) {
			return err
		}
	}
	return nil
}

func (b *fileBackend) addKey(keys numbered, version int) error {
	secret, err := drawKey(b.random)
	if err != nil {
		return err
	}
	return storageError(keys.add(version, secret[:]))
}

// ready makes sure that nobody else may read the keys.
func (b *fileBackend) ready(context.Context) error {
	for _, keys := range []numbered{b.kek, b.seeds} {
		private, err := keys.private()
		if err != nil {
			return unavailable(err)
		}
		if !private {
			return fmt.Errorf("%w: others may read the key files; restrict them to their owner", ErrUnavailable)
		}
	}
	return nil
}

func (b *fileBackend) folder(name string) numbered {
	return numbered(filepath.Join(b.dir, "records", filepath.FromSlash(name)))
}

func (b *fileBackend) read(ctx context.Context, name string) (record, error) {
	tried := 0
	for {
		newest, err := b.folder(name).newest()
		if err != nil {
			return record{}, unavailable(err)
		}
		if newest == tried {
			return record{}, errAbsent
		}
		// Absent may mean that another process replaced and destroyed it just now.
		if rec, err := b.readVersion(ctx, name, newest); !errors.Is(err, errAbsent) {
			return rec, err
		}
		tried = newest
	}
}

func (b *fileBackend) readVersion(_ context.Context, name string, version int) (record, error) {
	wrapped, err := b.folder(name).read(version)
	if err != nil {
		return record{}, storageError(err)
	}
	return record{string(wrapped), version}, nil
}

func (b *fileBackend) write(_ context.Context, name, wrapped string, newest int) (int, error) {
	return newest + 1, storageError(b.folder(name).add(newest+1, []byte(wrapped)))
}

func (b *fileBackend) versions(_ context.Context, name string) ([]int, error) {
	versions, err := b.folder(name).present()
	return versions, storageError(err)
}

func (b *fileBackend) destroy(_ context.Context, name string, versions []int) error {
	for _, version := range versions {
		if err := b.folder(name).destroy(version); err != nil {
			return unavailable(err)
		}
	}
	return nil
}

func (b *fileBackend) list(_ context.Context, folder string) ([]string, error) {
	entries, err := os.ReadDir(string(b.folder(folder)))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unavailable(err)
	}
	names := make([]string, 0, len(entries))
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	return names, nil
}

func (b *fileBackend) wrap(ctx context.Context, plaintext []byte, place string) (string, error) {
	version, err := b.kekVersion(ctx)
	if err != nil {
		return "", err
	}
	secret, err := b.readKey(b.kek, version)
	if err != nil {
		return "", err
	}
	aead, err := newAEAD(&secret)
	if err != nil {
		return "", err
	}
	nonce := make([]byte, nonceSize, nonceSize+len(plaintext)+tagSize)
	if _, err := io.ReadFull(b.random, nonce); err != nil {
		return "", err
	}
	sealed := aead.Seal(nonce, nonce, plaintext, []byte(place))
	return fmt.Sprintf("file:v%d:%s", version, base64.StdEncoding.EncodeToString(sealed)), nil
}

func (b *fileBackend) unwrap(_ context.Context, wrapped, place string) ([]byte, error) {
	version, payload, ok := splitVersioned(wrapped)
	if !ok {
		return nil, errUnwrap
	}
	sealed, err := base64.StdEncoding.DecodeString(payload)
	if err != nil || len(sealed) < nonceSize {
		return nil, errUnwrap
	}
	secret, err := b.readKey(b.kek, version)
	if err != nil {
		return nil, err
	}
	aead, err := newAEAD(&secret)
	if err != nil {
		return nil, err
	}
	plaintext, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], []byte(place))
	if err != nil {
		return nil, errUnwrap
	}
	return plaintext, nil
}

func (b *fileBackend) kekVersion(context.Context) (int, error) {
	version, err := b.kek.newest()
	if err == nil && version == 0 {
		return 0, ErrNotInitialised
	}
	return version, storageError(err)
}

func (b *fileBackend) rotateKEK(ctx context.Context) error {
	version, err := b.kekVersion(ctx)
	if err != nil {
		return err
	}
	return b.addKey(b.kek, version+1)
}

func (b *fileBackend) readKey(keys numbered, version int) (key, error) {
	secret, err := keys.read(version)
	if errors.Is(err, errAbsent) || (err == nil && len(secret) != keySize) {
		return key{}, fmt.Errorf("%w: version %d", ErrKeysLost, version)
	}
	if err != nil {
		return key{}, unavailable(err)
	}
	return key(secret), nil
}

func (b *fileBackend) signer(version int) (ed25519.PrivateKey, error) {
	seed, err := b.readKey(b.seeds, version)
	if err != nil {
		return nil, err
	}
	return ed25519.NewKeyFromSeed(seed[:]), nil
}

func (b *fileBackend) sign(_ context.Context, messages [][]byte) ([][]byte, int, error) {
	version, err := b.seeds.newest()
	if err != nil {
		return nil, 0, unavailable(err)
	}
	signer, err := b.signer(version)
	if err != nil {
		return nil, 0, err
	}
	signatures := make([][]byte, len(messages))
	for i, message := range messages {
		signatures[i] = ed25519.Sign(signer, message)
	}
	return signatures, version, nil
}

func (b *fileBackend) rotateSigning(context.Context) error {
	version, err := b.seeds.newest()
	if err != nil {
		return unavailable(err)
	}
	return b.addKey(b.seeds, version+1)
}

func (b *fileBackend) publicKeys(context.Context) (map[int]ed25519.PublicKey, error) {
	versions, err := b.seeds.present()
	if err != nil {
		return nil, unavailable(err)
	}
	keys := make(map[int]ed25519.PublicKey, len(versions))
	for _, version := range versions {
		signer, err := b.signer(version)
		if err != nil {
			return nil, err
		}
		keys[version] = signer.Public().(ed25519.PublicKey) // documented
	}
	return keys, nil
}

// storageError leaves what callers tell apart and makes the rest ErrUnavailable.
func storageError(err error) error {
	if err == nil || errors.Is(err, errAbsent) || errors.Is(err, errConflict) {
		return err
	}
	return unavailable(err)
}
