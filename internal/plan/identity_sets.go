package plan

import (
	"fmt"

	"wso2agent/internal/desired"
)

// groupTable maps a group of IS.
var groupTable = []mapping{
	identityName(func(g desired.Users) desired.Text { return g.Name }),
	membersRow("members", "members", func(g desired.Users) desired.Texts { return g.Members }),
}

// roleTable maps a role of IS. IS names the groups with their user store. The users of a role belong to the users.
var roleTable = []mapping{
	identityName(func(r desired.Role) desired.Text { return r.Name }),
	{
		path: "permissions",
		want: func(from any) (any, bool) {
			r := from.(desired.Role)
			return valuesOf(r.Permissions), r.Permissions.Set
		},
		have: func(o Object) any { return permissionsOf(o) },
		put:  func(body Object, value any) { body["permissions"] = references(value.([]string)) },
	},
	membersRow("groups", "groups", func(r desired.Role) desired.Texts { return r.Groups }),
}

// identityName maps the name of a group or a role, which IS compares without case.
func identityName[T any](of func(T) desired.Text) mapping {
	return mapping{
		path: "name",
		want: func(from any) (any, bool) { t := from.(T); return folded(of(t).Value), of(t).Set },
		have: func(o Object) any { return folded(textAt(o, "displayName", "")) },
		put:  func(Object, any) {}, // a PATCH does not rename
	}
}

// membersRow maps members by their names. The bodies have ids, so the row writes nothing.
func membersRow[T any](path, key string, of func(T) desired.Texts) mapping {
	return mapping{
		path: path,
		want: func(from any) (any, bool) { f := of(from.(T)); return foldedSet(valuesOf(f)), f.Set },
		have: func(o Object) any {
			names := []string{}
			for _, m := range objectsAt(o, key) {
				names = append(names, textAt(m, "display", ""))
			}
			return foldedSet(names)
		},
		put: func(Object, any) {},
	}
}

// permissionsOf returns the scopes that a role gives.
func permissionsOf(o Object) []string {
	names := []string{}
	for _, p := range objectsAt(o, "permissions") {
		names = append(names, textAt(p, "value", ""))
	}
	return set(names)
}

// references returns values as SCIM has them.
func references(values []string) []any {
	list := []any{}
	for _, v := range values {
		list = append(list, map[string]any{"value": v})
	}
	return list
}

// GroupDifferences compares a group with what IS shows of it.
func GroupDifferences(want desired.Users, have Object) []Difference {
	return differences(groupTable, want, have)
}

// GroupBody returns the body of POST /scim2/Groups if have is nil, else of PATCH /scim2/Groups/{id}; nil if there is nothing to change.
func GroupBody(want desired.Users, have Object, ids IDs) (Object, error) {
	wanted, has := foldedSet(valuesOf(want.Members)), foldedSet(nil)
	idsOf, written := map[string]string{}, map[string]string{}
	for _, m := range want.Members.Value {
		written[folded(m.Value)] = m.Value
	}
	for _, m := range objectsAt(have, "members") {
		name := folded(textAt(m, "display", ""))
		has, idsOf[name] = append(has, name), textAt(m, "value", "")
	}
	if have != nil && !want.Members.Set {
		return nil, nil
	}
	joining := without(wanted, has)
	joined, err := find(ids.Users, "user", joining)
	if err != nil {
		return nil, fmt.Errorf("fill group %q: %w", want.Name.Value, err)
	}
	members := []any{}
	for i, id := range joined { // IS refuses a member without its name in a PATCH
		members = append(members, map[string]any{"value": id, "display": written[joining[i]]})
	}
	if have == nil {
		return Object{"displayName": want.Name.Value, "members": members}, nil
	}
	var operations []any
	if len(members) > 0 {
		operations = append(operations, map[string]any{"op": "add", "value": map[string]any{"members": members}})
	}
	for _, name := range without(has, wanted) {
		operations = append(operations, map[string]any{"op": "remove", "path": `members[value eq "` + idsOf[name] + `"]`})
	}
	return patch(operations), nil
}

// RoleDifferences compares a role with what GET /scim2/v2/Roles/{id} shows: answers to POST and PUT lack the permissions. A change of
// permissions ends all tokens of the users who have the role.
func RoleDifferences(want desired.Role, have Object) []Difference {
	return differences(roleTable, want, have)
}

// RoleBody returns the body of POST /scim2/v2/Roles if have is nil, else of PATCH /scim2/v2/Roles/{id}; nil if there is nothing to change.
// A new role has no groups yet: another RoleBody for what IS then shows adds them. The role's audience is the organization.
func RoleBody(want desired.Role, have Object, ids IDs) (Object, error) {
	permissions := valuesOf(want.Permissions)
	if have == nil {
		return Object{"displayName": want.Name.Value, "permissions": references(permissions)}, nil
	}
	var operations []any
	if want.Permissions.Set {
		has := permissionsOf(have)
		if added := without(permissions, has); len(added) > 0 {
			operations = append(operations, map[string]any{"op": "add", "path": "permissions", "value": references(added)})
		}
		for _, name := range without(has, permissions) {
			operations = append(operations, map[string]any{"op": "remove", "path": "permissions[value eq " + name + "]"})
		}
	}
	row := roleTable[len(roleTable)-1]
	if wanted, set := row.want(want); set {
		groups, has := wanted.([]string), row.have(have).([]string)
		op := "replace"
		if len(without(has, groups)) == 0 {
			op, groups = "add", without(groups, has)
		}
		found, err := find(ids.Groups, "group", groups)
		if err != nil {
			return nil, fmt.Errorf("give role %q to groups: %w", want.Name.Value, err)
		}
		if op == "replace" || len(found) > 0 {
			operations = append(operations, map[string]any{"op": op, "path": "groups", "value": references(found)})
		}
	}
	return patch(operations), nil
}
