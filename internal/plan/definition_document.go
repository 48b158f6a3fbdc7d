package plan

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/sorting"
)

// scalar is a text, a number or a switch of a definition.
type scalar struct {
	text   string
	number bool
}

// equals reports whether two scalars are the same. API-M writes a number as a text if its schema says so, and a time in another form.
func (s scalar) equals(other scalar) bool {
	if s.text == other.text {
		return true
	}
	if s.number || other.number {
		a, errA := strconv.ParseFloat(s.text, 64)
		b, errB := strconv.ParseFloat(other.text, 64)
		return errA == nil && errB == nil && a == b
	}
	a, errA := time.Parse(time.RFC3339, s.text)
	b, errB := time.Parse(time.RFC3339, other.text)
	return errA == nil && errB == nil && a.Equal(b)
}

// textIn returns the text at keys, one in the other; "" if there is none.
func textIn(m map[string]any, keys ...string) string {
	for _, key := range keys[:len(keys)-1] {
		m, _ = m[key].(map[string]any)
	}
	s, _ := m[keys[len(keys)-1]].(scalar)
	return s.text
}

// document is a definition as a tree of mappings, lists, and scalars.
type document struct{ root map[string]any }

// resolve returns what a local reference names; nil if it is nothing.
func (d document) resolve(ref string) any {
	var at any = d.root
	for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
		if text, err := url.PathUnescape(part); err == nil {
			part = text
		}
		part = strings.ReplaceAll(strings.ReplaceAll(part, "~1", "/"), "~0", "~")
		switch v := at.(type) {
		case map[string]any:
			at = v[part]
		case []any:
			i, err := strconv.Atoi(part)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			at = v[i]
		default:
			return nil
		}
	}
	return at
}

// follow returns what a value is behind its references.
func (d document) follow(value any) any {
	for range 20 { // a circle of references ends
		m, _ := value.(map[string]any)
		ref := refOf(m)
		if ref == "" {
			return value
		}
		value = d.resolve(ref)
	}
	return nil
}

// refOf returns the reference that a mapping is; "" if it is none.
func refOf(m map[string]any) string {
	s, _ := m["$ref"].(scalar)
	return s.text
}

// compared are the parts of a definition that are compared. API-M writes the other ones itself: title, version and description of the
// API, its servers, security, and its own extensions.
var compared = []string{"paths", "components", "tags", "externalDocs", "webhooks", "definitions", "parameters", "responses"}

// cleaned returns the parts that are compared, in the form in which what API-M gives back equals what it was given. Extensions and
// security are left out, and what OpenAPI has by default. The order does not count where it has no meaning.
func (d document) cleaned() document {
	made := map[string]any{}
	for _, key := range compared {
		value := d.clean(d.root[key], ofOpenAPI.of(key, false), "")
		if key == "paths" {
			value = d.paths()
		}
		if key == "tags" {
			value = d.keyed(d.root[key], "name")
		}
		if !isEmpty(value) {
			made[key] = value
		}
	}
	return document{made}
}

// paths returns the paths that have operations. The parameters of a path are those of each operation.
func (d document) paths() map[string]any {
	all, made := map[string]any{}, map[string]any{}
	if paths, is := d.root["paths"].(map[string]any); is {
		all = paths
	}
	for path, value := range all {
		item, _ := d.follow(value).(map[string]any)
		shared := d.keyed(item["parameters"], "in", "name")
		into, operations := map[string]any{}, 0
		for key, value := range item {
			switch {
			case slices.Contains(verbsOfOpenAPI, key):
				op, _ := d.clean(value, ofOpenAPI, "").(map[string]any)
				d.addParameters(op, shared)
				into[key] = op
				operations++
			case key == "summary", key == "description":
				into[key] = value
			}
		}
		if operations > 0 {
			made[path] = into
		}
	}
	return made
}

// addParameters adds parameters that an operation does not have itself.
func (d document) addParameters(op map[string]any, shared map[string]any) {
	if op == nil || len(shared) == 0 {
		return
	}
	own, _ := op["parameters"].(map[string]any)
	all := maps.Clone(shared)
	maps.Copy(all, own)
	op["parameters"] = all
}

// keyed returns the mappings of a list by what identifies them, because their order has no meaning.
func (d document) keyed(value any, by ...string) map[string]any {
	list, _ := value.([]any)
	all := map[string]any{}
	for _, item := range list {
		m, is := d.follow(item).(map[string]any)
		if !is {
			continue
		}
		var key []string
		for _, field := range by {
			key = append(key, textIn(m, field))
		}
		all[strings.Join(key, " ")] = d.clean(m, ofOpenAPI, "")
	}
	return all
}

// left out of a mapping of OpenAPI, because API-M writes it itself.
var leftOut = []string{"security", "servers", "securitySchemes"}

// falseByDefault are switches that mean the same as false and if they are not there.
var falseByDefault = []string{
	"allowEmptyValue", "allowReserved", "deprecated", "exclusiveMaximum", "exclusiveMinimum", "nullable", "readOnly", "required", "uniqueItems", "writeOnly",
}

// clean returns a value in the form in which it is compared. within is the key whose names the mapping belongs to.
func (d document) clean(value any, r role, within string) any {
	switch v := value.(type) {
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = d.clean(v[i], r, "")
		}
		return list
	case map[string]any:
		switch {
		case r == literal:
			return v
		case r == names:
			made := map[string]any{}
			for key := range v {
				made[key] = d.clean(v[key], ofOpenAPI, within)
			}
			return made
		case refOf(v) != "": // what stands next to a reference does not count
			return map[string]any{"$ref": v["$ref"]}
		}
		return d.cleanFields(v, within)
	}
	return value
}

// cleanFields cleans a mapping of OpenAPI.
func (d document) cleanFields(v map[string]any, within string) map[string]any {
	made := map[string]any{}
	for key, value := range v {
		_, isList := value.([]any)
		r := ofOpenAPI.of(key, isList)
		within := ""
		if r == names {
			within = key
		}
		switch {
		case strings.HasPrefix(key, "x-"), slices.Contains(leftOut, key), slices.Contains(falseByDefault, key) && value == any(scalar{text: "false"}):
			continue
		case key == "parameters" && isList:
			value = d.keyed(value, "in", "name")
		case key == "required" && isList:
			value = required(value.([]any), v["properties"])
		case key == "tags" && isList:
			value = sorted(value.([]any))
		default:
			value = d.clean(value, r, within)
		}
		if !isEmpty(value) {
			made[key] = value
		}
	}
	withoutStyle(made, within)
	withoutType(made)
	return made
}

// isEmpty reports whether a value means the same as none.
func isEmpty(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}

// withoutStyle leaves out how a parameter, a header or an encoding is written if that is the default.
func withoutStyle(m map[string]any, within string) {
	style := map[string]string{"query": "form", "cookie": "form", "path": "simple", "header": "simple"}[textIn(m, "in")]
	switch within {
	case "headers":
		style = "simple"
	case "encoding":
		style = "form"
	}
	if style == "" {
		return
	}
	if s := textIn(m, "style"); s != "" && s != style {
		style = s
	} else {
		delete(m, "style")
	}
	if textIn(m, "explode") == fmt.Sprint(style == "form") {
		delete(m, "explode")
	}
}

// withoutType leaves out a type that follows from other fields: API-M's parser adds it.
func withoutType(m map[string]any) {
	switch {
	case textIn(m, "type") == "object" && (m["properties"] != nil || m["additionalProperties"] != nil),
		textIn(m, "type") == "array" && m["items"] != nil:
		delete(m, "type")
	}
}

// required returns the fields that a schema requires, as far as it has them: API-M's parser drops the other ones.
func required(list []any, properties any) []any {
	known, _ := properties.(map[string]any)
	return sorted(slices.DeleteFunc(slices.Clone(list), func(item any) bool {
		s, is := item.(scalar)
		_, has := known[s.text]
		return is && len(known) > 0 && !has
	}))
}

func sorted(list []any) []any {
	sorted := slices.Clone(list)
	sorting.By(sorted, func(a, b any) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return sorted
}

// comparison compares two cleaned documents.
type comparison struct {
	have, want document
	pairs      map[[2]string]bool // references that have been followed, or are
}

// firstPart returns the first part of a definition that differs from what the server gives back, in the order of the paths.
func firstPart(have []byte, want document) (path string, was, is any, differs bool) {
	if have == nil {
		return "the definition", nil, "as the file has it", true
	}
	o := &openAPI{places: map[string]*yaml.Node{}}
	root, err := parseOpenAPI(have)
	if err != nil {
		return "the definition", "one that the agent cannot read", "as the file has it", true
	}
	o.document.root, _ = o.tree(root, ofOpenAPI).(map[string]any)
	c := comparison{o.document.cleaned(), want, map[[2]string]bool{}}
	return c.first("", c.have.root, want.root)
}

// first returns the first difference at and below a path.
func (c *comparison) first(path string, have, want any) (at string, was, is any, differs bool) {
	h, areMaps := have.(map[string]any)
	w, isMap := want.(map[string]any)
	if areMaps && isMap {
		if hr, wr := refOf(h), refOf(w); hr != "" || wr != "" {
			return c.behind(path, h, w, hr, wr)
		}
		keys := map[string]bool{}
		for key := range h {
			keys[key] = true
		}
		for key := range w {
			keys[key] = true
		}
		for _, key := range slices.Sorted(maps.Keys(keys)) {
			below := strings.TrimPrefix(path+"."+key, ".")
			if at, was, is, differs = c.first(below, h[key], w[key]); differs {
				return at, was, is, true
			}
		}
		return "", nil, nil, false
	}
	if hl, are := have.([]any); are {
		if wl, is := want.([]any); is && len(hl) == len(wl) {
			for i := range hl {
				if at, was, is, differs := c.first(fmt.Sprintf("%s[%d]", path, i), hl[i], wl[i]); differs {
					return at, was, is, true
				}
			}
			return "", nil, nil, false
		}
	}
	if hs, are := have.(scalar); are {
		if ws, is := want.(scalar); is && hs.equals(ws) {
			return "", nil, nil, false
		}
	}
	return path, have, want, have != nil || want != nil
}

// behind compares two values of which at least one is a reference. The same reference on both sides is the same: what it names is
// compared at its own place. Otherwise what they name counts, because API-M may write out what a reference names.
func (c *comparison) behind(path string, h, w map[string]any, hr, wr string) (at string, was, is any, differs bool) {
	if hr == wr || c.pairs[[2]string{hr, wr}] && hr != "" && wr != "" {
		return "", nil, nil, false
	}
	c.pairs[[2]string{hr, wr}] = true
	have, want := any(h), any(w)
	if hr != "" {
		have = c.have.follow(h)
	}
	if wr != "" {
		want = c.want.follow(w)
	}
	if have == nil || want == nil {
		return path, h, w, true
	}
	return c.first(path, have, want)
}
