package proofpack_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
)

// Known answers, worked out from the documented encoding by another program. They may never change: ledgers have these hashes.
func TestChainHashKnownAnswers(t *testing.T) {
	t.Parallel()
	plain := proofpack.Record{Seq: 2, ID: proofpack.RecordID{1, 15: 1}, Purpose: "marketing.email", Action: privacy.ActionGrant, By: privacy.BySelf, Channel: "web", Method: "checkbox", Locale: "de",
		Notice: &proofpack.NoticeRef{ID: "privacy", Version: 3}, NoticeHash: bytes.Repeat([]byte{0x0a}, 32), Evidence: bytes.Repeat([]byte{0x0b}, 32),
		OccurredAt: began.Add(time.Microsecond), RecordedBy: "crm", RecordedAt: began.Add(time.Second)}
	full, waiting, confirming := plain, plain, plain
	full.Explicit, full.SeparateFor, full.Prev = true, []privacy.ConsentScope{privacy.ScopeSensitive, privacy.ScopeTransfer}, bytes.Repeat([]byte{0x0c}, 32)
	full.ExpiresAt = time.Date(2028, time.February, 29, 12, 0, 0, 0, time.UTC)
	waiting.ConfirmBy = "email"
	confirming.Confirms = proofpack.RecordID(bytes.Repeat([]byte{5}, 16))
	for _, c := range []struct {
		record proofpack.Record
		want   string
	}{
		{full, "205ea90440ffecf6c4a664efa57f12392cf8b82fae6f9b73f0cba011070824bb"},
		{plain, "5c30fb0289b72aeaad750773d2ec82e0cd1f6c28eab8822758e4d8f2606ee82e"},
		{waiting, "7322e52a14792df046f6c6989c63af48b94cefc8b1d3082b95b2b6528b875482"},
		{confirming, "678fa39e73547c7f2515a0d3eca0fcbeb4351adc9d05e2bf5020ebbe476f35e5"},
	} {
		if got := c.record.ChainHash(subject).String(); got != c.want {
			t.Errorf("%+v hashes to %s", c.record, got)
		}
	}
}
