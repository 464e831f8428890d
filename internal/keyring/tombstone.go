package keyring

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/consentry/consentry/internal/privacy"
)

// Tombstone is what the keyring remembers of an erased subject, beside the page that their key was on: enough to erase them once
// more where a backup has brought their rows back. It lies in Vault, because the database is what may be restored. It names nobody: ids
// are pseudonyms, and the hashes are keyed.
type Tombstone struct {
	Subject    privacy.SubjectID       `json:"subject"`
	Slot       privacy.KeySlot         `json:"slot"`
	Request    privacy.RightsRequestID `json:"request"`
	At         time.Time               `json:"at"` // when reads stopped
	Suppressed []SuppressedIdentifier  `json:"suppressed"`
}

// SuppressedIdentifier is the mark that an erased identifier leaves ([Keyring.SuppressionIndex]).
type SuppressedIdentifier struct {
	Type privacy.AttributeID // the catalogue's number of the identifier's type
	Hash [IndexSize]byte
}

// MarshalText implements encoding.TextMarshaler: "<type>:<hash>".
func (s SuppressedIdentifier) MarshalText() ([]byte, error) {
	return []byte(strconv.Itoa(int(s.Type)) + ":" + base64.RawURLEncoding.EncodeToString(s.Hash[:])), nil
}

// UnmarshalText implements encoding.TextUnmarshaler.
func (s *SuppressedIdentifier) UnmarshalText(text []byte) error {
	number, hash, _ := strings.Cut(string(text), ":")
	kind, err := strconv.ParseUint(number, 10, 16)
	raw, hashErr := base64.RawURLEncoding.DecodeString(hash)
	if err != nil || hashErr != nil || len(raw) != IndexSize {
		return errTombstone
	}
	s.Type, s.Hash = privacy.AttributeID(kind), [IndexSize]byte(raw)
	return nil
}

// TombstoneName names a record of tombstones: all of them are of one page.
type TombstoneName struct {
	Page PageNo
	ID   [16]byte
}

const tombstoneFolder = "tombstones"

func (n TombstoneName) record() string {
	return tombstoneFolder + "/" + strconv.FormatInt(int64(n.Page), 10) + "/" + privacy.SubjectID(n.ID).String()
}

var errTombstone = privacy.NewError(privacy.KindInternal, "tombstone_unreadable", "a record of erasures is damaged; an operator must look into the keyring")

// Bury keeps tombstones. It is done before the puncture, so that there is none without: who finds a tombstone and a key finishes
// the erasure. It may be repeated; a record that is there stays as it is.
func (k *Keyring) Bury(ctx context.Context, name TombstoneName, dead []Tombstone) error {
	text, err := json.Marshal(dead)
	if err != nil {
		return privacy.Internal(err, "encode tombstones")
	}
	_, err = k.backend.write(ctx, name.record(), string(text), 0)
	if err == nil {
		return nil
	}
	// The service may make such a record and never change one, so Vault may refuse where one is there already.
	if _, readErr := k.backend.read(ctx, name.record()); readErr == nil {
		return nil
	}
	return fmt.Errorf("bury: %w", err)
}

// TombstoneNames lists all records of tombstones.
func (k *Keyring) TombstoneNames(ctx context.Context) ([]TombstoneName, error) {
	pages, err := k.backend.list(ctx, tombstoneFolder)
	if err != nil {
		return nil, fmt.Errorf("list tombstones: %w", err)
	}
	var names []TombstoneName
	for _, page := range pages {
		page = strings.TrimSuffix(page, "/")
		number, err := strconv.ParseInt(page, 10, 64)
		if err != nil {
			return nil, errTombstone
		}
		records, err := k.backend.list(ctx, tombstoneFolder+"/"+page)
		if err != nil {
			return nil, fmt.Errorf("list tombstones: %w", err)
		}
		for _, record := range records {
			id, err := privacy.ParseSubjectID(record)
			if err != nil {
				return nil, errTombstone
			}
			names = append(names, TombstoneName{PageNo(number), id})
		}
	}
	return names, nil
}

// Tombstones reads one record.
func (k *Keyring) Tombstones(ctx context.Context, name TombstoneName) ([]Tombstone, error) {
	rec, err := k.backend.read(ctx, name.record())
	if errors.Is(err, errAbsent) {
		return nil, errTombstone
	}
	if err != nil {
		return nil, fmt.Errorf("read tombstones: %w", err)
	}
	var dead []Tombstone
	if err := json.Unmarshal([]byte(rec.wrapped), &dead); err != nil {
		return nil, errTombstone
	}
	return dead, nil
}
