package verify_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// asAdmin sends a request as the administrator of both servers, and returns the answer.
func (s *site) asAdmin(t *testing.T, method, address string, body any) []byte {
	t.Helper()
	text, err := json.Marshal(body)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), method, address, bytes.NewReader(text))
	must(t, err)
	req.SetBasicAuth("admin", "admin")
	req.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(req)
	must(t, err)
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	must(t, err)
	if resp.StatusCode/100 != 2 {
		t.Fatalf("%s %s: %d %s", method, address, resp.StatusCode, answer)
	}
	return answer
}

// addScope gives an API a local scope, as a person does in the Publisher, and makes every operation demand it.
func (s *site) addScope(t *testing.T, api bootstrap.PublishedAPI, name string) {
	t.Helper()
	address := s.am.URL() + "/api/am/publisher/v4/apis/" + api.ID
	var whole map[string]any
	must(t, json.Unmarshal(s.asAdmin(t, "GET", address, nil), &whole))
	whole["scopes"] = []any{map[string]any{"scope": map[string]any{"name": name, "displayName": name, "description": name, "bindings": []any{"admin"}}, "shared": false}}
	for _, operation := range whole["operations"].([]any) {
		operation.(map[string]any)["scopes"] = []any{name}
	}
	s.asAdmin(t, "PUT", address, whole)
}

// granted returns the scopes of a new token of the application.
func (s *site) granted(t *testing.T, r bootstrap.Result, scopes ...string) string {
	t.Helper()
	token, err := wso2.FetchToken(t.Context(), s.client, r.TokenEndpoint, r.ConsumerKey, r.ConsumerSecret, scopes...)
	must(t, err)
	return strings.Join(token.Scopes, " ")
}

func TestBootstrapAuthorizesItsKeysAndAllApplicationsOfAnAPIThatItSaves(t *testing.T) {
	s := openWith(t, wso2sim.Delays{}, func(t *testing.T, shipped []byte) []byte { return agentSettings(t, shipped, false) })
	settings := s.settings("WSO2-IS")
	settings.Authorize = true
	d := s.desired(t)
	first, _ := s.run(t, settings, d)
	s.addScope(t, first.APIs[0], "pay:read")
	if got := s.granted(t, first, "pay:read"); got != "" {
		t.Fatalf("granted without an authorization: %q", got)
	}
	second, requests := s.run(t, settings, d)
	if got := s.granted(t, first, "pay:read"); got != "pay:read" || second.Changes == 0 {
		t.Errorf("its keys get %q; requests %q", got, requests)
	}

	// API-M deletes the API's local scopes at a save and creates them again, so no application is authorized for them.
	other := first
	var made struct {
		ID     string      `json:"client_id"`
		Secret wso2.Secret `json:"client_secret"`
	}
	must(t, json.Unmarshal(s.asAdmin(t, "POST", s.is.URL()+"/api/identity/oauth2/dcr/v1.1/register", map[string]any{
		"client_name": "ann_00000001-0000-4000-8000-000000000000_PRODUCTION", "grant_types": []string{"client_credentials"},
		"redirect_uris": []string{}, "token_type_extension": "JWT", "ext_allowed_audience": "organization"}), &made))
	other.ConsumerKey, other.ConsumerSecret = made.ID, made.Secret
	d.APIs.Value[0].Value.Description.Value = "changed"
	third, _ := s.run(t, settings, d)
	for name, r := range map[string]bootstrap.Result{"its own application": first, "another one": other} {
		if got := s.granted(t, r, "pay:read"); got != "pay:read" {
			t.Errorf("%s gets %q", name, got)
		}
	}
	s.verifyScoped(t, third)
	if last, requests := s.run(t, settings, d); last.Changes != 0 || len(requests) > 0 {
		t.Errorf("a run that finds everything made %d changes, by %q", last.Changes, requests)
	}

	settings.Authorize = false // SCOPES=all
	s.addScope(t, first.APIs[1], "old:read")
	s.run(t, settings, d)
	if got := s.granted(t, first, "old:read"); got != "" {
		t.Errorf("SCOPES=all authorizes: %q", got)
	}
}

// verifyScoped calls the first API, whose operations demand a scope, with and without it.
func (s *site) verifyScoped(t *testing.T, r bootstrap.Result) {
	t.Helper()
	for scope, want := range map[string]int{"pay:read": http.StatusOK, "": http.StatusForbidden} {
		token, err := wso2.FetchToken(t.Context(), s.client, r.TokenEndpoint, r.ConsumerKey, r.ConsumerSecret, strings.Fields(scope)...)
		must(t, err)
		a, err := wso2.NewGateway(s.client, s.am.URL(), s.am.GatewayURL(), wso2.Credentials{}).Get(t.Context(), r.APIs[0].Path+"/x", token.AccessToken)
		if err != nil || a.Status != want {
			t.Errorf("with scope %q: %d %s, %v; want %d", scope, a.Status, a.Code, err, want)
		}
	}
}
