package server

import (
	"slices"

	"wso2agent/internal/trust"
)

// ClosingOf returns what becomes of the settings that keep API subscribers out of IS, by the text of its deployment.toml and
// the changes that the agent has made. A text that the server would refuse closes nothing.
func ClosingOf(text []byte, changes []Change) (c trust.Closing) {
	closed, err := ReadClosed(text)
	if err != nil {
		return c
	}
	c.SCIM11 = closed.SCIM11
	if closed.Scopes {
		return c
	}
	c.AllScopes = trust.AllScopesKept
	if slices.ContainsFunc(changes, func(c Change) bool { return c.Setting == AllScopesSetting && c.Action == Waits }) {
		c.AllScopes = trust.AllScopesWaits
	}
	return c
}
