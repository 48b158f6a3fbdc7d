package plan

import (
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/desired"
)

// inRecord lets a record know objects and the secrets that were last sent, by path.
func inRecord(w *Wanted, last map[string]string, objects ...OwnedObject) {
	w.Owned = objects
	w.Sent = func(kind, name, of string) Sent {
		return func(path, value string) bool { return last[kind+" "+name+" "+path] == value }
	}
}

func allTold(changes []Change) (all []string) {
	for _, c := range changes {
		all = append(all, told(c))
	}
	return all
}

func expect(t *testing.T, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n  %s\nand should be\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

const withSecrets = `
key_managers: [{name: Okta, type: Okta, well_known_endpoint: "https://okta.example", username: u, password: km-now, additional_properties: {apiKey: property-now}}]
identity_server: {users: [{username: Ann, password: User-now1}]}
apis:
  - name: Orders
    version: 1.0.0
    context: /orders
    endpoints: {production: {url: "http://backend:8080", security: {type: BASIC, username: u, password: api-now}}}
applications:
  - {name: Shop, keys: [{type: PRODUCTION, client_id: c, client_secret: key-now}]}
`

// TestASecretThatHasChangedIsADifference at every place that has one; one that has not is none, and neither is one of which nobody
// knows anything.
func TestASecretThatHasChangedIsADifference(t *testing.T) {
	have := has()
	api := served()
	api.Object["id"] = "id1"
	side := map[string]any{"enabled": true, "type": "BASIC", "username": "u", "password": ""}
	api.Object["endpointConfig"].(map[string]any)["endpoint_security"] = map[string]any{"production": side, "sandbox": side}
	have.APIs[APIName{"Orders", "1.0.0"}] = api
	have.KeyManagers["Okta"] = Object{"id": "k1", "name": "Okta", "type": "Okta", "wellKnownEndpoint": "https://okta.example", "additionalProperties": map[string]any{"client_id": "u", "apiKey": "*****", "client_secret": "*****"}}
	have.Users = map[string]Object{"Ann": {"id": "u1", "userName": "Ann"}}
	have.Applications["Shop"] = Application{Object: Object{"applicationId": "s1", "name": "Shop"}, Keys: []Object{
		{"keyMappingId": "m1", "keyType": "PRODUCTION", "keyManager": "WSO2-IS", "consumerKey": "c"}}}
	objects := []OwnedObject{{KindKeyManager, "Okta", "", "k1"}, {KindUser, "Ann", "", "u1"}, {KindAPI, "Orders 1.0.0", "", "id1"},
		{KindApplication, "Shop", "", "s1"}, {KindKey, "production of key manager WSO2-IS", "application Shop", "m1"}}
	w := wanted(t, withSecrets)
	plan := func() (all []string) {
		changes, problems := Make(w, have)
		if len(problems) > 0 {
			t.Fatal(problems)
		}
		for _, c := range changes {
			for _, d := range c.Fields {
				all = append(all, c.Name+" "+d.Path)
			}
			if strings.Contains(Text([]Change{c}, 0), "-now") {
				t.Errorf("the plan shows a secret: %s", Text([]Change{c}, 0))
			}
		}
		return all
	}
	expect(t, "without a record", plan())

	last := map[string]string{}
	for _, f := range Compare(w, have).Found {
		for path, value := range f.Secrets {
			last[f.Kind+" "+f.Name+" "+path] = value
		}
	}
	inRecord(&w, last, objects...)
	expect(t, "what was last sent", plan())
	inRecord(&w, nil, objects...)
	expect(t, "others were sent", plan(), "Okta password", "Okta additional_properties.apiKey",
		"Orders 1.0.0 endpoints.production.security.password", "Orders 1.0.0 endpoints.sandbox.security.password", "Ann password",
		"production of key manager WSO2-IS client_secret")
	for i := range objects {
		objects[i].ID = "of another database"
	}
	expect(t, "the record is of other servers", plan())
}

// TestAChangeSaysThatItAdoptsAnObject only if somebody else has made it, and if there is a change.
func TestAChangeSaysThatItAdoptsAnObject(t *testing.T) {
	const adopted = "; effect: adopted: the record does not have it"
	have := has()
	have.APIs[APIName{"Orders", "1.0.0"}].Object["id"] = "id1"
	w := wanted(t, strings.Replace(small, "context:", "description: New, context:", 1))
	change := "update API Orders 1.0.0; description:  -> New"
	expect(t, "without a record", allTold(first(Make(w, have))), change)
	inRecord(&w, nil)
	expect(t, "an empty record", allTold(first(Make(w, have))), change+adopted)
	inRecord(&w, nil, OwnedObject{KindAPI, "Orders 1.0.0", "", "another"})
	expect(t, "another API of the name", allTold(first(Make(w, have))), change+adopted)
	for _, id := range []string{"id1", ""} {
		inRecord(&w, nil, OwnedObject{KindAPI, "Orders 1.0.0", "", id})
		expect(t, "its own, known as "+id, allTold(first(Make(w, have))), change)
	}
	inRecord(&w, nil)
	w.Owner = "agent1"
	have.APIs[APIName{"Orders", "1.0.0"}].Object["additionalProperties"] = []any{map[string]any{"name": "wso2agent", "value": "agent1"}}
	expect(t, "a lost record, and the mark", allTold(first(Make(w, have))), change)
	w = wanted(t, small)
	inRecord(&w, nil)
	c := Compare(w, have)
	if len(c.Changes) > 0 || !slices.ContainsFunc(c.Found, func(f Found) bool { return f.OwnedObject == OwnedObject{KindAPI, "Orders 1.0.0", "", "id1"} }) {
		t.Errorf("without a change: %v, found %v", allTold(c.Changes), c.Found)
	}
}

func first(changes []Change, _ desired.Problems) []Change { return changes }

// TestTheMarkOfAnAPIComesOnlyWithAnotherChange, and takes nothing from what the file or people have set.
func TestTheMarkOfAnAPIComesOnlyWithAnotherChange(t *testing.T) {
	have := has()
	theirs := map[string]any{"name": "team", "value": "sales", "display": true}
	have.APIs[APIName{"Orders", "1.0.0"}].Object["additionalProperties"] = []any{theirs}
	w := wanted(t, small)
	w.Owner = "agent1"
	if changes, _ := Make(w, have); len(changes) > 0 {
		t.Errorf("the mark alone: %v", allTold(changes))
	}
	mark := map[string]any{"name": "wso2agent", "value": "agent1", "display": false}
	other := map[string]any{"name": "wso2agent", "value": "before", "display": false}
	for name, c := range map[string]struct {
		file string
		has  []any
		want []any
	}{
		"the file says nothing":     {"description: New", []any{theirs}, []any{theirs, mark}},
		"the file has properties":   {"description: New, additional_properties: [{name: a, value: b}]", []any{theirs}, []any{map[string]any{"name": "a", "value": "b", "display": false}, mark}},
		"the file has none":         {"description: New, additional_properties: []", []any{theirs}, []any{mark}},
		"another agent has made it": {"description: New", []any{other}, []any{mark}},
	} {
		have.APIs[APIName{"Orders", "1.0.0"}].Object["additionalProperties"] = c.has
		w := wanted(t, strings.Replace(small, "context:", c.file+", context:", 1))
		w.Owner = "agent1"
		changes, _ := Make(w, have)
		if len(changes) != 1 || slices.ContainsFunc(changes[0].Fields, func(d Difference) bool { return strings.Contains(told(changes[0]), "wso2agent") }) {
			t.Fatalf("%s: %v", name, allTold(changes))
		}
		body := APIBody(changes[0].Want.(desired.API), changes[0].Have.(API).Object, nil)
		if !equal(body["additionalProperties"], c.want) {
			t.Errorf("%s: %v, want %v", name, body["additionalProperties"], c.want)
		}
	}
	changes, _ := Make(w, Have{KeyManagers: has().KeyManagers})
	if body := APIBody(changes[0].Want.(desired.API), nil, nil); !equal(body["additionalProperties"], []any{mark}) {
		t.Errorf("a new API has %v", body["additionalProperties"])
	}
}

// TestWhatTheFileNames: what it needs in any way stays.
func TestWhatTheFileNames(t *testing.T) {
	w := wanted(t, `
key_managers: [{name: Listed, type: Okta, well_known_endpoint: "https://okta.example"}]
apis:
  - {name: Pet, version: "1", context: /pet, backend_url: "http://a:1", key_managers: [OfAPI], scopes: [{name: "pet:read"}], documents: [{name: Guide, summary: s, content: c}]}
applications:
  - {name: Shop, subscriptions: [Pet], keys: [{type: SANDBOX, key_manager: OfKey}]}
  - {name: Plain}
`)
	w.Own = desired.KeyManager{Name: given("WSO2-IS")}
	named := []OwnedObject{
		{Kind: KindKeyManager, Name: "Listed"}, {Kind: KindKeyManager, Name: "OfAPI"}, {Kind: KindKeyManager, Name: "OfKey"}, {Kind: KindKeyManager, Name: "WSO2-IS"},
		{Kind: KindAPI, Name: "Pet 1"}, {Kind: KindScope, Name: "pet:read"}, {KindDocument, "Guide", "API Pet 1", ""},
		{KindKey, "sandbox of key manager OfKey", "application Shop", ""}, {KindKey, "production of key manager WSO2-IS", "application Plain", ""},
		{KindSubscription, "to API Pet 1", "application Shop", ""}, {KindSubscription, "to API Pet 0.9", "application Shop", ""},
		{Kind: KindKeyManager, Name: "Resident Key Manager"}, {Kind: KindUser, Name: "admin"}, {Kind: KindRole, Name: "everyone"}, {Kind: KindApplication, Name: "DefaultApplication"},
	}
	gone := []OwnedObject{
		{KindKey, "production of key manager OfKey", "application Shop", ""}, {KindSubscription, "to API Store 1", "application Shop", ""},
		{KindSubscription, "to API Pet 1", "application Old", ""}, {KindSubscription, "to API Pet Store 1", "application Shop", ""},
		{KindApplication, "Old", "", ""}, {Kind: KindUser, Name: "Ann"}, {KindDocument, "Other", "API Pet 1", ""}, {KindDocument, "Guide", "API Pet 2", ""},
		{Kind: KindAPI, Name: "Pet 2"}, {Kind: KindCertificate, Name: "c"}, {Kind: KindScope, Name: "other"}, {Kind: KindKeyManager, Name: "Other"},
	}
	w.Owned = slices.Concat(slices.Clone(gone), named)
	versions := []APIVersion{{Name: "Pet", Version: "1"}, {Name: "Pet Store", Version: "1"}}
	if got := NotNamed(w, versions); !slices.Equal(got, gone) {
		t.Errorf("not named: %v\nwant %v", got, gone)
	}
	if got := NotNamed(w, nil); len(got) != len(gone)-1 {
		t.Errorf("without versions, a subscription that may be meant counts as named: %v", got)
	}
}

// TestARemovalNeverTakesWhatTheFileNamesOtherwise: a user in another letter case is one user.
func TestARemovalNeverTakesWhatTheFileNamesOtherwise(t *testing.T) {
	w := wanted(t, "identity_server: {users: [{username: ann}]}")
	w.Prune = true
	inRecord(&w, nil, OwnedObject{KindUser, "Ann", "", "u1"}, OwnedObject{KindUser, "Bob", "", "u2"})
	have := Have{Users: map[string]Object{"ann": {"id": "u1", "userName": "Ann"}}}
	for _, o := range w.Owned {
		have.Left = append(have.Left, Left{OwnedObject: o})
	}
	changes, problems := Make(w, have)
	expect(t, "the plan", allTold(changes), "delete user Bob; effect: the tokens of the user end")
	if len(problems) > 0 {
		t.Error(problems)
	}
}

// TestTheKeyManagerOfTheSettingsIsSpared: settings without IS are no change of the file.
func TestTheKeyManagerOfTheSettingsIsSpared(t *testing.T) {
	w := wanted(t, "applications: [{name: Shop, keys: []}]")
	w.Prune, w.Spared = true, "WSO2-IS"
	have := Have{Applications: map[string]Application{"Shop": {Object: Object{"applicationId": "1", "name": "Shop"}}}}
	for _, o := range []OwnedObject{
		{KindKeyManager, "WSO2-IS", "", "k1"}, {KindKey, "production of key manager WSO2-IS", "application Shop", "m1"}, {KindKeyManager, "Okta", "", "k2"},
		{KindKey, "production of key manager Old WSO2-IS", "application Shop", "m2"}, {KindScope, "WSO2-IS", "", "s1"},
	} {
		have.Left = append(have.Left, Left{OwnedObject: o})
	}
	c := Compare(w, have)
	expect(t, "the plan", allTold(c.Changes), "delete key production of key manager Old WSO2-IS of application Shop; effect: the tokens of its client end",
		"delete shared scope WSO2-IS", "delete key manager Okta")
	if got := KeptText(c.Kept); got != "not in the file, and kept: key production of key manager WSO2-IS (application Shop), key manager WSO2-IS\n" {
		t.Error(got)
	}
	w.Spared = ""
	if c := Compare(w, have); len(c.Changes) != 5 || len(c.Kept) > 0 {
		t.Errorf("with no key manager to spare: %q, kept %v", allTold(c.Changes), c.Kept)
	}
}

// TestRemovalsArePrinted, and what stays without PRUNE.
func TestRemovalsArePrinted(t *testing.T) {
	w := wanted(t, "gateway: {host: gw}")
	have := Have{Left: []Left{
		{OwnedObject: OwnedObject{KindScope, "read", "", "s1"}},
		{OwnedObject: OwnedObject{KindAPI, "Old 1.0.0", "", "a1"}, Subscribers: []Subscriber{{Application: "Theirs\x1b[2J", Owner: "bob"}}},
		{OwnedObject: OwnedObject{KindDocument, "Guide", "API Orders 2", "d1"}},
	}}
	c := Compare(w, have)
	if got, want := Text(c.Changes, 0, c.Kept...), "not in the file, and kept: document Guide (API Orders 2), API Old 1.0.0, shared scope read\nplan: no differences\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	text, err := JSON("", c.Changes, nil, c.Kept...)
	if want := `"kept": [
    {
      "kind": "document",
      "name": "Guide",
      "of": "API Orders 2"
    },`; err != nil || !strings.Contains(string(text), want) || !strings.Contains(string(text), `"delete": 0`) {
		t.Errorf("%s, %v", text, err)
	}
	w.Prune = true
	c = Compare(w, have)
	if got, want := Text(c.Changes, len(c.Problems), c.Kept...), "- document Guide (API Orders 2)\nnot in the file, and kept: API Old 1.0.0, shared scope read\nremovals: all that the agent has made and that these files do not name, also what it made of other files\nplan: 0 to create, 0 to change, 1 to delete, 1 for a person to solve\n"; got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if len(c.Problems) != 1 || !strings.Contains(c.Problems[0].Message, `API Old 1.0.0 is no longer in the file, and these applications have subscribed to it: "Theirs\x1b[2J" of bob`) {
		t.Errorf("%v", c.Problems)
	}
	w.PruneSubscribed = true
	c = Compare(w, have)
	if text, err = JSON("", c.Changes, c.Problems); err != nil || len(c.Problems) > 0 || !strings.Contains(string(text), `"delete": 3`) || !strings.Contains(string(text), `"action": "delete"`) {
		t.Errorf("%s, %v, %v", text, c.Problems, err)
	}
	if !strings.Contains(Text(c.Changes, 0), "- API Old 1.0.0\n    effect: the agent first retires the API, which ends the subscriptions of ") {
		t.Error(Text(c.Changes, 0))
	}
}
