package keyring

import (
	"bytes"
	"testing"
)

// wycheproof is the part of Project Wycheproof's files that is read here.
type wycheproof struct {
	TestGroups []struct {
		IVSize, KeySize, TagSize int
		Tests                    []struct {
			ID                         int `json:"tcId"`
			Key, IV, AAD, Msg, CT, Tag hexBytes
			Result                     string
		}
	}
}

func TestWycheproofAESGCM(t *testing.T) {
	var file wycheproof
	loadJSON(t, &file, "data", "wycheproof", "aes_gcm_test.json")
	tried := 0
	for _, group := range file.TestGroups {
		if group.KeySize != 256 || group.IVSize != 96 || group.TagSize != 128 {
			continue // not what this package uses
		}
		for _, c := range group.Tests {
			tried++
			secret := key(c.Key)
			aead, err := newAEAD(&secret)
			if err != nil {
				t.Fatal(err)
			}
			sealed := append(bytes.Clone(c.CT), c.Tag...)
			opened, err := aead.Open(nil, c.IV, sealed, c.AAD)
			switch {
			case c.Result == "valid" && (err != nil || !bytes.Equal(opened, c.Msg)):
				t.Errorf("%d: does not open: %v", c.ID, err)
			case c.Result == "valid" && !bytes.Equal(aead.Seal(nil, c.IV, c.Msg, c.AAD), sealed):
				t.Errorf("%d: seals differently", c.ID)
			case c.Result == "invalid" && err == nil:
				t.Errorf("%d: opens", c.ID)
			}
		}
	}
	if tried == 0 {
		t.Fatal("no case applied")
	}
}

func TestWycheproofHMACSHA256(t *testing.T) {
	var file wycheproof
	loadJSON(t, &file, "data", "wycheproof", "hmac_sha256_test.json")
	tried := 0
	for _, group := range file.TestGroups {
		if group.KeySize != 256 {
			continue
		}
		for _, c := range group.Tests {
			tried++
			half := len(c.Msg) / 2
			sum := mac(c.Key, c.Msg[:half], c.Msg[half:])
			if got := bytes.Equal(sum[:group.TagSize/8], c.Tag); got != (c.Result == "valid") {
				t.Errorf("%d: equal is %v, but the case is %s", c.ID, got, c.Result)
			}
		}
	}
	if tried == 0 {
		t.Fatal("no case applied")
	}
}
