package plan

import (
	"strings"
	"testing"
)

// compareDefinitions returns the difference between what a server gives back and what a file has; "" if there is none. Both are what
// stands below paths and components of a definition.
func compareDefinitions(t *testing.T, have, want string) string {
	t.Helper()
	text := func(rest string) string {
		return "openapi: 3.0.3\ninfo: {title: T, version: \"1\"}\n" + rest
	}
	d := readOpenAPI(t, text(want))
	return strings.TrimSpace(listed(DefinitionDifferences(definedAPI(t, "openapi: o.yaml", d), d, []byte(text(have)))))
}

// TestReferencesThatGoInCirclesAreCompared: the comparison ends.
func TestReferencesThatGoInCirclesAreCompared(t *testing.T) {
	body := func(schema, schemas string) string {
		return "paths: {/a: {get: {responses: {200: {description: ok, content: {a/b: {schema: {$ref: '#/components/schemas/" + schema + "'}}}}}}}}\ncomponents: {schemas: {" + schemas + "}}\n"
	}
	node := func(name, more string) string {
		return name + ": {properties: {next: {$ref: '#/components/schemas/" + name + "'}" + more + "}}"
	}
	both := node("Tree", "") + ", " + node("Node", "")
	for name, c := range map[string]struct{ have, want, differs string }{
		"a schema that names itself":       {body("Node", node("Node", "")), body("Node", node("Node", "")), ""},
		"equal ones under different names": {body("Tree", both), body("Node", both), ""},
		"different ones under other names": {body("Tree", node("Tree", ", a: {type: string}")+", "+node("Node", "")), body("Node", node("Tree", ", a: {type: string}")+", "+node("Node", "")), "schema.properties.a:a mapping"},
		"references that only name each other": {body("A", "A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}, C: {type: string}"),
			body("C", "A: {$ref: '#/components/schemas/B'}, B: {$ref: '#/components/schemas/A'}, C: {type: string}"), "schema:#/components/schemas/A] -> map"},
	} {
		got := compareDefinitions(t, c.have, c.want)
		if c.differs == "" && got != "" || !strings.Contains(got, c.differs) {
			t.Errorf("%s: %q, not %q", name, got, c.differs)
		}
	}
}

// TestParametersOfAPathAreThoseOfItsOperations: API-M gives them back at each operation. Those of the operation count more.
func TestParametersOfAPathAreThoseOfItsOperations(t *testing.T) {
	path := func(shared, own string) string {
		return "paths: {'/a/{id}': {parameters: [" + shared + "], get: {parameters: [" + own + "], responses: {200: {description: ok}}}, put: {responses: {200: {description: ok}}}}}\n"
	}
	id, other := "{name: id, in: path, required: true, schema: {type: string}}", "{name: id, in: path, required: true, schema: {type: integer}}"
	everywhere := "paths: {'/a/{id}': {get: {parameters: [" + id + "], responses: {200: {description: ok}}}, put: {parameters: [" + id + "], responses: {200: {description: ok}}}}}\n"
	overruled := strings.Replace(everywhere, id, other, 1)
	for name, c := range map[string]struct{ have, want, differs string }{
		"at each operation":                    {everywhere, path(id, ""), ""},
		"an operation overrules the path":      {overruled, path(id, other), ""},
		"the path does not overrule":           {everywhere, path(id, other), "get.parameters.path id.schema.type:string] -> "},
		"one operation lacks it on the server": {path("", id), path(id, ""), "put.parameters:a mapping"},
	} {
		got := compareDefinitions(t, c.have, c.want)
		if c.differs == "" && got != "" || !strings.Contains(got, c.differs) {
			t.Errorf("%s: %q, not %q", name, got, c.differs)
		}
	}
}

// TestANameThatPeopleChooseIsNoFieldOfOpenAPI: what OpenAPI calls a field may be the name of a property, too.
func TestANameThatPeopleChooseIsNoFieldOfOpenAPI(t *testing.T) {
	schema := func(properties string) string {
		return "paths: {/a: {get: {responses: {200: {description: ok}}}}}\ncomponents: {schemas: {S: {properties: {" + properties + "}}}}\n"
	}
	header := func(fields string) string {
		return "paths: {/a: {get: {responses: {200: {description: ok, headers: {X-Age: {" + fields + "schema: {type: string}}}}}}}}\n"
	}
	for name, c := range map[string]struct{ have, want, differs string }{
		"a property named as an extension":             {schema("id: {type: string}"), schema("id: {type: string}, x-id: {type: string}"), "properties.x-id:a mapping"},
		"a property named as a switch":                 {schema("id: {type: string}"), schema("id: {type: string}, deprecated: {type: string}"), "properties.deprecated:a mapping"},
		"a property named as a list":                   {schema("required: {type: string}"), schema("required: {type: integer}"), "properties.required.type:string"},
		"an extension below a property named as value": {schema("example: {type: string}"), schema("example: {type: string, x-more: 1}"), ""},
		"the default style of a header":                {header(""), header("style: simple, explode: false, "), ""},
		"another style of a header":                    {header(""), header("explode: true, "), "X-Age.explode:true"},
	} {
		got := compareDefinitions(t, c.have, c.want)
		if c.differs == "" && got != "" || !strings.Contains(got, c.differs) {
			t.Errorf("%s: %q, not %q", name, got, c.differs)
		}
	}
	elsewhere := "openapi: 3.0.3\ninfo: {title: T, version: \"1\"}\n" + schema("default: {$ref: other.yaml}")
	if _, mistakes := ReadOpenAPI([]byte(elsewhere)); len(mistakes) != 1 || !strings.Contains(mistakes[0].Text, `$ref "other.yaml" is in another document`) {
		t.Errorf("a property named as a value, with a reference to another document: %v", mistakes)
	}
}
