package wso2sim

import (
	"net/url"
	"strings"
	"testing"
)

func TestApplications(t *testing.T) {
	p := newPair(t)
	p.startAM()
	all := p.devportal("/applications")
	find := func(query string) reply {
		return send(t, "GET", all+"?query="+url.QueryEscape(query), admin, nil).want(t, 200)
	}

	if first := send(t, "GET", all, admin, nil).want(t, 200); first.str("list", 0, "name") != "DefaultApplication" || first.at("count") != 1.0 {
		t.Errorf("the first call finds %s", first.text)
	}
	p.application("Rec App")
	grouped := send(t, "POST", all, admin, object{"name": "Grouped", "throttlingPolicy": "Unlimited", "groups": []string{"org"}}).want(t, 201)
	if groups, _ := grouped.at("groups").([]any); len(groups) != 1 {
		t.Errorf("groups are %v, and are kept", groups)
	}
	send(t, "DELETE", all+"/"+grouped.str("applicationId"), admin, nil).want(t, 200)
	send(t, "POST", all, admin, object{"name": "Rec App", "throttlingPolicy": "Unlimited"}).wantCode(t, 409, 409)
	send(t, "POST", all, admin, object{"name": "Other", "throttlingPolicy": "NoSuch"}).wantCode(t, 400, 900305)
	send(t, "POST", all, wrong, object{"throttlingPolicy": "Unlimited"}).wantCode(t, 400, 400)
	long := strings.Repeat("x", 101)
	send(t, "POST", all, wrong, object{"name": long, "throttlingPolicy": "Unlimited"}).wantCode(t, 400, 400)
	for query, want := range map[string]float64{"Rec App": 1, "rec app": 1, "App": 2, "Rec%": 1, "R_c App": 1, "name:Rec App": 0, "(": 0} {
		if got := find(query); got.at("count") != want {
			t.Errorf("%q finds %v, want %v", query, got.at("count"), want)
		}
	}
	if got := find("rec app"); got.at("pagination", "total") != 0.0 {
		t.Errorf("the total ignores case: %v", got.at("pagination", "total"))
	}
	send(t, "GET", all+"/nobody", admin, nil).wantCode(t, 404, 404)
}

func TestTheDevPortalListsThePoliciesOfApplications(t *testing.T) {
	p := newPair(t)
	p.startAM()
	list := send(t, "GET", p.devportal("/throttling-policies/application"), admin, nil).want(t, 200)
	if list.at("count") != 4.0 {
		t.Fatalf("the list is %s", list.text)
	}
	for i, name := range []string{"10PerMin", "20PerMin", "50PerMin", "Unlimited"} { // sorted, as the recording has them
		if got := list.str("list", i, "name"); got != name {
			t.Errorf("policy %d is %s, want %s", i, got, name)
		}
	}
	if list.at("list", 0, "requestCount") != 10.0 || list.at("list", 3, "timeUnit") != "ms" || list.at("list", 3, "quotaPolicyType") != nil {
		t.Errorf("the list is %s", list.text)
	}
}

func TestSubscriptions(t *testing.T) {
	p := newPair(t)
	p.startAM()
	draft, published := p.api("Draft", "/d"), p.api("Out", "/o")
	p.publish(published)
	app := p.application("App")
	post := func(api, tier string) reply {
		return send(t, "POST", p.devportal("/subscriptions"), admin, object{"applicationId": app, "apiId": api, "throttlingPolicy": tier})
	}
	post(draft, "Unlimited").wantCode(t, 500, 900967)
	post("nobody", "Unlimited").wantCode(t, 500, 900967)
	post(published, "Gold").wantCode(t, 403, 902002)
	post(published, subscriptionless).wantCode(t, 400, 902019)
	made := post(published, "Unlimited").want(t, 201)
	post(published, "Unlimited").wantCode(t, 409, 409)
	send(t, "DELETE", p.publisher("/apis/"+published), admin, nil).wantCode(t, 409, 409)
	list := send(t, "GET", p.devportal("/subscriptions?applicationId="+app), admin, nil).want(t, 200)
	if list.at("count") != 1.0 || list.str("list", 0, "apiId") != published {
		t.Errorf("the list is %s", list.text)
	}
	change := func(requested string) reply {
		return send(t, "PUT", p.devportal("/subscriptions/"+made.str("subscriptionId")), admin,
			object{"applicationId": app, "apiId": published, "throttlingPolicy": "Unlimited", "requestedThrottlingPolicy": requested, "status": "UNBLOCKED"})
	}
	change("NoSuch").wantCode(t, 500, 500)
	if got := change("Unlimited").want(t, 200); got.str("throttlingPolicy") != "Unlimited" {
		t.Errorf("after the change: %s", got.text)
	}
	send(t, "DELETE", p.devportal("/subscriptions/"+made.str("subscriptionId")), admin, nil).want(t, 200)
	send(t, "DELETE", p.publisher("/apis/"+published), admin, nil).want(t, 200)
}

func TestKeysThatCannotBeGenerated(t *testing.T) {
	p := newPair(t)
	p.startIS()
	p.startAM()
	app := p.application("App")
	p.generate(app, "nobody").wantCode(t, 400, 901403)
	p.generate("nobody", "").wantCode(t, 404, 404)
	for field, v := range map[string]any{"enableOAuthAppCreation": false, "tokenType": "EXCHANGED"} {
		body := p.keyManagerBody("without " + field)
		body[field] = v
		id := send(t, "POST", p.admin("/key-managers"), admin, body).want(t, 201).str("id")
		p.generate(app, id).wantCode(t, 400, 901405)
	}
	p.generate(app, "").want(t, 200)
	p.generate(app, "").wantCode(t, 409, 901409)
	body := object{"keyType": "SANDBOX", "grantTypesToBeSupported": []string{"password"}, "validityTime": 3600}
	send(t, "POST", p.devportal("/applications/"+app+"/generate-keys"), wrong, body).want(t, 200)
	body["nosuch"] = 1
	send(t, "POST", p.devportal("/applications/"+app+"/generate-keys"), wrong, body).wantCode(t, 400, 400)
}

func TestTheDevPortalShowsWhatIsPublishedWithTheVersionInItsContext(t *testing.T) {
	p := newPair(t)
	p.startAM()
	p.api("Draft", "/d")
	id := p.api("Out", "/o")
	p.publish(id)
	list := send(t, "GET", p.devportal("/apis"), anonymous, nil).want(t, 200)
	if list.at("count") != 1.0 || list.str("list", 0, "name") != "Out" {
		t.Errorf("the list is %s", list.text)
	}
	if got := send(t, "GET", p.devportal("/apis/"+id), anonymous, nil).want(t, 200).str("context"); got != "/o/1.0.0" {
		t.Errorf("the context is %q", got)
	}
}

func TestCredentialsOfTheRESTAPIs(t *testing.T) {
	p := newPair(t)
	p.startAM()
	for name, who := range map[string]auth{
		"none": anonymous, "a wrong password": basic("admin", "nope"), "an unknown token": bearer("nope"),
	} {
		got := send(t, "GET", p.publisher("/apis"), who, nil)
		got.wantCode(t, 401, 401)
		if got.str("description") != "Unauthenticated request" || got.str("message") != "" {
			t.Errorf("%s: %s", name, got.text)
		}
	}
	register := object{"callbackUrl": "x", "clientName": "c", "owner": "admin", "grantType": "password refresh_token", "saasApp": true}
	at := p.am.URL() + "/client-registration/v0.17/register"
	send(t, "POST", at, anonymous, register).want(t, 401)
	client := send(t, "POST", at, admin, register).want(t, 200)
	register["grantType"] = "client_credentials" // is not looked at the second time
	if again := send(t, "POST", at, admin, register).want(t, 200); again.str("clientId") != client.str("clientId") {
		t.Error("the same name gives another client")
	}
	register["owner"] = "nobody"
	send(t, "POST", at, admin, register).wantCode(t, 403, 403)

	get := func(scopes string) reply {
		form := url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}}
		if scopes != "" {
			form.Set("scope", scopes)
		}
		return send(t, "POST", p.am.URL()+"/oauth2/token", basic(client.str("clientId"), client.str("clientSecret")), form).want(t, 200)
	}
	enough, other := get("apim:api_view apim:api_create bogus:scope"), get("")
	if !strings.Contains(enough.str("scope"), "bogus:scope") || other.str("scope") != "default" {
		t.Errorf("granted %q and %q", enough.str("scope"), other.str("scope"))
	}
	send(t, "GET", p.publisher("/apis"), bearer(enough.str("access_token")), nil).want(t, 200)
	send(t, "GET", p.admin("/key-managers"), bearer(enough.str("access_token")), nil).wantCode(t, 401, 401)
	send(t, "GET", p.publisher("/apis"), bearer(other.str("access_token")), nil).wantCode(t, 401, 401)
	if again := get("apim:api_view apim:api_create bogus:scope"); again.str("access_token") != enough.str("access_token") {
		t.Error("an opaque token asked for again is another one")
	}
}

func TestASubscriberIsRegisteredOnlyByATokenWithApimSubscribe(t *testing.T) {
	p := newPair(t)
	p.startAM()
	client := send(t, "POST", p.am.URL()+"/client-registration/v0.17/register", admin,
		object{"clientName": "c", "owner": "admin", "grantType": "password", "saasApp": true, "callbackUrl": ""}).want(t, 200)
	list := func(scope string) any {
		tok := send(t, "POST", p.am.URL()+"/oauth2/token", basic(client.str("clientId"), client.str("clientSecret")),
			url.Values{"grant_type": {"password"}, "username": {"admin"}, "password": {"admin"}, "scope": {scope}}).want(t, 200)
		return send(t, "GET", p.devportal("/applications"), bearer(tok.str("access_token")), nil).want(t, 200).at("count")
	}
	if got := list("apim:app_manage"); got != 0.0 {
		t.Errorf("without the scope there are %v applications", got)
	}
	if got := list("apim:subscribe"); got != 1.0 {
		t.Errorf("with it there are %v", got)
	}
}
