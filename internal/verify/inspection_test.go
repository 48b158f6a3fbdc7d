package verify_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/product"
	exchange "wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2sim"
)

// inspected is the desired state of the tests of the table: an API with a scope, and one without.
const inspected = `
apis:
  - name: Orders
    version: 1.0.0
    context: /orders
    backend_url: BACKEND
    scopes: [orders:read]
    operations:
      - {target: /, verb: GET}
      - {target: /all, verb: GET, scopes: [orders:read]}
      - {target: /, verb: DELETE}
  - {name: Payments, version: 1.0.0, context: /payments, backend_url: BACKEND}
scopes:
  - {name: orders:read, display_name: Read orders, roles: [Internal/subscriber]}
application: {name: Agent Application, throttling_policy: Unlimited}
subscriptions:
  - {api_name: Orders, throttling_policy: Unlimited}
  - {api_name: Payments, throttling_policy: Unlimited}
`

// working returns a site with the settings and files that the agents make, after a bootstrap.
func working(t *testing.T) (*site, verify.Subject) {
	t.Helper()
	s := openWith(t, wso2sim.Delays{}, func(t *testing.T, shipped []byte) []byte { return agentSettings(t, shipped, false) })
	am, err := url.Parse(s.am.URL())
	must(t, err)
	s.restartIS(t, func(text string) string {
		return strings.ReplaceAll(text, "https://wso2am:9443/", "https://localhost:"+am.Port()+"/")
	})
	d := s.parse(t, strings.ReplaceAll(inspected, "BACKEND", s.backend.URL()))
	settings := s.settings("WSO2-IS")
	settings.Authorize = true
	s.run(t, settings, d)
	want, err := actual.Want(t.Context(), d, settings)
	must(t, err)
	cfg := config.Config{}
	address := func(at string) (string, int) {
		u, err := url.Parse(at)
		must(t, err)
		port, err := strconv.Atoi(u.Port())
		must(t, err)
		return u.Hostname(), port
	}
	cfg.IS.Host, cfg.IS.Port = address(s.is.URL())
	_, cfg.AM.Port = address(s.am.URL())
	cfg.AM.Host = "localhost"
	s.pins["localhost:"+am.Port()] = s.pins[host(t, s.am.URL())]
	cfg.Gateway.Host, cfg.Gateway.Port = address(s.am.GatewayURL())
	cfg.IS.Container, cfg.Scopes.Mode, cfg.Settings.Mode = "wso2is-1", "authorize", "merge"
	cfg.Server.Product, cfg.Server.Name, cfg.Trust.Peers = config.AM, "localhost", []string{"wso2is"}
	cfg.Release = product.Default(config.AM)
	cfg.Server.Home, cfg.Server.ConfigDir = s.amHome, s.amHome
	cfg.Keystore.Pass, cfg.Truststore.Pass = storePassword, storePassword
	cfg.Trust.ExchangeDir = filepath.Join(filepath.Dir(s.isHome), "exchange")
	cfg.Bootstrap.KeysFile = filepath.Join(filepath.Dir(s.isHome), "keys.json")
	must(t, os.Mkdir(cfg.Trust.ExchangeDir, 0o755))
	is := exchange.Exchange{Dir: cfg.Trust.ExchangeDir, Name: "wso2is"} // as the agent next to IS
	_, err = is.Acknowledge(exchange.Trusts{Generation: "g", Fingerprints: []string{leaf(t, s.amHome, wso2sim.ProductAM).Fingerprint().String()}})
	must(t, err)
	_, err = is.SayClosing(exchange.Closing{SCIM11: true, Handler: true})
	must(t, err)
	return s, verify.Subject{Config: cfg, Settings: settings, Want: want}
}

// inspect runs checks, and returns the worst result of each.
func inspect(t *testing.T, subject verify.Subject, o verify.Selection) map[string]verify.Check {
	t.Helper()
	o.WaitInVain = 100 * time.Millisecond
	checks, err := verify.All(t.Context(), testLog(t), subject, o)
	if err != nil && !errors.Is(err, verify.ErrFailed) {
		t.Fatal(err)
	}
	byID, failed := map[string]verify.Check{}, false
	for _, c := range checks {
		if byID[c.ID].Verdict != verify.Fail {
			byID[c.ID] = c
		}
		failed = failed || c.Verdict == verify.Fail
		t.Logf("%s %s: %s | %s", c.Verdict, c.ID, c.Evidence, c.Remedy)
		if c.Name == "" || c.Evidence == "" || (c.Remedy != "") != (c.Verdict == verify.Fail || c.Verdict == verify.Warn) {
			t.Errorf("incomplete: %+v", c)
		}
	}
	if failed != (err != nil) {
		t.Errorf("error %v", err)
	}
	return byID
}

// altering changes answers on their way to the agent.
type altering struct {
	next  http.RoundTripper
	alter func(*http.Request, *http.Response)
}

func (a altering) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := a.next.RoundTrip(r)
	if err == nil {
		a.alter(r, resp)
	}
	return resp, err
}

// passwordGrant reports whether a request asks for a token with a user's password.
func passwordGrant(r *http.Request) bool {
	if r.URL.Path != "/oauth2/token" || r.GetBody == nil {
		return false
	}
	body, err := r.GetBody()
	if err != nil {
		return false
	}
	text, err := io.ReadAll(body)
	return err == nil && strings.Contains(string(text), "grant_type=password")
}

// usersTokens notes the requests to the gateway with a token that a user's password has got.
type usersTokens struct {
	next    http.RoundTripper
	gateway string

	given  bool
	header string // with the last token
	leaked []string
}

func (u *usersTokens) RoundTrip(r *http.Request) (*http.Response, error) {
	if u.given && r.URL.Host == u.gateway && r.Header.Get("Authorization") == u.header {
		u.leaked = append(u.leaked, r.URL.Path)
	}
	resp, err := u.next.RoundTrip(r)
	if err != nil || !passwordGrant(r) {
		return resp, err
	}
	text, err := io.ReadAll(resp.Body)
	var answer struct {
		Token string `json:"access_token"`
	}
	if err == nil {
		err = json.Unmarshal(text, &answer)
	}
	replaced(resp, resp.StatusCode, string(text))
	u.given, u.header = answer.Token != "", "Bearer "+answer.Token
	return resp, err
}

// replaced makes an answer one of a back end.
func replaced(resp *http.Response, status int, body string) {
	resp.Body.Close()
	resp.StatusCode, resp.Body = status, io.NopCloser(strings.NewReader(body))
}

func (s *site) altered(subject verify.Subject, alter func(*http.Request, *http.Response)) verify.Subject {
	return s.through(subject, altering{s.client.Transport, alter})
}

// through returns a subject whose requests go through a transport.
func (s *site) through(subject verify.Subject, transport http.RoundTripper) verify.Subject {
	hc := *s.client
	hc.Transport = transport
	subject.Servers = bootstrap.Connect(&hc, subject.Settings)
	return subject
}

// keyManager changes the registered key manager, and returns how to change it back.
func (s *site) keyManager(t *testing.T, change map[string]any) (undo func()) {
	t.Helper()
	base := s.am.URL() + "/api/am/admin/v4/key-managers"
	var whole object
	for _, km := range s.call(t, 200, "GET", base, nil)["list"].([]any) {
		if km := km.(map[string]any); km["name"] == "WSO2-IS" {
			whole = s.call(t, 200, "GET", base+"/"+km["id"].(string), nil)
		}
	}
	other := object{}
	for k, v := range whole {
		other[k] = v
	}
	for k, v := range change {
		other[k] = v
	}
	s.call(t, 200, "PUT", base+"/"+whole["id"].(string), other)
	return func() { s.call(t, 200, "PUT", base+"/"+whole["id"].(string), whole) }
}

func TestEveryCheckPassesAndFailsForItsReason(t *testing.T) {
	s, subject := working(t)
	s.requests.take()
	tokens := &usersTokens{next: s.client.Transport, gateway: host(t, s.am.GatewayURL())}
	passes := inspect(t, s.through(subject, tokens), verify.Selection{Write: true, Wait: 10 * time.Second})
	for _, d := range verify.Checks() {
		want := verify.Pass
		if d.ID == "trust.store" { // the certificate that IS ships has expired
			want = verify.Warn
		}
		if c := passes[d.ID]; c.Verdict != want {
			t.Errorf("%s: %+v", d.ID, c)
		}
	}
	for _, request := range s.requests.take() { // it notes those that may change something
		if _, path, _ := strings.Cut(request, " "); strings.HasPrefix(path, "/orders/") || strings.HasPrefix(path, "/payments/") {
			t.Errorf("%s reaches a back end", request)
		}
	}
	if !tokens.given || len(tokens.leaked) > 0 {
		t.Errorf("a token of the administrator is given: %v; %q have it", tokens.given, tokens.leaked)
	}
	portal := s.am.URL() + "/api/am/devportal/v3/applications?query=wso2agent-"
	if left := s.call(t, 200, "GET", portal, nil)["list"].([]any); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}

	mutualTLS := func(mapped bool) func(*testing.T, verify.Subject) (verify.Subject, func()) {
		return func(_ *testing.T, subject verify.Subject) (verify.Subject, func()) {
			subject.Settings.MapsCertificates = func(context.Context) bool { return mapped }
			return s.altered(subject, func(r *http.Request, resp *http.Response) {
				if strings.Contains(r.URL.Path, "/key-managers/") {
					text, err := io.ReadAll(resp.Body)
					must(t, err)
					replaced(resp, resp.StatusCode, strings.Replace(string(text), `"additionalProperties":{`, `"additionalProperties":{"Authentication":"MutualTLS",`, 1))
				}
			}), func() {}
		}
	}
	fault := func(faults *wso2sim.Faults, f wso2sim.Fault) func(t *testing.T, _ verify.Subject) (verify.Subject, func()) {
		return func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			_, err := faults.Add(f)
			must(t, err)
			return subject, faults.Clear
		}
	}
	manager := func(change map[string]any) func(t *testing.T, _ verify.Subject) (verify.Subject, func()) {
		return func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			return subject, s.keyManager(t, change)
		}
	}
	alter := func(f func(*http.Request, *http.Response)) func(*testing.T, verify.Subject) (verify.Subject, func()) {
		return func(_ *testing.T, subject verify.Subject) (verify.Subject, func()) {
			return s.altered(subject, f), func() {}
		}
	}
	with := func(change func(*verify.Subject)) func(*testing.T, verify.Subject) (verify.Subject, func()) {
		return func(_ *testing.T, subject verify.Subject) (verify.Subject, func()) {
			change(&subject)
			return subject, func() {}
		}
	}
	said := func(say func(exchange.Exchange)) func(*testing.T, verify.Subject) (verify.Subject, func()) {
		return func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			subject.Config.Trust.ExchangeDir = t.TempDir()
			say(exchange.Exchange{Dir: subject.Config.Trust.ExchangeDir, Name: "wso2is"})
			return subject, func() {}
		}
	}
	clock := func(ahead time.Duration) func(*testing.T, verify.Subject) (verify.Subject, func()) {
		return func(_ *testing.T, subject verify.Subject) (verify.Subject, func()) {
			s.isFaults.SetClock(ahead)
			return subject, s.isFaults.Clear
		}
	}
	// IS outlives the part of the test that restarts it.
	settings := func(is, becomes string) func(*testing.T, verify.Subject) (verify.Subject, func()) {
		return func(_ *testing.T, subject verify.Subject) (verify.Subject, func()) {
			s.restartIS(t, func(text string) string {
				if !strings.Contains(text, is) {
					t.Errorf("no %s in\n%s", is, text)
				}
				return strings.ReplaceAll(text, is, becomes)
			})
			return subject, func() {
				s.restartIS(t, func(text string) string { return strings.ReplaceAll(text, becomes, is) })
			}
		}
	}
	// The gateway runs with another revision of Orders than the one that the Publisher has by now.
	deployed := func(change func(api object)) func(*testing.T, verify.Subject) (verify.Subject, func()) {
		return func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			undo := s.deploy(t, "Orders", change)
			return subject, undo
		}
	}
	failing := map[string]bool{"token.audience": true} // TestTheClaimsOfATokenAreChecked has it: the stand-in makes no token for another audience
	for _, tt := range []struct {
		id      string
		prepare func(*testing.T, verify.Subject) (verify.Subject, func())
		verdict verify.Verdict
		says    string
	}{
		{"is.ready", fault(s.isFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Path: "/oauth2/token/.well-known/**"}), verify.Fail, "HTTP 503"},
		{"am.ready", fault(s.amFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Path: "/api/am/gateway/v2/server-startup-healthcheck"}), verify.Fail, "HTTP 500"},
		{"clock.skew", clock(5 * time.Minute), verify.Fail, "IS 5m0s ahead of the agent"},
		{"clock.skew", clock(-time.Minute), verify.Fail, "IS 1m0s behind the agent"},
		{"token.lifetime", clock(5 * time.Minute), verify.Fail, "valid only in"},
		{"km.registered", with(func(s *verify.Subject) { s.Settings.KMName = "Another" }), verify.Fail, "no key manager Another"},
		{"trust.store", func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			home := unpacked(t, wso2sim.ProductAM)
			subject.Config.Server.Home, subject.Config.Server.ConfigDir = home, home
			return subject, func() {}
		}, verify.Fail, "has no entry for"},
		{"trust.store", with(func(s *verify.Subject) { s.Config.Server.Home, s.Config.Server.ConfigDir = "/nowhere", "/nowhere" }), verify.Skip, "not mounted"},
		{"trust.am", manager(map[string]any{"wellKnownEndpoint": "https://127.0.0.1:1/oauth2/token/.well-known/openid-configuration"}), verify.Fail, "have API-M read https://127.0.0.1:1/"},
		{"trust.is", said(func(e exchange.Exchange) {
			e.Acknowledge(exchange.Trusts{Generation: "g", Fingerprints: []string{"00"}})
		}), verify.Fail, "does not trust it"},
		{"trust.is", said(func(exchange.Exchange) {}), verify.Skip, "no report"},
		{"trust.name", with(func(s *verify.Subject) { s.Config.Server.Name = "wso2am" }), verify.Fail, "IS calls API-M wso2am, and the certificate names localhost"},
		{"km.enabled", manager(map[string]any{"enabled": false}), verify.Fail, "is disabled"},
		{"km.type", mutualTLS(false), verify.Warn, "lets everybody whose certificate it trusts act as any user"},
		{"km.type", mutualTLS(true), verify.Pass, "WSO2-IS-7"},
		{"km.type", func(t *testing.T, subject verify.Subject) (verify.Subject, func()) { // as the guide for IS 5 and 6 registers it
			base := s.am.URL() + "/api/am/admin/v4/key-managers"
			var whole object
			for _, km := range s.call(t, 200, "GET", base, nil)["list"].([]any) {
				if km := km.(map[string]any); km["name"] == "WSO2-IS" {
					whole = s.call(t, 200, "GET", base+"/"+km["id"].(string), nil)
				}
			}
			maps.DeleteFunc(whole, func(name string, value any) bool { return name == "id" || value == nil })
			whole["name"], whole["type"], whole["issuer"] = "Old", "WSO2-IS", "https://old/oauth2/token"
			made := s.call(t, 201, "POST", base, whole)
			subject.Settings.KMName = "Old"
			return subject, func() { s.call(t, 200, "DELETE", base+"/"+made["id"].(string), nil) }
		}, verify.Fail, "the type is WSO2-IS, and IS 7 needs WSO2-IS-7"},
		{"is.ready", with(func(s *verify.Subject) { s.Settings.SkipKeyManager = true }), verify.Skip, "no Identity Server"},
		{"km.registered", with(func(s *verify.Subject) { s.Settings.SkipKeyManager = true }), verify.Skip, "no Identity Server"},
		{"km.issuer", manager(map[string]any{"issuer": "https://elsewhere/oauth2/token"}), verify.Fail, `has "https://elsewhere/oauth2/token"`},
		{"km.userinfo", manager(map[string]any{"userInfoEndpoint": s.is.URL() + "/oauth2/userinfo"}), verify.Fail, "can only use /scim2/Me"},
		{"km.userinfo", fault(s.isFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Path: "/scim2/Me"}), verify.Fail, "HTTP 500"},
		{"km.jwks", manager(map[string]any{"certificates": object{"type": "JWKS", "value": s.is.URL() + "/oauth2/keys"}}), verify.Fail, "/oauth2/keys"},
		{"km.jwks", fault(s.isFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Path: "/oauth2/jwks"}), verify.Fail, "HTTP 503"},
		{"is.settings", said(func(e exchange.Exchange) { e.SayClosing(exchange.Closing{Restart: exchange.RestartByHand}) }), verify.Fail, "RESTART is none"},
		{"is.settings", said(func(e exchange.Exchange) { e.SayClosing(exchange.Closing{Restart: exchange.RestartDue}) }), verify.Warn, "about to change that"},
		{"is.settings", said(func(e exchange.Exchange) {
			e.SayClosing(exchange.Closing{Restart: exchange.RestartDue})
			e.Acknowledge(exchange.Trusts{After: exchange.Never})
		}), verify.Warn, "waits for a maintenance window or an approval"},
		{"is.settings", said(func(exchange.Exchange) {}), verify.Skip, "no report"},
		{"is.settings", nextToIS(func(shipped []byte) []byte { return shipped }), verify.Fail, "lacks server.hostname"},
		{"is.settings", nextToIS(func(shipped []byte) []byte { return agentSettings(t, shipped, false) }), verify.Warn, "the default key"},
		{"is.settings", nextToIS(func(shipped []byte) []byte {
			return append(agentSettings(t, shipped, false), "\n[encryption]\nkey = \"d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4d4\"\n"...)
		}), verify.Pass, "has all of them"},
		{"is.settings", nextToIS(func(shipped []byte) []byte {
			return []byte(strings.Replace(string(agentSettings(t, shipped, false)), "allow_system_prefix_for_role = true", "allow_system_prefix_for_role = \"yes\"", 1))
		}), verify.Warn, "role_mgt.allow_system_prefix_for_role"},
		{"is.handler", handler("7.3.0", "2.0.5", "[1.2,1.3)"), verify.Fail, "another OSGi or Java than IS 7.3.0"},
		{"is.handler", handler("7.1.0", "2.0.12", "[1.3,2.0)"), verify.Fail, "another OSGi or Java than IS 7.1.0"},
		{"is.handler", handler("7.3.0", "2.1.2", "[1.2,2.0)"), verify.Pass, "2.1.2.jar"},
		{"is.handler", handler("7.3.0", "2.0.5", "[1.2,1.3)", "2.1.2", "[1.2,2.0)"), verify.Pass, "2.1.2.jar"},
		{"is.handler", handler("7.1.0", "2.0.5", "[1.2,1.3)", "2.1.2", "[1.2,2.0)"), verify.Fail, "more than one"},
		{"is.handler", handler("7.1.0", "2.0.5", "[1.2,1.3)"), verify.Pass, "2.0.5.jar"},
		{"is.handler", handler("7.1.0"), verify.Warn, "IS has no handler"},
		{"is.handler", said(func(e exchange.Exchange) { e.SayClosing(exchange.Closing{}) }), verify.Warn, "IS has no handler"},
		{"security.scopes", settings("\n[role_mgt]", "\n[oauth]\nauthorize_all_scopes = true\n[role_mgt]"), verify.Fail, "grants every client the scopes of its administration"},
		{"security.scim11", settings("(.*)/wso2/scim(.*)", "(.*)/wso2/none(.*)"), verify.Fail, "SCIM 1.1 accepts"},
		{"scopes.authorized", fault(s.isFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Path: "/api/server/v1/applications/*/authorized-apis"}), verify.Fail, "HTTP 500"},
		{"scopes.authorized", alter(func(r *http.Request, resp *http.Response) {
			if r.URL.Path == "/api/server/v1/applications" {
				replaced(resp, 200, `{"totalResults":0,"startIndex":1,"count":0,"applications":[]}`)
			}
		}), verify.Skip, "no application of API-M has a client in IS"},
		{"scopes.authorized", func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			s.addScope(t, bootstrap.PublishedAPI{ID: s.apiID(t, "Payments")}, "payments:read") // which the application is not authorized for
			return subject, func() {}
		}, verify.Fail, "lacks payments:read"},
		{"scopes.reached", func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			base := s.is.URL() + "/api/server/v1/api-resources"
			for _, r := range s.call(t, 200, "GET", base+"?filter=identifier+eq+User-defined-oauth2-resource", nil)["apiResources"].([]any) {
				s.call(t, 204, "DELETE", base+"/"+r.(map[string]any)["id"].(string)+"/scopes/payments:read", nil)
			}
			return subject, func() {}
		}, verify.Fail, "IS does not: payments:read"},
		{"keys.manager", with(func(s *verify.Subject) { s.Settings.KeyManagerName = bootstrap.ResidentKeyManager }), verify.Fail, "none of Resident Key Manager"},
		{"keys.accepted", func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			data, err := os.ReadFile(subject.Config.Bootstrap.KeysFile)
			must(t, err)
			subject.Config.Bootstrap.KeysFile = filepath.Join(t.TempDir(), "keys.json")
			must(t, os.WriteFile(subject.Config.Bootstrap.KeysFile, []byte(strings.ReplaceAll(string(data), `"consumerSecret": "`, `"consumerSecret": "x`)), 0o600))
			return subject, func() {}
		}, verify.Fail, "invalid_client"},
		{"keys.accepted", with(func(s *verify.Subject) { s.Config.Bootstrap.KeysFile = "/nowhere/keys.json" }), verify.Skip, "no keys here"},
		{"api.loaded", fault(s.amFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Path: "/orders/1.0.0/**"}), verify.Fail, "HTTP 503"},
		{"api.loaded", with(func(subject *verify.Subject) {
			subject.Want.File = s.parse(t, strings.NewReplacer("name: Payments", "name: Nothing", "BACKEND", s.backend.URL()).Replace(inspected))
		}), verify.Fail, "API-M has no such API"},
		{"app.made", fault(s.amFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 500, Method: "POST", Path: "/api/am/devportal/v3/applications"}), verify.Fail, "HTTP 500"},
		{"token.client", fault(s.isFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Path: "/oauth2/token", Skip: 1}), verify.Fail, "HTTP 503"},
		{"token.signature", fault(s.isFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Path: "/oauth2/jwks"}), verify.Fail, "no keys from"},
		{"token.issuer", manager(map[string]any{"issuer": "https://elsewhere/oauth2/token"}), verify.Fail, "elsewhere"},
		{"is.me", settings("(.*)/scim2/Me", "(.*)/scim2/Mine"), verify.Fail, "HTTP 403"},
		{"api.called", func(_ *testing.T, subject verify.Subject) (verify.Subject, func()) {
			must(t, s.backend.Close())
			return subject, func() {
				backend, err := wso2sim.StartBackend(strings.TrimPrefix(s.backend.URL(), "http://"))
				must(t, err)
				t.Cleanup(func() { backend.Close() })
				s.backend = backend
			}
		}, verify.Fail, "gateway code 101503"},
		{"api.loaded", deployed(func(api object) {
			api["endpointConfig"].(object)["production_endpoints"] = object{"url": "http://127.0.0.1:1"}
		}), verify.Fail, "the gateway still has an earlier revision, which calls http://127.0.0.1:1"},
		{"token.password", with(func(s *verify.Subject) { s.Settings.ISCredentials.Password = "wrong" }), verify.Fail, "invalid_grant"},
		{"token.password", func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			return s.altered(subject, func(r *http.Request, resp *http.Response) {
				if passwordGrant(r) {
					replaced(resp, 200, `{"access_token": "opaque"}`)
				}
			}), func() {}
		}, verify.Fail, "a token of admin: the token is not a signed JWT"},
		{"token.password", with(func(subject *verify.Subject) { // as behind a proxy
			subject.Settings.KMTokenEndpoint = strings.Replace(s.is.URL(), "127.0.0.1", "localhost", 1) + "/oauth2/token"
			s.pins[strings.Replace(host(t, s.is.URL()), "127.0.0.1", "localhost", 1)] = s.pins[host(t, s.is.URL())]
		}), verify.Skip, "only IS may see"},
		{"gateway.subscription", deployed(func(api object) { api["policies"] = []any{} }), verify.Fail, "HTTP 200"},
		{"gateway.scope", deployed(func(api object) {
			for _, op := range api["operations"].([]any) {
				op.(object)["scopes"] = []any{}
			}
		}), verify.Fail, "demands orders:read"},
		{"gateway.wrong-token", deployed(func(api object) {
			for _, op := range api["operations"].([]any) {
				op.(object)["authType"] = "None"
			}
		}), verify.Fail, "HTTP 200"},
		{"gateway.revoked", func(part *testing.T, subject verify.Subject) (verify.Subject, func()) {
			s.restartIS(t, func(text string) string { return strings.ReplaceAll(text, "WSO2-IS\"", "Other\"") }) // the header, with which API-M does nothing
			subject.Config.Trust.ExchangeDir = part.TempDir()
			return subject, func() {
				s.restartIS(t, func(text string) string { return strings.ReplaceAll(text, "Other\"", "WSO2-IS\"") })
			}
		}, verify.Warn, "revoked tokens stay valid"},
		{"gateway.revoked", settings(`'header.X-WSO2-KEY-MANAGER' = "WSO2-IS"`, `'header.X-WSO2-KEY-MANAGER' = "Other"`), verify.Fail, "revoked tokens stay valid"},
		{"notify.endpoint", fault(s.amFaults, wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 401, Path: "/internal/data/v1/notify"}), verify.Fail, "HTTP 401"},
		{"notify.endpoint", func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
			return s.through(subject, otherHeader{s.client.Transport, "X-Wso2-Key-Manager", "Other"}), func() {}
		}, verify.Fail, "its gateway still accepts the token"},
	} {
		failing[tt.id] = failing[tt.id] || tt.verdict == verify.Fail
		t.Run(tt.id+" "+tt.says, func(t *testing.T) {
			changed, undo := tt.prepare(t, subject)
			defer undo()
			if changed.Servers.HTTP == nil {
				changed = s.through(changed, s.client.Transport)
			}
			o := verify.Selection{Only: []string{tt.id}, Wait: time.Second}
			o.Write = slices.ContainsFunc(verify.Checks(), func(d verify.Definition) bool { return d.ID == tt.id && d.Write })
			c := inspect(t, changed, o)[tt.id]
			if tt.says == "invalid_client" && !strings.HasPrefix(c.Remedy, "the secret in KEYS_FILE is not valid any more: remove it") {
				t.Errorf("the remedy is %q", c.Remedy)
			}
			if c.Verdict != tt.verdict || !strings.Contains(c.Evidence, tt.says) {
				t.Errorf("got %+v", c)
			}
		})
	}
	if left := s.call(t, 200, "GET", portal, nil)["list"].([]any); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
	for _, d := range verify.Checks() {
		if !failing[d.ID] {
			t.Errorf("no test shows how %s fails", d.ID)
		}
	}
}

// deploy has the gateway run with a changed revision of an API, and gives the Publisher the API of before. It returns what gives the gateway
// the API of before, too.
func (s *site) deploy(t *testing.T, name string, change func(api object)) (undo func()) {
	t.Helper()
	address := s.am.URL() + "/api/am/publisher/v4/apis/" + s.apiID(t, name)
	revise := func() {
		t.Helper()
		for _, r := range s.call(t, 200, "GET", address+"/revisions?query=deployed:false", nil)["list"].([]any) { // there may be five
			s.call(t, 200, "DELETE", address+"/revisions/"+r.(object)["id"].(string), nil)
		}
		made := s.call(t, 201, "POST", address+"/revisions", object{"description": "test"})
		s.call(t, 201, "POST", address+"/deploy-revision?revisionId="+made["id"].(string), []object{{"name": "Default", "vhost": "localhost", "displayOnDevportal": true}})
	}
	before, changed := s.call(t, 200, "GET", address, nil), s.call(t, 200, "GET", address, nil)
	change(changed)
	s.call(t, 200, "PUT", address, changed)
	revise()
	s.call(t, 200, "PUT", address, before)
	return revise
}

// unpacked returns a new home of a product.
func unpacked(t *testing.T, product string) string {
	t.Helper()
	keys, err := serverKeys()
	must(t, err)
	home := filepath.Join(t.TempDir(), "home")
	must(t, wso2sim.UnpackWith(home, product, wso2sim.UnpackOptions{Rounds: 10, Key: keys[product]}))
	return home
}

// nextToIS returns a subject next to an IS that has never run, with changed settings, and without an exchange volume.
func nextToIS(change func(shipped []byte) []byte) func(*testing.T, verify.Subject) (verify.Subject, func()) {
	return func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
		c := &subject.Config
		home := unpacked(t, wso2sim.ProductIS)
		c.Server = config.Server{Product: config.IS, Name: "wso2is", Home: home, ConfigDir: home}
		c.Release = product.Default(config.IS)
		c.IS.Host, c.IS.AdminUser, c.IS.AdminPass = "wso2is", "admin", "admin"
		c.AM.Host, c.AM.Port, c.AM.AdminUser, c.AM.AdminPass = "wso2am", 9443, "admin", "admin"
		c.Trust.ExchangeDir, c.TLS.Mode = t.TempDir(), "none"
		path := c.DeploymentTOML()
		shipped, err := os.ReadFile(path)
		must(t, err)
		must(t, os.WriteFile(path, change(shipped), 0o600))
		return subject, func() {}
	}
}

// apiID returns the id of an API.
func (s *site) apiID(t *testing.T, name string) string {
	t.Helper()
	for _, api := range s.call(t, 200, "GET", s.am.URL()+"/api/am/publisher/v4/apis?query=name:"+name, nil)["list"].([]any) {
		return api.(map[string]any)["id"].(string)
	}
	t.Fatalf("there is no API %s", name)
	return ""
}

// otherHeader gives a header of requests another value.
type otherHeader struct {
	next        http.RoundTripper
	name, value string
}

func (o otherHeader) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Header.Get(o.name) != "" {
		r = r.Clone(r.Context())
		r.Header.Set(o.name, o.value)
	}
	return o.next.RoundTrip(r)
}

// handler returns a subject next to an IS of a version, with handlers: the version of each, and the range in which it imports OSGi's
// services.
func handler(is string, handlers ...string) func(*testing.T, verify.Subject) (verify.Subject, func()) {
	return func(t *testing.T, subject verify.Subject) (verify.Subject, func()) {
		home := filepath.Join(t.TempDir(), "wso2is-"+is)
		dropins := filepath.Join(home, "repository/components/dropins")
		must(t, os.MkdirAll(dropins, 0o755))
		for each := range slices.Chunk(handlers, 2) {
			version, services := each[0], each[1]
			f, err := os.Create(filepath.Join(dropins, "wso2is.notification.event.handlers-"+version+".jar"))
			must(t, err)
			z := zip.NewWriter(f)
			w, err := z.Create("META-INF/MANIFEST.MF")
			must(t, err)
			// as bundle tools wrap it: a line has 72 bytes, and the next one goes on after a space
			_, err = io.WriteString(w, "Manifest-Version: 1.0\r\nImport-Package: javax.xml;version=\"[1,2)\",org.osgi.service.component;ve\r\n rsion=\""+services+"\"\r\n\r\nName: x\r\n")
			must(t, err)
			must(t, z.Close())
			must(t, f.Close())
		}
		subject.Config.Server = config.Server{Product: config.IS, Name: "wso2is", Home: home, ConfigDir: home}
		subject.Config.Release, _ = product.Of(config.IS, is)
		return subject, func() {}
	}
}

func TestAReadOnlyRunChangesNothing(t *testing.T) {
	s, subject := working(t)
	s.requests.take()
	inspect(t, s.through(subject, s.client.Transport), verify.Selection{})
	// API-M reads IS's document, and the token endpoint refuses a refresh token that does not exist
	if requests := s.requests.take(); !slices.Equal(requests, []string{"POST /api/am/admin/v4/key-managers/discover", "POST /oauth2/token"}) {
		t.Errorf("it sends %q", requests)
	}
}

// A bootstrap makes all checks, and a sidecar those that change nothing. A failure of what the bootstrap has set up fails them, and others
// are warnings. The last line says that everything works.
func TestAVerificationMakesTheChecksOfTheTable(t *testing.T) {
	s, subject := working(t)
	settings := subject.Settings
	subject.Config.KeyManager.ISName = settings.KMName
	subject.Config.IS.AdminUser, subject.Config.IS.AdminPass = "admin", "admin"
	result, _ := s.run(t, settings, subject.Want.File)
	var log bytes.Buffer
	v := &verify.Verifier{Log: slog.New(slog.NewTextHandler(&log, nil)), Server: "wso2am", Poll: time.Second, WaitInVain: 100 * time.Millisecond,
		Process: func(context.Context) (string, bool) { return "1", false }}
	do := func() ([]string, error) {
		log.Reset()
		s.requests.take()
		err := v.Verify(t.Context(), subject.Config, bootstrap.Connect(s.client, settings), result)
		return strings.Split(strings.TrimSpace(log.String()), "\n"), err
	}
	for _, write := range []bool{false, true} {
		v.Write = write
		lines, err := do()
		if text := log.String(); err != nil || !strings.Contains(text, "failed=0 warnings=1 skipped=0") || !strings.Contains(lines[len(lines)-1], "everything works") {
			t.Errorf("write %v: %v\n%s", write, err, text)
		}
		requests := s.requests.take()
		if !write && !slices.Equal(requests, []string{"POST /api/am/admin/v4/key-managers/discover", "POST /oauth2/token"}) {
			t.Errorf("it sends %q", requests)
		}
		for _, d := range verify.Checks() {
			made := strings.Contains(log.String(), "check="+d.ID+" ")
			if want := (write || !d.Write) && !strings.HasPrefix(d.ID, "security.") && d.ID != "scopes.authorized" && d.ID != "keys.manager" && d.ID != "token.password"; made != want {
				t.Errorf("write %v: %s made: %v", write, d.ID, made)
			}
		}
	}
	v.Write = false
	subject.Config.Server.Name = "wso2am"
	if lines, err := do(); err != nil || !strings.Contains(log.String(), "level=WARN msg=check check=trust.name verdict=fail") || !strings.Contains(lines[len(lines)-1], "everything works") {
		t.Errorf("%v\n%s", err, log.String())
	}
	defer s.keyManager(t, map[string]any{"issuer": "https://elsewhere/oauth2/token"})()
	if lines, err := do(); !errors.Is(err, verify.ErrFailed) || !strings.Contains(err.Error(), "km.issuer: ") || !strings.Contains(log.String(), "level=ERROR msg=check check=km.issuer verdict=fail") ||
		strings.Contains(lines[len(lines)-1], "everything works") {
		t.Errorf("%v\n%s", err, log.String())
	}
}

// A run that is stopped removes its application and its client, though its context has ended.
func TestAStoppedInspectionLeavesNothing(t *testing.T) {
	s, subject := working(t)
	subject = s.through(subject, s.client.Transport)
	before := s.clients(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	subject.Servers.HTTP = &http.Client{Transport: altering{s.client.Transport, func(r *http.Request, _ *http.Response) {
		if r.URL.Path == "/oauth2/token" { // the token of the throw-away application
			stop()
		}
	}}}
	if _, err := verify.All(ctx, testLog(t), subject, verify.Selection{Only: []string{"api.called"}, Write: true}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left := s.call(t, 200, "GET", s.am.URL()+"/api/am/devportal/v3/applications?query=wso2agent-", nil)["list"].([]any); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
	if now := s.clients(t); now != before {
		t.Errorf("IS has %v clients, and had %v", now, before)
	}
}

// clients returns how many applications IS has.
func (s *site) clients(t *testing.T) any {
	t.Helper()
	return s.call(t, 200, "GET", s.is.URL()+"/api/server/v1/applications", nil)["totalResults"]
}
