package config

import (
	"fmt"
	"reflect"
	"strings"
)

// Shown returns the settings as lines for support, in the order of the table: NAME=value, with "(default)" after a value that no variable
// sets. A secret is masked, and so are the arguments of RESTART_COMMAND, because one of them may be a token.
func (c Config) Shown() string {
	var b strings.Builder
	for _, s := range settings() {
		value := fmt.Sprint(reflect.ValueOf(c).FieldByIndex(s.index).Interface())
		if s.secret && value != "" {
			value = "*****"
		}
		if program, _, more := strings.Cut(strings.TrimSpace(value), " "); s.name == "RESTART_COMMAND" && more {
			value = program + " *****"
		}
		if !c.given[s.name] {
			value += " (default)"
		}
		fmt.Fprintf(&b, "%s=%s\n", s.name, value)
	}
	return b.String()
}
