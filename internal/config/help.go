package config

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"wso2agent/internal/remedy"
	"wso2agent/internal/suggest"
)

// ErrUnknownSetting is wrapped by the error of WriteSettings about a name that no setting has.
var ErrUnknownSetting = errors.New("unknown setting")

// width is the longest line of help, in characters. A longer word, such as a path, has a line of its own.
const width = 80

// WriteSettings writes the settings for a terminal: all of them, group by group, if name is empty, or one of them with its
// allowed values. Case does not matter in name, and NAME_FILE stands for the secret NAME.
//
// It returns an error that wraps ErrUnknownSetting, with a suggestion, for any other name, and the error of w.
func WriteSettings(w io.Writer, name string) error {
	if name == "" {
		_, err := io.WriteString(w, allSettings())
		return err
	}
	for _, s := range settings() {
		if wanted := strings.ToUpper(name); wanted == s.name || s.secret && wanted == s.name+"_FILE" {
			_, err := io.WriteString(w, s.help())
			return err
		}
	}
	err := fmt.Errorf("%w %q", ErrUnknownSetting, name)
	if near := suggest.Nearest(name, SettingNames()); near != "" {
		return remedy.Add(err, "did you mean %s?", near)
	}
	return remedy.Add(err, "agent help settings lists all settings")
}

func allSettings() string {
	var b strings.Builder
	b.WriteString(wrapped("", "Every setting is an environment variable. An empty variable counts as not set. A secret can also come from a file: the variable NAME_FILE names it."))
	group := ""
	for _, s := range settings() {
		if s.group != group {
			group = s.group
			fmt.Fprintf(&b, "\n%s\n", group)
		}
		name := s.name
		if s.secret {
			name += ", " + s.name + "_FILE"
		}
		fmt.Fprintf(&b, "\n  %s\n%s", name, wrapped("      ", s.sentence)+wrapped("      ", "Default: "+s.defaultInWords()))
	}
	return b.String()
}

// help returns all that is known about one setting.
func (s setting) help() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n%s\n", s.name, s.group, wrapped("  ", s.sentence))
	b.WriteString(wrapped("  ", "Default: "+s.defaultInWords()))
	if allowed := ruleOf(s.rule).allowed; allowed != "" {
		b.WriteString(wrapped("  ", "Allowed: "+allowed))
	}
	if s.secret {
		b.WriteString(wrapped("  ", s.name+"_FILE: the path of a file with the value, instead of the value itself."))
	}
	return b.String()
}

// wrapped returns text in lines of at most width characters, each with the indent in front and a line end behind.
func wrapped(indent, text string) string {
	var b strings.Builder
	line := indent
	for _, word := range strings.Fields(text) {
		switch {
		case line == indent:
			line += word
		case len(line)+1+len(word) > width:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	return b.String() + line + "\n"
}
