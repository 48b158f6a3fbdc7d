package dump

import (
	"bytes"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
)

// branch is a mapping of the file. Its values are branches, lists, texts, numbers, switches, variables, and nil.
type branch = map[string]any

// variable stands for a secret by the name of a variable.
type variable string

// grown returns fields as a branch: a path becomes branches in branches.
func grown(fields plan.Fields) branch {
	b := branch{}
	for _, path := range slices.Sorted(maps.Keys(fields)) {
		into, rest := b, path
		for {
			key, more, is := strings.Cut(rest, ".")
			if !is {
				into[key] = value(fields[path])
				break
			}
			next, exists := into[key].(branch)
			if !exists {
				next = branch{}
				into[key] = next
			}
			into, rest = next, more
		}
	}
	return b
}

func value(v any) any {
	switch v := v.(type) {
	case plan.Fields: // names of a map, which may have dots
		b := branch{}
		for name, inner := range v {
			b[name] = value(inner)
		}
		return b
	case map[string]string:
		b := branch{}
		for name, text := range v {
			b[name] = text
		}
		return b
	case []plan.Fields:
		list := make([]any, len(v))
		for i, inner := range v {
			list[i] = grown(inner)
		}
		return list
	case []string:
		list := make([]any, len(v))
		for i, text := range v {
			list[i] = text
		}
		return list
	case []int:
		list := make([]any, len(v))
		for i, n := range v {
			list[i] = n
		}
		return list
	}
	return v
}

// encode returns a tree as YAML, with its keys in the order of the reference.
func encode(tree branch) ([]byte, error) {
	if len(tree) == 0 { // no YAML is no file
		tree = branch{"scopes": []any{}}
	}
	n, err := node(reflect.TypeFor[desired.File](), tree)
	if err != nil {
		return nil, fmt.Errorf("encode the file: %w", err)
	}
	var b bytes.Buffer
	e := yaml.NewEncoder(&b)
	e.SetIndent(2)
	if err := e.Encode(n); err != nil {
		return nil, fmt.Errorf("encode the file: %w", err)
	}
	return b.Bytes(), nil
}

// node returns a value whose model is a type: a struct of package desired for a branch.
func node(model reflect.Type, v any) (*yaml.Node, error) {
	switch v := v.(type) {
	case branch:
		return mapping(model, v)
	case variable:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: "${" + string(v) + "}"}, nil
	case string:
		n := &yaml.Node{}
		n.SetString(strings.ReplaceAll(v, "${", "$${"))
		return n, nil
	}
	n := &yaml.Node{}
	return n, n.Encode(v)
}

func mapping(model reflect.Type, b branch) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
	columns := columnsOf(model)
	if columns == nil { // names that people choose
		for _, name := range slices.Sorted(maps.Keys(b)) {
			columns = append(columns, column{name: name})
		}
	}
	for _, c := range columns {
		v, has := b[c.name]
		if !has {
			continue
		}
		var inner *yaml.Node
		var err error
		if list, is := v.([]any); is {
			inner, err = sequence(c, list)
		} else {
			inner, err = node(c.model, v)
		}
		if err != nil {
			return nil, err
		}
		name := &yaml.Node{}
		name.SetString(c.name)
		n.Content = append(n.Content, name, inner)
	}
	if len(n.Content) < 2*len(b) {
		return nil, fmt.Errorf("the model of %v lacks a key of %v", model, slices.Sorted(maps.Keys(b)))
	}
	return n, nil
}

// sequence returns a list. An entry that has only the field for which a text is short is that text.
func sequence(c column, list []any) (*yaml.Node, error) {
	n := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq", Style: yaml.FlowStyle}
	for _, v := range list {
		if entry, is := v.(branch); is && len(entry) == 1 && entry[c.short] != nil {
			v = entry[c.short]
		}
		inner, err := node(c.model, v)
		if err != nil {
			return nil, err
		}
		if inner.Kind != yaml.ScalarNode {
			n.Style = 0
		}
		n.Content = append(n.Content, inner)
	}
	return n, nil
}

// column is a key of a struct of package desired.
type column struct {
	name, short string
	model       reflect.Type // of the value, or of an entry of the list
}

// columnsOf returns the keys of a struct of package desired in the order of the reference; none for a map.
func columnsOf(model reflect.Type) (all []column) {
	if model == nil || model.Kind() != reflect.Struct {
		return nil
	}
	for f := range model.Fields() {
		if name := f.Tag.Get("yaml"); name != "" {
			c := column{name, f.Tag.Get("short"), valueOf(f.Type)}
			if c.model.Kind() == reflect.Slice {
				c.model = valueOf(c.model.Elem())
			}
			all = append(all, c)
		}
	}
	return all
}

// valueOf returns what a [desired.Field] holds.
func valueOf(field reflect.Type) reflect.Type {
	inner, _ := field.FieldByName("Value")
	return inner.Type
}
