package wso2sim

import (
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

// unknownID is a UUID that nothing has.
const unknownID = "00000000-0000-4000-8000-000000000000"

func TestRevisionsOfWhatDoesNotExist(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	made := send(t, "POST", p.publisher("/apis/"+id+"/revisions"), admin, object{}).want(t, 201).str("id")
	targets := []object{{"name": "Default", "vhost": "localhost", "displayOnDevportal": true}}
	got := send(t, "POST", p.publisher("/apis/"+unknownID+"/revisions"), admin, object{"description": "r"})
	got.wantCode(t, 500, 500)
	if want := "Error while adding new API Revision for API : " + unknownID; got.str("description") != want {
		t.Errorf("the description is %q, want %q", got.str("description"), want)
	}
	for _, tc := range []struct {
		name, method, path string
		body               any
	}{
		{"delete", "DELETE", "/revisions/REVISION", nil},
		{"deploy", "POST", "/deploy-revision?revisionId=REVISION", targets},
		{"undeploy", "POST", "/undeploy-revision?revisionId=REVISION", targets},
		{"restore", "POST", "/restore-revision?revisionId=REVISION", nil},
	} {
		call := func(api, revision string) reply {
			return send(t, tc.method, p.publisher("/apis/"+api+strings.ReplaceAll(tc.path, "REVISION", revision)), admin, tc.body)
		}
		t.Run(tc.name+", of an API that does not exist", func(t *testing.T) {
			got := call(unknownID, made)
			got.wantCode(t, 404, 900308)
			if want := "Requested API with id '" + unknownID + "' not found"; got.str("description") != want {
				t.Errorf("the description is %q, want %q", got.str("description"), want)
			}
		})
		t.Run(tc.name+", a revision that does not exist", func(t *testing.T) {
			got := call(id, unknownID)
			got.wantCode(t, 404, 900347)
			if want := "Requested API Revision with id " + unknownID + " not found"; got.str("description") != want {
				t.Errorf("the description is %q, want %q", got.str("description"), want)
			}
		})
	}
}

func TestARestoredRevisionIsTheAPIAgain(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	rev := send(t, "POST", p.publisher("/apis/"+id+"/revisions"), admin, object{}).want(t, 201).str("id")
	p.publish(id)
	full := send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200).body.(map[string]any)
	send(t, "PUT", p.publisher("/apis/"+id), admin,
		changed(full, object{"description": "later", "securityScheme": []string{mandatoryOAuth, "oauth2", "basic_auth"}})).want(t, 200)
	send(t, "POST", p.publisher("/apis/"+id+"/restore-revision?revisionId="+rev), admin, nil).want(t, 201)
	got := send(t, "GET", p.publisher("/apis/"+id), admin, nil).want(t, 200)
	if schemes, _ := got.at("securityScheme").([]any); got.at("description") != nil || len(schemes) != 2 {
		t.Errorf("after it was restored it is %s", got.text)
	}
	if got.str("lifeCycleStatus") != "PUBLISHED" || got.str("id") != id {
		t.Errorf("the state of an API is not part of a revision: %s", got.text)
	}
}

func TestAPublishedVersionTakesTheSubscriptionsOfOlderOnes(t *testing.T) {
	p := newPair(t)
	p.startAM()
	first := p.api("A", "/a")
	p.publish(first)
	app, other := p.application("App"), p.application("Other")
	p.subscribe(app, first)
	next := func(version string) string {
		t.Helper()
		id := send(t, "POST", p.publisher("/apis/copy-api?apiId="+first+"&newVersion="+version), admin, nil).want(t, 201).str("id")
		p.deploy(id)
		return id
	}
	publish := func(id, checklist string) {
		t.Helper()
		send(t, "POST", p.publisher("/apis/change-lifecycle?action=Publish&apiId="+id+"&lifecycleChecklist="+url.QueryEscape(checklist)), admin, nil).want(t, 200)
	}
	subscribe := func(app, api string) reply {
		return send(t, "POST", p.devportal("/subscriptions"), admin, object{"applicationId": app, "apiId": api, "throttlingPolicy": "Unlimited"})
	}
	tok := token(t, p.am.URL(), p.generate(app, "").want(t, 200))

	tenth := next("10.0.0")
	p.invoke("/a/10.0.0/x", bearer(tok)).want(t, 403) // a version that is not published has none
	p.publish(tenth)
	p.invoke("/a/10.0.0/x", bearer(tok)).want(t, 200)
	subscribe(app, tenth).wantCode(t, 409, 409)
	subscribe(other, tenth).want(t, 201)

	t.Run("not those of newer ones", func(t *testing.T) {
		second := next("2.0.0")
		p.publish(second)
		subscribe(app, second).wantCode(t, 409, 409)
		subscribe(other, second).want(t, 201)
	})
	t.Run("not where the checklist asks for new subscriptions", func(t *testing.T) {
		id := next("11.0.0")
		publish(id, resubscribe)
		p.invoke("/a/11.0.0/x", bearer(tok)).want(t, 403)
		subscribe(app, id).want(t, 201)
	})
	t.Run("and the checklist deprecates the older ones", func(t *testing.T) {
		publish(next("12.0.0"), deprecateOld)
		if got := send(t, "GET", p.publisher("/apis/"+tenth), admin, nil).want(t, 200).str("lifeCycleStatus"); got != "DEPRECATED" {
			t.Errorf("the version before is %s", got)
		}
		p.invoke("/a/10.0.0/x", bearer(tok)).want(t, 200)
		p.invoke("/a/12.0.0/x", bearer(tok)).want(t, 200)
	})
}

func TestGatewayAndDevPortalFollowTheLifecycle(t *testing.T) {
	p := newPair(t)
	p.startAM()
	id := p.api("A", "/a")
	p.deploy(id)
	send(t, "GET", p.devportal("/apis/"+unknownID), anonymous, nil).wantCode(t, 404, 404)
	send(t, "GET", p.devportal("/apis/"+id), anonymous, nil).wantCode(t, 403, 403)
	p.publish(id)
	app := p.application("App")
	p.subscribe(app, id)
	tok := token(t, p.am.URL(), p.generate(app, "").want(t, 200))
	p.invoke("/a/1.0.0/x", bearer(tok)).want(t, 200)
	for _, tc := range []struct {
		action          string
		gateway, portal int
	}{{"Block", 503, 403}, {"Re-Publish", 200, 200}, {"Deprecate", 200, 200}, {"Retire", 404, 403}} {
		send(t, "POST", p.publisher("/apis/change-lifecycle?apiId="+id+"&action="+tc.action), admin, nil).want(t, 200)
		if got := p.invoke("/a/1.0.0/x", bearer(tok)); got.status != tc.gateway {
			t.Errorf("after %s the gateway answers %d, want %d: %s", tc.action, got.status, tc.gateway, got.text)
		}
		if got := send(t, "GET", p.devportal("/apis/"+id), anonymous, nil); got.status != tc.portal {
			t.Errorf("after %s the DevPortal answers %d, want %d: %s", tc.action, got.status, tc.portal, got.text)
		}
	}
}

func TestAPinnedCertificateCountsInsteadOfPublishedKeys(t *testing.T) {
	p := newPair(t)
	p.exchange()
	p.startAM()
	p.startIS()
	pinned := func(path string) string {
		leaf, err := open(t, filepath.Join(path)).Leaf("")
		if err != nil {
			t.Fatal(err)
		}
		text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: leaf.DER})
		return base64.StdEncoding.EncodeToString(text)
	}
	own := pinned(filepath.Join(p.isHome, securityDir, "wso2carbon.p12"))
	foreign := pinned(filepath.Join(p.amHome, securityDir, "wso2carbon.jks"))
	body := changed(p.keyManagerBody("IS"), object{"certificates": object{"type": "PEM", "value": own}})
	km := send(t, "POST", p.admin("/key-managers"), admin, body).want(t, 201)
	if km.str("certificates", "type") != "PEM" || km.str("certificates", "value") != own {
		t.Errorf("certificates are %v", km.at("certificates"))
	}
	id := p.api("A", "/a")
	p.publish(id)
	p.deploy(id)
	app := p.application("App")
	p.subscribe(app, id)
	keys := p.generate(app, km.str("id")).want(t, 200)
	for _, tc := range []struct {
		name, certificate string
		status            int
	}{{"its own", own, 200}, {"another's", foreign, 401}, {"none", "bm9uZQ==", 401}, {"its own again", own, 200}} {
		body["certificates"] = object{"type": "PEM", "value": tc.certificate}
		send(t, "PUT", p.admin("/key-managers/"+km.str("id")), admin, body).want(t, 200)
		if got := p.invoke("/a/1.0.0/x", bearer(token(t, p.is.URL(), keys))); got.status != tc.status {
			t.Errorf("%s: %d, want %d: %s", tc.name, got.status, tc.status, got.text)
		}
	}
}

func TestTheDevPortalShowsWhatPeopleOutsideUse(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startAM()
	for name, changes := range map[string]object{
		"Shown": {"displayTokenEndpoint": "https://is.example.com/oauth2/token", "displayRevokeEndpoint": "https://is.example.com/oauth2/revoke"},
		"Blank": {"displayTokenEndpoint": "", "displayRevokeEndpoint": ""},
	} {
		send(t, "POST", p.admin("/key-managers"), admin, changed(p.keyManagerBody(name), changes)).want(t, 201)
	}
	at := p.is.url(p.is.port)
	want := map[string]string{
		"Shown": "https://is.example.com/oauth2/token https://is.example.com/oauth2/revoke",
		"Blank": at + "/oauth2/token " + at + "/oauth2/revoke",
	}
	got := send(t, "GET", p.devportal("/key-managers"), admin, nil).want(t, 200)
	for i := range int(got.at("count").(float64)) {
		shown := got.str("list", i, "tokenEndpoint") + " " + got.str("list", i, "revokeEndpoint")
		if expected := want[got.str("list", i, "name")]; expected != "" && shown != expected {
			t.Errorf("%s shows %s, want %s", got.str("list", i, "name"), shown, expected)
		}
	}
	if got.at("count") != 3.0 {
		t.Errorf("got %s", got.text)
	}
}

func TestTheTiersOfAFreshInstallation(t *testing.T) {
	p := newPair(t)
	p.startAM()
	got := send(t, "GET", p.publisher("/throttling-policies/subscription"), admin, nil).want(t, 200)
	have := map[string]string{}
	for i := range int(got.at("count").(float64)) {
		have[got.str("list", i, "name")] = got.str("list", i, "description")
	}
	for name, description := range map[string]string{
		"Bronze": "Allows 1000 requests per minute", "Silver": "Allows 2000 requests per minute",
		"Gold": "Allows 5000 requests per minute", "Unlimited": "Allows unlimited requests",
		"DefaultSubscriptionless": "Allows 10000 requests per minute when subscription validation is disabled",
	} {
		if have[name] != description {
			t.Errorf("%s: %q, want %q", name, have[name], description)
		}
	}
}

func TestADefinitionThatIsNoneIsNotImported(t *testing.T) {
	p := newPair(t)
	p.startAM()
	for name, definition := range map[string]string{
		"no YAML":     "{",
		"a text":      "hello",
		"no version":  "info: {title: A, version: '1'}\npaths: {}\n",
		"no info":     "openapi: 3.0.1\npaths: {}\n",
		"no paths":    "openapi: 3.0.1\ninfo: {title: A, version: '1'}\n",
		"wrong paths": "openapi: 3.0.1\ninfo: {title: A, version: '1'}\npaths: [a]\n",
	} {
		body, contentType := multipartBody(t, map[string]string{
			"inlineAPIDefinition": definition, "additionalProperties": `{"name":"A","version":"1.0.0","context":"/a"}`,
		})
		got := send(t, "POST", p.publisher("/apis/import-openapi"), func(r *http.Request) { admin(r); r.Header.Set("Content-Type", contentType) }, body)
		if got.status != 400 || got.code() != 900754 {
			t.Errorf("%s: %d/%d", name, got.status, got.code())
		}
	}
	if got := send(t, "GET", p.publisher("/apis"), admin, nil).want(t, 200); got.at("count") != 0.0 {
		t.Errorf("something was made: %s", got.text)
	}
}

func TestSearchByTagsAndSeveralValues(t *testing.T) {
	p := newPair(t)
	p.startAM()
	for name, tags := range map[string][]string{"One": {"common", "first"}, "Two": {"common", "second"}, "Three": {"First"}} {
		body := changed(p.apiBody(name, "/"+name), object{"tags": tags, "description": "this is " + name})
		p.publish(send(t, "POST", p.publisher("/apis"), admin, body).want(t, 201).str("id"))
	}
	p.startAM() // the index outlives a start
	for query, want := range map[string]string{
		"tags:common": "One Two", "tag:first": "One", "tags:fir": "", "tags:first tags:second": "One Two",
		"name:One name:Three": "One Three", "name:One tags:second": "", "name:Tw tags:common": "Two", "description:THREE": "Three",
	} {
		for _, at := range []string{p.publisher("/apis"), p.devportal("/apis")} {
			got := send(t, "GET", at+"?query="+url.QueryEscape(query), admin, nil).want(t, 200)
			var names []string
			for i := range int(got.at("count").(float64)) {
				names = append(names, got.str("list", i, "name"))
			}
			if have := strings.Join(names, " "); have != want {
				t.Errorf("%s finds %q, want %q", query, have, want)
			}
		}
	}
}

func TestRevocationAtTheResidentKeyManagerReachesTheGateway(t *testing.T) {
	const header = "'header.X-WSO2-KEY-MANAGER' = \"default\""
	for _, tc := range []struct {
		name, from, to string
		refused        bool
	}{
		{"as shipped, without the library that IS needs", "", "", true},
		{"without the listener", `id = "token_revocation"`, `id = "other"`, false},
		{"with a header value that has no handler", header, strings.Replace(header, "default", "Resident Key Manager", 1), false},
		{"with the header value of the IS connectors", header, strings.Replace(header, "default", "WSO2-IS", 1), true},
		{"with another password", `password = "${admin.password}"`, `password = "nope"`, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := newPair(t)
			path := filepath.Join(p.amHome, settingsFile)
			if err := replaceIn(path, tc.from, tc.to); err != nil {
				t.Fatal(err)
			}
			p.startAM()
			id := p.api("A", "/a")
			p.publish(id)
			p.deploy(id)
			app := p.application("App")
			p.subscribe(app, id)
			keys := p.generate(app, "").want(t, 200)
			want := map[bool]int{true: 401, false: 200}[tc.refused]
			before := token(t, p.am.URL(), keys)
			p.invoke("/a/1.0.0/x", bearer(before)).want(t, 200)
			last := token(t, p.am.URL(), keys) // which revokes the one before it
			if got := p.invoke("/a/1.0.0/x", bearer(before)); got.status != want {
				t.Errorf("the token before is answered with %d, want %d: %s", got.status, want, got.text)
			}
			p.invoke("/a/1.0.0/x", bearer(last)).want(t, 200)
			revoke := url.Values{"token": {last}}
			send(t, "POST", p.am.URL()+"/oauth2/revoke", basic(keys.str("consumerKey"), keys.str("consumerSecret")), revoke).want(t, 200)
			if got := p.invoke("/a/1.0.0/x", bearer(last)); got.status != want {
				t.Errorf("a revoked token is answered with %d, want %d: %s", got.status, want, got.text)
			}
		})
	}
}
