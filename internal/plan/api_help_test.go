package plan

import (
	"fmt"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

// apiFile reads a file of the desired state with one API.
func apiFile(t *testing.T, fields string) desired.API {
	t.Helper()
	text := "apis:\n  - {name: Orders, version: 1.0.0, context: /orders, lifecycle: created}\n"
	if fields != "" {
		text = "apis:\n  - name: Orders\n    version: 1.0.0\n    context: /orders\n    lifecycle: created\n" + indented(fields)
	}
	f, err := desired.Parse(apiSource(), desired.Input{Name: "file.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatalf("the file is wrong: %v\n%s", err, text)
	}
	return f.APIs.Value[0].Value
}

func apiSource() desired.Source {
	return desired.Source{
		Env:      func(string) (string, bool) { return "", false },
		ReadFile: func(string) ([]byte, error) { return []byte("text"), nil },
	}
}

func indented(fields string) string {
	var all strings.Builder
	for line := range strings.Lines(fields) {
		all.WriteString("    " + line)
	}
	return all.String() + "\n"
}

// listed writes differences, one on a line.
func listed(all []Difference) string {
	var text strings.Builder
	for _, d := range all {
		fmt.Fprintf(&text, "%s: %v -> %v\n", d.Path, d.Have, d.Want)
	}
	return text.String()
}
