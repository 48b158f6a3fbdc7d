package plan

import (
	"cmp"
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

// anyToken is the authentication that API-M makes of every unknown one.
const anyToken = "Application & Application User"

// Operations and scopes are lists of things with names, so their rows compare maps. The operations come first: with a scope that
// leaves the API the server takes the scope from them.
var apiOperations = []mapping{
	{
		path: "operations",
		want: func(from any) (any, bool) {
			a := from.(api)
			if !a.Operations.Set {
				return nil, false
			}
			all := map[string]any{}
			for _, op := range a.Operations.Value {
				o := op.Value
				all[o.Verb.Value+" "+o.Target.Value] = operation(o.Auth.Or(anyToken), o.ThrottlingPolicy.Or(unlimited), valuesOf(o.Scopes))
			}
			return all, true
		},
		have: func(o Object) any { return operationsOf(o) },
		put:  func(body Object, value any) { putOperations(body, value.(map[string]any)) },
	},
	{
		path: "scopes",
		want: func(from any) (any, bool) {
			a := from.(api)
			if !a.Scopes.Set {
				return nil, false
			}
			all := map[string]any{}
			for _, s := range a.Scopes.Value {
				all[s.Value.Name.Value] = scopeValue(s.Value)
			}
			return all, true
		},
		have: func(o Object) any { return apiScopesOf(o) },
		put:  func(body Object, value any) { putAPIScopes(body, value.(map[string]any)) },
	},
}

func operation(auth, policy string, scopes []string) map[string]any {
	return map[string]any{"auth": auth, "throttling_policy": policy, "scopes": scopes}
}

// operationsOf returns the operations of an API by verb and target, as the server means them.
func operationsOf(o Object) map[string]any {
	all := map[string]any{}
	for _, op := range objectsAt(o, "operations") {
		auth, policy := settingsOf(op)
		all[operationKey(op)] = operation(auth, policy, textsAt(op, "scopes"))
	}
	return all
}

// settingsOf returns the authentication and the policy of an operation, as the server means them.
func settingsOf(op Object) (auth, policy string) {
	auth = textAt(op, "authType", "")
	if auth != "None" && auth != "Application" {
		auth = anyToken
	}
	return auth, cmp.Or(textAt(op, "throttlingPolicy", ""), unlimited)
}

func operationKey(op Object) string {
	return strings.ToUpper(textAt(op, "verb", "")) + " " + textAt(op, "target", "")
}

// putOperations writes operations. Those that the server has keep what the file cannot say, such as their policies.
func putOperations(body Object, all map[string]any) {
	list := []any{}
	write := func(op Object, key string) {
		value := all[key].(map[string]any)
		op["authType"], op["throttlingPolicy"], op["scopes"] = value["auth"], value["throttling_policy"], listOf(value["scopes"].([]string))
		list = append(list, map[string]any(op))
	}
	done := map[string]bool{}
	for _, op := range objectsAt(body, "operations") {
		if key := operationKey(op); all[key] != nil && !done[key] {
			done[key] = true
			write(op, key)
		}
	}
	for _, key := range sortedKeys(all) {
		if !done[key] {
			verb, target, _ := strings.Cut(key, " ")
			write(Object{"verb": verb, "target": target}, key)
		}
	}
	body["operations"] = list
}

// defaultOperations are those that API-M gives to an API of a type without any; none for GraphQL, whose schema has them.
func defaultOperations(kind string) map[string]any {
	verbs := map[string][]string{"HTTP": {"GET", "PUT", "POST", "DELETE", "PATCH"}, "WS": {"SUBSCRIBE", "PUBLISH"}, "SSE": {"SUBSCRIBE"}}[kind]
	all := map[string]any{}
	for _, verb := range verbs {
		all[verb+" /*"] = operation(anyToken, unlimited, []string{})
	}
	return all
}

// completeOperations fills in what the operations of the file leave out with what the server has. A reset brings the operations that
// API-M gives to a new API.
func completeOperations(want api, have Object) desired.List[desired.Operation] {
	list := want.Operations
	if !list.Set {
		return list
	}
	list.Value = slices.Clone(list.Value)
	if list.Null {
		kind := want.Type.Or(textAt(have, "type", "HTTP"))
		defaults := defaultOperations(kind)
		for _, key := range sortedKeys(defaults) {
			verb, target, _ := strings.Cut(key, " ")
			list.Value = append(list.Value, desired.Field[desired.Operation]{Set: true, Value: desired.Operation{
				Verb: desired.Text{Set: true, Value: verb}, Target: desired.Text{Set: true, Value: target},
			}})
		}
		list.Set, list.Null = len(defaults) > 0, false
		return list
	}
	has := operationsOf(have)
	for i := range list.Value {
		op := &list.Value[i].Value
		on, known := has[op.Verb.Value+" "+op.Target.Value].(map[string]any)
		if !known {
			continue
		}
		if !op.Auth.Set {
			op.Auth = desired.Text{Set: true, Value: on["auth"].(string)}
		}
		if !op.ThrottlingPolicy.Set {
			op.ThrottlingPolicy = desired.Text{Set: true, Value: on["throttling_policy"].(string)}
		}
		if !op.Scopes.Set {
			op.Scopes = textsField(on["scopes"].([]string))
		}
	}
	return list
}
