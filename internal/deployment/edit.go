package deployment

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/remedy"
)

// scope is the part of the statements that an edit may change: the whole file outside arrays of tables, or one element of such an
// array. The path of a setting is relative to the scope.
type scope struct {
	first, last int      // statements of the scope are d.statements[first:last]
	base        []string // path of the array; nil for the whole file
}

// Set gives a setting a value. It replaces the present value, of any type, or adds the key to its table. If the table is missing,
// Set makes it. If the setting has the value already, Set does nothing. The data is a string, bool, int, int64, []string or Raw.
// With an error nothing has changed. An *Error names the line that prevents the edit.
func (d *Document) Set(data any, path ...string) error {
	return d.set(scope{0, len(d.statements), nil}, d.root, path, data)
}

func (d *Document) set(s scope, in *table, path []string, data any) error {
	text, err := format(data)
	if err != nil {
		return fmt.Errorf("set %s: %w", Path(path...), err)
	}
	if v, ok := in.get(path); ok {
		if same(v.Data, data) {
			return nil
		}
		return d.replace(v.start, v.end, text)
	}
	return d.insert(s, path, text)
}

// insert adds a key that is missing.
func (d *Document) insert(s scope, path []string, text string) error {
	parent := path[:len(path)-1]
	line := func(keys []string) string { return Path(keys...) + " = " + text + d.newline }
	for i := s.first; i < s.last; i++ {
		st := d.statements[i]
		if st.kind == tableHeader && slices.Equal(st.path, s.full(parent)) || i == s.first && st.kind == arrayHeader && len(parent) == 0 && s.base != nil {
			return d.add(d.sectionEnd(i+1, s.last), line(path[len(parent):]))
		}
	}
	if at, keys, ok := d.nextToDotted(s, path); ok {
		return d.add(at, line(keys))
	}
	if len(parent) == 0 {
		return d.addFirst(line(path))
	}
	header := "[" + Path(s.full(parent)...) + "]" + d.newline + line(path[len(parent):])
	for i := s.first; i < s.last; i++ {
		// The servers crash at a table that stands after a part of itself.
		if st := d.statements[i]; st.kind != keyValue && len(st.path) > len(s.full(parent)) && slices.Equal(st.path[:len(s.full(parent))], s.full(parent)) {
			return d.replace(d.withComments(i), d.withComments(i), header+d.newline)
		}
	}
	return d.add(d.afterRelatives(s, parent), d.newline+header)
}

func (s scope) full(path []string) []string { return append(slices.Clone(s.base), path...) }

// sectionEnd returns the end of the keys that follow statement from-1, up to the next header.
func (d *Document) sectionEnd(from, last int) int {
	for from < last && d.statements[from].kind == keyValue {
		from++
	}
	return d.statements[from-1].end
}

// nextToDotted finds a key such as parent.other = …, or parent = {…}, after which path can stand. It returns the place, and the
// keys of path in the form that they need there.
func (d *Document) nextToDotted(s scope, path []string) (at int, keys []string, ok bool) {
	parent := path[:len(path)-1]
	section := s.base
	for i := s.first; i < s.last; i++ {
		st := d.statements[i]
		if st.kind != keyValue {
			section = st.path
			continue
		}
		full := append(slices.Clone(section), st.path...)
		target := s.full(parent)
		if len(target) > len(section) && len(full) >= len(target) && slices.Equal(full[:len(target)], target) {
			at, keys, ok = st.end, s.full(path)[len(section):], true
		}
	}
	return at, keys, ok
}

// withComments returns the start of statement i, together with the comment lines right above it.
func (d *Document) withComments(i int) int {
	at, least := d.statements[i].start, 0
	if i > 0 {
		least = d.statements[i-1].end
	}
	for at > least {
		start := strings.LastIndexByte(d.text[:at-1], '\n') + 1
		if start < least || !strings.HasPrefix(strings.TrimLeft(d.text[start:at], " \t"), "#") {
			break
		}
		at = start
	}
	return at
}

// afterRelatives returns the end of the last table whose name has the same first key, so that related settings stand together. If
// there is none, it returns the end of the scope.
func (d *Document) afterRelatives(s scope, table []string) int {
	at := -1
	for i := s.first; i < s.last; i++ {
		if st := d.statements[i]; st.kind != keyValue && s.base == nil && st.path[0] == table[0] {
			at = d.sectionEnd(i+1, s.last)
		}
	}
	switch {
	case at >= 0:
		return at
	case s.base != nil:
		return d.statements[s.last-1].end
	}
	return len(d.text)
}

// addFirst adds lines before the first table.
func (d *Document) addFirst(lines string) error {
	if len(d.statements) > 0 && d.statements[0].kind == keyValue {
		return d.add(d.sectionEnd(1, len(d.statements)), lines)
	}
	if len(d.statements) == 0 {
		return d.add(len(d.text), lines)
	}
	at := d.withComments(0)
	return d.replace(at, at, lines+d.newline)
}

// add inserts lines at the end of a statement or of the text, where the line end may be missing.
func (d *Document) add(at int, lines string) error {
	if at > 0 && d.text[at-1] != '\n' {
		lines = d.newline + lines
	}
	if at == 0 {
		lines = strings.TrimPrefix(lines, d.newline)
	}
	return d.replace(at, at, lines)
}

// replace changes the text and reads it again. If the servers would refuse the result, it restores the text.
func (d *Document) replace(start, end int, with string) error {
	before := d.text
	d.text = d.text[:start] + with + d.text[end:]
	if err := d.parse(); err != nil {
		d.text = before
		return fmt.Errorf("the change would leave a file that the server refuses: %w", err)
	}
	return nil
}

// Delete removes a setting with its line. The table stays, even if it is empty then. If there is no such setting, Delete does
// nothing. It does not remove a key inside an inline table; an *Error names its line.
func (d *Document) Delete(path ...string) error {
	v, ok := d.Get(path...)
	if !ok {
		return nil
	}
	for _, st := range d.statements {
		if st.kind == keyValue && st.value.start == v.start {
			return d.replace(st.start, st.end, "")
		}
	}
	return remedy.Add(&Error{v.Line, Path(path...) + " is inside an inline table"}, "remove it by hand")
}

// DropEmpty removes the header of a table that has no settings, no tables and no comments in it, with the blank line before it. It does nothing if
// there is no such table.
func (d *Document) DropEmpty(path ...string) error {
	for i, st := range d.statements {
		if st.kind != tableHeader || !slices.Equal(st.path, path) {
			continue
		}
		next := len(d.text)
		if i+1 < len(d.statements) {
			if following := d.statements[i+1]; following.kind == keyValue || len(following.path) > len(path) && slices.Equal(following.path[:len(path)], path) {
				return nil
			}
			next = d.statements[i+1].start
		}
		if strings.TrimSpace(d.text[st.end:next]) != "" || strings.Contains(d.text[st.start:st.end], "#") {
			return nil
		}
		start, blank := st.start, d.newline+d.newline
		if strings.HasSuffix(d.text[:start], blank) {
			start -= len(d.newline)
		}
		return d.replace(start, st.end, "")
	}
	return nil
}

// withNewlines returns the lines with the line ends of the file.
func (d *Document) withNewlines(lines string) string {
	return strings.ReplaceAll(lines, "\n", d.newline)
}
