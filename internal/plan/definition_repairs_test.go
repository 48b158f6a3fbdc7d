package plan

import (
	"fmt"
	"testing"

	"wso2agent/internal/desired"
)

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
