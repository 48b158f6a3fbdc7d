package plan

import (
	"encoding/json"
	"reflect"
	"slices"
	"testing"

	"wso2agent/internal/desired"
)

// parse reads a file of the desired state that has no mistakes.
func parse(t *testing.T, text string) *desired.File {
	t.Helper()
	file, err := desired.Parse(desired.Source{Env: func(string) (string, bool) { return "", false }}, desired.Input{Name: "test.yaml", Data: []byte(text)})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// object decodes what a server answers.
func object(t *testing.T, text string) Object {
	t.Helper()
	var o Object
	if err := json.Unmarshal([]byte(text), &o); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return o
}

// sentOver returns a body as the server reads it.
func sentOver(t *testing.T, body Object) Object {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return object(t, string(text))
}

// rowCase is a field of the file with objects of the server that differ from it and that do not.
type rowCase struct {
	path  string
	file  string // the field in YAML
	other string // the server's object with another value
	same  string // the server's object with this value, in a form of the server's
	have  any    // of the difference
	want  any
}

// checkRows checks for each row that it sees a difference and the absence of one, that a body removes the difference, and that no row is
// without a case. elsewhere are the rows that the caller checks by itself.
func checkRows[T any](t *testing.T, table func(T) []mapping, read func(t *testing.T, field string) T, cases []rowCase, elsewhere ...string) {
	var none T
	seen := elsewhere
	for _, c := range cases {
		t.Run(c.file, func(t *testing.T) {
			want := read(t, c.file)
			other, same := object(t, c.other), object(t, c.same)
			expected := []Difference{{Path: c.path, Have: c.have, Want: c.want}}
			if all := differences(table(want), want, other); !reflect.DeepEqual(all, expected) {
				t.Errorf("%s against %s:\n%#v, not\n%#v", c.file, c.other, all, expected)
			}
			if all := differences(table(want), want, same); len(all) > 0 {
				t.Errorf("%s against %s: %#v, but they are equal", c.file, c.same, all)
			}
			if all := differences(table(want), want, sentOver(t, body(table(want), want, other))); len(all) > 0 && writes(table(want), none, c.path) {
				t.Errorf("%s applied to %s still differs: %#v", c.file, c.other, all)
			}
			if before := object(t, c.other); !reflect.DeepEqual(before, other) {
				t.Error("the body changes the object from which it is made")
			}
		})
		seen = append(seen, c.path)
	}
	for _, m := range table(none) {
		if m.have != nil && !slices.Contains(seen, m.path) {
			t.Errorf("no case is about %s", m.path)
		}
	}
}

// writes reports whether a row puts its value into a body.
func writes(table []mapping, none any, path string) bool {
	return !slices.ContainsFunc(table, func(m mapping) bool {
		if m.path != path {
			return false
		}
		probe := Object{}
		value, _ := m.want(none)
		m.put(probe, value)
		return len(probe) == 0
	})
}

func TestEachFieldOfAnApplication(t *testing.T) {
	read := func(t *testing.T, field string) desired.Application {
		f := parse(t, "applications: [{name: App, "+field+"}]")
		app := f.Applications.Value[0].Value
		app.Name = desired.Text{} // it identifies the application, and is compared below
		return app
	}
	table := func(desired.Application) []mapping { return applicationTable }
	none := map[string]string{}
	checkRows(t, table, read, []rowCase{
		{"description", "description: One", `{"description":null}`, `{"description":"One"}`, "", "One"},
		{"description", "description: null", `{"description":"One"}`, `{"description":null}`, "One", ""},
		{"throttling_policy", "throttling_policy: 10PerMin", `{"throttlingPolicy":"Unlimited"}`, `{"throttlingPolicy":"10PerMin"}`, "Unlimited", "10PerMin"},
		{"throttling_policy", "throttling_policy: null", `{"throttlingPolicy":"10PerMin"}`, `{"throttlingPolicy":"Unlimited"}`, "10PerMin", "Unlimited"},
		{"token_type", "token_type: JWT", `{"tokenType":"OAUTH"}`, `{"tokenType":"JWT"}`, "OAUTH", "JWT"},
		{"attributes", "attributes: {team: a}", `{"attributes":{"team":"b"}}`, `{"attributes":{"team":"a","unset":null}}`,
			map[string]string{"team": "b"}, map[string]string{"team": "a"}},
		{"attributes", "attributes: {team: a, unset: ''}", `{"attributes":{"team":"b"}}`, `{"attributes":{"team":"a"}}`, map[string]string{"team": "b"}, map[string]string{"team": "a"}},
		{"attributes", "attributes: null", `{"attributes":{"team":"b"}}`, `{"attributes":{}}`, map[string]string{"team": "b"}, none},
		{"groups", "groups: [b, a]", `{"groups":["a"]}`, `{"groups":["a","b"]}`, []string{"a"}, []string{"a", "b"}},
		{"groups", "groups: []", `{"groups":["a"]}`, `{"groups":[""]}`, []string{"a"}, []string{}},
	}, "name")
	app := read(t, "description: One")
	app.Name = given("App")
	if all := ApplicationDifferences(app, Object{"name": "APP", "description": "One"}); len(all) != 1 || all[0].Path != "name" {
		t.Errorf("another case of the name: %#v", all)
	}
	want := Object{"name": "App", "description": "One", "throttlingPolicy": "Unlimited", "tokenType": "JWT"}
	if made := ApplicationBody(app, nil); !reflect.DeepEqual(made, want) {
		t.Errorf("a new application is %v", made)
	}
	app = read(t, "attributes: {declared: a, team: b}")
	if names := UndeclaredAttributes(app, []string{"declared"}); !slices.Equal(names, []string{"team"}) {
		t.Errorf("undeclared are %v", names)
	}
}

func TestSubscriptionsToAnAPIAreToAllItsVersions(t *testing.T) {
	apis := []APIVersion{
		{ID: "1", Name: "Orders", Version: "1.0", State: "DEPRECATED"}, {ID: "2", Name: "Orders", Version: "2.0", State: "PUBLISHED"}, {ID: "3", Name: "Orders", Version: "3.0", State: "CREATED"},
		{ID: "4", Name: "Orders", Version: "4.0", State: "PROTOTYPED"}, {ID: "5", Name: "Other", Version: "1.0", State: "PUBLISHED"}, {ID: "6", Name: "Orders", Version: "0.9", State: "DEPRECATED"},
	}
	want := []desired.Field[desired.Subscription]{given(desired.Subscription{APIName: given("Orders"), ThrottlingPolicy: given("Gold")})}
	var ids []string
	for _, s := range Subscriptions(want, apis, []string{"6"}) {
		ids = append(ids, s.API.ID)
	}
	if !slices.Equal(ids, []string{"2", "4", "6"}) {
		t.Errorf("the subscriptions are to %v", ids)
	}
}

func TestASubscriptionGetsItsPolicyByRequest(t *testing.T) {
	want := desired.Subscription{APIName: given("Orders"), ThrottlingPolicy: given("Gold")}
	have := object(t, `{"subscriptionId":"s","throttlingPolicy":"Unlimited","requestedThrottlingPolicy":null,"status":"UNBLOCKED"}`)
	expected := []Difference{{Path: "throttling_policy", Have: "Unlimited", Want: "Gold"}}
	if all := SubscriptionDifferences(want, have); !reflect.DeepEqual(all, expected) {
		t.Errorf("%#v", all)
	}
	made := SubscriptionBody(want, have, "app", "api")
	if made["requestedThrottlingPolicy"] != "Gold" || made["throttlingPolicy"] != "Unlimited" || made["status"] != "UNBLOCKED" {
		t.Errorf("the PUT has %v", made)
	}
	unmanaged := desired.Subscription{APIName: given("Orders")}
	if all := SubscriptionDifferences(unmanaged, object(t, `{"throttlingPolicy":"Gold"}`)); len(all) > 0 {
		t.Errorf("a policy that the file leaves out differs: %#v", all)
	}
	if made := SubscriptionBody(unmanaged, have, "app", "api"); made["requestedThrottlingPolicy"] != "Unlimited" {
		t.Errorf("a PUT without a requested policy fails: %v", made)
	}
	reset := desired.Subscription{APIName: given("Orders"), ThrottlingPolicy: desired.Text{Set: true, Null: true}}
	if all := SubscriptionDifferences(reset, object(t, `{"throttlingPolicy":"Gold"}`)); len(all) != 1 || all[0].Want != "Unlimited" {
		t.Errorf("a policy that the file resets: %#v", all)
	}
	if made := SubscriptionBody(want, nil, "app", "api"); !reflect.DeepEqual(made, Object{"applicationId": "app", "apiId": "api", "throttlingPolicy": "Gold"}) {
		t.Errorf("the POST has %v", made)
	}
	for status, expected := range map[string]string{"UNBLOCKED": "", "BLOCKED": "BLOCKED", "ON_HOLD": "ON_HOLD"} {
		if stopped := SubscriptionStopped(Object{"status": status}); stopped != expected {
			t.Errorf("%s: %q", status, stopped)
		}
	}
}
