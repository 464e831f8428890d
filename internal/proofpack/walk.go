package proofpack

import (
	"bytes"
	"context"
	"slices"
	"strconv"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/internal/receipt"
)

// walk goes through records, receipts and audit entries in step, line by line.
type walk struct {
	*verifier
	records, receipts, entries track

	record     Record
	n          int
	chained    int
	prev       []byte
	checkpoint audit.Checkpoint
	noRoot     bool // the checkpoint is not good, so nothing leads to it
}

// track is one file of the walk, and the check it is for.
type track struct {
	lines
	*Check
	name string
}

// walkRecords checks the chain, and for each record its receipt and its audit entry.
func (v *verifier) walkRecords(ctx context.Context) bool {
	v.shown = make(map[NoticeRef]*reference)
	w := &walk{verifier: v, prev: make([]byte, len(audit.Hash{}))}
	w.records.Check, w.receipts.Check, v.notices, w.entries.Check = v.report.begin("records"), v.report.begin("receipts"), v.report.begin("notices"), v.report.begin("audit log")
	w.readCheckpoint()
	w.records.name, w.receipts.name, w.entries.name = recordsName, receiptsName, entriesName
	for _, t := range []*track{&w.records, &w.receipts, &w.entries} {
		opened, err := v.pack.open(t.name)
		if err != nil {
			t.fault("%s %s", t.name, detailOf(err))
			return false
		}
		defer func() { _ = opened.Close() }() // it was read to its end before, and compared with the manifest
		t.lines = newLines(opened)
	}
	for ctx.Err() == nil {
		line, more, err := w.records.next()
		if err == nil && !more {
			w.finish()
			return true
		}
		w.n++
		w.record = Record{}
		if err == nil {
			err = decode(line, &w.record)
		}
		if err != nil {
			w.records.fault("line %d: %s", w.n, detailOf(err))
			return false
		}
		w.checkRecord()
		w.refer()
		w.checkReceipt()
		w.checkEntry()
	}
	return false
}

// checkRecord checks the chain.
func (w *walk) checkRecord() {
	r := &w.record
	if int(r.Seq) != w.n {
		w.records.fault("record %d stands where record %d should", r.Seq, w.n)
	}
	if len(r.Hash) == 0 {
		if w.chained > 0 {
			w.records.fault("record %d has no hash, and one before it has", r.Seq)
		}
		return
	}
	w.chained++
	if hash := r.ChainHash(w.manifest.Subject); !bytes.Equal(hash[:], r.Hash) {
		w.records.fault("record %d is not what its hash says", r.Seq)
	}
	if !bytes.Equal(r.Prev, w.prev) {
		w.records.fault("record %d does not follow the one before it", r.Seq)
	}
	w.prev = slices.Clone(r.Hash)
}

func (w *walk) checkReceipt() {
	line, more, err := w.receipts.next()
	if err != nil || !more {
		w.receipts.fault("there is none of record %d", w.record.Seq)
		return
	}
	r, err := receipt.Verify(string(bytes.TrimSuffix(line, []byte("\n"))), w.keys)
	if err != nil {
		w.receipts.fault("that of record %d: %s", w.record.Seq, detailOf(err))
		return
	}
	if !r.Tells(w.record.Purpose, w.record.event(w.manifest.Subject)) {
		w.receipts.fault("the one in the place of record %d tells something else", w.record.Seq)
	}
}

func (w *walk) readCheckpoint() {
	signed, err := w.pack.read(checkpointName)
	if err == nil {
		w.checkpoint, err = audit.ParseCheckpoint(signed, w.manifest.Origin, w.report.Keys)
	}
	if err != nil {
		w.entries.fault("the checkpoint: %s", detailOf(err))
		w.noRoot = true
	}
}

// checkEntry checks that the log held the record when the checkpoint was signed.
func (w *walk) checkEntry() {
	line, more, err := w.entries.next()
	if err != nil || !more {
		w.entries.fault("there is no entry of record %d", w.record.Seq)
		return
	}
	var e Entry
	if err := decode(line, &e); err != nil || e.Seq != w.record.Seq {
		w.entries.fault("the entry in the place of record %d is another one, or not spelt as packs are", w.record.Seq)
		return
	}
	if len(w.record.Hash) == 0 && len(e.Leaf) == 0 {
		return // from before there was a chain
	}
	leaf, err := audit.ParseLeaf(e.Leaf)
	if err != nil {
		w.entries.fault("the entry of record %d is none", w.record.Seq)
		return
	}
	if leaf.Object != Object(w.record.Hash) || leaf.Subject != w.manifest.Subject || leaf.Purpose != w.record.Purpose || leaf.Action != entryAction(w.record.Action) {
		w.entries.fault("the entry in the place of record %d names something else", w.record.Seq)
	}
	if w.noRoot {
		return
	}
	if err := audit.VerifyInclusion(leaf.LeafHash(), e.Index, w.checkpoint.Size, e.Proof, w.checkpoint.Root); err != nil {
		w.entries.fault("that of record %d: %s", w.record.Seq, detailOf(err))
	}
}

// entryAction names what is done to a ledger as the audit log does.
func entryAction(action privacy.ConsentAction) audit.Action {
	return audit.Action("consent." + string(action))
}

// finish compares where the walk ended with what was signed.
func (w *walk) finish() {
	if w.n != w.manifest.Records || !bytes.Equal(w.record.Hash, w.manifest.Head) {
		w.records.fault("the ledger ended with another record when the manifest was signed, as number %d", w.manifest.Records)
	}
	if _, more, err := w.receipts.next(); more || err != nil {
		w.receipts.fault("there are more than there are records")
	}
	if _, more, err := w.entries.next(); more || err != nil {
		w.entries.fault("there are more than there are records")
	}
	unchained := ""
	if before := w.n - w.chained; before > 0 {
		unchained = "; " + strconv.Itoa(before) + " from before there was a chain rest on the manifest's signature alone"
	}
	w.records.done("%s, each chained to the one before; the last is the one that was signed for%s", plural(w.n, "record"), unchained)
	w.receipts.done("%s, signed, and telling what the records tell", plural(w.n, "receipt"))
	w.entries.done("%s proven to be in the log %s of size %d", plural(w.chained, "record"), w.manifest.Origin, w.checkpoint.Size)
}
