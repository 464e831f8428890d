package keyring

import (
	"context"
	"crypto/ed25519"
	"strconv"
	"strings"
)

// backend is what outlives the process: Vault in production, files in development. All
// that makes keys, pages and punctures correct is on this side of it and shared by both.
//
// Failures of the backend itself are ErrUnavailable or, for lost keys, ErrKeysLost.
type backend interface {
	name() string
	// prepare makes what is missing: mounts, the KEK, the signing key. With fresh false
	// it must not make a key: there are pages that depend on the old one.
	prepare(ctx context.Context, fresh bool) error
	// ready says cheaply whether the backend would serve.
	ready(ctx context.Context) error
	close()

	shelf
	keeper
}

// shelf holds versioned records by name, such as "pages/12", as KV version 2 does.
type shelf interface {
	// read gives the newest version, or errAbsent, also when it is deleted or destroyed.
	read(ctx context.Context, name string) (record, error)
	// readVersion gives one version, or errAbsent when it is deleted or destroyed.
	readVersion(ctx context.Context, name string, version int) (record, error)
	// write adds a version if the newest is still the given one, or gives errConflict.
	write(ctx context.Context, name, wrapped string, newest int) (version int, err error)
	// versions lists those not destroyed, ascending.
	versions(ctx context.Context, name string) ([]int, error)
	// destroy makes versions unreadable for good.
	destroy(ctx context.Context, name string, versions []int) error
	// list gives the names in a folder, without the folder.
	list(ctx context.Context, folder string) ([]string, error)
}

// keeper holds the KEK and the signing key and never lets them out.
type keeper interface {
	// wrap encrypts under the newest KEK; unwrap needs the same place, else errUnwrap.
	wrap(ctx context.Context, plaintext []byte, place string) (string, error)
	unwrap(ctx context.Context, wrapped, place string) ([]byte, error)
	kekVersion(ctx context.Context) (int, error)
	rotateKEK(ctx context.Context) error
	// sign signs all messages with one version, the newest, in one call.
	sign(ctx context.Context, messages [][]byte) (signatures [][]byte, version int, err error)
	rotateSigning(ctx context.Context) error
	publicKeys(ctx context.Context) (map[int]ed25519.PublicKey, error)
}

// record is one version of a wrapped thing.
type record struct {
	wrapped string
	version int
}

// splitVersioned takes apart "<backend>:v<version>:<payload>", the form in which Transit
// gives ciphertexts and signatures and the file backend does too.
func splitVersioned(s string) (version int, payload string, ok bool) {
	parts := strings.SplitN(s, ":", 3)
	if len(parts) != 3 || !strings.HasPrefix(parts[1], "v") {
		return 0, "", false
	}
	version, err := strconv.Atoi(parts[1][1:])
	return version, parts[2], err == nil && version > 0
}
