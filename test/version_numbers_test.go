package test

import (
	"go/scanner"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/product"
)

// knowVersions are the folders whose sources may name versions of the products: the table of facts, and what plays or measures a server.
var knowVersions = []string{"internal/product", "internal/wso2sim", "cmd/wso2sim", "cmd/demo", "bench", "test"}

// TestOnlyTheTableOfFactsNamesVersions: a string with a version would decide or claim something that another version may contradict.
// Comments may name versions, as sources do.
func TestOnlyTheTableOfFactsNamesVersions(t *testing.T) {
	var numbers []string
	for _, version := range append(product.Versions(product.IS), product.Versions(product.AM)...) {
		numbers = append(numbers, regexp.QuoteMeta(version))
	}
	version := regexp.MustCompile(`(^|[^\d.])(` + strings.Join(numbers, "|") + `)(\.\d+)*([^\d.]|\.?$|\.\D)`)
	if !version.MatchString("IS 7.1.0 has") || !version.MatchString("wso2am-4.7") || version.MatchString("127.0.0.1") || version.MatchString("42.7.13") {
		t.Fatal("the pattern does not find versions")
	}
	root, files := "..", 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case d.IsDir() && (slices.Contains(knowVersions, filepath.ToSlash(name)) || d.Name() == "testdata" || d.Name() == ".git"):
			return filepath.SkipDir
		case d.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files++
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		var s scanner.Scanner
		s.Init(set.AddFile(name, -1, len(text)), text, nil, 0) // it skips comments
		for {
			at, kind, literal := s.Scan()
			if kind == token.EOF {
				return nil
			}
			if (kind == token.STRING || kind == token.FLOAT) && version.MatchString(strings.Trim(literal, "\"`")) {
				t.Errorf("%s: %s names a version: make it a fact in internal/product", set.Position(at), literal)
			}
		}
	})
	if err != nil || files < 100 {
		t.Errorf("%d files, %v", files, err)
	}
}
