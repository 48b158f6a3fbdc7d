package dump

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/desired"
	"wso2agent/internal/lease"
	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2sim"
)

// everything has each kind of object, fields that the servers store in another form, and values that are not those of a new object. Each
// secret is throwAway1.
const everything = `
key_managers:
  - {name: WSO2-IS, display_name: Login, grant_types: [client_credentials, authorization_code]}
  - {name: Cloak, type: KeyCloak, well_known_endpoint: "https://kc.example/w", token_endpoint: "https://kc.example/t", revoke_endpoint: "https://kc.example/r",
     introspection_endpoint: "https://kc.example/i", client_registration_endpoint: "https://kc.example/c", issuer: "https://kc.example", username: c, password: throwAway1,
     description: Others, jwks_endpoint: "https://kc.example/j", scopes_claim: scp, self_validation: false, token_type: BOTH, map_existing_apps: false,
     claim_mapping: [{remote: mail, local: email}], permissions: {type: ALLOW, roles: [admin]}, additional_properties: {realm.name: ours, api_key: throwAway1, flag: "true"}}
scopes:
  - {name: "orders:read", display_name: Read orders, description: "May $${NOTHING} read", roles: [admin, Internal/creator]}
  - {name: unused}
identity_server:
  users:
    - {username: Ann, password: throwAway1, email: ann@example.com, given_name: Ann, family_name: Example, roles: [Clerk]}
    - {username: bob, password: throwAway1}
  groups: [{name: Staff, members: [Ann, bob]}]
  roles: [{name: Clerk, permissions: ["orders:read"], groups: [Staff]}]
apis:
  - name: Orders
    version: 1.0.0
    context: /orders
    description: "Takes orders: \"all\" of them\nand more"
    default_version: true
    tags: [b, a]
    business_information: {business_owner: Anna, business_owner_email: anna@example.com, technical_owner: Tom, technical_owner_email: tom@example.com}
    additional_properties: [{name: team, value: sales, display: true}, {name: cost, value: "12"}]
    visibility: RESTRICTED
    visible_roles: [Internal/subscriber]
    access_control: RESTRICTED
    access_control_roles: [Internal/creator]
    policies: [Gold, Unlimited]
    throttling_policy: 10KPerMin
    rate_limits: {production: 100, unit: MINUTE}
    response_caching: {enabled: true, timeout: 60}
    cors: {enabled: true, allow_origins: ['https://b', 'https://a'], allow_methods: [GET], allow_credentials: true}
    transports: [https]
    security_schemes: [oauth2, api_key]
    authorization_header: X-Auth
    api_key_header: X-Key
    key_managers: [WSO2-IS]
    schema_validation: true
    scopes: ["orders:read", {name: "orders:write", local: true, description: Writes, display_name: Write, roles: [admin]}]
    operations: [{target: /z, verb: POST, throttling_policy: 10KPerMin, scopes: ["orders:write", "orders:read"]}, {target: /a, verb: GET, auth: None}, {target: /b, verb: GET, auth: Application}]
    endpoints:
      production: {url: 'https://a:1', timeout: 90s, security: {type: BASIC, username: u, password: throwAway1}}
      sandbox: {url: 'http://s:1', timeout: 1500ms, timeout_action: discard, retries: 3, retry_delay: 2s, retry_codes: [101503, 101504], suspend: {codes: [101505], initial: 5m, maximum: 1h, factor: 2},
        security: {type: OAUTH, token_url: "https://t.example/t", grant_type: PASSWORD, client_id: c, client_secret: throwAway1, username: v, password: throwAway1}}
    environments: [{name: Default, vhost: localhost}]
    documents:
      - {name: Guide, summary: How, content: "# Orders $${X}\n\nText\n", format: MARKDOWN}
      - {name: File, summary: More, file: "a guide.txt", type: OTHER, other_type: Tale}
      - {name: Elsewhere, summary: Far, url: "https://docs.example/orders", type: SAMPLES, visibility: OWNER_ONLY}
    endpoint_certificates: [{alias: orders, endpoint: "https://a:1", file: backend.pem}]
  - {name: Balanced, version: 1.0.0, context: /balanced, endpoints: {type: load_balance, session_management: soap,
     production: {urls: ["http://b:1", "http://a:1"], security: {type: APIKEY, key_name: k, key_value: throwAway1, key_in: QUERY_PARAMETER}}, sandbox: null}}
  - {name: Failing, version: 1.0.0, context: /failing, endpoints: {type: failover, production: {urls: ["http://b:1", "http://a:1"], timeout: 1h}}}
  - {name: Dynamic, version: 1.0.0, context: /dynamic, endpoints: {type: default}}
  - {name: Plain, version: 1.0.0, context: /plain, backend_url: "http://a:1"}
  - {name: Chat, version: "1", context: /chat, type: WS, backend_url: "ws://a:1", lifecycle: DEPRECATED}
  - {name: Events, version: "1", context: /events, type: SSE, backend_url: "http://a:1"}
  - {name: Draft, version: "1", context: /draft, lifecycle: CREATED}
  - {name: Prototype, version: "2", context: /prototype, lifecycle: PROTOTYPED, backend_url: "http://a:1"}
applications:
  - name: Shop
    description: Sells
    throttling_policy: 10PerMin
    groups: [b, a]
    subscriptions: [{api_name: Orders, throttling_policy: Gold}, Plain]
    keys:
      - {type: PRODUCTION, grant_types: [client_credentials, authorization_code], callbacks: ["https://b.example/cb", "https://a.example/cb"],
         application_token_lifetime: 900, user_token_lifetime: 901, refresh_token_lifetime: 902, id_token_lifetime: 903, pkce_mandatory: true, pkce_plain: true, public_client: true}
      - {type: SANDBOX}
  - {name: Idle, keys: []}
`

// files makes the files that the example names, and returns their folder.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "a guide.txt"), []byte("How to order"), 0o600))
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"a"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "backend.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	return dir
}

// dump dumps both servers into a folder, and returns it with the result.
func (s *servers) dump(o Options) (Result, string) {
	s.t.Helper()
	folder := s.t.TempDir()
	o.Save = func(path string, data []byte) error {
		must(s.t, os.MkdirAll(filepath.Dir(filepath.Join(folder, path)), 0o755))
		return os.WriteFile(filepath.Join(folder, path), data, 0o600)
	}
	return s.dumpWith(o), folder
}

func (s *servers) dumpWith(o Options) Result {
	s.t.Helper()
	want, err := actual.Want(s.t.Context(), &desired.File{}, s.settings)
	must(s.t, err)
	r, err := From(s.t.Context(), actual.Connect(s.client, s.settings), want, o)
	must(s.t, err)
	return r
}

// unchanged fails the test unless a plan of a dump is empty.
func (s *servers) unchanged(r Result, folder string) {
	s.t.Helper()
	if len(r.YAML) == 0 {
		s.t.Fatal("the dump is empty")
	}
	s.planned(s.read(string(r.YAML), folder))
	if s.t.Failed() {
		s.t.Logf("the dump is\n%s", r.YAML)
	}
}

// TestADumpOfEverythingChangesNothing dumps servers with one of everything, and plans the dump. The lease of a run is no part of it.
func TestADumpOfEverythingChangesNothing(t *testing.T) {
	s := start(t, nil)
	s.create(s.read(everything, files(t)))
	_, release, _, err := lease.Acquire(t.Context(), actual.Connect(s.client, s.settings).DevPortal, "another run", slog.New(slog.DiscardHandler))
	must(t, err)
	defer release()
	r, folder := s.dump(Options{Identity: true})
	s.unchanged(r, folder)
	golden(t, "testdata/everything.yaml", strings.ReplaceAll(string(r.YAML), s.settings.ISURL, "https://wso2is:9443"))
	again, _ := s.dump(Options{Identity: true})
	if string(again.YAML) != string(r.YAML) {
		t.Errorf("the second dump is\n%s\nand the first was\n%s", again.YAML, r.YAML)
	}
	if strings.Contains(string(r.YAML), "throwAway1") {
		t.Errorf("the dump has a secret:\n%s", r.YAML)
	}
	if text, err := os.ReadFile(filepath.Join(folder, "documents/Orders-1.0.0/File/a guide.txt")); err != nil || string(text) != "How to order" {
		t.Errorf("the file of the document is %q, %v", text, err)
	}
}

func golden(t *testing.T, path, got string) {
	t.Helper()
	if os.Getenv("UPDATE") != "" {
		must(t, os.WriteFile(path, []byte(got), 0o644))
	}
	text, err := os.ReadFile(path)
	must(t, err)
	if string(text) != got {
		t.Errorf("the dump is\n%s\nand should be as in %s", got, path)
	}
}

// TestADumpOfEachShapeChangesNothing dumps what the agent has made of an example of each shape: a bootstrap, or for what a bootstrap does
// not apply yet, the clients.
func TestADumpOfEachShapeChangesNothing(t *testing.T) {
	for _, test := range []struct {
		path  string
		apply func(s *servers, text, folder string)
		has   string
	}{
		{"../../examples/api-config.yaml", bootstrapped, "- api_name: NotificationAPI\n        throttling_policy: Bronze\n"},
		{"../desired/testdata/shapes/a.yaml", bootstrapped, "version: \"1.2\"\n"},
		{"../desired/testdata/shapes/b.yaml", bootstrapped, "throttling_policy: 50PerMin\n"},
		{"../desired/testdata/shapes/c.yaml", created, "description: The web shop\n"},
		{"../desired/testdata/shapes/d.yaml", created, "schema: schemas/Catalogue-1.0.0.graphql\n"},
	} {
		t.Run(filepath.Base(test.path), func(t *testing.T) {
			text, err := os.ReadFile(test.path)
			must(t, err)
			s := start(t, nil)
			test.apply(s, string(text), filepath.Dir(test.path))
			r, folder := s.dump(Options{})
			s.unchanged(r, folder)
			if len(r.LeftOut) > 0 || !strings.Contains(string(r.YAML), test.has) {
				t.Errorf("the dump lacks %q, or leaves something out:\n%s", test.has, r.YAML)
			}
		})
	}
}

func bootstrapped(s *servers, text, _ string) { s.bootstrap(text) }

func created(s *servers, text, folder string) { s.create(s.read(text, folder)) }

// TestASelectionBringsWhatItNeeds: an application brings the APIs to which it subscribes and the key managers of its keys, and an API its
// shared scopes. A plan of the selection is empty too.
func TestASelectionBringsWhatItNeeds(t *testing.T) {
	s := start(t, nil)
	s.create(s.read(everything, files(t)))
	for _, test := range []struct {
		o    Options
		want []string
	}{
		{Options{APIs: []string{"Plain", "Chat"}}, []string{"Chat", "Plain", "WSO2-IS"}},
		{Options{APIs: []string{"Orders"}}, []string{"Orders", "orders:read", "WSO2-IS"}},
		{Options{Applications: []string{"Idle"}}, []string{"Idle", "WSO2-IS"}},
		{Options{Applications: []string{"Shop"}}, []string{"Orders", "Plain", "orders:read", "Shop", "WSO2-IS"}},
		{Options{APIs: []string{"Chat"}, Applications: []string{"Idle"}}, []string{"Chat", "Idle", "WSO2-IS"}},
	} {
		r, folder := s.dump(test.o)
		s.unchanged(r, folder)
		var got []string
		for line := range strings.Lines(string(r.YAML)) {
			if name, is := strings.CutPrefix(line, "  - name: "); is {
				got = append(got, strings.TrimSpace(name))
			}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("the dump of %v has %q, not %q", test.o, got, test.want)
		}
	}
	want, err := actual.Want(s.t.Context(), &desired.File{}, s.settings)
	must(t, err)
	for _, o := range []Options{{APIs: []string{"Order"}}, {Applications: []string{"Shops"}}} {
		_, err := From(t.Context(), actual.Connect(s.client, s.settings), want, o)
		if _, hints := remedy.Split(err); !errors.Is(err, ErrUnknown) || len(hints) != 1 || !strings.HasPrefix(hints[0], "did you mean") {
			t.Errorf("the dump of %v fails with %v, %q", o, err, hints)
		}
	}
}

// TestADumpOfNewServersIsEmpty: what the products bring is no part of a file.
func TestADumpOfNewServersIsEmpty(t *testing.T) {
	s := start(t, nil)
	r := s.dumpWith(Options{Identity: true})
	s.planned(s.read(string(r.YAML), t.TempDir()), "create key manager WSO2-IS")
	if strings.Contains(string(r.YAML), ":\n  ") || len(r.Variables) > 0 || !slices.Equal(r.LeftOut, []string{"key manager WSO2-IS: API-M does not have it, so a plan of any file creates it"}) {
		t.Errorf("the dump is\n%s", r.YAML)
	}
}

// TestTheKeyManagerOfAPIMCountsIfSomebodyHasChangedIt: of it, the file has what differs.
func TestTheKeyManagerOfAPIMCountsIfSomebodyHasChangedIt(t *testing.T) {
	s := start(t, nil)
	c := actual.Connect(s.client, s.settings).Admin
	list, err := c.KeyManagers(t.Context())
	must(t, err)
	km, err := c.KeyManagerObject(t.Context(), list[0].ID)
	must(t, err)
	km.Fields["description"], km.Fields["availableGrantTypes"] = "Ours", []any{"client_credentials"}
	must(t, c.UpdateKeyManagerObject(t.Context(), km.ID, km.Fields))
	r := s.dumpWith(Options{})
	want := "key_managers:\n  - name: Resident Key Manager\n    description: Ours\n    grant_types: [client_credentials]\n"
	if !strings.HasSuffix(string(r.YAML), "\n\n"+want) {
		t.Errorf("the dump is\n%s", r.YAML)
	}
	s.settings.SkipKeyManager, s.settings.KeyManagerName = true, bootstrap.ResidentKeyManager // else a plan registers IS
	s.unchanged(s.dumpWith(Options{}), t.TempDir())
}

// counting counts the requests that are on their way.
type counting struct {
	http.RoundTripper
	now, most atomic.Int32
}

func (c *counting) RoundTrip(r *http.Request) (*http.Response, error) {
	now := c.now.Add(1)
	defer c.now.Add(-1)
	for most := c.most.Load(); now > most && !c.most.CompareAndSwap(most, now); most = c.most.Load() {
	}
	return c.RoundTripper.RoundTrip(r)
}

// TestADumpMakesFewRequestsAtATime: at most eight, and a failure names the object.
func TestADumpMakesFewRequestsAtATime(t *testing.T) {
	s := start(t, nil)
	s.create(s.read(everything, files(t)))
	c := &counting{RoundTripper: s.client.Transport}
	s.client.Transport = c
	r := s.dumpWith(Options{Identity: true})
	if most := c.most.Load(); len(r.YAML) == 0 || most > 8 || most < 2 {
		t.Errorf("%d requests were made at a time", most)
	}
	want, err := actual.Want(s.t.Context(), &desired.File{}, s.settings)
	must(t, err)
	for path, part := range map[string]string{
		"admin/v4/key-managers": "list key managers", "admin/v4/key-managers/*": `read key manager "`,
		"publisher/v4/apis": "list APIs", "publisher/v4/apis/*": `read API "`, "publisher/v4/apis/*/revisions": `read the deployments of API "`,
		"publisher/v4/apis/*/documents": `read the documents of API "`, "publisher/v4/apis/*/documents/*/content": `read document "Guide" of API "Orders" 1.0.0: `,
		"publisher/v4/endpoint-certificates": "list endpoint certificates", "publisher/v4/endpoint-certificates/*/content": `read endpoint certificate "orders": `,
		"devportal/v3/applications": "list applications", "devportal/v3/applications/*": `read application "`,
	} {
		id, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: "/api/am/" + path, Status: 503})
		must(t, err)
		_, err = From(t.Context(), actual.Connect(s.client, s.settings), want, Options{})
		if err == nil || !strings.HasPrefix(err.Error(), part) || !strings.Contains(err.Error(), "HTTP 503") {
			t.Errorf("a failure of %s is %v", path, err)
		}
		s.amFaults.Remove(id)
	}
}
