package desired

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// testSource has some variables, and files that all hold "from a file".
func testSource() Source {
	vars := map[string]string{"HOST": "orders", "SECRET": "hunter2Hunter", "PORT": "8443", "YES": "true", "EMPTY": ""}
	return Source{
		Env: func(name string) (string, bool) { v, ok := vars[name]; return v, ok },
		ReadFile: func(path string) ([]byte, error) {
			if strings.Contains(path, "missing") {
				return nil, fmt.Errorf("open %s: %w", path, os.ErrNotExist)
			}
			return []byte("from a file\n"), nil
		},
	}
}

// parse reads texts as the files f1, f2 and so on; a single one is f.
func parse(texts ...string) (*File, error) {
	var inputs []Input
	for i, text := range texts {
		name := fmt.Sprintf("f%d", i+1)
		if len(texts) == 1 {
			name = "f"
		}
		inputs = append(inputs, Input{name, []byte(text)})
	}
	return Parse(testSource(), inputs...)
}

// api is a file with one API that has further fields.
func api(fields string) string {
	return "apis:\n  - name: Orders\n    version: 1.0.0\n    context: /orders\n    backend_url: http://orders:8080\n" + indent(fields, 4)
}

// bare is a file with one API without a backend that has further fields.
func bare(fields string) string {
	return "apis:\n  - name: Orders\n    version: 1.0.0\n    context: /orders\n" + indent(fields, 4)
}

func indent(text string, by int) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		b.WriteString(strings.Repeat(" ", by) + line)
	}
	return b.String() + "\n"
}

// key is a file with one application and its key.
func key(fields string) string {
	return "applications:\n  - name: App\n    keys:\n      - type: PRODUCTION\n" + indent(fields, 8)
}

// km is a file with one key manager.
func km(fields string) string { return "key_managers:\n  - name: Keys\n" + indent(fields, 4) }

const security = "endpoints:\n  production:\n    url: http://o\n    security: "

// ruleCase is a file, and what the reader says of it.
type ruleCase struct {
	name, text string
	want       string // a part of the error; empty: none
}

func ruleCases() []ruleCase {
	return []ruleCase{
		{"an API as it can be", api("visibility: PUBLIC"), ""},
		{"an unknown type", api("type: SOAP"), `f:6:11: type "SOAP" is none of HTTP, GRAPHQL, WS, SSE`},
		{"another spelling of a type", bare("type: websocket\nendpoints: {production: {url: \"ws://o\"}}"), ""},
		{"an unknown authType", api("operations: [{target: /a, verb: GET, auth: Any}]"), `auth "Any" is none of Application & Application User, Application, None`},
		{"the spelling that API-M changes", api("operations: [{target: /a, verb: GET, auth: Application User}]"), `auth "Application User" is none of`},
		{"operations under another name", api("openapi: o.yaml\nresources: [{path: /a, method: GET}]"), "f:7:16: resources and openapi (f:6:14) exclude each other"},
		{"an operation without a verb under another name", api("resources: [{path: /a}]"), `the operation "/a" has no verb or method`},
		{"a field under another name", "applications: [{name: App, throttling_tier: ''}]\n", `throttling_tier "" must not be empty`},
		{"CORS under another name", api("cors: {allowed_origins: ['*']}"), "API-M drops allowed_origins while cors is not enabled"},
		{"policies under another name", api("throttling_policies: [Gold]") + "applications: [{name: App, subscriptions: [Orders]}]\n", "the policy Unlimited, which throttling_policies of the API does not offer (f:6:26)"},
		{"the policy of all APIs", api("") + "defaults: {business_plan: Gold}\napplications: [{name: App, subscriptions: [Orders]}]\n", "which defaults.business_plan of the API does not offer (f:7:27)"},
		{"a tier", api("subscription_tier: Gold") + "applications: [{name: A, subscriptions: [Orders]}, {name: B}]\n", "which subscription_tier of the API does not offer (f:6:24)"},
		{"a truth value for a word", api("operations: [{target: /a, verb: GET, auth: true}]"), `f:6:48: auth must be one of Application & Application User, Application, None, not the truth value true`},
		{"an undeclared scope", api("scopes: [read]\noperations: [{target: /a, verb: GET, scopes: [reed]}]"), `scope "reed" is not declared, so API-M would drop it: did you mean "read"?`},
		{"an undeclared scope like no other", api("operations: [{target: /a, verb: GET, scopes: [reed]}]"), `would drop it: add it to scopes of the API`},
		{"a shared scope declares it", api("operations: [{target: /a, verb: GET, scopes: [read]}]") + "scopes: [{name: read}]\n", ""},
		{"a scope without a token", api("scopes: [read]\noperations: [{target: /a, verb: GET, auth: None, scopes: [read]}]"), "the scopes have no effect"},
		{"a scope name with a space", api("scopes: [{name: a b}]"), `name "a b" must not contain spaces: IS could never delete the scope`},
		{"a scope of API-M itself", api("scopes: ['apim:api_view']"), `name "apim:api_view" must not begin with apim:`},
		{"a local scope in no API", "scopes: [{name: a, local: true}]\n", `scope "a" is local, and in no API`},
		{"a scope that is local and shared", api("scopes: [{name: a, local: true}]") + "scopes: [{name: a}]\n", "is local in one place and shared in another"},
		{"a local scope of two APIs", api("scopes: [{name: a, local: true}]") + "  - {name: B, version: '1', context: /b, backend_url: 'http://b', scopes: [{name: a, local: true}]}\n", "is local in two APIs, Orders and B"},
		{"a local scope of two versions", api("scopes: [{name: a, local: true}]") + "  - {name: Orders, version: '2', context: /orders, backend_url: 'http://b', scopes: [{name: a, local: true}]}\n", ""},
		{"a shared scope with two contents", api("scopes: [{name: a, roles: [x]}]") + "scopes: [{name: a, roles: [y]}]\n", `scope "a" has different contents on line 7: roles[0] is at f:6:32 and at f:7:28`},
		{"access control without roles", api("access_control: RESTRICTED"), "access_control is RESTRICTED, and there are no roles: add access_control_roles"},
		{"access control NONE with roles", api("access_control: NONE\naccess_control_roles: [r]"), "access_control_roles has no effect while access_control is NONE"},
		{"roles without access control", api("access_control_roles: [r]"), "access_control_roles has no effect while access_control is NONE: set access_control to RESTRICTED"},
		{"restricted visibility without roles", api("visibility: RESTRICTED\nvisible_roles: []"), "visibility is RESTRICTED, and there are no roles"},
		{"public visibility with roles", api("visibility: PUBLIC\nvisible_roles: [r]"), "visible_roles has no effect while visibility is PUBLIC"},
		{"restricted visibility with roles", api("visibility: RESTRICTED\nvisible_roles: [r]"), ""},
		{"a tag with a comma", api("tags: ['a,b']"), `f:6:12: tag "a,b" must not contain a comma: API-M would make two tags of it`},
		{"a tag that stands twice", api("tags: [a, b, a]"), ""},
		{"a backend that stands twice", bare("endpoints: {production: {urls: ['http://o', 'http://p', 'http://o']}}"), `f:5:61: url "http://o" stands twice, first on line 5: remove it`},
		{"a category with a space", api("categories: [a b]"), `category "a b" must be one word`},
		{"subscriptions of all tenants", api("subscription_availability: ALL_TENANTS"), `is none of CURRENT_TENANT`},
		{"an API without policies", api("policies: []"), "the gateway would let every valid token in: leave it out, or name a policy"},
		{"an unknown transport", api("transports: [ftp]"), `transport "ftp" is none of http, https`},
		{"transports of a WebSocket API", bare("type: WS\ntransports: [https]\nendpoints: {production: {url: 'ws://o'}}"), "API-M drops the transports of an API of type WS"},
		{"an unknown endpoint type", bare("endpoints: {type: soap, production: {url: 'http://o'}}"), `type "soap" is none of http, address, load_balance, failover, default, ws`},
		{"WS with an http address", bare("type: WS\nendpoints: {production: {url: 'http://o'}}"), "an endpoint of type ws cannot have the address http://o: it begins with ws:// or wss://"},
		{"a scheme in another case", bare("type: WS\nbackend_url: WS://o"), ""},
		{"HTTP with a ws address", bare("backend_url: ws://o"), "an endpoint of type http cannot have the address ws://o"},
		{"HTTP with WebSocket endpoints", bare("endpoints: {type: ws, production: {url: 'ws://o'}}"), "an API of type HTTP cannot have endpoints of type ws"},
		{"load balancing without addresses", bare("endpoints: {type: load_balance, production: {url: 'http://o'}}"), "an endpoint of type load_balance needs urls with at least 1 of them, and no url"},
		{"failover with one address", bare("endpoints: {type: failover, production: {urls: ['http://o']}}"), "an endpoint of type failover needs urls with at least 2 of them"},
		{"several addresses without a type", bare("endpoints: {production: {urls: ['http://o', 'http://p']}}"), ""},
		{"several addresses of one endpoint", bare("endpoints: {type: http, production: {urls: ['http://o']}}"), "an endpoint of type http has one url"},
		{"an endpoint without an address", bare("endpoints: {production: {timeout: 3s}}"), "the endpoint has no url"},
		{"an address for a dynamic endpoint", bare("endpoints: {type: default, production: {url: 'http://o'}}"), "an endpoint of type default has no address"},
		{"a dynamic endpoint", bare("endpoints: {type: default}"), ""},
		{"sessions without load balancing", bare("endpoints: {session_management: soap, production: {url: 'http://o'}}"), "session_management is for load_balance, and the type is http"},
		{"a suspension that becomes shorter", bare("endpoints: {production: {url: 'http://o', suspend: {initial: 2s, maximum: 1s}}}"), "maximum is shorter than initial"},
		{"an unknown type of security", bare(security + "{type: NTLM}"), `type "NTLM" is none of BASIC, OAUTH, APIKEY`},
		{"BASIC without a password", bare(security + "{type: BASIC, username: u}"), "security of type BASIC has no password"},
		{"OAUTH without a token endpoint", bare(security + "{type: token, client_id: c, client_secret: s}"), "security of type OAUTH has no token_url"},
		{"OAUTH with a password grant", bare(security + "{type: OAUTH, grant_type: PASSWORD, token_url: 'http://t', client_id: c, client_secret: s}"), "security of type OAUTH has no username"},
		{"APIKEY with a user", bare(security + "{type: APIKEY, key_name: n, key_value: v, username: u}"), "username is not for security of type APIKEY"},
		{"APIKEY", bare(security + "{type: api_key, key_name: n, key_value: v, key_in: query}"), ""},
		{"an unknown time unit", api("rate_limits: {production: 3, unit: DAY}"), `unit "DAY" is none of SECOND, MINUTE, HOUR`},
		{"a unit without a number", api("rate_limits: {unit: HOUR}"), "unit has no effect without a number"},
		{"a unit with a number that is reset", api("rate_limits: {production: null, unit: HOUR}"), "unit has no effect without a number"},
		{"a rate of nothing", api("rate_limits: {production: 0}"), "production must be at least 1"},
		{"a cache that is off", api("response_caching: {timeout: 3}"), "timeout has no effect while response_caching is not enabled"},
		{"CORS that is off", api("cors: {enabled: false, allow_origins: ['*']}"), "API-M drops allow_origins while cors is not enabled: set enabled to true"},
		{"CORS that is on", api("cors: {enabled: true, allow_origins: ['*'], allow_methods: [get]}"), ""},
		{"a document without a summary", api("documents: [{name: D, content: x}]"), `the document "D" has no summary`},
		{"a document without contents", api("documents: [{name: D, summary: s}]"), `the document "D" needs one of content, url and file, and has 0 of them`},
		{"a document of another type", api("documents: [{name: D, summary: s, type: OTHER, content: x}]"), `the document "D" needs other_type if its type is OTHER`},
		{"a type of its own without OTHER", api("documents: [{name: D, summary: s, other_type: x, content: x}]"), "and only then"},
		{"a format of a file", api("documents: [{name: D, summary: s, format: MARKDOWN, file: x}]"), "format is for content"},
		{"a document name with a slash", api("documents: [{name: D/E, summary: s, content: x}]"), `name "D/E" must not contain a slash and any of`},
		{"a document twice", api("documents: [{name: D, summary: s, content: x}, {name: D, summary: s, content: x}]"), `document "D" appears twice, first on line 6`},
		{"a document that is not there", api("documents: [{name: D, summary: s, file: missing.md}]"), "file names a file that the agent cannot read: open missing.md"},
		{"a reserved property", api("additional_properties: [{name: Version, value: x}]"), `additional property "Version" is reserved`},
		{"the agent's mark", api("additional_properties: [{name: wso2agent, value: x}]"), `additional property "wso2agent" is reserved`},
		{"a property with a space", api("additional_properties: [{name: a b, value: x}]"), `name "a b" must be one word`},
		{"a property twice", api("additional_properties: [{name: a, value: x}, {name: a, value: y}]"), `additional property "a" appears twice`},
		{"an environment twice", api("environments: [Default, {name: Default}]"), `environment "Default" appears twice`},
		{"an environment name with a space", api("environments: [a b]"), `name "a b" may only contain letters, digits, _ and -`},
		{"a certificate alias that is a dot", api("endpoint_certificates: [{alias: ., endpoint: 'https://o', file: c}]"), `alias "." must not be the name of a folder, "." or ".."`},
		{"a document with empty content", api("documents: [{name: D, summary: s, content: ''}]"), `content "" must not be empty`},
		{"a certificate alias twice", api("endpoint_certificates: [{alias: a, endpoint: 'https://o', file: c}, {alias: a, endpoint: 'https://p', file: c}]"), `the endpoint certificate "a" appears twice`},
		{"an operation twice", api("operations: [{target: /a, verb: GET}, {path: /a, method: get}]"), "operation GET /a appears twice, first on line 6"},
		{"an operation without a slash", api("operations: [{target: a, verb: GET}]"), `target "a" must begin with /`},
		{"an operation without a verb", api("operations: [{target: /a}]"), `the operation "/a" has no verb`},
		{"a verb of another kind of API", api("operations: [{target: /a, verb: SUBSCRIBE}]"), "an API of type HTTP has no verb SUBSCRIBE: write GET, POST"},
		{"operations and a definition", api("openapi: o.yaml\noperations: [{target: /a, verb: GET}]"), "operations and openapi (f:6:14) exclude each other"},
		{"a definition of a WebSocket API", bare("type: WS\nopenapi: o.yaml\nendpoints: {production: {url: 'ws://o'}}"), "openapi is for APIs of type HTTP, and the type is WS"},
		{"a definition that is not there", api("openapi: missing.yaml"), "openapi names a file that the agent cannot read"},
		{"a GraphQL API without a schema", api("type: GRAPHQL"), `the API "Orders" has no schema`},
		{"a schema of an HTTP API", api("schema: s.graphql"), "schema is for APIs of type GRAPHQL"},
		{"a published API without a backend", bare("description: x"), `f:2:5: the API "Orders" has no backend_url`},
		{"a prototype without a backend", bare("lifecycle: prototyped"), ""},
		{"an unknown state", api("lifecycle: LIVE"), `lifecycle "LIVE" is none of CREATED, PROTOTYPED`},
		{"a copy of itself", api("copy_of: 1.0.0"), "copy_of is the version itself"},
		{"two default versions", api("default_version: true") + "  - {name: Orders, version: '2', context: /orders, backend_url: 'http://b', default_version: true}\n", `API "Orders" has another default version on line 6`},
		{"one path of two APIs", api("") + "  - {name: B, version: 1.0.0, context: '/{version}', backend_url: 'http://b'}\n  - {name: C, version: '0', context: '/1.0.0/{version}', backend_url: 'http://b'}\n  - {name: D, version: 1.0.0, context: '/orders/{version}', backend_url: 'http://b'}\n", `API "D" has the path /orders/1.0.0 at the gateway, which API "Orders" on line 2 has`},
		{"short and long form of a backend", api("endpoints: {production: {url: 'http://o'}}"), "backend_url and the same backend in endpoints (f:6:29) exclude each other"},
		{"a backend with a password", bare("backend_url: http://me:hunter2@o"), `backend_url "http://(hidden)@o" must not contain a user or a password`},

		{"an application in another case", "applications: [{name: App}, {name: app}]\n", `application "app" appears twice`},
		{"a token type that API-M changes", "applications: [{name: App, token_type: OAUTH}]\n", `token_type "OAUTH" is none of JWT`},
		{"an API that is not published", bare("lifecycle: CREATED") + "applications: [{name: App, subscriptions: [Orders]}]\n", `nobody can subscribe to "Orders": none of its versions is published`},
		{"a policy that the API does not offer", api("policies: [Gold]") + "applications: [{name: App, subscriptions: [Orders]}]\n", `the subscription to "Orders" has the policy Unlimited, which policies of the API does not offer`},
		{"a policy that the API offers", api("policies: [Gold]") + "applications: [{name: App, subscriptions: [{api: Orders, tier: Gold}]}]\n", ""},
		{"a grant type without a callback", key("grant_types: [authorization_code]"), "the grant type authorization_code needs a callback: add callbacks"},
		{"a grant type with a callback", key("grant_types: [authorization_code]\ncallbacks: ['https://a/b']"), ""},
		{"a grant type that is none", key("grant_types: [token_exchange]"), `grant type "token_exchange" is no grant type`},
		{"no grant types", key("grant_types: []"), "a key cannot do without grant types"},
		{"no callbacks", key("callbacks: []"), "API-M cannot remove the callbacks of a key"},
		{"one callback with a parenthesis", key("callbacks: ['https://a/(b)']"), ""},
		{"two callbacks with a parenthesis", key("callbacks: ['https://a/(b)', 'https://a/c']"), "must not contain ( ) [ ] * or $"},
		{"a callback of an application on a phone", key("callbacks: ['com.example.app:/done?x=[1]#y']"), ""},
		{"a callback that is no URI", key("callbacks: ['https://a/{b}']"), "must be one address"},
		{"a callback with half an escape", key("callbacks: ['https://a/%4']"), "must be one address"},
		{"two callbacks in one", key("callbacks: ['https://a,https://b']"), "must be one address, without a comma"},
		{"a lifetime of nothing", key("application_token_lifetime: 0"), "application_token_lifetime must be from 1 to 2147483647"},
		{"a negative lifetime", key("user_token_lifetime: -1"), "user_token_lifetime must be from 1"},
		{"a lifetime that is too long", key("refresh_token_lifetime: 2147483648"), "refresh_token_lifetime must be from 1 to 2147483647"},
		{"a lifetime that is no number", key("id_token_lifetime: 1h"), `id_token_lifetime must be a whole number, not the value "1h"`},
		{"a client without a secret", key("client_id: c"), "an existing client needs client_id and client_secret"},
		{"a key twice", key("") + "      - type: production\n", "the PRODUCTION key appears twice, first on line 4"},

		{"a key manager twice", km("") + "  - name: Keys\n", `key manager "Keys" appears twice`},
		{"two key managers with one issuer", km("issuer: https://i") + "  - {name: B, issuer: 'https://i'}\n", "another key manager has the same issuer (f:3:13)"},
		{"a key manager of an unknown type", km("type: LDAP"), `type "LDAP" is none of WSO2-IS-7`},
		{"another server without endpoints", km("type: Okta"), `key manager "Keys" needs well_known_endpoint, or all of`},
		{"another server with discovery", km("type: Okta\nwell_known_endpoint: https://o/x"), ""},
		{"an endpoint that fails", km("user_info_endpoint: https://is/oauth2/userinfo"), "with /oauth2/userinfo its connector fails"},
		{"a user without a password", km("username: u"), "needs username and password, or neither"},
		{"permissions without roles", km("permissions: {type: DENY}"), "permissions are DENY, and there are no roles"},
		{"roles for everybody", km("permissions: {type: PUBLIC, roles: [r]}"), "roles have no effect while permissions are PUBLIC"},
		{"an unknown permission", km("permissions: {type: SOME}"), `type "SOME" is none of PUBLIC, ALLOW, DENY`},
		{"a password in a property", km("additional_properties: {Password: x}"), "additional_properties must not contain Password"},
		{"mutual TLS", km("additional_properties: {Authentication: MutualTLS, MutualTLSOptions: ServerWide, IdentityUser: apim}"), ""},
		{"mutual TLS with a password", km("username: u\npassword: p\nadditional_properties: {Authentication: MutualTLS, MutualTLSOptions: ServerWide, IdentityUser: apim}"), "without a password"},
		{"mutual TLS of a tenant", km("additional_properties: {Authentication: MutualTLS, MutualTLSOptions: TenantWide, IdentityUser: apim}"), "certificate of its primary keystore"},
		{"mutual TLS of nobody", km("additional_properties: {Authentication: MutualTLS, MutualTLSOptions: ServerWide}"), "needs additional_properties.IdentityUser"},
		{"mutual TLS with another server", km("type: Okta\nwell_known_endpoint: https://o/x\nadditional_properties: {Authentication: MutualTLS}"), "of type Okta has no mutual TLS"},
		{"the administrator of PingFederate", km("type: PingFederate\nwell_known_endpoint: https://o/x\nadditional_properties: {username: a, password: x}"), ""},
		{"its client's secret in a property", km("type: PingFederate\nwell_known_endpoint: https://o/x\nadditional_properties: {client_secret: x}"), "additional_properties must not contain client_secret"},
		{"another type of the resident", "key_managers: [{name: Resident Key Manager, type: WSO2-IS}]\n", "the type of Resident Key Manager is default"},
		{"the resident that is off", "key_managers: [{name: Resident Key Manager, enabled: false}]\n", ""},

		{"a role with a slash", "identity_server: {roles: [{name: a/b}]}\n", `name "a/b" must not contain a slash`},
		{"an empty role", "identity_server: {roles: [{name: ''}]}\n", `name "" must not be empty`},
		{"a right over IS", "identity_server: {roles: [{name: a, permissions: [internal_user_mgt_create]}]}\n", "is a right over IS itself"},
		{"a role in another case", "identity_server: {roles: [{name: a}, {name: A}]}\n", `role "A" appears twice`},
		{"a group in another case", "identity_server: {groups: [{name: a}, {name: A}]}\n", `group "A" appears twice`},
		{"a user in another case", "identity_server: {users: [{username: anna}, {username: Anna}]}\n", `user "Anna" appears twice`},
		{"a short user name", "identity_server: {users: [{username: ab}]}\n", `username "ab" has 2 characters, at least 3 are needed`},
		{"a weak password", "identity_server: {users: [{username: anna, password: alllower1}]}\n", "password must contain a digit, an upper-case and a lower-case letter"},
		{"a short password", "identity_server: {users: [{username: anna, password: Ab1}]}\n", "password has 3 characters, at least 8 are needed"},

		{"APIs of language models", "llm_apis: [{name: x}]\n", "f:1:11: llm_apis: the agent does not manage APIs of language models"},
		{"two names of one field", "applications: [{name: App, throttling_policy: a, throttling_tier: b}]\n", `keys "throttling_policy" and "throttling_tier" in an application are two names of one field: keep one`},
		{"a time that is none", api("timeout: soon"), "timeout must be a number of milliseconds, or a time such as 30s"},
		{"a time of nothing", api("timeout: 0"), "timeout must be a number of milliseconds"},
		{"a switch that is none", api("schema_validation: sometimes"), `schema_validation must be true or false, not the value "sometimes"`},
		{"a number that is a text", km("") + "gateway: {port: \"80\"}\n", `port must be a whole number, not the value "80"`},
		{"a port that is none", "gateway: {port: 70000}\n", "port must be from 1 to 65535"},
		{"a name that is null", "applications: [{name: }]\n", "name must be a text, not empty"},
	}
}

func TestEveryRuleHasItsMessage(t *testing.T) {
	for _, c := range ruleCases() {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.text)
			switch {
			case c.want == "" && err != nil:
				t.Errorf("%v\n%s", err, c.text)
			case c.want != "" && !errors.Is(err, ErrInvalid):
				t.Errorf("got %v, want an ErrInvalid\n%s", err, c.text)
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("the error does not say %q:\n%v\n%s", c.want, err, c.text)
			}
			if err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the error has a password: %v", err)
			}
		})
	}
}

// TestNoMessageRepeatsWhatAVariableGives puts variables in the place of the texts of all cases: of each text alone, and of all.
func TestNoMessageRepeatsWhatAVariableGives(t *testing.T) {
	for _, c := range ruleCases() {
		var root yaml.Node
		if err := yaml.Unmarshal([]byte(c.text), &root); err != nil {
			continue // the case is about that
		}
		texts := map[string]bool{}
		eachText(&root, func(n *yaml.Node) { texts[n.Value] = true })
		for _, only := range append(slices.Sorted(maps.Keys(texts)), "") {
			vars := map[string]string{}
			var changed yaml.Node
			if err := yaml.Unmarshal([]byte(c.text), &changed); err != nil {
				t.Fatal(err)
			}
			eachText(&changed, func(n *yaml.Node) {
				if only != "" && n.Value != only || hasVariable(n.Value) {
					return
				}
				name := fmt.Sprintf("V%x", n.Value)
				vars[name] = n.Value + "S3cret"
				n.SetString("${" + name + "}")
			})
			data, err := yaml.Marshal(&changed)
			if err != nil {
				t.Fatal(err)
			}
			source := testSource()
			source.Env = func(name string) (string, bool) { v, ok := vars[name]; return v, ok }
			source.ReadFile = func(path string) ([]byte, error) { return nil, fmt.Errorf("open %s: %w", path, os.ErrNotExist) }
			_, err = Parse(source, Input{"f", data})
			if err != nil && strings.Contains(strings.ToLower(err.Error()), "s3cret") {
				t.Errorf("%s, with variables for %q: %v\n%s", c.name, only, err, data)
			}
		}
	}
}

// eachText calls do for each text in a document that is no key.
func eachText(n *yaml.Node, do func(*yaml.Node)) {
	for i, child := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 {
			eachText(child, do)
		}
	}
	if n.Kind == yaml.ScalarNode && n.ShortTag() == "!!str" {
		do(n)
	}
}

func TestASecretSettingOfTheAgentStandsInNoOpenText(t *testing.T) {
	source := testSource()
	source.Secret = func(name string) bool { return name == "SECRET" }
	for text, want := range map[string]string{
		api("description: 'curl -u admin:${SECRET}'"):                                    `f:6:18: description "curl -u admin:${SECRET}" must not have SECRET, which is a password`,
		api("description: '${SECRET:-none}'"):                                            "must not have SECRET",
		api("description: ${HOST}"):                                                      "",
		"identity_server: {users: [{username: anna, password: '${SECRET}'}]}\n":          "",
		"identity_server: {users: [{username: '${SECRET}', password: Hunter2hunter}]}\n": "must not have SECRET",
	} {
		_, err := Parse(source, Input{"f", []byte(text)})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("got %v, want %q\n%s", err, want, text)
		}
	}
}
