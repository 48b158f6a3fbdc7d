package doctor_test

import (
	"bytes"
	"context"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/doctor"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2sim"
)

// trouble breaks the site in one way.
type trouble struct {
	id      string
	why     string // besides the id, if a row has several reasons
	product string // next to which the doctor runs; empty: am
	env     map[string]string
	breaks  func(t *testing.T, s *site)
	also    []string // what follows from it
	has     string   // a part of the evidence
	unread  string   // the server that cannot be examined then; empty: both can
}

// line is a log of a server, which has started and then written these lines.
func line(lines ...string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		text := "TID: [-1234] [] [2026-11-28 10:00:00,000]  INFO {org.wso2.carbon.core.internal.CarbonCoreActivator} - Starting WSO2 Carbon...\n" +
			"TID: [-1234] [] [2026-11-28 10:00:45,000]  INFO {org.wso2.carbon.core.internal.StartupFinalizerServiceComponent} - WSO2 Carbon started in 45 sec\n"
		for _, l := range lines {
			text += l + "\n"
		}
		must(t, os.WriteFile(filepath.Join(s.logs, "wso2carbon.log"), []byte(text), 0o600))
	}
}

// keyManager changes fields of the key manager in API-M.
func keyManager(fields map[string]any) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		admin := s.servers(s.config(t, config.AM, nil)).Admin
		list, err := admin.KeyManagers(t.Context())
		must(t, err)
		km, err := admin.KeyManagerObject(t.Context(), list[0].ID)
		must(t, err)
		maps.Copy(km.Fields, fields)
		must(t, admin.UpdateKeyManagerObject(t.Context(), km.ID, km.Fields))
	}
}

// another makes another key manager out of the first one.
func another(name string, fields map[string]any) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		admin := s.servers(s.config(t, config.AM, nil)).Admin
		list, err := admin.KeyManagers(t.Context())
		must(t, err)
		km, err := admin.KeyManagerObject(t.Context(), list[0].ID)
		must(t, err)
		delete(km.Fields, "id")
		km.Fields["name"], km.Fields["displayName"] = name, name
		account := km.Fields["additionalProperties"].(map[string]any)
		account["Username"], account["Password"] = "admin", "admin" // nobody knows the password of the first one's user
		maps.Copy(km.Fields, fields)
		_, err = admin.CreateKeyManagerObject(t.Context(), km.Fields)
		must(t, err)
	}
}

// api changes fields of the API in the Publisher.
func api(fields map[string]any) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		p := s.servers(s.config(t, config.AM, nil)).Publisher
		o, err := p.APIObject(t.Context(), s.apiID(t))
		must(t, err)
		maps.Copy(o.Fields, fields)
		_, err = p.UpdateAPIObject(t.Context(), o.ID, o.Fields)
		must(t, err)
	}
}

func (s *site) apiID(t *testing.T) string {
	t.Helper()
	list, err := s.servers(s.config(t, config.AM, nil)).Publisher.APIs(t.Context())
	must(t, err)
	if len(list) != 1 {
		t.Fatalf("%d APIs, want one", len(list))
	}
	return list[0].ID
}

// block blocks the subscription of the application in the Publisher.
func (s *site) block(t *testing.T) {
	t.Helper()
	servers := s.servers(s.config(t, config.AM, nil))
	apps, err := servers.DevPortal.Applications(t.Context(), "Shop")
	must(t, err)
	subscriptions, err := servers.DevPortal.Subscriptions(t.Context(), apps[0].ID)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.am.URL()+"/api/am/publisher/v4/subscriptions/block-subscription?blockState=BLOCKED&subscriptionId="+subscriptions[0].ID, nil)
	must(t, err)
	req.SetBasicAuth("admin", "admin")
	resp, err := s.client(s.config(t, config.AM, nil)).Do(req)
	must(t, err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("HTTP %d", resp.StatusCode)
	}
}

// newKeys makes an application with keys at IS; it may fail.
func newKeys(t *testing.T, s *site) error {
	t.Helper()
	servers := s.servers(s.config(t, config.AM, nil))
	app, err := servers.DevPortal.CreateApplication(t.Context(), "Fresh", "Unlimited", "")
	must(t, err)
	list, err := servers.Admin.KeyManagers(t.Context())
	must(t, err)
	_, err = servers.DevPortal.GenerateKeys(t.Context(), app.ID, list[0].ID)
	return err
}

// usedDatabase says that the server has run with its database. image is the name of the home in its image; "" leaves the version unknown.
func usedDatabase(product, image string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		volume := map[string]string{config.IS: s.volumeIS, config.AM: s.volumeOfAM}[product]
		for name, text := range map[string]string{".agent/started.json": `{"since": "2026-01-02T03:04:05Z"}`, config.SeedProduct: image} {
			path := filepath.Join(volume, name)
			must(t, os.MkdirAll(filepath.Dir(path), 0o755))
			must(t, os.WriteFile(path, []byte(text), 0o600))
		}
	}
}

// withoutKey takes the encryption key of IS away, whose database is a used one.
func withoutKey(t *testing.T, s *site) {
	t.Helper()
	usedDatabase(config.IS, "")(t, s)
	settings(config.IS, replaced(encryptionKey, ""))(t, s)
}

// settings changes the text of a deployment.toml on a config volume.
func settings(product string, change func(string) string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		path := filepath.Join(map[string]string{config.IS: s.volumeIS, config.AM: s.volumeOfAM}[product], "repository/conf/deployment.toml")
		text, err := os.ReadFile(path)
		must(t, err)
		changed := change(string(text))
		if changed == string(text) {
			t.Fatalf("nothing changes in\n%s", text)
		}
		must(t, os.WriteFile(path, []byte(changed), 0o600))
	}
}

func replaced(old, new string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, new, 1) }
}

// withoutLine leaves out the lines that contain a text.
func withoutLine(part string) func(string) string {
	return func(text string) string {
		return strings.Join(slices.DeleteFunc(strings.SplitAfter(text, "\n"), func(l string) bool { return strings.Contains(l, part) }), "")
	}
}

// truststore changes the truststore on API-M's config volume.
func truststore(change func(*keystore.Store) error) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		edit(t, filepath.Join(s.volumeOfAM, stores, "client-truststore.jks"), change)
	}
}

// desires changes the desired state.
func desires(change func(string) string) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		must(t, os.WriteFile(s.apiConfig, []byte(change(desiredState)), 0o600))
	}
}

// fault has API-M answer a request in another way than it should.
func fault(f wso2sim.Fault) func(*testing.T, *site) {
	return func(t *testing.T, s *site) {
		t.Helper()
		_, err := s.amFaults.Add(f)
		must(t, err)
	}
}

// instead answers requests of the doctor for a path with a text, as a server would.
func instead(path string, status int, text string) func(*testing.T, *site) {
	return func(_ *testing.T, s *site) {
		s.answer = func(r *http.Request) *http.Response {
			if r.URL.Path != path {
				return nil
			}
			return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(text)), Request: r}
		}
	}
}

const notVerified = "org.apache.http.conn.ssl.SSLConnectionSocketFactory.verifyHostname"

// troubles has every row of the table at least once.
var troubles = []trouble{
	{id: "server.away", breaks: func(_ *testing.T, s *site) { s.isFaults.SetOutage(true) }, has: "IS: ", unread: "IS"},
	{id: "server.away", why: "nothing published", breaks: func(t *testing.T, s *site) {
		must(t, os.RemoveAll(filepath.Join(s.path("exchange"), "wso2is")))
		s.isFaults.SetOutage(true)
	}, also: []string{"trust.unpublished"}, has: "IS: ", unread: "IS"},
	{id: "server.starting", breaks: fault(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Path: "/api/am/gateway/v2/server-startup-healthcheck"}), has: "API-M: ", unread: "API-M"},
	{id: "server.health-check", breaks: func(t *testing.T, s *site) {
		start := "[2026-02-10 11:15:19,138] []  INFO {org.wso2.carbon.core.internal.CarbonCoreActivator} - Starting WSO2 Carbon...\n"
		must(t, os.WriteFile(filepath.Join(s.logs, "wso2carbon.log"), []byte(strings.Repeat(start, 3)), 0o600))
	}, has: "3 starts"},
	{id: "server.other-certificate", breaks: func(t *testing.T, s *site) { must(t, s.isFaults.SetCertificate(wso2sim.CertificateSwapped)) }, has: "IS: ", unread: "IS"},
	{id: "server.unverified", product: "none", breaks: func(*testing.T, *site) {}, has: "unknown authority", unread: "API-M, IS"},
	{id: "password.refused", product: config.IS, env: map[string]string{"IS_ADMIN_PASS": "changed-Since-1"}, breaks: func(*testing.T, *site) {}, has: "IS: ", unread: "IS"},
	{id: "password.own-calls", why: "settings", breaks: settings(config.AM, replaced(`password = "admin"`, `password = "former-One-1"`)), has: "[super_admin]"},
	{id: "password.own-calls", why: "log", breaks: line("TID: [-1] [] [2021-02-07 21:41:38,547] ERROR {org.wso2.carbon.databridge.agent.endpoint.DataEndpointConnectionWorker} - Error while trying to connect to the endpoint. Cannot borrow client for ssl://10.124.6.166:9711. org.wso2.carbon.databridge.agent.exception.DataEndpointLoginException: Cannot borrow client for ssl://10.124.6.166:9711.")},
	{id: "clock.skew", breaks: func(_ *testing.T, s *site) { s.clockOfIS = time.Hour }, has: "IS is 3600 s ahead of that of API-M"},
	{id: "trust.missing", breaks: truststore(func(s *keystore.Store) error { return s.Delete("wso2is") }), has: "of wso2is"},
	{id: "trust.restart", why: "statement", breaks: func(t *testing.T, s *site) {
		_, err := trust.Exchange{Dir: s.exchange, Name: "wso2am"}.Acknowledge(trust.Trusts{Generation: "former", Fingerprints: []string{s.amLeaf.Fingerprint().String()}})
		must(t, err)
	}, has: "the running wso2am does not trust the certificate of wso2is"},
	{id: "trust.restart", why: "request", breaks: func(t *testing.T, s *site) {
		control := notify.ControlOf(s.config(t, config.AM, nil))
		_, err := control.Want("present")
		must(t, err)
		must(t, os.WriteFile(filepath.Join(control.Dir, "started.json"), []byte(`{"generation":"former","pid":1,"since":"2026-11-28T10:00:00Z","starts":1}`), 0o600))
	}, has: "wso2am has started"},
	{id: "trust.own", breaks: truststore(func(s *keystore.Store) error { return s.Delete("wso2am") }), has: "wso2am presents"},
	{id: "trust.unpublished", breaks: func(t *testing.T, s *site) { must(t, os.Remove(filepath.Join(s.exchange, "wso2is/certs.pem"))) }, has: "wso2is", unread: "IS"},
	{id: "trust.store", breaks: func(t *testing.T, s *site) {
		must(t, os.WriteFile(filepath.Join(s.volumeOfAM, stores, "client-truststore.jks"), []byte("not a store"), 0o600))
	}},
	{id: "trust.refused", breaks: line("ERROR - TargetHandler I/O error: PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target",
		"javax.net.ssl.SSLHandshakeException: PKIX path building failed: sun.security.provider.certpath.SunCertPathBuilderException: unable to find valid certification path to requested target"), has: "(2 such lines)"},
	{id: "trust.expired", why: "no CA helps", product: "none", breaks: func(t *testing.T, s *site) {
		must(t, s.isFaults.SetCertificate(wso2sim.CertificateExpired))
		s.amFaults.SetOutage(true)
	}, also: []string{"server.away"}, has: "IS: the certificate", unread: "API-M, IS"},
	{id: "trust.expired", why: "served", breaks: func(t *testing.T, s *site) { must(t, s.isFaults.SetCertificate(wso2sim.CertificateExpired)) }, also: []string{"server.other-certificate"}, has: "has expired on", unread: "IS"},
	{id: "trust.expired", why: "log", breaks: line("feign.RetryableException: sun.security.validator.ValidatorException: PKIX path validation failed: java.security.cert.CertPathValidatorException: validity check failed executing GET https://localhost:9444/keymanager-operations/dcr/register/WURm")},
	{id: "trust.name", why: "served", env: map[string]string{"SERVER_NAME": "wso2gw"}, breaks: func(t *testing.T, s *site) {
		must(t, os.CopyFS(filepath.Join(s.exchange, "wso2gw"), os.DirFS(filepath.Join(s.exchange, "wso2am"))))
	}, has: "is not for wso2gw"},
	{id: "trust.name", why: "log", breaks: line("[2021-12-22 07:52:51,828] ERROR - EventSender Error while sending to https://wso2am:9443", "javax.net.ssl.SSLPeerUnverifiedException: Certificate for <wso2am> doesn't match any of the subject alternative names: [localhost]", "\tat "+notVerified)},
	{id: "trust.stale-alias", breaks: line(`Caused by: sun.security.validator.ValidatorException: TrustAnchor with subject "CN=wso2is" is not a CA certificate`)},
	{id: "km.missing", env: map[string]string{"KM_NAME": "Identity"}, breaks: func(*testing.T, *site) {}, has: `"Identity"`},
	{id: "km.disabled", breaks: keyManager(map[string]any{"enabled": false})},
	{id: "km.resident-disabled", env: map[string]string{"KEY_MANAGER_NAME": "Resident Key Manager"}, breaks: func(t *testing.T, s *site) {
		admin := s.servers(s.config(t, config.AM, nil)).Admin
		list, err := admin.KeyManagers(t.Context())
		must(t, err)
		km, err := admin.KeyManagerObject(t.Context(), list[len(list)-1].ID)
		must(t, err)
		km.Fields["enabled"] = false
		must(t, admin.UpdateKeyManagerObject(t.Context(), km.ID, km.Fields))
	}, has: "is disabled"},
	{id: "km.type", env: map[string]string{"KM_NAME": "Former"}, breaks: another("Former", map[string]any{"type": "WSO2-IS", "issuer": "https://former/oauth2/token"}), has: "its type is WSO2-IS, not WSO2-IS-7"},
	{id: "km.issuer", breaks: keyManager(map[string]any{"issuer": "https://is.example.com/oauth2/token"}), has: "is.example.com"},
	{id: "km.user-info", breaks: keyManager(map[string]any{"userInfoEndpoint": "https://wso2is:9443/oauth2/userinfo"}), has: "/oauth2/userinfo"},
	{id: "km.differs", breaks: keyManager(map[string]any{"enableSelfValidationJWT": false}), has: "self_validation"},
	{id: "km.same-issuer", breaks: another("Second", nil), has: `"Second"`},
	{id: "km.not-loaded", breaks: line("[2022-02-23 13:07:21,731] ERROR - APIUtil Error occurred while executing SubscriberKeyMgtClient.", "org.wso2.carbon.apimgt.api.APIManagementException: Key Manager WSO2IS not configured")},
	{id: "km.not-loaded", why: "tenant", breaks: line("[2022-03-10 14:28:40,447] ERROR - GlobalThrowableMapper Key Manager Resident Key Manager doesn't exist in Tenant carbon.super")},
	{id: "keys.half-made", why: "row", breaks: func(t *testing.T, s *site) {
		_, err := s.isFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: http.MethodPost, Path: "/api/identity/oauth2/dcr/v1.1/register"})
		must(t, err)
		if err := newKeys(t, s); err == nil {
			t.Fatal("keys are made without a client")
		}
	}, has: `"Fresh"`},
	{id: "keys.half-made", why: "log", breaks: line("ERROR - GlobalThrowableMapper Key Mappings already exists")},
	{id: "keys.lost-client", breaks: func(t *testing.T, s *site) {
		servers := s.servers(s.config(t, config.AM, nil))
		apps, err := servers.DevPortal.Applications(t.Context(), "Shop")
		must(t, err)
		keys, err := servers.DevPortal.Keys(t.Context(), apps[0].ID)
		must(t, err)
		must(t, servers.IS.DeleteClient(t.Context(), keys[0].ConsumerKey))
	}, has: `"Shop"`},
	{id: "keys.other-manager", env: map[string]string{"KEY_MANAGER_NAME": "Resident Key Manager"}, breaks: desires(replaced("key_manager: WSO2-IS, ", "")), has: `"WSO2-IS"`},
	{id: "keys.wrong-endpoint", breaks: line("TID: [-1234] [api/am/publisher] [2026-11-28 10:01:00,000] ERROR {org.wso2.carbon.apimgt.rest.api.util.impl.OAuthOpaqueAuthenticatorImpl} - Invalid OAuth Token : Invalid Access Token. ACTIVE access token is not found.")},
	{id: "tokens.one-at-a-time", product: config.IS, env: map[string]string{"TOKENS_SIDE_BY_SIDE": "true"}, breaks: func(*testing.T, *site) {}, has: "renew_token_without_revoking_existing"},
	{id: "subscriptions.blocked", why: "state", breaks: func(t *testing.T, s *site) { s.block(t) }, has: `application "Shop": the subscription to API "Pay Orders" 1.0.0 is BLOCKED`},
	{id: "subscriptions.blocked", why: "log", breaks: line("WARN - APIAuthenticationHandler API authentication failure due to The requested API is temporarily blocked")},
	{id: "api.backend", breaks: line("[2019-10-29 12:10:52,558]  WARN {org.apache.synapse.endpoints.EndpointContext} - Endpoint : Sample_First with address http://localhost/myendpoint will be marked SUSPENDED as it failed")},
	{id: "scopes.refused", breaks: line("WARN - APIAuthenticationHandler API authentication failure due to The access token does not allow you to access the requested resource")},
	{id: "keys.default-application", breaks: line("ERROR - GlobalThrowableMapper A duplicate application already exists by the name - DefaultApplication")},
	{id: "setup.failed", breaks: line("API setup failed"), has: `"Pay Orders 1.0.0" has a space`},
	{id: "settings.refused", breaks: settings(config.AM, func(text string) string { return text + "\n[server]\nx = \"1\"\n" }), has: "deployment.toml"},
	{id: "settings.user-info", product: config.IS, breaks: settings(config.IS, replaced(`(.*)/scim2/Me"`, `(.*)/scim2/Mine"`)), has: "scim2/Me"},
	{id: "settings.listener", why: "missing", product: config.IS, breaks: settings(config.IS, replaced(`id = "token_revocation"`, `id = "other"`)), has: "event_listener"},
	{id: "settings.listener", why: "header without quotes", product: config.IS, breaks: settings(config.IS, func(text string) string {
		return strings.ReplaceAll(text, `'header.X-WSO2-KEY-MANAGER'`, "header.X-WSO2-KEY-MANAGER")
	}), has: "X-WSO2-KEY-MANAGER"},
	{id: "settings.host-name", why: "settings", product: config.IS, breaks: settings(config.IS, replaced(`hostname = "127.0.0.1"`, `hostname = "is.example.com"`)), has: "is.example.com"},
	{id: "settings.host-name", why: "log", breaks: line("ERROR {org.wso2.carbon.identity.oauth2.util.OAuth2Util} - Registered callback does not match with the provided url.")},
	{id: "settings.differ", product: config.IS, breaks: settings(config.IS, withoutLine("allow_system_prefix_for_role")), has: "allow_system_prefix_for_role"},
	{id: "settings.known-key", product: config.IS, breaks: withoutKey, has: "everybody knows"},
	{id: "settings.known-key", why: "no settings of the agent", product: config.IS, env: map[string]string{"SETTINGS": "none"}, breaks: withoutKey, has: "everybody knows"},
	{id: "settings.lost-key", breaks: usedDatabase(config.AM, "wso2am-4.7.0"), has: "no key is known"},
	{id: "settings.lost-key", why: "no settings of the agent", env: map[string]string{"SETTINGS": "none"}, breaks: usedDatabase(config.AM, "wso2am-4.7.0"), has: "could not read its secrets"},
	{id: "settings.open", why: "scopes", product: config.IS, breaks: settings(config.IS, func(text string) string { return text + "\n[oauth]\nauthorize_all_scopes = true\n" }), has: "authorize_all_scopes"},
	{id: "settings.open", why: "SCIM 1.1", product: config.IS, breaks: settings(config.IS, replaced(`(.*)/wso2/scim(.*)`, `(.*)/other(.*)`)), has: "SCIM 1.1"},
	{id: "revocation.handler", why: "missing", product: config.IS, breaks: func(t *testing.T, s *site) { must(t, os.RemoveAll(filepath.Join(s.path("artifacts"), "repository"))) }, has: "no wso2is"},
	{id: "revocation.handler", why: "an error page", product: config.IS, breaks: func(t *testing.T, s *site) {
		must(t, os.WriteFile(filepath.Join(s.path("artifacts"), "repository/components/dropins/wso2is.notification.event.handlers-2.0.5.jar"), []byte("<html>404</html>"), 0o600))
	}, has: "is no jar"},
	{id: "revocation.handler", why: "that of a later IS", product: config.IS, breaks: func(t *testing.T, s *site) {
		jar, err := wso2sim.RevocationHandler("2.1.1")
		must(t, err)
		must(t, os.WriteFile(filepath.Join(s.path("artifacts"), "repository/components/dropins/wso2is.notification.event.handlers-2.0.5.jar"), jar, 0o600))
	}, has: "needs another OSGi or Java than IS"},
	{id: "revocation.refused", product: config.IS, breaks: settings(config.IS, replaced("username = \"admin\"\npassword = \"admin\"\n'header", "username = \"nobody\"\npassword = \"wrong\"\n'header")), also: []string{"settings.listener"}, has: `"nobody"`},
	{id: "revocation.notice", breaks: line("[2021-12-22 07:52:51,828] ERROR - EventSender Error while sending Revocation Event to https://wso2am:9443/internal/data/v1/notify")},
	{id: "scopes.unauthorized", breaks: func(t *testing.T, s *site) { must(t, newKeys(t, s)) }, has: "orders:read"},
	{id: "scopes.absent", breaks: func(t *testing.T, s *site) {
		cfg := s.config(t, config.AM, nil)
		resource, err := s.servers(cfg).Scopes.FindResource(t.Context(), "User-defined-oauth2-resource")
		must(t, err)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodDelete, s.is.URL()+"/api/server/v1/api-resources/"+resource+"/scopes/orders:read", nil)
		must(t, err)
		req.SetBasicAuth("admin", "admin")
		resp, err := s.client(cfg).Do(req)
		must(t, err)
		resp.Body.Close()
	}, has: `"orders:read"`},
	{id: "scopes.roles", breaks: line("[2024-10-08 14:55:01,336] ERROR - APIProviderImpl Error while updating resource to scope attachment in Key Manager wso2IS", "org.wso2.carbon.apimgt.api.APIManagementException: Failed to create role: Internal/subscriber")},
	{id: "claims.missing", breaks: line("[2024-08-16 13:20:51,933] ERROR - JWTValidator Error while retrieving User claims from Key Manager ")},
	{id: "api.undeployed", breaks: func(t *testing.T, s *site) {
		p := s.servers(s.config(t, config.AM, nil)).Publisher
		id := s.apiID(t)
		revisions, err := p.Revisions(t.Context(), id)
		must(t, err)
		must(t, p.UndeployRevision(t.Context(), id, revisions[0].ID, revisions[0].Deployments))
	}, has: "no revision is deployed"},
	{id: "api.not-loaded", breaks: instead("/orders/1.0.0/", 404, `{"code":"404","type":"Status report","message":"Not Found","description":"The requested resource is not available."}`), has: "404"},
	{id: "api.unlisted", breaks: instead("/api/am/publisher/v4/apis", 200, `{"count":0,"list":[],"pagination":{"offset":0,"limit":25,"total":0,"next":"","previous":""}}`), has: `"Pay Orders"`},
	{id: "api.invisible", why: "state", breaks: func(t *testing.T, s *site) {
		_, err := s.servers(s.config(t, config.AM, nil)).Publisher.ChangeLifecycle(t.Context(), s.apiID(t), "Demote to Created")
		must(t, err)
	}, has: "is CREATED"},
	{id: "api.invisible", why: "visibility", breaks: api(map[string]any{"visibility": "PRIVATE"}), has: "PRIVATE"},
	{id: "api.any-token", breaks: api(map[string]any{"policies": []string{}}), has: "Pay Orders"},
	{id: "api.other-manager", breaks: api(map[string]any{"keyManagers": []string{"Resident Key Manager"}}), has: "Resident"},
	{id: "api.no-header", breaks: api(map[string]any{"authorizationHeader": nil}), has: "authorizationHeader"},
	{id: "volume.hidden", why: "home", breaks: func(t *testing.T, s *site) {
		must(t, os.Remove(filepath.Join(s.path("home-am"), "repository/conf/log4j2.properties")))
	}, has: "log4j2.properties"},
	{id: "volume.hidden", why: "log", breaks: line("java.io.FileNotFoundException: /home/wso2carbon/wso2am-4.5.0/repository/conf/carbon.xml (No such file or directory)")},
	{id: "volume.only-dots", breaks: func(t *testing.T, s *site) {
		must(t, os.RemoveAll(filepath.Join(s.volumeOfAM, "repository")))
		must(t, os.MkdirAll(filepath.Join(s.volumeOfAM, ".agent"), 0o755))
	}},
	{id: "volume.owner", breaks: func(t *testing.T, s *site) {
		if os.Geteuid() != 0 {
			t.Skip("only root can give a file to another user")
		}
		must(t, os.Chown(filepath.Join(s.volumeOfAM, stores, "client-truststore.jks"), 10001, -1))
	}, has: "another user"},
}

// diagnose reads the facts next to a server, and returns the diagnoses.
func (s *site) diagnose(t *testing.T, product string, env map[string]string) ([]doctor.Diagnosis, doctor.Facts) {
	t.Helper()
	if product == "" {
		product = config.AM
	}
	if product == "none" {
		product = ""
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	f := s.reader(s.config(t, product, env)).Read(ctx)
	return doctor.Diagnose(f), f
}

func ids(list []doctor.Diagnosis) (ids []string) {
	for _, d := range list {
		ids = append(ids, d.ID)
	}
	return ids
}

// serversOf returns the servers in what could not be read.
func serversOf(list []doctor.Unread) string {
	var names []string
	for _, u := range list {
		if u.What == "API-M" || u.What == "IS" {
			names = append(names, u.What)
		}
	}
	return strings.Join(names, ", ")
}

// Every trouble of the table is found for its own reason, and nothing is found before and after it.
func TestEachTroubleIsFound(t *testing.T) {
	s := newSite(t)
	healthy := func(t *testing.T) {
		t.Helper()
		for _, product := range []string{config.AM, config.IS} {
			found, facts := s.diagnose(t, product, nil)
			if len(found) > 0 || len(facts.Unread) > 0 {
				t.Errorf("healthy, next to %s: found %+v, unread %+v", product, found, facts.Unread)
			}
		}
	}
	healthy(t)
	restore := s.keep(t)
	for _, c := range troubles {
		t.Run(strings.TrimSpace(c.id+" "+c.why), func(t *testing.T) {
			defer restore(t)
			c.breaks(t, s)
			found, facts := s.diagnose(t, c.product, c.env)
			want := append([]string{c.id}, c.also...)
			got := ids(found)
			slices.Sort(want)
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Fatalf("found %q, want %q\n%+v\nunread: %+v", got, want, found, facts.Unread)
			}
			if unread := serversOf(facts.Unread); unread != c.unread {
				t.Errorf("the servers that were not examined are %q, want %q", unread, c.unread)
			}
			d := found[slices.IndexFunc(found, func(d doctor.Diagnosis) bool { return d.ID == c.id })]
			if !strings.Contains(strings.Join(d.Evidence, "\n"), c.has) {
				t.Errorf("the evidence %q has no %q", d.Evidence, c.has)
			}
		})
	}
	healthy(t)
	for _, row := range doctor.Troubles() {
		if !slices.ContainsFunc(troubles, func(c trouble) bool { return c.id == row.ID }) {
			t.Errorf("no test finds %s", row.ID)
		}
	}
}

// What a person has chosen, and what is only different, is no trouble.
func TestWhatIsNoTrouble(t *testing.T) {
	s := newSite(t)
	restore := s.keep(t)
	t.Run("a time that is up", func(t *testing.T) {
		defer restore(t)
		theTimeIsUp(t, s)
	})
	for name, c := range map[string]struct {
		env    map[string]string
		breaks func(t *testing.T, s *site)
		unread string // what the doctor cannot read then
	}{
		"keys of a key manager that API_CONFIG names": {env: map[string]string{"KEY_MANAGER_NAME": "Resident Key Manager"}},
		"a visibility that API_CONFIG names": {breaks: func(t *testing.T, s *site) {
			desires(replaced("    context: /orders\n", "    context: /orders\n    visibility: PRIVATE\n"))(t, s)
			api(map[string]any{"visibility": "PRIVATE"})(t, s)
		}},
		"an API that API_CONFIG does not name, and nobody has published": {breaks: func(t *testing.T, s *site) {
			must(t, os.WriteFile(s.apiConfig, []byte("applications: [{name: Shop}]\n"), 0o600))
			_, err := s.servers(s.config(t, config.AM, nil)).Publisher.ChangeLifecycle(t.Context(), s.apiID(t), "Demote to Created")
			must(t, err)
		}},
		"every client gets every scope, as SCOPES says": {env: map[string]string{"SCOPES": "all"}, breaks: func(t *testing.T, s *site) { must(t, newKeys(t, s)) }},
		"lines from before the last start of a server": {breaks: func(t *testing.T, s *site) {
			must(t, os.WriteFile(filepath.Join(s.logs, "wso2carbon.log"), []byte("Key Mappings already exists\n{org.wso2.carbon.core.internal.CarbonCoreActivator} - Starting WSO2 Carbon...\nWSO2 Carbon started in 45 sec\n"), 0o600))
		}},
		"the product's own wait before a deployment":        {breaks: settings(config.AM, withoutLine("event_waiting_time"))},
		"clocks that differ by a moment":                    {breaks: func(_ *testing.T, s *site) { s.clockOfIS = 2 * time.Second }},
		"a gateway at another address that does not answer": {env: map[string]string{"GW_PORT": "1"}, unread: "gateway"},
		"a folder that has no log of a server":              {breaks: func(t *testing.T, s *site) { must(t, os.Remove(filepath.Join(s.logs, "wso2carbon.log"))) }, unread: "logs in "},
		"a file with the desired state that is not there":   {env: map[string]string{"API_CONFIG": "/nowhere/api-config.yaml"}},
	} {
		t.Run(name, func(t *testing.T) {
			defer restore(t)
			if c.breaks != nil {
				c.breaks(t, s)
			}
			found, facts := s.diagnose(t, config.AM, c.env)
			if len(found) > 0 || !facts.APIs.Read {
				t.Errorf("found %+v; the APIs are read: %v", found, facts.APIs.Read)
			}
			if c.unread == "" && len(facts.Unread) > 0 || c.unread != "" && (len(facts.Unread) != 1 || !strings.HasPrefix(facts.Unread[0].What, c.unread)) {
				t.Errorf("unread: %+v, want %q", facts.Unread, c.unread)
			}
		})
	}
}

// A server that has not answered when the time is up is neither away nor starting.
func theTimeIsUp(t *testing.T, s *site) {
	for _, part := range []string{"/server-startup-healthcheck", "/openid-configuration", "/api/am/publisher/v4/apis"} {
		ctx, cancel := context.WithCancel(t.Context())
		s.answer = func(r *http.Request) *http.Response {
			if strings.HasSuffix(r.URL.Path, part) {
				cancel()
			}
			return nil
		}
		f := s.reader(s.config(t, config.AM, nil)).Read(ctx)
		if found := doctor.Diagnose(f); len(found) > 0 || !f.Late || len(f.Unread) == 0 {
			t.Errorf("the time is up at %s: found %+v, late: %v, unread %+v", part, found, f.Late, f.Unread)
		}
		cancel()
	}
}

// A diagnosis names a fix only if the agent can make it here.
func TestAFixIsNamedOnlyWhereItIsPossible(t *testing.T) {
	untrusted := doctor.Facts{Trust: doctor.Trust{Missing: []string{"wso2is"}}, Volume: doctor.Volume{Writable: true}}
	disabled := doctor.Facts{Settings: doctor.Settings{KeyManager: "WSO2-IS"}, KeyManagers: doctor.KeyManagers{Read: true, List: []doctor.KeyManager{{Name: "WSO2-IS", Type: "WSO2-IS-7", UserInfo: "/scim2/Me"}}}}
	for name, c := range map[string]struct {
		facts  doctor.Facts
		change func(*doctor.Facts)
		want   []doctor.Fix
		remedy string
	}{
		"a truststore":                             {untrusted, func(*doctor.Facts) {}, []doctor.Fix{doctor.FixTrust}, ""},
		"a truststore of another user":             {untrusted, func(f *doctor.Facts) { f.Volume.Writable = false }, nil, ""},
		"a key manager":                            {disabled, func(*doctor.Facts) {}, []doctor.Fix{doctor.FixKeyManager}, ""},
		"a key manager of which a file may say so": {disabled, func(f *doctor.Facts) { f.KeyManagers.Unfixable = "no file" }, nil, "The agent does not repair it here: no file"},
	} {
		t.Run(name, func(t *testing.T) {
			c.change(&c.facts)
			found := doctor.Diagnose(c.facts)
			if len(found) != 1 || !slices.Equal(doctor.Fixes(found), c.want) || !strings.Contains(found[0].Remedy, c.remedy) {
				t.Errorf("found %+v, fixes %q, want %q", found, doctor.Fixes(found), c.want)
			}
		})
	}
}

// keep remembers the site as it is, and returns what brings it back.
func (s *site) keep(t *testing.T) (restore func(*testing.T)) {
	t.Helper()
	var is, am bytes.Buffer
	must(t, s.is.SaveState(&is))
	must(t, s.am.SaveState(&am))
	kept := s.path("kept")
	folders := []string{"volume-is", "volume-am", "exchange", "artifacts", "output", "home-am/repository/conf"}
	for _, folder := range folders {
		must(t, os.CopyFS(filepath.Join(kept, folder), os.DirFS(s.path(folder))))
	}
	return func(t *testing.T) {
		t.Helper()
		s.isFaults.Clear()
		s.amFaults.Clear()
		s.clock, s.clockOfIS, s.answer = 0, 0, nil
		must(t, s.is.LoadState(bytes.NewReader(is.Bytes())))
		must(t, s.am.LoadState(bytes.NewReader(am.Bytes())))
		for _, folder := range folders {
			must(t, os.RemoveAll(s.path(folder)))
			must(t, os.CopyFS(s.path(folder), os.DirFS(filepath.Join(kept, folder))))
		}
		must(t, os.WriteFile(filepath.Join(s.logs, "wso2carbon.log"), nil, 0o600))
		must(t, os.WriteFile(s.apiConfig, []byte(desiredState), 0o600))
	}
}

// A wrong password counts as a failed login at API-M, and a few of them lock its administrator. So doctor does not try the listener's
// password if it contradicts AM_ADMIN_PASS, and tries it on no other server than the listener's.
func TestDoctorTriesNoPasswordThatLocksAnAccount(t *testing.T) {
	const account = "username = \"admin\"\npassword = \"admin\"\n'header"
	s := newSite(t)
	before, err := os.ReadFile(filepath.Join(s.volumeIS, "repository/conf/deployment.toml"))
	must(t, err)
	var tried atomic.Bool
	s.answer = func(r *http.Request) *http.Response {
		if _, password, _ := r.BasicAuth(); password == "Zz-stale" {
			tried.Store(true)
		}
		return nil
	}
	am := strings.TrimPrefix(s.am.URL(), "https://")
	for _, c := range []struct {
		name   string
		change func(string) string
		tries  bool
		unread int
	}{
		{"another user", func(text string) string {
			return strings.Replace(text, account, "username = \"nobody\"\npassword = \"Zz-stale\"\n'header", 1)
		}, true, 0},
		{"another user of another server", func(text string) string {
			text = strings.Replace(text, account, "username = \"nobody\"\npassword = \"Zz-stale\"\n'header", 1)
			return strings.Replace(text, am+"/internal/data", "other.example:9443/internal/data", 1)
		}, false, 0},
		{"the administrator with a former password", func(text string) string {
			return strings.Replace(text, account, "username = \"Admin@carbon.super\"\npassword = \"Zz-stale\"\n'header", 1)
		}, false, 1},
	} {
		must(t, os.WriteFile(filepath.Join(s.volumeIS, "repository/conf/deployment.toml"), before, 0o600))
		settings(config.IS, c.change)(t, s)
		tried.Store(false)
		found, facts := s.diagnose(t, config.IS, nil)
		if tried.Load() != c.tries || len(facts.Unread) != c.unread || !slices.Contains(ids(found), "settings.listener") {
			t.Errorf("%s: tried: %v, not examined: %q, found: %q", c.name, tried.Load(), facts.Unread, ids(found))
		}
	}
}
