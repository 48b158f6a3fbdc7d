package wso2sim

import (
	"net/url"
	"slices"
	"testing"
)

// scopesInIS are the ids of the scopes of all APIs, by name.
func (p *pair) scopesInIS() map[string]string {
	p.t.Helper()
	ids := map[string]string{}
	found := send(p.t, "GET", p.is.URL()+resourcesPath+"?filter=identifier%20eq%20"+resourceIdentifier, admin, nil).want(p.t, 200)
	if found.at("apiResources", 0) == nil {
		return ids
	}
	scopes := send(p.t, "GET", p.is.URL()+resourcesPath+"/"+found.str("apiResources", 0, "id")+"/scopes", admin, nil).want(p.t, 200)
	for i := 0; scopes.at(i) != nil; i++ {
		ids[scopes.str(i, "name")] = scopes.str(i, "id")
	}
	return ids
}

// scopeResourceID is the API resource of the scopes of all APIs.
func (p *pair) scopeResourceID() string {
	p.t.Helper()
	return send(p.t, "GET", p.is.URL()+resourcesPath+"?filter=identifier%20eq%20"+resourceIdentifier, admin, nil).want(p.t, 200).str("apiResources", 0, "id")
}

// permissionsOf are the permissions of a role of IS by its name, or nil where it is missing.
func (p *pair) permissionsOf(role string) []string {
	p.t.Helper()
	found := send(p.t, "GET", p.is.URL()+rolesPath+"?"+url.Values{"filter": {"displayName eq " + role}}.Encode(), admin, nil).want(p.t, 200)
	if found.at("Resources", 0) == nil {
		return nil
	}
	names := []string{}
	for i := 0; found.at("Resources", 0, "permissions", i) != nil; i++ {
		names = append(names, found.str("Resources", 0, "permissions", i, "value"))
	}
	return names
}

// withScopes is the body of an API with scopes, bound to a role: local ones by their names, shared ones by "=name".
func (p *pair) withScopes(name, context string, scopes ...string) object {
	body := p.apiBody(name, context)
	body["operations"] = []object{{"target": "/*", "verb": "GET"}}
	list := []object{}
	for _, s := range scopes {
		shared := s[0] == '='
		if shared {
			s = s[1:]
		}
		list = append(list, object{"scope": object{"name": s, "displayName": s, "description": "", "bindings": []string{"admin"}}, "shared": shared})
	}
	body["scopes"] = list
	return body
}

// application authorizes a new client of IS for scopes of all APIs and returns it with the id of its application.
func (p *pair) authorizedClient(name string, scopes ...string) (client reply, path string) {
	p.t.Helper()
	client = p.client(name, "JWT")
	path = p.applicationOf(client) + "/authorized-apis"
	send(p.t, "POST", path, admin, object{"id": p.scopeResourceID(), "policyIdentifier": "RBAC", "scopes": scopes}).want(p.t, 200)
	return client, path
}

// applicationOf is the address of a client's application.
func (p *pair) applicationOf(client reply) string {
	p.t.Helper()
	filter := url.Values{"filter": {"clientId eq " + client.str("client_id")}}
	return p.is.URL() + applicationsPath + "/" +
		send(p.t, "GET", p.is.URL()+applicationsPath+"?"+filter.Encode(), admin, nil).want(p.t, 200).str("applications", 0, "id")
}

// scopeFor is what a client gets for itself where it asks for scopes.
func (p *pair) scopeFor(client reply, scopes string) string {
	p.t.Helper()
	return p.grant(client, url.Values{"grant_type": {"client_credentials"}, "scope": {scopes}}).want(p.t, 200).str("scope")
}

func TestSavingAnAPIMakesItsLocalScopesAgain(t *testing.T) {
	p := working(t)
	km := p.keyManagerBody("IS")
	km["additionalProperties"].(object)["enable_roles_creation"] = true
	p.appendSettings(p.isHome, "\n[role_mgt]\nallow_system_prefix_for_role = true\n")
	p.startIS()
	send(t, "POST", p.admin("/key-managers"), admin, km).want(t, 201)
	shared := object{"name": "all", "displayName": "all", "description": "", "bindings": []string{"admin"}}
	sharedID := send(t, "POST", p.publisher("/scopes"), admin, shared).want(t, 201).str("id")
	body := p.withScopes("Orders", "/orders", "orders:read", "orders:write", "=all")
	made := send(t, "POST", p.publisher("/apis"), admin, body).want(t, 201)
	at := p.publisher("/apis/" + made.str("id"))
	if made.at("scopes", 0, "shared") != false || made.at("scopes", 2, "shared") != true {
		t.Errorf("the scopes are %v", made.at("scopes"))
	}
	before := p.scopesInIS()
	client, path := p.authorizedClient("c", "orders:read", "all")
	if got := p.scopeFor(client, "orders:read orders:write all"); got != "all orders:read" {
		t.Fatalf("granted is %q", got)
	}
	live := p.grant(client, url.Values{"grant_type": {"client_credentials"}, "scope": {"orders:read"}}).want(t, 200).str("access_token")
	roles := []string{"all", "orders:read", "orders:write"}
	if got := p.permissionsOf("system_primary_admin"); !slices.Equal(slices.Sorted(slices.Values(got)), roles) {
		t.Errorf("the role has %v, want %v", got, roles)
	}

	t.Run("an unchanged API with local scopes", func(t *testing.T) {
		send(t, "PUT", at, admin, body).want(t, 200)
		after := p.scopesInIS()
		if after["orders:read"] == "" || after["orders:read"] == before["orders:read"] || after["orders:write"] == before["orders:write"] {
			t.Errorf("the local scopes have not been made again: %v and %v", before, after)
		}
		if after["all"] != before["all"] {
			t.Error("the shared scope has another id")
		}
		if got := p.scopeFor(client, "orders:read all"); got != "all" {
			t.Errorf("granted is %q", got)
		}
		if p.active(live) != true {
			t.Error("the application's token has ended")
		}
		if got := p.permissionsOf("system_primary_admin"); !slices.Equal(slices.Sorted(slices.Values(got)), roles) {
			t.Errorf("the role has %v, want %v", got, roles)
		}
		got := send(t, "GET", path, admin, nil).want(t, 200)
		if got.str(0, "authorizedScopes", 0, "name") != "all" || got.at(0, "authorizedScopes", 1) != nil {
			t.Errorf("authorized is %s", got.text)
		}
	})
	t.Run("a shared scope, and an API with nothing else", func(t *testing.T) {
		before := p.scopesInIS()
		only := p.withScopes("Only", "/only", "=all")
		id := send(t, "POST", p.publisher("/apis"), admin, only).want(t, 201).str("id")
		send(t, "PUT", p.publisher("/apis/"+id), admin, only).want(t, 200)
		send(t, "PUT", p.publisher("/scopes/"+sharedID), admin, with(shared, "description", "other")).want(t, 200)
		if after := p.scopesInIS(); after["all"] != before["all"] || after["orders:read"] != before["orders:read"] {
			t.Errorf("the ids have changed: %v and %v", before, after)
		}
		if got := p.scopeFor(client, "all"); got != "all" {
			t.Errorf("granted is %q", got)
		}
		send(t, "DELETE", p.publisher("/apis/"+id), admin, nil).want(t, 200)
		if p.scopesInIS()["all"] == "" {
			t.Error("deleting an API has deleted a shared scope")
		}
	})
	t.Run("a scope that is taken out, and a deleted API", func(t *testing.T) {
		send(t, "PUT", at, admin, p.withScopes("Orders", "/orders", "orders:read")).want(t, 200)
		if got := p.scopesInIS(); got["orders:write"] != "" || got["orders:read"] == "" {
			t.Errorf("IS has %v", got)
		}
		send(t, "DELETE", at, admin, nil).want(t, 200)
		if got := p.scopesInIS(); got["orders:read"] != "" {
			t.Errorf("IS has %v", got)
		}
		send(t, "DELETE", p.publisher("/scopes/"+sharedID), admin, nil).want(t, 200)
		if got := p.scopesInIS(); len(got) != 0 {
			t.Errorf("IS has %v", got)
		}
		if got := p.permissionsOf("system_primary_admin"); len(got) != 0 {
			t.Errorf("the role has %v", got)
		}
	})
}

func TestRolesOfASharedScopeThatChanges(t *testing.T) {
	for _, creates := range []bool{true, false} {
		p := working(t)
		p.appendSettings(p.isHome, "\n[role_mgt]\nallow_system_prefix_for_role = true\n")
		p.startIS()
		p.role("staff", nil)
		p.role("guests", nil)
		km := p.keyManagerBody("IS")
		km["additionalProperties"].(object)["enable_roles_creation"] = creates
		send(t, "POST", p.admin("/key-managers"), admin, km).want(t, 201)
		scope := func(role string) object {
			return object{"name": "all", "displayName": "all", "description": "", "bindings": []string{role, "Internal/publisher"}}
		}
		id := send(t, "POST", p.publisher("/scopes"), admin, scope("staff")).want(t, 201).str("id")
		send(t, "PUT", p.publisher("/scopes/"+id), admin, scope("guests")).want(t, 200)
		want := map[string]bool{"guests": true}
		if creates {
			want = map[string]bool{
				"system_primary_staff": true, "system_primary_guests": true, "publisher": true, "system_primary_publisher": true,
			}
		}
		for _, role := range []string{
			"staff", "guests", "publisher", "Internal/publisher", "system_primary_staff", "system_primary_guests", "system_primary_publisher",
		} {
			if got := slices.Contains(p.permissionsOf(role), "all"); got != want[role] {
				t.Errorf("creating roles %v: the role %s has the scope: %v, want %v", creates, role, got, want[role])
			}
		}
	}
}

func TestAKeyManagersUserWithoutRightsIsRefusedInSilence(t *testing.T) {
	everything := []string{
		"internal_api_resource_view", "internal_api_resource_create", "internal_api_resource_update", "internal_api_resource_delete",
		"internal_role_mgt_view", "internal_role_mgt_create", "internal_role_mgt_update",
	}
	for _, tc := range []struct {
		lacks              string
		made, bound, stale bool // what is in IS after the API was made, and after its scope was taken away
	}{
		{"nothing", true, true, false},
		{"internal_api_resource_view", false, false, false},
		{"internal_api_resource_create", false, false, false},
		{"internal_api_resource_update", false, false, false},
		{"internal_api_resource_delete", true, true, true},
		{"internal_role_mgt_view", true, false, false},
		{"internal_role_mgt_create", true, false, false},
	} {
		t.Run("without "+tc.lacks, func(t *testing.T) {
			p := working(t)
			p.appendSettings(p.isHome, "\n[role_mgt]\nallow_system_prefix_for_role = true\n")
			p.startIS()
			p.role("km", slices.DeleteFunc(slices.Clone(everything), func(r string) bool { return r == tc.lacks }), p.user("km-user"))
			km := p.keyManagerBody("IS")
			properties := km["additionalProperties"].(object)
			properties["Username"], properties["Password"], properties["enable_roles_creation"] = "km-user", "throwAway1!", true
			send(t, "POST", p.admin("/key-managers"), admin, km).want(t, 201)
			id := send(t, "POST", p.publisher("/apis"), admin, p.withScopes("Orders", "/orders", "orders:read")).want(t, 201).str("id")
			if got := p.scopesInIS()["orders:read"] != ""; got != tc.made {
				t.Errorf("the scope is in IS: %v, want %v", got, tc.made)
			}
			if got := slices.Contains(p.permissionsOf("system_primary_admin"), "orders:read"); got != tc.bound {
				t.Errorf("the role has the scope: %v, want %v", got, tc.bound)
			}
			send(t, "PUT", p.publisher("/apis/"+id), admin, p.withScopes("Orders", "/orders")).want(t, 200)
			if got := p.scopesInIS()["orders:read"] != ""; got != tc.stale {
				t.Errorf("afterwards the scope is in IS: %v, want %v", got, tc.stale)
			}
		})
	}
}

func TestWhenTheRightsOfARoleChangeItsUsersTokensEnd(t *testing.T) {
	p := isWith(t, everyScope)
	id := p.role("r", []string{"internal_user_mgt_list"}, p.user("ann"))
	p.user("bob")
	c := p.client("c", "JWT")
	tokens := map[string]reply{}
	for _, name := range []string{"ann", "bob"} {
		tokens[name] = p.grant(c, url.Values{"grant_type": {"password"}, "username": {name}, "password": {"throwAway1!"}}).want(t, 200)
	}
	send(t, "PATCH", p.is.URL()+rolesPath+"/"+id, admin, object{
		"schemas": []string{}, "Operations": []object{{"op": "add", "path": "permissions", "value": []object{{"value": "internal_user_mgt_view"}}}},
	}).want(t, 200)
	if p.active(tokens["ann"].str("access_token")) != false || p.active(tokens["bob"].str("access_token")) != true {
		t.Error("the wrong tokens have ended")
	}
	refresh := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens["ann"].str("refresh_token")}}
	if got := p.grant(c, refresh).want(t, 400); got.str("error") != "invalid_grant" {
		t.Errorf("got %s", got.text)
	}
}
