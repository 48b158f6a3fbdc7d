// Package desired is the desired state of both servers as people write it: its model, the reader of its files, the rules of the
// servers that hold without asking them, and its JSON Schema. It asks no server and changes nothing. The tags of the model are the one
// table from which the reader, the schema and the reference come.
package desired

import (
	"cmp"
	"fmt"
	"time"

	"wso2agent/internal/yamlfile"
)

// Place is where something stands in a file. Line and Column count from 1.
type Place struct {
	File         string
	Line, Column int
}

// String returns the place as file:line:column.
func (p Place) String() string { return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column) }

// compare orders places of one file.
func (p Place) compare(q Place) int {
	return cmp.Or(cmp.Compare(p.Line, q.Line), cmp.Compare(p.Column, q.Column))
}

// Field is a value that a file may leave out. The agent does not manage a field that is not Set.
type Field[T any] struct {
	Set   bool   // the file has the field
	Null  bool   // the file has null or an empty list: the server's default is to apply
	Wrong bool   // the reader has reported a mistake in the value, or in a part of it
	Value T      // the zero value unless Set, and if Null
	At    Place  // where the value stands; the zero Place unless Set
	Raw   string // the text as the file has it, for messages, if a variable or a file gives the value; else empty
}

// Shown returns the value for a message, which must not repeat what comes from a variable or a file.
func (f Field[T]) Shown() string { return cmp.Or(f.Raw, yamlfile.Short(fmt.Sprint(f.Value))) }

// Or returns the value, or another one if the file has none.
func (f Field[T]) Or(other T) T {
	if !f.Set || f.Null {
		return other
	}
	return f.Value
}

// The kinds of fields that the model has. Every entry of a list has a place of its own.
type (
	Text         = Field[string]
	Number       = Field[int]
	Switch       = Field[bool]
	Password     = Field[Secret]
	Span         = Field[time.Duration] // whole milliseconds
	List[T any]  = Field[[]Field[T]]
	Texts        = List[string]
	Map          = Field[map[string]Text]
	Group[T any] = Field[T] // T is a struct of fields
)

// Secret is a text that no output may show. It prints as *****.
type Secret struct {
	value string
	from  string
}

// NewSecret returns a secret; from is as in [Secret.From].
func NewSecret(value, from string) Secret { return Secret{value, from} }

// Reveal returns the text itself.
func (s Secret) Reveal() string { return s.value }

// From returns where the text comes from: ${VAR} or ${file:/path}, or several of them one after the other. It leaves out defaults and
// what stands in the file itself. It is empty if nothing comes from elsewhere.
func (s Secret) From() string { return s.from }

const mask = "*****"

// String returns a mask.
func (s Secret) String() string { return mask }

// GoString returns a mask.
func (s Secret) GoString() string { return mask }

// MarshalText returns where the text comes from, or a mask.
func (s Secret) MarshalText() ([]byte, error) { return []byte(cmp.Or(s.from, mask)), nil }
