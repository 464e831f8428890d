package keyring_test

import (
	"bytes"
	"crypto/ed25519"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/consentry/consentry/internal/keyring"
	"github.com/consentry/consentry/internal/privacy"
)

func TestKeyringMustBeInitialised(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		_, err := open(t, keyring.Options{})
		wantErr(t, "opening before Init", err, keyring.ErrNotInitialised)

		first := mustOpen(t, open)
		index := first.BlindIndex("email", privacy.NewCleartext("ada@example.com"))
		if err := first.Init(t.Context()); err != nil {
			t.Errorf("Init again: %v", err)
		}
		second := mustOpen(t, open)
		if second.BlindIndex("email", privacy.NewCleartext("ada@example.com")) != index {
			t.Error("Init again made another index key")
		}
		if second.Fingerprint([]byte("x")) != first.Fingerprint([]byte("x")) ||
			second.Token("c", "p", 1, privacy.Cleartext{}) != first.Token("c", "p", 1, privacy.Cleartext{}) {
			t.Error("two keyrings over the same records hash differently")
		}
	})
}

func TestInitAtOnceMakesOneSetOfKeys(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		indexes := make([][keyring.IndexSize]byte, 4)
		var starting sync.WaitGroup
		for i := range indexes {
			starting.Go(func() {
				k, err := open(t, keyring.Options{Init: true})
				if err != nil {
					t.Error(err)
					return
				}
				indexes[i] = k.BlindIndex("email", privacy.NewCleartext("ada@example.com"))
				if err := k.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		starting.Wait()
		for _, index := range indexes {
			if index != indexes[0] {
				t.Error("two index keys")
			}
		}
	})
}

func TestReadingNeverMakesAPage(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		k := mustOpen(t, open)
		for range 2 {
			_, err := k.Subject(t.Context(), personAt(1), 1)
			wantErr(t, "a slot without a page", err, keyring.ErrPageMissing)
		}
		wantErr(t, "a puncture without a page", k.Puncture(t.Context(), 1), keyring.ErrPageMissing)
		if created, err := k.EnsurePage(t.Context(), 0); err != nil || !created {
			t.Fatalf("created %v, %v", created, err)
		}
		if created, err := k.EnsurePage(t.Context(), 0); err != nil || created {
			t.Fatalf("created again: %v, %v", created, err)
		}
		if err := opens(t, k, 1, seal(t, k, 1)); err != nil {
			t.Error(err)
		}
		_, err := k.Subject(t.Context(), personAt(4096), 4096)
		wantErr(t, "a slot of the next page", err, keyring.ErrPageMissing)
		_, err = k.Subject(t.Context(), personAt(0), -1)
		wantErr(t, "a slot below zero", err, keyring.ErrNoSuchSlot)
		_, err = k.EnsurePage(t.Context(), -1)
		wantErr(t, "a page below zero", err, keyring.ErrNoSuchSlot)
		wantErr(t, "a puncture below zero", k.Puncture(t.Context(), 1, -1), keyring.ErrNoSuchSlot)
	})
}

func TestEveryProcessOpensWhatAnotherSealed(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		a, b := mustOpen(t, open), mustOpen(t, open)
		mustEnsure(t, a, 0, 3)
		for _, slot := range []privacy.KeySlot{0, 1, 17, 300, 4095, 3 * 4096, 3*4096 + 4095} {
			if err := opens(t, b, slot, seal(t, a, slot)); err != nil {
				t.Errorf("slot %d: %v", slot, err)
			}
		}
	})
}

func TestLaw4PuncturedSubjectIsGoneAndNobodyElse(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		a, b := mustOpen(t, open), mustOpen(t, open)
		mustEnsure(t, a, 0, 1)
		erased := []privacy.KeySlot{5, 1234, 4096}
		kept := []privacy.KeySlot{4, 6, 21, 1233, 1235, 4095, 4097, 8191}
		sealed := make(map[privacy.KeySlot][]byte)
		for _, slot := range append(erased, kept...) {
			sealed[slot] = seal(t, a, slot)
		}
		for range 2 { // once more is no error
			if err := a.Puncture(t.Context(), erased...); err != nil {
				t.Fatal(err)
			}
		}
		for _, k := range []*keyring.Keyring{a, b} {
			for _, slot := range erased {
				wantErr(t, "an erased slot", opens(t, k, slot, sealed[slot]), keyring.ErrPunctured)
			}
			for _, slot := range kept {
				if err := opens(t, k, slot, sealed[slot]); err != nil {
					t.Errorf("slot %d: %v", slot, err)
				}
			}
		}
		if created, err := a.EnsurePage(t.Context(), 0); created || err != nil {
			t.Errorf("a punctured page was made anew: %v, %v", created, err)
		}
		wantErr(t, "after EnsurePage", opens(t, a, 5, sealed[5]), keyring.ErrPunctured)
		report, err := a.Verify(t.Context())
		if err != nil || report.Pages != 2 || report.Erased != 3 || report.Live != 2*4096-3 || report.Unsettled != nil || report.Damaged != nil {
			t.Errorf("Verify: %+v, %v", report, err)
		}
	})
}

func TestAnotherNodeForgetsAPuncturedPage(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		a, b := mustOpen(t, open), mustOpen(t, open)
		mustEnsure(t, a, 0)
		sealed := seal(t, a, 9)
		if err := opens(t, b, 9, sealed); err != nil {
			t.Fatal(err)
		}
		if err := a.Puncture(t.Context(), 9); err != nil {
			t.Fatal(err)
		}
		b.Forget()
		wantErr(t, "on the other node", opens(t, b, 9, sealed), keyring.ErrPunctured)
	})
}

func TestManyWhoMakeAPageMakeOne(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		keyrings := []*keyring.Keyring{mustOpen(t, open), mustOpen(t, open), mustOpen(t, open)}
		var (
			making  sync.WaitGroup
			created atomic.Int32
			sealed  = make([][]byte, len(keyrings))
		)
		for i, k := range keyrings {
			making.Go(func() {
				made, err := k.EnsurePage(t.Context(), 2)
				if err != nil {
					t.Error(err)
					return
				}
				if made {
					created.Add(1)
				}
				sealed[i] = seal(t, k, 2*4096+10)
			})
		}
		making.Wait()
		if created.Load() != 1 {
			t.Errorf("%d say they made the page", created.Load())
		}
		for _, k := range keyrings {
			for i := range sealed {
				if err := opens(t, k, 2*4096+10, sealed[i]); err != nil {
					t.Errorf("sealed by %d: %v", i, err)
				}
			}
		}
	})
}

func TestPuncturesOfOnePageAtOnceLoseNone(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		keyrings := []*keyring.Keyring{mustOpen(t, open), mustOpen(t, open)}
		mustEnsure(t, keyrings[0], 0)
		kept := seal(t, keyrings[0], 2000)
		slots := []privacy.KeySlot{0, 1, 2, 16, 256, 4095}
		var erasing sync.WaitGroup
		for i, slot := range slots {
			erasing.Go(func() {
				if err := keyrings[i%2].Puncture(t.Context(), slot); err != nil {
					t.Error(err)
				}
			})
		}
		erasing.Wait()
		for _, k := range keyrings {
			k.Forget()
			for _, slot := range slots {
				_, err := k.Subject(t.Context(), personAt(slot), slot)
				wantErr(t, "an erased slot", err, keyring.ErrPunctured)
			}
			if err := opens(t, k, 2000, kept); err != nil {
				t.Error(err)
			}
		}
		report, err := keyrings[0].Verify(t.Context())
		if err != nil || report.Erased != len(slots) || report.Unsettled != nil {
			t.Errorf("Verify: %+v, %v", report, err)
		}
	})
}

func TestReadersDuringPuncturesSeeWholePages(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		a, b := mustOpen(t, open), mustOpen(t, open)
		mustEnsure(t, a, 0)
		sealed := seal(t, a, 3000)
		done := make(chan struct{})
		var working sync.WaitGroup
		working.Go(func() {
			defer close(done)
			for slot := range privacy.KeySlot(5) {
				if err := a.Puncture(t.Context(), slot); err != nil {
					t.Error(err)
				}
			}
		})
		for _, k := range []*keyring.Keyring{a, b} {
			working.Go(func() {
				for {
					select {
					case <-done:
						return
					default:
					}
					k.Forget()
					if err := opens(t, k, 3000, sealed); err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		working.Wait()
	})
}

func TestRotationChangesNothingThatIsProtected(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		a := mustOpen(t, open)
		mustEnsure(t, a, 0, 1)
		sealed := seal(t, a, 77)
		index := a.BlindIndex("email", privacy.NewCleartext("ada@example.com"))
		if err := a.Puncture(t.Context(), 78); err != nil {
			t.Fatal(err)
		}
		for version := 2; version <= 3; version++ {
			report, err := a.Rotate(t.Context())
			want := keyring.RotateReport{KEKVersion: version, Records: 5, Rewrapped: 5}
			if err != nil || report != want {
				t.Fatalf("Rotate: %+v, %v; want %+v", report, err, want)
			}
		}
		mustEnsure(t, a, 2)
		for _, k := range []*keyring.Keyring{a, mustOpen(t, open)} {
			k.Forget()
			if err := opens(t, k, 77, sealed); err != nil {
				t.Error(err)
			}
			wantErr(t, "an erased slot", opens(t, k, 78, nil), keyring.ErrPunctured)
			if k.BlindIndex("email", privacy.NewCleartext("ada@example.com")) != index {
				t.Error("another index key")
			}
		}
		report, err := a.Verify(t.Context())
		if err != nil || report.Pages != 3 || report.Unsettled != nil || report.Damaged != nil {
			t.Errorf("Verify: %+v, %v", report, err)
		}
		status, err := a.Status(t.Context())
		if err != nil || !status.Reachable || status.KEKVersion != 3 || status.Pages != 3 || status.Cached == 0 {
			t.Errorf("Status: %+v, %v", status, err)
		}
	})
}

func TestSweepFindsNothingAfterWholeWork(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		k := mustOpen(t, open)
		mustEnsure(t, k, 0, 1)
		if err := k.Puncture(t.Context(), 1, 4097); err != nil {
			t.Fatal(err)
		}
		report, err := k.Sweep(t.Context())
		if err != nil || report.Pages != 2 || report.Finished != 0 || report.Damaged != nil {
			t.Errorf("Sweep: %+v, %v", report, err)
		}
	})
}

func TestSignaturesVerify(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		k := mustOpen(t, open)
		message := []byte("a checkpoint")
		signature, version, err := k.Sign(t.Context(), message)
		if err != nil {
			t.Fatal(err)
		}
		keys, err := mustOpen(t, open).PublicKeys(t.Context())
		if err != nil || version != 1 || len(keys) != 1 {
			t.Fatalf("version %d of %d keys, %v", version, len(keys), err)
		}
		if !ed25519.Verify(keys[version], message, signature) || ed25519.Verify(keys[version], []byte("another"), signature) {
			t.Error("the signature does not verify")
		}
	})
}

func TestSignaturesOfABatchVerifyAcrossARotation(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		k := mustOpen(t, open)
		messages := make([][]byte, 40)
		for i := range messages {
			messages[i] = bytes.Repeat([]byte{byte(i)}, i)
		}
		older, first, err := k.SignAll(t.Context(), messages)
		if err != nil {
			t.Fatal(err)
		}
		if err := k.RotateSigning(t.Context()); err != nil {
			t.Fatal(err)
		}
		newer, second, err := mustOpen(t, open).SignAll(t.Context(), messages)
		if err != nil || first != 1 || second != 2 {
			t.Fatalf("versions %d and %d, %v", first, second, err)
		}
		keys, err := k.PublicKeys(t.Context())
		if err != nil || len(keys) != 2 {
			t.Fatalf("%d keys, %v", len(keys), err)
		}
		for i, message := range messages {
			if !ed25519.Verify(keys[1], message, older[i]) || !ed25519.Verify(keys[2], message, newer[i]) || ed25519.Verify(keys[2], message, older[i]) {
				t.Errorf("message %d: its signatures do not verify with their keys alone", i)
			}
		}
		if _, _, err := k.SignAll(t.Context(), nil); err == nil {
			t.Error("nothing was signed")
		}
	})
}

func TestClosedKeyringGivesNothing(t *testing.T) {
	everywhere(t, func(t *testing.T, open opener) {
		k, err := open(t, keyring.Options{Init: true})
		if err != nil {
			t.Fatal(err)
		}
		mustEnsure(t, k, 0)
		if err := k.Ready(t.Context()); err != nil {
			t.Error(err)
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = k.Subject(t.Context(), personAt(1), 1)
		wantErr(t, "after Close", err, keyring.ErrUnavailable)
	})
}
