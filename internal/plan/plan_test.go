package plan

import (
	"fmt"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

// wanted is the desired state of a file.
func wanted(t *testing.T, text string) Wanted {
	t.Helper()
	f, err := desired.Parse(apiSource(), desired.Input{Name: "f.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return Wanted{File: f, KeyManager: "WSO2-IS", VHost: "localhost"}
}

// told is a change in one line.
func told(c Change) string {
	line := fmt.Sprint(c.Action, " ", c.Kind, " ", c.Name)
	if c.Of != "" {
		line += " of " + c.Of
	}
	for _, d := range c.Fields {
		line += fmt.Sprintf("; %s: %v -> %v", d.Path, d.Have, d.Want)
	}
	for _, e := range c.Effects {
		line += "; effect: " + e
	}
	return line
}

const small = `
apis:
  - {name: Orders, version: 1.0.0, context: /orders, backend_url: "http://backend:8080"}
applications:
  - name: Shop
    subscriptions: [{api_name: Orders}]
`

// served is what the Publisher has of the API of the small file after it was made.
func served() API {
	o := Object{
		"name": "Orders", "version": "1.0.0", "context": "/orders", "type": "HTTP", "lifeCycleStatus": "PUBLISHED", "policies": []any{"Unlimited"},
		"endpointConfig": map[string]any{
			"endpoint_type": "http", "production_endpoints": map[string]any{"url": "http://backend:8080"}, "sandbox_endpoints": map[string]any{"url": "http://backend:8080"},
		},
	}
	return API{Object: o, Deployments: []Object{{"name": "Default", "vhost": "localhost"}}}
}

// has is what the servers have after the small file was applied.
func has() Have {
	return Have{
		KeyManagers:  map[string]Object{"WSO2-IS": {"name": "WSO2-IS", "type": "WSO2-IS-7"}},
		Versions:     []APIVersion{{"id1", "Orders", "1.0.0", "/orders", "PUBLISHED"}},
		APIs:         map[APIName]API{{"Orders", "1.0.0"}: served()},
		Applications: map[string]Application{"Shop": shop()},
	}
}

func shop() Application {
	return Application{
		Object:        Object{"name": "Shop", "throttlingPolicy": "Unlimited"},
		Subscriptions: map[string]Object{"id1": {"subscriptionId": "s1", "throttlingPolicy": "Unlimited", "status": "UNBLOCKED"}},
		Keys:          []Object{{"keyType": "PRODUCTION", "keyManager": "WSO2-IS"}},
	}
}

func TestThePlanOfAFile(t *testing.T) {
	for name, c := range map[string]struct {
		file string
		with func(*Wanted, *Have)
		want []string
		bad  []string // parts of the problems
	}{
		"nothing is there": {small, func(w *Wanted, h *Have) { *h = Have{KeyManagers: h.KeyManagers} }, []string{
			"create API Orders 1.0.0",
			"create application Shop",
			"create subscription to API Orders 1.0.0 of application Shop",
			"create key production of key manager WSO2-IS of application Shop",
		}, nil},
		"all is there": {small, nil, nil, nil},
		"each kind, in the order in which it is made": {`
key_managers: [{name: Other, type: Okta, token_endpoint: "https://o/t", revoke_endpoint: "https://o/r", introspection_endpoint: "https://o/i",
  client_registration_endpoint: "https://o/c", username: u, password: p, additional_properties: {apiKey: k}}]
scopes: [{name: read, roles: [admin]}]
apis:
  - name: Orders
    version: 1.0.0
    context: /orders
    backend_url: "https://backend:8443"
    scopes: [{name: write}, {name: mine, local: true}]
    operations: [{target: /x, verb: GET, scopes: [read, mine]}]
    endpoint_certificates: [{alias: backend, endpoint: "https://backend:8443", file: backend.pem}]
    documents: [{name: Guide, summary: How, content: Text}]
applications: [{name: Shop, keys: [{type: SANDBOX}]}]
identity_server:
  users: [{username: anna, password: Secret-123}]
  groups: [{name: staff, members: [anna]}]
  roles: [{name: reader, permissions: [read], groups: [staff]}]
`, func(w *Wanted, h *Have) {
			*h = Have{}
			w.Own = IdentityServerKeyManager("https://is:9443")
			w.Own.Name, w.Own.Username, w.Own.Password = given("WSO2-IS"), given("u"), given(desired.NewSecret("p", ""))
		}, []string{
			"create key manager WSO2-IS", "create key manager Other", "create shared scope read", "create shared scope write",
			"create endpoint certificate backend", "create API Orders 1.0.0", "create document Guide of API Orders 1.0.0",
			"create user anna", "create group staff", "create role reader", "create application Shop",
			"create key sandbox of key manager WSO2-IS of application Shop",
		}, nil},
		"a new user without a password, and one that is there": {`identity_server: {users: [{username: ann}, {username: bob}]}`, func(w *Wanted, h *Have) {
			h.Users = map[string]Object{"bob": {"id": "u1", "userName": "bob"}}
		}, nil, []string{`user "ann": IS makes none without a password`}},
		"a new key manager that lacks what its connector needs": {`
key_managers: [{name: Other, type: Okta, well_known_endpoint: "https://okta/wk", revoke_endpoint: "https://o/r", username: u, password: p}]
`, nil, nil, []string{`key manager "Other": API-M makes none of type Okta without token_endpoint, introspection_endpoint, client_registration_endpoint, additional_properties.apiKey`}},
		"a field that the file leaves out": {small, func(w *Wanted, h *Have) {
			h.APIs[APIName{"Orders", "1.0.0"}].Object["description"] = "by hand"
			h.Applications["Shop"].Object["description"] = "by hand"
		}, nil, nil},
		"fields of the API": {small, func(w *Wanted, h *Have) {
			config := h.APIs[APIName{"Orders", "1.0.0"}].Object["endpointConfig"].(map[string]any)
			config["production_endpoints"] = map[string]any{"url": "http://other"}
		}, []string{"update API Orders 1.0.0; endpoints.production.url: http://other -> http://backend:8080; effect: a new revision is deployed"}, nil},
		"a field of the portal alone": {small + "\n", func(w *Wanted, h *Have) {
			w.File.APIs.Value[0].Value.Description = given("new")
		}, []string{"update API Orders 1.0.0; description:  -> new"}, nil},
		"an API with a local scope": {small, func(w *Wanted, h *Have) {
			w.File.APIs.Value[0].Value.Description = given("new")
			h.APIs[APIName{"Orders", "1.0.0"}].Object["scopes"] = []any{map[string]any{"shared": false, "scope": map[string]any{"name": "mine", "bindings": []any{"admin"}}}}
		}, []string{"update API Orders 1.0.0; description:  -> new; effect: saving the API makes its local scopes (mine) again: API-M's applications lose them, and tokens of users with the roles admin end"}, nil},
		"the lifecycle": {small, func(w *Wanted, h *Have) {
			h.APIs[APIName{"Orders", "1.0.0"}].Object["lifeCycleStatus"] = "CREATED"
		}, []string{"update API Orders 1.0.0; lifecycle: CREATED -> PUBLISHED"}, nil},
		"a state without a way back": {small, func(w *Wanted, h *Have) {
			h.APIs[APIName{"Orders", "1.0.0"}].Object["lifeCycleStatus"] = "RETIRED"
			w.File.APIs.Value[0].Value.Lifecycle = given("PUBLISHED")
		}, nil, []string{`f.yaml:3:5: API "Orders" 1.0.0: change the lifecycle from RETIRED to PUBLISHED: a retired API can only be deleted`}},
		"it is not deployed": {small, func(w *Wanted, h *Have) {
			h.APIs[APIName{"Orders", "1.0.0"}] = API{Object: served().Object}
		}, []string{"update API Orders 1.0.0; environments: map[] -> map[Default:localhost]"}, nil},
		"what no server can change": {small, func(w *Wanted, h *Have) {
			h.APIs[APIName{"Orders", "1.0.0"}].Object["context"] = "/old"
		}, nil, []string{`f.yaml:3:5: API "Orders" 1.0.0 has the context /old on the server and /orders in the file, and the server cannot change it`}},
		"the type of a key manager": {"key_managers: [{name: WSO2-IS, type: Okta, well_known_endpoint: \"https://okta/wk\"}]\n" + small, func(w *Wanted, h *Have) {
			h.KeyManagers["WSO2-IS"]["wellKnownEndpoint"] = "https://is/wk" // which a key manager of type Okta does not get
		}, nil, []string{`key manager "WSO2-IS" has the type WSO2-IS-7 on the server and Okta in the file`}},
		"the file's word about the agent's own key manager": {"key_managers: [{name: WSO2-IS, description: Mine}]\n" + small, func(w *Wanted, h *Have) {
			w.Own.Name, w.Own.Description = given("WSO2-IS"), given("the agent's")
			h.KeyManagers["WSO2-IS"]["description"] = "old"
		}, []string{"update key manager WSO2-IS; description: old -> Mine"}, nil},
		"the issuer of IS": {small, func(w *Wanted, h *Have) {
			w.Own.Name, h.Issuer = given("WSO2-IS"), "https://is/oauth2/token"
			h.KeyManagers["WSO2-IS"]["issuer"] = "https://former/oauth2/token"
		}, []string{"update key manager WSO2-IS; issuer: https://former/oauth2/token -> https://is/oauth2/token"}, nil},
		"an issuer that nobody knows": {small, func(w *Wanted, h *Have) {
			w.Own.Name = given("WSO2-IS")
			h.KeyManagers["WSO2-IS"]["issuer"] = "https://former/oauth2/token"
		}, nil, nil},
		"another version on the server": {small, func(w *Wanted, h *Have) {
			h.Versions = append(h.Versions, APIVersion{"id2", "Orders", "2.0.0", "/orders", "PUBLISHED"}, APIVersion{"id3", "Orders", "3.0.0", "/orders", "CREATED"})
		}, []string{"create subscription to API Orders 2.0.0 of application Shop"}, nil},
		"a subscription to a retired API": {small, func(w *Wanted, h *Have) {
			h.Versions[0].State = "RETIRED"
			h.APIs[APIName{"Orders", "1.0.0"}].Object["lifeCycleStatus"] = "RETIRED"
			app := shop()
			app.Subscriptions = nil
			h.Applications["Shop"] = app
		}, nil, []string{`is RETIRED, which somebody decided`, `f.yaml:6:21: application Shop cannot subscribe to API "Orders": no version is published or a prototype`}},
		"the context of another API": {small, func(w *Wanted, h *Have) {
			h.Versions[0].Name, h.APIs = "Other", nil
		}, nil, []string{`API-M refuses API "Orders" 1.0.0 with the context /orders: API "Other" 1.0.0 has /orders`}},
		"keys of a key manager that is switched off": {small, func(w *Wanted, h *Have) {
			h.KeyManagers["WSO2-IS"]["enabled"] = false
			app := shop()
			app.Keys = nil
			h.Applications["Shop"] = app
		}, nil, nil},
		"a version that the change publishes": {small, func(w *Wanted, h *Have) {
			h.Versions[0].State = "CREATED"
			h.APIs[APIName{"Orders", "1.0.0"}].Object["lifeCycleStatus"] = "CREATED"
			app := shop()
			app.Subscriptions = nil
			h.Applications["Shop"] = app
		}, []string{"update API Orders 1.0.0; lifecycle: CREATED -> PUBLISHED", "create subscription to API Orders 1.0.0 of application Shop"}, nil},
		"another policy": {strings.Replace(small, "api_name: Orders", "api_name: Orders, throttling_policy: Gold", 1), nil, []string{
			"update API Orders 1.0.0; policies: [Unlimited] -> [Gold Unlimited]",
			"update subscription to API Orders 1.0.0 of application Shop; throttling_policy: Unlimited -> Gold",
		}, nil},
		"another policy of a blocked subscription": {strings.Replace(small, "api_name: Orders", "api_name: Orders, throttling_policy: Gold", 1), func(w *Wanted, h *Have) {
			h.APIs[APIName{"Orders", "1.0.0"}].Object["policies"] = []any{"Gold", "Unlimited"}
			h.Applications["Shop"].Subscriptions["id1"]["status"] = "BLOCKED"
		}, nil, []string{"f.yaml:5:5: the subscription of application Shop to API Orders 1.0.0 is BLOCKED, so its policy cannot change"}},
		"a key manager that nobody has": {small, func(w *Wanted, h *Have) { w.KeyManager = "Other" }, nil, []string{
			`f.yaml:5:5: application Shop needs key manager "Other", which is neither in the file nor on the server`}},
		"an API in other letter case": {small, func(w *Wanted, h *Have) {
			h.Versions[0].Name, h.APIs = "ORDERS", nil
			app := shop()
			app.Subscriptions = nil
			h.Applications["Shop"] = app
		}, nil, []string{`f.yaml:3:5: API-M refuses API "Orders": it has "ORDERS"`}},
		"an application in other letter case": {small, func(w *Wanted, h *Have) { h.Applications, h.Names = nil, []string{"SHOP"} }, nil,
			[]string{`f.yaml:5:5: API-M refuses application "Shop": it has "SHOP"`}},
		"a new version with another context": {small, func(w *Wanted, h *Have) {
			h.Versions[0].Version, h.Versions[0].Context, h.APIs = "0.9.0", "/old", nil
		}, nil, []string{`f.yaml:3:5: API-M refuses API "Orders" 1.0.0 with the context /orders: API "Orders" 0.9.0 has /old`}},
		"somebody has blocked the API": {small, func(w *Wanted, h *Have) {
			h.APIs[APIName{"Orders", "1.0.0"}].Object["lifeCycleStatus"] = "BLOCKED"
		}, nil, []string{`f.yaml:3:5: API "Orders" 1.0.0 is BLOCKED, which somebody decided`}},
		"the file publishes a blocked API": {strings.Replace(small, "backend_url", "lifecycle: PUBLISHED, backend_url", 1), func(w *Wanted, h *Have) {
			h.APIs[APIName{"Orders", "1.0.0"}].Object["lifeCycleStatus"] = "BLOCKED"
		}, []string{"update API Orders 1.0.0; lifecycle: BLOCKED -> PUBLISHED"}, nil},
		"a property that API-M makes itself": {"key_managers: [{name: WSO2-IS, additional_properties: {self_validate_jwt: 'true'}, well_known_endpoint: \"https://is/wk\"}]\n" + small, func(w *Wanted, h *Have) {
			h.KeyManagers["WSO2-IS"]["wellKnownEndpoint"] = "https://is/wk"
		}, nil, []string{`key manager "WSO2-IS": API-M makes additional_properties.self_validate_jwt itself`}},
		"a setting of keys that the agent does not know there": {small + "    keys: [{type: PRODUCTION, pkce_mandatory: true}]\n", func(w *Wanted, h *Have) {
			h.KeyManagers["WSO2-IS"]["type"] = "Okta"
		}, nil, []string{`the agent cannot set pkce_mandatory at key manager "WSO2-IS", whose type is Okta`}},
		"two applications that need two policies": {small + "  - {name: Other, subscriptions: [{api_name: Orders, throttling_policy: Gold}]}\n", func(w *Wanted, h *Have) {
			app := shop()
			app.Subscriptions["id1"]["throttlingPolicy"] = "Gold"
			h.Applications["Other"] = app
			h.Applications["Other"].Object["name"] = "Other"
		}, []string{"update API Orders 1.0.0; policies: [Unlimited] -> [Gold Unlimited]"}, nil},
		"permissions of a role": {small + "identity_server: {roles: [{name: reader, permissions: [read]}]}\n", func(w *Wanted, h *Have) {
			h.Roles = map[string]Object{"reader": {"displayName": "reader", "permissions": []any{}}}
		}, []string{"update role reader; permissions: [] -> [read]; effect: the tokens of users who have the role end"}, nil},
		"a certificate": {strings.Replace(small, "backend_url", `endpoint_certificates: [{alias: b, endpoint: "https://b:1", file: b.pem}], backend_url`, 1), func(w *Wanted, h *Have) {
			w.Fingerprints = map[string]string{"b.pem": "aa"}
			h.Certificates = map[string]EndpointCertificate{"b": {Object{"alias": "b", "endpoint": "https://b:1"}, "bb"}}
		}, []string{"update endpoint certificate b; file: bb -> aa"}, nil},
		"the file of a document": {strings.Replace(small, "backend_url", `documents: [{name: Guide, summary: How, file: guide.pdf}], backend_url`, 1), func(w *Wanted, h *Have) {
			w.Contents = map[string][]byte{"guide.pdf": []byte("new")}
			api := served()
			api.Documents = map[string]Document{"Guide": {Object{"name": "Guide", "summary": "How", "sourceType": "FILE"}, []byte("old")}}
			h.APIs[APIName{"Orders", "1.0.0"}] = api
		}, []string{"update document Guide of API Orders 1.0.0; file: 3 bytes, sha256 cba06b5736fa -> 3 bytes, sha256 11507a0e2f5e"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			w, h := wanted(t, c.file), has()
			if c.with != nil {
				c.with(&w, &h)
			}
			changes, problems := Make(w, h)
			var got []string
			for _, change := range changes {
				got = append(got, told(change))
			}
			if strings.Join(got, "\n") != strings.Join(c.want, "\n") {
				t.Errorf("the plan is\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if len(problems) != len(c.bad) {
				t.Fatalf("problems: %v, want %v", problems, c.bad)
			}
			for i, p := range problems {
				if line := p.At.String() + ": " + p.Message; !strings.Contains(line, c.bad[i]) {
					t.Errorf("problem %q, want %q", line, c.bad[i])
				}
			}
		})
	}
}
