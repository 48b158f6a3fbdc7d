package server

import (
	"errors"
	"maps"
	"strings"

	"wso2agent/internal/deployment"
)

// ErrRefused says that the server would refuse the settings file. The agent does not change such a file.
var ErrRefused = errors.New("the server would refuse its deployment.toml")

// Change is a setting that the agent changed, or one that differs from what is needed and stays.
type Change struct {
	Setting string
	Line    int    // its line before the merge; 0 for a setting that was not there
	Was     string // its value before the merge, as written; empty for a setting that was not there
	Now     string // its value now, as written; for one that stays, the needed value
	Action  Action
	Secret  bool // logs must not show Was and Now
}

// Attributes returns the values of the change as attributes for a log; none if they are secret.
func (c Change) Attributes() []any {
	switch {
	case c.Secret:
		return nil
	case c.Action == Kept || c.Action == Settled:
		return []any{"is", c.Was, "needed", c.Now}
	case c.Was == "":
		return []any{"now", c.Now}
	}
	return []any{"now", c.Now, "was", c.Was}
}

// Action says what became of a setting.
type Action string

// What becomes of a setting.
const (
	Added    Action = "added"
	Replaced Action = "replaced"
	Removed  Action = "taken back" // the agent had made it, and nothing needs it any more
	Kept     Action = "kept"       // it has another value from somebody else
	Waits    Action = "waits"      // it changes later, see Needs.KeepAllScopes and KeepListener
	Settled  Action = "settled"    // it stays because the database of the server has it too, see Needs.Used
)

// isSecret reports whether the agent writes a secret into the setting of this name.
func isSecret(name string) bool {
	return strings.Contains(name, "password") || name == deployment.Path(encryptionKey...)
}

// Made reports whether the agent has changed the setting.
func (c Change) Made() bool { return c.Action == Added || c.Action == Replaced || c.Action == Removed }

// Follows returns what follows from a change that the agent has made, as a text for the log; it is empty for most settings.
func (c Change) Follows() string {
	switch {
	case c.Setting == AllScopesSetting && c.Now == "false":
		return "IS no longer grants every client every scope after its next start: the agent has authorized the applications"
	case c.Setting == "resource.access_control[(.*)/scim2/Me]" && c.Action == Added:
		return "IS now answers GET /scim2/Me to any valid token, as API-M needs it; a token of the application itself reads the profile of the application's owner"
	}
	return ""
}

// Record remembers the settings that the agent wrote, by their names. So the agent tells its own settings from those of
// somebody else.
type Record map[string]Written

// Written is one setting that the agent made.
type Written struct {
	Text    string `json:"text"`              // its value as written
	Pending string `json:"pending,omitempty"` // its value as the agent is about to write it: a kill may leave either value
	Was     string `json:"was,omitempty"`     // its value before the agent's first change; empty if it was not there
	Path    string `json:"path,omitempty"`    // its keys, one on a line; empty for a setting in an array of tables
}

// wrote reports whether the agent wrote this value of a setting.
func (r Record) wrote(name, text string) bool {
	w, known := r[name]
	return known && (w.Text == text || w.Pending != "" && w.Pending == text)
}

// pending is the record to store while the agent replaces the file: it has the values before and after.
func (r Record) pending(next Record) Record {
	out := maps.Clone(r)
	if out == nil {
		out = Record{}
	}
	for name, w := range next {
		out[name] = Written{Text: r[name].Text, Pending: w.Text, Was: w.Was, Path: w.Path}
	}
	return out
}
