package desired

import (
	"bytes"
	"fmt"
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
	if _, secret := value.Interface().(Secret); !secret {
		into.FieldByName("Raw").SetString(rawOf(n))
	}
	if yamlfile.IsNull(n) && !c.required {
		into.FieldByName("Null").SetBool(true)
		return
	}
	r.value(n, c, value)
	if value.Kind() == reflect.Slice && value.Len() == 0 && yamlfile.Resolve(n).Kind == yaml.SequenceNode {
		into.FieldByName("Null").SetBool(true)
	}
}

// rawOf returns a text that has a variable as messages show it, and nothing for any other node.
func rawOf(n *yaml.Node) string {
	node := yamlfile.Resolve(n)
	if node.Kind != yaml.ScalarNode || !hasVariable(node.Value) {
		return ""
	}
	return Shown(node.Value)
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
			t := Text{Set: true, At: r.at(n), Raw: rawOf(n)}
			t.Value = r.text(n, column{name: c.item + " " + key, form: c.form})
			(*into)[key] = t
		}
	}
	r.Mapping(n, c.name, fields)
}
