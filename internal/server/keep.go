package server

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/deployment"
)

// lineBefore is the line of a setting before the merge, because earlier edits have moved it.
func (m *merger) lineBefore(w want, at locate) int {
	in, err := at(m.given)
	if err != nil {
		return 0
	}
	v, _ := in.Get(w.path...)
	return v.Line
}

// onlyMoves reports whether the needed value equals the present one, and only moves into the server's environment or out of
// it.
func (w want) onlyMoves(have any) bool {
	inEnvironment := func(data any) bool { text, ok := data.(string); return ok && strings.HasPrefix(text, "$env{") }
	return slices.Contains(w.same, have) && inEnvironment(have) != inEnvironment(w.data)
}

// leave leaves a setting as it is, whoever made it, and reports it if it differs from the needed value.
func (m *merger) leave(name string, w want, v deployment.Value, was string, line int) error {
	if ours, known := m.record[name]; known {
		m.next[name] = ours
	}
	if w.stock == nil {
		return nil // the report of the setting that it belongs to is enough
	}
	have := v.Data
	if was == "" {
		have = w.stock[0]
	}
	if have == w.data || slices.Contains(w.same, have) {
		return nil
	}
	_, needed, err := deployment.Differs(v, w.data)
	if err != nil {
		return fmt.Errorf("the value for %s: %w", name, err)
	}
	m.changes = append(m.changes, Change{Setting: name, Line: line, Was: was, Now: needed, Action: Settled, Secret: w.secret})
	return nil
}

// keep leaves the setting of somebody else, and reports it if it differs from the needed value.
func (m *merger) keep(name string, w want, v deployment.Value, was string, line int) error {
	differs, needed, err := deployment.Differs(v, w.data)
	if err != nil {
		return fmt.Errorf("the value for %s: %w", name, err)
	}
	if differs {
		m.changes = append(m.changes, Change{Setting: name, Line: line, Was: was, Now: needed, Action: Kept, Secret: w.secret})
	}
	return nil
}

// takeBack undoes the settings that the agent made and nothing needs any more, unless somebody else has changed them since.
func (m *merger) takeBack() error {
	for _, name := range slices.Sorted(maps.Keys(m.record)) {
		written := m.record[name]
		if _, needed := m.next[name]; needed || written.Path == "" {
			continue
		}
		path := strings.Split(written.Path, "\n")
		v, ok := m.doc.Get(path...)
		if !ok || !m.record.wrote(name, m.doc.Text(v)) || m.isKept(name) {
			continue
		}
		var err error
		if written.Was == "" {
			err = m.doc.Delete(path...)
		} else {
			err = m.doc.Set(deployment.Raw(written.Was), path...)
		}
		if err != nil {
			return fmt.Errorf("take %s back in deployment.toml: %w", name, err)
		}
		before, _ := m.given.Get(path...)
		m.changes = append(m.changes, Change{Setting: name, Line: before.Line, Was: written.Text, Now: written.Was, Action: Removed, Secret: isSecret(name)})
	}
	return nil
}

func (m *merger) isKept(name string) bool {
	return slices.ContainsFunc(m.changes, func(c Change) bool { return c.Setting == name })
}
