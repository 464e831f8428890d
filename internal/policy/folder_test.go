package policy

import (
	"bytes"
	"encoding/json"
	"testing"
	"testing/fstest"

	"github.com/consentry/consentry/internal/privacy"
)

func folderOf(t testing.TB, revision Revision) fstest.MapFS {
	t.Helper()
	files, err := revision.Folder()
	if err != nil {
		t.Fatal(err)
	}
	folder := fstest.MapFS{}
	for name, content := range files {
		folder[name] = &fstest.MapFile{Data: content}
	}
	return folder
}

func TestFoldersRoundTrip(t *testing.T) {
	for _, revision := range []Revision{bundledRevision(t), defaultRevision(t)} {
		folder := folderOf(t, revision)
		folder["README.md"] = &fstest.MapFile{Data: []byte("ours")}
		folder[".git/modules/x.rego"] = &fstest.MapFile{Data: []byte("not ours")}
		folder["data/notes.txt"] = &fstest.MapFile{Data: []byte("not ours")}
		read, err := ReadFolder(folder)
		if err != nil || read.ID != revision.ID {
			t.Errorf("%s, %v: %v", read.ID, err, Compare(revision, read).Sentences("en"))
		}
	}
}

func TestReadFolderRefuses(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"nothing":       {},
		"no tables":     {"modules/a.rego": "package a"},
		"no modules":    {"data/a.json": "{}"},
		"not JSON":      {"modules/a.rego": "package a", "data/a.json": "a: 1"},
		"two documents": {"modules/a.rego": "package a", "data/a.json": "{}{}"},
		"not cases":     {"modules/a.rego": "package a", "data/a.json": "{}", "cases/a.yaml": "- odd: 1"},
	} {
		folder := fstest.MapFS{}
		for file, text := range files {
			folder[file] = &fstest.MapFile{Data: []byte(text)}
		}
		if _, err := ReadFolder(folder); privacy.CodeOf(err) != "invalid_policy_folder" {
			t.Errorf("%s: %v", name, err)
		}
	}
	large := folderOf(t, defaultRevision(t))
	large["modules/large.rego"] = &fstest.MapFile{Data: make([]byte, largestWhole)}
	if _, err := ReadFolder(large); privacy.KindOf(err) != privacy.KindTooLarge {
		t.Errorf("got %v", err)
	}
}

func TestReadRevisionTakesAnyJSON(t *testing.T) {
	revision := bundledRevision(t)
	content, err := revision.Content()
	if err != nil {
		t.Fatal(err)
	}
	var indented bytes.Buffer
	if err := json.Indent(&indented, content, "", "\t"); err != nil {
		t.Fatal(err)
	}
	read, err := ReadRevision(indented.Bytes())
	if err != nil || read.ID != revision.ID {
		t.Errorf("%s, %v", read.ID, err)
	}
	if _, err := ReadRevision([]byte(`{"data":{}}`)); privacy.CodeOf(err) != "invalid_revision" {
		t.Errorf("got %v", err)
	}
}
