package custody_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The files that may take a value out of its wrapper, and the files and folders that may borrow it: to
// seal, to index, to transform, to work facets out, to write it into the copy that goes to a vault, to write to the person, or to give the person
// what is held about them and the link that fetches it.
var (
	mayReveal = []string{"internal/custody/disclosure.go"}
	mayBorrow = []string{"internal/keyring/seal.go", "internal/keyring/index.go", "internal/catalogue/", "internal/mapping/", "internal/importer/", "internal/custody/state.go", "internal/custody/evidence.go", "internal/custody/consentimport.go",
		"internal/custody/signal.go", "internal/custody/facet.go", "internal/custody/messenger.go", "internal/custody/code.go", "internal/custody/requestdetail.go", "internal/custody/owndata.go", "internal/api/exports.go", "internal/mail/"}
)

func TestOnlyTheDisclosureFlowRevealsValues(t *testing.T) {
	root := filepath.Join("..", "..")
	reveals, borrows := 0, 0
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch name = filepath.ToSlash(name); {
		case entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && name != "." || entry.Name() == "node_modules"):
			return filepath.SkipDir
		case entry.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			selected, ok := node.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			switch selected.Sel.Name { // a call, or the method taken as a value
			case "Reveal":
				reveals++
				if !slices.Contains(mayReveal, name) {
					t.Errorf("%s takes a value out of its wrapper", name)
				}
			case "Borrow":
				borrows++
				if !slices.ContainsFunc(mayBorrow, func(place string) bool { return strings.HasPrefix(name, place) }) {
					t.Errorf("%s borrows a value", name)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if reveals == 0 || borrows == 0 {
		t.Errorf("%d uses of Reveal and %d of Borrow: this test looks in the wrong place", reveals, borrows)
	}
}
