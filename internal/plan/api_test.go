package plan

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

// apiRow is a field of an API: how a file sets it and resets it, and what then stands in the server's object.
type apiRow struct {
	path  string
	set   string
	reset string // empty: the field cannot be reset
	key   string // of the server's object
	value string // there, as JSON
	also  string // what the file and the server have next to it
}

const onProduction = "endpoints:\n  production:\n    url: http://a:1\n    "

var apiRows = []apiRow{
	{path: "description", set: "description: Text", reset: "description: null", key: "description", value: `"Text"`},
	{path: "default_version", set: "default_version: true", reset: "default_version: null", key: "isDefaultVersion", value: "true"},
	{path: "tags", set: "tags: [b, a]", reset: "tags: []", key: "tags", value: `["a","b"]`},
	{path: "categories", set: "categories: [b, a]", reset: "categories: []", key: "categories", value: `["a","b"]`},
	{path: "business_information.business_owner", set: "business_information: {business_owner: Anna}", reset: "business_information: null", key: "businessInformation.businessOwner", value: `"Anna"`},
	{path: "business_information.business_owner_email", set: "business_information: {business_owner_email: a@b}", reset: "business_information: {business_owner_email: null}", key: "businessInformation.businessOwnerEmail", value: `"a@b"`},
	{path: "business_information.technical_owner", set: "business_information: {technical_owner: Tom}", reset: "business_information: null", key: "businessInformation.technicalOwner", value: `"Tom"`},
	{path: "business_information.technical_owner_email", set: "business_information: {technical_owner_email: t@b}", reset: "business_information: null", key: "businessInformation.technicalOwnerEmail", value: `"t@b"`},
	{path: "additional_properties", set: "additional_properties:\n  - {name: team, value: sales, display: true}", reset: "additional_properties: []", key: "additionalProperties", value: `[{"display":true,"name":"team","value":"sales"}]`},
	{path: "visibility", set: "visibility: PRIVATE", reset: "visibility: null", key: "visibility", value: `"PRIVATE"`},
	{path: "visible_roles", set: "visibility: RESTRICTED\nvisible_roles: [b, a]", reset: "visibility: PUBLIC\nvisible_roles: []", key: "visibleRoles", value: `["a","b"]`},
	{path: "access_control", set: "access_control: RESTRICTED\naccess_control_roles: [Internal/creator]", reset: "access_control: null", key: "accessControl", value: `"RESTRICTED"`},
	{path: "access_control_roles", set: "access_control: RESTRICTED\naccess_control_roles: [Internal/Creator]", reset: "access_control_roles: []", key: "accessControlRoles", value: `["internal/creator"]`},
	{path: "policies", set: "policies: [Gold, Bronze]", key: "policies", value: `["Bronze","Gold"]`},
	{path: "throttling_policy", set: "throttling_policy: 10KPerMin", reset: "throttling_policy: null", key: "apiThrottlingPolicy", value: `"10KPerMin"`},
	{path: "rate_limits.production", set: "rate_limits: {production: 5}", reset: "rate_limits: null", key: "maxTps.production", value: "5"},
	{path: "rate_limits.sandbox", set: "rate_limits: {sandbox: 6}", reset: "rate_limits: {sandbox: null}", key: "maxTps.sandbox", value: "6"},
	{path: "rate_limits.unit", set: "rate_limits: {production: 5, unit: MINUTE}", reset: "rate_limits: {production: 5, unit: null}", key: "maxTps.productionTimeUnit", value: `"MINUTE"`, also: "rate_limits: {production: 5}"},
	{path: "response_caching.enabled", set: "response_caching: {enabled: true}", reset: "response_caching: null", key: "responseCachingEnabled", value: "true"},
	{path: "response_caching.timeout", set: "response_caching: {enabled: true, timeout: 60}", reset: "response_caching: {enabled: true, timeout: null}", key: "cacheTimeout", value: "60", also: "response_caching: {enabled: true}"},
	{path: "cors", set: "cors: {enabled: true}", reset: "cors: null", key: "corsConfiguration.corsConfigurationEnabled", value: "true"},
	{path: "cors.enabled", set: "cors: {enabled: true}", reset: "cors: {enabled: null}", key: "corsConfiguration.accessControlAllowOrigins", value: `["*"]`},
	{path: "cors.allow_origins", set: "cors: {enabled: true, allow_origins: ['https://b', 'https://a']}", reset: "cors: {enabled: true, allow_origins: []}", key: "corsConfiguration.accessControlAllowOrigins", value: `["https://a","https://b"]`, also: "cors: {enabled: true}"},
	{path: "cors.allow_headers", set: "cors: {enabled: true, allow_headers: [X-A]}", reset: "cors: {enabled: true, allow_headers: []}", key: "corsConfiguration.accessControlAllowHeaders", value: `["X-A"]`, also: "cors: {enabled: true}"},
	{path: "cors.allow_methods", set: "cors: {enabled: true, allow_methods: [PUT, GET]}", reset: "cors: {enabled: true, allow_methods: []}", key: "corsConfiguration.accessControlAllowMethods", value: `["GET","PUT"]`, also: "cors: {enabled: true}"},
	{path: "cors.allow_credentials", set: "cors: {enabled: true, allow_credentials: true}", reset: "cors: {enabled: true, allow_credentials: null}", key: "corsConfiguration.accessControlAllowCredentials", value: "true", also: "cors: {enabled: true}"},
	{path: "transports", set: "transports: [https]", reset: "transports: []", key: "transport", value: `["https"]`},
	{path: "security_schemes", set: "security_schemes: [api_key]", reset: "security_schemes: []", key: "securityScheme", value: `["api_key","oauth_basic_auth_api_key_mandatory"]`},
	{path: "authorization_header", set: "authorization_header: X-Auth", reset: "authorization_header: null", key: "authorizationHeader", value: `"X-Auth"`},
	{path: "api_key_header", set: "api_key_header: X-Key", reset: "api_key_header: null", key: "apiKeyHeader", value: `"X-Key"`},
	{path: "key_managers", set: "key_managers: [WSO2-IS]", reset: "key_managers: []", key: "keyManagers", value: `["WSO2-IS"]`},
	{path: "schema_validation", set: "schema_validation: true", reset: "schema_validation: null", key: "enableSchemaValidation", value: "true"},
	{path: "operations", set: "operations: [{target: /a, verb: GET, auth: None}]", reset: "operations: []", key: "operations", value: `[{"authType":"None","scopes":[],"target":"/a","throttlingPolicy":"Unlimited","verb":"GET"}]`},
	{path: "scopes", set: "scopes: [{name: s, local: true, roles: [admin]}]", reset: "scopes: []", key: "scopes", value: `[{"scope":{"bindings":["admin"],"description":"","displayName":"s","name":"s"},"shared":false}]`},
	{path: "endpoints", set: "backend_url: http://a:1", reset: "endpoints: null", key: "endpointConfig", value: `{"endpoint_type":"http","production_endpoints":{"url":"http://a:1"},"sandbox_endpoints":{"url":"http://a:1"}}`},
	{path: "endpoints.type", set: "endpoints: {type: address, production: {url: 'http://a:1'}, sandbox: null}", reset: "endpoints: {type: null, production: {url: 'http://a:1'}, sandbox: null}", also: onProduction, key: "endpointConfig", value: `{"endpoint_type":"address","production_endpoints":{"endpoint_type":"address","url":"http://a:1"}}`},
	{path: "endpoints.production.url", set: "backend_url: http://b:1", key: "endpointConfig.production_endpoints.url", value: `"http://b:1"`},
	{path: "endpoints.production.urls", set: "endpoints: {type: failover, production: {urls: ['http://b:1', 'http://a:1']}}", also: onProduction, key: "endpointConfig.production_failovers", value: `[{"url":"http://a:1"}]`},
	{path: "endpoints.production", set: "endpoints: {production: {url: 'http://a:1'}, sandbox: {url: 'http://s:1'}}", reset: "endpoints: {production: null, sandbox: {url: 'http://s:1'}}", key: "endpointConfig.production_endpoints.url", value: `"http://a:1"`, also: "endpoints: {sandbox: {url: 'http://s:1'}}"},
	{path: "endpoints.sandbox.url", set: "backend_url: http://a:1\nsandbox_url: http://s:1", key: "endpointConfig.sandbox_endpoints.url", value: `"http://s:1"`},
	{path: "endpoints.sandbox", set: "backend_url: http://a:1\nsandbox_url: http://s:1", reset: "backend_url: http://a:1\nsandbox_url: null", key: "endpointConfig.sandbox_endpoints.url", value: `"http://s:1"`},
	{path: "endpoints.production.timeout", set: onProduction + "timeout: 30s", reset: onProduction + "timeout: null", also: onProduction, key: "endpointConfig.production_endpoints.config", value: `{"actionDuration":"30000","actionSelect":"fault"}`},
	{path: "endpoints.production.timeout_action", set: onProduction + "timeout_action: discard", reset: onProduction + "timeout_action: null", also: onProduction, key: "endpointConfig.production_endpoints.config.actionSelect", value: `"discard"`},
	{path: "endpoints.production.timeout_action", set: onProduction + "timeout: 30s\n    timeout_action: discard", reset: onProduction + "timeout: 30s\n    timeout_action: null", also: onProduction, key: "endpointConfig.production_endpoints.config.actionSelect", value: `"discard"`},
	{path: "endpoints.production.retries", set: onProduction + "retries: 0", reset: onProduction + "retries: null", also: onProduction, key: "endpointConfig.production_endpoints.config.retryTimeOut", value: `"0"`},
	{path: "endpoints.production.retry_delay", set: onProduction + "retry_delay: 500ms", reset: onProduction + "retry_delay: null", also: onProduction, key: "endpointConfig.production_endpoints.config.retryDelay", value: `"500"`},
	{path: "endpoints.production.retry_codes", set: onProduction + "retry_codes: [101504, 101503]", reset: onProduction + "retry_codes: []", also: onProduction, key: "endpointConfig.production_endpoints.config.retryErroCode", value: `["101503","101504"]`},
	{path: "endpoints.production.suspend.codes", set: onProduction + "suspend: {codes: [101500]}", reset: onProduction + "suspend: null", also: onProduction, key: "endpointConfig.production_endpoints.config.suspendErrorCode", value: `["101500"]`},
	{path: "endpoints.production.suspend.initial", set: onProduction + "suspend: {initial: 1m}", reset: onProduction + "suspend: {initial: null}", also: onProduction, key: "endpointConfig.production_endpoints.config.suspendDuration", value: `"60000"`},
	{path: "endpoints.production.suspend.maximum", set: onProduction + "suspend: {maximum: 1h}", reset: onProduction + "suspend: null", also: onProduction, key: "endpointConfig.production_endpoints.config.suspendMaxDuration", value: `"3600000"`},
	{path: "endpoints.production.suspend.factor", set: onProduction + "suspend: {factor: 2}", reset: onProduction + "suspend: null", also: onProduction, key: "endpointConfig.production_endpoints.config.factor", value: `"2"`},
	{path: "endpoints.production.security", set: onProduction + "security: {type: BASIC, username: u, password: p}", reset: onProduction + "security: null", also: onProduction, key: "endpointConfig.endpoint_security.production", value: `{"enabled":true,"password":"p","type":"BASIC","username":"u"}`},
	{path: "endpoints.production.security.type", set: onProduction + "security: {type: APIKEY, key_name: X, key_value: v}", also: onProduction, key: "endpointConfig.endpoint_security.production", value: `{"apiKeyIdentifier":"X","apiKeyIdentifierType":"HEADER","apiKeyValue":"v","enabled":true,"type":"apikey"}`},
	{path: "endpoints.production.security.username", set: onProduction + "security: {type: BASIC, username: v, password: p}", also: onProduction, key: "endpointConfig.endpoint_security.production.username", value: `"v"`},
	{path: "endpoints.production.security.token_url", set: onProduction + "security: {type: OAUTH, token_url: 'https://t', client_id: c, client_secret: s}", also: onProduction, key: "endpointConfig.endpoint_security.production", value: `{"clientId":"c","clientSecret":"s","enabled":true,"grantType":"CLIENT_CREDENTIALS","tokenUrl":"https://t","type":"OAUTH"}`},
	{path: "endpoints.production.security.grant_type", set: onProduction + "security: {type: OAUTH, token_url: 'https://t', client_id: c, client_secret: s, grant_type: PASSWORD, username: u, password: p}", also: onProduction, key: "endpointConfig.endpoint_security.production.grantType", value: `"PASSWORD"`},
	{path: "endpoints.production.security.client_id", set: onProduction + "security: {type: OAUTH, token_url: 'https://t', client_id: c, client_secret: s}", also: onProduction, key: "endpointConfig.endpoint_security.production.clientSecret", value: `"s"`},
	{path: "endpoints.production.security.key_name", set: onProduction + "security: {type: APIKEY, key_name: X, key_value: v}", also: onProduction, key: "endpointConfig.endpoint_security.production.apiKeyValue", value: `"v"`},
	{path: "endpoints.production.security.key_in", set: onProduction + "security: {type: APIKEY, key_name: X, key_value: v, key_in: QUERY_PARAMETER}", also: onProduction, key: "endpointConfig.endpoint_security.production.apiKeyIdentifierType", value: `"QUERY_PARAMETER"`},
	{path: "endpoints.session_management", set: "endpoints: {session_management: soap, production: {urls: ['http://a:1', 'http://b:1']}}", reset: "endpoints: {session_management: null, production: {urls: ['http://a:1', 'http://b:1']}}", also: "endpoints: {production: {urls: ['http://a:1', 'http://b:1']}}", key: "endpointConfig.sessionManagement", value: `"soap"`},
}

func TestEachFieldOfAnAPI(t *testing.T) {
	for _, row := range apiRows {
		t.Run(row.path, func(t *testing.T) {
			also, want := apiFile(t, row.also), apiFile(t, row.set)
			before := APIBody(also, nil, nil)
			text := jsonOf(t, before)
			// The rows of groups only reset them: for what the file sets, their fields differ.
			if d := APIDifferences(want, before, nil, nil); !strings.Contains("\n"+listed(d), "\n"+row.path) {
				t.Errorf("the file sets it and the server does not have it: differences\n%s", listed(d))
			}
			after := APIBody(want, before, nil)
			if jsonOf(t, before) != text {
				t.Errorf("the server's object was changed: %s", jsonOf(t, before))
			}
			if d := APIDifferences(want, after, nil, nil); len(d) > 0 {
				t.Errorf("differences after the write:\n%s", listed(d))
			}
			if got := jsonOf(t, at(after, row.key)); got != row.value {
				t.Errorf("%s is %s, want %s", row.key, got, row.value)
			}
			if d := APIDifferences(apiFile(t, ""), after, nil, nil); row.path != "policies" && len(d) > 0 {
				t.Errorf("the file leaves it out, and there are differences:\n%s", listed(d))
			}
			if row.reset == "" {
				return
			}
			reset := apiFile(t, row.reset)
			if d := APIDifferences(reset, after, nil, nil); !hasPath(d, row.path) {
				t.Errorf("a reset is no difference:\n%s", listed(d))
			}
			if d := APIDifferences(reset, APIBody(reset, after, nil), nil, nil); len(d) > 0 {
				t.Errorf("differences after the reset:\n%s", listed(d))
			}
		})
	}
}

// The rows of the sandbox come from the same function as those of production.
func TestEveryRowOfAnAPIIsTested(t *testing.T) {
	for _, row := range apiTable {
		twin := strings.Replace(row.path, ".sandbox.", ".production.", 1)
		switch {
		case slices.Contains([]string{"name", "version", "context", "type", "subscription_availability"}, row.path): // below
		case row.secret: // in TestASecretIsWrittenAndComparedByWhatWasSent
		case !slices.ContainsFunc(apiRows, func(r apiRow) bool { return r.path == row.path || r.path == twin }):
			t.Errorf("no test sets %s", row.path)
		}
	}
}

// A server that has never had anything of an API has the defaults, so a reset of everything is no difference.
func TestDefaultsAreNoDifference(t *testing.T) {
	bare := Object{"name": "Orders", "version": "1.0.0", "context": "orders", "policies": []any{"Unlimited"}}
	putOperations(bare, defaultOperations("HTTP"))
	for _, row := range apiRows {
		if row.reset == "" || row.also != "" || strings.HasPrefix(row.path, "endpoints.") {
			continue
		}
		reset := apiFile(t, row.reset)
		if d := APIDifferences(reset, bare, nil, nil); len(d) > 0 {
			t.Errorf("%s:\n%s", row.path, listed(d))
		}
	}
	full := apiFile(t, "type: HTTP\nsubscription_availability: CURRENT_TENANT\nvisibility: PUBLIC\naccess_control: NONE\n"+
		"authorization_header: Authorization\napi_key_header: ApiKey\nkey_managers: [all]\ntransports: [https, http]\n"+
		"security_schemes: [oauth2]\nresponse_caching: {enabled: false}\ncors: {enabled: false}\nschema_validation: false\ndefault_version: false")
	if d := APIDifferences(full, bare, nil, nil); len(d) > 0 {
		t.Errorf("defaults that the file names:\n%s", listed(d))
	}
	other := Object{"name": "Order", "version": "2", "context": "/o", "type": "WS", "subscriptionAvailability": "ALL_TENANTS", "policies": []any{"Unlimited"}}
	d := APIDifferences(apiFile(t, "type: HTTP\nsubscription_availability: CURRENT_TENANT"), other, nil, nil)
	for _, path := range []string{"name", "version", "context", "type", "subscription_availability"} {
		if !hasPath(d, path) {
			t.Errorf("another %s is no difference", path)
		}
	}
}

func hasPath(all []Difference, path string) bool {
	return slices.ContainsFunc(all, func(d Difference) bool { return d.Path == path })
}

func jsonOf(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestPoliciesThatSomebodyAddedStay(t *testing.T) {
	have := Object{"policies": []any{"Gold", "DefaultSubscriptionless"}}
	for _, tt := range []struct {
		name, file string
		need       []string
		want       string
	}{
		{"the file names none", "", []string{"Silver"}, `["Gold","Silver","Unlimited"]`},
		{"the file names one", "policies: [Bronze]", []string{"Silver"}, `["Bronze"]`},
	} {
		if got := jsonOf(t, APIBody(apiFile(t, tt.file), have, tt.need)["policies"]); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
	if got := jsonOf(t, APIBody(apiFile(t, ""), nil, []string{"Silver"})["policies"]); got != `["Silver","Unlimited"]` {
		t.Errorf("a new API has the policies %s", got)
	}
	enough := Object{"name": "Orders", "version": "1.0.0", "context": "/orders", "policies": []any{"Gold", "Silver", "Unlimited"}}
	if d := APIDifferences(apiFile(t, ""), enough, []string{"Silver"}, nil); len(d) > 0 {
		t.Errorf("an API that offers enough differs:\n%s", listed(d))
	}
}

func TestTheMarkOfTheAgentIsNoDifferenceAndStays(t *testing.T) {
	mark := map[string]any{"name": "wso2agent", "value": "owned", "display": false}
	have := APIBody(apiFile(t, ""), nil, nil)
	have["additionalProperties"] = []any{mark}
	have["additionalPropertiesMap"] = map[string]any{"wso2agent": mark}
	want := apiFile(t, "additional_properties: []")
	if d := APIDifferences(want, have, nil, nil); len(d) > 0 {
		t.Errorf("the mark is a difference:\n%s", listed(d))
	}
	body := APIBody(want, have, nil)
	if got := jsonOf(t, body["additionalProperties"]); got != `[{"display":false,"name":"wso2agent","value":"owned"}]` {
		t.Errorf("the mark is gone: %s", got)
	}
	if _, sent := body["additionalPropertiesMap"]; sent {
		t.Error("the map that the server derives is sent")
	}
}

func TestASecretIsWrittenAndComparedByWhatWasSent(t *testing.T) {
	want := apiFile(t, onProduction+"security: {type: BASIC, username: u, password: hunter2}")
	have := APIBody(want, nil, nil)
	putAt(have, securityKey+".production.password", "")
	putAt(have, securityKey+".sandbox.password", "")
	last := map[string]string{}
	sent := func(path, value string) bool { return last[path] == value }
	if d := APIDifferences(want, have, nil, nil); len(d) > 0 {
		t.Errorf("nothing is known of the password, and it differs:\n%s", listed(d))
	}
	d := APIDifferences(want, have, nil, sent)
	if len(d) != 2 || d[0].Path != "endpoints.production.security.password" || !d[0].Secret || strings.Contains(listed(d), "hunter2") {
		t.Errorf("another password was sent last:\n%s", listed(d))
	}
	last = APISecrets(want, have)
	if d := APIDifferences(want, have, nil, sent); len(last) != 2 || len(d) > 0 {
		t.Errorf("the same password was sent last:\n%s", listed(d))
	}
	if got := at(APIBody(want, have, nil), securityKey+".production.password"); got != "hunter2" {
		t.Errorf("the password is not in an update: %v", got)
	}
	// An API whose file leaves the password out keeps it: the server takes "" for the one that it has.
	if got := at(APIBody(apiFile(t, onProduction), have, nil), securityKey+".production.password"); got != "" {
		t.Errorf("an update sends the password %v", got)
	}
}

func TestTheSandboxFollowsProductionUntilItIsItsOwn(t *testing.T) {
	have := APIBody(apiFile(t, "backend_url: http://a:1"), nil, nil)
	want := apiFile(t, "backend_url: http://b:1")
	if got := addressesAt(APIBody(want, have, nil), "sandbox"); !slices.Equal(got, []string{"http://b:1"}) {
		t.Errorf("the sandbox is at %v", got)
	}
	own := APIBody(apiFile(t, "backend_url: http://a:1\nsandbox_url: http://s:1"), nil, nil)
	if got := addressesAt(APIBody(want, own, nil), "sandbox"); !slices.Equal(got, []string{"http://s:1"}) {
		t.Errorf("a sandbox of its own moved to %v", got)
	}
	if d := APIDifferences(want, own, nil, nil); len(d) != 1 || d[0].Path != "endpoints.production.url" {
		t.Errorf("differences:\n%s", listed(d))
	}
	// It stays its own if production moves to its address.
	with := apiFile(t, onProduction+"timeout: 30s\n  sandbox: {url: 'http://b:1'}")
	moved := APIBody(apiFile(t, "endpoints: {production: {url: 'http://b:1', timeout: 30s}}"), APIBody(with, nil, nil), nil)
	if d := APIDifferences(apiFile(t, "endpoints: {production: {url: 'http://b:1', timeout: 30s}}"), moved, nil, nil); len(d) != 0 {
		t.Errorf("a sandbox at the address of production follows it:\n%s", listed(d))
	}
}

func TestANewAPIHasNoNulls(t *testing.T) {
	want := apiFile(t, "description: null\ncors: null\nrate_limits: null\nbusiness_information: {business_owner: null, technical_owner: Tom}\nthrottling_policy: null")
	if made := jsonOf(t, APIBody(want, nil, nil)); strings.Contains(made, "null") || !strings.Contains(made, "Tom") {
		t.Errorf("a new API is sent as %s", made)
	}
	if changed := APIBody(want, Object{"description": "Old"}, nil); changed["description"] != nil || !strings.Contains(jsonOf(t, changed), `"description":null`) {
		t.Errorf("an API is sent as %s: nothing resets its description", jsonOf(t, changed))
	}
}

func TestFieldsThatAnOperationAndAScopeLeaveOutStay(t *testing.T) {
	have := APIBody(apiFile(t, "scopes: [{name: s, local: true, description: Text, roles: [admin]}, shared]\n"+
		"operations: [{target: /a, verb: GET, auth: Application, throttling_policy: 10KPerMin, scopes: [s, shared]}]"), nil, nil)
	have["operations"].([]any)[0].(map[string]any)["operationPolicies"] = "kept"
	for _, fields := range []string{
		"operations: [{target: /a, verb: GET}]", "scopes: [{name: s, local: true}, shared]",
		"operations: [{target: /a, verb: GET, auth: Application}]\nscopes: [shared, {name: s, local: true}]",
	} {
		if d := APIDifferences(apiFile(t, fields), have, nil, nil); len(d) > 0 {
			t.Errorf("%s:\n%s", fields, listed(d))
		}
	}
	want := apiFile(t, "operations: [{target: /b, verb: PUT}, {target: /a, verb: GET, auth: None, scopes: []}]")
	d := APIDifferences(want, have, nil, nil)
	if len(d) != 1 || !strings.Contains(listed(d), "GET /a:map[auth:None") || !strings.Contains(listed(d), "PUT /b") {
		t.Errorf("differences:\n%s", listed(d))
	}
	body := APIBody(want, have, nil)
	if got := body["operations"].([]any)[0].(map[string]any); got["operationPolicies"] != "kept" || got["authType"] != "None" {
		t.Errorf("the operation is now %v", got)
	}
	if got := apiScopesOf(body); len(got) != 2 {
		t.Errorf("the scopes are now %v", got)
	}
}

func TestAScopeThatAnOperationUsesIsDeclared(t *testing.T) {
	f, err := desired.Parse(apiSource(), desired.Input{Name: "file.yaml", Data: []byte("apis:\n  - name: Orders\n    version: 1.0.0\n" +
		"    context: /orders\n    lifecycle: created\n    operations: [{target: /a, verb: GET, scopes: [read]}]\nscopes: [{name: read}]\n")})
	if err != nil {
		t.Fatal(err)
	}
	body := APIBody(f.APIs.Value[0].Value, nil, nil)
	if got := jsonOf(t, body["scopes"]); got != `[{"scope":{"name":"read"},"shared":true}]` {
		t.Errorf("the API declares %s", got)
	}
}
