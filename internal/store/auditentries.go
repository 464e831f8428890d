package store

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/audit"
	"github.com/consentry/consentry/internal/privacy"
)

// AuditFilter selects entries. Zero fields select everything.
type AuditFilter struct {
	Subject      privacy.SubjectID
	Client       privacy.ClientID
	Purpose      privacy.PurposeName
	Object       string // "draft/<id>" finds "draft/<id>@<hash>" too
	Since, Until time.Time
	Before       audit.EntryName // only entries older than this one
	Limit        int
	Within       int // how many entries to look through at most by client or purpose; 0: 50,000
}

const selectEntries = `SELECT batch_id, id, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes, coalesce(object, ''), coalesce(actor, '') FROM audit_entry`

// AuditEntries lists entries, newest first, and says before which one to go on: the zero name when there are no more.
//
// Who asks by client or purpose may get fewer than the limit, none even, and a place to go on from. There is no index
// by these: every disclosure would pay for it, and a log is mostly read by subject or by time. So the newest entries
// are looked through instead, a bounded number at a time however rare what is asked for, and however long the log.
func (s *Store) AuditEntries(ctx context.Context, f AuditFilter) (entries []audit.Entry, next audit.EntryName, err error) {
	where, args := f.conditions()
	if f.scans() {
		if next, err = s.lookedThrough(ctx, f); err != nil {
			return nil, next, err
		}
		if !next.IsZero() {
			args = append(args, [16]byte(next.BatchID), next.ID)
			where += ` AND (batch_id, id) >= ($` + strconv.Itoa(len(args)-1) + `, $` + strconv.Itoa(len(args)) + `)`
		}
	}
	rows, err := s.pool.Query(ctx, selectEntries+where+` ORDER BY batch_id DESC, id DESC LIMIT `+strconv.Itoa(f.Limit), args...)
	if err != nil {
		return nil, next, wrap(err, "list audit entries")
	}
	if entries, err = pgx.CollectRows(rows, scanEntry); err == nil && len(entries) == f.Limit {
		next = entries[len(entries)-1].Name
	}
	return entries, next, wrap(err, "list audit entries")
}

// lookThrough is how many entries are looked through for one page: tens of milliseconds' worth.
const lookThrough = 50_000

// scans reports whether no index leads to what is asked for.
func (f *AuditFilter) scans() bool {
	return (f.Client != "" || f.Purpose != "") && f.Subject.IsZero() && f.Object == ""
}

// lookedThrough names the last entry that a page may look at, the zero name when it may look at all there are.
func (s *Store) lookedThrough(ctx context.Context, f AuditFilter) (last audit.EntryName, err error) {
	most := f.Within
	if most == 0 {
		most = lookThrough
	}
	f.Client, f.Purpose = "", ""
	where, args := f.conditions()
	err = s.pool.QueryRow(ctx, `SELECT batch_id, id FROM audit_entry`+where+` ORDER BY batch_id DESC, id DESC LIMIT 1 OFFSET `+strconv.Itoa(most-1), args...).
		Scan((*[16]byte)(&last.BatchID), &last.ID)
	if isNoRows(err) {
		return audit.EntryName{}, nil
	}
	return last, wrap(err, "list audit entries")
}

// conditions gives the WHERE clause for the fields that are set, and its arguments: statements are
// planned once for all arguments, so what is not asked about must not be in them.
func (f *AuditFilter) conditions() (where string, args []any) {
	var parts []string
	add := func(condition string, values ...any) {
		for _, value := range values {
			args = append(args, value)
			condition = strings.Replace(condition, "?", "$"+strconv.Itoa(len(args)), 1)
		}
		parts = append(parts, condition)
	}
	if !f.Subject.IsZero() {
		add("subject_id = ?", [16]byte(f.Subject))
	}
	if f.Client != "" {
		add("client = ?", f.Client)
	}
	if f.Purpose != "" {
		add("purpose = ?", f.Purpose)
	}
	if f.Object != "" {
		// All of a draft's entries, whichever content they name after the "@": what follows it is 'A'.
		add(`object COLLATE "C" >= ? AND object COLLATE "C" < ?`, f.Object, f.Object+"A")
	}
	// Batches are named by about when they were written (UUIDv7), which lets the primary key narrow times down.
	if !f.Since.IsZero() {
		add("at >= ? AND batch_id >= ?", f.Since, batchesFrom(f.Since.Add(-batchSlack)))
	}
	if !f.Until.IsZero() {
		add("at < ? AND batch_id < ?", f.Until, batchesFrom(f.Until.Add(batchSlack)))
	}
	if !f.Before.IsZero() {
		add("(batch_id, id) < (?, ?)", [16]byte(f.Before.BatchID), f.Before.ID)
	}
	if len(parts) > 0 {
		where = " WHERE " + strings.Join(parts, " AND ")
	}
	return where, args
}

// batchSlack is how far the name of a batch may be from the times of its entries: clocks differ, and
// a write is entered when its transaction began.
const batchSlack = time.Hour

// batchesFrom gives the least name of a batch made at a time.
func batchesFrom(at time.Time) (id [16]byte) {
	var name [8]byte
	binary.BigEndian.PutUint64(name[:], uint64(max(at.UnixMilli(), 0)))
	copy(id[:], name[2:]) // 48 bits of milliseconds (RFC 9562 §5.7)
	return id
}
