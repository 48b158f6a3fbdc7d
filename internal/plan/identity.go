package plan

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

// IDs are the ids of what IS has, by names in lower case: IS takes Ann and ann for one user.
type IDs struct {
	Users, Groups, Roles map[string]string
}

// find returns the ids of names.
func find(ids map[string]string, what string, names []string) ([]string, error) {
	var all []string
	for _, name := range names {
		id, known := ids[strings.ToLower(name)]
		if !known {
			return nil, fmt.Errorf("IS has no %s %q", what, name)
		}
		all = append(all, id)
	}
	return all, nil
}

// everyone is the role that IS gives to each user.
const everyone = "everyone"

// userTable maps a user of IS. Roles are members of the user here, and IS changes them in the role: UserRoles.
var userTable = []mapping{
	{
		path: "username",
		want: func(from any) (any, bool) { u := from.(desired.User); return folded(u.Username.Value), u.Username.Set },
		have: func(o Object) any { return folded(textAt(o, "userName", "")) },
		put:  func(Object, any) {}, // IS does not rename users
	},
	secretRow("password", "password", func(u desired.User) desired.Password { return u.Password }),
	{
		path: "email",
		want: func(from any) (any, bool) { u := from.(desired.User); return u.Email.Or(""), u.Email.Set },
		have: func(o Object) any { return emailOf(o) },
		put: func(body Object, value any) {
			if value == "" {
				body["emails"] = nil
				return
			}
			body["emails"] = []any{map[string]any{"value": value, "primary": true}}
		},
	},
	textRow("given_name", "name.givenName", "", func(u desired.User) desired.Text { return u.GivenName }),
	textRow("family_name", "name.familyName", "", func(u desired.User) desired.Text { return u.FamilyName }),
	{
		path: "roles",
		want: func(from any) (any, bool) { u := from.(desired.User); return foldedSet(valuesOf(u.Roles)), u.Roles.Set },
		have: func(o Object) any { return foldedSet(rolesOf(o)) },
		put:  func(Object, any) {},
	},
}

// emailOf returns the first address. IS shows texts, and takes objects too.
func emailOf(o Object) string {
	list, _ := o["emails"].([]any)
	for _, item := range list {
		if text, is := item.(string); is {
			return text
		}
		if m, is := item.(map[string]any); is {
			return textAt(m, "value", "")
		}
	}
	return ""
}

// rolesOf returns the roles of the organization that a user has himself, without the one that each user has. What he has through a group
// is not there.
func rolesOf(o Object) []string {
	roles := []string{}
	for _, r := range objectsAt(o, "roles") {
		if name := textAt(r, "display", ""); name != everyone && textAt(r, "audienceType", "organization") == "organization" {
			roles = append(roles, name)
		}
	}
	return roles
}

// folded returns a name without its user store and in lower case.
func folded(name string) string {
	return strings.ToLower(strings.TrimPrefix(name, "PRIMARY/"))
}

func foldedSet(names []string) []string {
	all := []string{}
	for _, name := range names {
		all = append(all, folded(name))
	}
	return set(all)
}

// UserDifferences compares a user with what IS shows. sent is as in changedSecret. A new password ends all tokens of the user.
func UserDifferences(want desired.User, have Object, sent func(path, value string) bool) []Difference {
	return append(differences(userTable, want, have), changedSecret("password", want.Password, sent)...)
}

// UserBody returns the body of POST /scim2/Users if have is nil, else of PATCH /scim2/Users/{id}. It returns nil if there is nothing
// to change, because IS answers 500 to a PATCH without operations. all are the differences; the PATCH has nothing else.
func UserBody(want desired.User, have Object, all []Difference) Object {
	if have == nil {
		made := body(userTable, want, Object{"schemas": listOf([]string{"urn:ietf:params:scim:schemas:core:2.0:User"})})
		made["userName"] = want.Username.Value
		dropEmpty(made)
		return made
	}
	var operations []any
	replaced, removed := Object{}, map[string]bool{}
	for _, m := range userTable {
		if !slices.ContainsFunc(all, func(d Difference) bool { return d.Path == m.path }) {
			continue
		}
		change := Object{}
		value, _ := m.want(want)
		m.put(change, value)
		switch {
		case len(change) == 0:
		case value == "":
			removed[userPaths[m.path]] = true
			operations = append(operations, map[string]any{"op": "remove", "path": userPaths[m.path]})
		default:
			m.put(replaced, value)
		}
	}
	if name, is := replaced["name"].(map[string]any); is { // a replacement of a part can take the other part away
		for _, part := range []string{"givenName", "familyName"} {
			if text := textAt(have, "name."+part, ""); name[part] == nil && text != "" && !removed["name."+part] {
				name[part] = text
			}
		}
	}
	if len(replaced) > 0 {
		operations = append(operations, map[string]any{"op": "replace", "value": map[string]any(replaced)})
	}
	return patch(operations)
}

// userPaths are the attributes that can be removed.
var userPaths = map[string]string{"email": "emails", "given_name": "name.givenName", "family_name": "name.familyName"}

// dropEmpty removes what a new user does not have.
func dropEmpty(o Object) {
	if o["emails"] == nil {
		delete(o, "emails")
	}
	if name, is := o["name"].(map[string]any); is {
		for part, value := range name {
			if value == "" {
				delete(name, part)
			}
		}
		if len(name) == 0 {
			delete(o, "name")
		}
	}
}

// patch returns the body of a PATCH, or nil without operations.
func patch(operations []any) Object {
	if len(operations) == 0 {
		return nil
	}
	return Object{"schemas": listOf([]string{"urn:ietf:params:scim:api:messages:2.0:PatchOp"}), "Operations": operations}
}

// UserRoles returns the bodies of PATCH /scim2/v2/Roles/{id} that give the user the roles of the file and take the others, by the id of
// the role. have is the user, whose id goes into the bodies.
func UserRoles(want desired.User, have Object, ids IDs) (map[string]Object, error) {
	if !want.Roles.Set {
		return nil, nil
	}
	wanted, has := foldedSet(valuesOf(want.Roles)), foldedSet(rolesOf(have))
	joined, err := find(ids.Roles, "role", without(wanted, has))
	if err != nil {
		return nil, fmt.Errorf("give roles to user %q: %w", want.Username.Value, err)
	}
	left := without(has, wanted)
	user, bodies := textAt(have, "id", ""), map[string]Object{}
	for _, role := range joined {
		bodies[role] = patch([]any{map[string]any{"op": "add", "path": "users", "value": references([]string{user})}})
	}
	for _, r := range objectsAt(have, "roles") {
		if slices.Contains(left, folded(textAt(r, "display", ""))) {
			bodies[textAt(r, "value", "")] = patch([]any{map[string]any{"op": "remove", "path": "users[value eq " + user + "]"}})
		}
	}
	return bodies, nil
}

// without returns the names that are in one list and not in another.
func without(names, others []string) []string {
	return slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(others, name) })
}
