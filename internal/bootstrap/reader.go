package bootstrap

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/suggest"
)

// reader walks the nodes of a YAML file and collects what is wrong. It works on nodes and not on structs because only
// nodes know their lines, and because a section's fields are then one table, to which another shape adds its own.
type reader struct {
	file  string
	found []problem
}

type problem struct {
	line, column int
	text         string
}

// fields are the keys that a mapping may have and what reads each.
type fields map[string]func(*yaml.Node)

func (r *reader) report(n *yaml.Node, format string, args ...any) {
	r.found = append(r.found, problem{n.Line, n.Column, fmt.Sprintf(format, args...)})
}

// clean says whether nothing is wrong so far.
func (r *reader) clean() bool { return len(r.found) == 0 }

// problems are all mistakes as one error, in the order of the lines.
func (r *reader) problems() error {
	if r.clean() {
		return nil
	}
	slices.SortStableFunc(r.found, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.column, b.column))
	})
	errs := []error{fmt.Errorf("read %s: %w", r.file, ErrConfig)}
	for _, p := range r.found {
		errs = append(errs, fmt.Errorf("%s:%d:%d: %s", r.file, p.line, p.column, p.text))
	}
	return errors.Join(errs...)
}

// mapping reads a mapping by its fields and returns which were there, or nil where n is no mapping.
func (r *reader) mapping(n *yaml.Node, what string, known fields) map[string]bool {
	n = resolve(n)
	if n.Kind != yaml.MappingNode {
		r.report(n, "%s must be a mapping (key: value), not %s", what, kindOf(n))
		return nil
	}
	seen := map[string]bool{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		read, ok := known[key.Value]
		switch {
		case !ok:
			r.report(key, "unknown key %q in %s%s", key.Value, what, suggest.Hint(key.Value, slices.Sorted(maps.Keys(known))))
		case seen[key.Value]:
			r.report(key, "key %q stands twice in %s", key.Value, what)
		default:
			seen[key.Value] = true
			read(value)
		}
	}
	return seen
}

// list reads a sequence; it returns the values and their nodes.
func list[T any](r *reader, n *yaml.Node, what string, read func(*yaml.Node) T) ([]T, []*yaml.Node) {
	n = resolve(n)
	if n.Kind != yaml.SequenceNode {
		r.report(n, "%s must be a list (lines that begin with -), not %s", what, kindOf(n))
		return nil, nil
	}
	values := make([]T, len(n.Content))
	for i, item := range n.Content {
		values[i] = read(item)
	}
	return values, n.Content
}

// checked reads a text, brings it into its form and checks it. A number stands for its own digits, so that
// "version: 1.0" is what it looks like.
func (r *reader) checked(n *yaml.Node, what string, form func(string) string, check func(string) error) string {
	node := resolve(n)
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Tag == "!!bool" {
		r.report(n, "%s must be a text, not %s", what, kindOf(node))
		return ""
	}
	value := form(node.Value)
	if err := check(value); err != nil {
		r.report(n, "%s %q %s", what, shown(value), err)
	}
	return value
}

// userinfo is what may hold a password in an address.
var userinfo = regexp.MustCompile(`://[^/]*@`)

// shown is a value as it may stand in a message.
func shown(value string) string { return userinfo.ReplaceAllString(value, "://(hidden)@") }

// require reports fields that are not there; name tells which entry, where it has one.
func (r *reader) require(n *yaml.Node, seen map[string]bool, what, name string, keys ...string) {
	if seen == nil {
		return
	}
	if name != "" {
		what = fmt.Sprintf("%s %q", what, name)
	}
	for _, key := range keys {
		if !seen[key] {
			r.report(resolve(n), "%s has no %s", what, key)
		}
	}
}

// resolve follows an alias to what it stands for.
func resolve(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.Tag == "!!null" }

func kindOf(n *yaml.Node) string {
	switch {
	case n.Kind == yaml.MappingNode:
		return "a mapping"
	case n.Kind == yaml.SequenceNode:
		return "a list"
	case isNull(n):
		return "empty"
	case n.Tag == "!!bool":
		return fmt.Sprintf("the truth value %s (put it in quotes)", n.Value)
	}
	return fmt.Sprintf("the value %q", n.Value)
}

func contains(list []string, s string) bool { return slices.Contains(list, s) }
