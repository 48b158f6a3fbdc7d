package plan

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// TestNoAPIIsRestrictedToNobody: API-M refuses that.
func TestNoAPIIsRestrictedToNobody(t *testing.T) {
	have := Object{"visibility": "RESTRICTED", "visibleRoles": []any{"a"}, "accessControl": "RESTRICTED", "accessControlRoles": []any{"a"}}
	made := APIBody(apiFile(t, "visible_roles: []\naccess_control_roles: []"), have, nil)
	if made["visibility"] != "PUBLIC" || made["accessControl"] != "NONE" {
		t.Errorf("visibility %v, access control %v", made["visibility"], made["accessControl"])
	}
}

func TestANewAPIOfEachType(t *testing.T) {
	for kind, want := range map[string]string{
		"HTTP": "DELETE /* GET /* PATCH /* POST /* PUT /*", "WS": "PUBLISH /* SUBSCRIBE /*", "SSE": "SUBSCRIBE /*", "GRAPHQL": "",
	} {
		api := NewAPI(kind)
		if got := strings.Join(sortedKeys(operationsOf(api)), " "); got != want {
			t.Errorf("%s has the operations %q, want %q", kind, got, want)
		}
		if _, sent := api["operations"]; sent == (kind == "GRAPHQL") {
			t.Errorf("%s sends operations: %v", kind, sent)
		}
		if _, sent := api["transport"]; sent == (kind == "WS") {
			t.Errorf("%s sends transports: %v", kind, sent)
		}
	}
}

func TestEndpointsOfAnotherTypeLeaveNothingBehind(t *testing.T) {
	api := APIBody(apiFile(t, "endpoints: {type: failover, production: {urls: ['http://a:1', 'http://b:1']}}"), nil, nil)
	for _, tt := range []struct{ fields, keys string }{
		{"backend_url: http://a:1", "endpoint_type production_endpoints sandbox_endpoints"},
		{"endpoints: {type: default}", "endpoint_type failOver production_endpoints sandbox_endpoints"},
		{"endpoints: {production: {urls: ['http://a:1']}}", "algoClassName algoCombo endpoint_type failOver production_endpoints sandbox_endpoints sessionManagement sessionTimeOut"},
		{"endpoints: {type: failover, production: {urls: ['http://a:1', 'http://b:1']}, sandbox: null}", "endpoint_type failOver production_endpoints production_failovers"},
	} {
		api = APIBody(apiFile(t, tt.fields), api, nil)
		if got := strings.Join(slices.Sorted(maps.Keys(api[configKey].(map[string]any))), " "); got != tt.keys {
			t.Errorf("%s: endpointConfig has %s, want %s", tt.fields, got, tt.keys)
		}
	}
	if got := at(api, configKey+".failOver"); got != "True" {
		t.Errorf("failOver is %v", got)
	}
	if d := APIDifferences(apiFile(t, "backend_url: http://a:1"), api, nil, nil); len(d) != 1 || d[0].Path != "endpoints.production.url" || d[0].Have != nil {
		t.Errorf("one address for several differs in\n%s", listed(d))
	}
	dynamic := APIBody(apiFile(t, "endpoints: {type: default}"), nil, nil)
	if got := addressesAt(APIBody(apiFile(t, "sandbox_url: http://s:1"), dynamic, nil), "production"); len(got) > 0 {
		t.Errorf("the address of a dynamic endpoint stays: %v", got)
	}
}

func TestTimesOfAddressesAreReadAsPeopleWroteThem(t *testing.T) {
	api := APIBody(apiFile(t, "endpoints: {production: {urls: ['http://a:1', 'http://b:1'], retries: 2}, sandbox: null}"), nil, nil)
	want := apiFile(t, "endpoints: {production: {urls: ['http://a:1', 'http://b:1'], retries: 2, retry_codes: [101503], timeout: null}, sandbox: null}")
	for i, b := range blocksAt(api, "production") {
		putAt(b, "config.retryErroCode", []any{101503.0}) // a number, as earlier portals wrote it
		putAt(b, "config.actionDuration", "")
		if i == 1 {
			putAt(b, "config.retryTimeOut", "3")
		}
	}
	if got := listed(APIDifferences(want, api, nil, nil)); got != "endpoints.production.retries: not the same for all addresses: 2, 3 -> 2\n" {
		t.Errorf("differences:\n%s", got)
	}
}

func TestAnUpdateKeepsWhatTheServerAddsToSecurity(t *testing.T) {
	want := apiFile(t, onProduction+"security: {type: BASIC, username: u, password: p}")
	have := APIBody(want, nil, nil)
	putAt(have, securityKey+".production.customParameters", map[string]any{"a": "b"})
	if got := at(APIBody(want, have, nil), securityKey+".production.customParameters.a"); got != "b" {
		t.Errorf("the server's field is %v", got)
	}
	putAt(have, securityKey+".production.enabled", false)
	if d := APIDifferences(want, have, nil, nil); len(d) != 1 || d[0].Path != "endpoints.production.security.type" {
		t.Errorf("security that is switched off differs in\n%s", listed(d))
	}
}

func TestScopesThatTheFileLeavesToTheServerStay(t *testing.T) {
	have := APIBody(apiFile(t, "scopes: [{name: s, local: true, display_name: S}, {name: unused, local: true}, shared]"), nil, nil)
	if d := APIDifferences(apiFile(t, "scopes: [shared, {name: s, local: true}, {name: unused, local: true}]"), have, nil, nil); len(d) > 0 {
		t.Errorf("differences:\n%s", listed(d))
	}
	want := apiFile(t, "scopes: [shared]\noperations: [{target: /a, verb: GET, scopes: [shared]}]")
	want.Scopes = apiFile(t, "").Scopes // from the list of shared scopes of the file
	if got := jsonOf(t, sortedKeys(apiScopesOf(APIBody(want, have, nil)))); got != `["s","shared","unused"]` {
		t.Errorf("the scopes are now %s", got)
	}
	bare := Object{"scopes": []any{map[string]any{"scope": map[string]any{"name": "s"}, "shared": false}}}
	if got := apiScopesOf(bare)["s"].(map[string]any)["display_name"]; got != "s" {
		t.Errorf("a scope without a name for people is shown as %v", got)
	}
}

func TestSmallThingsThatTheServerReads(t *testing.T) {
	twice := Object{"operations": []any{map[string]any{"verb": "GET", "target": "/a"}, map[string]any{"verb": "get", "target": "/a"}}}
	if got := APIBody(apiFile(t, "operations: [{target: /a, verb: GET}]"), twice, nil)["operations"].([]any); len(got) != 1 {
		t.Errorf("one operation becomes %v", got)
	}
	have := APIBody(apiFile(t, "access_control: RESTRICTED\naccess_control_roles: [a]\ndescription: Text"), nil, nil)
	body := APIBody(apiFile(t, "access_control_roles: []\ndescription: null"), have, nil)
	if body["accessControl"] != "NONE" || body["description"] != nil {
		t.Errorf("without roles and text: %v, %v", body["accessControl"], body["description"])
	}
	limits := Object{"maxTps": map[string]any{"production": 5.0, "productionTimeUnit": "MINUTE", "sandbox": nil, "sandboxTimeUnit": "SECOND"}}
	if got := limitUnitRow.have(limits); got != "MINUTE" {
		t.Errorf("the unit of the only number is %v", got)
	}
	bare := APIBody(apiFile(t, "scopes: [{name: write, local: true}]"), nil, nil)
	if _, reason := EndsTokens(apiFile(t, ""), bare); strings.Contains(reason, "users") {
		t.Errorf("without roles no user loses a token: %s", reason)
	}
}
