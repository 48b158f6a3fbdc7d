package desired

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/yamlfile"
)

// reader reads one file into the model. The table that the model's tags make says how.
type reader struct {
	yamlfile.Reader
	source Source
	forms  map[string]form
	words  words
}

// read reads one file. name is its path in the messages and in places.
func read(data []byte, name string, source Source) (document, Problems) {
	root, err := yamlfile.Parse(data, "rest_apis, application and subscriptions, or other sections such as apis")
	if err != nil {
		at := Place{File: name, Line: 1, Column: 1}
		_, _ = fmt.Sscanf(err.Error(), "line %d:", &at.Line) // other mistakes name no line
		return document{}, Problems{{At: at, Message: err.Error()}}
	}
	r := &reader{yamlfile.Reader{File: name}, source, forms(), words{}}
	var d document
	r.mapping(root, "the file", reflect.ValueOf(&d).Elem())
	d.begin, d.words = r.at(root), r.words
	var problems Problems
	var lines [][]byte
	for _, p := range r.Found() {
		if p.Key != "" && lines == nil {
			lines = bytes.Split(data, []byte("\n"))
		}
		problems = append(problems, Problem{Place{name, p.Line, p.Column}, p.Text, p.Hint, excerpt(lines, p)})
	}
	return d, problems
}

// excerpt shows an unknown key with its line and a caret. It hides what stands before and behind the key, which may be a password.
func excerpt(lines [][]byte, p yamlfile.Problem) string {
	if p.Key == "" || p.Line > len(lines) {
		return ""
	}
	line := lines[p.Line-1]
	blank := len(line) - len(bytes.TrimLeft(line, " -"))
	indent := "… "
	if before := p.Column - 1; before <= blank {
		indent = string(line[:before])
	}
	return fmt.Sprintf("%s%s: …\n%s^", indent, p.Key, strings.Repeat(" ", utf8.RuneCountInString(indent)))
}

func (r *reader) at(n *yaml.Node) Place { return Place{r.File, n.Line, n.Column} }

// mapping reads a mapping into a struct of the model. Messages name the fields as the file does.
func (r *reader) mapping(n *yaml.Node, what string, into reflect.Value) {
	t, title, path := tables()[into.Type()], "", ""
	if into.Type() == reflect.TypeFor[Defaults]() || into.Type() == reflect.TypeFor[EndpointTimes]() {
		path = what + "." // which its fields leave
	}
	seen := r.Each(n, what, t.names, func(name string, key, value *yaml.Node) {
		c := *t.byName[name]
		if c.name = key.Value; c.moves || c.name != name {
			r.words[r.at(value)] = path + c.name
		}
		r.field(value, c, into.FieldByIndex(c.index))
		if name == t.title {
			title = yamlfile.Resolve(value).Value
		}
	})
	if seen == nil {
		return
	}
	what = definite(what)
	if title != "" && !hasVariable(title) {
		title = singleSpaced(title)
	}
	if title != "" {
		what = fmt.Sprintf("%s %q", what, yamlfile.Short(title))
	}
	for _, c := range t.columns {
		if _, there := seen[c.name]; !there && c.required {
			r.Report(yamlfile.Resolve(n), "%s has no %s", what, strings.Join(append([]string{c.name}, c.aliases...), " or "))
		}
	}
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
	if value.Type() != reflect.TypeFor[Secret]() {
		into.FieldByName("Raw").SetString(rawOf(n))
	}
	if yamlfile.IsNull(n) && !c.required {
		into.FieldByName("Null").SetBool(true)
		return
	}
	before := r.Mistakes()
	r.value(n, c, value)
	into.FieldByName("Wrong").SetBool(r.Mistakes() > before)
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
	value, _ := into.Type().Elem().FieldByName("Value")
	isGroup := value.Type.Kind() == reflect.Struct && value.Type != reflect.TypeFor[Secret]()
	into.Set(reflect.MakeSlice(into.Type(), 0, len(yamlfile.Resolve(n).Content)))
	yamlfile.List(&r.Reader, n, c.name, func(item *yaml.Node) struct{} {
		into.SetLen(into.Len() + 1)
		r.field(item, entry, into.Index(into.Len()-1))
		if kind := yamlfile.Resolve(item).Kind; c.short == "" && isGroup && kind != yaml.MappingNode {
			into.Index(into.Len() - 1).FieldByName("Set").SetBool(false) // reported: it is nothing at all
		}
		return struct{}{}
	})
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
	r.Each(n, c.name, yamlfile.Names{Any: true}, func(name string, _, n *yaml.Node) {
		t := Text{Set: true, At: r.at(n), Raw: rawOf(n)}
		t.Value = r.text(n, column{name: c.item + " " + yamlfile.Short(name), form: c.form})
		(*into)[name] = t
	})
}
