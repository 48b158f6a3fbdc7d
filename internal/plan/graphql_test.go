package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

func TestTheFieldsOfRootTypesAreOperations(t *testing.T) {
	for name, c := range map[string]struct{ text, want string }{
		"the usual names":      {"type Query { hello(name: String): String items: [Item!]! }\ntype Mutation { add(n: Int): Item }\ntype Item { n: Int }", "QUERY hello, QUERY items, MUTATION add"},
		"a schema":             {"schema { query: Q subscription: S } type Q { a: Int } type S { b: Int } type Query { c: Int } type Mutation { d: Int }", "QUERY a, SUBSCRIPTION b"},
		"an extended schema":   {"schema { query: Q }\nextend schema @link(url: \"u\") { mutation: M }\ntype Q { a: Int }\ntype M { b: Int }", "QUERY a, MUTATION b"},
		"extensions":           {"extend type Query { b: Int a: Int }\ntype Query { a: Int }", "QUERY b, QUERY a"},
		"comments and strings": {"# type Query { no: Int }\n\"\"\"type \\\"\"\" { no: Int }\"\"\"\ntype Query {\n  \"no: Int }\" a: Int # b: Int\n  \"\"\"c: Int\"\"\" type: String }", "QUERY a, QUERY type"},
		"arguments":            {`type Query { a(x: [Int!] = [1, -2.5e3], y: I = {b: "}", c: {d: 1}}): Int @deprecated(reason: ")") b: Int }`, "QUERY a, QUERY b"},
		"other definitions": {`directive @auth(role: R = ADMIN) repeatable on FIELD_DEFINITION | OBJECT
scalar Date @specifiedBy(url: "u")
enum R { ADMIN @deprecated USER }
union U @a = | A | B
input I @b { x: Int = 1 }
interface N & { id: ID }`, "an error"},
		"all definitions": {`directive @auth(role: R = ADMIN) repeatable on FIELD_DEFINITION | OBJECT
scalar Date @specifiedBy(url: "u")
enum R { ADMIN @deprecated USER }
union U @a = | A | type
input I @b { x: Int = 1 }
interface N implements & M & O @c { id: ID }
type Query implements N & M @auth(role: USER) { id: ID }
extend union U = C
extend scalar Date @d
type Empty`, "QUERY id"},
	} {
		d, mistakes := ReadGraphQL([]byte(c.text))
		var all []string
		for _, op := range d.Operations {
			all = append(all, op.Verb.Value+" "+op.Target.Value)
		}
		got := strings.Join(all, ", ")
		if len(mistakes) > 0 {
			got = "an error"
		}
		if got != c.want {
			t.Errorf("%s: %s, not %s (%v)", name, got, c.want, mistakes)
		}
	}
}

func TestAMistakeInASchemaHasItsPlace(t *testing.T) {
	for text, want := range map[string]string{
		"":                  `1:1: it has no query`,
		"type A { b: Int }": `1:1: it has no query`,
		"type Query { }":    `1:1: it has no query`,
		"schema { query: A } type Query { b: Int }": `1:1: it has no query`,
		"type Query {":                         `1:13: a name must stand here, not the end of the schema`,
		"type Query {\n  a Int\n}":             `2:5: ":" must stand here, not "Int"`,
		"type Query { a: [Int }":               "",
		"type Query { a(b: Int: Int }":         `1:29: ")" must stand here, not the end of the schema`,
		"type Query { a: Int }\nquery Q { a }": `2:1: a definition such as type or schema must stand here, not "query"`,
		"type Query { a: Int }\n\"x":           `2:1: a string does not end`,
		"type Query { a: Int }\n\"\"\"x":       `2:1: a string does not end`,
		"type Query { a: Int }; b":             `1:22: the character ';' has no meaning here`,
		"type Quäry { a: Int }":                `1:8: the character 'ä' has no meaning here`,
		"type Query { a: \xff }":               `0:0: it is no UTF-8 text`,
		"directive @a type Query { a: 1 }":     `1:14: "on" must stand here, not "type"`,
	} {
		_, mistakes := ReadGraphQL([]byte(text))
		got := ""
		for _, m := range mistakes {
			got += fmt.Sprintf("%d:%d: %s", m.Line, m.Column, m.Text)
			if m.Hint == "" {
				t.Errorf("no hint: %s", m.Text)
			}
		}
		if got != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
}

func FuzzReadGraphQL(f *testing.F) {
	f.Add("schema { query: Q } type Q @a(b: \"\"\"c\"\"\") { a(b: [Int] = 1): Int! }")
	f.Fuzz(func(t *testing.T, text string) {
		d, mistakes := ReadGraphQL([]byte(text))
		if (len(d.Operations) == 0) != (len(mistakes) == 1) {
			t.Errorf("%d operations and %v", len(d.Operations), mistakes)
		}
	})
}

func FuzzReadOpenAPI(f *testing.F) {
	f.Add(orders)
	f.Fuzz(func(t *testing.T, text string) {
		d, mistakes := ReadOpenAPI([]byte(text))
		if len(mistakes) > 0 {
			return
		}
		if path, _, _, differs := firstPart([]byte(text), d.document); differs {
			t.Errorf("a definition differs from itself: %s", path)
		}
	})
}

func TestALineOfASchemaThatChangesIsADifference(t *testing.T) {
	d, _ := ReadGraphQL([]byte("type Query {\n  a: Int\n}\n"))
	api := definedAPI(t, "type: GRAPHQL\nschema: s.graphql", d)
	for have, want := range map[string]string{
		"type Query {\n  a: Int\n}\n":           "",
		"type Query {\r\n  a: Int\r\n}":         "",
		"type Query {\n  b: Int\n}\n":           "schema: map[line 2:  b: Int] -> map[line 2:  a: Int]\n",
		"type Query {\n  a: Int\n}\n\n# more\n": "schema: map[line 4:] -> map[]\n",
		"type Query {":                          "schema: map[] -> map[line 2:  a: Int]\n",
	} {
		if got := listed(DefinitionDifferences(api, d, []byte(have))); got != want {
			t.Errorf("%q: %q, not %q", have, got, want)
		}
	}
	if got := listed(DefinitionDifferences(api, d, nil)); got != "schema: map[] -> map[the schema:as the file has it]\n" {
		t.Errorf("without a schema: %s", got)
	}
}

// TestTheFileAddsToWhatADefinitionSays: settings of operations of a GraphQL API, scopes, and the description.
func TestTheFileAddsToWhatADefinitionSays(t *testing.T) {
	d, _ := ReadGraphQL([]byte("type Query { a: Int b: Int }"))
	api := definedAPI(t, "type: GRAPHQL\nschema: s.graphql\noperations: [{target: b, verb: query, auth: None}]", d)
	var all []string
	for _, op := range api.Operations.Value {
		all = append(all, op.Value.Target.Value+" "+op.Value.Auth.Or("any"))
	}
	if !slices.Equal(all, []string{"a any", "b None"}) {
		t.Errorf("the operations are %q", all)
	}
	if gone := UndefinedOperations(apiFile(t, "type: GRAPHQL\nschema: s.graphql\noperations: [{target: c, verb: query}, {target: a, verb: query}]"), d); len(gone) != 1 || gone[0].Value.Target.Value != "c" {
		t.Errorf("not in the schema: %v", gone)
	}

	o := readOpenAPI(t, orders)
	api = definedAPI(t, "openapi: o.yaml\nscopes: [{name: read, local: true, description: Mine}, more]", o)
	have := Object{"scopes": []any{map[string]any{"scope": map[string]any{"name": "write", "bindings": []any{}}, "shared": true}}}
	got := apiScopesOf(APIBody(api, have, nil))
	want := map[string]any{"read": localScope("read", "Mine", []string{"Internal/creator", "admin"}), "more": sharedScope, "write": sharedScope}
	if !equal(got, want) {
		t.Errorf("the scopes are %v, not %v", got, want)
	}
	if api.Description.Value != "Takes orders" {
		t.Errorf("the description is %q", api.Description.Value)
	}
	if api = definedAPI(t, "openapi: o.yaml\ndescription: Mine", o); api.Description.Value != "Mine" {
		t.Errorf("the description is %q", api.Description.Value)
	}
	shared := Wanted{File: &desired.File{Scopes: given([]desired.Field[desired.Scope]{given(desired.Scope{Name: given("read")})})}}
	api = apiFile(t, "openapi: o.yaml")
	shared.Definitions = map[string]Definition{DefinitionKey(api.OpenAPI): o}
	if got := apiScopesOf(APIBody(shared.Defined(api), nil, nil))["read"]; got != sharedScope {
		t.Errorf("a scope that the file shares is %v", got)
	}
}
