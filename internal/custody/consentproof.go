package custody

import (
	"context"
	"crypto/ed25519"
	"encoding/hex"
	"io"
	"iter"
	"maps"
	"slices"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/ledger"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/proofpack"
	"github.com/consentry/consentry/internal/store"
)

// ConsentProof is a proof pack that is ready to be written: everything that could stop it was tried, and that it is given out is
// on record. It covers the ledger as it stood when it was asked for.
//
// Sealed evidence is not part of a pack: it is personal data, and a pack is made to be handed on. The records commit to
// it, so that it can be shown beside.
type ConsentProof struct {
	service    *Service
	caller     Caller
	id         privacy.SubjectID
	end        int32 // number of the last record
	checkpoint store.Checkpoint
	source     proofpack.Source
}

const proofPage = 500 // records read at a time

var errLedgerTooLong = privacy.NewError(privacy.KindTooLarge, "ledger_too_long", "a proof pack holds 50,000 records at most")

// ConsentProof prepares the proof pack of a subject's consents. KindUnavailable while the newest record waits for a checkpoint, or
// the keyring is away.
func (s *Service) ConsentProof(ctx context.Context, caller Caller, id privacy.SubjectID) (*ConsentProof, error) {
	if err := s.mustExist(ctx, id); err != nil {
		return nil, err
	}
	end, head, err := s.store.LedgerEnd(ctx, id)
	if err != nil {
		return nil, err
	}
	if end > proofpack.MaxRecords {
		return nil, errLedgerTooLong
	}
	p := &ConsentProof{service: s, caller: caller, id: id, end: end}
	if p.checkpoint, err = s.checkpointOver(ctx, id, head); err != nil {
		return nil, err
	}
	keys, err := s.book.Keys(ctx)
	if err != nil {
		return nil, err
	}
	receiptKeys, err := s.signer.keys.all(ctx)
	if err != nil {
		return nil, err
	}
	at := s.instant()
	p.source = proofpack.Source{Subject: id, MadeAt: at, Origin: s.book.Origin(), Checkpoint: p.checkpoint.Note, LogKeys: keys, Receipts: receiptKeys}
	draft := audit.Draft{At: at, Action: audit.ActionProofIssue, Client: caller.Client, RequestID: caller.Request, Subject: id}
	if head != nil {
		draft.Object = "proof/" + hex.EncodeToString(head)
	}
	if err := s.record(ctx, draft); err != nil {
		return nil, err
	}
	return p, nil
}

// Write writes the pack, a page of the ledger at a time. After an error what was written is no pack, and does not pass for one.
func (p *ConsentProof) Write(ctx context.Context, w io.Writer) error {
	source := p.source
	source.Records, source.ReceiptJWS, source.Entries = p.records(ctx), p.receipts(ctx), p.entries(ctx)
	source.ReadNotice = func(ref proofpack.NoticeRef) (proofpack.Notice, error) {
		notice, err := p.service.NoticeVersion(ctx, NoticeRef{ID: ref.ID, Version: ref.Version})
		return proofpack.Notice{NoticeRef: ref, Content: notice.Content}, err
	}
	source.SignNewest = func(manifest []byte) (input, signature []byte, err error) {
		return p.service.signManifest(ctx, manifest)
	}
	return proofpack.Write(w, &source)
}

// checkpointOver gives a checkpoint that covers the record of a hash; nil asks for any. The entries are there with
// their records, and are taken into the log now when the sequencer has not come to them yet.
func (s *Service) checkpointOver(ctx context.Context, id privacy.SubjectID, head []byte) (store.Checkpoint, error) {
	look := func() (store.Checkpoint, error) {
		checkpoint, err := s.book.Checkpoint(ctx)
		if err == nil && head != nil {
			err = s.covers(ctx, checkpoint, id, head)
		}
		return checkpoint, err
	}
	checkpoint, err := look()
	if privacy.KindOf(err) != privacy.KindNotFound {
		return checkpoint, err
	}
	if err := s.book.SequenceForProof(ctx); err != nil {
		return store.Checkpoint{}, err
	}
	return look()
}

// covers gives KindNotFound until a checkpoint covers a record.
func (s *Service) covers(ctx context.Context, checkpoint store.Checkpoint, id privacy.SubjectID, hash []byte) error {
	entries, err := s.store.EntriesOn(ctx, id, []string{ledger.Object(hash)})
	if err != nil {
		return err
	}
	if len(entries) == 0 {
		return errUnaudited
	}
	index, err := s.store.LeafIndex(ctx, entries[0].Name)
	if err == nil && index >= checkpoint.Size {
		err = privacy.NotFound("entry_not_in_log", "the entry is not under the checkpoint")
	}
	return err
}

// errUnaudited cannot be mended by asking again: `consents verify` says more.
var errUnaudited = privacy.Internal(nil, "prove a ledger: a record is not in the audit log")

// signManifest signs a manifest with the newest key, as the signer signs receipts: which key that is, is part of what is signed.
func (s *Service) signManifest(ctx context.Context, manifest []byte) (input, signature []byte, err error) {
	for range 2 {
		publics, err := s.keyring.PublicKeys(ctx)
		if err != nil {
			return nil, nil, err
		}
		newest := slices.Max(slices.Collect(maps.Keys(publics)))
		input = proofpack.SigningInput(publics[newest], manifest)
		signature, _, err := s.keyring.Sign(ctx, input)
		if err != nil {
			return nil, nil, err
		}
		if ed25519.Verify(publics[newest], input, signature) {
			return input, signature, nil
		}
	}
	return nil, nil, privacy.Unavailable(nil, "signing_key_rotated", "the signing key is being rotated; try again")
}

// paged reads something of every record of the ledger, page by page; number tells which record it is of.
func paged[T any](end int32, number func(*T) int32, read func(after int32) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for after := int32(0); after < end; {
			page, err := read(after)
			if err == nil && len(page) == 0 {
				err = privacy.Internal(nil, "prove a ledger: its last records are gone")
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for i := range page {
				if !yield(page[i], nil) {
					return
				}
			}
			after = number(&page[len(page)-1])
		}
	}
}

func (p *ConsentProof) ledger(ctx context.Context) iter.Seq2[ConsentRecord, error] {
	return paged(p.end, func(r *ConsentRecord) int32 { return r.Seq }, func(after int32) ([]ConsentRecord, error) {
		return p.service.store.LedgerPage(ctx, p.id, after, p.end, proofPage)
	})
}

func (p *ConsentProof) records(ctx context.Context) iter.Seq2[proofpack.Record, error] {
	return func(yield func(proofpack.Record, error) bool) {
		for record, err := range p.ledger(ctx) {
			if !yield(ledger.Pack(&record), err) {
				return
			}
		}
	}
}

// receipts gives the receipt of every record, made now where there was none.
func (p *ConsentProof) receipts(ctx context.Context) iter.Seq2[string, error] {
	kept := paged(p.end, func(k *store.KeptReceipt) int32 { return k.Seq }, func(after int32) ([]store.KeptReceipt, error) {
		return p.service.store.ReceiptPage(ctx, p.id, after, p.end, proofPage)
	})
	return func(yield func(string, error) bool) {
		for k, err := range kept {
			if err == nil && k.JWS == "" {
				k.JWS, err = p.service.Receipt(ctx, p.caller, p.id, k.Record)
			}
			if !yield(k.JWS, err) || err != nil {
				return
			}
		}
	}
}

// entries proves for every record that the log names it.
func (p *ConsentProof) entries(ctx context.Context) iter.Seq2[proofpack.Entry, error] {
	return paged(p.end, func(e *proofpack.Entry) int32 { return e.Seq }, func(after int32) ([]proofpack.Entry, error) {
		records, err := p.service.store.LedgerPage(ctx, p.id, after, p.end, proofPage)
		if err != nil {
			return nil, err
		}
		objects := make([]string, len(records))
		for i := range records {
			objects[i] = ledger.Object(records[i].Hash)
		}
		found, err := p.service.store.EntriesOn(ctx, p.id, objects)
		if err != nil {
			return nil, err
		}
		named := make(map[string]*audit.Entry, len(found))
		for i := range found {
			named[found[i].Object] = &found[i]
		}
		entries := make([]proofpack.Entry, len(records))
		for i := range records {
			if entries[i], err = p.entry(ctx, &records[i], named[objects[i]]); err != nil {
				return nil, err
			}
		}
		return entries, nil
	})
}

func (p *ConsentProof) entry(ctx context.Context, record *ConsentRecord, named *audit.Entry) (proofpack.Entry, error) {
	proven := proofpack.Entry{Seq: record.Seq}
	if record.Hash == nil {
		return proven, nil
	}
	if named == nil {
		return proven, errUnaudited
	}
	proven.Leaf = named.Leaf()
	var err error
	if proven.Index, err = p.service.store.LeafIndex(ctx, named.Name); err != nil {
		return proven, err
	}
	proven.Proof, err = audit.InclusionProof(ctx, p.service.store, proven.Index, p.checkpoint.Size)
	return proven, err
}
