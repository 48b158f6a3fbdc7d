package verify_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/remedy"
	"wso2agent/internal/scopes"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// withUser returns settings whose key manager has a user by KM_SERVICE_USER, with a record in a new folder.
func (s *site) withUser(t *testing.T, setting string) bootstrap.Settings {
	t.Helper()
	settings := s.settings("WSO2-IS")
	settings.KMUser = bootstrap.ServiceUser{Setting: setting, Rights: "least", Record: serviceuser.Path(filepath.Join(t.TempDir(), "keys.json"))}
	return settings
}

// keyManagerUser returns the user that API-M has in the key manager.
func (s *site) keyManagerUser(t *testing.T, settings bootstrap.Settings) string {
	t.Helper()
	km, _, err := settings.FindUser(t.Context(), bootstrap.Connect(s.client, settings).Admin)
	must(t, err)
	return km.User
}

// try does one bootstrap that may fail.
func (s *site) try(t *testing.T, settings bootstrap.Settings) error {
	t.Helper()
	_, err := apply.Bootstrap(t.Context(), testLog(t), s.client, settings, s.files(), s.desired(t))
	return err
}

func record(t *testing.T, settings bootstrap.Settings) serviceuser.Record {
	t.Helper()
	r, err := serviceuser.Load(settings.KMUser.Record)
	must(t, err)
	return r
}

func TestANewKeyManagerHasAUserWithFewRightsAndEverythingWorks(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings, d := s.withUser(t, ""), s.desired(t)
	result, _ := s.run(t, settings, d)
	if user := s.keyManagerUser(t, settings); !serviceuser.IsMade(user) || user != record(t, settings).User {
		t.Errorf("the key manager has the user %q", user)
	}
	s.verify(t, settings, result)
	if _, writes := s.run(t, settings, d); len(writes) > 0 {
		t.Errorf("a second run sends %q", writes)
	}
	// The owner of the client is the user, and SCIM 1.1 lets a token act as the owner.
	token, err := wso2.FetchToken(t.Context(), s.client, result.TokenEndpoint, result.ConsumerKey, result.ConsumerSecret)
	must(t, err)
	status, err := wso2.NewIdentity(s.client, s.is.URL(), wso2.Credentials{}).SCIM11Users(t.Context(), token.AccessToken)
	if err != nil || status/100 == 2 {
		t.Errorf("SCIM 1.1: %d, %v", status, err)
	}
}

func TestAnExistingKeyManagerKeepsTheAdministratorUntilTheSettingSaysOtherwise(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	d := s.desired(t)
	first, _ := s.run(t, s.settings("WSO2-IS"), d)
	settings := s.withUser(t, "")
	for pass := range 2 { // also the first run takes the present password for the one that API-M has
		if _, writes := s.run(t, settings, d); len(writes) > 0 || s.keyManagerUser(t, settings) != "admin" {
			t.Errorf("without the setting, run %d sends %q", pass, writes)
		}
	}
	if r := record(t, settings); r.Made() || r.Password != "" {
		t.Errorf("record %+v", r)
	}
	settings.KMUser.Setting = "create"
	result, _ := s.run(t, settings, d)
	if user := s.keyManagerUser(t, settings); !serviceuser.IsMade(user) {
		t.Errorf("the key manager has the user %q", user)
	}
	if result.ConsumerKey != first.ConsumerKey {
		t.Error("the keys of the administrator's time are gone")
	}
	s.verify(t, settings, result)
	if _, writes := s.run(t, settings, d); len(writes) > 0 {
		t.Errorf("the next run sends %q", writes)
	}
	settings.KMUser.Setting = "admin"
	s.run(t, settings, d)
	if user := s.keyManagerUser(t, settings); user != "admin" {
		t.Errorf("back to the administrator: %q", user)
	}
}

// API-M never shows the password, and keys of other key managers do not need it.
func TestANewPasswordOfTheAdministratorReachesAPIM(t *testing.T) {
	for _, keyManager := range []string{"WSO2-IS", bootstrap.ResidentKeyManager} {
		t.Run("keys from "+keyManager, func(t *testing.T) {
			s := open(t, wso2sim.Delays{})
			settings, d := s.withUser(t, "admin"), s.desired(t)
			settings.KeyManagerName = keyManager
			s.run(t, settings, d)
			if _, writes := s.run(t, settings, d); len(writes) > 0 {
				t.Errorf("a second run sends %q", writes)
			}
			scim := bootstrap.Connect(s.client, settings).SCIM
			admin, _, err := scim.Find(t.Context(), wso2.SCIMUsers, "admin")
			must(t, err)
			must(t, scim.Patch(t.Context(), wso2.SCIMUsers, admin, []wso2.Change{{Op: "replace", Value: map[string]any{"password": "another1Pass"}}}))
			settings.ISCredentials.Password = "another1Pass"
			s.run(t, settings, d)
			s.worksAs(t, settings)
			if _, writes := s.run(t, settings, d); len(writes) > 0 {
				t.Errorf("the run after it sends %q", writes)
			}
		})
	}
}

func TestTheUserThatTheAgentHasMadeComesBackAfterTheAdministrator(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings, d := s.withUser(t, "create"), s.desired(t)
	s.run(t, settings, d)
	made := record(t, settings).Account()
	settings.KMUser.Setting = "admin"
	s.run(t, settings, d)
	settings.KMUser.Setting = "create"
	s.run(t, settings, d)
	if r := record(t, settings); r.Account() != made || s.keyManagerUser(t, settings) != made.User {
		t.Errorf("user %s, then %s", made.User, r.User)
	}
	s.worksAs(t, settings)
}

func TestAUserThatAnotherAgentHasRegisteredStays(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	d := s.desired(t)
	settings := s.withUser(t, "")
	s.run(t, settings, d)
	user := s.keyManagerUser(t, settings)
	other := s.withUser(t, "") // without the record, as in CI
	for _, setting := range []string{"", "create"} {
		other.KMUser.Setting = setting
		if _, writes := s.run(t, other, d); len(writes) > 0 || s.keyManagerUser(t, other) != user {
			t.Errorf("another agent with %q sends %q", setting, writes)
		}
	}
	other.KMTokenEndpoint = "https://login.example/oauth2/token" // a change that is sent with the masked password
	s.run(t, other, d)
	if got := s.keyManagerUser(t, other); got != user {
		t.Errorf("user %q", got)
	}
	settings.KMTokenEndpoint = other.KMTokenEndpoint
	s.worksAs(t, settings)
}

// worksAs fails the test unless API-M can make keys with the user of the key manager.
func (s *site) worksAs(t *testing.T, settings bootstrap.Settings) {
	t.Helper()
	servers := bootstrap.Connect(s.client, settings)
	km, _, err := settings.FindUser(t.Context(), servers.Admin)
	must(t, err)
	app, err := servers.DevPortal.CreateApplication(t.Context(), "tries-the-user", "Unlimited", "")
	must(t, err)
	defer func() { must(t, servers.DevPortal.DeleteApplication(t.Context(), app.ID)) }()
	_, err = servers.DevPortal.GenerateKeys(t.Context(), app.ID, km.ID)
	must(t, err)
}

// A run can end after IS has another password and before API-M has it, and API-M shows no password.
func TestTheNextRunGivesAPIMThePasswordThatItLacks(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	d := s.desired(t)
	settings := s.withUser(t, "")
	s.run(t, settings, d)
	servers := bootstrap.Connect(s.client, settings)
	before := record(t, settings)
	m := serviceuser.Maker{SCIM: servers.SCIM, Path: settings.KMUser.Record, Rights: serviceuser.Rights("least"), Log: testLog(t),
		As: func(a serviceuser.Account) *wso2.Identity {
			return wso2.NewIdentity(s.client, s.is.URL(), wso2.Credentials{User: a.User, Password: a.Password})
		}}
	_, err := m.Rotate(t.Context())
	must(t, err)
	if after := record(t, settings); after.Password == before.Password || after.Has(after.Account()) {
		t.Error("the record does not say that API-M lacks the password")
	}
	result, writes := s.run(t, settings, d)
	if !slices.ContainsFunc(writes, func(w string) bool { return strings.HasPrefix(w, "PUT /api/am/admin/v4/key-managers/") }) || result.Changes != 1 {
		t.Errorf("the next run makes %d changes and sends %q", result.Changes, writes)
	}
	s.worksAs(t, settings)
	if _, writes := s.run(t, settings, d); len(writes) > 0 {
		t.Errorf("the run after it sends %q", writes)
	}
}

func TestOneCallChangesThePasswordInBothServers(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.withUser(t, "")
	s.run(t, settings, s.desired(t))
	before := record(t, settings)
	user, err := bootstrap.RotatePassword(t.Context(), testLog(t), bootstrap.Connect(s.client, settings), settings)
	must(t, err)
	after := record(t, settings)
	if user.User != before.User || after.Password == before.Password || !after.Has(after.Account()) {
		t.Errorf("user %q, the record has the password that API-M took: %v", user.User, after.Has(after.Account()))
	}
	s.worksAs(t, settings)
}

func TestAUserThatSomebodyElseHasMadeIsTriedBeforeItIsRegistered(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.withUser(t, "robot")
	settings.KMUser.Password = "wrongPass1"
	servers := bootstrap.Connect(s.client, settings)
	id, err := servers.SCIM.Create(t.Context(), wso2.SCIMUsers, map[string]any{"userName": "robot", "password": "rightPass1"})
	must(t, err)
	refused := func(words string) {
		t.Helper()
		err := s.try(t, settings)
		text, remedies := remedy.Split(err)
		if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(text+strings.Join(remedies, " "), words) {
			t.Errorf("error %v, want %q", err, words)
		}
	}
	refused("KM_SERVICE_PASS")
	settings.KMUser.Password = "rightPass1"
	refused("rights")
	var permissions []map[string]any
	for _, right := range serviceuser.Rights("least") {
		permissions = append(permissions, map[string]any{"value": right})
	}
	_, err = servers.SCIM.Create(t.Context(), wso2.SCIMRoles, map[string]any{"displayName": "robots", "permissions": permissions, "users": []map[string]any{{"value": id}}})
	must(t, err)
	d := s.desired(t)
	s.run(t, settings, d)
	if user := s.keyManagerUser(t, settings); user != "robot" {
		t.Errorf("the key manager has the user %q", user)
	}
	if data, err := os.ReadFile(settings.KMUser.Record); err != nil || strings.Contains(string(data), "rightPass1") {
		t.Errorf("the record has the password, or %v", err)
	}
	if _, writes := s.run(t, settings, d); len(writes) > 0 {
		t.Errorf("a second run sends %q", writes)
	}
	must(t, servers.SCIM.Patch(t.Context(), wso2.SCIMUsers, wso2.Object{ID: id, Name: "robot"}, []wso2.Change{{Op: "replace", Value: map[string]any{"password": "another1Pass"}}}))
	settings.KMUser.Password = "another1Pass"
	if _, writes := s.run(t, settings, d); len(writes) == 0 {
		t.Error("another password is not sent to API-M")
	}
	s.worksAs(t, settings)
}

// withPrefixes lets people make roles whose names begin with system_, as the agent sets it.
func withPrefixes(text string) string {
	return text + "\n[role_mgt]\nallow_system_prefix_for_role = true\n"
}

// scoped makes an API with a local scope, or saves it with other roles, and returns its id.
func scoped(t *testing.T, p *wso2.Publisher, id string, roles ...string) string {
	t.Helper()
	var fields map[string]any
	if id != "" {
		api, err := p.APIObject(t.Context(), id)
		must(t, err)
		fields = api.Fields
	} else {
		fields = map[string]any{
			"name": "Tills", "version": "1", "context": "/tills", "type": "HTTP", "policies": []string{"Unlimited"},
			"endpointConfig": map[string]any{"endpoint_type": "http", "production_endpoints": map[string]any{"url": "http://backend.example"}},
		}
	}
	fields["scopes"] = []map[string]any{{"shared": false, "scope": map[string]any{"name": "tills:open", "displayName": "tills:open", "description": "d", "bindings": roles}}}
	fields["operations"] = []map[string]any{{"target": "/", "verb": "GET", "authType": "Application & Application User", "throttlingPolicy": "Unlimited", "scopes": []string{"tills:open"}}}
	var err error
	var api wso2.Object
	if id == "" {
		api, err = p.CreateAPIObject(t.Context(), fields)
	} else {
		api, err = p.UpdateAPIObject(t.Context(), id, fields)
	}
	must(t, err)
	return api.ID
}

// bearers returns the names of the roles of IS that have a scope.
func bearers(t *testing.T, scim *wso2.SCIM, scope string) (names []string) {
	t.Helper()
	list, err := scim.List(t.Context(), wso2.SCIMRoles)
	must(t, err)
	for _, role := range list {
		permissions, _ := role.Fields["permissions"].([]any)
		for _, p := range permissions {
			if p.(map[string]any)["value"] == scope {
				names = append(names, role.Name)
			}
		}
	}
	slices.Sort(names)
	return names
}

func TestTheAgentBindsScopesToRolesThatTheKeyManagersUserMayNotBind(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	s.restartIS(t, withPrefixes)
	settings := s.withUser(t, "")
	s.run(t, settings, s.desired(t))
	servers := bootstrap.Connect(s.client, settings)
	roles := scopes.Roles{Log: testLog(t)}
	bind := func(want int, also ...string) {
		t.Helper()
		changes, refused, err := settings.BindRoles(t.Context(), &roles, servers, also...)
		if err != nil || len(refused) > 0 || changes != want {
			t.Errorf("%d roles changed, want %d: %v", changes, want, err)
		}
	}
	bind(0)
	api := scoped(t, servers.Publisher, "", "admin", "Internal/creator")
	if got := bearers(t, servers.SCIM, "tills:open"); len(got) > 0 {
		t.Fatalf("the connector bound %q", got)
	}
	bind(2, api)
	if got := bearers(t, servers.SCIM, "tills:open"); !slices.Equal(got, []string{"creator", "system_primary_admin"}) {
		t.Errorf("roles %q", got)
	}
	s.requests.take()
	bind(0)
	if writes := s.requests.take(); len(writes) > 0 {
		t.Errorf("a quiet pass sends %q", writes)
	}
	scoped(t, servers.Publisher, api, "admin", "Internal/creator") // API-M makes a local scope again with each save
	if got := bearers(t, servers.SCIM, "tills:open"); len(got) > 0 {
		t.Fatalf("the scope was not made again: %q", got)
	}
	bind(2, api)
	_, err := servers.Publisher.CreateSharedScope(t.Context(), map[string]any{"name": "shop:all", "displayName": "shop:all", "description": "d", "bindings": []string{"boss", "clerk"}})
	must(t, err)
	bind(2)
	if got := bearers(t, servers.SCIM, "shop:all"); !slices.Equal(got, []string{"system_primary_boss", "system_primary_clerk"}) {
		t.Errorf("roles of the shared scope: %q", got)
	}
	shared, err := servers.Publisher.SharedScopes(t.Context())
	must(t, err)
	shared[0].Fields["bindings"] = []string{"boss"}
	_, err = servers.Publisher.UpdateSharedScope(t.Context(), shared[0].ID, shared[0].Fields)
	must(t, err)
	bind(1)
	if got := bearers(t, servers.SCIM, "shop:all"); !slices.Equal(got, []string{"system_primary_boss"}) {
		t.Errorf("roles after one was taken away: %q", got)
	}
}

func TestTheAgentBindsNoRolesIfTheConnectorDoes(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	s.restartIS(t, withPrefixes)
	for _, rights := range []string{"roles", ""} {
		settings := s.withUser(t, "create")
		settings.KMUser.Rights = rights
		if rights == "" {
			settings.KMUser.Setting = "admin"
		}
		s.run(t, settings, s.desired(t))
		servers := bootstrap.Connect(s.client, settings)
		api := scoped(t, servers.Publisher, "", "admin")
		if got := bearers(t, servers.SCIM, "tills:open"); !slices.Equal(got, []string{"system_primary_admin"}) {
			t.Errorf("rights %q: the connector bound %q", rights, got)
		}
		role, _, err := servers.SCIM.Find(t.Context(), wso2.SCIMRoles, "system_primary_admin")
		must(t, err)
		must(t, servers.SCIM.Patch(t.Context(), wso2.SCIMRoles, role, []wso2.Change{{Op: "remove", Path: "permissions[value eq tills:open]"}}))
		s.requests.take()
		if changes, _, err := settings.BindRoles(t.Context(), &scopes.Roles{Log: testLog(t)}, servers); changes != 0 || err != nil {
			t.Errorf("rights %q: %d, %v", rights, changes, err)
		}
		if writes := s.requests.take(); len(writes) > 0 {
			t.Errorf("rights %q: %q", rights, writes)
		}
		must(t, servers.Publisher.DeleteAPI(t.Context(), api))
	}
}

func TestALostAPIResourceIsMadeAgain(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.withUser(t, "")
	s.run(t, settings, s.desired(t))
	servers := bootstrap.Connect(s.client, settings)
	id, err := servers.Scopes.FindResource(t.Context(), scopes.Resource)
	must(t, err)
	if id == "" {
		t.Fatal("the run made no API resource")
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodDelete, s.is.URL()+"/api/server/v1/api-resources/"+id, nil)
	must(t, err)
	r.SetBasicAuth("admin", "admin")
	resp, err := s.client.Do(r)
	must(t, err)
	resp.Body.Close()
	_, _, err = settings.BindRoles(t.Context(), &scopes.Roles{Log: testLog(t)}, servers)
	must(t, err)
	scoped(t, servers.Publisher, "", "admin")
	again, err := servers.Scopes.FindResource(t.Context(), scopes.Resource)
	must(t, err)
	names, err := servers.Scopes.Scopes(t.Context(), again)
	if err != nil || again == id || len(names) != 1 {
		t.Errorf("resource %q, before %q, scopes %v, %v", again, id, names, err)
	}
}

// sharedScope makes a shared scope, of which API-M takes the names of any roles.
func sharedScope(t *testing.T, p *wso2.Publisher, roles ...string) {
	t.Helper()
	_, err := p.CreateSharedScope(t.Context(), map[string]any{"name": "tills:open", "displayName": "tills:open", "description": "d", "bindings": roles})
	must(t, err)
}

// IS allows no role with the prefix system_ by default, and no role with a slash.
func TestARoleThatISRefusesStopsNeitherOtherRolesNorApplications(t *testing.T) {
	s := openWith(t, wso2sim.Delays{}, func(t *testing.T, shipped []byte) []byte { return agentSettings(t, shipped, false) })
	s.restartIS(t, func(text string) string {
		return strings.ReplaceAll(text, "allow_system_prefix_for_role = true", "allow_system_prefix_for_role = false")
	})
	settings, d := s.withUser(t, ""), s.desired(t)
	settings.Authorize = true
	first, _ := s.run(t, settings, d)
	servers := bootstrap.Connect(s.client, settings)
	sharedScope(t, servers.Publisher, "boss", "Internal/alpha", "Internal/LDAP/dev", "Internal/zeta")
	s.run(t, settings, d)
	if got := bearers(t, servers.SCIM, "tills:open"); !slices.Equal(got, []string{"alpha", "zeta"}) {
		t.Errorf("roles %q", got)
	}
	if got := s.granted(t, first, "tills:open"); got != "tills:open" {
		t.Errorf("the application gets %q", got)
	}
	_, refused, err := settings.BindRoles(t.Context(), &scopes.Roles{Log: testLog(t)}, servers)
	must(t, err)
	var said []string
	for _, r := range refused {
		_, remedies := remedy.Split(r)
		said = append(said, r.Role+": "+strings.Join(remedies, " "))
	}
	if len(said) != 2 || !strings.HasPrefix(said[0], "LDAP/dev: IS allows no such name") || !strings.HasPrefix(said[1], "system_primary_boss: let IS allow the name") {
		t.Errorf("refused %q", said)
	}
}

// Another agent makes a role, and API-M makes a scope again, between a reading and what follows from it.
func TestWhatChangesBetweenAReadingAndABindingIsLeftToTheNextPass(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.withUser(t, "")
	s.run(t, settings, s.desired(t))
	servers := bootstrap.Connect(s.client, settings)
	sharedScope(t, servers.Publisher, "Internal/alpha", "Internal/beta")
	lists := 0
	late := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		answer, err := s.client.Transport.RoundTrip(r)
		if r.Method == http.MethodGet && strings.HasSuffix(r.URL.Path, "/scim2/v2/Roles") {
			if lists++; lists == 1 {
				_, err := servers.SCIM.Create(t.Context(), wso2.SCIMRoles, map[string]any{"displayName": "alpha"})
				must(t, err)
			}
		}
		return answer, err
	})}
	for pass, want := range [][]string{{"beta"}, {"alpha", "beta"}} {
		_, refused, err := settings.BindRoles(t.Context(), &scopes.Roles{Log: testLog(t)}, bootstrap.Connect(late, settings))
		if err != nil || len(refused) != 1-pass || len(refused) > 0 && !strings.Contains(refused[0].Error(), "the next pass tries again") {
			t.Errorf("pass %d: refused %v, %v", pass, refused, err)
		}
		if got := bearers(t, servers.SCIM, "tills:open"); !slices.Equal(got, want) {
			t.Errorf("pass %d: roles %q, want %q", pass, got, want)
		}
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestAKeyManagerThatMakesNoRolesLeavesTheirNames(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.withUser(t, "")
	s.run(t, settings, s.desired(t))
	servers := bootstrap.Connect(s.client, settings)
	km, _, err := settings.FindUser(t.Context(), servers.Admin)
	must(t, err)
	whole, _, err := wso2.Merge(km.Raw, map[string]any{"additionalProperties": map[string]any{"enable_roles_creation": false, "Password": record(t, settings).Password}})
	must(t, err)
	must(t, servers.Admin.UpdateKeyManager(t.Context(), km.ID, whole, wso2.Secret(record(t, settings).Password)))
	for _, name := range []string{"tellers", "creator"} {
		_, err = servers.SCIM.Create(t.Context(), wso2.SCIMRoles, map[string]any{"displayName": name})
		must(t, err)
	}
	sharedScope(t, servers.Publisher, "tellers", "clerk", "Internal/creator")
	_, refused, err := settings.BindRoles(t.Context(), &scopes.Roles{Log: testLog(t)}, servers)
	must(t, err)
	if got := bearers(t, servers.SCIM, "tills:open"); len(refused) > 0 || !slices.Equal(got, []string{"tellers"}) {
		t.Errorf("roles %q, refused %v", got, refused)
	}
}

// logged does one bootstrap, and returns its log.
func (s *site) logged(t *testing.T, settings bootstrap.Settings) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var out bytes.Buffer
	_, err := apply.Bootstrap(ctx, slog.New(slog.NewTextHandler(&out, nil)), s.client, settings, s.files(), s.desired(t))
	must(t, err)
	return out.String()
}

func TestALostRecordIsReportedAndAUserThatISHasLostIsReplaced(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.withUser(t, "create")
	s.run(t, settings, s.desired(t))
	user := s.keyManagerUser(t, settings)
	lost := s.withUser(t, "create")
	const remedies = "KM_SERVICE_USER=admin, and then with create"
	if log := s.logged(t, lost); strings.Count(log, remedies) == 0 || s.keyManagerUser(t, lost) != user {
		t.Errorf("user %s, log:\n%s", s.keyManagerUser(t, lost), log)
	}
	servers := bootstrap.Connect(s.client, lost)
	if _, err := bootstrap.RotatePassword(t.Context(), testLog(t), servers, lost); !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), remedies) {
		t.Errorf("another password: %v", err)
	}
	made, found, err := servers.SCIM.Find(t.Context(), wso2.SCIMUsers, user)
	if err != nil || !found {
		t.Fatalf("user %s: %v, %v", user, found, err)
	}
	must(t, servers.SCIM.Delete(t.Context(), wso2.SCIMUsers, made))
	lost.KMUser.Setting = ""
	if log := s.logged(t, lost); !strings.Contains(log, "IS has lost the key manager's user") || s.keyManagerUser(t, lost) == user {
		t.Errorf("user %s, log:\n%s", s.keyManagerUser(t, lost), log)
	}
	s.worksAs(t, lost)
	if _, writes := s.run(t, lost, s.desired(t)); len(writes) > 0 {
		t.Errorf("the next run sends %q", writes)
	}
}

func TestThePasswordOfAUserThatTheKeyManagerDoesNotHaveStays(t *testing.T) {
	s := open(t, wso2sim.Delays{})
	settings := s.withUser(t, "create")
	s.run(t, settings, s.desired(t))
	settings.KMUser.Setting = "admin"
	s.run(t, settings, s.desired(t))
	settings.KMUser.Setting = ""
	before := record(t, settings)
	_, err := bootstrap.RotatePassword(t.Context(), testLog(t), bootstrap.Connect(s.client, settings), settings)
	if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "has the user admin, not "+before.User) || record(t, settings) != before {
		t.Errorf("error %v", err)
	}
	if user := s.keyManagerUser(t, settings); user != "admin" {
		t.Errorf("the key manager has the user %s", user)
	}
}

func TestAUserWithTheRightOfTheAdministratorIsReported(t *testing.T) {
	const warning = "has a right that equals IS's administrator"
	s := open(t, wso2sim.Delays{})
	settings := s.withUser(t, "robot")
	settings.KMUser.Password = "rightPass1"
	scim := bootstrap.Connect(s.client, settings).SCIM
	id, err := scim.Create(t.Context(), wso2.SCIMUsers, map[string]any{"userName": "robot", "password": "rightPass1"})
	must(t, err)
	var permissions []map[string]any
	for _, right := range serviceuser.Rights(serviceuser.RolesToo) {
		permissions = append(permissions, map[string]any{"value": right})
	}
	_, err = scim.Create(t.Context(), wso2.SCIMRoles, map[string]any{"displayName": "robots", "permissions": permissions, "users": []map[string]any{{"value": id}}})
	must(t, err)
	for setting, rights := range map[string][]string{"robot": {"least", "roles"}, "create": {"least", "roles"}} {
		settings.KMUser.Setting = setting
		for _, rights := range rights {
			settings.KMUser.Rights = rights
			if log := s.logged(t, settings); strings.Contains(log, warning) != (rights == "roles") {
				t.Errorf("%s with %s: %s", setting, rights, log)
			}
		}
	}
}
