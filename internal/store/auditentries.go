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
	Action       audit.Action
	Since, Until time.Time
	Before       audit.EntryName // only entries older than this one
	Limit        int
	Within       int // how many rows to look through at most by client or purpose; 0: 50,000

	from audit.EntryName // only this one and newer ones
}

const entryColumnNames = `batch_id, id, at, action, client, request_id, subject_id, purpose, decision_hash, roles, attributes, coalesce(object, ''), coalesce(actor, '')`

// selectEntries reads entries wherever they are kept.
const selectEntries = `SELECT ` + entryColumnNames + ` FROM audit_trail`

const newestFirst = ` ORDER BY batch_id DESC, id DESC`

// AuditEntries lists entries, newest first, and says before which one to go on: the zero name when there are no more.
//
// Who asks by client or purpose may get fewer than the limit, none even, and a place to go on from. There is no index
// by these: every disclosure would pay for it, and a log is mostly read by subject or by time. So the newest entries
// are looked through instead, a bounded number at a time however rare what is asked for, and however long the log.
func (s *Store) AuditEntries(ctx context.Context, f AuditFilter) (entries []audit.Entry, next audit.EntryName, err error) {
	if f.scans() {
		if next, err = s.lookedThrough(ctx, f); err != nil {
			return nil, next, err
		}
		f.from = next
	}
	sql, args := f.list()
	rows, err := s.pool.Query(ctx, sql, args...)
	if err != nil {
		return nil, next, wrap(err, "list audit entries")
	}
	if entries, err = pgx.CollectRows(rows, scanEntry); err == nil && len(entries) == f.Limit {
		next = entries[len(entries)-1].Name
	}
	return entries, next, wrap(err, "list audit entries")
}

// lookThrough is how many rows are looked through for one page: tens of milliseconds' worth.
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
	conditions := f.conditions()
	offset := ` LIMIT 1 OFFSET ` + strconv.Itoa(most-1)
	err = s.pool.QueryRow(ctx, `SELECT batch_id, id FROM (
			(SELECT batch_id, id FROM audit_entry`+where(conditions.singles)+newestFirst+offset+`) UNION ALL (SELECT batch_id, id FROM audit_run`+where(conditions.runs)+newestFirst+offset+`)
		) last`+newestFirst+` LIMIT 1`, conditions.args...).
		Scan((*[16]byte)(&last.BatchID), &last.ID)
	if isNoRows(err) {
		return audit.EntryName{}, nil
	}
	return last, wrap(err, "list audit entries")
}

// list gives the statement that lists the newest entries, and its arguments. It takes as many single entries as asked for, and as
// many runs as can be needed: of each comes at least one entry when a subject is asked about, and at least
// runEntries otherwise, but for those that a page begins or ends in.
func (f *AuditFilter) list() (sql string, args []any) {
	c, limit := f.conditions(), ` LIMIT `+strconv.Itoa(f.Limit)
	singles := `SELECT ` + entryColumnNames + ` FROM audit_entry` + where(c.singles) + newestFirst + limit
	if f.Object != "" { // no run has one
		return singles, c.args
	}
	runs := f.Limit + 1
	if f.Subject.IsZero() {
		runs = f.Limit/runEntries + 2
	}
	return `SELECT * FROM ((` + singles + `) UNION ALL (
		SELECT r.batch_id, (r.id + e.n - 1)::integer, r.at, r.action, r.client, r.request_id, e.subject_id, r.purpose, r.decisions[e.decided], r.roles, r.attributes, '', ''
		FROM (SELECT * FROM audit_run` + where(c.runs) + newestFirst + ` LIMIT ` + strconv.Itoa(runs) + `) r, unnest(r.subject_ids, r.decided) WITH ORDINALITY AS e (subject_id, decided, n)` +
		where(c.inRuns) + `)) every` + newestFirst + limit, c.args
}

// auditConditions are what single entries, runs, and the entries in a run have to fulfil, over the same arguments.
type auditConditions struct {
	singles, runs, inRuns []string
	args                  []any
}

// argument adds an argument and gives its placeholder.
func (c *auditConditions) argument(value any) string {
	c.args = append(c.args, value)
	return "$" + strconv.Itoa(len(c.args))
}

func (c *auditConditions) both(condition string) {
	c.singles, c.runs = append(c.singles, condition), append(c.runs, condition)
}

// conditions leaves out what is not asked about: statements are planned once for all arguments.
func (f *AuditFilter) conditions() (c auditConditions) {
	if f.Client != "" {
		c.both("client = " + c.argument(f.Client))
	}
	if f.Purpose != "" {
		c.both("purpose = " + c.argument(f.Purpose))
	}
	if f.Action != "" {
		c.both("action = " + c.argument(f.Action))
	}
	// Batches are named by about when they were written (UUIDv7), which lets the primary key narrow times down.
	if !f.Since.IsZero() {
		c.both("at >= " + c.argument(f.Since) + " AND batch_id >= " + c.argument(batchesFrom(f.Since.Add(-batchSlack))))
	}
	if !f.Until.IsZero() {
		c.both("at < " + c.argument(f.Until) + " AND batch_id < " + c.argument(batchesFrom(f.Until.Add(batchSlack))))
	}
	if !f.Subject.IsZero() {
		subject := c.argument([16]byte(f.Subject))
		c.singles, c.runs, c.inRuns = append(c.singles, "subject_id = "+subject), append(c.runs, "subject_ids @> ARRAY["+subject+"::uuid]"), append(c.inRuns, "e.subject_id = "+subject)
	}
	if f.Object != "" {
		// All of a draft's entries, whichever content they name after the "@": what follows it is 'A'.
		c.singles = append(c.singles, `object COLLATE "C" >= `+c.argument(f.Object)+` AND object COLLATE "C" < `+c.argument(f.Object+"A"))
	}
	f.page(&c)
	return c
}

// page keeps to the entries of a page. It may begin and end within a run.
func (f *AuditFilter) page(c *auditConditions) {
	if !f.Before.IsZero() {
		before := "(" + c.argument([16]byte(f.Before.BatchID)) + ", " + c.argument(f.Before.ID) + ")"
		c.both("(batch_id, id) < " + before)
		c.inRuns = append(c.inRuns, "(r.batch_id, r.id + e.n - 1) < "+before)
	}
	if !f.from.IsZero() {
		batch := c.argument([16]byte(f.from.BatchID))
		from := "(" + batch + ", " + c.argument(f.from.ID) + ")"
		c.singles, c.runs, c.inRuns = append(c.singles, "(batch_id, id) >= "+from), append(c.runs, "batch_id >= "+batch), append(c.inRuns, "(r.batch_id, r.id + e.n - 1) >= "+from)
	}
}

func where(conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(conditions, " AND ")
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
