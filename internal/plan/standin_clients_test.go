package plan

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/desired"
	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2sim"
)

// standIns are stand-ins of both servers that trust each other.
type standIns struct {
	t      *testing.T
	am, is string
	client *http.Client
}

func startStandIns(t *testing.T) *standIns {
	t.Helper()
	dir := t.TempDir()
	homes := map[string]string{wso2sim.ProductIS: filepath.Join(dir, "is"), wso2sim.ProductAM: filepath.Join(dir, "am")}
	for product, home := range homes {
		if err := wso2sim.UnpackWith(home, product, wso2sim.UnpackOptions{Rounds: 10}); err != nil {
			t.Fatal(err)
		}
	}
	stores := func(product, name string) string {
		return filepath.Join(homes[product], "repository/resources/security", name)
	}
	trustLeaf(t, stores(wso2sim.ProductIS, "wso2carbon.p12"), stores(wso2sim.ProductAM, "client-truststore.jks"))
	trustLeaf(t, stores(wso2sim.ProductAM, "wso2carbon.jks"), stores(wso2sim.ProductIS, "client-truststore.p12"))
	options := func(product string) wso2sim.Options {
		return wso2sim.Options{Home: homes[product], Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}
	}
	is, err := wso2sim.StartIS(t.Context(), options(wso2sim.ProductIS))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = is.Close() })
	am, err := wso2sim.StartAM(t.Context(), options(wso2sim.ProductAM))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = am.Close() })
	for _, s := range []wso2sim.Server{is, am} {
		if err := s.Wait(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	// The stand-ins' certificates are not what this test is about.
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // of this test's own stand-ins
	return &standIns{t: t, am: am.URL(), is: is.URL(), client: client}
}

// trustLeaf puts the certificate of one keystore into another.
func trustLeaf(t *testing.T, from, into string) {
	t.Helper()
	open := func(path string) *keystore.Store {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		store, err := keystore.Open(data, "wso2carbon")
		if err != nil {
			t.Fatal(err)
		}
		return store
	}
	leaf, err := open(from).Leaf("")
	if err != nil {
		t.Fatal(err)
	}
	trusted := open(into)
	if err := trusted.SetTrusted("peer", leaf, time.Time{}); err != nil {
		t.Fatal(err)
	}
	data, err := trusted.Encode()
	if err == nil {
		err = os.WriteFile(into, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// call makes a request as the administrator, which must succeed, and returns the object of the answer.
func (s *standIns) call(method, url string, body Object) Object {
	s.t.Helper()
	var in io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		in = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, url, in)
	if err != nil {
		s.t.Fatal(err)
	}
	r.SetBasicAuth("admin", "admin")
	r.Header.Set("Content-Type", "application/json")
	answer, err := s.client.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode >= 300 {
		s.t.Fatalf("%s %s: %s %v\nsent %v\ngot %s", method, url, answer.Status, err, body, text)
	}
	var o Object
	if len(text) > 0 {
		_ = json.Unmarshal(text, &o)
	}
	return o
}

// same fails the test if an object that has been applied still differs.
func (s *standIns) same(what string, all []Difference) {
	s.t.Helper()
	for _, d := range all {
		s.t.Errorf("%s: %s is %v, not %v", what, d.Path, d.Have, d.Want)
	}
}

// sentBefore is a record in which every secret is the one that was last sent.
func sentBefore(string, string) bool { return true }

func TestAppliedKeyManagersHaveNoDifferences(t *testing.T) {
	s := startStandIns(t)
	at := s.am + "/api/am/admin/v4/key-managers"
	text := `key_managers:
  - {name: First, well_known_endpoint: "IS/oauth2/token/.well-known/openid-configuration", issuer: IS/oauth2/token, username: admin, password: admin,
     description: One, display_name: The first, claim_mapping: [{remote: groups, local: role}, {remote: email, local: mail}],
     permissions: {type: ALLOW, roles: [Internal/subscriber]}, grant_types: [password, client_credentials], roles_creation: false, enabled: false,
     consumer_key_claim: client_id, scopes_claim: scp, token_type: BOTH, token_generation: false, app_creation: false, map_existing_apps: false,
     self_validation: false, jwks_endpoint: "IS/keys", authorize_endpoint: "IS/a", display_token_endpoint: "IS/t", display_revoke_endpoint: "IS/r",
     token_endpoint: "IS/oauth2/token", revoke_endpoint: "IS/oauth2/revoke", introspection_endpoint: "IS/i", client_registration_endpoint: "IS/c",
     user_info_endpoint: "IS/scim2/Me", scope_management_endpoint: "IS/s", additional_properties: {more: x, flag: "true"}}
  - {name: Second, type: KeyCloak, well_known_endpoint: "https://kc.example/w", token_endpoint: "https://kc.example/t", revoke_endpoint: "https://kc.example/r",
     introspection_endpoint: "https://kc.example/i", client_registration_endpoint: "https://kc.example/c", issuer: "https://kc.example", username: c, password: s3cret}
  - {name: Resident Key Manager, type: default, enabled: false, description: Off}
`
	changed := strings.NewReplacer("description: One", "description: null", "enabled: false", "enabled: true", "[{remote: groups, local: role}, {remote: email, local: mail}]", "[]",
		"{type: ALLOW, roles: [Internal/subscriber]}", "null", "jwks_endpoint: \"IS/keys\"", "jwks_endpoint: null", "more: x", "more: y", "token_type: BOTH", "token_type: null",
		"scopes_claim: scp", "scopes_claim: null", "grant_types: [password, client_credentials]", "grant_types: []")
	for _, file := range []string{text, changed.Replace(text)} {
		for _, item := range parse(t, strings.ReplaceAll(file, "IS/", s.is+"/")).KeyManagers.Value {
			want, id := item.Value, ""
			for _, km := range objectsAt(s.call("GET", at, nil), "list") {
				if km["name"] == want.Name.Value {
					id = km["id"].(string)
				}
			}
			if id == "" {
				id = s.call("POST", at, KeyManagerBody(want, nil))["id"].(string)
			} else {
				have := s.call("GET", at+"/"+id, nil)
				if len(KeyManagerDifferences(want, have, sentBefore)) == 0 && file != text && want.Name.Value != "Second" {
					t.Errorf("key manager %s has changed in the file, and no difference is found", want.Name.Value)
				}
				s.call("PUT", at+"/"+id, KeyManagerBody(want, have))
			}
			have := s.call("GET", at+"/"+id, nil)
			s.same(want.Name.Value, KeyManagerDifferences(want, have, sentBefore))
			s.call("PUT", at+"/"+id, KeyManagerBody(want, have))
			s.same(want.Name.Value+", again", KeyManagerDifferences(want, s.call("GET", at+"/"+id, nil), sentBefore))
		}
	}
}

func TestAppliedApplicationsHaveNoDifferences(t *testing.T) {
	s := startStandIns(t)
	portal := s.am + "/api/am/devportal/v3"
	api := s.call("POST", s.am+"/api/am/publisher/v4/apis", object(t, `{"name":"Orders","context":"/orders","version":"1","policies":["Gold","Unlimited"],
		"endpointConfig":{"endpoint_type":"http","production_endpoints":{"url":"http://localhost:1"}}}`))["id"].(string)
	s.call("POST", s.am+"/api/am/publisher/v4/apis/change-lifecycle?action=Publish&apiId="+api, nil)
	own := IdentityServerKeyManager(s.is)
	own.Name, own.Issuer, own.Username, own.Password = given("WSO2-IS"), given(s.is+"/oauth2/token"), given("admin"), given(desired.NewSecret("admin", ""))
	managers := map[string]string{"WSO2-IS": s.call("POST", s.am+"/api/am/admin/v4/key-managers", KeyManagerBody(own, nil))["id"].(string)}
	for _, km := range objectsAt(s.call("GET", s.am+"/api/am/admin/v4/key-managers", nil), "list") {
		managers[km["name"].(string)] = km["id"].(string)
	}
	kinds := map[string]string{"WSO2-IS": TypeIS7, "Resident Key Manager": TypeResident}
	text := `apis: [{name: Orders, context: /orders, version: "1", backend_url: "http://localhost:1"}]
applications:
  - name: Shop
    description: Sells
    throttling_policy: 10PerMin
    token_type: JWT
    groups: [b, a]
    subscriptions: [{api_name: Orders, throttling_policy: Gold}]
    keys:
      - {type: PRODUCTION, key_manager: WSO2-IS, KEY}
      - {type: SANDBOX, key_manager: Resident Key Manager, KEY}
`
	keys := []string{
		`grant_types: [client_credentials, authorization_code], callbacks: ["https://b.example/cb", "https://a.example/cb"], application_token_lifetime: 900,
		 user_token_lifetime: 901, refresh_token_lifetime: 902, id_token_lifetime: 903, pkce_mandatory: true, pkce_plain: true, public_client: true`,
		`grant_types: [refresh_token, password], application_token_lifetime: 800`,
		`callbacks: ["https://c.example/cb"], application_token_lifetime: null, user_token_lifetime: null, refresh_token_lifetime: null,
		 id_token_lifetime: 700, pkce_mandatory: null, pkce_plain: false, public_client: null`,
	}
	var appID, subscription string
	clients := map[string]string{}
	for round, key := range keys {
		file := strings.ReplaceAll(text, "KEY}", key+"}")
		if round > 0 {
			file = strings.NewReplacer("description: Sells", "description: null", "groups: [b, a]", "groups: []", "policy: 10PerMin", "policy: null", "policy: Gold", "policy: null").Replace(file)
		}
		want := parse(t, file).Applications.Value[0].Value
		if round == 0 {
			appID = s.call("POST", portal+"/applications", ApplicationBody(want, nil))["applicationId"].(string)
			subscription = s.call("POST", portal+"/subscriptions", SubscriptionBody(want.Subscriptions.Value[0].Value, nil, appID, api))["subscriptionId"].(string)
		} else {
			s.call("PUT", portal+"/applications/"+appID, ApplicationBody(want, s.call("GET", portal+"/applications/"+appID, nil)))
			s.call("PUT", portal+"/subscriptions/"+subscription, SubscriptionBody(want.Subscriptions.Value[0].Value, s.call("GET", portal+"/subscriptions/"+subscription, nil), appID, api))
		}
		s.same("application", ApplicationDifferences(want, s.call("GET", portal+"/applications/"+appID, nil)))
		s.same("subscription", SubscriptionDifferences(want.Subscriptions.Value[0].Value, s.call("GET", portal+"/subscriptions/"+subscription, nil)))
		for _, item := range want.Keys.Value {
			k, kind, id := item.Value, kinds[item.Value.KeyManager.Value], managers[item.Value.KeyManager.Value]
			if round == 0 {
				clients[kind] = s.call("POST", portal+"/applications/"+appID+"/generate-keys", KeyBody(k, nil, kind, id))["keyMappingId"].(string)
			}
			at := portal + "/applications/" + appID + "/oauth-keys/" + clients[kind]
			if have := s.call("GET", at, nil); round > 0 {
				if len(KeyDifferences(k, have, kind, nil)) == 0 {
					t.Errorf("key %s has changed in the file, and no difference is found", kind)
				}
				s.call("PUT", at, KeyBody(k, have, kind, id))
			}
			s.same("key of "+kind, KeyDifferences(k, s.call("GET", at, nil), kind, nil))
		}
	}
	// An update leaves alone what the file leaves out: round 1 named few fields, and round 2 neither grants nor callbacks of round 0.
	for _, kind := range kinds {
		have := s.call("GET", portal+"/applications/"+appID+"/oauth-keys/"+clients[kind], nil)
		if grants := textsAt(have, "supportedGrantTypes"); strings.Join(grants, " ") != "password refresh_token" {
			t.Errorf("the grant types of %s are %v", kind, grants)
		}
	}
}
