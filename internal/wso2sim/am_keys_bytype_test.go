package wso2sim

import (
	"encoding/base64"
	"net/http"
	"sync"
	"testing"
	"time"
)

func TestKeysByTypeAreThoseOfTheResidentKeyManagerAlone(t *testing.T) {
	p := working(t)
	app := p.application("App")
	at := p.devportal("/applications/" + app + "/keys/PRODUCTION")
	external := p.generate(app, p.keyManager("IS")).want(t, 200)
	if got := send(t, "GET", at, admin, nil).want(t, 200); got.text != "" {
		t.Errorf("with keys of IS alone it shows %s", got.text)
	}
	ask := object{"scopes": []string{}, "validityPeriod": 3600, "additionalProperties": object{}}
	send(t, "POST", at+"/generate-token", admin, ask).wantCode(t, 404, 404)
	resident := p.generate(app, "").want(t, 200)
	if got := send(t, "GET", at, admin, nil).want(t, 200); got.str("consumerKey") != resident.str("consumerKey") {
		t.Errorf("it shows %s", got.text)
	}
	if got := send(t, "GET", p.devportal("/applications/"+app+"/keys"), admin, nil).want(t, 200); got.at("count") != 2.0 {
		t.Errorf("the list of all has %s", got.text)
	}
	if got := send(t, "POST", at+"/regenerate-secret", admin, nil).want(t, 200); got.str("consumerKey") == external.str("consumerKey") {
		t.Errorf("the secret of IS's client was touched: %s", got.text)
	}
	send(t, "GET", p.devportal("/applications/nobody/keys/PRODUCTION"), admin, nil).wantCode(t, 404, 404)
}

func TestGenerateTokenAsksTheKeyManagerOfTheKey(t *testing.T) {
	p := working(t)
	app := p.application("App")
	for name, manager := range map[string]string{p.is.Issuer(): p.keyManager("IS"), p.am.Issuer(): ""} {
		keys := p.generate(app, manager).want(t, 200)
		at := p.devportal("/applications/" + app + "/oauth-keys/" + keys.str("keyMappingId") + "/generate-token")
		ask := object{"scopes": []string{}, "validityPeriod": 3600}
		got := send(t, "POST", at, admin, ask).want(t, 200)
		parsed, err := parseJWT(got.str("accessToken"))
		if err != nil || parsed.claims.Issuer != name {
			t.Errorf("the token is %s: %v", got.text, err)
		}
		ask["consumerSecret"] = "nope"
		send(t, "POST", at, admin, ask).want(t, 400)
		delete(ask, "consumerSecret")
		delete(ask, "scopes")
		send(t, "POST", at, admin, ask).want(t, 200)
		ask["scopes"] = nil
		send(t, "POST", at, wrong, ask).wantCode(t, 500, 500)
		send(t, "POST", at, admin, object{"scopes": []string{}}).wantCode(t, 500, 500)
	}
}

func TestDeniedKeyManagers(t *testing.T) {
	p := working(t)
	for _, tc := range []struct {
		kind, role string
		denied     bool
	}{{"DENY", "admin", true}, {"DENY", "Internal/devops", false}, {"ALLOW", "Internal/devops", true}, {"ALLOW", "admin", false}, {"PUBLIC", "admin", false}} {
		body := p.keyManagerBody(tc.kind + " " + tc.role)
		body["permissions"] = object{"permissionType": tc.kind, "roles": []string{tc.role}}
		id := send(t, "POST", p.admin("/key-managers"), admin, body).want(t, 201).str("id")
		got := p.generate(p.application("by id "+body["name"].(string)), id)
		if tc.denied {
			got.wantCode(t, 403, 902013)
		} else {
			got.want(t, 200)
		}
		p.generate(p.application("by name "+body["name"].(string)), body["name"].(string)).want(t, 200) // gets past them
	}
}

func TestTwoCreatorsOfOneKeyManagerCanBothSucceed(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.delays.Racing = 500 * time.Millisecond
	p.startAM()
	made := make([]reply, 2)
	var creators sync.WaitGroup
	for i := range made {
		creators.Go(func() { made[i] = send(t, "POST", p.admin("/key-managers"), admin, p.keyManagerBody("Twice")) })
	}
	creators.Wait()
	if made[0].status != http.StatusCreated || made[1].status != http.StatusCreated || made[0].str("id") == made[1].str("id") {
		t.Errorf("got %d and %d", made[0].status, made[1].status)
	}
	send(t, "POST", p.admin("/key-managers"), admin, p.keyManagerBody("Twice")).wantCode(t, 409, 901402)
}

func TestSharedScopes(t *testing.T) {
	p := working(t)
	p.keyManager("IS")
	all := p.publisher("/scopes")
	body := object{"name": "read:orders", "displayName": "Orders", "description": "to read orders", "bindings": []string{"admin"}}
	made := send(t, "POST", all, admin, body).want(t, 201)
	send(t, "POST", all, admin, body).wantCode(t, 409, 900984)
	resource := send(t, "GET", p.is.URL()+resourcesPath+"?filter=identifier%20eq%20"+resourceIdentifier, admin, nil).want(t, 200).str("apiResources", 0, "id")
	if got := send(t, "GET", p.is.URL()+resourcesPath+"/"+resource+"/scopes", admin, nil).want(t, 200); got.str(0, "name") != "read:orders" {
		t.Errorf("IS knows %s", got.text)
	}
	encoded := base64.RawURLEncoding.EncodeToString([]byte("read:orders"))
	send(t, "HEAD", all+"/"+encoded, admin, nil).want(t, 200)
	send(t, "HEAD", all+"/bm9uZQ", admin, nil).want(t, 404)
	api := p.apiBody("Orders", "/orders")
	api["scopes"] = []object{{"scope": body, "shared": true}}
	id := send(t, "POST", p.publisher("/apis"), admin, api).want(t, 201).str("id")
	if got := send(t, "GET", all, admin, nil).want(t, 200); got.at("list", 0, "usageCount") != 1.0 {
		t.Errorf("the list is %s", got.text)
	}
	one := all + "/" + made.str("id")
	if got := send(t, "PUT", one, admin, changed(body, object{"description": "to read all orders"})).want(t, 200); got.str("description") != "to read all orders" || got.str("name") != "read:orders" {
		t.Errorf("after the change it is %s", got.text)
	}
	send(t, "DELETE", one, admin, nil).wantCode(t, 409, 900985)
	send(t, "DELETE", p.publisher("/apis/"+id), admin, nil).want(t, 200)
	p.startAM() // what was made is kept
	one = p.publisher("/scopes/" + made.str("id"))
	send(t, "GET", one, admin, nil).want(t, 200)
	p.is.Close()
	body["name"] = "write:orders"
	send(t, "POST", p.publisher("/scopes"), admin, body).wantCode(t, 500, 500)
	send(t, "DELETE", one, admin, nil).want(t, 200)
	send(t, "GET", one, admin, nil).wantCode(t, 404, 900981)
}
