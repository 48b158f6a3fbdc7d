package apply

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/owned"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// clients has each kind of object that this file's tests make, and fields that the servers store in another form.
const clients = `
key_managers:
  - {name: Cloak, type: KeyCloak, well_known_endpoint: "https://kc.example/w", token_endpoint: "https://kc.example/t", revoke_endpoint: "https://kc.example/r",
     introspection_endpoint: "https://kc.example/i", client_registration_endpoint: "https://kc.example/c", issuer: "https://kc.example", username: c, password: throwAway1}
identity_server:
  users:
    - {username: Ann, password: throwAway1, email: ann@example.com, given_name: Ann, family_name: Example, roles: [Clerk, admin]}
    - {username: bob, password: throwAway1, roles: [Clerk]}
  groups: [{name: Staff, members: [Ann, bob]}, {name: Leads, members: [admin, Ann]}]
  roles: [{name: Clerk, permissions: ["orders:read"], groups: [Staff, Leads]}, {name: Boss}]
scopes: [{name: "orders:read", roles: [admin]}]
apis:
  - {name: Orders, version: "1", context: /orders, backend_url: "http://a:1", scopes: ["orders:read"], operations: [{target: /a, verb: GET, scopes: ["orders:read"]}]}
  - {name: Orders, version: "2", context: /orders, backend_url: "http://a:1"}
  - {name: Stock, version: "1", context: /stock, backend_url: "http://a:1"}
applications:
  - name: Shop
    description: Sells
    throttling_policy: 10PerMin
    attributes: {team: sales}
    groups: [b, a]
    subscriptions: [{api_name: Orders, throttling_policy: Gold}, Stock]
    keys:
      - {type: SANDBOX, application_token_lifetime: 800}
      - {type: PRODUCTION, grant_types: [client_credentials, authorization_code], callbacks: ["https://b.example/cb", "https://a.example/cb"],
         application_token_lifetime: 900, pkce_mandatory: true}
      - {type: PRODUCTION, key_manager: Resident Key Manager, user_token_lifetime: 700}
      - {type: SANDBOX, key_manager: Resident Key Manager}
  - {name: Depot, attributes: {team: stock}, subscriptions: [Stock]}
`

// attributes keeps the attributes of applications, as an API-M whose configuration declares them. The stand-in drops them, as API-M
// does without a declaration.
func attributes(o *wso2sim.Options) {
	wrap, mu, stored := o.Wrap, sync.Mutex{}, map[string]any{}
	o.Wrap = func(next http.Handler) http.Handler {
		return wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			path, is := strings.CutPrefix(r.URL.Path, "/api/am/devportal/v3/applications")
			if !is || strings.Count(path, "/") > 1 || path == "" && r.Method == http.MethodGet {
				next.ServeHTTP(w, r)
				return
			}
			var sent, shown map[string]any
			body, _ := io.ReadAll(r.Body)
			r.Body = io.NopCloser(bytes.NewReader(body))
			json.Unmarshal(body, &sent)
			answer := httptest.NewRecorder()
			next.ServeHTTP(answer, r)
			text := answer.Body.Bytes()
			if json.Unmarshal(text, &shown) == nil && shown["applicationId"] != nil {
				mu.Lock()
				if sent != nil {
					stored[shown["name"].(string)] = sent["attributes"]
				}
				shown["attributes"] = stored[shown["name"].(string)]
				mu.Unlock()
				text, _ = json.Marshal(shown)
			}
			maps.Copy(w.Header(), answer.Header())
			w.WriteHeader(answer.Code)
			w.Write(text)
		}))
	}
}

// makeAPIs makes the scopes and APIs of a file, which these tests need and do not test. The scopes reach IS, which is no key manager
// afterwards.
func (s *servers) makeAPIs(want plan.Wanted) {
	s.t.Helper()
	ctx, c := s.t.Context(), actual.Connect(s.client, s.settings)
	report := s.apply(s.read("gateway: {host: gw.example}", s.t.TempDir()), Options{})
	s.allMade(report)
	defer func() { must(s.t, c.Admin.DeleteKeyManager(ctx, report.IDs.KeyManagers["WSO2-IS"])) }()
	for _, item := range want.File.Scopes.Value {
		_, err := c.Publisher.CreateSharedScope(ctx, plan.ScopeBody(item.Value, nil))
		must(s.t, err)
	}
	for _, item := range want.File.APIs.Value {
		made, err := c.Publisher.CreateAPIObject(ctx, plan.APIBody(item.Value, nil, []string{"Gold", "Unlimited"}))
		must(s.t, err)
		revision, err := c.Publisher.CreateRevision(ctx, made.ID, "")
		must(s.t, err)
		for _, d := range plan.Deployments(item.Value, want.VHost) {
			must(s.t, c.Publisher.DeployRevision(ctx, made.ID, revision, wso2.Deployment{Environment: d["name"].(string), VHost: d["vhost"].(string), DisplayOnDevPortal: true}))
		}
		_, err = c.Publisher.ChangeLifecycle(ctx, made.ID, "Publish")
		must(s.t, err)
	}
}

// made fails the test unless every change of a report is made.
func (s *servers) allMade(report Report) {
	s.t.Helper()
	for _, o := range report.Outcomes {
		if o.Err != nil {
			s.t.Errorf("%s %s of %s: %v", o.Change.Kind, o.Change.Name, o.Change.Of, o.Err)
		}
	}
	for _, p := range report.Problems {
		s.t.Error(p)
	}
}

// holds fails the test unless the keys of a report are those that API-M has, in the order of the file, and IS has a client for each of
// its keys and no other. of are the keys: the application, the type and the key manager.
func (s *servers) holds(report Report, of ...string) {
	s.t.Helper()
	ctx, c := s.t.Context(), actual.Connect(s.client, s.settings)
	list, err := c.DevPortal.ApplicationObjects(ctx)
	must(s.t, err)
	ids, total := map[string]string{}, 0
	for _, app := range list {
		if ids[app.Name] != "" {
			s.t.Errorf("there are two applications %s", app.Name)
		}
		ids[app.Name] = app.ID
		keys, err := c.DevPortal.Keys(ctx, app.ID)
		must(s.t, err)
		total += len(keys)
	}
	if total != len(of) {
		s.t.Errorf("API-M has %d keys, and the file %d", total, len(of))
	}
	var got []string
	inIS := map[string]bool{}
	is := bootstrap.Connect(s.client, s.settings)
	for _, k := range report.Keys {
		got = append(got, k.Application+" "+k.Type+" "+k.KeyManager)
		if k.ApplicationID != ids[k.Application] {
			s.t.Errorf("the application of %+v is %s", k, ids[k.Application])
		}
		keys, err := c.DevPortal.Keys(ctx, k.ApplicationID)
		must(s.t, err)
		if !slices.Contains(keys, wso2.Keys{MappingID: k.MappingID, KeyManager: k.KeyManager, KeyType: k.Type, ConsumerKey: k.ConsumerKey, ConsumerSecret: k.ConsumerSecret}) {
			s.t.Errorf("API-M does not have %+v", k)
		}
		endpoint := "https://login.example/oauth2/token"
		if k.KeyManager == bootstrap.ResidentKeyManager {
			endpoint = s.am.Issuer()
		} else {
			inIS[k.ConsumerKey] = true
			if there, err := is.IS.HasClient(ctx, k.ConsumerKey); err != nil || !there {
				s.t.Errorf("IS does not have the client of %+v, %v", k, err)
			}
		}
		if k.TokenEndpoint != endpoint {
			s.t.Errorf("the token endpoint of %+v should be %s", k, endpoint)
		}
	}
	if !slices.Equal(got, of) {
		s.t.Errorf("the report has the keys\n  %s\nand should have\n  %s", strings.Join(got, "\n  "), strings.Join(of, "\n  "))
	}
	page, err := is.Scopes.Applications(ctx, "name co admin_", 0)
	must(s.t, err)
	for _, app := range page.Applications {
		if !inIS[app.ClientID] && !slices.Contains(s.mapped, app.ClientID) {
			s.t.Errorf("IS has a client without a key: %+v", app)
		}
	}
}

var keysOfClients = []string{
	"Shop SANDBOX WSO2-IS", "Shop PRODUCTION WSO2-IS", "Shop PRODUCTION Resident Key Manager", "Shop SANDBOX Resident Key Manager", "Depot PRODUCTION WSO2-IS",
}

// writes returns the requests that change something.
func writes(log *wso2sim.RequestLog) (all []string) {
	for _, r := range log.List() {
		if r.Method != http.MethodGet {
			all = append(all, r.Operation)
		}
	}
	return all
}

// TestClientsAreMadeOnce makes an example, plans it again, makes it again, and makes what somebody has changed.
func TestClientsAreMadeOnce(t *testing.T) {
	s := start(t, attributes)
	want := s.read(clients, t.TempDir())
	s.makeAPIs(want)
	s.planned(want,
		"create key manager WSO2-IS", "create key manager Cloak", "create user Ann", "create user bob", "create group Staff", "create group Leads",
		"create role Clerk", "create role Boss", "create application Shop", "create subscription to API Orders 1 of application Shop",
		"create subscription to API Orders 2 of application Shop", "create subscription to API Stock 1 of application Shop",
		"create key sandbox of key manager WSO2-IS of application Shop", "create key production of key manager WSO2-IS of application Shop",
		"create key production of key manager Resident Key Manager of application Shop", "create key sandbox of key manager Resident Key Manager of application Shop",
		"create application Depot", "create subscription to API Stock 1 of application Depot", "create key production of key manager WSO2-IS of application Depot",
	)
	s.amRequests.Reset()
	s.isRequests.Reset()
	first := s.apply(want, Options{})
	s.allMade(first)
	s.planned(want)
	s.holds(first, keysOfClients...)
	if n := s.isRequests.Counts()["PATCH /scim2/v2/Roles/{id}"]; n != 2 { // the groups of Clerk, and the role of Ann that IS has
		t.Errorf("roles were changed %d times", n)
	}
	if n := s.amRequests.Counts()["POST /api/am/devportal/v3/applications/{id}/generate-keys"]; n != 5 {
		t.Errorf("keys were generated %d times", n)
	}

	s.amRequests.Reset()
	s.isRequests.Reset()
	again := s.apply(want, Options{})
	if len(again.Outcomes) > 0 || !slices.Equal(again.Keys, first.Keys) {
		t.Errorf("the second run has %v and\n%+v, not\n%+v", again.Outcomes, again.Keys, first.Keys)
	}
	if got := append(writes(s.amRequests), writes(s.isRequests)...); len(got) > 0 {
		t.Errorf("the second run sent %v", got)
	}

	changed := s.read(strings.NewReplacer("https://kc.example/t", "https://kc.example/other", "family_name: Example", "family_name: Other", "roles: [Clerk, admin]", "roles: [Boss]",
		"members: [admin, Ann]", "members: [bob]", `permissions: ["orders:read"], groups: [Staff, Leads]`, "permissions: [], groups: [Leads]", "description: Sells", "description: Lends",
		"team: sales", "team: lending", "policy: Gold}, Stock", "policy: Unlimited}, Stock", "lifetime: 800", "lifetime: 801", "lifetime: 900", "lifetime: 901", "lifetime: 700", "lifetime: 701",
	).Replace(clients), t.TempDir())
	if n := len(s.plan(changed)); n != 10 {
		t.Errorf("the plan of the changed file is\n  %s", strings.Join(s.plan(changed), "\n  "))
	}
	last := s.apply(changed, Options{})
	s.allMade(last)
	s.planned(changed)
	s.holds(last, keysOfClients...)
	if !slices.Equal(last.Keys, first.Keys) {
		t.Errorf("the keys are\n%+v, not\n%+v", last.Keys, first.Keys)
	}
}

// TestAnExistingClientIsMapped maps a client of IS with other settings than its own, and then another one in its place.
func TestAnExistingClientIsMapped(t *testing.T) {
	s := start(t, nil)
	is := bootstrap.Connect(s.client, s.settings).IS
	var reports []Report
	for _, name := range []string{"one", "two"} {
		id, secret, err := is.RegisterClient(t.Context(), name)
		must(t, err)
		s.mapped = append(s.mapped, id)
		want := s.read(`applications: [{name: Shop, keys: [{type: PRODUCTION, client_id: `+id+`, client_secret: `+string(secret)+`, grant_types: [client_credentials, password], refresh_token_lifetime: 900}]}]`, t.TempDir())
		report := s.apply(want, Options{})
		s.allMade(report)
		s.planned(want)
		s.holds(report, "Shop PRODUCTION WSO2-IS")
		if k := report.Keys[0]; k.ConsumerKey != id || k.ConsumerSecret != secret {
			t.Errorf("the key of client %s is %+v", id, k)
		}
		reports = append(reports, report)
	}
	if there, err := is.HasClient(t.Context(), reports[0].Keys[0].ConsumerKey); err != nil || !there {
		t.Errorf("the client that was mapped first is gone, %v", err)
	}
}

// TestAClientThatCannotBeMappedIsForAPerson: API-M answers HTTP 500, as it does while it loads a key manager.
func TestAClientThatCannotBeMappedIsForAPerson(t *testing.T) {
	s := start(t, nil)
	id, secret, err := bootstrap.Connect(s.client, s.settings).IS.RegisterClient(t.Context(), "one")
	must(t, err)
	for _, test := range []struct{ id, secret, message, hint string }{
		{id, "throwAway1", `map client "` + id + `" of WSO2-IS to application "Shop": API-M fails at each try: `, "or client_secret: "},
		{"throwAway2", string(secret), `IS has no client "throwAway2", which application "Shop" is to have`, "make the client in IS"},
	} {
		want := s.read(`applications: [{name: Shop, keys: [{type: PRODUCTION, client_id: `+test.id+`, client_secret: `+test.secret+`}]}]`, t.TempDir())
		s.amRequests.Reset()
		report := s.apply(want, Options{EventWait: 50 * time.Millisecond})
		if report.Failed() != 1 || !errors.Is(report.Err(), bootstrap.ErrPermanent) {
			t.Fatalf("%d failed: %v", report.Failed(), report.Err())
		}
		tries := 0
		for _, r := range s.amRequests.List() {
			if strings.HasSuffix(r.Path, "/map-keys") {
				tries++
			}
		}
		text, hints := remedy.Split(report.Outcomes[len(report.Outcomes)-1].Err)
		hint := strings.Join(hints, "; ")
		if !strings.HasPrefix(text, test.message) || !strings.Contains(hint, "correct client_id at ") || !strings.Contains(hint, "file.yaml:1:") || !strings.Contains(hint, test.hint) || tries <= mapTries {
			t.Errorf("after %d tries the error is %s\nhint: %s", tries, text, hint)
		}
		if strings.Contains(text+hint, test.secret) {
			t.Errorf("the error has the secret: %s", text)
		}
	}
}

// TestClientsAreMadeInSpiteOfFaults lets a part of all requests fail: without an effect, and with one whose answer gets lost.
func TestClientsAreMadeInSpiteOfFaults(t *testing.T) {
	s := start(t, attributes)
	want := s.read(clients, t.TempDir())
	s.makeAPIs(want)
	for _, faults := range []*wso2sim.Faults{s.amFaults, s.isFaults} {
		for _, fault := range []wso2sim.Fault{
			{Kind: wso2sim.FaultStatus, Status: 503}, {Kind: wso2sim.FaultStatus, Status: 500}, {Kind: wso2sim.FaultReset},
			{Kind: wso2sim.FaultReset, After: true}, {Kind: wso2sim.FaultHalf},
		} {
			fault.Probability = 0.045 // five of them: 20 %
			_, err := faults.Add(fault)
			must(t, err)
		}
	}
	report := s.apply(want, Options{EventWait: 20 * time.Millisecond})
	s.amFaults.Clear()
	s.isFaults.Clear()
	s.allMade(report)
	s.planned(want)
	s.holds(report, keysOfClients...)
}

// interrupted ends a run at a writing request: before it reaches the server, or when its answer is there.
type interrupted struct {
	http.RoundTripper
	mu     sync.Mutex
	left   int
	after  bool
	cancel context.CancelFunc
}

func (i *interrupted) RoundTrip(r *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if r.Method != http.MethodGet {
		i.left--
	}
	if i.left > 0 || r.Method == http.MethodGet {
		return i.RoundTripper.RoundTrip(r)
	}
	defer i.cancel()
	if i.after && i.left == 0 {
		if answer, err := i.RoundTripper.RoundTrip(r); err == nil {
			answer.Body.Close()
		}
	}
	return nil, context.Canceled
}

// twice sends each creating request twice, and returns the second answer.
type twice struct{ http.RoundTripper }

func (d twice) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPost {
		other := r.Clone(r.Context())
		body, err := r.GetBody()
		if err != nil {
			return nil, err
		}
		other.Body = body
		answer, err := d.RoundTripper.RoundTrip(other)
		if err != nil {
			return nil, err
		}
		answer.Body.Close()
	}
	return d.RoundTripper.RoundTrip(r)
}

// TestWhatAnotherRunHasJustMadeIsTaken: each object is made by somebody else between the plan and its creation.
func TestWhatAnotherRunHasJustMadeIsTaken(t *testing.T) {
	s := start(t, attributes)
	want := s.read(clients, t.TempDir())
	s.makeAPIs(want)
	s.client.Transport = twice{s.client.Transport}
	report := s.apply(want, Options{})
	s.allMade(report)
	s.planned(want)
	s.holds(report, keysOfClients...)
}

// TestARunThatEndsAnywhereIsFinishedByTheNext ends a run at each of its writing requests in turn.
func TestARunThatEndsAnywhereIsFinishedByTheNext(t *testing.T) {
	for _, after := range []bool{false, true} {
		s := start(t, attributes)
		want := s.read(clients, t.TempDir())
		s.makeAPIs(want)
		whole := *s.client
		for n := 1; ; n++ {
			ctx, cancel := context.WithCancel(t.Context())
			breaking := &interrupted{RoundTripper: whole.Transport, left: n, after: after, cancel: cancel}
			_, err := Run(ctx, slog.New(slog.DiscardHandler), actual.Connect(&http.Client{Transport: breaking}, s.settings), want, Options{})
			cancel()
			if breaking.left > 0 {
				must(t, err)
				if n != 22 {
					t.Errorf("a run had %d writing requests", n-1)
				}
				break
			}
			report := s.apply(want, Options{EventWait: 20 * time.Millisecond})
			s.allMade(report)
			s.planned(want)
			s.holds(report, keysOfClients...)
			if t.Failed() {
				t.Fatalf("the run ended at request %d, after its answer: %t", n, after)
			}
			s.removeClients(want)
		}
	}
}

// removeClients removes what the tests of this file make.
func (s *servers) removeClients(want plan.Wanted) {
	s.t.Helper()
	ctx, c, have := s.t.Context(), actual.Connect(s.client, s.settings), s.have(want)
	for _, app := range have.Applications {
		must(s.t, c.DevPortal.DeleteApplication(ctx, textOf(app.Object, "applicationId")))
	}
	for _, km := range have.KeyManagers {
		if km["name"] != bootstrap.ResidentKeyManager {
			must(s.t, c.Admin.DeleteKeyManager(ctx, textOf(km, "id")))
		}
	}
	for kind, all := range map[wso2.SCIMKind]map[string]plan.Object{wso2.SCIMUsers: have.Users, wso2.SCIMGroups: have.Groups, wso2.SCIMRoles: have.Roles} {
		for _, o := range all {
			must(s.t, c.SCIM.Delete(ctx, kind, wso2.Object{ID: textOf(o, "id")}))
		}
	}
}

// failure returns the error of the change of a kind, its hints among it; fails the test if it is made.
func (s *servers) failure(report Report, kind string) error {
	s.t.Helper()
	for _, o := range report.Outcomes {
		if o.Change.Kind == kind && o.Err != nil {
			return o.Err
		}
	}
	s.t.Fatalf("no %s has failed", kind)
	return nil
}

func (s *servers) says(err error, parts ...string) {
	s.t.Helper()
	message, hints := remedy.Split(err)
	for _, part := range parts {
		if !strings.Contains(message+"\n"+strings.Join(hints, "\n"), part) {
			s.t.Errorf("the error lacks %q: %s\nhints %q", part, message, hints)
		}
	}
}

// TestWhatAPersonMustChangeIsSaid: each of these failures is final, names the reason, and what to do.
func TestWhatAPersonMustChangeIsSaid(t *testing.T) {
	s := start(t, nil)
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "POST", Path: "/api/am/publisher/v4/apis", Status: 400})
	must(t, err)
	_, err = s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "POST", Path: "/api/am/publisher/v4/scopes", Status: 400})
	must(t, err)
	report := s.apply(s.read(`scopes: [{name: "orders:read"}]
identity_server: {roles: [{name: Clerk, permissions: ["orders:read"]}], groups: [{name: Staff, members: [nobody]}], users: [{username: ann, password: throwAway1, roles: [nothing]}]}
key_managers: [{name: Second, issuer: "`+s.am.Issuer()+`", well_known_endpoint: "https://other.example/oauth2/token/.well-known/openid-configuration", username: a, password: throwAway1}]
apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1"}]
applications: [{name: Shop, attributes: {team: sales}, subscriptions: [Orders], keys: []}, {name: Depot, throttling_policy: Nothing, keys: [{type: PRODUCTION}]}]`, t.TempDir()), Options{})
	s.says(s.failure(report, plan.KindGroup), `IS has no user "nobody"`, "add the user to the file")
	s.says(s.failure(report, plan.KindUser), `IS has no role "nothing"`, "add the role to the file")
	s.says(s.failure(report, plan.KindKeyManager), `key manager "Resident Key Manager" has the issuer`, "host name of its own")
	s.says(s.failure(report, plan.KindApplication), "has not stored the attributes team of application", "[[apim.devportal.application_attributes]]")
	for _, kind := range []string{plan.KindRole, plan.KindSubscription, plan.KindKey} {
		if err := s.failure(report, kind); !errors.Is(err, errNeeds) {
			t.Errorf("the %s failed with %v", kind, err)
		}
	}
	last := report.Outcomes[slices.IndexFunc(report.Outcomes, func(o Outcome) bool { return o.Change.Name == "Depot" })]
	s.says(last.Err, `no application policy "Nothing", only `, "10PerMin", "make the policy in the Admin Portal")
	if len(report.Keys) != 0 || report.IDs.Applications["Shop"] == "" {
		t.Errorf("%+v %+v", report.Keys, report.IDs)
	}
}

// A grant type that the key manager does not know is for a person, also where the key is there. A server that fails is not.
func TestAGrantTypeThatTheKeyManagerDoesNotKnowIsForAPerson(t *testing.T) {
	s := start(t, nil)
	const file = `applications: [{name: Shop, keys: [{type: PRODUCTION, grant_types: [client_credentials, "urn:ours"]}, {type: PRODUCTION, key_manager: Resident Key Manager, grant_types: ["urn:ours"]}]}]`
	known := strings.ReplaceAll(file, "urn:ours", "urn:ietf:params:oauth:grant-type:device_code")
	for _, before := range []string{"", known} {
		if before != "" {
			s.allMade(s.apply(s.read(before, t.TempDir()), Options{}))
		}
		report := s.apply(s.read(file, t.TempDir()), Options{EventWait: time.Millisecond})
		if report.Failed() != 2 {
			t.Fatalf("%d changes failed: %v", report.Failed(), report.Err())
		}
		for _, o := range report.Outcomes {
			if o.Err != nil {
				s.says(o.Err, "does not know the grant type urn:ours", "correct grant_types")
			}
		}
	}
	_, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "PUT", Path: "/api/am/devportal/v3/applications/*/oauth-keys/*", Status: 500, Count: 3})
	must(t, err)
	s.allMade(s.apply(s.read(strings.ReplaceAll(known, "client_credentials, ", ""), t.TempDir()), Options{}))
}

// API-M answers 404 for such a role, which is no object that is gone.
func TestARoleThatAKeyManagerIsForAndThatIsMissingIsForAPerson(t *testing.T) {
	s := start(t, nil)
	report := s.apply(s.read(`key_managers: [{name: Cloak, type: KeyCloak, well_known_endpoint: "https://kc.example/w", token_endpoint: "https://kc.example/t", revoke_endpoint: "https://kc.example/r",
  introspection_endpoint: "https://kc.example/i", client_registration_endpoint: "https://kc.example/c", issuer: "https://kc.example", username: c, password: throwAway1, permissions: {type: ALLOW, roles: [nothing]}}]`, t.TempDir()), Options{})
	s.says(s.failure(report, plan.KindKeyManager), `the file names role of the permissions "nothing"`, "correct the file")
}

// TestTheIssuerOfTheOwnKeyManagerIsCompared: IS may get another host name.
func TestTheIssuerOfTheOwnKeyManagerIsCompared(t *testing.T) {
	s := start(t, nil)
	want := s.read("gateway: {host: gw.example}", t.TempDir())
	// A plan can do without the issuer, and a new key manager cannot.
	_, err := s.isFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Path: "/oauth2/token/.well-known/openid-configuration", Status: 503, Count: 2})
	must(t, err)
	s.allMade(s.apply(want, Options{}))
	s.planned(want)
	have := s.have(want).KeyManagers["WSO2-IS"]
	issuer := textOf(have, "issuer")
	have["issuer"] = "https://former.example/oauth2/token"
	c := actual.Connect(s.client, s.settings)
	must(t, c.Admin.UpdateKeyManagerObject(t.Context(), textOf(have, "id"), have))
	s.planned(want, `update key manager WSO2-IS: issuer "https://former.example/oauth2/token" -> "`+issuer+`"`)
	s.allMade(s.apply(want, Options{}))
	s.planned(want)
}

// TestAKeyManagerThatIsNotRegisteredYetIsAwaited: API-M also answers so for one that it has not loaded, and has left nothing behind then.
func TestAKeyManagerThatIsNotRegisteredYetIsAwaited(t *testing.T) {
	left := 3
	s := start(t, func(o *wso2sim.Options) {
		wrap := o.Wrap
		o.Wrap = func(next http.Handler) http.Handler {
			return wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if !strings.HasSuffix(r.URL.Path, "/generate-keys") || left == 0 {
					next.ServeHTTP(w, r)
					return
				}
				left--
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(http.StatusBadRequest)
				io.WriteString(w, `{"code":901403,"message":"Key Manager not registered","description":"","moreInfo":"","error":[]}`)
			}))
		}
	})
	report := s.apply(s.read(oneKey, t.TempDir()), Options{})
	s.allMade(report)
	s.holds(report, "Shop PRODUCTION WSO2-IS")
	if left > 0 {
		t.Errorf("keys were requested %d times", 3-left)
	}
}

const oneKey = `applications: [{name: Shop, keys: [{type: PRODUCTION}]}]`

// TestKeysWaitForTheirKeyManager: API-M loads a key manager later than it answers, or never if it has lost the event.
func TestKeysWaitForTheirKeyManager(t *testing.T) {
	for _, lost := range []bool{false, true} {
		s := start(t, func(o *wso2sim.Options) {
			o.Delays.KeyManager = wso2sim.Span{Min: 100 * time.Millisecond, Max: 100 * time.Millisecond}
			if lost {
				o.Delays.LostEvent = 2 * time.Second // longer than a busy machine needs until the key manager is registered
			}
		})
		if lost {
			unusable := plan.KeyManagerBody(plan.IdentityServerKeyManager(s.settings.ISURL), nil)
			unusable["name"], unusable["displayName"], unusable["userInfoEndpoint"], unusable["issuer"] = "Unusable", "Unusable", "", "https://unusable.example"
			unusable["additionalProperties"].(map[string]any)["Username"], unusable["additionalProperties"].(map[string]any)["Password"] = "a", "throwAway1"
			_, err := actual.Connect(s.client, s.settings).Admin.CreateKeyManagerObject(t.Context(), unusable)
			must(t, err)
		}
		want := s.read(oneKey, t.TempDir())
		report := s.apply(want, Options{EventWait: 200 * time.Millisecond})
		s.allMade(report)
		s.holds(report, "Shop PRODUCTION WSO2-IS")
		if sent := s.amRequests.Counts()["PUT /api/am/admin/v4/key-managers/{id}"]; (sent > 0) != lost {
			t.Errorf("an event was lost: %t, and the key manager was sent again %d times", lost, sent)
		}
	}
}

// TestAKeyWhoseClientIsLostIsMadeAgain: API-M does not show such a key, and only its id from an earlier run can clear it. While IS answers
// API-M with errors, a key is not shown either, and stays.
func TestAKeyWhoseClientIsLostIsMadeAgain(t *testing.T) {
	s := start(t, nil)
	want := s.read(oneKey, t.TempDir())
	first := s.apply(want, Options{})
	s.allMade(first)
	wait := Options{EventWait: 20 * time.Millisecond}

	id, err := s.isFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: "/api/identity/oauth2/dcr/v1.1/register/*", Status: 500, Count: 9})
	must(t, err)
	known := wait
	known.Known = first.Keys
	report := s.apply(want, known)
	s.isFaults.Remove(id)
	s.allMade(report)
	if !slices.Equal(report.Keys, first.Keys) {
		t.Errorf("the key is %+v, not %+v", report.Keys, first.Keys)
	}

	must(t, bootstrap.Connect(s.client, s.settings).IS.DeleteClient(t.Context(), first.Keys[0].ConsumerKey))
	err = s.failure(s.apply(want, wait), plan.KindKey)
	s.says(err, `API-M has production keys of application "Shop" at key manager "WSO2-IS", and does not show them`, "delete the application in the Developer Portal")
	report = s.apply(want, known)
	s.allMade(report)
	s.planned(want)
	s.holds(report, "Shop PRODUCTION WSO2-IS")
	if report.Keys[0].ConsumerKey == first.Keys[0].ConsumerKey {
		t.Error("the key is the lost one")
	}
}

// TestTheRowOfAnotherRunIsLeftAlone: another run may be making its key, until it has lasted for a while.
func TestTheRowOfAnotherRunIsLeftAlone(t *testing.T) {
	s := start(t, nil)
	want := s.read(oneKey, t.TempDir())
	s.allMade(s.apply(s.read("applications: [{name: Shop, keys: []}]", t.TempDir()), Options{}))
	// A first token that fails leaves a client in IS. The clean-up of its row leaves it there too, and the next generation fails by its
	// name.
	c, have := actual.Connect(s.client, s.settings), s.have(want)
	app, manager := textOf(have.Applications["Shop"].Object, "applicationId"), textOf(have.KeyManagers["WSO2-IS"], "id")
	made, err := c.DevPortal.GenerateKeys(t.Context(), app, manager)
	must(t, err)
	must(t, c.DevPortal.CleanUpKeys(t.Context(), app, made.MappingID))
	if _, err := c.DevPortal.GenerateKeys(t.Context(), app, manager); err == nil {
		t.Fatal("the client is not in the way")
	}
	s.amRequests.Reset()
	report := s.rounds(want, 3)
	s.says(s.failure(report, plan.KindKey), "code 901409")
	if n := s.amRequests.Counts()["POST /api/am/devportal/v3/applications/{id}/oauth-keys/{mapping}/clean-up"]; n > 0 {
		t.Errorf("the row was cleared %d times", n)
	}
	report = s.apply(want, Options{EventWait: 20 * time.Millisecond})
	s.allMade(report)
	s.planned(want)
	s.holds(report, "Shop PRODUCTION WSO2-IS")
}

// rounds ends a run after so many rounds.
func (s *servers) rounds(want plan.Wanted, n int) Report {
	s.t.Helper()
	ctx, cancel := context.WithCancel(s.t.Context())
	defer cancel()
	report, err := Run(ctx, slog.New(slog.DiscardHandler), actual.Connect(s.client, s.settings), want, Options{
		RetryFirst: time.Millisecond, RetryMax: time.Millisecond, Record: owned.New(),
		Save: func() error {
			if n--; n == 0 {
				cancel()
			}
			return nil
		},
	})
	if err == nil || n > 0 {
		s.t.Fatalf("the run ended %d rounds too early: %v", n, err)
	}
	return report
}

// TestARunThatIsKilledWhileKeysAreMadeIsFinishedByTheNext ends a run while API-M waits for IS: for the client, and for its first token. It
// leaves a row without a client, and perhaps a client in IS.
func TestARunThatIsKilledWhileKeysAreMadeIsFinishedByTheNext(t *testing.T) {
	for _, fault := range []wso2sim.Fault{
		{Kind: wso2sim.FaultDelay, Path: "/api/identity/oauth2/dcr/v1.1/register", Method: "POST", Delay: wso2sim.Duration(time.Minute)},
		{Kind: wso2sim.FaultHang, Path: "/api/identity/oauth2/dcr/v1.1/register", Method: "POST", Delay: wso2sim.Duration(time.Minute)},
		{Kind: wso2sim.FaultReset, Path: "/api/identity/oauth2/dcr/v1.1/register", Method: "POST", After: true},
		{Kind: wso2sim.FaultHang, Path: "/oauth2/token", Delay: wso2sim.Duration(time.Minute)},
	} {
		s := start(t, nil)
		want := s.read(oneKey, t.TempDir())
		id, err := s.isFaults.Add(fault)
		must(t, err)
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			Run(ctx, slog.New(slog.DiscardHandler), actual.Connect(s.client, s.settings), want, Options{})
		}()
		for hits := 0; hits == 0; time.Sleep(time.Millisecond) {
			hits = s.isFaults.List()[0].Hits
		}
		cancel()
		<-ended
		s.isFaults.Remove(id)
		report := s.apply(want, Options{EventWait: 20 * time.Millisecond})
		s.allMade(report)
		s.planned(want)
		s.holds(report, "Shop PRODUCTION WSO2-IS")
	}
}

// TestWhatNeedsAnObjectThatWasNotMadeSaysSo: the next run makes both.
func TestWhatNeedsAnObjectThatWasNotMadeSaysSo(t *testing.T) {
	s := start(t, nil)
	_, err := s.isFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "POST", Path: "/scim2/Users", Status: 400, Count: 1})
	must(t, err)
	_, err = s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "POST", Path: "/api/am/admin/v4/key-managers", Status: 400, Count: 1})
	must(t, err)
	want := s.read(oneKey+"\nidentity_server: {users: [{username: ann, password: throwAway1, roles: [Clerk]}], groups: [{name: Staff, members: [ann]}], roles: [{name: Clerk, groups: [Staff]}]}", t.TempDir())
	report := s.apply(want, Options{})
	for _, kind := range []string{plan.KindGroup, plan.KindRole, plan.KindKey} {
		if err := s.failure(report, kind); !errors.Is(err, errNeeds) {
			t.Errorf("the %s failed with %v", kind, err)
		}
	}
	s.planned(want, "create key manager WSO2-IS", "create user ann", "create group Staff", "update role Clerk: groups [] -> [\"staff\"]", "create key production of key manager WSO2-IS of application Shop")
	s.allMade(s.apply(want, Options{}))
	s.planned(want)
}

// TestAnApplicationThatWaitsForApprovalHasNoKeys: the run ends, because a person may take days, and the next one goes on.
func TestAnApplicationThatWaitsForApprovalHasNoKeys(t *testing.T) {
	approved := make(chan struct{})
	s := start(t, func(o *wso2sim.Options) {
		wrap := o.Wrap
		o.Wrap = func(next http.Handler) http.Handler {
			return wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				answer := httptest.NewRecorder()
				next.ServeHTTP(answer, r)
				text := answer.Body.Bytes()
				select {
				case <-approved:
				default:
					text = bytes.ReplaceAll(text, []byte(`"status":"APPROVED"`), []byte(`"status":"CREATED"`))
				}
				maps.Copy(w.Header(), answer.Header())
				w.WriteHeader(answer.Code)
				w.Write(text)
			}))
		}
	})
	want := s.read(oneKey, t.TempDir())
	report := s.apply(want, Options{})
	if err := report.failure(t.Context(), nil); !errors.Is(err, bootstrap.ErrPermanent) || !errors.Is(err, bootstrap.ErrApproval) {
		t.Errorf("the run ends with %v", err)
	}
	s.says(s.failure(report, plan.KindApplication), `application "Shop" is not approved: its status is CREATED`, "under Tasks")
	if n := s.amRequests.Counts()["POST /api/am/devportal/v3/applications/{id}/generate-keys"]; n > 0 {
		t.Errorf("keys were generated %d times", n)
	}
	close(approved)
	s.allMade(s.apply(want, Options{}))
}

// TestAClientOfTheFormerUserIsMadeAgain: API-M has another user for its key manager, and makes clients with the former one for a moment.
func TestAClientOfTheFormerUserIsMadeAgain(t *testing.T) {
	for _, former := range []int{0, 2, 1 << 30} { // how many clients belong to the former user
		s := start(t, nil)
		s.bootstrap(`apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1"}]`)
		s.amRequests.Reset()
		seen := 0
		behind := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
			answer, err := s.client.Transport.RoundTrip(r)
			if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/dcr/v1.1/register/") {
				return answer, err
			}
			if seen++; seen <= former {
				text, err := io.ReadAll(answer.Body)
				must(t, err)
				answer.Body = io.NopCloser(bytes.NewReader(bytes.Replace(text, []byte(`"ext_application_owner":"admin`), []byte(`"ext_application_owner":"former`), 1)))
			}
			return answer, nil
		})}
		var log strings.Builder
		report, err := Run(t.Context(), slog.New(slog.NewTextHandler(&log, nil)), actual.Connect(behind, s.settings), s.read(oneKey, t.TempDir()),
			Options{RetryFirst: time.Millisecond, RetryMax: time.Millisecond, EventWait: 500 * time.Millisecond})
		must(t, err)
		s.allMade(report)
		deleted := s.amRequests.Counts()["DELETE /api/am/devportal/v3/applications/{id}/oauth-keys/{mapping}"]
		if warned := strings.Contains(log.String(), "belongs to another user"); former < 3 && deleted != former || former > 3 && deleted == 0 || warned != (former > 3) {
			t.Errorf("of %d clients with the former user, %d are deleted; a warning: %t", former, deleted, warned)
		}
		if len(report.Keys) != 1 || report.Keys[0].ConsumerKey == "" {
			t.Errorf("the keys are %v", report.Keys)
		}
	}
}

// TestAClientOfTheFormerUserDoesNotStayUnnoticed: a request of the look at the owner, or of the deletion, fails.
func TestAClientOfTheFormerUserDoesNotStayUnnoticed(t *testing.T) {
	const keys = "/api/am/devportal/v3/applications/*"
	for _, tc := range []struct {
		name     string
		am, is   wso2sim.Fault
		wait     time.Duration
		deleted  bool
		failures int
		hidden   int // lists of keys after the generation that do not have the key
	}{
		{name: "the look fails four times", is: wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Count: wso2.ReadTries}, wait: time.Minute, deleted: true},
		{name: "the deletion fails once", am: wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: "DELETE", Path: keys + "/oauth-keys/*", Count: 1}, wait: time.Minute, deleted: true},
		{name: "the deletion always fails", am: wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: "DELETE", Path: keys + "/oauth-keys/*"}, wait: 100 * time.Millisecond, failures: 1},
		{name: "the answer of the generation is lost", am: wso2sim.Fault{Kind: wso2sim.FaultReset, After: true, Method: "POST", Path: keys + "/generate-keys", Count: 1}, wait: time.Minute, deleted: true},
		{name: "the answer of the generation is lost, and API-M shows the key later", am: wso2sim.Fault{Kind: wso2sim.FaultReset, After: true, Method: "POST", Path: keys + "/generate-keys", Count: 1},
			wait: time.Minute, deleted: true, hidden: 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s := start(t, nil)
			s.bootstrap(`apis: [{name: Orders, version: "1", context: /orders, backend_url: "http://a:1"}]`)
			if tc.am.Kind != "" {
				_, err := s.amFaults.Add(tc.am)
				must(t, err)
			}
			if tc.is.Kind != "" {
				tc.is.Method, tc.is.Path = "GET", "/api/identity/oauth2/dcr/v1.1/register/*"
				_, err := s.isFaults.Add(tc.is)
				must(t, err)
			}
			var mu sync.Mutex              // for these two and tc.hidden
			former, generated := "", false // the first client that IS shows
			behind := &http.Client{Transport: roundTripper(func(r *http.Request) (*http.Response, error) {
				answer, err := s.client.Transport.RoundTrip(r)
				mu.Lock()
				defer mu.Unlock()
				generated = generated || strings.HasSuffix(r.URL.Path, "/generate-keys")
				if generated && tc.hidden > 0 && strings.HasSuffix(r.URL.Path, "/oauth-keys") && err == nil {
					tc.hidden--
					answer.Body.Close()
					answer.Body = io.NopCloser(strings.NewReader(`{"list":[]}`))
				}
				if err != nil || r.Method != http.MethodGet || !strings.Contains(r.URL.Path, "/dcr/v1.1/register/") || answer.StatusCode != http.StatusOK {
					return answer, err
				}
				if former == "" {
					former = path.Base(r.URL.Path)
				}
				if former == path.Base(r.URL.Path) {
					text, err := io.ReadAll(answer.Body)
					must(t, err)
					answer.Body = io.NopCloser(bytes.NewReader(bytes.Replace(text, []byte(`"ext_application_owner":"admin`), []byte(`"ext_application_owner":"former`), 1)))
				}
				return answer, nil
			})}
			report, err := Run(t.Context(), slog.New(slog.DiscardHandler), actual.Connect(behind, s.settings), s.read(oneKey, t.TempDir()),
				Options{RetryFirst: time.Millisecond, RetryMax: time.Millisecond, EventWait: tc.wait})
			must(t, err)
			mu.Lock()
			defer mu.Unlock()
			if report.Failed() != tc.failures {
				t.Errorf("%d changes failed: %v", report.Failed(), report.Outcomes)
			}
			if tc.failures > 0 {
				s.says(s.failure(report, plan.KindKey), former, "belongs to former@carbon.super", "km clients renew")
			}
			if found, err := s.clients().IS.HasClient(t.Context(), former); err != nil || former == "" || found == tc.deleted {
				t.Errorf("IS has client %q of the former user: %t, %v", former, found, err)
			}
			if tc.deleted && (len(report.Keys) != 1 || report.Keys[0].ConsumerKey == former) {
				t.Errorf("the keys are %v", report.Keys)
			}
		})
	}
}

// TestAKeyManagerOfPingFederateIsMade: its connector has an account of an administrator next to the client.
func TestAKeyManagerOfPingFederateIsMade(t *testing.T) {
	s := start(t, nil)
	s.settings.SkipKeyManager, s.settings.KeyManagerName = true, "Resident Key Manager"
	want := s.read(`key_managers:
- {name: Ping, type: PingFederate, issuer: "https://p.example", token_endpoint: "https://p.example/t", revoke_endpoint: "https://p.example/r",
   introspection_endpoint: "https://p.example/i", client_registration_endpoint: "https://p.example/c", username: client, password: throwAway1,
   additional_properties: {username: administrator, password: throwAway2}}
applications: [{name: Shop, keys: []}]
`, t.TempDir())
	s.allMade(s.apply(want, Options{}))
	s.planned(want)
	properties, _ := s.have(want).KeyManagers["Ping"]["additionalProperties"].(map[string]any)
	if properties["username"] != "administrator" || properties["client_id"] != "client" {
		t.Errorf("the connector has %v", properties)
	}
}
