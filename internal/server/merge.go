package server

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
)

// Merge makes the needs true in the text of a deployment.toml. It replaces values that the agent wrote before, according to
// the record, and values that the product ships. It keeps another value of somebody else, unless override is set. Settings
// of the record that nothing needs any more get their former values. Comments, order and all other settings stay, and a
// second Merge changes nothing.
//
// Merge returns the new text, all changes, and the record to store with the text. Errors wrap ErrRefused, with line and
// reason, if the server would refuse the text.
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
	if n.KeepReload {
		m.hold(n.gateway())
	}
	if n.EncryptionKey == "" { // a record that is lost must not lose the key
		m.hold([]need{{settings: []want{{path: encryptionKey}}}})
	}
	for _, need := range needs {
		if err := m.meet(need); err != nil {
			return nil, nil, nil, err
		}
	}
	if err := m.refusePrevious(n.Product); err != nil {
		return nil, nil, nil, err
	}
	if err := m.takeBack(); err != nil {
		return nil, nil, nil, err
	}
	return doc.Bytes(), m.changes, m.next, nil
}

// refusePrevious reports a setting that gives IS the behaviour of a former version. With IS_7.1.0 authorize_all_scopes also covers the scopes of
// IS's own administration (carbon-identity-framework #7252 and #7468). The agent never writes it.
func (m *merger) refusePrevious(product string) error {
	path := []string{"preserve_previous_product_behaviour", "version"}
	v, there := m.doc.Get(path...)
	if product != config.IS || !there {
		return nil
	}
	before, _ := m.given.Get(path...)
	change := Change{Setting: deployment.Path(path...), Line: before.Line, Was: m.doc.Text(v), Now: "not set", Action: Kept}
	if m.override {
		change.Now, change.Action = "", Removed
		if err := m.doc.Delete(path...); err != nil {
			return fmt.Errorf("take %s out of deployment.toml: %w", change.Setting, err)
		}
	}
	m.changes = append(m.changes, change)
	return nil
}

type merger struct {
	given    *deployment.Document // before the merge
	doc      *deployment.Document
	record   Record
	next     Record
	override bool
	changes  []Change
}

// table is where the merge reads and writes settings: the document, or an element of an array in it.
type table interface {
	Get(path ...string) (deployment.Value, bool)
	Set(data any, path ...string) error
}

// locate finds a table again after an edit, which moves what follows it.
type locate func(*deployment.Document) (table, error)

// hold keeps what the agent has made of the needs, so that takeBack leaves it.
func (m *merger) hold(needs []need) {
	for _, n := range needs {
		for _, w := range n.settings {
			if ours, known := m.record[id(n, w)]; known {
				m.next[id(n, w)] = ours
			}
		}
	}
}

func (m *merger) meet(n need) error {
	if (n.whole || n.still) && !m.override && m.hasForeign(n) {
		return m.keepAll(n)
	}
	if n.still {
		return nil
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
	element := func(d *deployment.Document) (table, error) { // no edit changes the settings that identify the element
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

// hasForeign reports whether one of a need's settings has another value from somebody else.
func (m *merger) hasForeign(n need) bool {
	return slices.ContainsFunc(n.settings, func(w want) bool {
		v, there := m.doc.Get(w.path...)
		return there && v.Data != w.data && !m.record.wrote(id(n, w), m.doc.Text(v)) && !slices.Contains(w.stock, v.Data)
	})
}

// keepAll leaves all of a need's settings as they are, and reports those that come from somebody else.
func (m *merger) keepAll(n need) error {
	for _, w := range n.settings {
		v, there := m.doc.Get(w.path...)
		if ours, known := m.record[id(n, w)]; known {
			m.next[id(n, w)] = ours // so that takeBack does not remove what the other value works with
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

// isMetBy reports whether an element is the one that the need is about.
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

// makeTrue gives one setting its needed value, unless it has another value from somebody else. The record gets path, which
// is empty for a setting that takeBack must not remove.
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
		m.next[name] = Written{Text: was, Path: path} // the agent's from now on, also if a person wrote it and sets override
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
