package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

const orders = `openapi: 3.0.3
info: {title: Orders, version: "1", description: "  Takes orders\n"}
tags: [{name: b}, {name: a, description: About a}]
paths:
  /orders/{id}:
    parameters: [{$ref: '#/components/parameters/ID'}]
    get:
      summary: Read one
      tags: [b, a]
      parameters: [{name: q, in: query, required: false, schema: {type: string}}]
      responses: {200: {$ref: '#/components/responses/One'}}
      security: [{login: [read]}]
    put:
      x-auth-type: None
      x-throttling-tier: 10KPerMin
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}, example: {at: "2020-01-01T00:00:00Z", n: 1.0}}}}
      responses: {"204": {description: done}}
    trace: {responses: {"200": {description: ok}}}
  /health:
    head: {deprecated: false, responses: {default: {description: ok, headers: {X-Age: {schema: {type: integer}}}}}}
components:
  parameters: {ID: {name: id, in: path, required: true, schema: {type: string}}}
  responses: {One: {description: one, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}
  schemas:
    Order: {type: object, required: [note, id], properties: {id: {type: integer, minimum: 1}, note: {type: string}, security: {type: string}, parent: {$ref: '#/components/schemas/Order'}}}
  securitySchemes:
    login: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://l", scopes: {read: Read orders, write: ""}, x-scopes-bindings: {read: "admin,Internal/creator"}}}}
    key: {type: apiKey, in: header, name: k}
`

// readOpenAPI reads a definition that has no mistakes.
func readOpenAPI(t *testing.T, text string) Definition {
	t.Helper()
	d, mistakes := ReadOpenAPI([]byte(text))
	if len(mistakes) > 0 {
		t.Fatalf("%v\n%s", mistakes, text)
	}
	return d
}

// operationLines returns a line for each operation and each scope of a definition.
func operationLines(d Definition) (all []string) {
	for _, op := range d.Operations {
		all = append(all, fmt.Sprintf("%s %s %q %q %v", op.Verb.Value, op.Target.Value, op.Auth.Value, op.ThrottlingPolicy.Value, valuesOf(op.Scopes)))
	}
	for _, s := range d.Scopes {
		all = append(all, fmt.Sprintf("%s %q %v %t", s.Name.Value, s.Description.Value, valuesOf(s.Roles), s.Local.Value))
	}
	return all
}

func TestADefinitionGivesOperationsAndScopes(t *testing.T) {
	swagger := `{"swagger": "2.0", "info": {"title": "t", "version": "1 \ud83d\ude00"}, "paths": {"/p": {"get": {"responses": {"200": {"description": "ok"}}, "security": [{"o": ["a"]}]}}},
	"securityDefinitions": {"o": {"type": "oauth2", "flow": "accessCode", "scopes": {"a": "A", "x-more": 1}}}}`
	own := strings.Replace(orders, "    key: ", "    default: {type: oauth2, flows: {implicit: {scopes: {mine: Mine}}}}\n    key: ", 1)
	for name, c := range map[string]struct {
		text string
		want []string
	}{
		"version 3": {orders, []string{
			`HEAD /health "" "" []`, `GET /orders/{id} "" "" [read]`, `PUT /orders/{id} "None" "10KPerMin" []`,
			`read "Read orders" [Internal/creator admin] true`, `write "" [] true`,
		}},
		"API-M's own scheme counts alone": {own, []string{
			`HEAD /health "" "" []`, `GET /orders/{id} "" "" []`, `PUT /orders/{id} "None" "10KPerMin" []`, `mine "Mine" [] true`,
		}},
		"version 2 in JSON": {swagger, []string{`GET /p "" "" [a]`, `a "A" [] true`}},
	} {
		d := readOpenAPI(t, c.text)
		if got := operationLines(d); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nnot\n%s", name, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	if d := readOpenAPI(t, orders); d.Description != "Takes orders" {
		t.Errorf("the description is %q", d.Description)
	}
}

func TestMistakesInADefinitionHaveTheirPlace(t *testing.T) {
	change := func(old, new string) string { return strings.Replace(orders, old, new, 1) }
	bomb := "openapi: 3.0.1\na: &a [1,1,1,1,1,1,1,1,1,1]\n"
	for c := 'b'; c < 'j'; c++ {
		bomb += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	for name, c := range map[string]struct{ text, want string }{
		"no YAML":                   {"a: [", "1:1: did not find"},
		"empty":                     {"", "0:0: it is empty: it needs an OpenAPI definition"},
		"a list":                    {"[a]", "1:1: it is no OpenAPI definition"},
		"no version":                {"a: 1", "1:1: it is no OpenAPI definition: it has neither openapi nor swagger"},
		"another version":           {change("3.0.3", "4.0.0"), `1:1: API-M does not read version "4.0.0" of OpenAPI`},
		"no title":                  {change("title: Orders, ", ""), "1:1: info has no title"},
		"no operation":              {"openapi: 3.0.1\ninfo: {title: t, version: 1}\npaths: {/a: {summary: s}}", "3:1: it has no operation"},
		"another file":              {change("#/components/schemas/Order'}, example", "order.yaml#/Order'}, example"), `16:65: $ref "order.yaml#/Order" is in another document`},
		"another site":              {change("'#/components/parameters/ID'", "https://o.example/id"), `6:25: $ref "https://o.example/id" is in another document`},
		"nothing":                   {change("'#/components/responses/One'", "'#/components/responses/Two'"), `11:31: $ref "#/components/responses/Two" leads to nothing`},
		"a scope without a scheme":  {change("login: [read]", "login: [remove]"), `4:1: GET /orders/{id} needs the scope "remove", which its security scheme does not declare`},
		"aliases for billions":      {bomb, "0:0: its aliases (*name) make more than 1000000 values of it"},
		"an alias to itself":        {"openapi: &a {b: *a}", "its aliases (*name) make more than"},
		"a reference in an example": {change("n: 1.0", "$ref: other.yaml"), ""},
		"a property named $ref":     {change("note: {type", "$ref: {type"), ""},
		"a reference behind <<":     {change("components:", "x-base: &base {$ref: a.yaml}\ncomponents:"), `$ref "a.yaml" is in another document`},
	} {
		_, mistakes := ReadOpenAPI([]byte(c.text))
		var all []string
		for _, m := range mistakes {
			all = append(all, fmt.Sprintf("%d:%d: %s", m.Line, m.Column, m.Text))
			if m.Hint == "" {
				t.Errorf("%s: no hint: %s", name, m.Text)
			}
		}
		if got := strings.Join(all, "\n"); c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, not %s", name, got, c.want)
		}
	}
}

// TestWhatChangesInADefinitionIsADifference changes one thing at a time. Both sides are definitions as people write them.
func TestWhatChangesInADefinitionIsADifference(t *testing.T) {
	d := readOpenAPI(t, orders)
	api := definedAPI(t, "openapi: o.yaml", d)
	for name, c := range map[string]struct{ old, new, want string }{
		"nothing":                         {"a", "a", ""},
		"a summary":                       {"Read one", "Read it", `openapi: map[paths./orders/{id}.get.summary:Read it] -> map[paths./orders/{id}.get.summary:Read one]`},
		"no summary":                      {"      summary: Read one\n", "", `openapi: map[] -> map[paths./orders/{id}.get.summary:Read one]`},
		"another operation":               {"  /health:\n    head", "  /health:\n    get", `openapi: map[paths./health.get:a mapping] -> map[]`},
		"a parameter":                     {"name: q", "name: r", `openapi: map[] -> map[paths./orders/{id}.get.parameters.query q:a mapping]`},
		"a parameter that is required":    {"required: false", "required: true", `openapi: map[paths./orders/{id}.get.parameters.query q.required:true] -> map[]`},
		"a parameter of the path":         {"required: true, schema: {type: string}", "required: true, schema: {type: integer}", `parameters.ID.schema.type:integer`},
		"a body":                          {"application/json: {schema: {$ref: '#/components/schemas/Order'}, example", "text/plain: {schema: {$ref: '#/components/schemas/Order'}, example", `requestBody.content.application/json:a mapping`},
		"an example":                      {"n: 1.0", "n: 2", `example.n:2] -> map[paths./orders/{id}.put.requestBody.content.application/json.example.n:1.0]`},
		"a response":                      {`"204"`, `"205"`, `responses.204:a mapping`},
		"a header of a response":          {"X-Age: {schema: {type: integer}}", "X-Age: {schema: {type: string}}", `headers.X-Age.schema.type:string`},
		"a field of a schema":             {"note: {type: string}", "note: {type: integer}", `openapi: map[components.schemas.Order.properties.note.type:integer]`},
		"a field more":                    {"note: {type: string}", "note: {type: string}, any: {}", `openapi: map[components.schemas.Order.properties.any:a mapping] -> map[]`},
		"a field named security":          {"security: {type: string}", "style: {type: string}", `properties.security:a mapping`},
		"a required field":                {"[note, id]", "[id]", `components.schemas.Order.required`},
		"a bound":                         {"minimum: 1", "minimum: 2", `properties.id.minimum:2`},
		"a description":                   {"description: done", "description: over", `responses.204.description:over`},
		"a tag's description":             {"About a", "On a", `openapi: map[tags.a.description:On a]`},
		"the order of tags":               {"tags: [b, a]", "tags: [a, b]", ""},
		"the order of required fields":    {"[note, id]", "[id, note]", ""},
		"a required field that is not":    {"[note, id]", "[note, id, gone]", ""},
		"a default":                       {"required: false, ", "style: form, explode: true, ", ""},
		"a style":                         {"required: false, ", "style: spaceDelimited, ", `query q.style:spaceDelimited`},
		"a list that is not exploded":     {"required: false, ", "explode: false, ", `query q.explode:false`},
		"a number as text":                {"n: 1.0", "n: '1'", ""},
		"a time in another form":          {"2020-01-01T00:00:00Z", "2020-01-01T00:00:00.000Z", ""},
		"the type of an object":           {"Order: {type: object, ", "Order: {", ""},
		"an extension":                    {"summary: Read one", "summary: Read one\n      x-more: 1", ""},
		"security":                        {"security: [{login: [read]}]", "security: [{login: [read]}, {default: []}]", ""},
		"an operation that API-M ignores": {"    trace: {responses: {\"200\": {description: ok}}}\n", "", ""},
		"the title":                       {"title: Orders", "title: Other", ""},
		"a reference written out":         {"200: {$ref: '#/components/responses/One'}", "200: {description: one, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}", ""},
		"a reference written out wrongly": {"200: {$ref: '#/components/responses/One'}", "200: {description: two, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}", `responses.200.description:two`},
		"a schema under another name":     {"    Order: {", "    Other: {$ref: '#/components/schemas/Order'}\n    Order: {", `openapi: map[components.schemas.Other:#/components/schemas/Order] -> map[]`},
		"nothing that can be read":        {orders, "[", "one that the agent cannot read"},
	} {
		if !strings.Contains(orders, c.old) {
			t.Fatalf("%s: nothing to change", name)
		}
		got := listed(DefinitionDifferences(api, d, []byte(strings.Replace(orders, c.old, c.new, 1))))
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, not %q", name, got, c.want)
		}
	}
	if got := listed(DefinitionDifferences(api, d, nil)); got != "openapi: map[] -> map[the definition:as the file has it]\n" {
		t.Errorf("without a definition: %s", got)
	}
}
