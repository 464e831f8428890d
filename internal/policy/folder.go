package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/consentry/consentry/internal/privacy"
	"github.com/consentry/consentry/policies"
)

// A folder is a revision as people keep it under version control.
//
//	modules/…rego         the modules
//	data/….json           a table each, data.<name>
//	cases/….yaml          the officer's cases, in as many files as you like
//	tests/…_test.rego     tests for OPA's tester
const (
	folderModules = "modules"
	folderData    = "data"
	folderCases   = "cases"
	folderTests   = "tests"
	casesFile     = "cases.yaml"
)

// ReadFolder reads a revision from a folder. Other files in it are left alone.
func ReadFolder(folder fs.FS) (Revision, error) {
	document := revisionDocument{Modules: map[string]string{}, Data: map[string]any{}, Tests: Tests{Modules: map[string]string{}}}
	read := 0
	err := fs.WalkDir(folder, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		part, rest, _ := strings.Cut(name, "/")
		if entry.IsDir() {
			if strings.HasPrefix(entry.Name(), ".") && name != "." {
				return fs.SkipDir
			}
			return nil
		}
		if kind := path.Ext(rest); !folderHas(part, kind) {
			return nil
		}
		text, err := readFile(folder, name, largestWhole-read)
		if err != nil {
			return err
		}
		read += len(text)
		return document.add(part, rest, text)
	})
	if err != nil {
		var known *privacy.Error
		if errors.As(err, &known) {
			return Revision{}, err
		}
		return Revision{}, invalidFolder("the folder cannot be read", err)
	}
	if len(document.Modules) == 0 || len(document.Data) == 0 {
		return Revision{}, invalidFolder("a policy folder has modules/*.rego and data/*.json; consentry policy init writes one", nil)
	}
	return newRevision(document)
}

func folderHas(part, kind string) bool {
	switch part {
	case folderModules, folderTests:
		return kind == ".rego"
	case folderData:
		return kind == ".json"
	case folderCases:
		return kind == ".yaml" || kind == ".yml" || kind == ".json"
	default:
		return false
	}
}

func readFile(folder fs.FS, name string, most int) ([]byte, error) {
	file, err := folder.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = file.Close() }()
	text, err := io.ReadAll(io.LimitReader(file, int64(most)+1))
	if err != nil {
		return nil, err
	}
	if len(text) > most {
		return nil, privacy.NewError(privacy.KindTooLarge, "policy_too_large", fmt.Sprintf("a policy has at most %d bytes", largestWhole))
	}
	return text, nil
}

// add takes a file into the document.
func (d *revisionDocument) add(part, name string, text []byte) error {
	switch part {
	case folderModules:
		d.Modules[name] = string(text)
	case folderTests:
		d.Tests.Modules[name] = string(text)
	case folderCases:
		cases, err := ParseCases(text)
		if err != nil {
			return invalidFolder("a file of cases cannot be read", fmt.Errorf("%s/%s: %w", part, name, err))
		}
		d.Tests.Cases = append(d.Tests.Cases, cases...)
	case folderData:
		var table any
		decoder := json.NewDecoder(bytes.NewReader(text))
		decoder.UseNumber()
		if err := decoder.Decode(&table); err != nil {
			return invalidFolder("a table is not JSON", fmt.Errorf("%s/%s: %w", part, name, err))
		}
		if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
			return invalidFolder("a table is one JSON document", fmt.Errorf("%s/%s", part, name))
		}
		d.Data[strings.TrimSuffix(name, ".json")] = table
	}
	return nil
}

// Folder gives the files of a revision, by their names in its folder.
func (r Revision) Folder() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, source := range r.Modules {
		if !moduleName(name, false) {
			return nil, invalidFolder("a module has a name that no file can have", nil)
		}
		files[folderModules+"/"+name] = []byte(source)
	}
	for name, source := range r.Tests.Modules {
		if !moduleName(name, true) {
			return nil, invalidFolder("a test module has a name that no file can have", nil)
		}
		files[folderTests+"/"+name] = []byte(source)
	}
	for name, table := range r.Data {
		if !moduleName(name+".rego", false) {
			return nil, invalidFolder("a table has a name that no file can have", nil)
		}
		content, err := canonicalJSON(table)
		if err != nil {
			return nil, privacy.Internal(err, "write a policy folder")
		}
		var indented bytes.Buffer
		if err := json.Indent(&indented, content, "", "  "); err != nil {
			return nil, privacy.Internal(err, "write a policy folder")
		}
		indented.WriteByte('\n')
		files[folderData+"/"+name+".json"] = indented.Bytes()
	}
	if len(r.Tests.Cases) > 0 {
		content, err := FormatCases(r.Tests.sorted().Cases)
		if err != nil {
			return nil, err
		}
		files[folderCases+"/"+casesFile] = content
	}
	return files, nil
}

// DefaultTests gives the tests beside the built-in modules, and the cases that every policy begins with.
func DefaultTests() (Tests, error) {
	sources, err := builtinSources(true)
	if err != nil {
		return Tests{}, err
	}
	names, err := fs.Glob(policies.FS, "cases/*.yaml")
	if err != nil {
		return Tests{}, privacy.Internal(err, "list the built-in cases")
	}
	tests := Tests{Modules: sources}
	for _, name := range names {
		text, err := fs.ReadFile(policies.FS, name)
		if err != nil {
			return Tests{}, privacy.Internal(err, "read the built-in cases")
		}
		cases, err := ParseCases(text)
		if err != nil {
			return Tests{}, err
		}
		tests.Cases = append(tests.Cases, cases...)
	}
	return tests, nil
}

func invalidFolder(detail string, cause error) error {
	return &privacy.Error{Kind: privacy.KindInvalid, Code: "invalid_policy_folder", Detail: detail, Cause: cause}
}
