package config

import (
	"fmt"
	"strings"
)

// Table is the README's table of settings, in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for _, s := range settings() {
		shown := s.otherwise
		if s.shown != "" {
			shown = s.shown
		} else if shown != "" {
			shown = "`" + shown + "`"
		}
		name := "`" + s.name + "`"
		if s.secret {
			name += ", `" + s.name + "_FILE`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, shown, s.sentence)
	}
	return b.String()
}
