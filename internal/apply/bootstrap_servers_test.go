package apply

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
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

// TestAKeyManagerThatTheFileChangesIsChangedOnce: the registration of the agent's key manager does not undo what the file says of it.
func TestAKeyManagerThatTheFileChangesIsChangedOnce(t *testing.T) {
	s := start(t, nil)
	folder := t.TempDir()
	text := "key_managers: [{name: WSO2-IS, display_name: Login, grant_types: [client_credentials, password]}]\n" + oneAPI
	first := s.bootstrapIn(folder, text)
	if second := s.bootstrapIn(folder, text); first.Changes == 0 || second.Changes != 0 {
		t.Errorf("changes of the first run: %d, of the second: %d", first.Changes, second.Changes)
	}
	s.planned(s.read(text, t.TempDir()))
}

// TestABootstrapShowsItsOwnApplicationFirst, also if other runs have left keys, and a run of another command keeps that order.
func TestABootstrapShowsItsOwnApplicationFirst(t *testing.T) {
	s := start(t, nil)
	folder := t.TempDir()
	other := `applications: [{name: Another}, {name: Further}]`
	s.bootstrapIn(folder, other)
	s.bootstrapIn(folder, oneAPI)
	first := func() string {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(folder, "keys.json"))
		must(t, err)
		keys, err := keysfile.Decode(data)
		must(t, err)
		if len(keys) != 3 {
			t.Errorf("keys: %+v", keys)
		}
		return keysfile.First(keys).Application
	}
	if got := first(); got != "Shop" {
		t.Errorf("after the bootstrap the first application is %q", got)
	}
	want, files := s.read(other, t.TempDir()), bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(folder, "keys.json")}}
	options := Options{}
	memory, err := remember(slog.New(slog.DiscardHandler), files, nil, &want, &options)
	must(t, err)
	must(t, memory.writeKeys(s.apply(want, options), ""))
	if got := first(); got != "Shop" {
		t.Errorf("after a run without a word the first application is %q", got)
	}
}

// TestTheResultSaysWhichAPIsCanBeCalledAndHow has an API for each reason for which a verification sends no token, or does not call it.
func TestTheResultSaysWhichAPIsCanBeCalledAndHow(t *testing.T) {
	s := start(t, nil)
	text := "apis:\n"
	for i, fields := range []string{
		"name: Plain, backend_url: 'http://a:1'", "name: Gold, backend_url: 'http://a:1', policies: [Gold, Silver]", "name: Both, backend_url: 'http://a:1', sandbox_url: 'http://b:1'",
		"name: Sandbox, sandbox_url: 'http://b:1'", "name: Key, backend_url: 'http://a:1', security_schemes: [api_key]", "name: Header, backend_url: 'http://a:1', authorization_header: X-Auth",
		"name: Resident, backend_url: 'http://a:1', key_managers: [Resident Key Manager]", "name: Plaintext, backend_url: 'http://a:1', transports: [http]",
		"name: Old, backend_url: 'http://a:1', lifecycle: DEPRECATED", "name: Created, backend_url: 'http://a:1', lifecycle: CREATED", "name: Socket, type: WS, backend_url: 'ws://a:1'",
	} {
		text += fmt.Sprintf("  - {version: '1', context: /c%d, %s}\n", i, fields)
	}
	text += "applications: [{name: Shop, subscriptions: [Plain]}]\n"
	var got []string
	for _, api := range s.bootstrapIn(t.TempDir(), text).APIs {
		line := api.Name + " " + api.Policy + " " + api.BackendURL
		for word, is := range map[string]bool{" known": api.OnlyKnown, " new": api.Made && api.Changed && api.ID != "" && api.Path != "" && len(api.Operations) > 0} {
			if is {
				line += word
			}
		}
		if api.Subscribed {
			line += " subscribed"
		}
		got = append(got, line)
	}
	want := []string{"Plain Unlimited http://a:1 new subscribed", "Gold Gold http://a:1 new", "Both Unlimited  new"}
	if len(got) != 9 || !slices.Equal(got[:3], want) {
		t.Errorf("got %q, want first %q", got, want)
	}
	for _, line := range got[3:] {
		if !strings.Contains(line, " known") {
			t.Errorf("a token is sent: %s", line)
		}
	}
}

// bootstrap does what agent bootstrap does, except for the verification.
func (s *servers) bootstrap(text string) { s.t.Helper(); s.bootstrapIn(s.t.TempDir(), text) }

// bootstrapIn is bootstrap with the keys and the record in a folder.
func (s *servers) bootstrapIn(folder, text string) bootstrap.Result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), time.Minute)
	defer cancel()
	files := bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(folder, "keys.json")}}
	result, err := Bootstrap(ctx, slog.New(slog.DiscardHandler), s.client, s.settings, files, s.read(text, folder).File)
	must(s.t, err)
	return result
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
