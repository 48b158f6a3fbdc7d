package plan

import (
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func none(stored) []string { return nil }

func TestRecordedUsersHaveNoDifferences(t *testing.T) {
	pairs := written(recorded(t, "is-7.1.0"), regexp.MustCompile(`^/scim2/Users/`+uuid), "id")
	pairs = slices.DeleteFunc(pairs, func(p stored) bool { return p.sent["userName"] == nil }) // steps that are about something else
	compareStored(t, func(Object) []mapping { return userTable }, pairs, 2, func(p stored) []string {
		if len(rolesOf(p.got)) > 0 { // another step has given the user a role
			return []string{"roles"}
		}
		return nil
	})
}

func TestRecordedRolesHaveNoDifferences(t *testing.T) {
	pairs := written(recorded(t, "is-7.1.0"), regexp.MustCompile(`^/scim2/v2/Roles/`+uuid), "id")
	compareStored(t, func(Object) []mapping { return roleTable }, pairs, 3, func(p stored) []string {
		if strings.HasSuffix(p.name, "authorized-apis.har: role create") { // later steps delete the scope
			return []string{"permissions"}
		}
		return nil
	})
}

func TestRecordedGroupsHaveNoDifferences(t *testing.T) {
	pairs := written(recorded(t, "is-7.1.0"), regexp.MustCompile(`^/scim2/Groups/`+uuid), "id")
	for _, p := range pairs { // a POST names its members by their ids alone
		names := map[any]any{}
		for _, m := range objectsAt(p.got, "members") {
			names[m["value"]] = m["display"]
		}
		for _, m := range objectsAt(p.sent, "members") {
			m["display"] = names[m["value"]]
		}
	}
	compareStored(t, func(Object) []mapping { return groupTable }, pairs, 1, none)
}

// The agent sends the PATCH bodies that the real IS has accepted.
func TestPatchesAreTheRecordedOnes(t *testing.T) {
	steps := map[string]step{}
	for file, all := range recorded(t, "is-7.1.0") {
		for _, s := range all {
			steps[file+": "+s.name] = s
		}
	}
	const users, roles = "is-7.1.0-users.har: ", "is-7.1.0-roles.har: "
	// valueIn returns the id that a recorded operation is about.
	valueIn := func(name string) string {
		operation := objectsAt(steps[name].sent, "Operations")[0]
		if path, _ := operation["path"].(string); strings.Contains(path, " eq ") {
			_, id, _ := strings.Cut(path, " eq ")
			return strings.Trim(id, `"]`)
		}
		for _, list := range [][]Object{objectsAt(operation, "value"), objectsAt(operation, "value.members")} {
			for _, m := range list {
				return m["value"].(string)
			}
		}
		t.Fatalf("%s names no id", name)
		return ""
	}
	member := func(name, id string) string {
		return `{"displayName":"g","members":[{"display":"` + name + `","value":"` + id + `"}]}`
	}
	bob := objectsAt(objectsAt(steps[users+"group patch, add, with display"].sent, "Operations")[0], "value.members")[0]["display"].(string)
	permission := func(name string) string {
		return objectsAt(objectsAt(steps[name].sent, "Operations")[0], "value")[0]["value"].(string)
	}
	write, group := permission(roles+"role patch, add permission"), permission(roles+"role patch, add group")
	read := valueIn(roles + "role patch, remove permission")
	ids := IDs{
		Users:  map[string]string{strings.ToLower(bob): valueIn(users + "group patch, add, with display")},
		Groups: map[string]string{"g": group}, Roles: map[string]string{"r": "role"},
	}
	body := func(made Object, err error) Object {
		if err != nil {
			t.Error(err)
		}
		return made
	}
	joins := readUser(t, "roles: [r]")
	leaves := readUser(t, "roles: []")
	of := func(bodies map[string]Object, err error) Object { return body(bodies["role"], err) }
	changed := readUser(t, "given_name: Anna")
	before := object(t, `{"userName":"ann","name":{"givenName":"Ann"}}`)
	for name, made := range map[string]Object{
		users + "group patch, add, with display": body(GroupBody(readGroup(t, "members: ["+bob+"]"), Object{}, ids)),
		users + "group patch, remove":            body(GroupBody(readGroup(t, "members: []"), object(t, member("x", valueIn(users+"group patch, remove"))), ids)),
		users + "user patch, name":               UserBody(changed, before, UserDifferences(changed, before, nil)),
		roles + "role patch, add permission":     body(RoleBody(readRole(t, "permissions: ['"+write+"']"), Object{}, ids)),
		roles + "role patch, remove permission":  body(RoleBody(readRole(t, "permissions: []"), object(t, `{"permissions":[{"value":"`+read+`"}]}`), ids)),
		roles + "role patch, add group":          body(RoleBody(readRole(t, "groups: [g]"), Object{}, ids)),
		roles + "role patch, add user":           of(UserRoles(joins, Object{"id": valueIn(roles + "role patch, add user")}, ids)),
		roles + "role patch, remove user": of(UserRoles(leaves, object(t, `{"id":"`+valueIn(roles+"role patch, remove user")+
			`","roles":[{"display":"r","value":"role"}]}`), ids)),
	} {
		s, exists := steps[name]
		if !exists || s.status != 200 {
			t.Errorf("%s: the recording has no such step, or it failed", name)
			continue
		}
		if !reflect.DeepEqual(sentOver(t, made), s.sent) {
			t.Errorf("%s: the body is %v, not %v", name, made, s.sent)
		}
	}
}
