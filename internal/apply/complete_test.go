package apply

import (
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// TestWhatFollowsTheChangesIsRepeated: IS fails at the first request for roles, and at the first one for applications.
func TestWhatFollowsTheChangesIsRepeated(t *testing.T) {
	s := start(t, nil)
	s.settings.KMUser = bootstrap.ServiceUser{Setting: "create", Rights: "least", Record: serviceuser.Path(filepath.Join(t.TempDir(), "keys.json"))}
	s.settings.Authorize, s.settings.RetryFirst = true, time.Millisecond
	text := `apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1", scopes: [{name: "orders:read", local: true, roles: [admin]}], operations: [{target: /, verb: GET, scopes: ["orders:read"]}]}]
applications: [{name: Shop, subscriptions: [Orders], keys: [{type: PRODUCTION}]}]
`
	s.bootstrap(text)
	report := s.apply(s.read(text, t.TempDir()), Options{})
	for _, path := range []string{"/scim2/v2/Roles", "/api/server/v1/applications"} {
		_, err := s.isFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: path, Status: 503, Count: 1})
		must(t, err)
	}
	servers := bootstrap.Connect(s.client, s.settings)
	if _, err := Complete(t.Context(), slog.New(slog.DiscardHandler), servers, s.settings, report); err != nil {
		t.Error(err)
	}
	for _, f := range s.isFaults.List() {
		if f.Hits != 1 {
			t.Errorf("%s has failed %d times", f.Path, f.Hits)
		}
	}
	token, err := wso2.FetchToken(t.Context(), s.client, s.settings.ISURL+"/oauth2/token", report.Keys[0].ConsumerKey, report.Keys[0].ConsumerSecret, "orders:read")
	if err != nil || len(token.Scopes) != 1 {
		t.Errorf("the application gets the scopes %q: %v", token.Scopes, err)
	}
}
