package apply

import (
	"fmt"
	"testing"
	"time"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2sim"
)

// A new API waits for its shared scopes: API-M would take one that is not there for a local scope of the API, and then refuse the shared
// one.
func TestAnAPIWaitsForItsSharedScopes(t *testing.T) {
	const file = `
scopes: [{name: "orders:read"}, {name: "orders:write"}]
apis:
  - {name: Orders, version: "1", context: /orders, backend_url: "http://a:1", scopes: ["orders:read"], operations: [{target: /a, verb: GET}]}
  - {name: Stock, version: "1", context: /stock, backend_url: "http://a:1", operations: [{target: /a, verb: GET, scopes: ["orders:write"]}]}
`
	s := onlyAPIs(t)
	want := s.read(file, t.TempDir())
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: "POST", Path: "/api/am/publisher/v4/scopes", Count: 2})
	must(t, err)
	s.made(want)
	s.planned(want)
	if scopes := s.have(want).Scopes; len(scopes) != 2 {
		t.Errorf("API-M has the shared scopes %v", scopes)
	}
	for name, api := range s.have(want).APIs {
		for _, scope := range api.Object["scopes"].([]any) {
			if scope.(map[string]any)["shared"] != true {
				t.Errorf("%s has the local scope %v", plan.APIName(name), scope)
			}
		}
	}
}

// API-M loads a key manager some seconds after it was made, and until then refuses APIs that name it.
func TestAnAPIWaitsForItsKeyManager(t *testing.T) {
	s := start(t, func(o *wso2sim.Options) {
		o.Delays.KeyManager = wso2sim.Span{Min: 300 * time.Millisecond, Max: 300 * time.Millisecond}
	})
	const file = `apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1", key_managers: [%s]}]`
	want := s.read(fmt.Sprintf(file, "Resident Key Manager, WSO2-IS"), t.TempDir())
	s.made(want)
	s.planned(want)

	unknown := s.apply(s.read(fmt.Sprintf(file, "Nobody"), t.TempDir()), Options{})
	if unknown.Failed() != 1 || !permanent(unknown.Outcomes[0].Err) {
		t.Errorf("an API that names an unknown key manager: %v", unknown.Outcomes)
	}
}

// API-M sends a new scope to the key managers that it has, so a scope waits for its key manager. Otherwise IS never has it.
func TestAScopeWaitsForItsKeyManager(t *testing.T) {
	s := start(t, nil)
	want := s.read(`
scopes: [{name: "orders:read"}, {name: "unused"}]
apis:
  - {name: Orders, version: "1", context: /orders, backend_url: "http://a:1", scopes: ["orders:read", {name: "orders:write", local: true}], operations: [{target: /a, verb: GET, scopes: ["orders:read", "orders:write"]}]}
identity_server: {roles: [{name: Clerk, permissions: ["orders:read", "orders:write", unused]}]}
`, t.TempDir())
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: "POST", Path: "/api/am/admin/v4/key-managers", Count: 1})
	must(t, err)
	s.made(want)
	s.planned(want)
}
