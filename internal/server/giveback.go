package server

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
)

// GiveBack returns the text of a deployment.toml without what the agent has made, by its record: a setting gets its former value, and an
// element of an array that the agent has added goes. What somebody else has changed since stays, and so do settings that the server's
// database goes with: [database], [super_admin] and [encryption]. Those changes are [Kept], with the needed value empty.
//
// Errors wrap [ErrRefused] if the server would refuse the text.
func GiveBack(text []byte, record Record) ([]byte, []Change, error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	given, err := deployment.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	m := merger{given: given, doc: doc, record: Record{}, next: Record{}}
	var kept []Change
	for _, name := range slices.Sorted(maps.Keys(record)) {
		w := record[name]
		if w.Path == "" {
			continue // of an element
		}
		v, there := given.Get(strings.Split(w.Path, "\n")...)
		switch {
		case !there, w.Was == given.Text(v): // it is given back already
		case record.wrote(name, given.Text(v)) && !goesWithData(w.Path):
			m.record[name] = w
		default:
			kept = append(kept, Change{Setting: name, Line: v.Line, Was: given.Text(v), Action: Kept, Secret: isSecret(name)})
		}
	}
	if err := m.takeBack(); err != nil {
		return nil, nil, err
	}
	for _, c := range m.changes {
		if c.Now != "" { // its table has it still
			continue
		}
		keys := strings.Split(m.record[c.Setting].Path, "\n")
		for n := len(keys) - 1; n > 0; n-- { // the merge made the table if it has nothing else
			if err := m.doc.DropEmpty(keys[:n]...); err != nil {
				return nil, nil, err
			}
		}
	}
	if err := m.takeElements(record); err != nil {
		return nil, nil, err
	}
	kept = append(kept, m.leftInElements(record)...)
	return doc.Bytes(), append(m.changes, kept...), nil
}

// goesWithData reports whether a database of the server was made with a setting: another value would lose the data, or its administrator.
func goesWithData(path string) bool {
	first, _, _ := strings.Cut(path, "\n")
	return first == "database" || first == "super_admin" || first == encryptionKey[0]
}

// takeElements removes the elements of arrays all of whose settings are the agent's, and gives those of other elements their former values.
func (m *merger) takeElements(record Record) error {
	for { // an edit ends the validity of all elements
		changed, err := m.takeElement(record)
		if !changed || err != nil {
			return err
		}
	}
}

func (m *merger) takeElement(record Record) (changed bool, err error) {
	for _, e := range m.doc.AllElements() {
		settings := e.Settings()
		prefix := prefixOf(e, settings, record)
		if prefix == "" {
			continue
		}
		if m.added(e, settings, prefix, record) {
			name := strings.TrimSuffix(prefix, ".")
			m.changes = append(m.changes, Change{Setting: name, Line: e.Line, Was: fmt.Sprintf("[[%s]] with %d settings", deployment.Path(e.Path()...), len(settings)), Action: Removed})
			return true, e.Remove()
		}
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			v := settings[key]
			was, text := record[prefix+key].Was, m.doc.Text(v)
			if was == "" || was == text || !record.wrote(prefix+key, text) {
				continue
			}
			m.changes = append(m.changes, Change{Setting: prefix + key, Line: v.Line, Was: text, Now: was, Action: Removed, Secret: strings.Contains(key, "password")})
			return true, e.Set(deployment.Raw(was), deployment.Keys(key)...)
		}
	}
	return false, nil
}

// added reports whether the agent has added an element, and nobody has changed it since. The record need not have the settings by which a
// merge finds the element.
func (m *merger) added(e deployment.Element, settings map[string]deployment.Value, prefix string, record Record) bool {
	for key, v := range settings {
		w, known := record[prefix+key]
		if known && (w.Was != "" || !record.wrote(prefix+key, m.doc.Text(v))) || !known && !slices.Contains(identifying(e.Path()), key) {
			return false
		}
	}
	return true
}

// identifying are the settings by which a merge finds its elements of an array, in the form of [deployment.Path].
func identifying(array []string) (keys []string) {
	needs, err := Needs{Product: config.IS}.identityServer()
	if err != nil {
		return nil
	}
	for _, n := range needs {
		if n.array != nil && slices.Equal(n.array, array) {
			for _, w := range n.settings[:n.match] {
				keys = append(keys, deployment.Path(w.path...))
			}
		}
	}
	return keys
}

// leftInElements are the settings of the record that stay in elements of somebody else.
func (m *merger) leftInElements(record Record) (kept []Change) {
	for _, e := range m.doc.AllElements() {
		settings := e.Settings()
		prefix := prefixOf(e, settings, record)
		for _, key := range slices.Sorted(maps.Keys(settings)) {
			if w, known := record[prefix+key]; prefix != "" && known && w.Was != m.doc.Text(settings[key]) {
				kept = append(kept, Change{Setting: prefix + key, Line: settings[key].Line, Was: m.doc.Text(settings[key]), Action: Kept, Secret: strings.Contains(key, "password")})
			}
		}
	}
	return kept
}

// prefixOf returns how the names of an element's settings begin in the record; empty if the record has none.
func prefixOf(e deployment.Element, settings map[string]deployment.Value, record Record) string {
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		prefix := fmt.Sprintf("%s[%v].", deployment.Path(e.Path()...), settings[key].Data)
		for name := range record {
			if strings.HasPrefix(name, prefix) {
				return prefix
			}
		}
	}
	return ""
}

// PlanBack returns what GiveBack would do with the file, by the record of the agent next to it, and the text that the file has then. There
// is no text without a file, which is no error if there is no record either.
func (f SettingsFile) PlanBack(ctx context.Context) (after []byte, changes []Change, err error) {
	_, after, changes, err = f.back(ctx)
	return after, changes, err
}

// GiveBack gives back what the agent has made in the file, completely or not at all. See the function of the same name. An encryption key
// that only the agent gives to the server is written into the file: that change is [Replaced].
func (f SettingsFile) GiveBack(ctx context.Context) ([]Change, error) {
	before, after, changes, err := f.back(ctx)
	if err != nil || bytes.Equal(before, after) {
		return changes, err
	}
	if err := f.closeToOthers(slices.ContainsFunc(changes, func(c Change) bool { return c.Action == Replaced && c.Secret })); err != nil {
		return nil, err
	}
	if _, err := file.Replace(f.Path, before, after, 0o600, f.tempDir()); err != nil {
		return nil, fmt.Errorf("give the server's settings back: %w", err)
	}
	return changes, f.rememberSize(len(after))
}

func (f SettingsFile) back(ctx context.Context) (before, after []byte, changes []Change, err error) {
	record, err := f.record()
	if err != nil {
		return nil, nil, nil, err
	}
	before, err = f.Read(ctx)
	switch {
	case len(record) == 0 && errors.Is(err, fs.ErrNotExist):
		return nil, nil, nil, nil
	case err == nil:
		after, changes, err = GiveBack(before, record)
	}
	if err != nil {
		return nil, nil, nil, fmt.Errorf("give the server's settings back: %w", err)
	}
	after, written, err := keyBack(after, f.WorkDir)
	for _, w := range written {
		changes = slices.DeleteFunc(changes, func(c Change) bool { return c.Setting == w.Setting })
	}
	return before, after, append(changes, written...), err
}
