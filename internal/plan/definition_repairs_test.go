package plan

import (
	"fmt"
	"reflect"
	"testing"

	"wso2agent/internal/desired"
)

// TestWhatSomebodyHasGivenAnOperationSinceStays: authentication or policy, of an operation that a definition has reset or made. What a
// definition has left is as before again, also after a second definition that API-M may not have got.
func TestWhatSomebodyHasGivenAnOperationSinceStays(t *testing.T) {
	op := func(target, auth, policy string) map[string]any {
		return map[string]any{"target": target, "verb": "GET", "authType": auth, "throttlingPolicy": policy}
	}
	define := func(op desired.Operation, targets ...string) (d Definition) {
		op.Verb = given("GET")
		for _, target := range targets {
			op.Target = given(target)
			d.Operations = append(d.Operations, op)
		}
		return d
	}
	api := func(operations ...any) Object { return Object{"id": "1", "operations": operations} }
	before := Writing(BeforeDefinition(api(op("/a", anyToken, "Gold"), op("/gone", "None", "Gold"))), define(desired.Operation{}, "/a", "/new"))
	twice := Writing(before, define(desired.Operation{Auth: given("None")}, "/a", "/new"))
	for _, tt := range []struct {
		name      string
		was       Object
		now, want Object
	}{
		{"reset", before, api(op("/a", anyToken, unlimited), op("/new", anyToken, unlimited)), api(op("/a", anyToken, "Gold"), op("/gone", "None", "Gold"))},
		{"its policy by hand", before, api(op("/a", anyToken, "Silver")), api(op("/a", anyToken, "Silver"), op("/gone", "None", "Gold"))},
		{"its authentication by hand", before, api(op("/a", "None", "")), api(op("/a", "None", "Gold"), op("/gone", "None", "Gold"))},
		{"the new one by hand", before, api(op("/new", "None", "Gold")), api(op("/a", anyToken, "Gold"), op("/gone", "None", "Gold"), op("/new", "None", "Gold"))},
		{"opened by the second definition", twice, api(op("/a", "None", unlimited)), api(op("/a", anyToken, "Gold"), op("/gone", "None", "Gold"))},
		{"of an earlier version", Object{"id": "1", "operations": api(op("/a", anyToken, "Gold"))["operations"]}, api(op("/a", anyToken, "Silver")), api(op("/a", anyToken, "Gold"))},
	} {
		got := WithBefore(tt.now, tt.was, Definition{})
		if d := differ(operationsOf(got), operationsOf(tt.want)); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

// differ shows two values that are not equal.
func differ(got, want any) string {
	if reflect.DeepEqual(got, want) {
		return ""
	}
	return fmt.Sprintf("got %v, want %v", got, want)
}

// TestARoleThatSomebodyHasGivenSinceStays: of the scopes that a definition has reset, the first one has its roles by hand again, the second
// one has those of the definition, the third one none.
func TestARoleThatSomebodyHasGivenSinceStays(t *testing.T) {
	api := func(roles ...[]any) Object {
		var scopes []any
		for i, r := range roles {
			scopes = append(scopes, map[string]any{"scope": map[string]any{"name": fmt.Sprint("s", i), "bindings": r}})
		}
		return Object{"id": "1", "operations": []any{}, "scopes": scopes}
	}
	d := Definition{Scopes: []desired.Scope{{Name: desired.Text{Set: true, Value: "s1"}, Roles: textsField([]string{"defined"})}}}
	before, now := api([]any{"old"}, []any{"old"}, []any{"old"}), api([]any{"new"}, []any{"defined"}, []any{})
	was := WithBefore(now, before, d)
	if got, want := fmt.Sprint(was["scopes"]), fmt.Sprint(api([]any{"new"}, []any{"old"}, []any{"old"})["scopes"]); got != want {
		t.Errorf("the scopes are %s, and should be %s", got, want)
	}
	if fmt.Sprint(before["scopes"]) != fmt.Sprint(api([]any{"old"}, []any{"old"}, []any{"old"})["scopes"]) {
		t.Error("what was before has changed")
	}
}
