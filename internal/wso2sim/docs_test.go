package wso2sim

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The table in docs/stand-ins.md says what the stand-ins do and which test proves it.
func TestEveryBehaviourInTheDocumentationHasItsTest(t *testing.T) {
	text, err := os.ReadFile("../../docs/stand-ins.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, folder := range []string{".", "speccheck", "../../cmd/wso2sim", "../../test"} {
		files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range regexp.MustCompile(`(?m)^func (Test\w+)\(t \*testing\.T\)`).FindAllSubmatch(source, -1) {
				known[string(m[1])] = true
			}
		}
	}
	_, table, found := strings.Cut(string(text), "| behaviour | source | test |\n|---|---|---|\n")
	if !found {
		t.Fatal("the table of behaviours is not there")
	}
	table, _, _ = strings.Cut(table, "\n\n")
	rows := 0
	for line := range strings.Lines(table) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != 3 {
			t.Errorf("this row has %d cells: %s", len(cells), line)
			continue
		}
		if strings.HasPrefix(strings.TrimSpace(cells[0]), "**") {
			continue
		}
		rows++
		tests := regexp.MustCompile("`([^`]*)`").FindAllStringSubmatch(cells[2], -1)
		if len(tests) == 0 || strings.TrimSpace(cells[1]) == "" {
			t.Errorf("no test or no source: %s", line)
		}
		for _, m := range tests {
			if !known[m[1]] {
				t.Errorf("there is no test %s: %s", m[1], line)
			}
		}
	}
	if rows == 0 {
		t.Error("the table has no rows")
	}
}
