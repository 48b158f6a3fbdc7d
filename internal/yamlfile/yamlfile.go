// Package yamlfile reads a YAML file that people write, and tells all that is wrong with it together, each with its line.
package yamlfile

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/sorting"
	"wso2agent/internal/suggest"
)

// Parse returns the one document of a file; needs names what must be in it.
func Parse(data []byte, needs string) (*yaml.Node, error) { return ParseMost(data, needs, maxNodes) }

// ParseMost is [Parse] for a file that may have more values than a configuration: most of them, also with aliases written out.
func ParseMost(data []byte, needs string, most int) (*yaml.Node, error) {
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF), err == nil && isNull(doc.Content[0]):
		return nil, fmt.Errorf("it is empty: it needs %s", needs)
	case err != nil:
		return nil, errors.New(explain(data, err))
	}
	if err := dec.Decode(&second); !errors.Is(err, io.EOF) {
		return nil, errors.New("it holds more than one document: keep one, without a line of ---")
	}
	values, aliases := written(&doc)
	if values > most {
		return nil, fmt.Errorf("it has more than %d values, which are the most that the agent reads: leave some out", most)
	}
	if aliases > 0 && expanded(&doc, most, map[*yaml.Node]int{}) > most {
		return nil, fmt.Errorf("its aliases (*name) make more than %d values of it: write them out, or use fewer", most)
	}
	return doc.Content[0], nil
}

// maxNodes bounds how many values a document may have with every alias written out: a few lines of aliases to aliases can
// stand for billions.
const maxNodes = 200_000

// written counts the values at and below a node without those behind aliases, and the aliases among them.
func written(n *yaml.Node) (values, aliases int) {
	values = 1
	if n.Kind == yaml.AliasNode {
		aliases = 1
	}
	for _, child := range n.Content {
		v, a := written(child)
		values, aliases = values+v, aliases+a
	}
	return values, aliases
}

// expanded counts the values below a node, those behind aliases each time, up to a little more than most. An alias to
// what it stands in counts as too many.
func expanded(n *yaml.Node, most int, known map[*yaml.Node]int) int {
	if count, ok := known[n]; ok {
		return count
	}
	known[n] = most + 1 // while it is counted
	count := 1
	for _, child := range n.Content {
		if count += expanded(child, most, known); count > most {
			return count
		}
	}
	if n.Kind == yaml.AliasNode {
		count += expanded(n.Alias, most, known)
	}
	known[n] = min(count, most+1)
	return known[n]
}

// Reader walks the nodes of a YAML file and collects what is wrong. It works on nodes and not on structs because only
// nodes know their lines, and because a section's fields are then one table, to which another shape adds its own.
type Reader struct {
	File  string // its path, for the messages
	found []Problem
}

// Problem is one mistake.
type Problem struct {
	Line, Column int
	Text         string // without the hint
	Hint         string // what may be meant; may be empty
	Key          string // the key that is unknown; empty for other mistakes
}

// String returns the mistake and its hint.
func (p Problem) String() string {
	if p.Hint == "" {
		return p.Text
	}
	return p.Text + ": " + p.Hint
}

// Fields are the keys that a mapping may have and what reads each.
type Fields map[string]func(*yaml.Node)

// Report tells what is wrong at a node.
func (r *Reader) Report(n *yaml.Node, format string, args ...any) {
	r.found = append(r.found, Problem{Line: n.Line, Column: n.Column, Text: fmt.Sprintf(format, args...)})
}

// Found returns all mistakes so far, in the order of the lines.
func (r *Reader) Found() []Problem {
	sorting.By(r.found, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return slices.Clone(r.found)
}

// Place is where a node is, as file:line:column.
func (r *Reader) Place(n *yaml.Node) string { return fmt.Sprintf("%s:%d:%d", r.File, n.Line, n.Column) }

// Clean says whether nothing is wrong so far.
func (r *Reader) Clean() bool { return r.Mistakes() == 0 }

// Mistakes is how much is wrong so far.
func (r *Reader) Mistakes() int { return len(r.found) }

// Problems are all mistakes as one error, in the order of the lines; it wraps kind.
func (r *Reader) Problems(kind error) error {
	if r.Clean() {
		return nil
	}
	errs := []error{fmt.Errorf("read %s: %w", r.File, kind)}
	for _, p := range r.Found() {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", r.File, p.Line, p.Column, p))
	}
	return errors.Join(errs...)
}

// Mapping reads a mapping by its fields and returns which were there, or nil where n is no mapping.
func (r *Reader) Mapping(n *yaml.Node, what string, known Fields) map[string]bool {
	keys := r.Each(n, what, Names{Known: slices.Sorted(maps.Keys(known))}, func(name string, _, value *yaml.Node) { known[name](value) })
	if keys == nil {
		return nil
	}
	seen := map[string]bool{}
	for name := range keys {
		seen[name] = true
	}
	return seen
}

// Names are the names that the keys of a mapping may have.
type Names struct {
	Any    bool              // all names are known
	Known  []string          // sorted
	Others map[string]string // other names of them: the one in Known for each
}

// Each calls read for each field of a mapping, with its name in names.Known and its key. It returns the keys as they stand in the file,
// by these names, or nil if n is no mapping.
func (r *Reader) Each(n *yaml.Node, what string, names Names, read func(name string, key, value *yaml.Node)) map[string]string {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.Report(n, "%s must be a mapping (key: value), not %s", what, strings.TrimSuffix(kindOf(n), quoted))
		return nil
	}
	seen := map[string]string{}
	var merged []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		name := cmp.Or(names.Others[key.Value], key.Value)
		_, known := slices.BinarySearch(names.Known, name)
		switch first, again := seen[name]; {
		case key.Tag == mergeTag:
			merged = append(merged, value)
		case key.Kind != yaml.ScalarNode:
			r.Report(key, "a key in %s must be a text, not %s", what, kindOf(key))
		case !known && !names.Any:
			r.unknownKey(key, what, names)
		case again && first != key.Value:
			r.Report(key, "keys %q and %q in %s are two names of one field: keep one", first, key.Value, what)
		case again:
			r.Report(key, "key %q stands twice in %s", Short(key.Value), what)
		default:
			seen[name] = key.Value
			read(name, key, value)
		}
	}
	for _, value := range merged {
		r.merge(value, what, names, seen, read)
	}
	return seen
}

// mergeTag is the tag of the key <<.
const mergeTag = "!!merge"

// merge reads the fields of the mapping, or of the mappings, that a key << adds. Fields that are there already stay.
func (r *Reader) merge(value *yaml.Node, what string, names Names, seen map[string]string, read func(name string, key, value *yaml.Node)) {
	from := []*yaml.Node{value}
	if list := resolve(value); list.Kind == yaml.SequenceNode {
		from = list.Content
	}
	for _, n := range from {
		more := r.Each(n, "what << adds to "+what, names, func(name string, key, value *yaml.Node) {
			if _, there := seen[name]; !there {
				read(name, key, value)
			}
		})
		for name, key := range more {
			seen[name] = cmp.Or(seen[name], key)
		}
	}
}

// unknownKey reports a key that is no name. The hint names the nearest name, or all in Known. The message leaves
// out what follows a colon in the key: without a space after it that is a value, which may be a password.
func (r *Reader) unknownKey(key *yaml.Node, what string, names Names) {
	name, _, joined := strings.Cut(key.Value, ":")
	name = Short(name)
	hint := suggest.Hint(name, names.Known)
	if near := suggest.Nearest(name, slices.Concat(names.Known, slices.Sorted(maps.Keys(names.Others)))); near != "" {
		hint = suggest.Hint(name, []string{near})
	}
	if joined {
		hint = "write a space after the colon"
	}
	r.found = append(r.found, Problem{Line: key.Line, Column: key.Column, Text: fmt.Sprintf("unknown key %q in %s", name, what),
		Hint: strings.TrimPrefix(hint, ": "), Key: name})
}

// List reads a sequence; it returns the values and their nodes.
func List[T any](r *Reader, n *yaml.Node, what string, read func(*yaml.Node) T) ([]T, []*yaml.Node) {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		r.Report(n, "%s must be a list (lines that begin with -), not %s", what, strings.TrimSuffix(kindOf(n), quoted))
		return nil, nil
	}
	values := make([]T, len(n.Content))
	for i, item := range n.Content {
		values[i] = read(item)
	}
	return values, n.Content
}

// Text reads a text, brings it into its form and checks it. A number stands for its own digits, so that "version: 1.0" is what
// it looks like. The value is not repeated in the message: check may.
func (r *Reader) Text(n *yaml.Node, what string, form func(string) string, check func(string) error) string {
	node := resolve(n)
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Tag == "!!bool" {
		r.Report(n, "%s must be a text, not %s", what, kindOf(node))
		return ""
	}
	value := form(node.Value)
	if err := check(value); err != nil {
		r.Report(n, "%s %s", what, err)
	}
	return value
}

// Bool reads true or false.
func (r *Reader) Bool(n *yaml.Node, what string) bool {
	node := resolve(n)
	value, err := strconv.ParseBool(node.Value)
	if node.Kind != yaml.ScalarNode || node.Tag != "!!bool" || err != nil {
		r.Report(n, "%s must be true or false, not %s", what, strings.TrimSuffix(kindOf(node), quoted))
		return false
	}
	return value
}

// Int reads a whole number.
func (r *Reader) Int(n *yaml.Node, what string) (value int, ok bool) {
	node := resolve(n)
	value, err := strconv.Atoi(node.Value)
	if node.Kind != yaml.ScalarNode || node.Tag != "!!int" || err != nil {
		r.Report(n, "%s must be a whole number, not %s", what, strings.TrimSuffix(kindOf(node), quoted))
		return 0, false
	}
	return value, true
}

// Resolve returns what an alias (*name) stands for, and any other node itself.
func Resolve(n *yaml.Node) *yaml.Node { return resolve(n) }

// IsNull reports whether a node, or what it stands for, is null.
func IsNull(n *yaml.Node) bool { return isNull(resolve(n)) }

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

// quoted is what helps if a truth value is meant to be a text.
const quoted = " (put it in quotes)"

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "empty"
	case n.Tag == "!!bool":
		return fmt.Sprintf("the truth value %s", n.Value) + quoted
	}
	return fmt.Sprintf("the value %q", Short(n.Value))
}

// mostShown is how many characters of a text messages show.
const mostShown = 100

// Short returns a text that fits into a message: its first 100 characters if it has more.
func Short(text string) string {
	if len(text) <= mostShown {
		return text
	}
	if runes := []rune(text); len(runes) > mostShown {
		return string(runes[:mostShown]) + "…"
	}
	return text
}
