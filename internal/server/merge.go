package server

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/deployment"
)

// ErrRefused says that the server would refuse the settings file, so that it was not touched.
var ErrRefused = errors.New("the server would refuse its deployment.toml")

// Change is a setting that the agent made, or one that somebody else made otherwise.
type Change struct {
	Setting string
	Line    int    // where it stood before; 0 for one that was not there
	Was     string // as written, "" for one that was not there
	Now     string // as written; for a kept one, what was needed
	Action  Action
	Secret  bool // Was and Now are not to be shown
}

// Action tells what became of a setting.
type Action string

// What becomes of a setting.
const (
	Added    Action = "added"
	Replaced Action = "replaced"
	Removed  Action = "taken back" // one that the agent had made, and that is no longer needed
	Kept     Action = "kept"       // made otherwise by somebody else
	Waits    Action = "waits"      // one that gives way later, see Needs.KeepAllScopes and KeepListener
	Settled  Action = "settled"    // one that stays, since the server's database has it too, see Needs.Used
)

// Record remembers what the agent wrote, so that it can tell its own settings from somebody else's.
type Record map[string]Written

// Written is one setting that the agent made.
type Written struct {
	Text    string `json:"text"`              // as written
	Pending string `json:"pending,omitempty"` // as it is about to be written: a kill may leave either
	Was     string `json:"was,omitempty"`     // as it was before the agent's first change, "" if it was not there
	Path    string `json:"path,omitempty"`    // keys, one on a line; none for what is in an array of tables
}

// wrote says whether a text in the file is the agent's.
func (r Record) wrote(name, text string) bool {
	w, known := r[name]
	return known && (w.Text == text || w.Pending != "" && w.Pending == text)
}

// pending is the record to keep while the file is replaced.
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

// Merge makes the needs true in the text of a deployment.toml. What the agent wrote before, by the record, and what the
// product ships give way; what somebody else made otherwise is kept, or overridden. Settings of the record that are no
// longer needed go back to what they were. Comments, order and all other settings stay, and a second Merge changes
// nothing.
//
// It returns the new text, every change, and the record to keep with it. Errors wrap ErrRefused with line and reason
// where the server itself would stop at the text.
func (n Needs) Merge(text []byte, record Record, override bool) ([]byte, []Change, Record, error) {
	needs, err := n.needs()
	if err != nil {
		return nil, nil, nil, err
	}
	doc, err := deployment.Parse(text)
	if err != nil {
		return nil, nil, nil, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	given, err := deployment.Parse(text)
	if err != nil {
		return nil, nil, nil, err
	}
	m := merger{given: given, doc: doc, record: record, next: Record{}, override: override}
	for _, need := range needs {
		if err := m.meet(need); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := m.takeBack(); err != nil {
		return nil, nil, nil, err
	}
	return doc.Bytes(), m.changes, m.next, nil
}

type merger struct {
	given    *deployment.Document // as it was
	doc      *deployment.Document
	record   Record
	next     Record
	override bool
	changes  []Change
}

// table is what settings are read from and written to: the document, or an element of an array in it.
type table interface {
	Get(path ...string) (deployment.Value, bool)
	Set(data any, path ...string) error
}

// locate finds a table anew: an edit moves what stands behind it.
type locate func(*deployment.Document) (table, error)

func (m *merger) meet(n need) error {
	if n.whole && !m.override && m.hasForeign(n) {
		return m.keepAll(n)
	}
	if n.array == nil {
		for _, w := range n.settings {
			if err := m.makeTrue(id(n, w), w, strings.Join(w.path, "\n"), func(d *deployment.Document) (table, error) { return d, nil }); err != nil {
				return err
			}
		}
		return nil
	}
	elements, err := m.doc.Elements(n.array...)
	if err != nil {
		return fmt.Errorf("change deployment.toml: %w", err)
	}
	at := slices.IndexFunc(elements, n.isMetBy)
	if at < 0 {
		return m.addElement(n, elements)
	}
	if n.ahead && at > 0 {
		if err := elements[at].MoveFirst(); err != nil {
			return fmt.Errorf("move [[%s]] before the others in deployment.toml: %w", deployment.Path(n.array...), err)
		}
		m.changes = append(m.changes, Change{Setting: n.element(), Line: elements[at].Line, Was: fmt.Sprintf("number %d", at+1), Now: "the first", Action: Replaced})
	}
	element := func(d *deployment.Document) (table, error) { // the edits keep what it is found by
		elements, err := d.Elements(n.array...)
		if err != nil {
			return nil, err
		}
		return elements[slices.IndexFunc(elements, n.isMetBy)], nil
	}
	for _, w := range n.settings[n.match:] {
		if err := m.makeTrue(id(n, w), w, "", element); err != nil {
			return err
		}
	}
	return nil
}

// hasForeign says whether somebody has made one of a need's settings otherwise.
func (m *merger) hasForeign(n need) bool {
	return slices.ContainsFunc(n.settings, func(w want) bool {
		v, there := m.doc.Get(w.path...)
		return there && v.Data != w.data && !m.record.wrote(id(n, w), m.doc.Text(v)) && !slices.Contains(w.stock, v.Data)
	})
}

// keepAll leaves all of a need's settings as they are, and tells of those that are somebody's.
func (m *merger) keepAll(n need) error {
	for _, w := range n.settings {
		v, there := m.doc.Get(w.path...)
		if ours, known := m.record[id(n, w)]; known {
			m.next[id(n, w)] = ours // nor is anything taken back: somebody's value goes with it
		}
		if !there || slices.Contains(w.stock, v.Data) {
			continue
		}
		before, _ := m.given.Get(w.path...)
		if err := m.keep(id(n, w), w, v, m.doc.Text(v), before.Line); err != nil {
			return err
		}
	}
	return nil
}

// isMetBy says whether an element is the one that the need is about, whatever else is in it.
func (n need) isMetBy(e deployment.Element) bool {
	for _, w := range n.settings[:n.match] {
		if v, ok := e.Get(w.path...); !ok || v.Data != w.data {
			return false
		}
	}
	return true
}

func (m *merger) addElement(n need, others []deployment.Element) error {
	settings := make([]deployment.Setting, len(n.settings))
	for i, w := range n.settings {
		settings[i] = deployment.Setting{Path: w.path, Data: w.data}
	}
	block, err := deployment.Block(n.array, settings)
	if err != nil {
		return err
	}
	if n.first && len(others) > 0 {
		err = others[0].Insert(block)
	} else {
		err = m.doc.Append(block)
	}
	if err != nil {
		return fmt.Errorf("add [[%s]] to deployment.toml: %w", deployment.Path(n.array...), err)
	}
	elements, err := m.doc.Elements(n.array...)
	if err != nil {
		return err
	}
	added := elements[slices.IndexFunc(elements, n.isMetBy)]
	for _, w := range n.settings {
		v, _ := added.Get(w.path...)
		m.next[id(n, w)] = Written{Text: m.doc.Text(v)}
	}
	header := "[[" + deployment.Path(n.array...) + "]]"
	m.changes = append(m.changes, Change{Setting: n.element(), Now: fmt.Sprintf("%s with %d settings", header, len(n.settings)), Action: Added})
	return nil
}

// makeTrue brings one setting to its value, unless somebody else has given it another. path is for the record, and empty
// for what is not taken back.
func (m *merger) makeTrue(name string, w want, path string, at locate) error {
	in, err := at(m.doc)
	if err != nil {
		return err
	}
	ours, known := m.record[name]
	before, there := in.Get(w.path...)
	if !there && w.unsaid && w.data == w.stock[0] {
		return nil
	}
	was, line := "", 0
	if there {
		was, line = m.doc.Text(before), m.lineBefore(w, at)
	}
	if w.fixed && !w.onlyMoves(before.Data) {
		return m.leave(name, w, before, was, line)
	}
	if there && w.later && before.Data != w.data && (m.override || m.record.wrote(name, was)) {
		m.next[name] = Written{Text: was, Path: path} // ours from now on, also where a person wrote it and overrides it
		if known {
			m.next[name] = ours
		}
		m.changes = append(m.changes, Change{Setting: name, Line: line, Was: was, Now: was, Action: Waits, Secret: w.secret})
		return nil
	}
	if there && !m.override && !m.record.wrote(name, was) && !slices.Contains(w.stock, before.Data) {
		return m.keep(name, w, before, was, line)
	}
	if err := in.Set(w.data, w.path...); err != nil {
		return fmt.Errorf("change deployment.toml: %w", err)
	}
	if in, err = at(m.doc); err != nil {
		return err
	}
	after, _ := in.Get(w.path...)
	written := Written{Text: m.doc.Text(after), Was: was, Path: path}
	if known {
		written.Was = ours.Was
	}
	if written.Text == was {
		if known {
			m.next[name] = written
		}
		return nil
	}
	action := Added
	if there {
		action = Replaced
	}
	m.next[name] = written
	m.changes = append(m.changes, Change{Setting: name, Line: line, Was: was, Now: written.Text, Action: action, Secret: w.secret})
	return nil
}

// lineBefore is where a setting stood in the text as it was given: earlier edits have moved it.
func (m *merger) lineBefore(w want, at locate) int {
	in, err := at(m.given)
	if err != nil {
		return 0
	}
	v, _ := in.Get(w.path...)
	return v.Line
}

// onlyMoves reports whether the value stays the same when data takes its place, and moves into the server's environment
// or out of it.
func (w want) onlyMoves(have any) bool {
	inEnvironment := func(data any) bool { text, ok := data.(string); return ok && strings.HasPrefix(text, "$env{") }
	return slices.Contains(w.same, have) && inEnvironment(have) != inEnvironment(w.data)
}

// leave leaves a setting as it is, whoever made it, and tells of it where it differs from what is needed.
func (m *merger) leave(name string, w want, v deployment.Value, was string, line int) error {
	if ours, known := m.record[name]; known {
		m.next[name] = ours
	}
	if w.stock == nil {
		return nil // it goes with another one, of which enough is told
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

// keep leaves somebody else's setting, and tells of it where it differs from what is needed.
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

// takeBack undoes what the agent had made and nothing needs any more, unless somebody else has changed it since.
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
		m.changes = append(m.changes, Change{Setting: name, Line: before.Line, Was: written.Text, Now: written.Was, Action: Removed, Secret: strings.Contains(name, "password")})
	}
	return nil
}

func (m *merger) isKept(name string) bool {
	return slices.ContainsFunc(m.changes, func(c Change) bool { return c.Setting == name })
}
