package seed

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/deployment"
	"wso2agent/internal/sorting"
)

// settingsMerge merges the settings of three versions into own.
type settingsMerge struct {
	base, seed, own *deployment.Document
	lines           map[string]int // in own before the first edit, by the path of a setting or the identity of an element
	changes         []Change
}

// mergeSettings changes the server's own deployment.toml, setting by setting, where the new image differs from the one before.
// It keeps the comments of the server's own file and does not copy those of the stock. The error wraps *deployment.Error if
// the server would refuse one of the versions.
func mergeSettings(v versions) ([]byte, []Change, error) {
	var m settingsMerge
	for _, each := range []struct {
		into *(*deployment.Document)
		text []byte
		name string
	}{{&m.base, v.base, "the former image's"}, {&m.seed, v.seed, "the new image's"}, {&m.own, v.own, "the server's own"}} {
		doc, err := deployment.Parse(each.text)
		if err != nil {
			return nil, nil, fmt.Errorf("the server would refuse %s version of %s: %w", each.name, settingsFile, err)
		}
		*each.into = doc
	}
	m.lines = map[string]int{}
	for path, value := range m.own.Settings() {
		m.lines[path] = value.Line
	}
	m.arrays()
	m.plain()
	kept := slices.ContainsFunc(m.changes, func(c Change) bool { return c.Action == Kept })
	switch {
	case string(v.own) == string(v.base) && !kept:
		return v.seed, m.changes, nil // with its comments
	case !followed(m.changes):
		return v.own, m.changes, nil
	}
	return m.own.Bytes(), m.changes, nil
}

// plain merges the settings outside arrays of tables. It first deletes what the new image drops, because that may be in the
// way of new settings.
func (m *settingsMerge) plain() {
	base, seed := m.base.Settings(), m.seed.Settings()
	var dropped, rest []string
	for path := range base {
		if _, ok := seed[path]; !ok {
			dropped = append(dropped, path)
		}
	}
	for path := range seed {
		rest = append(rest, path)
	}
	slices.Sort(dropped)
	sorting.By(rest, func(a, b string) int { return cmp.Or(cmp.Compare(seed[a].Line, seed[b].Line), strings.Compare(a, b)) })
	for _, path := range append(dropped, rest...) {
		keys := deployment.Keys(path)
		own, there := m.own.Get(keys...)
		c := Change{What: path, Line: m.lines[path], Secret: isSecret(path)}
		if there {
			c.Was = m.own.Text(own)
		}
		next, comes := seed[path]
		if comes {
			c.Now = m.seed.Text(next)
		}
		m.judge(c, formOf(base[path]), formOf(next), formOf(own), func() error {
			if !comes {
				return m.own.Delete(keys...)
			}
			return m.own.Set(m.raw(c.Now), keys...)
		})
	}
}

// judge decides on one setting by its three forms (see formOf), calls change if the setting follows the new image, and adds
// the result to the changes.
func (m *settingsMerge) judge(c Change, base, seed, own string, change func() error) {
	does := judge(base, seed, own)
	if does == leave {
		return
	}
	c.Action, c.Why = Kept, changedByBoth
	if does == follow {
		c.Why = stays(c.What)
	}
	if does == follow && c.Why == "" {
		if err := change(); err != nil {
			c.Why = err.Error()
		} else {
			c.Action = actionFor(seed, own)
		}
	}
	m.changes = append(m.changes, c)
}

// stays is the reason why a setting never follows the image, empty for all others. The stores on the volume stay, with their
// passwords, and another name for the primary store would mean another key.
func stays(path string) string {
	if strings.HasPrefix(path, "keystore.") || strings.HasPrefix(path, "truststore.") {
		return "the stores on the volume stay, and with them their names and passwords"
	}
	return ""
}

// raw is a value as the new image writes it, with the line ends of the server's own file.
func (m *settingsMerge) raw(text string) deployment.Raw {
	text = strings.ReplaceAll(text, "\r\n", "\n")
	if strings.Contains(string(m.own.Bytes()), "\r\n") {
		text = strings.ReplaceAll(text, "\n", "\r\n")
	}
	return deployment.Raw(text)
}

// formOf is a value in a form that is equal for equal values, however they are written; empty for none.
func formOf(v deployment.Value) string {
	if v.Data == nil {
		return ""
	}
	return fmt.Sprintf("%#v", v.Data)
}

// isSecret reports whether a setting may hold a secret, by its name. It hides too many rather than too few.
func isSecret(path string) bool {
	name := strings.ToLower(path)
	for _, part := range []string{"pass", "secret", "hash", "token", "credential", "key"} {
		if strings.Contains(name[strings.LastIndexByte(name, '.')+1:], part) {
			return true
		}
	}
	return strings.HasSuffix(name, "url") && strings.Contains(name, "database") // it may hold a password
}
