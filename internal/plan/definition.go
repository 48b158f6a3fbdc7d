package plan

import (
	"maps"
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

// Definition is the OpenAPI definition or the GraphQL schema that the file names for an API.
type Definition struct {
	Text        []byte              // as it was read
	Description string              // info.description, without spaces around it; empty if it has none, and for GraphQL
	Operations  []desired.Operation // each target and verb once
	Scopes      []desired.Scope     // that an OpenAPI definition declares; API-M makes them local scopes

	document document // what is compared; of an OpenAPI definition
}

// Mistake is a mistake in a definition. Line and Column count from 1; Line is 0 if it has no place.
type Mistake struct {
	Line, Column int
	Text, Hint   string
}

// DefinitionOf returns what the file names as the definition of an API. Its field is openapi, or schema for GraphQL. ok is false if the
// API has none.
func DefinitionOf(api desired.API) (field string, name desired.Text, ok bool) {
	for field, name := range map[string]desired.Text{"openapi": api.OpenAPI, "schema": api.Schema} {
		if name.Set && !name.Null && !name.Wrong && name.Value != "" {
			return field, name, true
		}
	}
	return "", desired.Text{}, false
}

// DefinitionKey returns the key of a definition in [Wanted]: its address, or the [desired.PathOf] of its file.
func DefinitionKey(name desired.Text) string {
	if strings.Contains(name.Value, "://") {
		return name.Value
	}
	return desired.PathOf(name)
}

// Definition returns the definition of an API. ok is false if the API has none.
func (w Wanted) Definition(api desired.API) (d Definition, ok bool) {
	if _, name, has := DefinitionOf(api); has {
		d, ok = w.Definitions[DefinitionKey(name)]
	}
	return d, ok
}

// Defined returns an API with what its definition says. The operations and scopes come from the definition. Scopes of the file are added,
// and count more than those of the definition. The operations of a GraphQL API have the settings that the file gives them. Without a
// description in the file, that of the definition counts. An API without a definition stays as it is.
func (w Wanted) Defined(api desired.API) desired.API {
	d, ok := w.Definition(api)
	if !ok {
		return api
	}
	api.Operations = definedOperations(api.Operations, d.Operations)
	if api.OpenAPI.Set {
		api.Scopes = definedScopes(api.Scopes, d.Scopes, w.File.Scopes)
	}
	if !api.Description.Set && d.Description != "" {
		api.Description = given(d.Description)
	}
	return api
}

// definedOperations returns the operations of a definition, each with what the file says of it.
func definedOperations(file desired.List[desired.Operation], defined []desired.Operation) desired.List[desired.Operation] {
	all := desired.List[desired.Operation]{Set: true, At: file.At}
	for _, op := range defined {
		item := desired.Field[desired.Operation]{Set: true, Value: op}
		if i := slices.IndexFunc(file.Value, func(f desired.Field[desired.Operation]) bool { return sameOperation(f.Value, op) }); i >= 0 {
			item = file.Value[i]
		}
		all.Value = append(all.Value, item)
	}
	return all
}

func sameOperation(a, b desired.Operation) bool {
	return a.Verb.Value == b.Verb.Value && a.Target.Value == b.Target.Value
}

// UndefinedOperations returns the operations of the file that its definition does not have. API-M takes them, and no call reaches them.
func UndefinedOperations(api desired.API, d Definition) (all []desired.Field[desired.Operation]) {
	for _, item := range api.Operations.Value {
		if !slices.ContainsFunc(d.Operations, func(op desired.Operation) bool { return sameOperation(op, item.Value) }) {
			all = append(all, item)
		}
	}
	return all
}

// definedScopes returns the scopes of the file and those of a definition. A scope that the file has as a shared one is shared.
func definedScopes(file desired.List[desired.Scope], defined []desired.Scope, shared desired.List[desired.Scope]) desired.List[desired.Scope] {
	all := desired.List[desired.Scope]{Set: true, At: file.At, Value: slices.Clone(file.Value)}
	named := func(list desired.List[desired.Scope], name string) int {
		return slices.IndexFunc(list.Value, func(s desired.Field[desired.Scope]) bool { return s.Value.Name.Value == name })
	}
	for _, s := range defined {
		i := named(all, s.Name.Value)
		switch {
		case i < 0 && named(shared, s.Name.Value) >= 0:
			s = desired.Scope{Name: s.Name}
			fallthrough
		case i < 0:
			all.Value = append(all.Value, desired.Field[desired.Scope]{Set: true, Value: s})
		case all.Value[i].Value.Local.Or(false):
			into := &all.Value[i].Value
			if !into.Description.Set {
				into.Description = s.Description
			}
			if !into.Roles.Set {
				into.Roles = s.Roles
			}
		}
	}
	all.Null = len(all.Value) == 0
	return all
}

// DefinitionDifferences compares the definition of an API with the one that the server gives back: a document in JSON for openapi, the
// text for schema, and nil if it has none. There is at most one difference. It shows only the first part that differs.
func DefinitionDifferences(api desired.API, d Definition, have []byte) []Difference {
	field, _, _ := DefinitionOf(api)
	path, was, is := "", any(nil), any(nil)
	differs := false
	if field == "schema" {
		path, was, is, differs = firstLine(have, d.Text)
	} else {
		path, was, is, differs = firstPart(have, d.document)
	}
	if !differs {
		return nil
	}
	return []Difference{{Path: field, Have: part(path, was), Want: part(path, is)}}
}

// part shows a part of a definition under its path, and nothing if it is not there.
func part(path string, value any) map[string]any {
	switch v := value.(type) {
	case nil:
		return map[string]any{}
	case scalar:
		value = v.text
	case []any:
		value = "a list"
	case map[string]any:
		value = "a mapping"
		if ref := refOf(v); ref != "" {
			value = ref
		}
	}
	return map[string]any{path: value}
}

// BeforeDefinition returns what a new definition resets of an API, and the id of the API.
func BeforeDefinition(api Object) Object {
	operations := []any{}
	list, _ := api["operations"].([]any)
	for _, item := range list {
		op, _ := item.(map[string]any)
		operations = append(operations, map[string]any{"target": op["target"], "verb": op["verb"], "authType": op["authType"],
			"throttlingPolicy": op["throttlingPolicy"], "scopes": op["scopes"]}) // the parameters of its policies may be secret
	}
	return Object{"id": api["id"], "operations": operations, "scopes": api["scopes"]}
}

// Writing returns before with what a definition that is about to be written leaves of authentication and policies. Each definition adds its
// own, because nobody knows which of them API-M has got. before stays as it is.
func Writing(before Object, d Definition) Object {
	written, _ := before["written"].([]any)
	written = slices.Clone(written)
	for _, op := range d.Operations {
		left := map[string]any{"target": op.Target.Value, "verb": op.Verb.Value, "authType": op.Auth.Or(anyToken), "throttlingPolicy": op.ThrottlingPolicy.Or(unlimited)}
		if !slices.ContainsFunc(written, func(w any) bool { return maps.Equal(w.(map[string]any), left) }) {
			written = append(written, left)
		}
	}
	before = maps.Clone(before)
	before["written"] = written
	return before
}

// WithBefore returns an API as it was before its definition was written. What somebody has given it since then stays: the roles of a scope,
// to which API-M gives only those of the definition, and authentication and policy of an operation. The API stays as it is if before is of
// another one.
func WithBefore(api, before Object, d Definition) Object {
	if before == nil || before["id"] != api["id"] {
		return api
	}
	was := maps.Clone(api)
	was["operations"], was["scopes"] = withRepairedOperations(before, api), withRepairs(before, api, d)
	return was
}

// withRepairedOperations returns the operations of before, with the authentication and the policy that api has in their place, unless a
// definition has left them, see [Writing].
func withRepairedOperations(before, api Object) []any {
	all, _ := before["operations"].([]any)
	written, is := before["written"].([]any)
	if !is { // an earlier version of the agent has recorded it
		return all
	}
	all = slices.Clone(all)
	left := func(op Object, field, value string) bool {
		return slices.ContainsFunc(written, func(item any) bool {
			w, _ := item.(map[string]any)
			return operationKey(w) == operationKey(op) && w[field] == value
		})
	}
	for _, op := range objectsAt(api, "operations") {
		repaired := map[string]any{}
		auth, policy := settingsOf(op)
		for field, value := range map[string]string{"authType": auth, "throttlingPolicy": policy} {
			if !left(op, field, value) {
				repaired[field] = value
			}
		}
		i := slices.IndexFunc(all, func(item any) bool {
			was, _ := item.(map[string]any)
			return operationKey(was) == operationKey(op)
		})
		switch {
		case len(repaired) == 0:
		case i < 0:
			all = append(all, map[string]any(op))
		default:
			was := maps.Clone(all[i].(map[string]any))
			maps.Copy(was, repaired)
			all[i] = was
		}
	}
	return all
}

// withRepairs returns the scopes of before, with those of api in their place that have other roles than the definition gives.
func withRepairs(before, api Object, d Definition) []any {
	defined, present := map[string][]string{}, map[string]any{}
	for _, s := range d.Scopes {
		defined[s.Name.Value] = valuesOf(s.Roles)
	}
	list, _ := api["scopes"].([]any)
	for _, item := range list {
		name, roles := bindingsOf(item)
		if len(roles) > 0 && !slices.Equal(set(roles), set(defined[name])) {
			present[name] = item
		}
	}
	list, _ = before["scopes"].([]any)
	all := slices.Clone(list)
	for i, item := range all {
		name, _ := bindingsOf(item)
		if repaired, is := present[name]; is {
			all[i] = repaired
		}
	}
	return all
}

// bindingsOf returns the name and the roles of a scope as an API has it.
func bindingsOf(item any) (name string, roles []string) {
	m, _ := item.(map[string]any)
	scope, _ := m["scope"].(map[string]any)
	return textAt(scope, "name", ""), textsAt(scope, "bindings")
}

// unrestored returns the difference of an API whose definition must be written again, because a run has not restored what it does not say.
// A comparison with the file does not show that.
func (m *maker) unrestored(want desired.API, have API, all []Difference) []Difference {
	field, _, ok := DefinitionOf(want)
	before := m.Unrestored[APIName{want.Name.Value, want.Version.Value}.String()]
	if !ok || before == nil || before["id"] != have.Object["id"] || slices.ContainsFunc(all, func(d Difference) bool { return d.Path == field }) {
		return nil
	}
	return []Difference{{Path: field, Have: part("operations", "reset by a run that was interrupted"), Want: part("operations", "as before that run")}}
}

// APIRestored returns the API to send after a definition was written, which resets operations and scopes. before is the API as it was
// before that, nil if it is new, and now as it is. What the file leaves out becomes what it was before. ok is false if nothing differs.
func APIRestored(want desired.API, before, now Object, need []string) (made Object, ok bool) {
	reference := before
	if reference == nil {
		reference = now
	}
	want = resolved(want, reference, need)
	if len(differences(apiTable, want, now)) == 0 {
		return nil, false
	}
	made = body(apiTable, want, now)
	delete(made, "additionalPropertiesMap") // as in [APIBody]
	return made, true
}
