package plan

import (
	"slices"
	"testing"
)

// TestAChangeKnowsItsPlaceInTheFile: each kind of object has one.
func TestAChangeKnowsItsPlaceInTheFile(t *testing.T) {
	w := wanted(t, `
key_managers:
  - {name: Cloak, type: KeyCloak, well_known_endpoint: "https://kc.example/w", token_endpoint: "https://kc.example/t", revoke_endpoint: "https://kc.example/r",
     introspection_endpoint: "https://kc.example/i", client_registration_endpoint: "https://kc.example/c", issuer: "https://kc.example", username: c, password: throwAway1}
scopes: [{name: "read"}]
identity_server: {users: [{username: ann, password: throwAway1}], groups: [{name: staff}], roles: [{name: clerk}]}
apis:
  - {name: Pet, version: "1", context: /pet, backend_url: "http://a:1", documents: [{name: Guide, summary: s, content: c}],
     endpoint_certificates: [{alias: backend, endpoint: "https://a:1", file: owned_test.go}]}
applications: [{name: Shop, subscriptions: [Pet]}]
`)
	changes, problems := Make(w, Have{KeyManagers: has().KeyManagers})
	var kinds []string
	for _, c := range changes {
		if at := c.At(); at.Line < 2 || at.Column == 0 {
			t.Errorf("%s is at %s", c.Title(), at)
		}
		kinds = append(kinds, c.Kind)
	}
	for _, kind := range order {
		if !slices.Contains(kinds, kind) {
			t.Errorf("no %s is made: %v", kind, problems)
		}
	}
	if at := (Change{Have: Left{}}).At(); at.Line != 0 {
		t.Errorf("a removal is at %s", at)
	}
}
