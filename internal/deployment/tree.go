package deployment

import (
	"fmt"

	"wso2agent/internal/remedy"
)

// table is a table as the servers' reader builds it. The rules for the order of tables and keys are those of its MutableTomlTable, and
// differ from TOML's.
type table struct {
	entries  map[string]*entry
	implicit bool // a longer path has made it, and no header of its own yet
	shared   bool // {}: the servers' reader has one empty table for all of them
}

// entry is a table, an array of tables, or a value.
type entry struct {
	table *table
	array *tables
	value *Value
	line  int
}

// tables is an array of tables.
type tables struct{ elements []*table }

func newTable(implicit bool) *table { return &table{entries: map[string]*entry{}, implicit: implicit} }

// ensure returns the table at a path, and makes tables that are missing. The path of a header may lead through the last element of an
// array of tables; the path of a key may not.
func (t *table) ensure(path []string, line int, throughArrays bool) (*table, error) {
	for i, key := range path {
		e, ok := t.entries[key]
		if !ok {
			e = &entry{table: newTable(true), line: line}
			if err := t.add(key, e); err != nil {
				return nil, err
			}
		}
		switch {
		case e.table != nil:
			t = e.table
		case e.array != nil && throughArrays:
			t = e.array.elements[len(e.array.elements)-1]
		default:
			return nil, &Error{line, fmt.Sprintf("%s is no table: line %d defines it otherwise", Path(path[:i+1]...), e.line)}
		}
	}
	return t, nil
}

// define adds the table of a header [path].
func (t *table) define(path []string, line int) (*table, error) {
	parent, err := t.ensure(path[:len(path)-1], line, true)
	if err != nil {
		return nil, err
	}
	key := path[len(path)-1]
	e, ok := parent.entries[key]
	switch {
	case !ok:
		e = &entry{table: newTable(false), line: line}
		return e.table, parent.add(key, e)
	case e.table != nil && e.table.implicit:
		// Here the servers' reader puts the table into itself.
		return nil, remedy.Add(&Error{line, fmt.Sprintf("the table [%s] stands after a part of it in line %d, and the server would crash with a StackOverflowError at its start", Path(path...), e.line)},
			"put [%s] before that line", Path(path...))
	}
	return nil, remedy.Add(&Error{line, fmt.Sprintf("[%s] is defined twice, the first time in line %d", Path(path...), e.line)},
		"write its settings together")
}

// element adds the table of a header [[path]].
func (t *table) element(path []string, line int) (*table, error) {
	parent, err := t.ensure(path[:len(path)-1], line, true)
	if err != nil {
		return nil, err
	}
	key := path[len(path)-1]
	e, ok := parent.entries[key]
	if !ok {
		e = &entry{array: &tables{}, line: line}
		if err := parent.add(key, e); err != nil {
			return nil, err
		}
	}
	if e.array == nil {
		return nil, remedy.Add(&Error{line, fmt.Sprintf("[[%s]] adds to an array of tables, but line %d defines it otherwise", Path(path...), e.line)},
			"write all of them as [[%s]]", Path(path...))
	}
	element := newTable(false)
	e.array.elements = append(e.array.elements, element)
	return element, nil
}

// set adds a key with its value.
func (t *table) set(path []string, v *Value) error {
	parent, err := t.ensure(path[:len(path)-1], v.Line, false)
	if err != nil {
		return err
	}
	key := path[len(path)-1]
	if before, ok := parent.entries[key]; ok {
		return remedy.Add(&Error{v.Line, fmt.Sprintf("%s is defined twice, the first time in line %d", Path(path...), before.line)},
			"remove one of the two")
	}
	// In the servers' reader an inline table takes further keys, as any other table does.
	return parent.add(key, &entry{value: v, table: v.inline, line: v.Line})
}

func (t *table) add(key string, e *entry) error {
	if t.shared {
		return remedy.Add(&Error{e.line, fmt.Sprintf("%s goes into a table written {}, and the server's reader would put it into every other {} too", Path(key))},
			"write that one as a table of its own")
	}
	t.entries[key] = e
	return nil
}

// asMap returns an inline table as the value that it is inside an array.
func (t *table) asMap() map[string]any {
	out := make(map[string]any, len(t.entries))
	for key, e := range t.entries {
		if e.table != nil {
			out[key] = e.table.asMap()
		} else {
			out[key] = e.value.Data
		}
	}
	return out
}

func (t *table) get(path []string) (Value, bool) {
	for i, key := range path {
		e, ok := t.entries[key]
		switch {
		case !ok:
			return Value{}, false
		case i == len(path)-1 && e.value != nil && e.table == nil:
			return *e.value, true
		case e.table == nil:
			return Value{}, false
		}
		t = e.table
	}
	return Value{}, false
}

func (t *table) collect(path []string, into map[string]Value) {
	for key, e := range t.entries {
		at := append(path[:len(path):len(path)], key)
		switch {
		case e.table != nil:
			e.table.collect(at, into)
		case e.value != nil:
			into[Path(at...)] = *e.value
		}
	}
}
