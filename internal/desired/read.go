package desired

import (
	"bytes"
	"fmt"
	"path/filepath"
	"reflect"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/yamlfile"
)

// reader reads one file into the model. The table that the model's tags make says how.
type reader struct {
	yamlfile.Reader
	source Source
	forms  map[string]form
}

// read reads one file. name is its path in the messages and in places.
func read(data []byte, name string, source Source) (document, Problems) {
	root, err := yamlfile.Parse(data, "rest_apis, application and subscriptions, or other sections such as apis")
	if err != nil {
		at := Place{File: name, Line: 1, Column: 1}
		_, _ = fmt.Sscanf(err.Error(), "line %d:", &at.Line) // other mistakes name no line
		return document{}, Problems{{At: at, Message: err.Error()}}
	}
	r := &reader{yamlfile.Reader{File: name}, source, forms()}
	var d document
	r.mapping(root, "the file", reflect.ValueOf(&d).Elem())
	d.begin = r.at(root)
	var problems Problems
	for _, p := range r.Found() {
		problems = append(problems, Problem{Place{name, p.Line, p.Column}, p.Text, p.Hint, excerpt(data, p)})
	}
	return d, problems
}

// excerpt shows an unknown key with its line and a caret. It hides what stands before and behind the key, which may be a password.
func excerpt(data []byte, p yamlfile.Problem) string {
	lines := bytes.Split(data, []byte("\n"))
	if p.Key == "" || p.Line > len(lines) {
		return ""
	}
	before := []rune(string(lines[p.Line-1]))
	before = before[:min(p.Column-1, len(before))]
	indent := string(before)
	if strings.Trim(indent, " -") != "" {
		indent = "… "
	}
	return fmt.Sprintf("%s%s: …\n%s^", indent, p.Key, strings.Repeat(" ", len([]rune(indent))))
}

func (r *reader) at(n *yaml.Node) Place { return Place{r.File, n.Line, n.Column} }

// mapping reads a mapping into a struct of the model.
func (r *reader) mapping(n *yaml.Node, what string, into reflect.Value) {
	fields, others, title := yamlfile.Fields{}, map[string]string{}, ""
	var required []string
	for _, c := range columns(into.Type()) {
		fields[c.name] = func(n *yaml.Node) {
			r.field(n, c, into.FieldByIndex(c.index))
			if len(required) > 0 && c.name == required[0] {
				title = yamlfile.Resolve(n).Value
			}
		}
		for _, alias := range c.aliases {
			others[alias] = c.name
		}
		if c.required {
			required = append(required, c.name)
		}
	}
	seen := r.MappingWith(n, what, fields, others)
	if title != "" && seen[required[0]] && !hasVariable(title) {
		title = singleSpaced(title)
	}
	r.Require(n, seen, definite(what), title, required...)
}

// definite makes "the API" of "an API".
func definite(what string) string {
	for _, article := range []string{"a ", "an "} {
		if rest, ok := strings.CutPrefix(what, article); ok {
			return "the " + rest
		}
	}
	if strings.HasPrefix(what, "the ") {
		return what
	}
	return "the " + what
}

// field reads a [Field] of the model.
func (r *reader) field(n *yaml.Node, c column, into reflect.Value) {
	if c.refuse != "" {
		r.Report(n, "%s: %s", c.name, c.refuse)
		return
	}
	into.FieldByName("Set").SetBool(true)
	into.FieldByName("At").Set(reflect.ValueOf(r.at(n)))
	value := into.FieldByName("Value")
	if yamlfile.IsNull(n) && !c.required {
		into.FieldByName("Null").SetBool(true)
		return
	}
	r.value(n, c, value)
	if value.Kind() == reflect.Slice && value.Len() == 0 && yamlfile.Resolve(n).Kind == yaml.SequenceNode {
		into.FieldByName("Null").SetBool(true)
	}
}

// value reads what a [Field] holds.
func (r *reader) value(n *yaml.Node, c column, into reflect.Value) {
	switch v := into.Addr().Interface().(type) {
	case *string:
		*v = r.text(n, c)
	case *Secret:
		*v = r.secret(n, c)
	case *bool:
		if n, ok := r.expanded(n, c, "!!bool"); ok {
			*v = r.Bool(n, c.name)
		}
	case *int:
		*v = r.int(n, c)
	case *time.Duration:
		*v = r.span(n, c)
	case *map[string]Text:
		r.texts(n, c, v)
	default:
		switch into.Kind() {
		case reflect.Slice:
			r.list(n, c, into)
		default:
			r.group(n, c, into)
		}
	}
}

// list reads a list. Every entry gets its place.
func (r *reader) list(n *yaml.Node, c column, into reflect.Value) {
	entry := column{name: c.item, item: c.item, short: c.short, values: c.values, form: c.form, min: c.min, max: c.max, required: true}
	yamlfile.List(&r.Reader, n, c.name, func(item *yaml.Node) struct{} {
		v := reflect.New(into.Type().Elem()).Elem()
		r.field(item, entry, v)
		into.Set(reflect.Append(into, v))
		return struct{}{}
	})
	if into.IsNil() {
		into.Set(reflect.MakeSlice(into.Type(), 0, 0))
	}
}

// group reads a mapping, or the text that is short for one.
func (r *reader) group(n *yaml.Node, c column, into reflect.Value) {
	node := yamlfile.Resolve(n)
	if c.short == "" || node.Kind != yaml.ScalarNode {
		r.mapping(n, c.name, into)
		return
	}
	for _, inner := range columns(into.Type()) {
		if inner.name == c.short {
			r.field(n, inner, into.FieldByIndex(inner.index))
		}
	}
}

// texts reads a mapping of texts, whose keys are up to the person.
func (r *reader) texts(n *yaml.Node, c column, into *map[string]Text) {
	*into = map[string]Text{}
	fields := yamlfile.Fields{}
	node := yamlfile.Resolve(n)
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		key := node.Content[i].Value
		fields[key] = func(n *yaml.Node) {
			t := Text{Set: true, At: r.at(n)}
			t.Value = r.text(n, column{name: c.item + " " + key, form: c.form})
			(*into)[key] = t
		}
	}
	r.Mapping(n, c.name, fields)
}

// text reads a text, brings it into its form and checks it. The report of a mistake quotes the text as it stands in the file.
func (r *reader) text(n *yaml.Node, c column) string {
	raw := yamlfile.Resolve(n).Value
	var failed error
	value := r.Text(n, c.name, func(s string) string {
		s, failed = r.source.expand(s, filepath.Dir(r.File))
		return s
	}, func(string) error {
		if failed != nil {
			return fmt.Errorf("%q %w", Shown(raw), failed)
		}
		return nil
	})
	node := yamlfile.Resolve(n)
	if failed != nil || node.Kind != yaml.ScalarNode || node.Tag == "!!null" || node.Tag == "!!bool" {
		return "" // reported
	}
	if c.values != nil {
		is, ok := c.spelled(strings.TrimSpace(value))
		if !ok {
			r.Report(n, "%s %q is none of %s", c.name, Shown(raw), c.choices())
		}
		return is
	}
	f, ok := r.forms[c.form]
	if !ok {
		panic("no form " + c.form)
	}
	tidy, err := f.apply(value)
	if err != nil {
		quoted := raw
		if !hasVariable(raw) {
			quoted = tidy
		}
		r.Report(n, "%s %q %s", c.name, Shown(quoted), err)
		return tidy
	}
	if c.form == "source" && !strings.Contains(tidy, "://") || c.form == "file" {
		r.exists(n, c, tidy)
	}
	return tidy
}

// exists reports a file that the agent cannot read.
func (r *reader) exists(n *yaml.Node, c column, path string) {
	if !filepath.IsAbs(path) {
		path = filepath.Join(filepath.Dir(r.File), path)
	}
	if _, err := r.source.ReadFile(path); err != nil {
		r.Report(n, "%s names a file that the agent cannot read: %s", c.name, err)
	}
}

// secret reads a text that no message repeats.
func (r *reader) secret(n *yaml.Node, c column) Secret {
	node := yamlfile.Resolve(n)
	if node.Kind != yaml.ScalarNode || node.Tag == "!!null" {
		r.Text(n, c.name, func(s string) string { return s }, func(string) error { return nil })
		return Secret{}
	}
	value, from, err := node.Value, "", error(nil)
	if strings.Contains(value, "${") {
		value, err = r.source.expand(value, filepath.Dir(r.File))
		if hasVariable(node.Value) {
			from = node.Value
		}
	}
	if err == nil && value == "" {
		err = fmt.Errorf("must not be empty")
	}
	if err == nil {
		_, err = r.forms[c.form].apply(value)
	}
	if err != nil {
		r.Report(n, "%s %s", c.name, err)
	}
	return Secret{value, from}
}

// expanded returns a scalar as it is, or a node with its variables expanded and the kind that the value then has.
func (r *reader) expanded(n *yaml.Node, c column, tag string) (*yaml.Node, bool) {
	node := yamlfile.Resolve(n)
	if node.Kind != yaml.ScalarNode || !strings.Contains(node.Value, "${") {
		return n, true
	}
	value, err := r.source.expand(node.Value, filepath.Dir(r.File))
	if err != nil {
		r.Report(n, "%s %q %s", c.name, Shown(node.Value), err)
		return nil, false
	}
	plain := &yaml.Node{Kind: yaml.ScalarNode, Value: strings.TrimSpace(value)}
	if plain.ShortTag() != tag {
		r.Report(n, "%s %q does not stand for %s", c.name, Shown(node.Value), map[string]string{"!!bool": "true or false", "!!int": "a whole number"}[tag])
		return nil, false
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: tag, Value: plain.Value, Line: n.Line, Column: n.Column}, true
}

func (r *reader) int(n *yaml.Node, c column) int {
	node, ok := r.expanded(n, c, "!!int")
	if !ok {
		return 0
	}
	value, ok := r.Int(node, c.name)
	if ok && (value < c.min || c.max > 0 && value > c.max) {
		r.Report(n, "%s must be %s", c.name, c.bounds())
	}
	return value
}

// bounds words the bounds of a number.
func (c column) bounds() string {
	if c.max == 0 {
		return fmt.Sprintf("at least %d", c.min)
	}
	return fmt.Sprintf("from %d to %d", c.min, c.max)
}

// The longest span, and what a span is.
const (
	longestSpan = 24 * time.Hour
	spanSays    = "must be a number of milliseconds, or a time such as 30s, from 1ms to 24h"
)

// span reads a time such as 30s. A number is one of milliseconds, as in the servers' own files.
func (r *reader) span(n *yaml.Node, c column) time.Duration {
	node := yamlfile.Resolve(n)
	text, err := node.Value, error(nil)
	if node.Kind == yaml.ScalarNode {
		text, err = r.source.expand(text, filepath.Dir(r.File))
		if err != nil {
			r.Report(n, "%s %q %s", c.name, Shown(node.Value), err)
			return 0
		}
	}
	if (&yaml.Node{Kind: yaml.ScalarNode, Value: text}).ShortTag() == "!!int" {
		text += "ms"
	}
	value, err := time.ParseDuration(text)
	if node.Kind != yaml.ScalarNode || err != nil || value < time.Millisecond || value > longestSpan || value%time.Millisecond != 0 {
		r.Report(n, "%s %s", c.name, spanSays)
	}
	return value
}
