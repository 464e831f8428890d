// Package store is all the SQL there is: migrations, and one file of hand-written
// statements per family of tables. It sees ciphertext, keyed indexes and pseudonyms
// only; it could not open a value if it wanted to.
//
// Writes happen inside [Store.Write], which runs a function in one transaction and
// runs it again when PostgreSQL reports a serialization failure or a deadlock. The function must
// therefore change nothing but the database and what it computes. Each write carries the
// audit entries that describe it, in the same transaction.
//
// The schema is laid out so that Citus can distribute it: every per-subject table is keyed by
// subject_id first, errors are matched by SQLSTATE alone, and times are parameters.
package store

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"

	"github.com/consentry/consentry/internal/privacy"
)

// Store is a pool of connections to the primary. It is never pointed at a replica:
// a withdrawal that has returned must be seen by every read that starts later.
type Store struct {
	pool         *pgxpool.Pool
	distributed  bool      // by Citus, where a statement may not lock rows of several shards
	publications sync.Map  // number → privacy.RevisionID
	readers      sync.Pool // of personReader
	changes      chan struct{}
	work         *pgxpool.Pool // for jobs; connects when there are any
	queue        *river.Client[pgx.Tx]
}

// Config says where the database is.
type Config struct {
	URL            string
	MaxConns       int32           // 0: pool_max_conns of the URL, or four a core
	ConnectTimeout time.Duration   // 0: 5 s
	Tracer         pgx.QueryTracer // nil: none
	StatementLimit time.Duration   // server-side statement_timeout; 0: 30 s
}

// connsPerCore is how many connections a process keeps at most: some read while others wait for the disk,
// and more would only make the server switch between them.
const connsPerCore = 4

// Open connects. It fails with KindUnavailable when the database cannot be reached, or is one that
// takes no writes: a replica may lag behind a withdrawal.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	poolConfig, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		// pgx quotes the connection string in its error, so the cause is dropped.
		return nil, privacy.Invalid("invalid_database_url", "DATABASE_URL is not a PostgreSQL connection string")
	}
	if cfg.MaxConns > 0 {
		poolConfig.MaxConns = cfg.MaxConns
	} else if !strings.Contains(cfg.URL, "pool_max_conns") {
		poolConfig.MaxConns = int32(connsPerCore * runtime.GOMAXPROCS(0)) //nolint:gosec // a small number
	}
	poolConfig.ConnConfig.ConnectTimeout = orDefault(cfg.ConnectTimeout, 5*time.Second)
	poolConfig.ConnConfig.Tracer = cfg.Tracer
	poolConfig.ConnConfig.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	limit := orDefault(cfg.StatementLimit, 30*time.Second)
	poolConfig.ConnConfig.RuntimeParams["statement_timeout"] = milliseconds(limit)
	poolConfig.ConnConfig.RuntimeParams["idle_in_transaction_session_timeout"] = milliseconds(limit)
	poolConfig.ConnConfig.RuntimeParams["timezone"] = "UTC"
	// Every statement here has one good plan. Left to itself, PostgreSQL plans those with array arguments
	// anew at each call, which costs a disclosure more than running them.
	poolConfig.ConnConfig.RuntimeParams["plan_cache_mode"] = "force_generic_plan"
	// All of them look rows up by key. While a table is small, or not analysed yet, reading it whole looks
	// cheaper to the planner, and a plan that is kept would go on doing so as the table grows.
	for _, detour := range []string{"enable_seqscan", "enable_hashjoin", "enable_mergejoin"} {
		poolConfig.ConnConfig.RuntimeParams[detour] = "off"
	}
	// A statement that has no key to go by is thought dear because of that, and would be compiled to machine
	// code at each call, for a hundred milliseconds.
	poolConfig.ConnConfig.RuntimeParams["jit"] = "off"
	poolConfig.AfterConnect = commitDurably
	pool, err := pgxpool.NewWithConfig(ctx, poolConfig)
	if err != nil {
		return nil, wrap(err, "connect")
	}
	var distributed bool
	if err := pool.QueryRow(ctx, `SELECT to_regclass('pg_catalog.pg_dist_partition') IS NOT NULL`).Scan(&distributed); err != nil {
		pool.Close()
		return nil, wrap(err, "connect")
	}
	work, err := pgxpool.NewWithConfig(ctx, workPool(poolConfig))
	if err != nil {
		pool.Close()
		return nil, wrap(err, "connect")
	}
	queue, err := newQueue()
	if err != nil {
		pool.Close()
		work.Close()
		return nil, privacy.Internal(err, "set the jobs up")
	}
	return &Store{pool: pool, distributed: distributed, changes: make(chan struct{}, 1), work: work, queue: queue}, nil
}

// commitDurably undoes a server, database or role that lets commits return before they are on disk: what is
// released rests on a record that survives a power cut. Stronger settings stay.
func commitDurably(ctx context.Context, conn *pgx.Conn) error {
	_, err := conn.Exec(ctx, `SELECT set_config('synchronous_commit', 'local', false) WHERE current_setting('synchronous_commit') = 'off'`)
	return wrap(err, "connect")
}

// Close waits for connections in use and closes the pools.
func (s *Store) Close() {
	s.pool.Close()
	s.work.Close()
}

// Ready reports whether the database answers.
func (s *Store) Ready(ctx context.Context) error {
	return wrap(s.pool.Ping(ctx), "ask for the database")
}

// Stats gives the state of the pool, for metrics.
func (s *Store) Stats() *pgxpool.Stat { return s.pool.Stat() }

// Tx is one transaction of [Store.Write].
type Tx struct {
	tx      pgx.Tx
	queue   *river.Client[pgx.Tx]
	changed bool // something was put into the outbox
	after   []func()
}

// AfterCommit has something done once the transaction is committed, and only then.
func (t *Tx) AfterCommit(do func()) { t.after = append(t.after, do) }

const (
	writeAttempts = 10               // when a transaction keeps losing to another one
	endWithin     = 10 * time.Second // how long a commit or a rollback may take
)

// Write runs work in a transaction and commits it. It runs work again, from the start,
// after a serialization failure or a deadlock, up to ten times. A caller who leaves
// stops the work, but not a commit under way: a write that is reported as failed because
// somebody stopped waiting, and happens all the same, would be the worst of both.
func (s *Store) Write(ctx context.Context, work func(tx *Tx) error) error {
	return again(func() error { return s.writeOnce(ctx, work) })
}

func (s *Store) writeOnce(ctx context.Context, work func(tx *Tx) error) error {
	tx, err := s.pool.BeginTx(ctx, s.writing())
	if err != nil {
		return wrap(err, "begin")
	}
	defer func() { _ = end(ctx, tx.Rollback) }() // nothing is left to roll back after a commit
	t := &Tx{tx: tx, queue: s.queue}
	if err := work(t); err != nil {
		return wrap(err, "write")
	}
	if err := end(ctx, tx.Commit); err != nil {
		return wrap(err, "commit")
	}
	if t.changed {
		s.signalChange()
	}
	for _, do := range t.after {
		do()
	}
	return nil
}

// end lets the end of a transaction reach the server even when the caller has gone.
func end(ctx context.Context, how func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), endWithin)
	defer cancel()
	return how(ctx)
}

// again makes an attempt up to ten times, as long as it loses to other transactions.
func again(attempt func() error) error {
	var err error
	for range writeAttempts {
		if err = attempt(); !isRetryable(err) {
			return err
		}
	}
	return err
}

// twoPhase makes Citus commit in two phases when the transaction writes tables of workers and tables that are local
// to the coordinator: otherwise a worker may keep what the coordinator rolled back. Plain PostgreSQL does without. Nearly every write carries audit entries, of which the sequencer's queue is on the coordinator, so every
// transaction that writes for a flow begins with it: [Store.Write], [Store.WriteLedgers] and [Store.CommitAudit].
const twoPhase = `DELETE FROM commit_marker WHERE n = -1`

func (s *Store) queueTwoPhase(statements *pgx.Batch) {
	if s.distributed {
		statements.Queue(twoPhase)
	}
}

// writing begins a transaction that writes.
func (s *Store) writing() pgx.TxOptions {
	if s.distributed {
		return pgx.TxOptions{BeginQuery: "begin; " + twoPhase}
	}
	return pgx.TxOptions{}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func orDefault(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
