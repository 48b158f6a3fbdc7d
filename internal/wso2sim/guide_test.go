package wso2sim

import (
	"maps"
	"net/url"
	"testing"
)

// The integration guide that many people copy has mistakes. Each fails here as it fails with the products.
func TestTheGuidesMistakesFail(t *testing.T) {
	p := working(t)
	app := func(t *testing.T) string { t.Helper(); return p.application("App " + newNonce()) }
	for _, tc := range []struct {
		name string
		try  func(t *testing.T)
	}{
		{"the type WSO2-IS is the connector for IS 5 and 6: registered, and without keys for ever", func(t *testing.T) {
			body := p.keyManagerBody("old connector")
			body["type"] = "WSO2-IS"
			id := send(t, "POST", p.admin("/key-managers"), admin, body).want(t, 201).str("id")
			p.generate(app(t), id).wantCode(t, 500, 900967)
		}},
		{"endpoints in an array alone pass the check and never reach the connector", func(t *testing.T) {
			body := p.keyManagerBody("array")
			names := map[string]string{
				"clientRegistrationEndpoint": "client_registration_endpoint", "introspectionEndpoint": "introspection_endpoint",
				"tokenEndpoint": "token_endpoint", "revokeEndpoint": "revoke_endpoint", "userInfoEndpoint": "userinfo_endpoint",
			}
			var endpoints []object
			for field := range maps.Keys(names) {
				endpoints = append(endpoints, object{"name": names[field], "value": body[field]})
				delete(body, field)
			}
			body["endpoints"] = endpoints
			id := send(t, "POST", p.admin("/key-managers"), admin, body).want(t, 201).str("id")
			p.generate(app(t), id).wantCode(t, 500, 900967)
		}},
		{"the token type JWT is none of the three that there are", func(t *testing.T) {
			body := p.keyManagerBody("jwt")
			body["tokenType"] = "JWT"
			send(t, "POST", p.admin("/key-managers"), wrong, body).wantCode(t, 500, 500)
		}},
		{"the first hit for a name can be another API", func(t *testing.T) {
			p.api("Old Payment API", "/old")
			p.api("Payment API", "/payment")
			if got := send(t, "GET", p.publisher("/apis?query=name:Payment%20API"), admin, nil).want(t, 200); got.str("list", 0, "name") != "Old Payment API" {
				t.Errorf("the list is %s", got.text)
			}
		}},
		{"a revision for every run comes to an end at the sixth", func(t *testing.T) {
			id := p.api("Revised", "/revised")
			for range maxRevisions {
				send(t, "POST", p.publisher("/apis/"+id+"/revisions"), admin, object{"description": "run"}).want(t, 201)
			}
			send(t, "POST", p.publisher("/apis/"+id+"/revisions"), admin, object{"description": "run"}).wantCode(t, 400, 900351)
		}},
		{"a revision named in the body of the deployment is not read", func(t *testing.T) {
			id := p.api("Deployed", "/deployed")
			rev := send(t, "POST", p.publisher("/apis/"+id+"/revisions"), admin, object{"description": "r"}).want(t, 201).str("id")
			send(t, "POST", p.publisher("/apis/"+id+"/deploy-revision"), admin,
				[]object{{"revisionUuid": rev, "name": "Default", "vhost": "localhost", "displayOnDevportal": true}}).want(t, 500)
		}},
		{"PUBLISH is no step of the lifecycle", func(t *testing.T) {
			id := p.api("Loud", "/loud")
			send(t, "POST", p.publisher("/apis/change-lifecycle?action=PUBLISH&apiId="+id), wrong, nil).wantCode(t, 400, 903234)
		}},
		{"applications are not found by name:X", func(t *testing.T) {
			p.application("Searched")
			if got := send(t, "GET", p.devportal("/applications?query="+url.QueryEscape("name:Searched")), admin, nil).want(t, 200); got.at("count") != 0.0 {
				t.Errorf("found %s", got.text)
			}
		}},
		{"keys by type are not those of IS", func(t *testing.T) {
			id := app(t)
			p.generate(id, p.keyManager("IS")).want(t, 200)
			if got := send(t, "GET", p.devportal("/applications/"+id+"/keys/PRODUCTION"), admin, nil).want(t, 200); got.text != "" {
				t.Errorf("got %s", got.text)
			}
		}},
	} {
		t.Run(tc.name, tc.try)
	}
}
