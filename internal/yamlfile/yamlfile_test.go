package yamlfile

import (
	"fmt"
	"strings"
	"testing"
)

func TestAFewLinesOfAliasesDoNotStandForBillionsOfValues(t *testing.T) {
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n")
	for n := range 12 {
		fmt.Fprintf(&bomb, "a%d: &a%[1]d [%s]\n", n+1, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", n), 10), ", "))
	}
	for name, tt := range map[string]struct {
		text string
		says string // empty: no error
	}{
		"aliases to aliases":   {bomb.String(), "use fewer"},
		"an alias to itself":   {"a: &a [x, *a]\n", "use fewer"},
		"a few aliases":        {"a: &a [x, y]\nb: *a\nc: {d: *a}\n", ""},
		"many values, written": {"a: [" + strings.TrimSuffix(strings.Repeat("x, ", 100_000), ", ") + "]\n", ""},
		"too many, written":    {"a: [" + strings.TrimSuffix(strings.Repeat("x, ", 200_001), ", ") + "]\n", "which are the most that the agent reads"},
	} {
		_, err := Parse([]byte(tt.text), "something")
		if (err != nil) != (tt.says != "") || err != nil && !strings.Contains(err.Error(), tt.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
