package config

import (
	"fmt"
	"strings"
)

// Table is the README's table of settings, in Markdown.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	for s := range settings() {
		shown := s.field.Tag.Get("default")
		if other := s.field.Tag.Get("shown"); other != "" {
			shown = other
		} else if shown != "" {
			shown = "`" + shown + "`"
		}
		name := "`" + s.name + "`"
		if s.secret() {
			name += ", `" + s.name + "_FILE`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, shown, s.field.Tag.Get("desc"))
	}
	return b.String()
}
