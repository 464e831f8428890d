package audit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"golang.org/x/mod/sumdb/note"

	"github.com/consentry/consentry/internal/privacy"
)

// Trust is what the checker knows from elsewhere, and what all findings rest on.
type Trust struct {
	Origin string
	Keys   []Key    // all versions that checkpoints may be signed with
	Kept   [][]byte // checkpoints kept from earlier; the log must still agree with them
	// Settled is until when entries must have reached the log and a checkpoint; later ones count as
	// pending. Give it a minute in a live log; zero means all entries.
	Settled time.Time
}

// Verify recomputes the log from its rows, in one pass, and compares it with every signed
// checkpoint on the way. Tampering is a finding in the report; the error tells of items that could not be
// read. Memory is bounded by the number of distinct decisions, not of entries.
func Verify(ctx context.Context, items iter.Seq2[Item, error], trust Trust) (Report, error) {
	verifiers, err := verifiersOf(trust.Keys)
	if err != nil {
		return Report{}, err
	}
	if trust.Origin == "" || len(trust.Keys) == 0 {
		return Report{}, privacy.Invalid("trust_needed", "give the log's origin and at least one public key")
	}
	v := verifier{
		trust: trust, verifiers: verifiers, report: Report{Origin: trust.Origin, Findings: []Finding{}},
		decided: map[Hash]bool{}, wanted: map[Hash]Finding{},
	}
	for _, signed := range trust.Kept {
		v.checkpoint(signed)
	}
	for item, err := range items {
		if err != nil {
			return v.report, err
		}
		if err := ctx.Err(); err != nil {
			return v.report, err
		}
		v.item(item)
	}
	return v.finish(), nil
}

// verifier is the state of one pass.
type verifier struct {
	trust     Trust
	verifiers note.Verifiers
	report    Report

	tree   Tree
	next   uint64 // index of the next leaf
	broken bool   // leaves are missing, so there are no roots from here on

	ahead     []Checkpoint // not reached yet, in order of size
	last      Checkpoint   // reached
	suspects  []Checkpoint // good signature, other root; all after fits; not more than are reported
	suspected int          // how many there were
	fits      uint64       // size of the newest checkpoint with the root recomputed, …
	anyFits   bool         // … if there is one
	tail      tail

	decided map[Hash]bool
	wanted  map[Hash]Finding // decisions referred to and not seen yet
}

// tail is what has come since the last good checkpoint.
type tail struct {
	settled uint64 // those old enough to be signed
	pending int
	first   Finding // of the settled
}

func (v *verifier) item(item Item) {
	switch {
	case item.Record != nil:
		v.record(*item.Record)
	case item.Unlogged != nil:
		v.unlogged(*item.Unlogged)
	case item.Decision != nil:
		v.decision(*item.Decision)
	default:
		v.checkpoint(item.Checkpoint)
	}
}

func (v *verifier) found(kind FindingKind, index uint64, entry EntryName, format string, args ...any) {
	v.report.add(Finding{Kind: kind, Index: index, Entry: entry, Detail: fmt.Sprintf(format, args...)})
}

func (v *verifier) record(r Record) {
	if r.Index < v.next {
		v.found(FoundInserted, r.Index, r.Name, "the index is taken: it came after index %d", v.next-1)
		return
	}
	if r.Index > v.next {
		v.found(FoundGap, v.next, EntryName{}, "leaves %d to %d are missing; no root can be recomputed from here on", v.next, r.Index-1)
		v.broken = true
	}
	v.next = r.Index + 1
	v.content(r)
	if !v.broken {
		// The stored hash, not the recomputed one: then one changed entry is one finding, and does not
		// spoil every root after it.
		v.tree.append(r.Leaf, nil)
	}
	v.reached()
}

// content compares an entry with its leaf.
func (v *verifier) content(r Record) {
	if r.Entry == nil {
		v.found(FoundRemoved, r.Index, r.Name, "the leaf is there and the entry is not")
		v.untilSigned(r, time.Time{})
		return
	}
	entry := Entry{Name: r.Name, Draft: *r.Entry}
	if entry.LeafHash() != r.Leaf {
		v.found(FoundChanged, r.Index, r.Name, "the entry does not hash to its leaf")
	}
	v.want(entry, r.Index)
	v.untilSigned(r, entry.At)
}

func (v *verifier) untilSigned(r Record, at time.Time) {
	if v.isPending(at) {
		v.tail.pending++
		return
	}
	if v.tail.settled == 0 {
		v.tail.first = Finding{Kind: FoundUnsigned, Index: r.Index, Entry: r.Name}
	}
	v.tail.settled++
}

func (v *verifier) isPending(at time.Time) bool {
	return !v.trust.Settled.IsZero() && at.After(v.trust.Settled)
}

func (v *verifier) unlogged(e Entry) {
	if v.isPending(e.At) {
		v.report.Pending++
	} else {
		v.found(FoundInserted, v.next, e.Name, "the entry is not in the log")
	}
	v.want(e, v.next)
}

func (v *verifier) want(e Entry, index uint64) {
	if e.Decision.IsZero() || v.decided[e.Decision] {
		return
	}
	if _, ok := v.wanted[e.Decision]; !ok {
		v.wanted[e.Decision] = Finding{
			Kind: FoundDecisionMissing, Index: index, Entry: e.Name,
			Detail: "decision " + e.Decision.String() + " is not there; this entry is the first to refer to it",
		}
	}
}

func (v *verifier) decision(d StoredDecision) {
	if d.Decision.Hash() != d.Hash {
		f := v.wanted[d.Hash] // names an entry that refers to it, if there was one
		v.found(FoundDecisionChanged, f.Index, f.Entry, "decision %s does not fit its hash", d.Hash)
	} else {
		v.report.Decisions++
	}
	v.decided[d.Hash] = true
	delete(v.wanted, d.Hash)
}

// checkpoint checks the signature, and the root as soon as the log has that size.
func (v *verifier) checkpoint(signed []byte) {
	c, err := parseCheckpoint(signed, v.trust.Origin, v.verifiers)
	if err != nil {
		size, _ := claimedSize(signed)
		kind := FoundBadCheckpoint
		if privacy.CodeOf(err) == codeCheckpointSignature {
			kind = FoundBadSignature
		}
		v.found(kind, size, EntryName{}, "%v", err)
		return
	}
	if c.Size < v.next {
		v.found(FoundBadCheckpoint, c.Size, EntryName{}, "the checkpoint comes after leaf %d, out of order", v.next-1)
		return
	}
	at, _ := slices.BinarySearchFunc(v.ahead, c, func(a, b Checkpoint) int {
		return cmp.Or(cmp.Compare(a.Size, b.Size), bytes.Compare(a.Root[:], b.Root[:]))
	})
	v.ahead = slices.Insert(v.ahead, at, c)
	v.reached()
}

// reached compares the checkpoints of the size that the log has now.
func (v *verifier) reached() {
	for len(v.ahead) > 0 && v.ahead[0].Size <= v.next {
		c := v.ahead[0]
		v.ahead = v.ahead[1:]
		if c == v.last {
			continue // kept, and stored
		}
		v.last = c
		v.report.Checkpoints++
		v.report.Signed = c.Size
		v.tail = tail{}
		switch {
		case !v.broken && c.Size == v.next && c.Root == v.tree.Root():
			v.fit(c)
		case v.anyFits && v.fits == c.Size:
			v.inconsistent(c)
		default:
			v.suspect(c)
		}
	}
}

func (v *verifier) suspect(c Checkpoint) {
	v.suspected++
	if len(v.suspects) < maxFindings {
		v.suspects = append(v.suspects, c)
	}
}

// fit clears the log up to here, and so convicts the checkpoints before that it contradicts: they were
// signed over another history.
func (v *verifier) fit(c Checkpoint) {
	v.fits, v.anyFits = c.Size, true
	for _, s := range v.suspects {
		v.inconsistent(s)
	}
	v.report.Omitted += v.suspected - len(v.suspects)
	v.suspects, v.suspected = nil, 0
}

func (v *verifier) inconsistent(c Checkpoint) {
	v.found(FoundInconsistent, c.Size, EntryName{}, "the checkpoint of size %d contradicts the one of size %d, which the log fits", c.Size, v.fits)
}

func (v *verifier) finish() Report {
	if len(v.suspects) > 0 {
		first := v.suspects[0]
		v.found(FoundRootMismatch, v.fits, EntryName{},
			"from the checkpoint of size %d on, %d in all, no signed root fits; the first change is among leaves %d to %d",
			first.Size, v.suspected, v.fits, max(first.Size, 1)-1)
	}
	if n := len(v.ahead); n > 0 {
		v.found(FoundTruncated, v.next, EntryName{}, "a signed checkpoint covers %d leaves, and there are %d", v.ahead[n-1].Size, v.next)
		v.report.Checkpoints += n
	}
	if v.report.Checkpoints == 0 {
		v.found(FoundUnsigned, 0, EntryName{}, "there is no good checkpoint")
	} else if v.tail.settled > 0 {
		v.tail.first.Detail = fmt.Sprintf("%d entries from here on are under no good checkpoint", v.tail.settled)
		v.report.add(v.tail.first)
	}
	for _, hash := range slices.SortedFunc(maps.Keys(v.wanted), func(a, b Hash) int {
		return cmp.Compare(v.wanted[a].Index, v.wanted[b].Index)
	}) {
		v.report.add(v.wanted[hash])
	}
	v.report.Pending += v.tail.pending
	v.report.Size, v.report.Root = v.next, v.tree.Root()
	return v.report
}
