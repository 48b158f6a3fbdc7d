package pages

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// Every shell block of the pages is in the table once, the table has nothing else, and its tests exist and ask for their blocks.
func TestEveryShellBlockOfThePagesIsRun(t *testing.T) {
	blocks := allBlocks(t)
	for _, b := range blocks {
		tests := 0
		for _, d := range documented {
			if d.page == b.Page && d.heading == b.Heading {
				tests++
			}
		}
		if tests != 1 {
			t.Errorf("%s has %d tests in documented.go, want 1. If it is no shell block, give it a fence that names its language:\n%s", b, tests, b.Text)
		}
	}
	asks := map[string]bool{}
	for _, d := range documented {
		if !slices.ContainsFunc(blocks, func(b Block) bool { return d.page == b.Page && d.heading == b.Heading }) {
			t.Errorf("%s has no shell block below the heading %q: remove it from documented.go", d.page, d.heading)
		}
		if _, known := asks[d.test]; !known {
			asks[d.test] = asksForBlocks(t, d.test)
		}
		if !asks[d.test] {
			t.Errorf("%s has a shell block below the heading %q, which %s does not run: there is no such test, or it does not call pages.Blocks or pages.Commands",
				d.page, d.heading, d.test)
		}
	}
}

// asksForBlocks reports whether a test exists and takes its commands from the pages, itself or in a function of its package
// that it names.
func asksForBlocks(t *testing.T, test string) bool {
	t.Helper()
	folder, name, _ := strings.Cut(test, ".")
	files, err := filepath.Glob(filepath.Join(testenv.ModuleRoot(t), folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	bodies := map[string]*ast.BlockStmt{}
	for _, path := range files {
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, source, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				bodies[f.Name.Name] = f.Body
			}
		}
	}
	seen := map[string]bool{}
	var asks func(name string) bool
	asks = func(name string) (found bool) {
		if bodies[name] == nil || seen[name] {
			return false
		}
		seen[name] = true
		ast.Inspect(bodies[name], func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.SelectorExpr:
				if x, ok := n.X.(*ast.Ident); ok && x.Name == "pages" && (n.Sel.Name == "Blocks" || n.Sel.Name == "Commands") {
					found = true
				}
				found = found || asks(n.Sel.Name) // a method
			case *ast.Ident:
				found = found || asks(n.Name)
			}
			return !found
		})
		return found
	}
	return asks(name)
}
