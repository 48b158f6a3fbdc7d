package plan

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/desired"
	"wso2agent/internal/wso2sim"
)

// apiServer is a stand-in of API-M.
type apiServer struct {
	t      *testing.T
	url    string
	client *http.Client
}

func startAPIServer(t *testing.T) *apiServer {
	t.Helper()
	home := filepath.Join(t.TempDir(), "am")
	if err := wso2sim.UnpackWith(home, wso2sim.ProductAM, wso2sim.UnpackOptions{Rounds: 10}); err != nil {
		t.Fatal(err)
	}
	am, err := wso2sim.StartAM(t.Context(), wso2sim.Options{Home: home, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { am.Close() })
	if err := am.Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}} // of this test's own stand-in
	t.Cleanup(transport.CloseIdleConnections)
	return &apiServer{t, am.URL(), &http.Client{Transport: transport}}
}

// ask sends a request that must succeed, and returns the answer.
func (s *apiServer) ask(method, path string, body Object) Object {
	s.t.Helper()
	var text []byte
	if body != nil {
		text = []byte(jsonOf(s.t, body))
	}
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+"/api/am/"+path, bytes.NewReader(text))
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
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode > 201 {
		s.t.Fatalf("%s %s: %d %v\nanswer %s\nsent %s", method, path, answer.StatusCode, err, got, text)
	}
	var o Object
	if len(got) > 0 {
		if err := json.Unmarshal(got, &o); err != nil {
			s.t.Fatal(err)
		}
	}
	return o
}

const publisher = "publisher/v4/"

// wholeAPI has every field of an API that its object holds.
const wholeAPI = `
description: Text
default_version: true
tags: [b, a]
categories: [sales]
business_information: {business_owner: Anna, business_owner_email: a@b, technical_owner: Tom, technical_owner_email: t@b}
additional_properties:
  - {name: team, value: sales, display: true}
  - {name: cost, value: '42'}
visibility: RESTRICTED
visible_roles: [Internal/subscriber, admin]
access_control: RESTRICTED
access_control_roles: [Internal/creator]
subscription_availability: CURRENT_TENANT
policies: [Gold, Bronze]
throttling_policy: 10KPerMin
rate_limits: {production: 100, sandbox: 10, unit: MINUTE}
response_caching: {enabled: true, timeout: 60}
cors: {enabled: true, allow_origins: ['https://b', 'https://a'], allow_headers: [X-A], allow_methods: [PUT, GET], allow_credentials: true}
transports: [https]
security_schemes: [api_key, oauth2]
authorization_header: X-Auth
api_key_header: X-Key
key_managers: [Resident Key Manager]
schema_validation: true
scopes:
  - read
  - {name: write, local: true, display_name: Write, description: May write, roles: [admin]}
operations:
  - {target: /z, verb: POST, scopes: [write, read]}
  - {target: /z, verb: GET, auth: Application, throttling_policy: 10KPerMin}
  - {target: /a, verb: GET, auth: None}
`

const (
	apiTimes = "timeout: 30s, timeout_action: discard, retries: 2, retry_delay: 500ms, retry_codes: [101504, 101503], " +
		"suspend: {codes: [101500], initial: 10s, maximum: 1m, factor: 2}"
	apiBasic   = "security: {type: BASIC, username: u, password: throwAway1}"
	apiOAuth   = "security: {type: OAUTH, token_url: 'https://login/token', client_id: c, client_secret: throwAway2, grant_type: PASSWORD, username: u, password: throwAway3}"
	apiKeyAuth = "security: {type: APIKEY, key_name: X-Key, key_value: throwAway4, key_in: QUERY_PARAMETER}"
)

// endpointForms are the forms of endpoints; each replaces the one before.
var endpointForms = []string{
	"backend_url: http://a:1",
	"endpoints: {production: {url: 'http://a:1', " + apiTimes + ", " + apiBasic + "}, sandbox: {url: 'http://s:1', " + apiKeyAuth + "}}",
	"endpoints: {session_management: transport, production: {urls: ['http://a:1', 'http://b:1'], " + apiTimes + ", " + apiOAuth + "}, sandbox: {urls: ['http://s:1'], security: null}}",
	"endpoints: {type: failover, production: {urls: ['http://a:1', 'http://b:1', 'http://c:1'], timeout: null, suspend: null}, sandbox: null}",
	"endpoints: {type: address, production: {url: 'http://a:1'}}",
	"endpoints: {type: default}",
	"backend_url: http://z:1\nsandbox_url: http://s:1",
	"endpoints: null",
	"backend_url: http://a:1",
}

// TestWhatIsAppliedIsNoDifferenceAnyMore applies every field of an API to the stand-in, in every form of endpoints, and resets it.
func TestWhatIsAppliedIsNoDifferenceAnyMore(t *testing.T) {
	s := startAPIServer(t)
	s.ask("POST", "admin/v4/api-categories", Object{"name": "sales"})
	scope := desired.Scope{
		Name: desired.Text{Set: true, Value: "read"}, Roles: textsField([]string{"admin", "Internal/creator"}), Description: desired.Text{Set: true, Value: "May read"},
	}
	made := s.ask("POST", publisher+"scopes", ScopeBody(scope, nil))
	path := publisher + "scopes/" + made["id"].(string)
	if d := ScopeDifferences(scope, s.ask("GET", path, nil)); len(d) > 0 {
		t.Errorf("the scope differs:\n%s", listed(d))
	}
	id := ""
	apply := func(name string, want desired.API) {
		t.Helper()
		var have Object
		if id != "" {
			have = s.ask("GET", publisher+"apis/"+id, nil)
			if len(APIDifferences(want, have, nil, nil)) == 0 {
				t.Errorf("%s: nothing to do", name)
			}
			s.ask("PUT", publisher+"apis/"+id, APIBody(want, have, nil))
		} else {
			id = s.ask("POST", publisher+"apis", APIBody(want, nil, nil))["id"].(string)
		}
		have = s.ask("GET", publisher+"apis/"+id, nil)
		if d := APIDifferences(want, have, nil, nil); len(d) > 0 {
			t.Errorf("%s: applied, and still\n%s", name, listed(d))
		}
		s.ask("PUT", publisher+"apis/"+id, APIBody(want, have, nil))
		if d := APIDifferences(want, s.ask("GET", publisher+"apis/"+id, nil), nil, nil); len(d) > 0 {
			t.Errorf("%s: applied twice, and then\n%s", name, listed(d))
		}
	}
	for _, form := range endpointForms {
		apply(form, apiFile(t, wholeAPI+form))
	}
	var resets []string
	for _, row := range apiRows {
		if row.reset != "" && row.also == "" && row.path != "visibility" && row.path != "cors.enabled" && !strings.HasPrefix(row.reset, "business_information: {") && !strings.Contains(row.reset, "sandbox") &&
			!strings.Contains(row.reset, "_control_roles") && !strings.Contains(strings.Join(resets, "\n"), row.reset) {
			resets = append(resets, row.reset)
		}
	}
	apply("reset", apiFile(t, strings.Join(resets, "\n")))
	left := s.ask("GET", publisher+"apis/"+id, nil)
	bare := s.ask("POST", publisher+"apis", Object{"name": "Bare", "version": "1", "context": "/bare", "policies": []any{"Bronze", "Gold"}})
	bare = s.ask("GET", publisher+"apis/"+bare["id"].(string), nil)
	for _, row := range apiTable {
		if row.have != nil && row.path != "name" && row.path != "version" && row.path != "context" && row.path != "policies" {
			if has := row.have(left); !equal(has, row.have(bare)) {
				t.Errorf("after a reset %s is %v, and %v in a new API", row.path, has, row.have(bare))
			}
		}
	}
}

func TestAPIsOfOtherTypesAreNoDifferenceAfterTheirCreation(t *testing.T) {
	s := startAPIServer(t)
	for _, fields := range []string{
		"type: WS\nbackend_url: ws://a:1\noperations: [{target: /a, verb: SUBSCRIBE}, {target: /a, verb: PUBLISH}]",
		"type: SSE\nbackend_url: http://a:1",
		"type: GRAPHQL\nschema: schema.graphql\nbackend_url: http://a:1\noperations: [{target: orders, verb: QUERY}]",
	} {
		want := apiFile(t, fields)
		kind := strings.TrimPrefix(strings.Split(fields, "\n")[0], "type: ")
		want.Name.Value, want.Context.Value = kind, "/"+kind
		id := s.ask("POST", publisher+"apis", APIBody(want, nil, nil))["id"].(string)
		have := s.ask("GET", publisher+"apis/"+id, nil)
		if d := APIDifferences(want, have, nil, nil); len(d) > 0 {
			t.Errorf("%s: created, and still\n%s", kind, listed(d))
		}
		s.ask("PUT", publisher+"apis/"+id, APIBody(want, have, nil))
		if d := APIDifferences(want, s.ask("GET", publisher+"apis/"+id, nil), nil, nil); len(d) > 0 {
			t.Errorf("%s: updated, and then\n%s", kind, listed(d))
		}
	}
}
