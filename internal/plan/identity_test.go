package plan

import (
	"reflect"
	"slices"
	"testing"

	"wso2agent/internal/desired"
)

// identity reads one role, group or user of IS.
func identity(t *testing.T, text string) desired.IdentityServer {
	return parse(t, "identity_server: {"+text+"}").IdentityServer.Value
}

func readUser(t *testing.T, field string) desired.User {
	return identity(t, "users: [{username: ann, "+field+"}]").Users.Value[0].Value
}

var someIDs = IDs{
	Users:  map[string]string{"ann": "id-ann", "bob": "id-bob"},
	Groups: map[string]string{"staff": "id-staff", "guests": "id-guests"},
	Roles:  map[string]string{"reader": "id-reader", "writer": "id-writer"},
}

func TestEachFieldOfAUser(t *testing.T) {
	userName := func(o string) string { return `{"userName":"Ann",` + o + `}` }
	table := func(desired.User) []mapping { return userTable }
	checkRows(t, table, readUser, []rowCase{
		{"email", "email: a@b.example", userName(`"emails":["c@b.example"]`), userName(`"emails":["a@b.example"]`), "c@b.example", "a@b.example"},
		{"email", "email: null", userName(`"emails":["c@b.example"]`), userName(`"emails":[]`), "c@b.example", ""},
		{"email", "email: a@b.example", userName(`"emails":null`), userName(`"emails":[{"value":"a@b.example","primary":true}]`), "", "a@b.example"},
		{"given_name", "given_name: Ann", userName(`"name":{"familyName":"A"}`), userName(`"name":{"givenName":"Ann"}`), "", "Ann"},
		{"family_name", "family_name: Roe", userName(`"name":{"familyName":"A"}`), userName(`"name":{"familyName":"Roe"}`), "A", "Roe"},
		{"family_name", "family_name: null", userName(`"name":{"familyName":"A"}`), userName(`"name":null`), "A", ""},
		{"roles", "roles: [Writer]", userName(`"roles":[{"display":"everyone","value":"e"}]`),
			userName(`"roles":[{"display":"everyone"},{"display":"writer"},{"display":"of an application","audienceType":"application"}]`), []string{}, []string{"writer"}},
	}, "username")
	if all := UserDifferences(readUser(t, "email: a@b.example"), Object{"userName": "bob", "emails": []any{"a@b.example"}}, nil); len(all) != 1 || all[0].Path != "username" {
		t.Errorf("another user: %#v", all)
	}
}

func TestANewUserHasItsPasswordAndNoRoles(t *testing.T) {
	user := readUser(t, "password: throwAway1, email: a@b.example, given_name: Ann, family_name: null, roles: [reader]")
	expected := object(t, `{"schemas":["urn:ietf:params:scim:schemas:core:2.0:User"],"userName":"ann","password":"throwAway1",
		"emails":[{"value":"a@b.example","primary":true}],"name":{"givenName":"Ann"}}`)
	if made := UserBody(user, nil, nil); !reflect.DeepEqual(sentOver(t, made), expected) {
		t.Errorf("the POST has %v", made)
	}
}

func TestAUserIsPatchedWithItsDifferencesAlone(t *testing.T) {
	user := readUser(t, "password: throwAway2, email: null, given_name: Anna, family_name: Example, roles: [reader]")
	have := object(t, `{"id":"id-ann","userName":"ann","emails":["a@b.example"],"name":{"givenName":"Ann","familyName":"Example"},
		"roles":[{"display":"everyone","value":"e"},{"display":"writer","value":"id-writer"}]}`)
	all := UserDifferences(user, have, func(path, value string) bool { return value == "throwAway1" })
	var paths []string
	for _, d := range all {
		paths = append(paths, d.Path)
		if d.Want == "throwAway2" {
			t.Error("the difference has the password")
		}
	}
	if !slices.Equal(paths, []string{"email", "given_name", "roles", "password"}) {
		t.Errorf("the differences are %v", paths)
	}
	expected := object(t, `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
		{"op":"remove","path":"emails"},{"op":"replace","value":{"password":"throwAway2","name":{"givenName":"Anna","familyName":"Example"}}}]}`)
	if made := UserBody(user, have, all); !reflect.DeepEqual(sentOver(t, made), expected) {
		t.Errorf("the PATCH has %v", made)
	}
	roles, err := UserRoles(user, have, someIDs)
	if err != nil {
		t.Fatal(err)
	}
	for id, expected := range map[string]string{
		"id-reader": `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"add","path":"users","value":[{"value":"id-ann"}]}]}`,
		"id-writer": `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"remove","path":"users[value eq id-ann]"}]}`,
	} {
		if !reflect.DeepEqual(sentOver(t, roles[id]), object(t, expected)) {
			t.Errorf("the PATCH of %s has %v", id, roles[id])
		}
	}
	if len(roles) != 2 {
		t.Errorf("the roles %v change", roles)
	}
	if made := UserBody(user, have, nil); made != nil {
		t.Errorf("without differences the PATCH has %v", made)
	}
	if roles, err := UserRoles(readUser(t, "email: a@b.example"), have, someIDs); len(roles) > 0 || err != nil {
		t.Errorf("roles that the file leaves out change: %v, %v", roles, err)
	}
	if _, err := UserRoles(readUser(t, "roles: [nobody]"), have, someIDs); err == nil || err.Error() != `give roles to user "ann": IS has no role "nobody"` {
		t.Errorf("an unknown role: %v", err)
	}
}

func readGroup(t *testing.T, field string) desired.Users {
	return identity(t, "groups: [{name: Staff, "+field+"}]").Groups.Value[0].Value
}

func TestAGroupGetsAndLosesMembers(t *testing.T) {
	const have = `{"displayName":"staff","members":[{"display":"bob","value":"id-bob"}]}`
	checkRows(t, func(desired.Users) []mapping { return groupTable }, readGroup, []rowCase{
		{"members", "members: [bob, Ann]", have, `{"displayName":"PRIMARY/staff","members":[{"display":"ann"},{"display":"PRIMARY/bob"}]}`, []string{"bob"}, []string{"ann", "bob"}},
		{"members", "members: []", have, `{"displayName":"staff"}`, []string{"bob"}, []string{}},
	}, "name")
	for file, expected := range map[string]string{
		"members: [Ann]": `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[
			{"op":"add","value":{"members":[{"value":"id-ann","display":"Ann"}]}},{"op":"remove","path":"members[value eq \"id-bob\"]"}]}`,
		"members: null":  `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[{"op":"remove","path":"members[value eq \"id-bob\"]"}]}`,
		"members: [BOB]": `null`,
		"":               `null`,
	} {
		made, err := GroupBody(readGroup(t, file), object(t, have), someIDs)
		if err != nil || !reflect.DeepEqual(sentOver(t, made), object(t, expected)) {
			t.Errorf("%s: %v, %v", file, made, err)
		}
	}
	made, err := GroupBody(readGroup(t, "members: [ann]"), nil, someIDs)
	if err != nil || !reflect.DeepEqual(sentOver(t, made), object(t, `{"displayName":"Staff","members":[{"value":"id-ann","display":"ann"}]}`)) {
		t.Errorf("a new group: %v, %v", made, err)
	}
	if _, err := GroupBody(readGroup(t, "members: [eve]"), nil, someIDs); err == nil || err.Error() != `fill group "Staff": IS has no user "eve"` {
		t.Errorf("an unknown user: %v", err)
	}
}

func readRole(t *testing.T, field string) desired.Role {
	return identity(t, "roles: [{name: Reader, "+field+"}]").Roles.Value[0].Value
}

func TestARoleGetsAndLosesPermissionsAndGroups(t *testing.T) {
	const have = `{"displayName":"reader","permissions":[{"value":"a:read","display":"Read"}],"groups":[{"display":"PRIMARY/staff","value":"id-staff"}]}`
	checkRows(t, func(desired.Role) []mapping { return roleTable }, readRole, []rowCase{
		{"permissions", "permissions: [b:read, a:read]", have, `{"displayName":"reader","permissions":[{"value":"a:read"},{"value":"b:read"}]}`, []string{"a:read"}, []string{"a:read", "b:read"}},
		{"groups", "groups: [guests, Staff]", have, `{"displayName":"reader","groups":[{"display":"PRIMARY/guests"},{"display":"staff"}]}`, []string{"staff"}, []string{"guests", "staff"}},
		{"groups", "groups: []", have, `{"displayName":"reader"}`, []string{"staff"}, []string{}},
	}, "name")
	const head = `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[`
	for file, expected := range map[string]string{
		"permissions: [b:read]":                  head + `{"op":"add","path":"permissions","value":[{"value":"b:read"}]},{"op":"remove","path":"permissions[value eq a:read]"}]}`,
		"groups: [staff, guests]":                head + `{"op":"add","path":"groups","value":[{"value":"id-guests"}]}]}`,
		"groups: [guests]":                       head + `{"op":"replace","path":"groups","value":[{"value":"id-guests"}]}]}`,
		"groups: null":                           head + `{"op":"replace","path":"groups","value":[]}]}`,
		"groups: [Staff], permissions: [a:read]": `null`,
	} {
		made, err := RoleBody(readRole(t, file), object(t, have), someIDs)
		if err != nil || !reflect.DeepEqual(sentOver(t, made), object(t, expected)) {
			t.Errorf("%s: %v, %v", file, made, err)
		}
	}
	made, err := RoleBody(readRole(t, "permissions: [a:read], groups: [staff]"), nil, someIDs)
	if err != nil || !reflect.DeepEqual(sentOver(t, made), object(t, `{"displayName":"Reader","permissions":[{"value":"a:read"}]}`)) {
		t.Errorf("a new role: %v, %v", made, err)
	}
	if _, err := RoleBody(readRole(t, "groups: [nobody]"), object(t, have), someIDs); err == nil || err.Error() != `give role "Reader" to groups: IS has no group "nobody"` {
		t.Errorf("an unknown group: %v", err)
	}
}
