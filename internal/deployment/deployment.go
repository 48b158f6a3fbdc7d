// Package deployment reads and edits deployment.toml, the settings of WSO2's servers, as the servers read it.
//
// The servers use cava-toml 0.5.0. It reads TOML 0.5 but refuses parts of it, and crashes with a StackOverflowError at an order of
// tables that every other reader accepts. Parse accepts what the servers accept, and an edit fails if the servers would
// refuse its result. An edit changes only the bytes of its setting: comments, blank lines, line ends and the order of
// everything else stay.
//
// This package is the only one that parses headers and keys of TOML. It knows neither files nor what the settings mean.
package deployment

import (
	"fmt"
	"strings"
)

// Error says what the servers' reader would refuse.
type Error struct {
	Line   int    // counted from 1
	Reason string // what is wrong there
}

func (e *Error) Error() string { return fmt.Sprintf("line %d: %s", e.Line, e.Reason) }

// Document is the text of a deployment.toml and the settings in it. It is not safe for use by several goroutines at once.
type Document struct {
	text       string
	newline    string // of the file: "\n" or "\r\n"
	statements []statement
	root       *table
}

// statement is a table's header, or a key with its value.
type statement struct {
	kind       statementKind
	path       []string // of the table, or of the key within its table
	start, end int      // offsets of its complete lines, with the line end
	line       int
	value      *Value // of a key
	table      *table // that a header begins
}

type statementKind int

const (
	keyValue statementKind = iota
	tableHeader
	arrayHeader // one more element of an array of tables
)

// Value is one value of the text.
type Value struct {
	// Data is a string, an int64, a float64, a bool, a Date, an []any of these, or a map[string]any.
	Data any
	Line int

	start, end int    // its offsets in the text
	inline     *table // the content of an inline table
}

// Date is a date, a time or both, as the file has it.
type Date string

// Parse reads the text of a deployment.toml. The error is an *Error.
func Parse(text []byte) (*Document, error) {
	d := &Document{text: string(text), newline: "\n"}
	if i := strings.IndexByte(d.text, '\n'); i > 0 && d.text[i-1] == '\r' {
		d.newline = "\r\n"
	}
	if err := d.parse(); err != nil {
		return nil, err
	}
	return d, nil
}

// Bytes returns the text with all edits.
func (d *Document) Bytes() []byte { return []byte(d.text) }

// parse reads the text again. Every edit calls it, so that no edit leaves a text that the servers refuse.
func (d *Document) parse() error {
	p := &parser{text: d.text, line: 1}
	if err := p.document(); err != nil {
		return err
	}
	d.statements, d.root = p.statements, p.root
	return nil
}

// Get returns the value at a path of keys and reports whether there is one. Tables and arrays of tables have no value.
func (d *Document) Get(path ...string) (Value, bool) {
	return d.root.get(path)
}

// Text returns a value as the file has it.
func (d *Document) Text(v Value) string { return d.text[v.start:v.end] }

// Settings returns all values outside arrays of tables, by their paths in the form of Path.
func (d *Document) Settings() map[string]Value {
	out := map[string]Value{}
	d.root.collect(nil, out)
	return out
}

// Path joins keys as the file has them: bare if TOML allows it, else in single quotes.
func Path(keys ...string) string {
	parts := make([]string, len(keys))
	for i, key := range keys {
		parts[i] = writtenKey(key)
	}
	return strings.Join(parts, ".")
}

// Keys returns the keys that Path has joined. No key has a quote in it, because Parse refuses such a key.
func Keys(path string) []string {
	var keys []string
	for path != "" {
		var key string
		if quoted, ok := strings.CutPrefix(path, "'"); ok {
			key, path, _ = strings.Cut(quoted, "'")
			path = strings.TrimPrefix(path, ".")
		} else {
			key, path, _ = strings.Cut(path, ".")
		}
		keys = append(keys, key)
	}
	return keys
}
