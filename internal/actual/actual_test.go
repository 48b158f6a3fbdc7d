package actual

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/desired"
	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// everything has each kind of object, and fields that the servers store in another form.
const everything = `
key_managers:
  - {name: Cloak, type: KeyCloak, well_known_endpoint: "https://kc.example/w", token_endpoint: "https://kc.example/t", revoke_endpoint: "https://kc.example/r",
     introspection_endpoint: "https://kc.example/i", client_registration_endpoint: "https://kc.example/c", issuer: "https://kc.example", username: c, password: throwAway1}
scopes:
  - {name: "orders:read", display_name: Read orders, description: May read, roles: [admin, Internal/creator]}
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
    description: Takes orders
    tags: [b, a]
    business_information: {business_owner: Anna, technical_owner: Tom}
    additional_properties: [{name: team, value: sales, display: true}]
    visibility: RESTRICTED
    visible_roles: [Internal/subscriber]
    access_control: RESTRICTED
    access_control_roles: [Internal/creator]
    rate_limits: {production: 100, unit: MINUTE}
    response_caching: {enabled: true, timeout: 60}
    cors: {enabled: true, allow_origins: ['https://b', 'https://a']}
    scopes: ["orders:read", {name: "orders:write", local: true, roles: [admin]}]
    operations: [{target: /z, verb: POST, scopes: ["orders:write", "orders:read"]}, {target: /a, verb: GET, auth: None}]
    endpoints:
      production: {url: 'http://a:1', timeout: 30s, security: {type: BASIC, username: u, password: throwAway1}}
      sandbox: {url: 'http://s:1'}
    environments: [{name: Default, vhost: localhost}]
    documents:
      - {name: Guide, summary: How, content: "# Orders", format: MARKDOWN}
      - {name: File, summary: More, file: guide.txt}
      - {name: Elsewhere, summary: Far, url: "https://docs.example/orders", type: SAMPLES}
    endpoint_certificates: [{alias: orders, endpoint: "https://a:1", file: backend.pem}]
  - {name: Chat, version: "1", context: /chat, type: WS, backend_url: "ws://a:1", lifecycle: DEPRECATED}
  - {name: Draft, version: "1", context: /draft, lifecycle: CREATED}
applications:
  - name: Shop
    description: Sells
    throttling_policy: 10PerMin
    groups: [b, a]
    subscriptions: [{api_name: Orders, throttling_policy: Gold}]
    keys:
      - {type: PRODUCTION, grant_types: [client_credentials, authorization_code], callbacks: ["https://b.example/cb", "https://a.example/cb"],
         application_token_lifetime: 900, pkce_mandatory: true}
      - {type: SANDBOX, application_token_lifetime: 800}
`

// files makes the files that the example names, and returns their folder.
func files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "guide.txt"), []byte("How to order"), 0o600))
	must(t, os.WriteFile(filepath.Join(dir, "backend.pem"), certificate(t), 0o600))
	return dir
}

// certificate makes a certificate in PEM.
func certificate(t *testing.T) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"a"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// TestWhatIsMadeIsNoDifferenceAnyMore plans an example with every kind of object before it is made, after it, and after changes by hand.
func TestWhatIsMadeIsNoDifferenceAnyMore(t *testing.T) {
	s := start(t, nil)
	folder := files(t)
	want := s.read(everything, folder)
	s.planned(want,
		"create key manager WSO2-IS", "create key manager Cloak", "create shared scope orders:read", "create endpoint certificate orders",
		"create API Orders 1.0.0", "create document Guide of API Orders 1.0.0", "create document File of API Orders 1.0.0",
		"create document Elsewhere of API Orders 1.0.0", "create API Chat 1", "create API Draft 1",
		"create user Ann", "create user bob", "create group Staff", "create role Clerk", "create application Shop", "create subscription to API Orders 1.0.0 of application Shop",
		"create key production of key manager WSO2-IS of application Shop", "create key sandbox of key manager WSO2-IS of application Shop",
	)
	s.create(want)
	s.planned(want)

	t.Run("a failure names the object", func(t *testing.T) { s.failuresAreNamed(want) })
	t.Run("changes by hand are differences", func(t *testing.T) {
		s.changeByHand(want)
		must(t, os.WriteFile(filepath.Join(folder, "backend.pem"), certificate(t), 0o600))
		changed := s.read(everything, folder)
		file := desired.PathOf(changed.File.APIs.Value[0].Value.Certificates.Value[0].Value.File)
		s.planned(changed,
			`update key manager Cloak: token_endpoint "https://kc.example/other" -> "https://kc.example/t"`,
			`update shared scope orders:read: description "Other" -> "May read", roles ["admin"] -> ["Internal/creator","admin"]`,
			`update endpoint certificate orders: file "`+want.Fingerprints[file]+`" -> "`+changed.Fingerprints[file]+`"`,
			`update API Orders 1.0.0: description "Other" -> "Takes orders", tags ["a"] -> ["a","b"], environments {} -> {"Default":"localhost"}`,
			`update document Guide of API Orders 1.0.0: content "7 bytes, sha256 5b31751d7ad9" -> "8 bytes, sha256 ea12bbb19fb1"`,
			`update document File of API Orders 1.0.0: summary "Other" -> "More"`,
			`update API Draft 1: lifecycle "PROTOTYPED" -> "CREATED"`,
			`update user Ann: family_name "Other" -> "Example"`,
			`update group Staff: members ["ann"] -> ["ann","bob"]`,
			`update role Clerk: groups [] -> ["staff"]`,
			`update application Shop: groups ["c"] -> ["a","b"]`,
			`update subscription to API Orders 1.0.0 of application Shop: throttling_policy "Unlimited" -> "Gold"`,
			`create key sandbox of key manager WSO2-IS of application Shop`,
		)
	})
}

// failuresAreNamed makes API-M fail at each of the requests, one after the other.
func (s *servers) failuresAreNamed(want plan.Wanted) {
	for path, part := range map[string]string{
		"admin/v4/key-managers":                        "list key managers",
		"admin/v4/key-managers/*":                      `read key manager "`,
		"publisher/v4/scopes":                          "list shared scopes",
		"publisher/v4/apis":                            "list APIs",
		"publisher/v4/apis/*":                          `read API "`,
		"publisher/v4/apis/*/revisions":                `read the deployments of API "`,
		"publisher/v4/apis/*/documents":                `read the documents of API "Orders" 1.0.0: `,
		"publisher/v4/apis/*/documents/*/content":      `read document "Guide" of API "Orders" 1.0.0: `,
		"publisher/v4/endpoint-certificates":           "list endpoint certificates",
		"publisher/v4/endpoint-certificates/*/content": `read endpoint certificate "orders": `,
		"devportal/v3/applications":                    "list applications",
		"devportal/v3/applications/*":                  `read application "Shop": `,
		"devportal/v3/subscriptions":                   `read the subscriptions of application "Shop": `,
		"devportal/v3/applications/*/oauth-keys":       `read the keys of application "Shop": `,
	} {
		id, err := s.amFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Method: "GET", Path: "/api/am/" + path, Status: 503})
		must(s.t, err)
		_, err = Read(s.t.Context(), Connect(s.client, s.settings), want)
		if err == nil || !strings.HasPrefix(err.Error(), part) || !strings.Contains(err.Error(), "HTTP 503") {
			s.t.Errorf("a failure of %s is %v", path, err)
		}
		s.amFaults.Remove(id)
	}
}

// changeByHand changes one field or more of an object of each kind, as somebody does in a portal.
func (s *servers) changeByHand(want plan.Wanted) {
	s.t.Helper()
	ctx, c, have := s.t.Context(), Connect(s.client, s.settings), s.have(want)
	change := func(o plan.Object, fields string) plan.Object {
		s.t.Helper()
		must(s.t, json.Unmarshal([]byte(fields), &o))
		return o
	}
	id := func(o plan.Object, key string) string { return o[key].(string) }
	km := have.KeyManagers["Cloak"]
	must(s.t, c.Admin.UpdateKeyManagerObject(ctx, id(km, "id"), change(km, `{"tokenEndpoint":"https://kc.example/other"}`)))
	scope := have.Scopes["orders:read"]
	_, err := c.Publisher.UpdateSharedScope(ctx, id(scope, "id"), change(scope, `{"description":"Other","bindings":["admin"]}`))
	must(s.t, err)
	user := have.Users["bob"]
	must(s.t, c.SCIM.Patch(ctx, wso2.SCIMGroups, wso2.Object{ID: id(have.Groups["Staff"], "id")}, []wso2.Change{{Op: "remove", Path: `members[value eq "` + id(user, "id") + `"]`}}))
	must(s.t, c.SCIM.Patch(ctx, wso2.SCIMRoles, wso2.Object{ID: id(have.Roles["Clerk"], "id")}, []wso2.Change{{Op: "replace", Path: "groups", Value: []any{}}}))
	must(s.t, c.SCIM.Patch(ctx, wso2.SCIMUsers, wso2.Object{ID: id(have.Users["Ann"], "id")}, []wso2.Change{{Op: "replace", Value: map[string]any{"name": map[string]any{"familyName": "Other"}}}}))
	api := have.APIs[plan.APIName{Name: "Orders", Version: "1.0.0"}]
	apiID := id(api.Object, "id")
	_, err = c.Publisher.UpdateAPIObject(ctx, apiID, change(api.Object, `{"description":"Other","tags":["a"]}`))
	must(s.t, err)
	guide := api.Documents["Guide"].Object
	must(s.t, c.Publisher.WriteText(ctx, apiID, id(guide, "documentId"), "# Other"))
	_, err = c.Publisher.UpdateDocument(ctx, apiID, id(api.Documents["File"].Object, "documentId"), change(api.Documents["File"].Object, `{"summary":"Other"}`))
	must(s.t, err)
	revisions, err := c.Publisher.Revisions(ctx, apiID)
	must(s.t, err)
	must(s.t, c.Publisher.UndeployRevision(ctx, apiID, revisions[0].ID, revisions[0].Deployments))
	_, err = c.Publisher.ChangeLifecycle(ctx, id(have.APIs[plan.APIName{Name: "Draft", Version: "1"}].Object, "id"), "Deploy as a Prototype")
	must(s.t, err)
	app := have.Applications["Shop"]
	appID := id(app.Object, "applicationId")
	_, err = c.DevPortal.UpdateApplicationObject(ctx, appID, change(app.Object, `{"groups":["c"]}`))
	must(s.t, err)
	stored, err := c.DevPortal.Subscription(ctx, id(app.Subscriptions[apiID], "subscriptionId"))
	must(s.t, err)
	body, _, err := wso2.Merge(stored.Raw, map[string]string{"requestedThrottlingPolicy": "Unlimited"})
	must(s.t, err)
	must(s.t, c.DevPortal.UpdateSubscription(ctx, stored.ID, body))
	for _, key := range app.Keys {
		if key["keyType"] == wso2.Sandbox {
			must(s.t, c.DevPortal.DeleteKeys(ctx, appID, id(key, "keyMappingId")))
		}
	}
}
