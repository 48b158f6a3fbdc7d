package seed

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/deployment"
	"wso2agent/internal/remedy"
)

// element is one table of an array of tables in one version of the settings.
type element struct {
	deployment.Element
	array    string // in the form of deployment.Path
	index    int    // in its array, counted from 0
	settings map[string]deployment.Value
	identity string // tells the element from the others of its array
	whole    bool   // the identity consists of all settings
	label    string // the identity for people
}

// elementsOf lists the tables of all arrays of tables in the order of the file.
func elementsOf(doc *deployment.Document) []element {
	var out []element
	count := map[string]int{}
	for _, e := range doc.AllElements() {
		array := deployment.Path(e.Path()...)
		out = append(out, element{Element: e, array: array, index: count[array], settings: e.Settings()})
		count[array]++
	}
	return out
}

// identify gives the elements of all versions their identities: an id, else a name, else a context with its method. All
// settings are the identity where an element has none of these, or where two elements of one version share it.
func identify(versions ...[]element) {
	ambiguous := map[string]bool{}
	for _, elements := range versions {
		seen := map[string]bool{}
		for i := range elements {
			e := &elements[i]
			e.identity, e.label = e.name()
			ambiguous[e.identity] = ambiguous[e.identity] || seen[e.identity]
			seen[e.identity] = true
		}
	}
	for _, elements := range versions {
		for i := range elements {
			e := &elements[i]
			if e.whole = e.label == "" || ambiguous[e.identity]; e.whole {
				e.identity = e.array + " " + e.form()
			}
			if e.label == "" {
				e.label = fmt.Sprintf("%s[%d]", e.array, e.index)
			}
		}
	}
}

func (e element) name() (identity, label string) {
	for _, keys := range [][]string{{"id"}, {"name"}, {"context", "http_method"}} {
		value := formOf(e.settings[keys[0]])
		if value == "" {
			continue
		}
		for _, key := range keys[1:] {
			value += " " + formOf(e.settings[key])
		}
		return e.array + " " + keys[0] + " " + value, fmt.Sprintf("%s[%s]", e.array, strings.ReplaceAll(value, `"`, ""))
	}
	return e.array, ""
}

// form is equal for elements with equal settings.
func (e element) form() string {
	if e.Nested() {
		return e.Text()
	}
	var parts []string
	for path, v := range e.settings {
		parts = append(parts, path+"="+formOf(v))
	}
	slices.Sort(parts)
	return strings.Join(parts, "\n")
}

func elementIn(in []element, identity string) *element {
	if i := slices.IndexFunc(in, func(e element) bool { return e.identity == identity }); i >= 0 {
		return &in[i]
	}
	return nil
}

// arrays merges the arrays of tables, element by element. Of an element that all versions have, it merges the settings.
func (m *settingsMerge) arrays() {
	base, seed, own := elementsOf(m.base), elementsOf(m.seed), elementsOf(m.own)
	identify(base, seed, own)
	for _, e := range own {
		m.lines[e.identity] = e.Line
	}
	for i := range seed {
		own := elementsOf(m.own) // again, because an edit moves what follows it
		identify(base, seed, own)
		e := seed[i]
		was, ours := elementIn(base, e.identity), elementIn(own, e.identity)
		switch {
		case was == nil && ours == nil:
			m.addElement(e, seed[i+1:], own)
		case was != nil && ours == nil && was.form() != e.form():
			m.changes = append(m.changes, Change{What: e.label, Action: Kept, Why: "the new image changes it, and it was removed here"})
		case ours == nil || e.whole || was != nil && was.form() == e.form():
		case e.Nested() || ours.Nested():
			if ours.form() != e.form() {
				m.changes = append(m.changes, Change{What: e.label, Line: m.lines[ours.identity], Action: Kept, Why: "it holds arrays of tables itself; compare it with the new image's by hand"})
			}
		default:
			m.mergeElement(was, e, *ours)
		}
	}
	m.reportRemoved(base, seed)
}

// reportRemoved reports the elements that the new image does not have any more. They stay, because an order of rules or a
// listener may depend on them.
func (m *settingsMerge) reportRemoved(base, seed []element) {
	own := elementsOf(m.own)
	identify(base, seed, own)
	for _, e := range base {
		if ours := elementIn(own, e.identity); elementIn(seed, e.identity) == nil && ours != nil {
			m.changes = append(m.changes, Change{What: e.label, Line: m.lines[ours.identity], Action: Kept, Why: "the new image does not have this table any more; remove it by hand if nothing needs it"})
		}
	}
}

// addElement puts a new element where the new image has it: before the next one of its array that the server's own file
// has too, else at the end. In some arrays the first element that matches wins.
func (m *settingsMerge) addElement(e element, later, own []element) {
	c := Change{What: e.label, Action: Added}
	place := func() error {
		for _, next := range later {
			if ours := elementIn(own, next.identity); ours != nil && next.array == e.array {
				editable, err := m.editable(*ours)
				if err != nil {
					return err
				}
				return editable.Insert(e.Text())
			}
		}
		return m.own.Append(e.Text())
	}
	if err := place(); err != nil {
		c.Action, c.Why = Kept, err.Error()
	}
	m.changes = append(m.changes, c)
}

// editable finds an element of the server's own file for an edit. The error says why the element cannot be edited.
func (m *settingsMerge) editable(e element) (deployment.Element, error) {
	elements, err := m.own.Elements(e.Path()...)
	if err != nil {
		return deployment.Element{}, err
	}
	return elements[e.index], nil
}

// mergeElement merges the settings of an element that the server's own file has; was is nil where the former image lacked
// it. A setting that the new image drops stays and is reported.
func (m *settingsMerge) mergeElement(was *element, e, ours element) {
	base := map[string]deployment.Value{}
	if was != nil {
		base = was.settings
	}
	paths := slices.Concat(slices.Collect(maps.Keys(base)), slices.Collect(maps.Keys(e.settings)))
	slices.Sort(paths)
	texts := map[string]string{} // read before the first edit, which moves what follows it
	for path, v := range ours.settings {
		texts[path] = m.own.Text(v)
	}
	for _, path := range slices.Compact(paths) {
		c := Change{What: e.label + "." + path, Line: m.lines[ours.identity], Secret: isSecret(e.array + "." + path)}
		next, comes := e.settings[path]
		if comes {
			c.Now = m.seed.Text(next)
		}
		c.Was = texts[path]
		m.judge(c, formOf(base[path]), formOf(next), formOf(ours.settings[path]), func() error {
			if !comes {
				return remedy.Add(errors.New("the new image does not have it any more"), "remove it by hand if nothing needs it")
			}
			editable, err := m.editable(ours)
			if err != nil {
				return err
			}
			return editable.Set(m.raw(c.Now), deployment.Keys(path)...)
		})
	}
}
