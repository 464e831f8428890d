package store_test

import (
	"slices"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/consentry/consentry/internal/store"
)

// placement says where each table lives once Citus distributes the schema, by the column that it is
// distributed by.
var placement = map[string]string{
	"subject": "subject_id", "subject_identifier": "subject_id", "attribute_value": "subject_id", "consent_receipt": "subject_id", "confirmation": "subject_id",
	"consent_record": "subject_id", "consent_state": "subject_id", "consent_evidence": "subject_id", "subject_signal": "subject_id",
	"rights_request": "subject_id", "rights_detail": "subject_id", "rights_code": "subject_id", "rights_recipient": "subject_id", "legal_hold": "subject_id", "spent_slot": "subject_id", "erasure": "subject_id", "part_certificate": "subject_id",
	"export": "subject_id", "export_chunk": "subject_id",
	"suppression": "hash",
	"notice":      reference, "notice_draft": reference,
	"identifier":  "blind_index",
	"audit_entry": "batch_id", "audit_run": "batch_id",
	"decision": "hash",
	"revision": reference, "publication": reference, "policy_draft": reference,
	"retention_run": local, "key_page": local, "keyring_mark": local, "audit_batch": local, "audit_leaf": local, "audit_tile": local, "audit_checkpoint": local,
	"change": "subject_id", "change_log": local, "message": local, "processor": local, "dispatch": local, "delivery": local,
	"river_job": local, "river_leader": local, "river_queue": local, "river_migration": local, "river_notification": local,
	"segment": local, "release": local, "activation": local,
	"idempotency": local, "commit_marker": local, "goose_db_version": local,
}

const (
	reference = "(reference)"
	local     = "(coordinator)"
)

func isDistributed(place string) bool { return place != reference && place != local }

func (db *database) strings(sql string) []string {
	db.t.Helper()
	rows, err := db.owner.Query(db.t.Context(), sql)
	if err != nil {
		db.t.Fatal(err)
	}
	list, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		db.t.Fatal(err)
	}
	return list
}

func TestSchemaPlacesEveryTable(t *testing.T) {
	t.Parallel()
	tables := setup(t).strings(`SELECT relname FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace`)
	for _, table := range tables {
		if placement[table] == "" {
			t.Errorf("table %s has no place in a distributed schema; give it one here", table)
		}
	}
	for table := range placement {
		if !slices.Contains(tables, table) {
			t.Errorf("table %s does not exist", table)
		}
	}
}

func TestSchemaKeysIncludeTheDistributionColumn(t *testing.T) {
	t.Parallel()
	db := setup(t)
	rows, err := db.owner.Query(t.Context(), `
		SELECT c.relname, i.relname, x.indisprimary, array_agg(a.attname::text ORDER BY k.place)
		FROM pg_index x JOIN pg_class c ON c.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
		CROSS JOIN LATERAL unnest(x.indkey) WITH ORDINALITY AS k (attnum, place)
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.attnum
		WHERE x.indisunique AND c.relnamespace = 'public'::regnamespace
		GROUP BY 1, 2, 3`)
	if err != nil {
		t.Fatal(err)
	}
	var table, index string
	var primary bool
	var columns []string
	keyed := map[string]bool{}
	_, err = pgx.ForEachRow(rows, []any{&table, &index, &primary, &columns}, func() error {
		place := placement[table]
		if isDistributed(place) && !slices.Contains(columns, place) {
			t.Errorf("%s (%v) leaves out %s, by which %s is distributed", index, columns, place, table)
		}
		if primary {
			keyed[table] = true
			if place == "subject_id" && columns[0] != place {
				t.Errorf("the primary key of %s begins with %s", table, columns[0])
			}
		}
		if slices.Contains(columns, "key_slot") {
			t.Errorf("%s cannot be unique over shards", index)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for table := range placement {
		if !keyed[table] {
			t.Errorf("%s has no primary key", table)
		}
	}
}

// A table that tells of subjects one by one is keyed by subject, with exceptions that lie
// otherwise for a reason: how they are looked up, or that they are one log.
func TestSchemaKeysSubjectTablesBySubject(t *testing.T) {
	t.Parallel()
	for _, table := range setup(t).strings(`SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
		WHERE a.attname = 'subject_id' AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`) {
		elsewhere := []string{"identifier", "audit_entry", "audit_run", "change_log", "delivery", "message"}
		if place := placement[table]; place != "subject_id" && !slices.Contains(elsewhere, table) {
			t.Errorf("%s tells of subjects and is distributed by %s", table, place)
		}
	}
}

func TestSchemaReferencesStayTogether(t *testing.T) {
	t.Parallel()
	db := setup(t)
	rows, err := db.owner.Query(t.Context(), `
		SELECT c.relname, f.relname,
			(SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(x.conkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute a ON a.attrelid = x.conrelid AND a.attnum = k.attnum),
			(SELECT array_agg(a.attname::text ORDER BY k.place) FROM unnest(x.confkey) WITH ORDINALITY AS k (attnum, place) JOIN pg_attribute a ON a.attrelid = x.confrelid AND a.attnum = k.attnum)
		FROM pg_constraint x JOIN pg_class c ON c.oid = x.conrelid JOIN pg_class f ON f.oid = x.confrelid WHERE x.contype = 'f'`)
	if err != nil {
		t.Fatal(err)
	}
	var from, to string
	var fromColumns, toColumns []string
	_, err = pgx.ForEachRow(rows, []any{&from, &to, &fromColumns, &toColumns}, func() error {
		switch fromPlace, toPlace := placement[from], placement[to]; {
		case toPlace == reference && fromPlace != local:
		case fromPlace == "subject_id" && toPlace == "subject_id":
			if i := slices.Index(fromColumns, "subject_id"); i < 0 || toColumns[i] != "subject_id" {
				t.Errorf("%s references %s past its distribution column", from, to)
			}
		default:
			t.Errorf("%s (%s) references %s (%s)", from, fromPlace, to, toPlace)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestSchemaHasNothingCitusRefuses(t *testing.T) {
	t.Parallel()
	db := setup(t)
	for _, name := range db.strings(`SELECT tgrelid::regclass::text FROM pg_trigger WHERE NOT tgisinternal`) {
		t.Errorf("%s has a trigger", name)
	}
	for _, name := range db.strings(`SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE a.attidentity <> '' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'goose_db_version'`) {
		t.Errorf("%s is an identity column", name)
	}
	for _, name := range db.strings(`SELECT c.relname || '.' || a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'goose_db_version' AND a.attnum > 0 AND a.atttypid IN ('timestamp'::regtype, 'json'::regtype)`) {
		t.Errorf("%s has a type without a time zone, or without an equality", name)
	}
	for _, name := range db.strings(`SELECT relname FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace
		AND NOT EXISTS (SELECT FROM pg_sequence WHERE seqrelid = pg_class.oid AND seqtypid = 'bigint'::regtype) AND relname NOT LIKE 'goose%'`) {
		t.Errorf("sequence %s is not of bigint", name)
	}
}

// Whatever is sealed under a subject's key is deleted when they are erased: whoever adds a table with something sealed adds it to
// those that an erasure empties.
func TestSchemaEmptiesWhatIsSealed(t *testing.T) {
	t.Parallel()
	sealed := setup(t).strings(`SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
		WHERE a.attname = 'sealed' AND c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace`)
	for _, table := range sealed {
		if !slices.Contains(store.PersonalTables(), table) {
			t.Errorf("%s holds something sealed, and no erasure empties it", table)
		}
	}
	if len(sealed) != len(store.PersonalTables()) {
		t.Errorf("sealed is %v", sealed)
	}
}
