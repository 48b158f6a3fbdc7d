package apply

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/plan"
)

// TestABootstrapLeavesNoDifference compares the servers with the example of the project that agent bootstrap has applied. The key manager
// that the agent registers by itself has no difference either.
func TestABootstrapLeavesNoDifference(t *testing.T) {
	text, err := os.ReadFile("../../examples/api-config.yaml")
	must(t, err)
	s := start(t, nil)
	want := s.read(string(text), t.TempDir())
	if before := s.plan(want); len(before) != 14 || before[0] != "create key manager WSO2-IS" || strings.Contains(strings.Join(before, "\n"), "update") {
		t.Errorf("before the bootstrap the plan is\n  %s", strings.Join(before, "\n  "))
	}
	s.bootstrap(string(text))
	s.planned(want)

	s.settings.ISPublicURL, s.settings.ISCredentials.User = "https://other.example", "agent"
	s.planned(s.read(string(text), t.TempDir()),
		`update key manager WSO2-IS: display_token_endpoint "https://login.example/oauth2/token" -> "https://other.example/oauth2/token", `+
			`display_revoke_endpoint "https://login.example/oauth2/revoke" -> "https://other.example/oauth2/revoke", username "admin" -> "agent"`)
}

func TestOtherShapesOfTheFileLeaveNoDifferenceEither(t *testing.T) {
	for _, shape := range []string{"a", "b"} {
		t.Run(shape, func(t *testing.T) {
			text, err := os.ReadFile("../desired/testdata/shapes/" + shape + ".yaml")
			must(t, err)
			s := start(t, nil)
			s.bootstrap(string(text))
			s.planned(s.read(string(text), t.TempDir()))
		})
	}
}

// TestABootstrapWithoutISLeavesNoDifference: the key manager of API-M makes the keys, and IS is neither registered nor asked.
func TestABootstrapWithoutISLeavesNoDifference(t *testing.T) {
	s := start(t, nil)
	s.settings.SkipKeyManager, s.settings.KeyManagerName, s.settings.ISPublicURL = true, bootstrap.ResidentKeyManager, ""
	want := s.read(oneAPI, t.TempDir())
	s.planned(want, "create API Orders 1", "create application Shop",
		"create subscription to API Orders 1 of application Shop", "create key production of key manager Resident Key Manager of application Shop")
	s.bootstrap(oneAPI)
	s.planned(want)
	if got := s.isRequests.List(); len(got) > 0 {
		t.Errorf("IS got %v", got)
	}
}

// TestTheFileHasTheLastWordAboutTheOwnKeyManager: what it sets in the agent's key manager is a difference, and what it leaves out is the
// agent's. The issuer is compared if the file has it.
func TestTheFileHasTheLastWordAboutTheOwnKeyManager(t *testing.T) {
	s := start(t, nil)
	s.bootstrap(oneAPI)
	own := func(fields string) plan.Wanted {
		t.Helper()
		return s.read("key_managers: [{name: WSO2-IS, "+fields+"}]\n"+oneAPI, t.TempDir())
	}
	s.planned(own(`roles_creation: true, additional_properties: {is7_roles_endpoint: "` + s.settings.ISURL + `/scim2/v2/Roles"}`))
	s.planned(own(`display_name: Login, issuer: "https://other.example", grant_types: [password]`),
		`update key manager WSO2-IS: display_name "WSO2-IS" -> "Login", issuer "`+s.issuer()+`" -> "https://other.example", `+
			`grant_types ["authorization_code","client_credentials","password","refresh_token","urn:ietf:params:oauth:grant-type:device_code",`+
			`"urn:ietf:params:oauth:grant-type:jwt-bearer","urn:ietf:params:oauth:grant-type:saml2-bearer"] -> ["password"]`)
}

// bootstrap does what agent bootstrap does, except for the verification.
func (s *servers) bootstrap(text string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	files := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(s.t.TempDir(), "keys.json")}}
	_, err := Bootstrap(ctx, slog.New(slog.DiscardHandler), s.client, s.settings, files, s.read(text, s.t.TempDir()).File)
	must(s.t, err)
}

const oneAPI = `apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1"}]
applications: [{name: Shop, subscriptions: [Orders]}]
`

// issuer returns the issuer of IS.
func (s *servers) issuer() string {
	s.t.Helper()
	discovery, err := bootstrap.Connect(s.client, s.settings).IS.Discovery(s.t.Context())
	must(s.t, err)
	return discovery.Issuer
}
