package deployment

import (
	"fmt"
	"slices"
	"strings"
)

// Element is one table of an array of tables, [[path]] with what belongs to it. An edit of the document ends its use.
type Element struct {
	Line int
	doc  *Document
	in   *table
	scope
}

// Elements are the tables of an array of tables, in order; none where there is no such array. An array that is written
// on one line, path = [ … ], cannot be edited: an *Error names its line.
func (d *Document) Elements(path ...string) ([]Element, error) {
	if v, ok := d.Get(path...); ok {
		return nil, &Error{v.Line, fmt.Sprintf("%s is written as one value; write each of its tables as [[%[1]s]], so that others can be added", Path(path...))}
	}
	var out []Element
	e := d.root.array(path)
	for i, st := range d.statements {
		if st.kind != arrayHeader || !slices.Equal(st.path, path) {
			continue
		}
		if e == nil || len(out) == len(e.elements) {
			return nil, &Error{st.line, fmt.Sprintf("[[%s]] belongs to an array inside another, which is not edited here", Path(path...))}
		}
		out = append(out, Element{st.line, d, e.elements[len(out)], scope{i, d.elementEnd(i), path}})
	}
	return out, nil
}

// array is the array of tables at a path that leads through no other array.
func (t *table) array(path []string) *tables {
	for i, key := range path {
		e, ok := t.entries[key]
		switch {
		case !ok:
			return nil
		case i == len(path)-1:
			return e.array
		case e.table == nil:
			return nil
		}
		t = e.table
	}
	return nil
}

// elementEnd is the statement behind an element: the next header that is not of a table in it.
func (d *Document) elementEnd(first int) int {
	path := d.statements[first].path
	for i := first + 1; i < len(d.statements); i++ {
		st := d.statements[i]
		inside := len(st.path) > len(path) && slices.Equal(st.path[:len(path)], path)
		if st.kind != keyValue && !inside {
			return i
		}
	}
	return len(d.statements)
}

// Get is the value at a path of keys within the element, and whether there is one.
func (e Element) Get(path ...string) (Value, bool) { return e.in.get(path) }

// Set makes a setting of the element true, as Document.Set does.
func (e Element) Set(data any, path ...string) error { return e.doc.set(e.scope, e.in, path, data) }

// Insert adds lines before the element, such as another element of the array. They end with a blank line.
func (e Element) Insert(lines string) error {
	at := e.doc.withComments(e.first)
	return e.doc.replace(at, at, e.doc.withNewlines(lines)+e.doc.newline)
}

// MoveFirst puts the element before all others of its array. Comments above it stay where they are.
func (e Element) MoveFirst() error {
	d := e.doc
	first := slices.IndexFunc(d.statements, func(st statement) bool { return st.kind == arrayHeader && slices.Equal(st.path, e.base) })
	if first == e.first {
		return nil
	}
	to, start, end := d.withComments(first), d.statements[e.first].start, d.statements[e.last-1].end
	block := strings.TrimRight(d.text[start:end], "\r\n") + d.newline
	return d.replace(to, end, block+d.newline+d.text[to:start])
}

// Append adds lines at the end of the file, such as the first element of an array of tables. Tables that the file has
// parts of already must not be appended (see Set): the error then says so, and nothing is changed.
func (d *Document) Append(lines string) error {
	return d.add(len(d.text), d.newline+d.withNewlines(lines))
}

// Block is the text of a new element: its header and settings in the given order. Keys of a table in it come last.
func Block(path []string, settings []Setting) (string, error) {
	out := "[[" + Path(path...) + "]]\n"
	var table []string
	for _, s := range settings {
		text, err := format(s.Data)
		if err != nil {
			return "", fmt.Errorf("set %s: %w", Path(s.Path...), err)
		}
		parent := s.Path[:len(s.Path)-1]
		if !slices.Equal(parent, table) {
			out += "[" + Path(append(slices.Clone(path), parent...)...) + "]\n"
			table = parent
		}
		out += writtenKey(s.Path[len(s.Path)-1]) + " = " + text + "\n"
	}
	return out, nil
}

// Setting is a value and where it belongs.
type Setting struct {
	Path []string
	Data any
}
