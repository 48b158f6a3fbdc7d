package wso2sim

import (
	"encoding/pem"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// form sends a multipart form.
func (p *pair) form(method, path string, fields map[string]string) reply {
	p.t.Helper()
	body, contentType := multipartBody(p.t, fields)
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.publisher(path), strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin")
	req.Header.Set("Content-Type", contentType)
	return do(p.t, req)
}

const testSchema = "type Query { orders(limit: Int): [Order] }\ntype Order { id: ID }\n"

func TestDesignTimeObjectsSurviveARestart(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	document := send(t, "POST", p.publisher("/apis/"+id+"/documents"), admin, object{
		"name": "How to", "type": "HOWTO", "summary": "s", "sourceType": "INLINE", "visibility": "API_LEVEL",
	}).want(t, 201).str("documentId")
	p.form("POST", "/apis/"+id+"/documents/"+document+"/content", map[string]string{"inlineContent": "Hello"}).want(t, 201)
	properties := `{"name":"G","version":"1.0.0","context":"/g","policies":["Unlimited"],"operations":[{"target":"orders","verb":"QUERY"}]}`
	graph := p.form("POST", "/apis/import-graphql-schema", map[string]string{
		"type": "GraphQL", "file": testSchema, "additionalProperties": properties,
	}).want(t, 201).str("id")
	definition := `{"openapi":"3.0.1","info":{"title":"x","version":"1"},"paths":{"/z":{"get":{"summary":"Last letter"}},"/a":{"get":{}}}}`
	imported := p.form("POST", "/apis/import-openapi", map[string]string{
		"inlineAPIDefinition": definition, "additionalProperties": `{"name":"I","version":"1.0.0","context":"/i","policies":["Unlimited"]}`,
	}).want(t, 201)
	if imported.str("operations", 0, "target") != "/z" {
		t.Errorf("the operations are not in the order of the file: %v", imported.at("operations"))
	}
	leaf := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.am.tls.Leaf.Raw})
	body, contentType := multipartBody(t, map[string]string{"alias": "one", "endpoint": "https://b.example", "file": string(leaf)})
	req, err := http.NewRequestWithContext(t.Context(), "POST", p.publisher("/endpoint-certificates"),
		strings.NewReader(strings.Replace(body, `name="file"`, `name="certificate"`, 1)))
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin")
	req.Header.Set("Content-Type", contentType)
	do(t, req).want(t, 201)
	p.publish(id)

	paths := []string{
		"/apis/" + id + "/documents", "/apis/" + id + "/documents/" + document + "/content", "/apis/" + id + "/lifecycle-history",
		"/apis/" + graph + "/graphql-schema", "/apis/" + imported.str("id") + "/swagger", "/endpoint-certificates", "/endpoint-certificates/one",
	}
	before := map[string]string{}
	for _, path := range paths {
		before[path] = send(t, "GET", p.publisher(path), admin, nil).want(t, 200).text
	}
	if !strings.Contains(before["/apis/"+imported.str("id")+"/swagger"], "Last letter") {
		t.Error("the definition has not what was imported")
	}
	p.startAM()
	for _, path := range paths {
		if got := send(t, "GET", p.publisher(path), admin, nil).want(t, 200).text; got != before[path] {
			t.Errorf("after a restart %s is\n%.300s\nwant\n%.300s", path, got, before[path])
		}
	}
}

func TestAnAPIWithoutScopesHasAnEmptyListAfterADefinition(t *testing.T) {
	p := newPair(t)
	p.startAM()
	path := "/apis/" + p.api("A", "/a")
	p.form("PUT", path+"/swagger", map[string]string{"apiDefinition": `{"openapi":"3.0.1","info":{"title":"x","version":"1"},"paths":{"/z":{"get":{}}}}`}).want(t, 200)
	if got := send(t, "GET", p.publisher(path), admin, nil).want(t, 200); !strings.Contains(got.text, `"scopes":[]`) || strings.Contains(got.text, `"scopes":null`) {
		t.Errorf("the scopes are %v", got.at("scopes"))
	}
}

func TestASecretOfABackendIsKeptAndNotShown(t *testing.T) {
	p := newPair(t)
	p.startAM()
	body := p.apiBody("A", "/a")
	security := func(password any) object {
		return object{"production": object{"enabled": true, "type": "BASIC", "username": "u", "password": password}}
	}
	body["endpointConfig"].(object)["endpoint_security"] = security("throwAway1")
	made := send(t, "POST", p.publisher("/apis"), admin, body).want(t, 201)
	one := p.publisher("/apis/" + made.str("id"))
	stored := func() any {
		p.am.mu.Lock()
		defer p.am.mu.Unlock()
		return securityOf(p.am.apis[made.str("id")].dto.EndpointConfig)["production"]["password"]
	}
	for _, step := range []struct {
		name       string
		sent, want any
	}{{"empty", "", "throwAway1"}, {"another", "throwAway2", "throwAway2"}, {"empty again", "", "throwAway2"}} {
		full := send(t, "GET", one, admin, nil).want(t, 200).body.(map[string]any)
		if shown := securityOf(full["endpointConfig"].(object))["production"]["password"]; shown != "" {
			t.Errorf("%s: the password is shown as %v", step.name, shown)
		}
		full["endpointConfig"].(object)["endpoint_security"] = security(step.sent)
		if got := send(t, "PUT", one, admin, full).want(t, 200); strings.Contains(got.text, "throwAway") {
			t.Errorf("%s: the answer has a secret", step.name)
		}
		if got := stored(); got != step.want {
			t.Errorf("%s: the password is %v, want %v", step.name, got, step.want)
		}
	}
}

func TestSetsHaveTheOrderOfJava(t *testing.T) {
	// What servers showed of the tags and security schemes on the left.
	for _, tc := range []struct{ sent, want []string }{
		{[]string{"b", "a", "a"}, []string{"a", "b"}},
		{[]string{"a/b", "c&d", "é"}, []string{"c&d", "a/b", "é"}},
		{[]string{"oauth2", "api_key", mandatoryOAuth}, []string{"api_key", mandatoryOAuth, "oauth2"}},
		{nil, []string{}},
	} {
		if got := javaSet(tc.sent); !slices.Equal(got, tc.want) {
			t.Errorf("%q is shown as %q, want %q", tc.sent, got, tc.want)
		}
	}
}

func TestGraphQLSchemasAreRead(t *testing.T) {
	for name, tc := range map[string]struct {
		schema string
		want   string // operations
		fails  bool
	}{
		"arguments, lists and comments": {"# c\ntype Query {\n  \"d\"\n  a(x: Int = 1, y: [Int!]): [T!]! @deprecated(reason: \"r\")\n  b: T\n}\ntype T { n: Int }", "Query a, Query b", false},
		"all roots":                     {"scalar D type Mutation { m: D } type Query { q: D } type Subscription { s: D }", "Query q, Mutation m, Subscription s", false},
		"enum, union, input, interface": {"enum E { A B } union U = X | Y input I { i: Int } interface N { n: Int } type Query { q(i: I): U }", "Query q", false},
		"no query":                      {"type A { b: Int }", "", true},
		"not closed":                    {"type Query {", "", true},
		"no schema":                     {"hello", "", true},
	} {
		types, err := parseGraphQL(tc.schema)
		var got []string
		for _, op := range graphQLOperations(types) {
			got = append(got, op.Verb+" "+op.Target)
		}
		if text := strings.Join(got, ", "); (err != nil) != tc.fails || text != tc.want {
			t.Errorf("%s: got %q, %v", name, text, err)
		}
	}
}
