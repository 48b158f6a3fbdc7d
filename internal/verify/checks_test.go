package verify

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestTheTableOfChecksIsInOrder(t *testing.T) {
	form := regexp.MustCompile(`^[a-z0-9]+\.[a-z0-9-]+$`)
	var before []string
	for _, d := range Checks() {
		if !form.MatchString(d.ID) || slices.Contains(before, d.ID) || d.Name == "" || d.Asks == "" || d.do == nil {
			t.Errorf("row %+v", d)
		}
		for _, need := range d.Needs {
			at := slices.Index(before, need)
			if at < 0 {
				t.Errorf("%s needs %s, which is not above it", d.ID, need)
			} else if Checks()[at].Write && !d.Write {
				t.Errorf("%s changes nothing, and needs %s, which does", d.ID, need)
			}
		}
		before = append(before, d.ID)
	}
}

func TestASelectionHasWhatItsChecksNeed(t *testing.T) {
	for _, tt := range []struct {
		name string
		o    Selection
		ids  string
	}{
		{"one, with what it needs", Selection{Only: []string{"km.jwks"}}, "is.ready am.ready km.registered trust.am km.jwks"},
		{"a subject", Selection{Only: []string{"scopes"}}, "is.ready am.ready scopes.reached scopes.authorized"},
		{"one that another needs is left out", Selection{Only: []string{"km.issuer"}, Skip: []string{"is"}}, "am.ready km.registered km.issuer"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			selected, err := Selected(tt.o)
			var ids []string
			for _, d := range selected {
				ids = append(ids, d.ID)
			}
			if got := strings.Join(ids, " "); err != nil || got != tt.ids {
				t.Errorf("got %s, %v", got, err)
			}
		})
	}
	for _, o := range []Selection{{Only: []string{"km"}, Skip: []string{"km"}}, {Only: []string{"km.issuer"}, Skip: []string{"km", "is"}}} {
		if selected, err := Selected(o); !errors.Is(err, ErrSelection) || !strings.Contains(err.Error(), "--skip leaves none") {
			t.Errorf("%v leaves %v, %v", o, selected, err)
		}
	}
	if all, err := Selected(Selection{}); err != nil || len(all) != len(Checks()) {
		t.Errorf("an empty selection has %d checks, %v", len(all), err)
	}
	for _, o := range []Selection{{Only: []string{"km.isuer"}}, {Skip: []string{"km.isuer"}}} {
		if _, err := Selected(o); !errors.Is(err, ErrSelection) || !strings.Contains(err.Error(), "did you mean km.issuer?") {
			t.Errorf("got %v", err)
		}
	}
}

func TestTheDocumentHasTheTableOfChecks(t *testing.T) {
	text, err := os.ReadFile("../../docs/verification.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(text), "| check | asks | `--write` |")
	section, _, _ = strings.Cut(section, "\n\n")
	var rows, want []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "| `") {
			rows = append(rows, strings.TrimSpace(line))
		}
	}
	for _, d := range Checks() {
		writes := ""
		if d.Write {
			writes = "yes"
		}
		want = append(want, fmt.Sprintf("| `%s` | %s | %s | %s |", d.ID, d.Asks, writes, d.Name))
	}
	if !slices.Equal(rows, want) {
		t.Errorf("docs/verification.md has\n%s\nwant\n%s", strings.Join(rows, "\n"), strings.Join(want, "\n"))
	}
}
