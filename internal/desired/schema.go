package desired

import (
	"bytes"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// node is a part of a JSON Schema.
type node = map[string]any

// withVariable is a text that a variable makes. The schema does not know its value.
var withVariable = node{"$ref": "#/$defs/variable"}

// Schema returns the JSON Schema (draft 2020-12) of a file, in all shapes, as indented JSON. It describes the form of each field. The
// rules that concern more than one field are not part of it.
func Schema() ([]byte, error) {
	s := schema{forms: forms(), defs: node{}}
	root := s.object("#", reflect.TypeFor[document]())
	s.defs["variable"] = node{"type": "string", "pattern": `\$\{`, "description": "A text with a variable."}
	maps.Copy(root, node{
		"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "Desired state of WSO2 API Manager and Identity Server",
		"description": "A file for API_CONFIG of the agent.", "$defs": s.defs,
	})
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	err := e.Encode(root)
	return b.Bytes(), err
}

// schema makes the schema from the table.
type schema struct {
	forms map[string]form
	defs  node
}

// object returns the schema of a struct of the model, which stands at a place in the schema.
func (s schema) object(at string, t reflect.Type) node {
	properties, rules := node{}, []any{}
	var required []string
	for _, c := range columns(t) {
		field := s.field(c)
		field["description"] = c.doc
		if c.fallback != "" {
			field["description"] = c.doc + " Default: " + c.fallback + "."
		}
		properties[c.name] = field
		names := []any{node{"required": []string{c.name}}}
		for _, alias := range c.aliases {
			properties[alias] = node{"$ref": at + "/properties/" + c.name, "description": "Another name of " + c.name + "."}
			names = append(names, node{"required": []string{alias}})
		}
		switch {
		case c.aliases == nil && c.required:
			required = append(required, c.name)
		case c.aliases != nil && c.required:
			rules = append(rules, node{"oneOf": names})
		case c.aliases != nil:
			rules = append(rules, node{"oneOf": append(names, node{"not": node{"anyOf": slices.Clone(names)}})})
		}
	}
	object := node{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		object["required"] = required
	}
	if len(rules) > 0 {
		object["allOf"] = rules
	}
	return object
}

// field returns the schema of what the file has for a field. Only a field that is not required may be null.
func (s schema) field(c column) node {
	if c.refuse != "" {
		return node{"not": node{}}
	}
	choices := s.value(c, c.kind)
	if !c.required {
		choices = append(choices, node{"type": "null"})
	}
	if len(choices) == 1 {
		return choices[0].(node)
	}
	return node{"anyOf": choices}
}

// value returns the schemas of which a value needs one.
func (s schema) value(c column, t reflect.Type) []any {
	switch t {
	case reflect.TypeFor[string]():
		return s.text(c, true)
	case reflect.TypeFor[Secret]():
		return s.text(c, false)
	case reflect.TypeFor[bool]():
		return []any{node{"type": "boolean"}, withVariable}
	case reflect.TypeFor[int]():
		number := node{"type": "integer", "minimum": c.min}
		if c.max > 0 {
			number["maximum"] = c.max
		}
		return []any{number, withVariable}
	case reflect.TypeFor[time.Duration]():
		return []any{node{"type": "integer", "minimum": 1, "maximum": longestSpan.Milliseconds()}, node{"type": "string", "pattern": spanPattern}, withVariable}
	case reflect.TypeFor[map[string]Text]():
		return []any{node{"type": "object", "additionalProperties": s.field(column{form: c.form, kind: reflect.TypeFor[string](), required: true})}}
	}
	if t.Kind() == reflect.Slice {
		inner, _ := t.Elem().FieldByName("Value")
		entry := column{short: c.short, values: c.values, form: c.form, min: c.min, max: c.max, kind: inner.Type, required: true}
		return []any{node{"type": "array", "items": s.field(entry)}}
	}
	return s.group(c, t)
}

// group returns the schemas of a struct, and of the text that is short for it.
func (s schema) group(c column, t reflect.Type) []any {
	if _, known := s.defs[t.Name()]; !known {
		s.defs[t.Name()] = nil // while it is made
		s.defs[t.Name()] = s.object("#/$defs/"+t.Name(), t)
	}
	all := []any{node{"$ref": "#/$defs/" + t.Name()}}
	for _, inner := range columns(t) {
		if c.short == inner.name {
			all = append(all, s.field(inner))
		}
	}
	return all
}

// text returns the schemas of a text. A number stands for its digits if they are such a text.
func (s schema) text(c column, mayBeEmpty bool) []any {
	if c.values != nil {
		var spellings []string
		all := []any{nil}
		for _, v := range c.values {
			spellings = append(spellings, v.spellings...)
			all = append(all, node{"type": "string", "pattern": v.pattern.String()})
		}
		all[0] = node{"enum": spellings} // which editors offer
		return append(all, withVariable)
	}
	f := s.forms[c.form]
	text := node{"type": "string"}
	least := f.least
	if !mayBeEmpty {
		least = max(least, 1)
	}
	if least > 0 {
		text["minLength"] = least
	}
	if f.most > 0 {
		text["maxLength"] = f.most
	}
	if f.pattern != "" {
		text["pattern"] = f.pattern
	}
	if f.not != "" {
		text["not"] = node{"type": "string", "pattern": f.not}
	}
	var also []any
	for _, pattern := range f.also {
		also = append(also, node{"pattern": pattern})
	}
	if also != nil {
		text["allOf"] = also
	}
	if number := f.numbers(); number != "" {
		text["type"] = []string{"string", number}
		if !f.takes("-1") {
			text["minimum"] = 0
		}
	}
	if strings.Join(slices.Sorted(maps.Keys(text)), "") == "type" {
		return []any{text}
	}
	return []any{text, withVariable}
}

// takes reports whether a text has the form.
func (f form) takes(text string) bool {
	_, err := f.apply(text)
	return err == nil
}

// numbers returns the type of numbers that have the form as they are written, or nothing.
func (f form) numbers() string {
	switch {
	case f.takes("1") && f.takes("1.5"):
		return "number"
	case f.takes("1"):
		return "integer"
	}
	return ""
}
