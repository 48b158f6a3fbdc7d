package apply

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/desired"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

const definition = `openapi: 3.0.1
info: {title: Orders, version: "1", description: Takes orders}
paths:
  /orders/{id}:
    summary: One order
    parameters: [{$ref: '#/components/parameters/ID'}]
    get:
      summary: Read one
      parameters: [{name: q, in: query, schema: {type: string}}]
      responses: {200: {description: one, content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}}
      security: [{login: [read]}]
    put:
      x-auth-type: None
      requestBody: {content: {application/json: {schema: {$ref: '#/components/schemas/Order'}}}}
      responses: {"204": {description: done}}
components:
  parameters: {ID: {name: id, in: path, required: true, schema: {type: string}}}
  schemas:
    Order: {type: object, required: [note, id], properties: {id: {type: integer}, note: {type: string}}}
  securitySchemes:
    login: {type: oauth2, flows: {clientCredentials: {tokenUrl: "https://l", scopes: {read: Read orders, write: Write orders}}}}
`

const definedAPIs = `
scopes: [{name: write, display_name: Write, roles: [admin]}, {name: extra, display_name: Extra}]
apis:
  - {name: Orders, version: "1", context: /orders, lifecycle: created, backend_url: "http://a:1", openapi: o.yaml, scopes: [extra]}
  - {name: Graph, version: "1", context: /graph, lifecycle: created, backend_url: "http://a:1", type: GRAPHQL, schema: s.graphql,
     operations: [{target: b, verb: QUERY, auth: None}]}
`

// defined are servers, and a file that names definitions.
type defined struct {
	*servers
	folder string
}

// define starts servers with the shared scopes of the file.
func define(t *testing.T) *defined {
	t.Helper()
	d := &defined{start(t, nil), t.TempDir()}
	d.settings.SkipKeyManager, d.settings.KeyManagerName = true, bootstrapKeys
	d.write("o.yaml", definition)
	d.write("s.graphql", "type Query { a: Int b: Int }\n")
	for _, s := range d.want().File.Scopes.Value {
		_, err := d.publisher().CreateSharedScope(t.Context(), plan.ScopeBody(s.Value, nil))
		must(t, err)
	}
	return d
}

const bootstrapKeys = "Resident Key Manager"

func (d *defined) write(name, text string) {
	d.t.Helper()
	must(d.t, os.WriteFile(filepath.Join(d.folder, name), []byte(text), 0o600))
}

func (d *defined) want() plan.Wanted {
	d.t.Helper()
	return d.read(definedAPIs, d.folder)
}

func (d *defined) publisher() *wso2.Publisher { return actual.Connect(d.client, d.settings).Publisher }

// apply makes the changes of APIs in a plan, without deployments: what calls the functions under test.
func (d *defined) apply(want plan.Wanted) error {
	d.t.Helper()
	have := d.have(want)
	changes, problems := plan.Make(want, have)
	if len(problems) > 0 {
		d.t.Fatal(problems)
	}
	r := newRound(slog.New(slog.DiscardHandler), actual.Connect(d.client, d.settings), want, have, 1)
	for _, c := range changes {
		api, is := c.Want.(desired.API)
		if !is {
			continue
		}
		if c.Action == plan.Create {
			made, ok, err := r.importDefinition(d.t.Context(), api, plan.APIBody(api, nil, nil))
			if err != nil {
				return err
			}
			if !ok || made.ID == "" || made.Fields["id"] != made.ID {
				d.t.Errorf("the import of %s returns %t, %v", c.Name, ok, made)
			}
			continue
		}
		if err := r.updateDefinition(d.t.Context(), api, c.Have.(plan.API).Object["id"].(string), c.Fields); err != nil {
			return err
		}
	}
	return nil
}

// differences returns the fields of APIs that differ, but for deployments.
func (d *defined) differences(want plan.Wanted) (all []string) {
	d.t.Helper()
	changes, _ := plan.Make(want, d.have(want))
	for _, c := range changes {
		if c.Kind != plan.KindAPI {
			continue
		}
		if c.Action == plan.Create {
			all = append(all, "create "+c.Name)
		}
		for _, f := range c.Fields {
			if f.Path != "environments" {
				all = append(all, fmt.Sprintf("%s %s: %v -> %v", c.Name, f.Path, f.Have, f.Want))
			}
		}
	}
	return all
}

// api returns an API as the server has it.
func (d *defined) api(name string) plan.Object {
	d.t.Helper()
	return d.have(d.want()).APIs[plan.APIName{Name: name, Version: "1"}].Object
}

func TestADefinitionIsImportedOnce(t *testing.T) {
	d := define(t)
	want := d.want()
	must(t, d.apply(want))
	if all := d.differences(want); len(all) > 0 {
		t.Errorf("after the import differ\n%s", strings.Join(all, "\n"))
	}
	orders := d.api("Orders")
	operations, scopes := orders["operations"].([]any), map[string]any{}
	for _, s := range orders["scopes"].([]any) {
		scopes[s.(map[string]any)["scope"].(map[string]any)["name"].(string)] = s.(map[string]any)["shared"]
	}
	if len(operations) != 2 || len(scopes) != 3 || scopes["read"] != false || scopes["write"] != true || scopes["extra"] != true || orders["description"] != "Takes orders" {
		t.Errorf("the API is %v, %v, %v", operations, scopes, orders["description"])
	}
	if operations := d.api("Graph")["operations"].([]any); len(operations) != 2 {
		t.Errorf("the operations of the GraphQL API are %v", operations)
	}
	d.amRequests.Reset()
	must(t, d.apply(want))
	for request := range d.amRequests.Counts() {
		if !strings.HasPrefix(request, "GET") {
			t.Errorf("an API that does not differ is written: %s", request)
		}
	}
	if again := newRound(nil, actual.Connect(d.client, d.settings), want, plan.Have{}, 1); true {
		api := want.Defined(want.File.APIs.Value[0].Value)
		_, ok, err := again.importDefinition(t.Context(), api, plan.APIBody(api, nil, nil))
		if !ok || err == nil || permanent(err) {
			t.Errorf("an API that exists: %t, %v", ok, err)
		}
		plain := api
		plain.OpenAPI = desired.Text{}
		if _, ok, err := again.importDefinition(t.Context(), plain, nil); ok || err != nil {
			t.Errorf("an API without a definition: %t, %v", ok, err)
		}
	}
}

// TestAnImportIsOneWrite: API-M takes operations and scopes from the definition, if the object has none.
func TestAnImportIsOneWrite(t *testing.T) {
	d := define(t)
	want := d.read(`apis: [{name: Orders, version: "1", context: /orders, lifecycle: created, backend_url: "http://a:1", openapi: o.yaml}]`, d.folder)
	d.amRequests.Reset()
	must(t, d.apply(want))
	counts := d.amRequests.Counts()
	if counts["POST /api/am/publisher/v4/apis/import-openapi"] != 1 || counts["PUT /api/am/publisher/v4/apis/{id}"] != 0 {
		t.Errorf("the requests are %v", counts)
	}
	if after := d.differences(want); len(after) > 0 {
		t.Errorf("afterwards differ\n%s", strings.Join(after, "\n"))
	}
}

// TestEachChangeOfADefinitionIsApplied changes one thing after the other. After each there is no difference.
func TestEachChangeOfADefinitionIsApplied(t *testing.T) {
	d := define(t)
	must(t, d.apply(d.want()))
	text := definition
	for _, c := range []struct{ old, new, differs string }{
		{"summary: Read one", "summary: Read it", "Orders 1 openapi: map[paths./orders/{id}.get.summary:Read one] -> map[paths./orders/{id}.get.summary:Read it]"},
		{"      summary: Read it\n", "", "Orders 1 openapi: map[paths./orders/{id}.get.summary:Read it] -> map[]"},
		{"name: q, in", "name: r, in", "parameters.query q:a mapping] -> map[]"},
		{"required: true, schema: {type: string}", "required: true, schema: {type: integer}", "parameters.ID.schema.type:string] -> map"},
		{"description: done", "description: over", "put.responses.204.description:done] -> map"},
		{`"204": {`, `"404": {description: gone}, "204": {`, "map[] -> map[paths./orders/{id}.put.responses.404:a mapping]"},
		{"{application/json: {schema: {$ref: '#/components/schemas/Order'}}}}\n      responses: {\"404", "{text/plain: {schema: {type: string}}}}\n      responses: {\"404", "put.requestBody.content.application/json:a mapping] -> map[]"},
		{"note: {type: string}", "note: {type: string}, more: {}", "components.schemas.Order.properties.more:a mapping]"},
		{"summary: One order", "summary: An order", "paths./orders/{id}.summary:One order] ->"},
		{"    put:\n", "    delete: {responses: {\"204\": {description: gone}}}\n    put:\n", "paths./orders/{id}.delete:a mapping]"},
		{"    delete: {responses: {\"204\": {description: gone}}}\n", "", "paths./orders/{id}.delete:a mapping] -> map[]"},
		{"x-auth-type: None", "x-auth-type: Application", "Orders 1 operations: "},
		{"read: Read orders", "read: See orders", "Orders 1 scopes: "},
		{"description: Takes orders", "description: Orders", "Orders 1 description: Takes orders -> Orders"},
	} {
		if !strings.Contains(text, c.old) {
			t.Fatalf("nothing to change: %s", c.old)
		}
		text = strings.Replace(text, c.old, c.new, 1)
		d.write("o.yaml", text)
		want := d.want()
		before := d.differences(want)
		if !strings.Contains(strings.Join(before, "\n"), c.differs) {
			t.Errorf("%s: the differences are\n%s\nnot %s", c.new, strings.Join(before, "\n"), c.differs)
		}
		if !slices.ContainsFunc(before, func(line string) bool { return strings.Contains(line, " openapi: ") }) {
			d.saveFields(want) // which needs no definition
		}
		must(t, d.apply(want))
		if after := d.differences(want); len(after) > 0 {
			t.Fatalf("%s: afterwards differ\n%s", c.new, strings.Join(after, "\n"))
		}
	}
	d.write("s.graphql", "type Query { a: Int c: Int b: Int }\n")
	want := d.want()
	if before := d.differences(want); len(before) != 2 || !strings.HasPrefix(before[1], "Graph 1 schema: map[line 1:type Query { a: Int b: Int }] -> map[line 1:type Query { a: Int c: Int b: Int }]") {
		t.Errorf("a field more: %q", before)
	}
	must(t, d.apply(want))
	if after := d.differences(want); len(after) > 0 {
		t.Errorf("a field more: afterwards differ %q", after)
	}
}

// saveFields writes the fields of the API that differ, as the caller does.
func (d *defined) saveFields(want plan.Wanted) {
	d.t.Helper()
	api := want.Defined(want.File.APIs.Value[0].Value)
	have := d.api("Orders")
	_, err := d.publisher().UpdateAPIObject(d.t.Context(), have["id"].(string), plan.APIBody(api, have, nil))
	must(d.t, err)
}

// TestWhatAnUpdateOfADefinitionResetsIsBroughtBack: a scope and roles that only the file or somebody in the Publisher has set.
func TestWhatAnUpdateOfADefinitionResetsIsBroughtBack(t *testing.T) {
	d := define(t)
	must(t, d.apply(d.want()))
	have := d.api("Orders")
	for _, s := range have["scopes"].([]any) {
		if scope := s.(map[string]any)["scope"].(map[string]any); scope["name"] == "read" {
			scope["bindings"] = []any{"admin"} // the file does not say who has the scope
		}
	}
	_, err := d.publisher().UpdateAPIObject(t.Context(), have["id"].(string), have)
	must(t, err)
	d.write("o.yaml", strings.Replace(definition, "Read one", "Read it", 1))
	want := d.want()
	must(t, d.apply(want))
	if after := d.differences(want); len(after) > 0 {
		t.Errorf("afterwards differ\n%s", strings.Join(after, "\n"))
	}
	roles := map[string]any{}
	for _, s := range d.api("Orders")["scopes"].([]any) {
		scope := s.(map[string]any)["scope"].(map[string]any)
		roles[scope["name"].(string)] = scope["bindings"]
	}
	if read, _ := roles["read"].([]any); len(roles) != 3 || !slices.Equal(read, []any{"admin"}) {
		t.Errorf("the scopes have the roles %v", roles)
	}
	if n := d.amRequests.Counts()["PUT /api/am/publisher/v4/apis/{id}"]; n != 3 { // of the import, by hand, of the update
		t.Errorf("the API was saved %d times", n)
	}
}

// change gives the scope "read" of Orders a role by hand, of which the file says nothing, and changes the definition.
func (d *defined) change() {
	d.t.Helper()
	d.allMade(d.servers.apply(d.want(), Options{}))
	have := d.api("Orders")
	for _, s := range have["scopes"].([]any) {
		if scope := s.(map[string]any)["scope"].(map[string]any); scope["name"] == "read" {
			scope["bindings"] = []any{"admin"}
		}
	}
	_, err := d.publisher().UpdateAPIObject(d.t.Context(), have["id"].(string), have)
	must(d.t, err)
	d.write("o.yaml", strings.Replace(definition, "Read one", "Read it", 1))
}

// roles returns the roles of the scope "read" of Orders.
func (d *defined) roles() []any {
	d.t.Helper()
	for _, s := range d.api("Orders")["scopes"].([]any) {
		if scope := s.(map[string]any)["scope"].(map[string]any); scope["name"] == "read" {
			read, _ := scope["bindings"].([]any)
			return read
		}
	}
	return nil
}

// TestWhatADefinitionResetsIsBroughtBackByALaterRound: the definition is written, and the request that restores the rest fails. The next
// plan finds no difference.
func TestWhatADefinitionResetsIsBroughtBackByALaterRound(t *testing.T) {
	d := define(t)
	d.change()
	_, err := d.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "PUT", Path: "/api/am/publisher/v4/apis/*", Status: 503, Count: 1})
	must(t, err)
	d.allMade(d.servers.apply(d.want(), Options{}))
	if hits := d.amFaults.List()[0].Hits; hits != 1 || !slices.Equal(d.roles(), []any{"admin"}) {
		t.Errorf("after %d failures the scope has the roles %v", hits, d.roles())
	}
	d.planned(d.want())
}

// definitionOnly lets no request through after one that writes a definition, as if the run was killed then.
type definitionOnly struct {
	http.RoundTripper
	written atomic.Bool
	cancel  context.CancelFunc
}

func (o *definitionOnly) RoundTrip(r *http.Request) (*http.Response, error) {
	if o.written.Load() {
		return nil, context.Canceled
	}
	answer, err := o.RoundTripper.RoundTrip(r)
	if strings.HasSuffix(r.URL.Path, "/swagger") && r.Method == http.MethodPut {
		o.written.Store(true)
		o.cancel()
	}
	return answer, err
}

// TestWhatADefinitionResetsIsBroughtBackByALaterRun: a run is killed after it has written the definition. The next one knows by the
// record what it must bring back, and the plan shows it.
func TestWhatADefinitionResetsIsBroughtBackByALaterRun(t *testing.T) {
	d := define(t)
	d.change()
	path := filepath.Join(t.TempDir(), ".agent", "applied.json")
	recorded := func() (*owned.Record, Options) {
		record, _, err := owned.Load(path)
		must(t, err)
		return record, Options{Record: record, Save: func() error { return record.Save(path) }}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cut := &definitionOnly{RoundTripper: d.client.Transport, cancel: cancel}
	_, o := recorded()
	_, err := Run(ctx, slog.New(slog.DiscardHandler), actual.Connect(&http.Client{Transport: cut}, d.settings), d.want(), o)
	if err == nil || !cut.written.Load() || len(d.roles()) > 0 {
		t.Fatalf("the run was not killed after the definition: %v, roles %v", err, d.roles())
	}
	record, o := recorded()
	want := d.want()
	want.Unrestored = record.Unrestored()
	d.planned(want, `update API Orders 1: scopes {} -> {"extra":"shared"}, openapi {"operations":"reset by a run that was interrupted"} -> {"operations":"as before that run"}`)

	t.Log("API-M refuses the definition of the next run")
	id, err := d.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "PUT", Path: "/api/am/publisher/v4/apis/*/swagger", Status: 403})
	must(t, err)
	if report := d.servers.apply(d.want(), o); report.Failed() != 1 {
		t.Errorf("a refused definition: %s", report.Text())
	}
	d.amFaults.Remove(id)
	record, o = recorded()
	if len(record.Unrestored()) != 1 {
		t.Error("the record has forgotten what the first run has reset")
	}
	t.Log("meanwhile somebody gives an operation a policy")
	policy := func(change string) (was any) {
		api := d.api("Orders")
		op := api["operations"].([]any)[0].(map[string]any)
		was = op["throttlingPolicy"]
		if change != "" {
			op["throttlingPolicy"] = change
			_, err := d.publisher().UpdateAPIObject(t.Context(), api["id"].(string), api)
			must(t, err)
		}
		return was
	}
	was := policy("10KPerMin")
	d.allMade(d.servers.apply(d.want(), o))
	if !slices.Equal(d.roles(), []any{"admin"}) {
		t.Errorf("the scope has the roles %v", d.roles())
	}
	if now := policy(""); was == now || now != "10KPerMin" {
		t.Errorf("the policy was %v, and is %v", was, now)
	}
	if record, _ = recorded(); len(record.Unrestored()) > 0 {
		t.Errorf("the record still has %v", record.Unrestored())
	}
	d.planned(d.want())
}

// TestWhatADefinitionResetsIsForgottenWithTheDefinition: the file has none any more, so nothing restores that. Another API keeps it.
func TestWhatADefinitionResetsIsForgottenWithTheDefinition(t *testing.T) {
	d := define(t)
	record := owned.New()
	o := Options{Record: record}
	d.allMade(d.servers.apply(d.want(), o))
	for _, name := range []string{"Orders", "Graph"} {
		record.Rewriting(name+" 1", plan.BeforeDefinition(d.api(name)))
	}
	plain := `apis: [{name: Orders, version: "1", context: /orders, lifecycle: created, backend_url: "http://a:1"}]`
	d.allMade(d.servers.apply(d.read(plain, d.folder), o))
	if left := record.Unrestored(); len(left) != 1 || left["Graph 1"] == nil {
		t.Errorf("the record has what was reset of %v", slices.Collect(maps.Keys(left)))
	}
}

// TestASchemaThatTheServerRefusesIsNotImported: the stand-in reads no type but Query as the root, so it refuses this schema.
func TestASchemaThatTheServerRefusesIsNotImported(t *testing.T) {
	d := define(t)
	d.write("s.graphql", "schema { query: Q } type Q { b: Int }")
	err := d.apply(d.want())
	if err == nil || !permanent(err) || !strings.Contains(err.Error(), "API-M refuses the GraphQL schema of API Graph 1: ") || !strings.Contains(err.Error(), "'query' operation") {
		t.Errorf("the error is %v", err)
	}
	if d.api("Graph") != nil {
		t.Error("the API is there")
	}
}

// TestAFailureOfADefinitionIsReturned: each request can fail, and the next round does the rest.
func TestAFailureOfADefinitionIsReturned(t *testing.T) {
	d := define(t)
	fail := func(method, path string) func() {
		id, err := d.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: method, Path: "/api/am/publisher/v4/apis/" + path, Status: 503})
		must(t, err)
		return func() { d.amFaults.Remove(id) }
	}
	for _, c := range []struct{ method, path string }{
		{"POST", "import-openapi"}, {"PUT", "*"}, {"POST", "validate-graphql-schema"}, {"POST", "import-graphql-schema"},
	} {
		restore := fail(c.method, c.path)
		if err := d.apply(d.want()); err == nil || permanent(err) {
			t.Errorf("%s %s: %v", c.method, c.path, err)
		}
		restore()
		if c.method == "PUT" {
			d.saveFields(d.want()) // the import is done, so its fields are the caller's
		}
	}
	must(t, d.apply(d.want()))
	d.write("o.yaml", strings.Replace(definition, "Read one", "Read it", 1))
	d.write("s.graphql", "type Query { b: Int }")
	for _, c := range []struct{ method, path string }{{"PUT", "*/swagger"}, {"PUT", "*/graphql-schema"}} {
		restore := fail(c.method, c.path)
		if err := d.apply(d.want()); err == nil || permanent(err) {
			t.Errorf("%s %s: %v", c.method, c.path, err)
		}
		restore()
	}
	must(t, d.apply(d.want()))
	if after := d.differences(d.want()); len(after) > 0 {
		t.Errorf("afterwards differ\n%s", strings.Join(after, "\n"))
	}
}
