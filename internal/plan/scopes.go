package plan

import (
	"slices"

	"wso2agent/internal/desired"
)

// sharedScope stands for a shared scope in an API: the server ignores what the API says of it, and shows roles of the key manager in
// place of its own. [ScopeDifferences] compares it.
const sharedScope = "shared"

func scopeValue(s desired.Scope) any {
	if !s.Local.Or(false) {
		return sharedScope
	}
	return localScope(s.DisplayName.Or(s.Name.Value), s.Description.Or(""), valuesOf(s.Roles))
}

func localScope(display, description string, roles []string) map[string]any {
	return map[string]any{"display_name": display, "description": description, "roles": roles}
}

// apiScopesOf returns the scopes of an API by their names.
func apiScopesOf(o Object) map[string]any {
	all := map[string]any{}
	for _, s := range objectsAt(o, "scopes") {
		name := textAt(s, "scope.name", "")
		if shared, _ := s["shared"].(bool); shared {
			all[name] = sharedScope
			continue
		}
		display := textAt(s, "scope.displayName", "")
		if display == "" {
			display = name
		}
		all[name] = localScope(display, textAt(s, "scope.description", ""), textsAt(s, "scope.bindings"))
	}
	return all
}

// putAPIScopes writes the scopes of an API.
func putAPIScopes(body Object, all map[string]any) {
	list := []any{}
	for _, name := range sortedKeys(all) {
		scope, local := map[string]any{"name": name}, false
		if s, is := all[name].(map[string]any); is {
			local = true
			scope["displayName"], scope["description"], scope["bindings"] = s["display_name"], s["description"], listOf(s["roles"].([]string))
		}
		list = append(list, map[string]any{"scope": scope, "shared": !local})
	}
	body["scopes"] = list
}

// completeScopes fills in what the scopes of the file leave out with what the server has, and adds the shared scopes that operations
// of the file use. The server would drop a scope from an operation if the API does not declare it. If the file has no list, the scopes
// of the server stay.
func completeScopes(want api, have Object) desired.List[desired.Scope] {
	list, has := want.Scopes, apiScopesOf(have)
	list.Value = slices.Clone(list.Value)
	add := func(name string) {
		if !slices.ContainsFunc(list.Value, func(s desired.Field[desired.Scope]) bool { return s.Value.Name.Value == name }) {
			s := desired.Scope{Name: desired.Text{Set: true, Value: name}}
			if _, local := has[name].(map[string]any); local && !want.Scopes.Set {
				s.Local = desired.Switch{Set: true, Value: true}
			}
			list.Value = append(list.Value, desired.Field[desired.Scope]{Set: true, Value: s})
			list.Set, list.Null = true, false
		}
	}
	for _, op := range want.Operations.Value {
		for _, s := range op.Value.Scopes.Value {
			add(s.Value)
		}
	}
	if !list.Set {
		return list
	}
	if !want.Scopes.Set {
		for _, name := range sortedKeys(has) {
			add(name)
		}
	}
	for i := range list.Value {
		s := &list.Value[i].Value
		if has[s.Name.Value] == sharedScope && s.Local.At == (desired.Place{}) {
			s.Local = desired.Switch{} // a definition has it, and API-M decides which scopes are shared
		}
		on, local := has[s.Name.Value].(map[string]any)
		if !local {
			continue
		}
		if !s.DisplayName.Set {
			s.DisplayName = desired.Text{Set: true, Value: on["display_name"].(string)}
		}
		if !s.Description.Set {
			s.Description = desired.Text{Set: true, Value: on["description"].(string)}
		}
		if !s.Roles.Set {
			s.Roles = textsField(on["roles"].([]string))
		}
	}
	return list
}

// scopeTable has a row for each field of a shared scope, at the address of the scope itself.
var scopeTable = []mapping{
	textRow("name", "name", "", func(s desired.Scope) desired.Text { return s.Name }),
	{
		path: "display_name",
		want: func(from any) (any, bool) {
			s := from.(desired.Scope)
			return s.DisplayName.Or(s.Name.Value), s.DisplayName.Set
		},
		have: func(o Object) any { return textAt(o, "displayName", "") },
		put:  func(body Object, value any) { body["displayName"] = value },
	},
	textRow("description", "description", "", func(s desired.Scope) desired.Text { return s.Description }),
	textsRow("roles", "bindings", func(s desired.Scope) desired.Texts { return s.Roles }),
}

// ScopeDifferences compares a shared scope with what the Publisher shows at its own address. What an API shows of it has other roles.
func ScopeDifferences(want desired.Scope, have Object) []Difference {
	return differences(scopeTable, want, have)
}

// ScopeBody returns the shared scope to send. have is nil for a creation; API-M refuses a scope without a name that people see.
func ScopeBody(want desired.Scope, have Object) Object {
	base := Object{"displayName": want.Name.Value, "description": "", "bindings": []any{}}
	if have != nil {
		base = clone(have).(Object)
		delete(base, "usageCount") // of the server
	}
	return body(scopeTable, want, base)
}
