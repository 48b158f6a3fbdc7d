package versions

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"wso2agent/internal/product"
)

// TestTheDocumentationHasEachFactOfTheTable holds docs/versions.md against the agent's table: a row for each field, with its values.
func TestTheDocumentationHasEachFactOfTheTable(t *testing.T) {
	text, err := os.ReadFile("../../docs/versions.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), " | ")
		name, ok := strings.CutPrefix(strings.TrimSpace(cells[0]), "`")
		if ok && len(cells) == 10 {
			rows[strings.TrimSuffix(name, "`")] = cells[1:]
		}
	}
	for p, first := range map[string]int{product.IS: 0, product.AM: 4} {
		for i, minor := range product.Versions(p) {
			release, err := product.Of(p, minor+".0")
			if err != nil {
				t.Fatal(err)
			}
			facts := reflect.ValueOf(release.Facts)
			for f := range facts.NumField() {
				name := facts.Type().Field(f).Name
				row := rows[name]
				if row == nil {
					t.Errorf("docs/versions.md has no row for %s", name)
					continue
				}
				want := shown(facts.Field(f))
				if got := strings.TrimSpace(row[first+i]); got != want && got != "–" {
					t.Errorf("docs/versions.md has %q for %s of %s, want %q", got, name, release.Name(), want)
				} else if got == "–" && !facts.Field(f).IsZero() {
					t.Errorf("docs/versions.md has nothing for %s of %s, want %q", name, release.Name(), want)
				}
			}
		}
	}
}

// shown is how the page writes a value.
func shown(v reflect.Value) string {
	switch value := v.Interface().(type) {
	case bool:
		return map[bool]string{true: "yes", false: "no"}[value]
	case product.AllScopes:
		return map[product.AllScopes]string{
			product.AllWithInternal: "with IS's own", product.AllUnlessOwn: "not with an authorized API", product.AllButInternal: "all but IS's own",
		}[value]
	default:
		return fmt.Sprint(value)
	}
}
