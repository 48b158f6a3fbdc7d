package seed

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/deployment"
)

// element is one table of an array of tables.
type element struct {
	array    string // in the form of deployment.Path
	index    int    // in its array
	line     int
	text     string
	doc      *deployment.Document // the element as a table of its own
	settings map[string]deployment.Value
	nested   bool   // it holds an array of tables itself, and is not merged setting by setting
	identity string // what tells it from the others of its array
	whole    bool   // that is all its settings
	label    string // the same for people
}

// header is a line with a table's header.
type header struct {
	path  string
	array bool
	line  int // counted from 0
}

// headers finds the headers of a text that the server's reader takes. A line that begins with a bracket is one if the text
// before it is whole by itself, and else a part of a value.
func headers(lines []string) []header {
	var out []header
	at := 0
	text := strings.Join(lines, "")
	for i, line := range lines {
		start := at
		at += len(line)
		trimmed := strings.TrimLeft(line, " \t")
		if !strings.HasPrefix(trimmed, "[") {
			continue
		}
		if _, err := deployment.Parse([]byte(text[:start])); err != nil {
			continue
		}
		doc, err := deployment.Parse([]byte(asTable(line) + "\nk = 1\n"))
		if err != nil {
			continue
		}
		for path := range doc.Settings() {
			out = append(out, header{strings.TrimSuffix(path, ".k"), strings.HasPrefix(trimmed, "[["), i})
		}
	}
	return out
}

// asTable makes [[name]] at the beginning of a text [name], so that it can be read by itself.
func asTable(text string) string {
	if strings.HasPrefix(strings.TrimLeft(text, " \t"), "[[") {
		text = strings.Replace(strings.Replace(text, "[[", "[", 1), "]]", "]", 1)
	}
	return text
}

// elementsOf lists the tables of all arrays of tables in order.
func elementsOf(doc *deployment.Document) ([]element, error) {
	lines := strings.SplitAfter(strings.ReplaceAll(string(doc.Bytes()), "\r\n", "\n"), "\n")
	all := headers(lines)
	var out []element
	count := map[string]int{}
	for len(all) > 0 {
		head := all[0]
		all = all[1:]
		if !head.array {
			continue
		}
		e := element{array: head.path, line: head.line + 1, index: count[head.path]}
		count[e.array]++
		for len(all) > 0 && strings.HasPrefix(all[0].path, e.array+".") {
			e.nested = e.nested || all[0].array
			all = all[1:]
		}
		end := len(lines)
		if len(all) > 0 {
			end = all[0].line
		}
		e.text = strings.TrimRight(strings.Join(trimTail(lines[head.line:end]), ""), "\n") + "\n"
		var err error
		if e.doc, err = deployment.Parse([]byte(asTable(e.text))); err != nil {
			return nil, fmt.Errorf("read [[%s]] in line %d by itself: %w", e.array, e.line, err)
		}
		e.settings = e.doc.Settings()
		out = append(out, e)
	}
	return out, nil
}

// trimTail takes away blank lines and comments at the end: they belong to what follows.
func trimTail(lines []string) []string {
	for len(lines) > 0 {
		last := strings.TrimSpace(lines[len(lines)-1])
		if last != "" && !strings.HasPrefix(last, "#") {
			break
		}
		lines = lines[:len(lines)-1]
	}
	return lines
}

// identify gives the elements of all versions their identities: an id, else a name, else a context with its method. Where
// that is not unique in a version, and where there is none, an element is told by all that is in it.
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
		value := formOf(e.settings[e.array+"."+keys[0]])
		if value == "" {
			continue
		}
		for _, key := range keys[1:] {
			value += " " + formOf(e.settings[e.array+"."+key])
		}
		return e.array + " " + keys[0] + " " + value, fmt.Sprintf("%s[%s]", e.array, strings.ReplaceAll(value, `"`, ""))
	}
	return e.array, ""
}

// form is equal for elements with equal settings.
func (e element) form() string {
	if e.nested {
		return e.text
	}
	var parts []string
	for path, v := range e.settings {
		parts = append(parts, path+"="+formOf(v))
	}
	slices.Sort(parts)
	return strings.Join(parts, "\n")
}

// arrays merges the arrays of tables, element by element, and the settings of one that all have.
func (m *settingsMerge) arrays() error {
	base, err := elementsOf(m.base)
	if err != nil {
		return err
	}
	seed, err := elementsOf(m.seed)
	if err != nil {
		return err
	}
	own, err := elementsOf(m.own)
	if err != nil {
		return err
	}
	identify(base, seed, own)
	m.rememberLines(own)
	for i := range seed {
		own, err := elementsOf(m.own) // an edit before this one moved what stands behind it
		if err != nil {
			return err
		}
		identify(base, seed, own)
		e := seed[i]
		was, ours := elementIn(base, e.identity), elementIn(own, e.identity)
		switch {
		case was == nil && ours == nil:
			m.addElement(e, seed[i+1:], own)
		case was != nil && ours == nil && was.form() != e.form():
			m.changes = append(m.changes, Change{What: e.label, Action: Kept, Why: "the new image changes it, and it was removed here"})
		case ours == nil || e.whole || was != nil && was.form() == e.form():
		case e.nested || ours.nested:
			if ours.form() != e.form() {
				m.changes = append(m.changes, Change{What: e.label, Line: m.lines[ours.identity], Action: Kept, Why: "it holds arrays of tables itself; compare it with the new image's by hand"})
			}
		default:
			m.mergeElement(was, e, *ours)
		}
	}
	return m.removedElements(base, seed)
}

func (m *settingsMerge) rememberLines(own []element) {
	for _, e := range own {
		m.lines[e.identity] = e.line
	}
}

// removedElements tells of those that the new image has no more. They stay: an order of rules or a listener may hang on
// them.
func (m *settingsMerge) removedElements(base, seed []element) error {
	own, err := elementsOf(m.own)
	if err != nil {
		return err
	}
	identify(base, seed, own)
	for _, e := range base {
		if ours := elementIn(own, e.identity); elementIn(seed, e.identity) == nil && ours != nil {
			m.changes = append(m.changes, Change{What: e.label, Line: m.lines[ours.identity], Action: Kept, Why: "the new image has this table no more; remove it by hand if nothing needs it"})
		}
	}
	return nil
}

func elementIn(in []element, identity string) *element {
	if i := slices.IndexFunc(in, func(e element) bool { return e.identity == identity }); i >= 0 {
		return &in[i]
	}
	return nil
}

// addElement puts a new element where the new image has it: before the one of its array that comes next there and is here
// too, else at the end. In some arrays the first that matches wins.
func (m *settingsMerge) addElement(e element, later, own []element) {
	c := Change{What: e.label, Action: Added}
	place := func() error {
		for _, next := range later {
			ours := elementIn(own, next.identity)
			if next.array != e.array || ours == nil {
				continue
			}
			elements, err := m.own.Elements(splitPath(e.array)...)
			if err != nil {
				return err
			}
			return elements[ours.index].Insert(e.text)
		}
		return m.own.Append(e.text)
	}
	if err := place(); err != nil {
		c.Action, c.Why = Kept, err.Error()
	}
	m.changes = append(m.changes, c)
}

// mergeElement merges the settings of an element that the server's own file has; was is nil where the former image lacked it.
// A setting that the new image drops stays, and is told.
func (m *settingsMerge) mergeElement(was *element, e, ours element) {
	paths := map[string]bool{}
	base := map[string]deployment.Value{}
	if was != nil {
		base = was.settings
	}
	for path := range e.settings {
		paths[path] = true
	}
	for path := range base {
		paths[path] = true
	}
	sorted := make([]string, 0, len(paths))
	for path := range paths {
		sorted = append(sorted, path)
	}
	slices.Sort(sorted)
	for _, path := range sorted {
		key := strings.TrimPrefix(path, e.array+".")
		c := Change{What: e.label + "." + key, Line: m.lines[ours.identity], Secret: isSecret(path)}
		next, comes := e.settings[path]
		if comes {
			c.Now = e.doc.Text(next)
		}
		own, there := ours.settings[path]
		if there {
			c.Was = ours.doc.Text(own)
		}
		m.judge(c, formOf(base[path]), formOf(next), formOf(own), func() error {
			if !comes {
				return errors.New("the new image has it no more; remove it by hand if nothing needs it")
			}
			elements, err := m.own.Elements(splitPath(e.array)...)
			if err != nil {
				return err
			}
			return elements[ours.index].Set(m.raw(c.Now), splitPath(key)...)
		})
	}
}
