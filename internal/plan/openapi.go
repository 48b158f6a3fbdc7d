package plan

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"

	"go.yaml.in/yaml/v3"

	"wso2agent/internal/desired"
	"wso2agent/internal/yamlfile"
)

// mostValues is the most values that an OpenAPI definition may have. A definition of 10 MiB has about half of that.
const mostValues = 1_000_000

// verbsOfOpenAPI are the operations of a path that API-M knows, in its own order.
var verbsOfOpenAPI = []string{"get", "put", "post", "delete", "patch", "head", "options"}

// openAPI is a definition while it is read. It collects mistakes.
type openAPI struct {
	document
	places   map[string]*yaml.Node // of local references, to report them
	mistakes []Mistake
}

// ReadOpenAPI reads an OpenAPI definition of version 2.0, 3.0 or 3.1 in YAML or JSON, and returns all mistakes that it can see without a
// server. A definition with a mistake is of no use.
func ReadOpenAPI(text []byte) (Definition, []Mistake) {
	root, err := parseOpenAPI(text)
	if err != nil {
		m := Mistake{Text: err.Error(), Hint: "correct the definition"}
		if _, failed := fmt.Sscanf(m.Text, "line %d:", &m.Line); failed == nil {
			_, m.Text, _ = strings.Cut(m.Text, ": ")
			m.Column = 1
		}
		return Definition{}, []Mistake{m}
	}
	o := &openAPI{places: map[string]*yaml.Node{}}
	if root.Kind != yaml.MappingNode {
		o.report(root, "name a file that has openapi and paths at its top", "it is no OpenAPI definition")
		return Definition{}, o.mistakes
	}
	o.root, _ = o.tree(root, ofOpenAPI).(map[string]any)
	o.checkVersion(root)
	o.checkInfo(root)
	o.checkReferences()
	d := Definition{Text: text, Scopes: o.scopes()}
	d.Operations = o.operations(root, d.Scopes)
	d.Description = strings.TrimSpace(textIn(o.root, "info", "description"))
	d.document = o.document.cleaned()
	return d, o.mistakes
}

// parseOpenAPI parses YAML or JSON.
func parseOpenAPI(text []byte) (*yaml.Node, error) {
	return yamlfile.ParseMost(withoutSurrogates(text), "an OpenAPI definition", mostValues)
}

func (o *openAPI) report(n *yaml.Node, hint, format string, args ...any) {
	o.mistakes = append(o.mistakes, Mistake{Line: n.Line, Column: n.Column, Text: fmt.Sprintf(format, args...), Hint: hint})
}

func (o *openAPI) checkVersion(root *yaml.Node) {
	version := textIn(o.root, "openapi")
	old := textIn(o.root, "swagger")
	switch {
	case strings.HasPrefix(version, "3.0") || strings.HasPrefix(version, "3.1"), version == "" && old == "2.0":
	case version == "" && old == "":
		o.report(root, "name a file that has openapi: 3.0.3 or another version", "it is no OpenAPI definition: it has neither openapi nor swagger")
	default:
		o.report(root, "write the definition in version 3.0, 3.1 or 2.0", "API-M does not read version %q of OpenAPI", version+old)
	}
}

// checkInfo reports what API-M refuses to be without.
func (o *openAPI) checkInfo(root *yaml.Node) {
	for _, key := range []string{"title", "version"} {
		if textIn(o.root, "info", key) == "" {
			o.report(root, "add it: API-M refuses a definition without it", "info has no %s", key)
		}
	}
}

// checkReferences reports references within the definition that lead nowhere.
func (o *openAPI) checkReferences() {
	for _, ref := range slices.Sorted(maps.Keys(o.places)) {
		if o.resolve(ref) == nil {
			o.report(o.places[ref], "correct it", "$ref %q leads to nothing in the definition", ref)
		}
	}
}

// operations returns the operations as API-M derives them. Its authentication and policy count only if the definition names them.
func (o *openAPI) operations(root *yaml.Node, scopes []desired.Scope) (all []desired.Operation) {
	paths, _ := o.root["paths"].(map[string]any)
	at := root
	for i := 0; i+1 < len(root.Content); i += 2 {
		if root.Content[i].Value == "paths" {
			at = root.Content[i]
		}
	}
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		item, _ := o.follow(paths[path]).(map[string]any)
		for _, verb := range verbsOfOpenAPI {
			if op, is := item[verb].(map[string]any); is {
				all = append(all, o.operation(at, path, strings.ToUpper(verb), op, scopes))
			}
		}
	}
	if len(all) == 0 {
		o.report(at, "add a path with an operation: API-M refuses an API without one", "it has no operation")
	}
	return all
}

func (o *openAPI) operation(at *yaml.Node, path, verb string, op map[string]any, scopes []desired.Scope) desired.Operation {
	made := desired.Operation{Target: given(path), Verb: given(verb), Scopes: textsField(o.scopesOf(op))}
	if auth := textIn(op, "x-auth-type"); auth != "" {
		if auth != "None" && auth != "Application" {
			auth = anyToken
		}
		made.Auth = given(auth)
	}
	if policy := textIn(op, "x-throttling-tier"); policy != "" {
		made.ThrottlingPolicy = given(policy)
	}
	for _, s := range made.Scopes.Value {
		if !slices.ContainsFunc(scopes, func(d desired.Scope) bool { return d.Name.Value == s.Value }) {
			o.report(at, "add it to the flows of the scheme", "%s %s needs the scope %q, which its security scheme does not declare", verb, path, s.Value)
		}
	}
	return made
}

// schemes returns the security schemes of OAuth 2 by which API-M reads scopes: its own one, default, if it is there, or else all.
func (o *openAPI) schemes() map[string]map[string]any {
	all := map[string]map[string]any{}
	components, _ := o.root["components"].(map[string]any)
	for _, section := range []any{components["securitySchemes"], o.root["securityDefinitions"]} {
		named, _ := section.(map[string]any)
		for name, s := range named {
			if scheme, is := o.follow(s).(map[string]any); is && textIn(scheme, "type") == "oauth2" {
				all[name] = scheme
			}
		}
	}
	if own, has := all["default"]; has {
		return map[string]map[string]any{"default": own}
	}
	return all
}

// scopesOf returns the scopes that an operation names in its own security.
func (o *openAPI) scopesOf(op map[string]any) (scopes []string) {
	schemes := o.schemes()
	list, _ := op["security"].([]any)
	for _, requirement := range list {
		named, _ := requirement.(map[string]any)
		for name, values := range named {
			if schemes[name] == nil {
				continue
			}
			texts, _ := values.([]any)
			for _, value := range texts {
				if s, is := value.(scalar); is && s.text != "" {
					scopes = append(scopes, s.text)
				}
			}
		}
	}
	return scopes
}

// scopes returns the scopes that the schemes declare. Roles count only if the definition binds some.
func (o *openAPI) scopes() (all []desired.Scope) {
	schemes, known := o.schemes(), map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(schemes)) {
		flows, _ := schemes[name]["flows"].(map[string]any)
		list := []any{schemes[name]} // version 2.0 has its flow in the scheme
		for _, flow := range slices.Sorted(maps.Keys(flows)) {
			list = append(list, flows[flow])
		}
		for _, flow := range list {
			fields, _ := flow.(map[string]any)
			declared, _ := fields["scopes"].(map[string]any)
			for _, scope := range slices.Sorted(maps.Keys(declared)) {
				if !known[scope] && !strings.HasPrefix(scope, "x-") {
					known[scope] = true
					all = append(all, definedScope(scope, declared[scope], textIn(fields, "x-scopes-bindings", scope)))
				}
			}
		}
	}
	return all
}

func definedScope(name string, description any, roles string) desired.Scope {
	s := desired.Scope{Name: given(name), Local: given(true)}
	if text, is := description.(scalar); is && text.text != "" {
		s.Description = given(text.text)
	}
	if roles != "" {
		s.Roles = textsField(strings.FieldsFunc(roles, func(r rune) bool { return r == ',' || r == ' ' }))
	}
	return s
}

// role is what the keys of a mapping are.
type role int

const (
	ofOpenAPI role = iota // fields of OpenAPI
	names                 // names that people choose, of fields of OpenAPI
	literal               // a value that OpenAPI does not look into
)

var (
	haveNames = set([]string{
		"$defs", "callbacks", "content", "definitions", "dependentSchemas", "encoding", "examples", "headers", "links", "mapping", "parameters",
		"pathItems", "paths", "patternProperties", "properties", "requestBodies", "responses", "schemas", "scopes", "securityDefinitions",
		"securitySchemes", "variables", "webhooks",
	})
	areLiteral = set([]string{"const", "default", "enum", "example", "value"})
)

// of returns the role of the value of a key.
func (r role) of(key string, isList bool) role {
	switch {
	case r == literal:
		return literal
	case r == names:
		return ofOpenAPI
	case slices.Contains(areLiteral, key), key == "examples" && isList:
		return literal
	case !isList && slices.Contains(haveNames, key):
		return names
	}
	return ofOpenAPI
}

// tree returns a node as mappings, lists and scalars, and collects its references.
func (o *openAPI) tree(n *yaml.Node, r role) any {
	for n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	switch n.Kind {
	case yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Tag == "!!merge" {
				continue
			}
			m[key.Value] = o.tree(value, r.of(key.Value, value.Kind == yaml.SequenceNode))
			if r == ofOpenAPI && key.Value == "$ref" && value.Kind == yaml.ScalarNode {
				o.reference(value)
			}
		}
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Tag == "!!merge" { // it adds what is not there
				o.merge(m, n.Content[i+1], r)
			}
		}
		return m
	case yaml.SequenceNode:
		list := []any{}
		for _, item := range n.Content {
			list = append(list, o.tree(item, r))
		}
		return list
	}
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!int", "!!float":
		return scalar{n.Value, true}
	}
	return scalar{n.Value, false}
}

func (o *openAPI) merge(into map[string]any, n *yaml.Node, r role) {
	switch more := o.tree(n, r).(type) {
	case map[string]any:
		for key, value := range more {
			if _, has := into[key]; !has {
				into[key] = value
			}
		}
	case []any:
		for _, item := range n.Content {
			o.merge(into, item, r)
		}
	}
}

// reference notes a local reference, and reports one to another document: API-M would not find that.
func (o *openAPI) reference(n *yaml.Node) {
	switch {
	case strings.HasPrefix(n.Value, "#/"):
		if o.places[n.Value] == nil {
			o.places[n.Value] = n
		}
	case !strings.HasPrefix(n.Value, "#"):
		o.report(n, "put what it names into the definition itself, for example with a bundler", "$ref %q is in another document", yamlfile.Short(n.Value))
	}
}

var surrogates = regexp.MustCompile(`\\\\|\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}`)

// withoutSurrogates writes out characters that JSON escapes as two halves, which YAML does not know.
func withoutSurrogates(text []byte) []byte {
	return surrogates.ReplaceAllFunc(text, func(pair []byte) []byte {
		if len(pair) != 12 {
			return pair
		}
		high, _ := strconv.ParseUint(string(pair[2:6]), 16, 16)
		low, _ := strconv.ParseUint(string(pair[8:12]), 16, 16)
		return []byte(string(utf16.DecodeRune(rune(high), rune(low))))
	})
}
