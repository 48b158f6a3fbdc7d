package wso2sim

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// resource makes an API resource of IS with scopes and returns its id.
func (p *pair) resource(identifier string, guarded bool, scopes ...string) string {
	p.t.Helper()
	list := []object{}
	for _, s := range scopes {
		list = append(list, object{"name": s, "displayName": s})
	}
	return send(p.t, "POST", p.is.URL()+resourcesPath, admin, object{
		"name": identifier, "identifier": identifier, "requiresAuthorization": guarded, "scopes": list,
	}).want(p.t, 201).str("id")
}

// userScope is what a user gets where he asks for scopes by password.
func (p *pair) userScope(client reply, name, scopes string) string {
	p.t.Helper()
	password := "throwAway1!"
	if name == "admin" {
		password = "admin"
	}
	form := url.Values{"grant_type": {"password"}, "username": {name}, "password": {password}, "scope": {scopes}}
	return p.grant(client, form).want(p.t, 200).str("scope")
}

func TestWhoIsGrantedWhichScopes(t *testing.T) {
	const asked = "orders:read nobody:knows internal_user_mgt_create"
	for _, tc := range []struct {
		name, settings                 string
		authorized                     bool
		client, without, with, system  string
		anything, closedTo, openToUser string // a scope that nobody registered; one under No Policy, before and after
	}{
		{"as shipped, nothing authorized", "", false, "", "", "", "internal_login", "", "", ""},
		{"as shipped, authorized", "", true, "orders:read", "", "orders:read", "internal_login", "", "", "open:all"},
		{"with allowed_scopes", "\n[oauth]\nallowed_scopes = [\"^orders:.*\", \"^nobody:.*\"]\n", false,
			"nobody:knows orders:read", "nobody:knows orders:read", "nobody:knows orders:read", "internal_login", "nobody:knows", "", ""},
		{"with every scope for everybody", everyScope, false,
			"internal_user_mgt_create orders:read", "", "orders:read", "every", "", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := isWith(t, tc.settings)
			orders, open := p.resource("orders", true, "orders:read", "orders:write"), p.resource("open", false, "open:all")
			p.user("ann")
			p.role("readers", []string{"orders:read"}, p.user("bob"))
			c := p.client("c", "JWT")
			authorized := p.applicationOf(c) + "/authorized-apis"
			if tc.authorized {
				send(t, "POST", authorized, admin, object{"id": orders, "policyIdentifier": "RBAC", "scopes": []string{"orders:read"}}).want(t, 200)
				send(t, "POST", authorized, admin, object{"id": open, "policyIdentifier": "No Policy", "scopes": []string{"open:all"}}).want(t, 200)
			}
			for _, got := range []struct{ who, is, want string }{
				{"the application", p.scopeFor(c, asked), tc.client},
				{"a user without the role", p.userScope(c, "ann", asked), tc.without},
				{"a user with the role", p.userScope(c, "bob", asked), tc.with},
				{"a user, for a scope that nobody registered", p.userScope(c, "ann", "nobody:knows"), tc.anything},
				{"a user, for a scope without a policy", p.userScope(c, "ann", "open:all"), tc.openToUser},
				{"the application, for internal_login", p.scopeFor(c, loginScope), ""},
				{"a user, for internal_login", p.userScope(c, "ann", loginScope+" openid"), loginScope + " openid"},
			} {
				if got.is != got.want {
					t.Errorf("%s gets %q, want %q", got.who, got.is, got.want)
				}
			}
			system := p.userScope(c, "admin", everySystemScope)
			if tc.system == "every" {
				if n := len(strings.Fields(system)); n != 356 || !strings.Contains(system, loginScope) {
					t.Errorf("SYSTEM is %d scopes for the administrator, want 356", n)
				}
			} else if system != tc.system {
				t.Errorf("SYSTEM is %q for the administrator, want %q", system, tc.system)
			}
		})
	}
}

func TestTokensOfISAreAsGoodAsTheirScopes(t *testing.T) {
	p := isWith(t, everyScope)
	c := p.client("c", "JWT")
	with := func(scopes string) auth {
		form := url.Values{"grant_type": {"client_credentials"}, "scope": {scopes}}
		return bearer(p.grant(c, form).want(t, 200).str("access_token"))
	}
	users, apps := p.is.URL()+usersPath, p.is.URL()+applicationsPath
	body := object{"userName": "made", "password": "throwAway1!"}
	tokens := map[string]auth{} // side by side: each has other scopes
	for _, s := range []string{"list", "create", "view", "delete"} {
		tokens[s] = with("internal_user_mgt_" + s)
	}
	id := send(t, "POST", users, tokens["create"], body).want(t, 201).str("id")
	send(t, "POST", users, tokens["list"], body).want(t, 403)
	send(t, "GET", users, tokens["list"], nil).want(t, 200)
	send(t, "GET", users, tokens["view"], nil).want(t, 403)
	send(t, "GET", users+"/"+id, tokens["view"], nil).want(t, 200)
	send(t, "GET", users+"/"+id, tokens["list"], nil).want(t, 403)
	send(t, "DELETE", users+"/"+id, tokens["view"], nil).want(t, 403)
	send(t, "DELETE", users+"/"+id, tokens["delete"], nil).want(t, 204)
	send(t, "GET", users+"/"+id, tokens["view"], nil).want(t, 404)
	send(t, "GET", apps, tokens["list"], nil).want(t, 403)
	send(t, "GET", apps, with("internal_application_mgt_view"), nil).want(t, 200)
	send(t, "GET", users, bearer("nonsense"), nil).want(t, 401)
	send(t, "GET", users, anonymous, nil).want(t, 401)

	filtered := send(t, "GET", users+"?filter=userName+eq+admin&attributes=userName&count=1", admin, nil).want(t, 200)
	if filtered.str("Resources", 0, "userName") != "admin" || filtered.at("Resources", 0, "roles") != nil {
		t.Errorf("got %s", filtered.text)
	}
}

func TestTheProfileOfATokenIsThatOfTheClientsOwner(t *testing.T) {
	p := isWith(t, "\n[[resource.access_control]]\ncontext = \"(.*)/scim2/Me\"\nsecure = true\nhttp_method = \"GET\"\npermissions = []\nscopes = []\n")
	p.role("registrars", []string{"internal_dcr_create"}, p.user("svc"))
	body := object{"client_name": "theirs", "grant_types": []string{"client_credentials"}, "token_type_extension": "JWT"}
	theirs := send(t, "POST", p.is.URL()+registerPath, basic("svc", "throwAway1!"), body).want(t, 201)
	for owner, client := range map[string]reply{"svc": theirs, "admin": p.client("ours", "JWT")} {
		tok := bearer(p.bare(client))
		if got := send(t, "GET", p.is.URL()+"/scim2/Me", tok, nil).want(t, 200); got.str("userName") != owner {
			t.Errorf("the profile is %s's, want %s's", got.str("userName"), owner)
		}
		password := object{"schemas": []string{}, "Operations": []object{{"op": "replace", "value": object{"password": "throwAway9!"}}}}
		send(t, "PATCH", p.is.URL()+"/scim2/Me", tok, password).want(t, 403)
	}
}

func TestTheFirstEntryThatMatchesCounts(t *testing.T) {
	entry := func(method string, secure bool, scopes string) string {
		return "\n[[resource.access_control]]\ncontext = \"(.*)/scim2/Users(.*)\"\nhttp_method = \"" + method + "\"\nsecure = " +
			strconv.FormatBool(secure) + "\nscopes = [" + scopes + "]\n"
	}
	p := isWith(t, everyScope+entry("POST, GET", true, `"internal_user_mgt_list", "internal_user_mgt_view"`)+entry("all", false, ""))
	users := p.is.URL() + usersPath
	c := p.client("c", "JWT")
	with := func(scopes string) auth {
		return bearer(p.grant(c, url.Values{"grant_type": {"client_credentials"}, "scope": {scopes}}).want(t, 200).str("access_token"))
	}
	send(t, "GET", users, with("internal_user_mgt_list"), nil).want(t, 403)
	send(t, "GET", users, with("internal_user_mgt_list internal_user_mgt_view"), nil).want(t, 200)
	send(t, "GET", users, anonymous, nil).want(t, 401)
	send(t, "DELETE", users+"/nobody", anonymous, nil).want(t, 404) // open to all by the second entry
}

func TestNoSpellingOfAPathGetsAroundAccessControl(t *testing.T) {
	p := newPair(t)
	p.wrap = nil // the specifications know one spelling
	p.startIS()
	token := "Bearer " + p.bare(p.client("c", "JWT"))
	for _, path := range []string{
		"/scim2/Users", "//scim2/Users", "/scim2//Users", "/scim2/./Users", "/x/../scim2/Users", "/scim2;a=b/Users", "/%73cim2/Users",
		"/t/carbon.super/scim2/Users", "/scim2/Users/", "/api/server/v1/applications;x", "//api/server/v1/applications/",
	} {
		for _, tc := range []struct {
			credentials string
			want        []int
		}{{"", []int{401, 302}}, {token, []int{403, 302}}} {
			for _, method := range []string{"GET", "HEAD"} {
				if got := p.raw(method, path, tc.credentials); !slices.Contains(tc.want, got) {
					t.Errorf("%s %s with %.6q is %d", method, path, tc.credentials, got)
				}
			}
		}
	}
}

func TestApplicationsAreListedByPagesAndTheNewestFirst(t *testing.T) {
	p := newPair(t)
	p.wrap = nil // which is slow, and sees the same in other tests
	p.startIS()
	all := p.is.URL() + applicationsPath
	var made []reply
	for i := range 250 {
		suffix := []string{"_PRODUCTION", "_SANDBOX", "_other"}[i%3]
		made = append(made, p.client("app-"+strconv.Itoa(i)+suffix, "JWT"))
	}
	list := func(query url.Values) reply { return send(t, "GET", all+"?"+query.Encode(), admin, nil).want(t, 200) }
	t.Run("a page has at most 100, and the pages have everything once", func(t *testing.T) {
		seen := map[string]bool{}
		next := 249
		for offset, want := range map[int]int{0: 100, 100: 100, 200: 50, 300: 0} {
			page := list(url.Values{"limit": {"1000"}, "offset": {strconv.Itoa(offset)}, "attributes": {"clientId"}})
			if page.at("totalResults") != 250.0 || page.at("count") != float64(want) || page.at("startIndex") != float64(offset+1) {
				t.Errorf("at %d: total %v, count %v, start %v", offset, page.at("totalResults"), page.at("count"), page.at("startIndex"))
			}
			for i := range want {
				client := page.str("applications", i, "clientId")
				if seen[client] || client != made[next-offset-i].str("client_id") || client == page.str("applications", i, "id") {
					t.Fatalf("at %d: application %d is %v", offset, i, page.at("applications", i))
				}
				seen[client] = true
			}
		}
		if first := list(url.Values{}); first.at("count") != 30.0 || first.str("links", 0, "rel") != "next" || first.at("applications", 0, "clientId") != nil {
			t.Errorf("without a limit: %.300s", first.text)
		}
	})
	t.Run("filters", func(t *testing.T) {
		for filter, want := range map[string]float64{
			"name ew _PRODUCTION or name ew _SANDBOX": 84 + 83, "name co app-1 and name ew _PRODUCTION": 36,
			"name eq app-0_PRODUCTION": 1, "name eq app-0": 0, "name sw app-24": 11, "clientId eq " + made[7].str("client_id"): 1,
			"name ew _other or name sw app-0 and name ew _SANDBOX": 83, "name sw app-0 and name ew _SANDBOX or name ew _other": 83,
		} {
			if got := list(url.Values{"filter": {filter}}); got.at("totalResults") != want {
				t.Errorf("%s finds %v, want %v", filter, got.at("totalResults"), want)
			}
		}
		for _, filter := range []string{"name", "name eq", "nosuch eq x", "name is x", "name eq x and", "or name eq x"} {
			if got := send(t, "GET", all+"?"+url.Values{"filter": {filter}}.Encode(), admin, nil).want(t, 400); got.str("code") != "APP-60004" {
				t.Errorf("%s: %s", filter, got.text)
			}
		}
	})
	t.Run("deleting one ends its client and tokens, and registration's deleting ends the application", func(t *testing.T) {
		tok := p.bare(made[0])
		id := p.applicationOf(made[0])
		send(t, "DELETE", id, admin, nil).want(t, 204)
		send(t, "DELETE", id, admin, nil).want(t, 204)
		send(t, "GET", id, admin, nil).want(t, 404)
		send(t, "GET", p.is.URL()+registerPath+"/"+made[0].str("client_id"), admin, nil).want(t, 401)
		p.grant(made[0], url.Values{"grant_type": {"client_credentials"}}).want(t, 401)
		if p.active(tok) != false {
			t.Error("the token lives on")
		}
		id = p.applicationOf(made[1])
		send(t, "DELETE", p.is.URL()+registerPath+"/"+made[1].str("client_id"), admin, nil).want(t, 204)
		send(t, "GET", id, admin, nil).want(t, 404)
		if got := list(url.Values{}); got.at("totalResults") != 248.0 {
			t.Errorf("there are %v", got.at("totalResults"))
		}
	})
	t.Run("registration renames the application and leaves its id", func(t *testing.T) {
		id := p.applicationOf(made[2])
		send(t, "PUT", p.is.URL()+registerPath+"/"+made[2].str("client_id"), admin, object{"client_name": "renamed", "grant_types": []string{"client_credentials"}}).want(t, 200)
		if got := send(t, "GET", id, admin, nil).want(t, 200); got.str("name") != "renamed" {
			t.Errorf("the name is %s", got.str("name"))
		}
	})
}

func TestTakingAScopeAwayEndsTheApplicationsTokens(t *testing.T) {
	p := isWith(t, "")
	id := p.resource("orders", true, "a", "b", "c")
	p.role("r", []string{"a", "b", "c"}, p.user("ann"))
	c, other := p.client("c", "JWT"), p.client("other", "JWT")
	for _, client := range []reply{c, other} {
		send(t, "POST", p.applicationOf(client)+"/authorized-apis", admin, object{"id": id, "policyIdentifier": "RBAC", "scopes": []string{"a", "b", "c"}}).want(t, 200)
	}
	at := p.applicationOf(c) + "/authorized-apis/" + id
	user := url.Values{"grant_type": {"password"}, "username": {"ann"}, "password": {"throwAway1!"}, "scope": {"a"}}
	mine, theirs := p.grant(c, user).want(t, 200), p.grant(other, user).want(t, 200)
	lives := func(what string, token reply, want bool) {
		t.Helper()
		if p.active(token.str("access_token")) != want {
			t.Errorf("%s: the token lives: %v, want %v", what, !want, want)
		}
	}
	send(t, "PATCH", at, admin, object{"addedScopes": []string{"a"}, "removedScopes": []string{"b", "nosuch"}}).want(t, 200)
	lives("after a scope was removed that the token lacks", mine, true)
	send(t, "PATCH", at, admin, object{"removedScopes": []string{"a"}}).want(t, 200)
	lives("after its scope was removed", mine, false)
	lives("of another application", theirs, true)
	if got := p.grant(c, url.Values{"grant_type": {"refresh_token"}, "refresh_token": {mine.str("refresh_token")}}).want(t, 400); got.str("error") != "invalid_grant" {
		t.Errorf("the refresh token: %s", got.text)
	}
	if got := p.userScope(c, "ann", "a b c"); got != "c" {
		t.Errorf("granted is %q", got)
	}
	last := p.grant(c, url.Values{"grant_type": {"client_credentials"}, "scope": {"c"}}).want(t, 200)
	send(t, "DELETE", at, admin, nil).want(t, 204)
	lives("after the authorization was deleted", last, false)
	lives("of another application", theirs, true)

	send(t, "DELETE", p.is.URL()+resourcesPath+"/"+id+"/scopes/a", admin, nil).want(t, 204)
	lives("after the scope itself was deleted", theirs, true)
	send(t, "PATCH", p.is.URL()+resourcesPath+"/"+id, admin, object{"addedScopes": []object{{"name": "a"}}}).want(t, 204)
	if got := p.scopeFor(other, "a b"); got != "b" {
		t.Errorf("a scope that is made again is granted: %q", got)
	}
	send(t, "DELETE", p.is.URL()+resourcesPath+"/"+id, admin, nil).want(t, 204)
	if got := send(t, "GET", p.applicationOf(other)+"/authorized-apis", admin, nil).want(t, 200); got.text != "[]" {
		t.Errorf("the deleted resource is still authorized: %s", got.text)
	}
}

func TestOneOfSeveralThatAuthorizeAtOnceSucceeds(t *testing.T) {
	p := isWith(t, "")
	id := p.resource("orders", true, "a")
	at := p.applicationOf(p.client("c", "JWT")) + "/authorized-apis"
	body, err := json.Marshal(object{"id": id, "policyIdentifier": "RBAC", "scopes": []string{"a"}})
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	statuses := map[int]int{}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			req, err := http.NewRequest("POST", at, bytes.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			admin(req)
			req.Header.Set("Content-Type", "application/json")
			resp, err := insecure().Do(req)
			if err != nil {
				t.Error(err)
				return
			}
			resp.Body.Close()
			mu.Lock()
			defer mu.Unlock()
			statuses[resp.StatusCode]++
		})
	}
	wg.Wait()
	if statuses[200] != 1 || statuses[409] != 3 {
		t.Errorf("the answers are %v", statuses)
	}
}

func TestUsersGroupsAndTheirPasswords(t *testing.T) {
	p := isWith(t, "")
	id := p.user("ann")
	c := p.client("c", "JWT")
	form := url.Values{"grant_type": {"password"}, "username": {"ANN"}, "password": {"throwAway1!"}, "scope": {"openid"}}
	tok := p.grant(c, form).want(t, 200).str("access_token")
	if parsed, err := parseJWT(tok); err != nil || parsed.claims.Subject != id {
		t.Errorf("the subject is not the user's id: %v", err)
	}
	users := p.is.URL() + usersPath
	for name, body := range map[string]object{
		"a weak password": {"userName": "bob", "password": "weak"}, "no name": {"password": "throwAway1!"}, "a name with a space": {"userName": "b b", "password": "throwAway1!"},
	} {
		if got := send(t, "POST", users, wrong, body).want(t, 400); got.str("scimType") != "invalidValue" {
			t.Errorf("%s: %s", name, got.text)
		}
	}
	send(t, "POST", users, admin, object{"userName": "Ann", "password": "throwAway1!"}).want(t, 409)
	group := send(t, "POST", p.is.URL()+groupsPath, wrong, object{"displayName": "g", "members": []object{{"value": id}}}).want(t, 201).str("id")
	if got := send(t, "GET", users+"/"+id, admin, nil).want(t, 200); got.str("groups", 0, "display") != "g" {
		t.Errorf("got %s", got.text)
	}
	send(t, "DELETE", p.is.URL()+groupsPath+"/"+group, wrong, nil).want(t, 204)

	me := p.is.URL() + "/scim2/Me"
	change := object{"schemas": []string{}, "Operations": []object{{"op": "replace", "value": object{"password": "throwAway2!"}}}}
	send(t, "PATCH", me, basic("ann", "throwAway1!"), change).want(t, 200)
	send(t, "GET", me, basic("ann", "throwAway1!"), nil).want(t, 401)
	send(t, "GET", me, basic("ann", "throwAway2!"), nil).want(t, 200)
	if p.active(tok) != false {
		t.Error("a token has outlived the password")
	}
	form.Set("password", "throwAway2!")
	tok = p.grant(c, form).want(t, 200).str("access_token")
	send(t, "DELETE", users+"/"+id, admin, nil).want(t, 204)
	if p.active(tok) != false {
		t.Error("a token has outlived its user")
	}
	p.grant(c, form).want(t, 400)
}

func TestAStateOfAnEarlierStandInLoads(t *testing.T) {
	p := isWith(t, everyScope)
	c := p.client("c", "JWT")
	var saved bytes.Buffer
	if err := p.is.SaveState(&saved); err != nil {
		t.Fatal(err)
	}
	var state savedState
	if err := json.Unmarshal(saved.Bytes(), &state); err != nil {
		t.Fatal(err)
	}
	var old []entry
	for _, e := range state.Entries {
		if slices.Contains([]string{"application", "group", "account"}, e.Kind) {
			continue
		}
		if e.Kind == "resource" { // four of them, without scopes
			if !slices.ContainsFunc([]string{"/o/scim2/Roles", "/scim2/Users", "/applications", "offline"}, func(s string) bool { return bytes.Contains(e.Is, []byte(s)) }) {
				continue
			}
			var r resourceRecord
			if err := json.Unmarshal(e.Is, &r); err != nil {
				t.Fatal(err)
			}
			r.Scopes = nil
			e.Is, _ = json.Marshal(r)
		}
		if e.Kind == "role" {
			e.Is = bytes.ReplaceAll(e.Is, []byte(`"Users":[`), []byte(`"Nobody":[`))
		}
		old = append(old, e)
	}
	state.Entries = old
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.is.LoadState(bytes.NewReader(text)); err != nil {
		t.Fatal(err)
	}
	app := p.applicationOf(c)
	if got := len(strings.Fields(p.userScope(c, "admin", everySystemScope))); got != 356 {
		t.Errorf("SYSTEM is %d scopes, want 356", got)
	}
	p.startIS()
	if got := p.applicationOf(c); got != app {
		t.Errorf("after a restart the application is %s, before %s", got, app)
	}
	send(t, "GET", p.is.URL()+"/wso2/scim/Groups", bearer(p.bare(c)), nil).want(t, 200)
}
