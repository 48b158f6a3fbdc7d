package plan

import (
	"strings"
	"testing"
)

func TestAppliedIdentitiesHaveNoDifferences(t *testing.T) {
	s := startStandIns(t)
	users, groups, roles := s.is+"/scim2/Users", s.is+"/scim2/Groups", s.is+"/scim2/v2/Roles"
	s.call("POST", s.is+"/api/server/v1/api-resources", object(t, `{"name":"Orders","identifier":"orders","requiresAuthorization":true,
		"scopes":[{"name":"orders:read"},{"name":"orders:write"}]}`))
	idOf := func(list, attribute, name string) string {
		for _, o := range objectsAt(s.call("GET", list, nil), "Resources") {
			if folded(textAt(o, attribute, "")) == folded(name) {
				return o["id"].(string)
			}
		}
		return ""
	}
	ids := IDs{Users: map[string]string{}, Groups: map[string]string{}, Roles: map[string]string{}}
	rounds := []string{`roles: [{name: Reader, permissions: ["orders:read"], groups: [Staff]}, {name: Writer, permissions: ["orders:write"]}],
		groups: [{name: Staff, members: [Ann, bob]}, {name: Guests, members: []}],
		users: [{username: Ann, password: throwAway1, email: a@b.example, given_name: Ann, family_name: Example, roles: [Reader, writer]}, {username: bob, password: throwAway1}]`,
		`roles: [{name: reader, permissions: ["orders:write"], groups: [Staff, guests]}, {name: Writer, permissions: null}],
		groups: [{name: staff, members: [bob]}, {name: Guests, members: [ANN]}],
		users: [{username: ann, password: throwAway2, email: c@b.example, given_name: Anna, roles: [Writer]}, {username: bob, password: throwAway1, email: b@b.example}]`,
		`roles: [{name: Reader, groups: [guests]}, {name: Writer, permissions: ["orders:read", "orders:write"]}],
		groups: [{name: staff, members: null}],
		users: [{username: ann, email: null, family_name: null, roles: []}, {username: bob, roles: [Reader]}]`}
	passwords := map[string]string{}
	for round, text := range rounds {
		is := identity(t, text)
		for _, item := range is.Users.Value {
			want := item.Value
			name := folded(want.Username.Value)
			sent := func(_, value string) bool { return passwords[name] == value }
			if id := idOf(users, "userName", name); id == "" {
				ids.Users[name] = s.call("POST", users, UserBody(want, nil, nil))["id"].(string)
			} else {
				have := s.call("GET", users+"/"+id, nil)
				if made := UserBody(want, have, UserDifferences(want, have, sent)); made != nil {
					s.call("PATCH", users+"/"+id, made)
				}
			}
			if want.Password.Set {
				passwords[name] = want.Password.Value.Reveal()
			}
		}
		for _, item := range is.Groups.Value {
			want := item.Value
			id := idOf(groups, "displayName", want.Name.Value)
			var have Object
			if id != "" {
				have = s.call("GET", groups+"/"+id, nil)
			}
			made, err := GroupBody(want, have, ids)
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case have == nil:
				id = s.call("POST", groups, made)["id"].(string)
			case made != nil:
				s.call("PATCH", groups+"/"+id, made)
			}
			ids.Groups[folded(want.Name.Value)] = id
			s.same("group "+want.Name.Value, GroupDifferences(want, s.call("GET", groups+"/"+id, nil)))
		}
		for _, item := range is.Roles.Value {
			want := item.Value
			id := idOf(roles, "displayName", want.Name.Value)
			if id == "" {
				made, err := RoleBody(want, nil, ids)
				if err != nil {
					t.Fatal(err)
				}
				id = s.call("POST", roles, made)["id"].(string)
			}
			ids.Roles[folded(want.Name.Value)] = id
			made, err := RoleBody(want, s.call("GET", roles+"/"+id, nil), ids)
			if err != nil {
				t.Fatal(err)
			}
			if made != nil {
				s.call("PATCH", roles+"/"+id, made)
			}
			s.same("role "+want.Name.Value, RoleDifferences(want, s.call("GET", roles+"/"+id, nil)))
		}
		for _, item := range is.Users.Value {
			want := item.Value
			name := folded(want.Username.Value)
			at := users + "/" + ids.Users[name]
			bodies, err := UserRoles(want, s.call("GET", at, nil), ids)
			if err != nil {
				t.Fatal(err)
			}
			if round > 0 && want.Roles.Set && len(bodies) == 0 {
				t.Errorf("round %d: the roles of %s have changed in the file, and no body changes them", round, name)
			}
			for role, made := range bodies {
				s.call("PATCH", roles+"/"+role, made)
			}
			have := s.call("GET", at, nil)
			s.same("user "+name, UserDifferences(want, have, func(_, value string) bool { return passwords[name] == value }))
			if bodies, err := UserRoles(want, have, ids); len(bodies) > 0 || err != nil {
				t.Errorf("user %s: roles still change: %v %v", name, bodies, err)
			}
		}
	}
	// What the last round leaves out stays.
	bob := s.call("GET", users+"/"+ids.Users["bob"], nil)
	if emailOf(bob) != "b@b.example" {
		t.Errorf("the e-mail address of bob is %q", emailOf(bob))
	}
	if has := permissionsOf(s.call("GET", roles+"/"+ids.Roles["reader"], nil)); strings.Join(has, " ") != "orders:write" {
		t.Errorf("the permissions of Reader are %v", has)
	}
}
