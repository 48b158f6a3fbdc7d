package wso2sim

import (
	"testing"
	"time"
)

func TestKeyManagerRegistrationRefusesAndAccepts(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startAM()
	without := func(fields ...string) object {
		body := p.keyManagerBody("km" + newNonce()[:6])
		for _, f := range fields {
			delete(body, f)
		}
		return body
	}
	with := func(field string, v any) object {
		body := without()
		body[field] = v
		return body
	}
	for _, tc := range []struct {
		name         string
		body         object
		status, code int
	}{
		{"a complete one is made", without(), 201, 0},
		{"without user info endpoint it is made all the same", without("userInfoEndpoint"), 201, 0},
		{"without issuer it is made all the same", without("issuer"), 201, 0},
		{"without token endpoint the configuration is incomplete", without("tokenEndpoint"), 400, 901401},
		{"without registration endpoint the configuration is incomplete", without("clientRegistrationEndpoint"), 400, 901401},
		{"without additional properties the configuration is incomplete", without("additionalProperties"), 400, 901401},
		{"without enabled the server fails", without("enabled"), 500, 500},
		{"with enabled null the server fails", with("enabled", nil), 500, 500},
		{"with tokenType JWT the server fails", with("tokenType", "JWT"), 500, 500},
		{"an unknown type is not configured", with("type", "NOSUCH"), 400, 901400},
		{"an unknown field is refused", with("nosuch", 1), 400, 400},
		{"a name in another case is an unknown field", with("Name", "x"), 400, 400},
		{"the connector of IS 5 is accepted", with("type", "WSO2-IS"), 201, 0},
		{"a second one with the same issuer is accepted", without(), 201, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			send(t, "POST", p.admin("/key-managers"), wrong, tc.body).wantCode(t, tc.status, tc.code)
		})
	}
}

func TestKeyManagerShowsItsPasswordOnlyWhereItWasJustWritten(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startAM()
	made := send(t, "POST", p.admin("/key-managers"), admin, p.keyManagerBody("IS")).want(t, 201)
	one := p.admin("/key-managers/" + made.str("id"))
	read := send(t, "GET", one, admin, nil).want(t, 200)
	if got := made.str("additionalProperties", "Password"); got != "admin" {
		t.Errorf("POST shows %q", got)
	}
	if got := read.str("additionalProperties", "Password"); got != masked {
		t.Errorf("GET shows %q", got)
	}
	written := send(t, "PUT", one, admin, read.body).want(t, 200)
	if got := written.str("additionalProperties", "Password"); got != "admin" {
		t.Errorf("a PUT with the mask stores %q", got)
	}
	list := send(t, "GET", p.admin("/key-managers"), admin, nil).want(t, 200)
	if list.at("list", 0, "additionalProperties") != nil || list.str("list", 1, "name") != residentName {
		t.Errorf("the list is %s", list.text)
	}
	send(t, "POST", p.admin("/key-managers"), admin, p.keyManagerBody("IS")).wantCode(t, 409, 901402)
	send(t, "GET", p.admin("/key-managers/nobody"), admin, nil).wantCode(t, 404, 901411)
}

func TestAKeyManagerIsUsableLaterAndTheFailureBeforeLeavesARow(t *testing.T) {
	p := newPair(t)
	p.delays.KeyManager = Span{time.Hour, time.Hour}
	p.exchange()
	p.startIS()
	p.startAM()
	km, app := p.keyManager("IS"), p.application("App")
	p.generate(app, km).wantCode(t, 500, 900967)
	p.generate(app, km).wantCode(t, 409, 901409)
	keys := p.devportal("/applications/" + app + "/oauth-keys")
	leaked := send(t, "GET", keys, admin, nil).want(t, 200)
	if leaked.at("list", 0, "consumerKey") != nil || leaked.str("list", 0, "keyState") != "APPROVED" {
		t.Fatalf("the row is %s", leaked.text)
	}
	p.loadKeyManagers()
	p.generate(app, km).wantCode(t, 409, 901409)
	send(t, "POST", keys+"/"+leaked.str("list", 0, "keyMappingId")+"/clean-up", admin, nil).want(t, 200)
	got := p.generate(app, km).want(t, 200)
	if got.str("keyManager") != km {
		t.Errorf("the answer names the key manager %q, want what was sent", got.str("keyManager"))
	}
	listed := send(t, "GET", keys, admin, nil).want(t, 200)
	if listed.str("list", 0, "keyManager") != "IS" || listed.str("list", 0, "keyState") != "COMPLETED" {
		t.Errorf("the list names it by name and completed: %s", listed.text)
	}
}

func TestAKeyManagerThatCannotBeLoadedTakesTheNextOnesEventAlong(t *testing.T) {
	p := newPair(t)
	p.delays.LostEvent = time.Hour
	p.exchange()
	p.startIS()
	p.startAM()
	broken := p.keyManagerBody("broken")
	delete(broken, "userInfoEndpoint")
	brokenID := send(t, "POST", p.admin("/key-managers"), admin, broken).want(t, 201).str("id")
	p.generate(p.application("a"), brokenID).wantCode(t, 500, 900967)
	km := p.keyManager("IS")
	p.generate(p.application("b"), km).wantCode(t, 500, 900967)

	p.am.mu.Lock()
	p.am.eventsLost = time.Time{} // the hour is over
	p.am.mu.Unlock()
	p.generate(p.application("c"), km).wantCode(t, 500, 900967)
	one := p.admin("/key-managers/" + km)
	send(t, "PUT", one, admin, send(t, "GET", one, admin, nil).body).want(t, 200)
	p.generate(p.application("d"), km).want(t, 200)
}

func TestADisabledKeyManager(t *testing.T) {
	p := working(t)
	id := p.api("A", "/a")
	p.deploy(id)
	p.publish(id)
	app, km := p.application("App"), p.keyManager("IS")
	p.subscribe(app, id)
	keys := p.generate(app, km).want(t, 200)
	tok := token(t, p.is.URL(), keys)
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
	set := func(enabled bool) {
		one := p.admin("/key-managers/" + km)
		body := send(t, "GET", one, admin, nil).body.(map[string]any)
		body["enabled"] = enabled
		send(t, "PUT", one, admin, body).want(t, 200)
	}
	set(false)
	p.generate(p.application("other"), km).wantCode(t, 400, 901403)
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 401)
	if list := send(t, "GET", p.devportal("/applications/"+app+"/oauth-keys"), admin, nil); list.at("count") != 0.0 {
		t.Errorf("its keys are listed: %s", list.text)
	}
	set(true)
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
	send(t, "DELETE", p.admin("/key-managers/"+km), admin, nil).wantCode(t, 412, 902015)
}

func TestOfTwoKeyManagersWithOneIssuerOnlyOneWorks(t *testing.T) {
	p := working(t)
	id := p.api("A", "/a")
	p.deploy(id)
	p.publish(id)
	forbidden := 0
	for _, name := range []string{"one", "two"} {
		app := p.application(name)
		p.subscribe(app, id)
		p.generate(app, p.keyManager(name)).want(t, 200)
	}
	for _, name := range []string{"one", "two"} {
		apps := send(t, "GET", p.devportal("/applications?query="+name), admin, nil)
		keys := send(t, "GET", p.devportal("/applications/"+apps.str("list", 0, "applicationId")+"/oauth-keys"), admin, nil).want(t, 200)
		first := reply{body: keys.at("list", 0)}
		if got := p.invoke("/a/1.0.0/x", bearer(token(t, p.is.URL(), first))); got.status == 403 && got.str("code") == "900908" {
			forbidden++
		}
	}
	if forbidden != 1 {
		t.Errorf("%d of 2 clients are refused, want 1", forbidden)
	}
}

func TestAStaleClientInISBlocksKeyGeneration(t *testing.T) {
	p := working(t)
	km, app := p.keyManager("IS"), p.application("App")
	name := "admin_" + app + "_PRODUCTION"
	stale := send(t, "POST", p.is.URL()+registerPath, admin, object{"client_name": name, "grant_types": []string{"client_credentials"}}).want(t, 201)
	p.generate(app, km).wantCode(t, 500, 900967)
	found := send(t, "GET", p.is.URL()+registerPath+"?client_name="+name, admin, nil).want(t, 200)
	if found.str("client_id") != stale.str("client_id") {
		t.Fatalf("found %s", found.text)
	}
	send(t, "DELETE", p.is.URL()+registerPath+"/"+found.str("client_id"), admin, nil).want(t, 204)
	keys := p.devportal("/applications/" + app + "/oauth-keys")
	row := send(t, "GET", keys, admin, nil).str("list", 0, "keyMappingId")
	send(t, "POST", keys+"/"+row+"/clean-up", admin, nil).want(t, 200)
	made := p.generate(app, km).want(t, 200)

	// clean-up removes the row alone, so the next generation meets the client that is still there; DELETE takes both.
	send(t, "POST", keys+"/"+made.str("keyMappingId")+"/clean-up", admin, nil).want(t, 200)
	p.generate(app, km).wantCode(t, 500, 900967)
}

func TestDeletingKeysAndApplicationsTakesGeneratedClientsAlong(t *testing.T) {
	p := working(t)
	km := p.keyManager("IS")
	client := func(keys reply) string { return p.is.URL() + registerPath + "/" + keys.str("consumerKey") }
	t.Run("deleting the key", func(t *testing.T) {
		app := p.application("a")
		keys := p.generate(app, km).want(t, 200)
		send(t, "GET", client(keys), admin, nil).want(t, 200)
		send(t, "DELETE", p.devportal("/applications/"+app+"/oauth-keys/"+keys.str("keyMappingId")), admin, nil).want(t, 200)
		send(t, "GET", client(keys), admin, nil).want(t, 401)
		p.generate(app, km).want(t, 200)
	})
	t.Run("deleting the application", func(t *testing.T) {
		app := p.application("b")
		keys := p.generate(app, km).want(t, 200)
		send(t, "DELETE", p.devportal("/applications/"+app), admin, nil).want(t, 200)
		send(t, "GET", client(keys), admin, nil).want(t, 401)
		send(t, "GET", p.devportal("/applications/"+app), admin, nil).wantCode(t, 404, 404)
	})
	t.Run("a client that was mapped stays", func(t *testing.T) {
		app := p.application("c")
		own := send(t, "POST", p.is.URL()+registerPath, admin, object{"client_name": "own", "grant_types": []string{"client_credentials"}}).want(t, 201)
		send(t, "POST", p.devportal("/applications/"+app+"/map-keys"), admin,
			object{"consumerKey": own.str("client_id"), "consumerSecret": own.str("client_secret"), "keyType": "PRODUCTION", "keyManager": km}).want(t, 200)
		send(t, "DELETE", p.devportal("/applications/"+app), admin, nil).want(t, 200)
		send(t, "GET", p.is.URL()+registerPath+"/"+own.str("client_id"), admin, nil).want(t, 200)
	})
}

func TestAnUnreachableKeyManagerBreaksUpdatesAndNotMuchElse(t *testing.T) {
	p := working(t)
	km, id := p.keyManager("IS"), p.api("A", "/a")
	p.is.Close()
	one := p.publisher("/apis/" + id)
	body := send(t, "GET", one, admin, nil).want(t, 200).body.(map[string]any)
	send(t, "PUT", one, admin, body).wantCode(t, 500, 500)
	withScope := p.apiBody("S", "/s")
	withScope["scopes"] = []object{{"scope": object{"name": "s:read", "description": "Read"}}}
	send(t, "POST", p.publisher("/apis"), admin, withScope).wantCode(t, 500, 500)

	other := p.api("B", "/b")
	p.deploy(other)
	p.publish(other)
	app := p.application("App")
	p.subscribe(app, other)
	p.generate(app, "").want(t, 200)
	p.generate(p.application("Other"), km).wantCode(t, 500, 900967)
	send(t, "DELETE", one, admin, nil).want(t, 200)
}

func TestScopesOfAnAPIReachIS(t *testing.T) {
	p := working(t)
	p.keyManager("IS")
	body := p.apiBody("S", "/s")
	body["scopes"] = []object{{"scope": object{"name": "s:read", "displayName": "Read", "description": "Read"}}}
	send(t, "POST", p.publisher("/apis"), admin, body).want(t, 201)
	found := send(t, "GET", p.is.URL()+resourcesPath+"?filter=identifier%20eq%20"+resourceIdentifier, admin, nil).want(t, 200)
	scopes := send(t, "GET", p.is.URL()+resourcesPath+"/"+found.str("apiResources", 0, "id")+"/scopes", admin, nil).want(t, 200)
	if scopes.str(0, "name") != "s:read" {
		t.Errorf("IS has %s", scopes.text)
	}
}
