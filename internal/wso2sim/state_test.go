package wso2sim

import (
	"bytes"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// everything does something of every kind to both servers, and returns what a second look needs.
func (p *pair) everything() (api, app string, keys reply, live string) {
	p.t.Helper()
	doomed := p.api("Doomed", "/doomed")
	api = p.api("Payment API", "/payment")
	send(p.t, "DELETE", p.publisher("/apis/"+doomed), admin, nil).want(p.t, 200)
	body := p.apiBody("Payment API", "/payment")
	body["operations"] = []object{{"target": "/*", "verb": "GET"}}
	body["description"] = "changed"
	body["authorizationHeader"] = defaultAuthHeader // an update that leaves it out empties it
	send(p.t, "PUT", p.publisher("/apis/"+api), admin, body).want(p.t, 200)
	send(p.t, "POST", p.publisher("/apis/copy-api?newVersion=2.0.0&apiId="+api), admin, nil).want(p.t, 201)
	p.deploy(api)
	p.deploy(api)
	p.publish(api)
	app = p.application("App")
	send(p.t, "PUT", p.devportal("/applications/"+app), admin, object{"name": "App", "throttlingPolicy": "10PerMin", "description": "d"}).want(p.t, 200)
	p.subscribe(app, api)
	doomed = p.application("Doomed")
	p.subscribe(doomed, api)
	p.generate(doomed, "").want(p.t, 200)
	send(p.t, "DELETE", p.devportal("/applications/"+doomed), admin, nil).want(p.t, 200)
	keyless := p.application("Keyless")
	gone := p.generate(keyless, "").want(p.t, 200).str("keyMappingId")
	send(p.t, "DELETE", p.devportal("/applications/"+keyless+"/oauth-keys/"+gone), admin, nil).want(p.t, 200)
	send(p.t, "PUT", p.devportal("/applications/"+keyless), admin, object{"name": "Without keys", "throttlingPolicy": "Unlimited"}).want(p.t, 200)
	km := p.keyManager("IS")
	send(p.t, "PUT", p.admin("/key-managers/"+km), admin, with(p.keyManagerBody("IS"), "description", "other")).want(p.t, 200)
	keys = p.generate(app, km).want(p.t, 200)
	resident := p.generate(app, "").want(p.t, 200)
	path := p.devportal("/applications/" + app + "/oauth-keys/" + resident.str("keyMappingId"))
	send(p.t, "POST", path+"/regenerate-secret", admin, nil).want(p.t, 200)
	send(p.t, "PUT", path, admin, object{
		"keyType": "PRODUCTION", "supportedGrantTypes": []string{"client_credentials"}, "callbackUrl": "http://other",
	}).want(p.t, 200)
	old := token(p.t, p.is.URL(), keys)
	live = token(p.t, p.is.URL(), keys)
	eventually(p.t, "the old token is refused", func() bool { return p.invoke("/payment/1.0.0/x", bearer(old)).status == 401 })
	p.invoke("/payment/1.0.0/x", bearer(live)).want(p.t, 200)

	resource := send(p.t, "POST", p.is.URL()+resourcesPath, admin, object{"name": "R", "identifier": "r", "scopes": []object{{"name": "s"}}}).want(p.t, 201).str("id")
	send(p.t, "PATCH", p.is.URL()+resourcesPath+"/"+resource, admin, object{"addedScopes": []object{{"name": "s2"}}}).want(p.t, 204)
	role := send(p.t, "POST", p.is.URL()+rolesPath, admin, object{"schemas": []string{}, "displayName": "r"}).want(p.t, 201).str("id")
	send(p.t, "DELETE", p.is.URL()+rolesPath+"/"+role, admin, nil).want(p.t, 204)
	user := p.user("ann")
	p.role("readers", []string{"s"}, user)
	send(p.t, "POST", p.is.URL()+groupsPath, wrong, object{"displayName": "g", "members": []object{{"value": user}}}).want(p.t, 201)
	send(p.t, "DELETE", p.is.URL()+usersPath+"/"+p.user("gone"), admin, nil).want(p.t, 204)
	send(p.t, "POST", p.admin("/api-categories"), admin, object{"name": "Kept"}).want(p.t, 201)
	send(p.t, "POST", p.admin("/environments"), admin,
		object{"name": "Second", "displayName": "Second", "provider": "wso2", "vhosts": []object{{"host": "second.example"}}}).want(p.t, 201)
	send(p.t, "POST", p.admin("/throttling/policies/subscription"), admin, object{
		"policyName": "Kept", "displayName": "Kept", "description": "d", "billingPlan": "FREE", "stopOnQuotaReach": true,
		"defaultLimit": object{"type": "REQUESTCOUNTLIMIT", "requestCount": object{"requestCount": 5, "timeUnit": "min", "unitTime": 1}},
	}).want(p.t, 201)
	p.resource("open", false, "o")
	at := p.applicationOf(p.client("authorized", "JWT")) + "/authorized-apis"
	send(p.t, "POST", at, admin, object{"id": resource, "policyIdentifier": "RBAC", "scopes": []string{"s", "s2"}}).want(p.t, 200)
	send(p.t, "PATCH", at+"/"+resource, admin, object{"removedScopes": []string{"s2"}}).want(p.t, 200)
	client := p.client("renamed", "")
	send(p.t, "PUT", p.is.URL()+registerPath+"/"+client.str("client_id"), admin, object{"client_name": "by another name"}).want(p.t, 200)
	send(p.t, "DELETE", p.is.URL()+registerPath+"/"+p.client("gone", "JWT").str("client_id"), admin, nil).want(p.t, 204)
	return api, app, keys, live
}

func with(o object, name string, value any) object {
	o[name] = value
	return o
}

func TestWhatWasAcknowledgedIsOnDisk(t *testing.T) {
	p := working(t)
	api, app, keys, live := p.everything()
	compareRecords(t, "disk of API Manager", onDisk(t, p.am.keeper), p.am.inMemory())
	compareRecords(t, "disk of IS", onDisk(t, p.is.keeper), p.is.inMemory())

	// A server that is killed leaves what is on disk now. The copy cannot be locked by the servers that go on.
	amBefore, isBefore := p.am.inMemory(), p.is.inMemory()
	killed := *p
	killed.amHome, killed.isHome = filepath.Join(t.TempDir(), "am"), filepath.Join(t.TempDir(), "is")
	for from, to := range map[string]string{p.amHome: killed.amHome, p.isHome: killed.isHome} {
		if err := os.CopyFS(to, os.DirFS(from)); err != nil {
			t.Fatal(err)
		}
	}
	killed.startIS() // closes the one before, whose port it takes
	killed.startAM()
	isAfter, amAfter := killed.is.inMemory(), killed.am.inMemory()
	compareRecords(t, "IS after", isAfter, isBefore)
	maps.DeleteFunc(amBefore, func(r record, _ string) bool { return r.kind == "keymanager" })
	maps.DeleteFunc(amAfter, func(r record, _ string) bool { return r.kind == "keymanager" }) // loaded anew
	compareRecords(t, "API Manager after", amAfter, amBefore)

	send(t, "GET", killed.publisher("/apis/"+api), admin, nil).want(t, 200)
	send(t, "GET", killed.devportal("/applications/"+app), admin, nil).want(t, 200)
	killed.invoke("/payment/1.0.0/x", bearer(live)).want(t, 200)
	fresh := token(t, killed.is.URL(), keys)
	killed.invoke("/payment/1.0.0/x", bearer(fresh)).want(t, 200)
	killed.generate(app, killed.keyManagerID("IS")).wantCode(t, 409, 901409)
	send(t, "GET", killed.is.URL()+"/scim2/Me", basic("ann", "throwAway1!"), nil).want(t, 200)
	authorized := send(t, "GET", killed.is.URL()+applicationsPath+"?filter=name+eq+authorized", admin, nil).want(t, 200).str("applications", 0, "id")
	got := send(t, "GET", killed.is.URL()+applicationsPath+"/"+authorized+"/authorized-apis", admin, nil).want(t, 200)
	if got.str(0, "authorizedScopes", 0, "name") != "s" || got.at(0, "authorizedScopes", 1) != nil {
		t.Errorf("authorized is %s", got.text)
	}
}

func (p *pair) keyManagerID(name string) string {
	p.t.Helper()
	list := send(p.t, "GET", p.admin("/key-managers"), admin, nil).want(p.t, 200)
	for i := 0; list.at("list", i) != nil; i++ {
		if list.str("list", i, "name") == name {
			return list.str("list", i, "id")
		}
	}
	p.t.Fatalf("no key manager %s in %s", name, list.text)
	return ""
}

func TestAKeyManagerWhoseEventWasLostIsLoadedByTheNextStart(t *testing.T) {
	p := newPair(t)
	p.delays = Delays{LostEvent: time.Hour}
	p.exchange()
	p.startIS()
	p.startAM()
	broken := p.keyManagerBody("broken")
	delete(broken, "userInfoEndpoint")
	send(t, "POST", p.admin("/key-managers"), admin, broken).want(t, 201)
	id := p.keyManager("lost")
	p.generate(p.application("before"), id).wantCode(t, 500, 900967)
	p.startAM()
	p.generate(p.application("after"), id).want(t, 200)
}

func TestAHomeWithoutItsSeededDatabaseDoesNotStart(t *testing.T) {
	for product, files := range map[string][]string{
		ProductIS: {"WSO2IDENTITY_DB", "WSO2SHARED_DB", "WSO2CARBON_DB"},
		ProductAM: {"WSO2AM_DB", "WSO2SHARED_DB", "WSO2CARBON_DB"},
	} {
		for _, file := range files {
			home := newHome(t, product)
			path := filepath.Join(home, databaseDir, file+".mv.db")
			for _, spoil := range []func(string) error{func(path string) error { return os.Truncate(path, 0) }, os.Remove} {
				if err := spoil(path); err != nil {
					t.Fatal(err)
				}
				err := startAndStop(t, product, home)
				if err == nil || !strings.Contains(err.Error(), file) || !strings.Contains(err.Error(), "not found (this database is empty)") {
					t.Errorf("%s without %s: %v", product, file, err)
				}
			}
		}
	}
}

// startAndStop starts a server and ends it; the error is that of the start.
func startAndStop(t *testing.T, product, home string) error {
	t.Helper()
	o := Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}
	if product == ProductIS {
		is, err := StartIS(t.Context(), o)
		if err == nil {
			is.Close()
		}
		return err
	}
	am, err := StartAM(t.Context(), o)
	if err == nil {
		am.Close()
	}
	return err
}

func TestADatabaseWithoutItsIndexShowsAnEmptyList(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("Payment API", "/payment")
	count := func() any { return send(t, "GET", p.publisher("/apis"), admin, nil).want(t, 200).at("count") }
	if count() != 1.0 {
		t.Fatalf("the list has %v", count())
	}
	p.startAM()
	if count() != 1.0 {
		t.Errorf("after a restart the list has %v", count())
	}
	p.am.Close()
	if err := os.RemoveAll(filepath.Join(p.amHome, "solr")); err != nil {
		t.Fatal(err)
	}
	p.startAM()
	if count() != 0.0 {
		t.Errorf("without its index the list has %v", count())
	}
	send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200)
	send(t, "POST", p.publisher("/apis"), admin, p.apiBody("Payment API", "/payment")).wantCode(t, 409, 900300)
	p.publish(id)
	if count() != 1.0 {
		t.Errorf("after a change the list has %v", count())
	}
}

func TestTheURLOfADataSourceSaysWhereItsFileIs(t *testing.T) {
	home := newHome(t, ProductAM)
	if err := os.Rename(filepath.Join(home, databaseDir, "WSO2AM_DB.mv.db"), filepath.Join(home, "elsewhere.mv.db")); err != nil {
		t.Fatal(err)
	}
	if err := replaceIn(filepath.Join(home, settingsFile), "./repository/database/WSO2AM_DB", "./elsewhere"); err != nil {
		t.Fatal(err)
	}
	if err := startAndStop(t, ProductAM, home); err != nil {
		t.Error(err)
	}
	if err := replaceIn(filepath.Join(home, settingsFile), `type = "h2"`, `type = "postgre"`); err != nil {
		t.Fatal(err)
	}
	if err := startAndStop(t, ProductAM, home); err == nil || !strings.Contains(err.Error(), "postgre") {
		t.Errorf("with another type: %v", err)
	}
}

func TestDatabasesThatWereCutOrDamaged(t *testing.T) {
	whole := databaseHeader + `{"kind":"a","id":"1","is":1}` + "\n" + `{"kind":"a","id":"2","is":2}` + "\n" + `{"kind":"a","id":"1"}` + "\n"
	for _, tc := range []struct {
		name, data, want string
		refused          string
	}{
		{"whole", whole, "2=2", ""},
		{"a last line that a kill has cut", whole + `{"kind":"a","id":"3"`, "2=2", ""},
		{"a record that came again", whole + `{"kind":"a","id":"1","is":3}` + "\n", "2=2 1=3", ""},
		{"damage in the middle", databaseHeader + "nonsense\n" + whole[len(databaseHeader):], "", "line 2 is damaged"},
		{"a database of the real product", "H:2,block:3,blockSize:1000\n", "", "no database of a stand-in"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			entries, err := readEntries([]byte(tc.data))
			if tc.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tc.refused) {
					t.Errorf("read as %v: %v", entries, err)
				}
				return
			}
			var got []string
			for _, e := range entries {
				got = append(got, e.ID+"="+string(e.Is))
			}
			if err != nil || strings.Join(got, " ") != tc.want {
				t.Errorf("read as %v: %v", got, err)
			}
		})
	}
}

func TestASecondServerOnOneHomeIsKeptAway(t *testing.T) {
	p := newPair(t)
	p.startIS()
	if err := startAndStop(t, ProductIS, p.isHome); err == nil || !strings.Contains(err.Error(), "already in use") {
		t.Errorf("the second start: %v", err)
	}
	p.startIS()
}

func TestAChangeThatCannotBeWrittenIsNotAcknowledged(t *testing.T) {
	p := newPair(t)
	p.wrap = nil // the specifications know no 500
	p.startAM()
	for _, db := range p.am.keeper.open {
		db.file.Close()
	}
	send(t, "POST", p.devportal("/applications"), admin, object{"name": "App", "throttlingPolicy": "Unlimited"}).want(t, 500)
	if !strings.Contains(p.amLog.String(), "save the server's state") {
		t.Errorf("the log does not say why:\n%s", p.amLog)
	}
}

func TestASavedStateComesBack(t *testing.T) {
	p := working(t)
	api, _, keys, _ := p.everything()
	var amState, isState bytes.Buffer
	if err := p.am.SaveState(&amState); err != nil {
		t.Fatal(err)
	}
	if err := p.is.SaveState(&isState); err != nil {
		t.Fatal(err)
	}
	before := p.am.inMemory()
	id := p.api("Later", "/later")
	if err := p.am.LoadState(bytes.NewReader(amState.Bytes())); err != nil {
		t.Fatal(err)
	}
	send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 404)
	send(t, "GET", p.publisher("/apis/"+api), admin, nil).want(t, 200)
	compareRecords(t, "after", p.am.inMemory(), before)
	compareRecords(t, "disk after", onDisk(t, p.am.keeper), before)

	t.Run("into another server, too", func(t *testing.T) {
		other := newPair(t)
		other.startIS()
		if err := other.is.LoadState(bytes.NewReader(isState.Bytes())); err != nil {
			t.Fatal(err)
		}
		token(t, other.is.URL(), keys)
		other.startIS()
		token(t, other.is.URL(), keys)
	})
	t.Run("what is no state of this product changes nothing", func(t *testing.T) {
		for _, state := range []string{
			isState.String(), "{", `{"product":"am","entries":[{"kind":"x","id":"1","is":1}]}`,
			`{"product":"am","entries":[{"kind":"api","id":"1","is":"text"}]}`,
			`{"product":"am","entries":[{"kind":"subscription","id":"1","is":{"API":"none"}}]}`,
		} {
			if err := p.am.LoadState(strings.NewReader(state)); err == nil {
				t.Errorf("taken: %.60s", state)
			}
			compareRecords(t, "after", p.am.inMemory(), before)
		}
	})
	send(t, "POST", p.is.URL()+"/oauth2/token", basic("nobody", ""), url.Values{"grant_type": {"client_credentials"}}).want(t, 401)
}
