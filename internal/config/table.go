package config

import (
	"fmt"
	"strings"
)

// Table returns the README's table of settings, in Markdown. Each group begins with a row that has its title.
func Table() string {
	var b strings.Builder
	b.WriteString("| variable | default | meaning |\n|---|---|---|\n")
	group := ""
	for _, s := range settings() {
		if s.group != group {
			group = s.group
			fmt.Fprintf(&b, "| **%s** | | |\n", group)
		}
		name, shown := "`"+s.name+"`", s.defaultInWords()
		if s.secret {
			name += ", `" + s.name + "_FILE`"
		}
		if s.shown == "" && s.otherwise != "" {
			shown = "`" + shown + "`"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", name, shown, s.sentence)
	}
	return b.String()
}

// defaultInWords returns the default for people.
func (s setting) defaultInWords() string {
	switch {
	case s.shown != "":
		return s.shown
	case s.otherwise != "":
		return s.otherwise
	}
	return "none"
}
