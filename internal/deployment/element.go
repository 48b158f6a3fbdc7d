package deployment

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Element is one table of an array of tables: the header [[path]], its keys, and the tables of it that follow. It is not
// valid after an edit of the document.
type Element struct {
	Line int // of the header, counted from 1
	doc  *Document
	in   *table
	scope
}

// Elements returns the tables of one array of tables in their order, and none if there is no such array. The error is an
// *Error with a line: an array on one line, path = [ … ], or an array inside another one cannot be edited.
func (d *Document) Elements(path ...string) ([]Element, error) {
	if v, ok := d.Get(path...); ok {
		return nil, &Error{v.Line, fmt.Sprintf("%s is written as one value; write each of its tables as [[%[1]s]], so that others can be added", Path(path...))}
	}
	var out []Element
	for i, st := range d.statements {
		if st.kind != arrayHeader || !slices.Equal(st.path, path) {
			continue
		}
		if d.root.array(path) == nil {
			return nil, &Error{st.line, fmt.Sprintf("[[%s]] belongs to an array inside another, which is not edited here", Path(path...))}
		}
		out = append(out, d.element(i))
	}
	return out, nil
}

// AllElements returns the tables of all arrays of tables in the order of the file. An array inside an element is a part of
// that element and not in the list.
func (d *Document) AllElements() []Element {
	var out []Element
	for i := 0; i < len(d.statements); i++ {
		if d.statements[i].kind == arrayHeader {
			e := d.element(i)
			out = append(out, e)
			i = e.last - 1
		}
	}
	return out
}

// element returns the element whose header is statement i.
func (d *Document) element(i int) Element {
	st := d.statements[i]
	return Element{st.line, d, st.table, scope{i, d.elementEnd(i), st.path}}
}

// array returns the array of tables at a path; nil if the path leads through another array.
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

// elementEnd returns the index of the statement after an element: the next header that is not a table in the element.
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

// Path returns the keys of the array.
func (e Element) Path() []string { return slices.Clone(e.base) }

// Nested reports whether the element has an array of tables in it.
func (e Element) Nested() bool {
	return slices.ContainsFunc(e.doc.statements[e.first+1:e.last], func(st statement) bool { return st.kind == arrayHeader })
}

// Text returns the lines of the element, with LF line ends and without what follows its last setting. Insert and Append
// take such lines.
func (e Element) Text() string {
	text := e.doc.text[e.doc.statements[e.first].start:e.end()]
	return strings.TrimRight(strings.ReplaceAll(text, "\r\n", "\n"), "\r\n") + "\n"
}

// Settings returns the values in the lines of the element, without those of arrays of tables in it. The paths count from
// the element and have the form of Path.
func (e Element) Settings() map[string]Value {
	out := map[string]Value{}
	e.in.collect(nil, out)
	// The text may have another part of the element later, after other tables.
	maps.DeleteFunc(out, func(_ string, v Value) bool { return v.start > e.end() })
	return out
}

// end returns the offset at which the last statement of the element ends.
func (e Element) end() int { return e.doc.statements[e.last-1].end }

// Get returns the value at a path of keys within the element and reports whether there is one.
func (e Element) Get(path ...string) (Value, bool) { return e.in.get(path) }

// Set sets a value in the element, as Document.Set does.
func (e Element) Set(data any, path ...string) error { return e.doc.set(e.scope, e.in, path, data) }

// Insert adds lines before the element, such as another element of the array, and a blank line after them.
func (e Element) Insert(lines string) error {
	at := e.doc.withComments(e.first)
	return e.doc.replace(at, at, e.doc.withNewlines(lines)+e.doc.newline)
}

// MoveFirst moves the element before all others of its array. Comments above the element stay where they are.
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

// Remove removes the element with the tables in it, and the blank line that Insert or Append has added with it. Comments above the element
// stay where they are.
func (e Element) Remove() error {
	d := e.doc
	start, end := d.statements[e.first].start, e.end()
	if strings.HasPrefix(d.text[end:], d.newline) {
		end += len(d.newline)
	} else if strings.HasSuffix(d.text[:start], d.newline+d.newline) && end == len(d.text) {
		start -= len(d.newline)
	}
	return d.replace(start, end, "")
}

// Append adds lines at the end of the file, such as the first element of an array of tables. It changes nothing and returns an
// error if the servers would refuse the result, for example because the file has a part of the same table already.
func (d *Document) Append(lines string) error {
	return d.add(len(d.text), d.newline+d.withNewlines(lines))
}

// Block returns the text of a new element: its header and the settings in the given order. The caller puts the settings of
// a table in the element last. Errors: a value that has no form in the file.
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

// Setting is a value and its path.
type Setting struct {
	Path []string
	Data any // see Document.Set
}
