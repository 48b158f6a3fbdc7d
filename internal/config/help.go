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

// WriteSettings writes the table of all settings, or the row of one. Case does not matter in name, and NAME_FILE stands for the
// secret NAME.
//
// It returns an error that wraps ErrUnknownSetting, with a suggestion, for any other name, and the error of w.
func WriteSettings(w io.Writer, name string) error {
	if name == "" {
		_, err := io.WriteString(w, Table())
		return err
	}
	wanted := strings.ToUpper(name)
	for line := range strings.Lines(Table()) {
		names, _, _ := strings.Cut(strings.TrimPrefix(line, "| "), " | ")
		if names == "`"+wanted+"`" || strings.HasPrefix(names, "`"+wanted+"`, ") || strings.HasSuffix(names, ", `"+wanted+"`") {
			_, err := io.WriteString(w, line)
			return err
		}
	}
	err := fmt.Errorf("%w %q", ErrUnknownSetting, name)
	if near := suggest.Nearest(name, SettingNames()); near != "" {
		return remedy.Add(err, "did you mean %s?", near)
	}
	return remedy.Add(err, "agent help settings lists all settings")
}

// SettingNames returns the names of all settings, in the order of the table.
func SettingNames() (names []string) {
	for s := range settings() {
		names = append(names, s.name)
	}
	return names
}
