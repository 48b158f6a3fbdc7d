package wso2sim

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"
)

func TestCreatingAnAPIRefuses(t *testing.T) {
	p := newPair(t)
	p.startAM()
	p.api("Payment API", "/payment")
	body := func(name, context string, more object) object {
		b := p.apiBody(name, context)
		maps.Copy(b, more)
		return b
	}
	for _, tc := range []struct {
		name         string
		body         any
		status, code int
	}{
		{"the same name and version", body("Payment API", "/other", nil), 409, 900300},
		{"a name in another case", body("payment api", "/other", nil), 409, 900250},
		{"a context in use", body("Other", "/payment", nil), 409, 900251},
		{"a further version in another context", body("Payment API", "/other", object{"version": "2.0.0"}), 400, 900977},
		{"no name", object{"version": "1.0.0", "context": "/x"}, 400, 400},
		{"an empty name", body("", "/x", nil), 400, 400},
		{"an empty version", body("V", "/x", object{"version": ""}), 400, 400},
		{"an empty context", body("C", "", nil), 400, 400},
		{"a name with a slash", body("Bad/Name", "/x", nil), 400, 400},
		{"a name of 61 characters", body(strings.Repeat("x", 61), "/x", nil), 400, 900704},
		{"a version with a space", body("V", "/x", object{"version": "1 0"}), 400, 400},
		{"a context that ends in a slash", body("C", "/x/", nil), 400, 900253},
		{"a context with a space", body("C", "/x y", nil), 400, 900253},
		{"an unknown field", body("U", "/u", object{"nosuch": 1}), 400, 400},
		{"an unknown field deeper down", body("U", "/u", object{"operations": []object{{"target": "/", "verb": "GET", "nosuch": 1}}}), 400, 400},
		{"an unknown tier", body("T", "/t", object{"policies": []string{"NoSuch"}}), 400, 900305},
		{"an unknown key manager", body("K", "/k", object{"keyManagers": []string{"nobody"}}), 400, 901403},
		{"key managers that are no list", body("K", "/k", object{"keyManagers": "all"}), 400, 903203},
		{"no JSON", "{", 400, 400},
	} {
		t.Run(tc.name, func(t *testing.T) {
			send(t, "POST", p.publisher("/apis"), wrong, tc.body).wantCode(t, tc.status, tc.code)
		})
	}
	t.Run("spaces around and within a name are put in order", func(t *testing.T) {
		made := send(t, "POST", p.publisher("/apis"), admin, p.apiBody("  Spaced   Out ", "/spaced")).want(t, 201)
		if made.str("name") != "Spaced Out" {
			t.Errorf("the name is %q", made.str("name"))
		}
	})
	t.Run("a further version in the same context is made", func(t *testing.T) {
		send(t, "POST", p.publisher("/apis"), admin, body("Payment API", "/payment", object{"version": "2.0.0"})).want(t, 201)
	})
}

func TestSearchIsAContainsMatchOverALaggingIndex(t *testing.T) {
	p := newPair(t)
	p.startAM()
	for _, name := range []string{"Payment API", "Old Payment API", "Accounts"} {
		p.api(name, "/"+strings.ReplaceAll(strings.ToLower(name), " ", ""))
	}
	names := func(query string) string {
		got := send(t, "GET", p.publisher("/apis")+query, admin, nil).want(t, 200)
		var out []string
		for i := range int(got.at("count").(float64)) {
			out = append(out, got.str("list", i, "name"))
		}
		return strings.Join(out, ", ")
	}
	for query, want := range map[string]string{
		"?query=name:Payment%20API":     "Old Payment API, Payment API",
		"?query=name:%22Payment+API%22": "Payment API",
		"?query=name:payment":           "Old Payment API, Payment API",
		"?query=name:nobody":            "",
		"":                              "Accounts, Old Payment API, Payment API",
		"?limit=1&offset=1":             "Old Payment API",
		"?query=version:1.0.0%20name:A": "Accounts, Old Payment API, Payment API",
	} {
		if got := names(query); got != want {
			t.Errorf("%s finds %q, want %q", query, got, want)
		}
	}
	page := send(t, "GET", p.publisher("/apis?limit=1&offset=1"), admin, nil)
	if page.at("pagination", "total") != 3.0 || page.str("pagination", "next") == "" || page.str("pagination", "previous") == "" {
		t.Errorf("the page is %s", page.text)
	}
	p.am.mu.Lock()
	p.am.delays.Index = Span{time.Hour, time.Hour}
	p.am.mu.Unlock()
	late := p.api("Later", "/later")
	send(t, "GET", p.publisher("/apis/"+late), admin, nil).want(t, 200)
	if got := names("?query=name:Later"); got != "" {
		t.Errorf("the index has %q already", got)
	}
}

func TestMoreThan25APIsNeedPaging(t *testing.T) {
	p := newPair(t)
	p.startAM()
	for i := range 27 {
		p.api(fmt.Sprintf("API %02d", i), fmt.Sprintf("/a%d", i))
	}
	if got := send(t, "GET", p.publisher("/apis"), admin, nil); got.at("count") != 25.0 || got.at("pagination", "total") != 27.0 {
		t.Errorf("got count %v of %v", got.at("count"), got.at("pagination", "total"))
	}
}

func TestUpdatingAnAPI(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	one := p.publisher("/apis/" + id)
	full := send(t, "GET", one, admin, nil).want(t, 200).body.(map[string]any)
	change := func(changes object) object {
		body := maps.Clone(full)
		maps.Copy(body, changes)
		return body
	}
	t.Run("name, context, version and state of the body are not looked at", func(t *testing.T) {
		got := send(t, "PUT", one, admin, change(object{"name": "B", "context": "/b", "lifeCycleStatus": "PUBLISHED", "description": "new"})).want(t, 200)
		if got.str("name") != "A" || got.str("context") != "/a" || got.str("lifeCycleStatus") != "CREATED" || got.str("description") != "new" {
			t.Errorf("got %s", got.text)
		}
	})
	t.Run("what is absent is emptied", func(t *testing.T) {
		body := change(nil)
		delete(body, "description")
		if got := send(t, "PUT", one, admin, body).want(t, 200); got.at("description") != nil {
			t.Errorf("the description is %v", got.at("description"))
		}
	})
	t.Run("without operations it is 404", func(t *testing.T) {
		send(t, "PUT", one, admin, change(object{"operations": []any{}})).wantCode(t, 404, 900763)
	})
	t.Run("without policies the API needs no subscription any more", func(t *testing.T) {
		got := send(t, "PUT", one, admin, change(object{"policies": []any{}})).want(t, 200)
		if got.str("policies", 0) != subscriptionless {
			t.Errorf("policies are %v", got.at("policies"))
		}
	})
	t.Run("key managers that are no list become all", func(t *testing.T) {
		got := send(t, "PUT", one, wrong, change(object{"keyManagers": "IS"})).want(t, 200)
		if got.str("keyManagers", 0) != "all" {
			t.Errorf("key managers are %v", got.at("keyManagers"))
		}
	})
	t.Run("nulls become what a new API has", func(t *testing.T) {
		got := send(t, "PUT", one, wrong, change(object{"securityScheme": nil, "endpointConfig": nil, "corsConfiguration": object{
			"corsConfigurationEnabled": false, "accessControlAllowOrigins": nil, "accessControlAllowHeaders": nil, "accessControlAllowMethods": nil,
		}})).want(t, 200)
		if got.str("securityScheme", 0) != mandatoryOAuth || got.str("securityScheme", 1) != "oauth2" || got.at("endpointConfig") != nil {
			t.Errorf("security schemes %v, endpoints %v", got.at("securityScheme"), got.at("endpointConfig"))
		}
		for _, list := range []string{"accessControlAllowOrigins", "accessControlAllowHeaders", "accessControlAllowMethods"} {
			if items, ok := got.at("corsConfiguration", list).([]any); !ok || len(items) != 0 {
				t.Errorf("%s is %v", list, got.at("corsConfiguration", list))
			}
		}
	})
	t.Run("the roles decide whether access is restricted", func(t *testing.T) {
		if got := send(t, "PUT", one, admin, change(object{"accessControl": "RESTRICTED"})).want(t, 200); got.str("accessControl") != "NONE" {
			t.Errorf("without roles it is %s", got.str("accessControl"))
		}
		got := send(t, "PUT", one, admin, change(object{"accessControl": "NONE", "accessControlRoles": []string{"admin"}})).want(t, 200)
		if got.str("accessControl") != "RESTRICTED" {
			t.Errorf("with roles it is %s", got.str("accessControl"))
		}
	})
	send(t, "GET", p.publisher("/apis/nobody"), admin, nil).wantCode(t, 404, 404)
	send(t, "DELETE", p.publisher("/apis/nobody"), admin, nil).wantCode(t, 500, 500)
}

func TestRevisions(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	revisions := p.publisher("/apis/" + id + "/revisions")
	var ids []string
	for range maxRevisions {
		ids = append(ids, send(t, "POST", revisions, admin, object{"description": "r"}).want(t, 201).str("id"))
	}
	send(t, "POST", revisions, admin, object{"description": "r"}).wantCode(t, 400, 900351)
	deploy := func(query string, target object) reply {
		return send(t, "POST", p.publisher("/apis/"+id+"/deploy-revision"+query), admin, []object{target})
	}
	target := object{"name": "Default", "vhost": "localhost", "displayOnDevportal": true}
	deploy("?revisionId="+ids[0], target).want(t, 201)
	all := deploy("?revisionId="+ids[1], target).want(t, 201)
	if list, _ := all.body.([]any); len(list) != 1 || all.str(0, "revisionUuid") != ids[1] {
		t.Errorf("another revision replaces the one before it: %s", all.text)
	}
	deploy("", object{"name": "Default", "vhost": "localhost", "revisionUuid": ids[2]}).wantCode(t, 500, 500)
	deploy("?revisionId="+ids[0], object{"name": "Nowhere", "vhost": "localhost"}).wantCode(t, 400, 900504)
	deploy("?revisionId="+ids[0], object{"name": "Default"}).wantCode(t, 400, 900511)
	deploy("?revisionId="+ids[0], object{"name": "Default", "vhost": "nowhere"}).wantCode(t, 400, 900512)
	send(t, "DELETE", revisions+"/"+ids[1], admin, nil).wantCode(t, 400, 900348)
	send(t, "DELETE", revisions+"/"+ids[0], admin, nil).want(t, 200)
	if got := send(t, "POST", revisions, admin, object{}).want(t, 201); got.str("displayName") != "Revision 6" {
		t.Errorf("numbers are not used twice, but this is %q", got.str("displayName"))
	}
	deployed := send(t, "GET", revisions+"?query=deployed:true", admin, nil).want(t, 200)
	if deployed.at("count") != 1.0 {
		t.Errorf("deployed are %s", deployed.text)
	}
	send(t, "POST", p.publisher("/apis/"+id+"/undeploy-revision?revisionId="+ids[1]), admin, []object{target}).want(t, 201)
	send(t, "DELETE", revisions+"/"+ids[1], admin, nil).want(t, 200)
}

func TestTheLifecycleIsCaseSensitive(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	move := func(action string) reply {
		who := auth(admin)
		if action == "PUBLISH" {
			who = wrong
		}
		return send(t, "POST", p.publisher("/apis/change-lifecycle?apiId="+id+"&action="+action), who, nil)
	}
	move("PUBLISH").wantCode(t, 400, 903234)
	saved := func() string {
		return send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200).str("lastUpdatedTimestamp")
	}
	before := saved()
	time.Sleep(2 * time.Millisecond) // the times have whole milliseconds
	if got := move("Publish").want(t, 200); got.str("lifecycleState", "state") != "Published" {
		t.Errorf("the state is %q", got.str("lifecycleState", "state"))
	}
	if got := send(t, "GET", p.publisher("/apis/"+id), admin, nil); got.str("lifeCycleStatus") != "PUBLISHED" {
		t.Errorf("the API says %q", got.str("lifeCycleStatus"))
	}
	if after := saved(); after <= before {
		t.Errorf("a step of the lifecycle does not change the API's time: %s, %s", before, after)
	}
	again := move("Publish")
	again.wantCode(t, 400, 903234)
	if !strings.Contains(again.str("description"), "[Block, Deploy as a Prototype, Demote to Created, Deprecate]") {
		t.Errorf("the description does not list what is allowed: %s", again.text)
	}
	id = send(t, "POST", p.publisher("/apis"), admin, object{"name": "E", "version": "1", "context": "/e", "policies": []string{"Unlimited"}}).want(t, 201).str("id")
	move("Publish").wantCode(t, 400, 903223)
	body := p.apiBody("P", "/p")
	body["policies"] = []any{}
	id = send(t, "POST", p.publisher("/apis"), admin, body).want(t, 201).str("id")
	move("Publish").wantCode(t, 400, 903224)
}

func TestCopyMakesAFurtherVersion(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	copied := p.publisher("/apis/copy-api?apiId=" + id + "&newVersion=2.0.0")
	got := send(t, "POST", copied, admin, nil).want(t, 201)
	if got.str("version") != "2.0.0" || got.str("context") != "/a" || got.str("id") == id {
		t.Errorf("got %s", got.text)
	}
	send(t, "POST", copied, admin, nil).wantCode(t, 409, 900252)
	isDefault := func(id string) any {
		return send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200).at("isDefaultVersion")
	}
	if isDefault(got.str("id")) != false {
		t.Error("a copy is the default version, and nobody asked for it")
	}
	third := send(t, "POST", p.publisher("/apis/copy-api?defaultVersion=true&apiId="+id+"&newVersion=3.0.0"), admin, nil).want(t, 201).str("id")
	fourth := send(t, "POST", p.publisher("/apis/copy-api?defaultVersion=true&apiId="+third+"&newVersion=4.0.0"), admin, nil).want(t, 201).str("id")
	if isDefault(third) != false || isDefault(fourth) != true {
		t.Errorf("of 3.0.0 and 4.0.0 the default is %v, %v", isDefault(third), isDefault(fourth))
	}
}
