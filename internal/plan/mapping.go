// Package plan compares the desired state with what the servers have, and returns the changes that make them equal. It asks no server.
//
// Each kind of object has one table of mappings: a row for each field of the file. The comparison and the bodies of requests come from
// the same row.
package plan

import (
	"maps"
	"reflect"
	"slices"
	"strings"
)

// Object is an object as a REST API of a server has it: decoded JSON with numbers as float64.
type Object map[string]any

// Difference is a field that the file sets, and of which the server has another value.
type Difference struct {
	Path   string // the field as the file names it, such as endpoints.production.url
	Have   any    // nil or an empty value if the server has nothing
	Want   any    // the server's default if the file resets the field: nil or an empty value if that is nothing
	Secret bool   // the values must not be shown
}

// mapping maps a field of the file to the server's object. It is one type for all kinds of objects, because what works on tables would
// otherwise be in the program once for each kind.
type mapping struct {
	path   string
	secret bool
	// want gets the object of the file: the struct of package desired that the table is about. It returns the value that the file sets,
	// as the server stores it. set is false if the file leaves the field out. A field that the file resets (null, an empty list) has the
	// server's default.
	want func(from any) (value any, set bool)
	// have returns the server's value in the same form, so that equal values mean that nothing has to change. It is nil if the server
	// does not give the value back, such as a password: then the row only writes, and changedSecret compares.
	have func(Object) any
	// put writes the value into an object that is to be sent.
	put func(body Object, value any)
}

// differences compares what the file sets with the server's object, in the order of the table.
func differences(table []mapping, want any, have Object) (all []Difference) {
	for _, m := range table {
		value, set := m.want(want)
		if !set || m.have == nil {
			continue
		}
		if has := m.have(have); !reflect.DeepEqual(has, value) {
			all = append(all, Difference{Path: m.path, Have: has, Want: value, Secret: m.secret})
		}
	}
	return all
}

// body returns the object to send: base with everything that the file sets. base stays as it is. It is the server's object for an
// update, or what a new object has without a word in the file.
func body(table []mapping, want any, base Object) Object {
	made := clone(base).(Object)
	for _, m := range table {
		if value, set := m.want(want); set {
			m.put(made, value)
		}
	}
	return made
}

// clone copies decoded JSON.
func clone(value any) any {
	switch v := value.(type) {
	case Object:
		return Object(cloneMap(v))
	case map[string]any:
		return cloneMap(v)
	case []any:
		c := make([]any, len(v))
		for i := range v {
			c[i] = clone(v[i])
		}
		return c
	}
	return value
}

func cloneMap(m map[string]any) map[string]any {
	c := maps.Clone(m)
	for k, v := range c {
		c[k] = clone(v)
	}
	return c
}

// at returns the value at a path of keys with dots between them; nil if there is none.
func at(o Object, path string) any {
	var value any = map[string]any(o)
	for key := range strings.SplitSeq(path, ".") {
		m, is := value.(map[string]any)
		if !is {
			return nil
		}
		value = m[key]
	}
	return value
}

// set returns texts as a set: sorted, and each once.
func set(texts []string) []string {
	sorted := slices.Clone(texts)
	slices.Sort(sorted)
	return slices.Compact(sorted)
}
