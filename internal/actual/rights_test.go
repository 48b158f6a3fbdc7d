package actual

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// register makes a client of API-M as its owner does, and returns its credentials with the given scopes.
func (s *servers) register(scopes []string) wso2.Credentials {
	s.t.Helper()
	body := `{"callbackUrl": "", "clientName": "plan", "owner": "admin", "grantType": "client_credentials", "saasApp": true}`
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodPost, s.am.URL()+"/client-registration/v0.17/register", strings.NewReader(body))
	must(s.t, err)
	r.SetBasicAuth("admin", "admin")
	r.Header.Set("Content-Type", "application/json")
	resp, err := s.client.Do(r)
	must(s.t, err)
	defer resp.Body.Close()
	var made struct {
		ID     string      `json:"clientId"`
		Secret wso2.Secret `json:"clientSecret"`
	}
	must(s.t, json.NewDecoder(resp.Body).Decode(&made))
	return reading(s.am.URL(), "AM", made.ID, made.Secret, scopes)
}

func reading(base, server, id string, secret wso2.Secret, scopes []string) wso2.Credentials {
	client := &wso2.ReadingClient{TokenEndpoint: base + "/oauth2/token", ID: id, Secret: secret, Scopes: scopes}
	return wso2.Credentials{Reading: client, Source: server + "_CLIENT_ID and " + server + "_CLIENT_SECRET"}
}

// TestAPlanNeedsNoAdministrator reads with clients, each with the rights that the desired state needs.
func TestAPlanNeedsNoAdministrator(t *testing.T) {
	s := start(t, nil)
	s.bootstrap(oneAPI)
	want := s.read("identity_server: {users: [{username: ann}], groups: [{name: staff}], roles: [{name: clerk}]}\n"+
		strings.Replace(oneAPI, "apis: [", "apis: [{name: Other, version: '1', context: /other, backend_url: 'http://b'}, ", 1), t.TempDir())
	asAdministrator := s.plan(want)

	rights := RightsFor(want)
	id, secret, err := wso2.NewIdentity(s.client, s.settings.ISURL, s.settings.ISCredentials).RegisterClient(t.Context(), "plan")
	must(t, err)
	authorization := wso2.NewAuthorization(s.client, s.settings.ISURL, s.settings.ISCredentials)
	found, err := authorization.Applications(t.Context(), "name eq plan", 0)
	must(t, err)
	for i, identifier := range []string{"/scim2/Users", "/scim2/Groups", "/scim2/Roles"} {
		resource, err := authorization.FindResource(t.Context(), identifier)
		must(t, err)
		must(t, authorization.Authorize(t.Context(), found.Applications[0].ID, resource, rights.IS[i:i+1]))
	}
	s.settings.AMCredentials = s.register(rights.AM)
	s.settings.ISCredentials = reading(s.settings.ISURL, "IS", id, secret, rights.IS)
	s.amRequests.Reset()
	s.isRequests.Reset()
	if got := s.plan(want); !slices.Equal(got, asAdministrator) || len(got) < 4 {
		t.Errorf("a client plans\n  %s\nand the administrator\n  %s", strings.Join(got, "\n  "), strings.Join(asAdministrator, "\n  "))
	}
	for _, r := range append(s.amRequests.List(), s.isRequests.List()...) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead && r.Path != "/oauth2/token" {
			t.Errorf("%s %s", r.Method, r.Path)
		}
	}

	// Each scope is needed, and its lack is said. A token that has all that was asked for may have been ended by another run, so the error is
	// not permanent.
	for i, scope := range rights.AM {
		s.settings.AMCredentials = s.register(slices.Delete(slices.Clone(rights.AM), i, i+1))
		_, err := Read(t.Context(), Connect(s.client, s.settings), want)
		message, hints := remedy.Split(err)
		if wso2.IsPermanent(err) || !strings.Contains(message+strings.Join(hints, ""), "give the client, and the user who owns it, the scopes") {
			t.Errorf("without %s: %v", scope, err)
		}
	}
	s.settings.AMCredentials = s.register(rights.AM)
	s.settings.AMCredentials.Reading.Secret = "another"
	if _, err := Read(t.Context(), Connect(s.client, s.settings), want); err == nil || !strings.Contains(err.Error(), "check AM_CLIENT_ID and AM_CLIENT_SECRET: the server does not know this client") {
		t.Errorf("with a wrong secret: %v", err)
	}
}

// TestAReadingClientChangesNothing refuses the request before it is sent.
func TestAReadingClientChangesNothing(t *testing.T) {
	s := start(t, nil)
	s.settings.AMCredentials = s.register(append(AllRights().AM, "apim:api_delete", "apim:api_manage"))
	s.amRequests.Reset()
	err := Connect(s.client, s.settings).Publisher.DeleteAPI(t.Context(), "00000000-0000-0000-0000-000000000000")
	var e *wso2.Error
	if !errors.As(err, &e) || !e.Permanent() || !strings.Contains(err.Error(), "only reads") || len(s.amRequests.List()) > 0 {
		t.Errorf("%v, after the requests %v", err, s.amRequests.List())
	}
}
