package wso2sim

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/wso2sim/speccheck"
)

// homes are unpacked once: making keys takes longer than everything else.
var homes = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "wso2sim")
	if err != nil {
		return "", err
	}
	for _, product := range []string{ProductIS, ProductAM} {
		if err := UnpackWith(filepath.Join(dir, product), product, UnpackOptions{Rounds: 1000}); err != nil {
			return "", err
		}
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := homes(); err == nil {
		_ = os.RemoveAll(dir)
	}
	os.Exit(code)
}

// recordedBehaviour is that of the version that was recorded.
func recordedBehaviour(product string) Behaviour {
	b, _ := BehaviourOf(product, "")
	return b
}

// newHome is a copy of a fresh home.
func newHome(t *testing.T, product string) string {
	t.Helper()
	dir, err := homes()
	if err != nil {
		t.Fatal(err)
	}
	home := filepath.Join(t.TempDir(), product)
	if err := os.CopyFS(home, os.DirFS(filepath.Join(dir, product))); err != nil {
		t.Fatal(err)
	}
	return home
}

// logBuffer collects what a server logs.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// pair is both servers and a backend.
type pair struct {
	t              *testing.T
	isHome, amHome string
	delays         Delays
	reloadScale    float64
	is             *IS
	am             *AM
	backend        *Backend
	isLog, amLog   *logBuffer
	wrap           func(http.Handler) http.Handler // holds everything against the products' specifications
}

// newPair makes homes and starts a backend; startIS and startAM start the servers.
func newPair(t *testing.T) *pair {
	t.Helper()
	backend, err := StartBackend("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	return &pair{
		t: t, isHome: newHome(t, ProductIS), amHome: newHome(t, ProductAM), backend: backend,
		isLog: &logBuffer{}, amLog: &logBuffer{}, wrap: speccheck.Wrap(t),
	}
}

// workingAs is working with other versions.
func workingAs(t *testing.T, is, am string) *pair {
	t.Helper()
	p := newPair(t)
	p.isHome, p.amHome = homeOf(t, ProductIS, is), homeOf(t, ProductAM, am)
	p.exchange()
	p.startAM()
	p.listener("WSO2-IS")
	p.startIS()
	return p
}

// working is a pair whose servers trust each other and are up, with the revocation listener in place.
func working(t *testing.T) *pair {
	t.Helper()
	p := newPair(t)
	p.exchange()
	p.startAM()
	p.listener("WSO2-IS")
	p.startIS()
	return p
}

func (p *pair) startIS() {
	p.t.Helper()
	listen := "127.0.0.1:0"
	if p.is != nil { // it comes up again where it was
		p.is.Close()
		listen = p.is.port.addr.String()
	}
	is, err := StartIS(p.t.Context(), Options{
		Home: p.isHome, Listen: listen, Delays: p.delays, ReloadScale: p.reloadScale, Wrap: p.wrap, Log: slog.New(slog.NewTextHandler(p.isLog, nil)),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.is = is
	p.t.Cleanup(func() { is.Close() })
	p.wait(is)
}

func (p *pair) startAM() {
	p.t.Helper()
	listen, gateway := "127.0.0.1:0", "127.0.0.1:0"
	if p.am != nil {
		p.am.Close()
		listen, gateway = p.am.port.addr.String(), p.am.gatewayPort.addr.String()
	}
	am, err := StartAM(p.t.Context(), Options{
		Home: p.amHome, Listen: listen, Gateway: gateway, Delays: p.delays, ReloadScale: p.reloadScale, Wrap: p.wrap,
		Log: slog.New(slog.NewTextHandler(p.amLog, nil)),
	})
	if err != nil {
		p.t.Fatal(err)
	}
	p.am = am
	p.t.Cleanup(func() { am.Close() })
	p.wait(am)
}

// unpackAnew gives a product of the pair keys of its own: fresh homes are copies of one.
func (p *pair) unpackAnew(product string) error {
	home := map[string]string{ProductIS: p.isHome, ProductAM: p.amHome}[product]
	if err := os.RemoveAll(home); err != nil {
		return err
	}
	return UnpackWith(home, product, UnpackOptions{Rounds: 1000})
}

func (p *pair) wait(s interface{ Wait(context.Context) error }) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Wait(ctx); err != nil {
		p.t.Fatal(err)
	}
}

// exchange puts each server's certificate into the other's truststore, on disk.
func (p *pair) exchange() {
	p.t.Helper()
	isStores, amStores := filepath.Join(p.isHome, securityDir), filepath.Join(p.amHome, securityDir)
	is, err := homeBehaviour(ProductIS, p.isHome)
	if err != nil {
		p.t.Fatal(err)
	}
	importLeaf(p.t, filepath.Join(isStores, is.Keystore), filepath.Join(amStores, amTruststore), "wso2is")
	importLeaf(p.t, filepath.Join(amStores, amKeystore), filepath.Join(isStores, is.Truststore), "wso2am")
}

func importLeaf(t *testing.T, from, into, alias string) {
	t.Helper()
	leaf, err := open(t, from).Leaf(defaultAlias)
	if err != nil {
		t.Fatal(err)
	}
	trusted := open(t, into)
	if err := trusted.SetTrusted(alias, leaf, time.Now()); err != nil {
		t.Fatal(err)
	}
	data, err := trusted.Encode()
	if err == nil {
		err = os.WriteFile(into, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func open(t *testing.T, path string) *keystore.Store {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := keystore.Open(data, defaultPassword)
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// listener adds the revocation listener to the configuration of IS, with a header value, by the name localhost.
func (p *pair) listener(header string) {
	p.t.Helper()
	if err := WriteRevocationHandler(p.isHome); err != nil {
		p.t.Fatal(err)
	}
	p.appendSettings(p.isHome, `
[[event_listener]]
id = "token_revocation"
type = "org.wso2.carbon.identity.core.handler.AbstractIdentityHandler"
name = "org.wso2.is.notification.ApimOauthEventInterceptor"
order = 1
[event_listener.properties]
notification_endpoint = "`+p.am.url(p.am.port)+`/internal/data/v1/notify"
username = "${admin.username}"
password = "${admin.password}"
'header.X-WSO2-KEY-MANAGER' = "`+header+`"
`)
}

func (p *pair) appendSettings(home, more string) {
	p.t.Helper()
	path := filepath.Join(home, settingsFile)
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(text, more...), 0o600)
	}
	if err != nil {
		p.t.Fatal(err)
	}
}

func (p *pair) admin(path string) string     { return p.am.URL() + "/api/am/admin/v4" + path }
func (p *pair) publisher(path string) string { return p.am.URL() + publisherPath + path }
func (p *pair) devportal(path string) string { return p.am.URL() + devportalPath + path }

// keyManagerBody is a complete key manager for the pair's IS.
func (p *pair) keyManagerBody(name string) object {
	at := func(path string) string { return p.is.url(p.is.port) + path }
	return object{
		"name": name, "displayName": "IS", "type": "WSO2-IS-7", "description": "test", "enabled": true,
		"wellKnownEndpoint": at("/oauth2/token/.well-known/openid-configuration"), "issuer": p.is.Issuer(),
		"clientRegistrationEndpoint": at(registerPath), "introspectionEndpoint": at("/oauth2/introspect"),
		"tokenEndpoint": at("/oauth2/token"), "revokeEndpoint": at("/oauth2/revoke"), "userInfoEndpoint": at("/scim2/Me"),
		"certificates":     object{"type": "JWKS", "value": at("/oauth2/jwks")},
		"consumerKeyClaim": "azp", "scopesClaim": "scope", "claimMapping": []any{}, "tokenValidation": []any{},
		"enableTokenGeneration": true, "enableOAuthAppCreation": true, "enableMapOAuthConsumerApps": true, "tokenType": "DIRECT",
		"additionalProperties": object{
			"Username": "admin", "Password": "admin", "is7_roles_endpoint": at("/scim2/v2/Roles"),
			"api_resource_management_endpoint": at(resourcesPath),
		},
	}
}

// keyManager registers the pair's IS and returns its id.
func (p *pair) keyManager(name string) string {
	p.t.Helper()
	return send(p.t, "POST", p.admin("/key-managers"), admin, p.keyManagerBody(name)).want(p.t, 201).str("id")
}

func (p *pair) apiBody(name, context string) object {
	return object{
		"name": name, "version": "1.0.0", "context": context, "policies": []string{"Unlimited"},
		"endpointConfig": object{"endpoint_type": "http", "production_endpoints": object{"url": p.backend.URL()}},
	}
}

// api creates an API and returns its id.
func (p *pair) api(name, context string) string {
	p.t.Helper()
	return send(p.t, "POST", p.publisher("/apis"), admin, p.apiBody(name, context)).want(p.t, 201).str("id")
}

// deploy makes a revision of an API and deploys it.
func (p *pair) deploy(id string) {
	p.t.Helper()
	rev := send(p.t, "POST", p.publisher("/apis/"+id+"/revisions"), admin, object{"description": "r"}).want(p.t, 201).str("id")
	send(p.t, "POST", p.publisher("/apis/"+id+"/deploy-revision?revisionId="+rev), admin,
		[]object{{"name": "Default", "vhost": "localhost", "displayOnDevportal": true}}).want(p.t, 201)
}

func (p *pair) publish(id string) {
	p.t.Helper()
	send(p.t, "POST", p.publisher("/apis/change-lifecycle?action=Publish&apiId="+id), admin, nil).want(p.t, 200)
}

func (p *pair) application(name string) string {
	p.t.Helper()
	return send(p.t, "POST", p.devportal("/applications"), admin, object{"name": name, "throttlingPolicy": "Unlimited"}).want(p.t, 201).str("applicationId")
}

func (p *pair) subscribe(app, api string) {
	p.t.Helper()
	send(p.t, "POST", p.devportal("/subscriptions"), admin, object{"applicationId": app, "apiId": api, "throttlingPolicy": "Unlimited"}).want(p.t, 201)
}

// generate asks for keys; an empty manager is the Resident Key Manager.
func (p *pair) generate(app, manager string) reply {
	p.t.Helper()
	body := object{
		"keyType": "PRODUCTION", "grantTypesToBeSupported": []string{"client_credentials", "password", "refresh_token"},
		"callbackUrl": "", "scopes": []string{"default"}, "validityTime": "3600", "additionalProperties": object{},
	}
	if manager != "" {
		body["keyManager"] = manager
	}
	return send(p.t, "POST", p.devportal("/applications/"+app+"/generate-keys"), admin, body)
}

// token fetches a client_credentials token.
func token(t *testing.T, server string, keys reply) string {
	t.Helper()
	return send(t, "POST", server+"/oauth2/token", basic(keys.str("consumerKey"), keys.str("consumerSecret")),
		url.Values{"grant_type": {"client_credentials"}}).want(t, 200).str("access_token")
}

// invoke calls an API through the gateway.
func (p *pair) invoke(path string, who auth) reply {
	p.t.Helper()
	return send(p.t, "GET", p.am.GatewayURL()+path, who, nil)
}
