package store_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// small tables are changed and read through in no time, however long the service has been running.
var small = []string{"revision", "publication", "policy_draft", "notice", "notice_draft", "processor", "dispatch", "message", "key_page", "segment", "spent_slot"}

// firstRelease is the last migration of the first release: nobody has data in a schema from before it.
const firstRelease = "00020"

var (
	createdTable = regexp.MustCompile(`(?i)CREATE TABLE (\w+)`)
	indexOn      = regexp.MustCompile(`(?i)CREATE (?:UNIQUE )?INDEX (CONCURRENTLY )?\w+\s+ON (\w+)`)
	alteredTable = regexp.MustCompile(`(?is)ALTER TABLE (?:ONLY )?(\w+)(.*)`)
	scanning     = regexp.MustCompile(`(?is)ADD COLUMN[^,]*\b(CHECK|REFERENCES|UNIQUE|PRIMARY KEY|random|gen_random_uuid|nextval|now)\b|SET NOT NULL|ALTER (COLUMN )?\w+ (SET DATA )?TYPE|ADD (CONSTRAINT \w+ )?(UNIQUE|PRIMARY KEY)`)
	constraint   = regexp.MustCompile(`(?is)ADD CONSTRAINT.*\b(CHECK|FOREIGN KEY)\b`)
)

// blocking says by what a migration would hold up a service that is running: building an index or reading
// a large table through while nobody may write to it.
func blocking(migration string) (faults []string) {
	var lines []string
	for _, line := range strings.Split(migration, "\n") {
		line, _, _ = strings.Cut(line, "--")
		lines = append(lines, line)
	}
	sql := strings.Join(lines, "\n")
	var spared []string
	spared = append(spared, small...)
	for _, match := range createdTable.FindAllStringSubmatch(sql, -1) {
		spared = append(spared, match[1])
	}
	for _, statement := range strings.Split(sql, ";") {
		if match := indexOn.FindStringSubmatch(statement); match != nil && !slices.Contains(spared, match[2]) {
			if match[1] == "" {
				faults = append(faults, "an index on "+match[2]+" is not built CONCURRENTLY")
			} else if !strings.Contains(migration, "+goose NO TRANSACTION") {
				faults = append(faults, "an index built CONCURRENTLY needs -- +goose NO TRANSACTION")
			}
		}
		match := alteredTable.FindStringSubmatch(statement)
		if match == nil || slices.Contains(spared, match[1]) {
			continue
		}
		if scanning.MatchString(match[2]) {
			faults = append(faults, "a change of "+match[1]+" reads it through or writes it anew")
		}
		if constraint.MatchString(match[2]) && !strings.Contains(match[2], "NOT VALID") {
			faults = append(faults, "a constraint on "+match[1]+" is not added NOT VALID")
		}
	}
	return faults
}

func TestMigrationsDoNotBlockTheService(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("migrations/*.sql")
	if err != nil || len(files) == 0 {
		t.Fatal("there are no migrations")
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if filepath.Base(file)[:len(firstRelease)] <= firstRelease {
			continue
		}
		for _, fault := range blocking(string(content)) {
			t.Errorf("%s: %s", file, fault)
		}
	}
}

func TestWhatBlocksTheService(t *testing.T) {
	t.Parallel()
	for migration, blocks := range map[string]bool{
		"CREATE TABLE fresh (n bigint);\nCREATE INDEX fresh_n ON fresh (n);":                                     false,
		"CREATE INDEX a ON audit_entry (client);":                                                                true,
		"CREATE INDEX CONCURRENTLY a ON audit_entry (client);":                                                   true,
		"-- +goose NO TRANSACTION\n-- +goose Up\nCREATE INDEX CONCURRENTLY a ON audit_entry (client);":           false,
		"CREATE INDEX a ON message (subject_id);":                                                                false,
		"ALTER TABLE subject ADD COLUMN a bigint NOT NULL DEFAULT 0;":                                            false,
		"ALTER TABLE subject ADD COLUMN a bigint NOT NULL DEFAULT 0 CHECK (a > 0);":                              true,
		"ALTER TABLE subject ADD COLUMN a uuid DEFAULT gen_random_uuid();":                                       true,
		"ALTER TABLE consent_record ADD CONSTRAINT c CHECK (action <> '');":                                      true,
		"ALTER TABLE consent_record ADD CONSTRAINT c\n    CHECK (action <> '') NOT VALID;":                       false,
		"-- +goose NO TRANSACTION\nALTER TABLE consent_record VALIDATE CONSTRAINT c;":                            false,
		"ALTER TABLE consent_record ALTER COLUMN method SET NOT NULL;":                                           true,
		"ALTER TABLE consent_record ALTER COLUMN method TYPE varchar;":                                           true,
		"ALTER TABLE consent_record ADD CONSTRAINT c UNIQUE (subject_id, hash);":                                 true,
		"-- CREATE INDEX a ON audit_entry (client);\nALTER TABLE subject ADD COLUMN b text, ADD COLUMN c bytea;": false,
	} {
		if faults := blocking(migration); (len(faults) > 0) != blocks {
			t.Errorf("%q: %q", migration, faults)
		}
	}
}
