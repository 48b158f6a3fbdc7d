package verify_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/desired"
	"wso2agent/internal/keysfile"
	"wso2agent/internal/keystore"
	exchange "wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/speccheck"
)

// These tests run bootstrap and verify against the stand-ins of both servers, over TLS, as a whole.

const storePassword = "wso2carbon"

// stores are where the products keep theirs, relative to their homes, and the format's names.
var stores = map[string]struct{ key, trust string }{
	wso2sim.ProductIS: {"repository/resources/security/wso2carbon.p12", "repository/resources/security/client-truststore.p12"},
	wso2sim.ProductAM: {"repository/resources/security/wso2carbon.jks", "repository/resources/security/client-truststore.jks"},
}

// serverKeys are the keys of the servers by product, made once for all tests: making them takes longer than all else that a
// home needs. Each home has certificates of its own.
var serverKeys = sync.OnceValues(func() (map[string]*rsa.PrivateKey, error) {
	keys := map[string]*rsa.PrivateKey{}
	for _, product := range []string{wso2sim.ProductIS, wso2sim.ProductAM} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		keys[product] = key
	}
	return keys, nil
})

// site has both stand-ins and a backend, with a client that trusts each of them by its fingerprint.
type site struct {
	isHome   string
	amHome   string
	is       *wso2sim.IS
	am       *wso2sim.AM
	backend  *wso2sim.Backend
	pins     pins
	client   *http.Client
	requests *requestLog

	isFaults, amFaults *wso2sim.Faults
}

type pins map[string][]keystore.Fingerprint

func (p pins) Pinned(address string) ([]keystore.Fingerprint, bool, error) {
	fps, peer := p[address]
	return fps, peer, nil
}

// requestLog notes the requests that change something.
type requestLog struct {
	next http.RoundTripper
	mu   sync.Mutex
	list []string
}

func (l *requestLog) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodGet && !strings.HasSuffix(r.URL.Path, "/apis/validate") { // which asks
		l.mu.Lock()
		l.list = append(l.list, r.Method+" "+r.URL.Path)
		l.mu.Unlock()
	}
	return l.next.RoundTrip(r)
}

// take returns the requests since the last call.
func (l *requestLog) take() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	list := l.list
	l.list = nil
	return list
}

// leaf returns the TLS certificate in a product's home.
func leaf(t *testing.T, home, product string) keystore.Certificate {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(home, stores[product].key))
	must(t, err)
	store, err := keystore.Open(text, storePassword)
	must(t, err)
	cert, err := store.Leaf("wso2carbon")
	must(t, err)
	return cert
}

// trust puts a peer's certificate into a product's truststore.
func trust(t *testing.T, home, product, alias string, cert keystore.Certificate) {
	t.Helper()
	path := filepath.Join(home, stores[product].trust)
	text, err := os.ReadFile(path)
	must(t, err)
	store, err := keystore.Open(text, storePassword)
	must(t, err)
	must(t, store.SetTrusted(alias, cert, time.Now()))
	text, err = store.Encode()
	must(t, err)
	must(t, os.WriteFile(path, text, 0o600))
}

// open returns a running site whose servers trust each other.
func open(t *testing.T, delays wso2sim.Delays) *site {
	t.Helper()
	return openWith(t, delays, func(_ *testing.T, shipped []byte) []byte { return shipped })
}

// openWith does the same as open, with changes to the settings that IS ships.
func openWith(t *testing.T, delays wso2sim.Delays, settings func(t *testing.T, shipped []byte) []byte) *site {
	t.Helper()
	ctx, dir := t.Context(), t.TempDir()
	isHome, amHome := filepath.Join(dir, "is"), filepath.Join(dir, "am")
	keys, err := serverKeys()
	must(t, err)
	must(t, wso2sim.UnpackWith(isHome, wso2sim.ProductIS, wso2sim.UnpackOptions{Rounds: 1000, Key: keys[wso2sim.ProductIS]}))
	must(t, wso2sim.UnpackWith(amHome, wso2sim.ProductAM, wso2sim.UnpackOptions{Rounds: 1000, Key: keys[wso2sim.ProductAM]}))
	isCert, amCert := leaf(t, isHome, wso2sim.ProductIS), leaf(t, amHome, wso2sim.ProductAM)
	trust(t, isHome, wso2sim.ProductIS, "wso2am", amCert)
	trust(t, amHome, wso2sim.ProductAM, "wso2is", isCert)
	s := &site{isHome: isHome, amHome: amHome, isFaults: wso2sim.NewFaults(), amFaults: wso2sim.NewFaults()}
	wrap := speccheck.Wrap(t)
	s.am, err = wso2sim.StartAM(ctx, wso2sim.Options{
		Home: amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Hostname: "wso2am", Delays: delays, Wrap: wrap, Faults: s.amFaults,
	})
	must(t, err)
	t.Cleanup(func() { s.am.Close() })

	path := filepath.Join(isHome, "repository/conf/deployment.toml")
	shipped, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, append(settings(t, shipped), s.listener(t)...), 0o600))
	must(t, wso2sim.WriteRevocationHandler(isHome))
	s.is, err = wso2sim.StartIS(ctx, wso2sim.Options{Home: isHome, Listen: "127.0.0.1:0", Hostname: "wso2is", Delays: delays, Wrap: wrap, Faults: s.isFaults})
	must(t, err)
	t.Cleanup(func() { s.is.Close() })
	s.backend, err = wso2sim.StartBackend("127.0.0.1:0")
	must(t, err)
	t.Cleanup(func() { s.backend.Close() })

	s.pins = pins{
		host(t, s.is.URL()):        {isCert.Fingerprint()},
		host(t, s.am.URL()):        {amCert.Fingerprint()},
		host(t, s.am.GatewayURL()): {amCert.Fingerprint()},
	}
	hc := wso2.NewHTTPClient(s.pins, nil)
	s.requests = &requestLog{next: hc.Transport}
	s.client = &http.Client{Transport: s.requests, Timeout: hc.Timeout, CheckRedirect: hc.CheckRedirect}
	t.Cleanup(hc.CloseIdleConnections)
	return s
}

// restartIS restarts IS at its address, with other settings.
func (s *site) restartIS(t *testing.T, change func(text string) string) {
	t.Helper()
	at := host(t, s.is.URL())
	must(t, s.is.Close())
	path := filepath.Join(s.isHome, "repository/conf/deployment.toml")
	text, err := os.ReadFile(path)
	must(t, err)
	must(t, os.WriteFile(path, []byte(change(string(text))), 0o600))
	is, err := wso2sim.StartIS(t.Context(), wso2sim.Options{Home: s.isHome, Listen: at, Hostname: "wso2is", Faults: s.isFaults})
	must(t, err)
	t.Cleanup(func() { is.Close() })
	must(t, is.Wait(t.Context()))
	s.is = is
}

// listener is the setting with which IS reports revoked tokens to API-M. IS compares the name in API-M's certificate, which is localhost.
func (s *site) listener(t *testing.T) string {
	_, port, err := net.SplitHostPort(host(t, s.am.URL()))
	must(t, err)
	return `
[[event_listener]]
id = "token_revocation"
type = "org.wso2.carbon.identity.core.handler.AbstractIdentityHandler"
name = "org.wso2.is.notification.ApimOauthEventInterceptor"
order = 1
[event_listener.properties]
notification_endpoint = "https://localhost:` + port + `/internal/data/v1/notify"
username = "admin"
password = "admin"
'header.X-WSO2-KEY-MANAGER' = "WSO2-IS"
`
}

func host(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	must(t, err)
	if _, _, err := net.SplitHostPort(u.Host); err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func (s *site) settings(keyManager string) bootstrap.Settings {
	admin := wso2.Credentials{User: "admin", Password: "admin"}
	return bootstrap.Settings{
		AMURL: s.am.URL(), GatewayURL: s.am.GatewayURL(), ISURL: s.is.URL(), AMCredentials: admin, ISCredentials: admin,
		VHost: "localhost", Owner: "site", KMName: "WSO2-IS", KeyManagerName: keyManager, KMTokenEndpoint: s.is.URL() + "/oauth2/token",
		RetryFirst: 20 * time.Millisecond, RetryMax: 200 * time.Millisecond, EventWait: 500 * time.Millisecond,
	}
}

// desired is the example, with the site's backend.
func (s *site) desired(t *testing.T) *desired.File {
	t.Helper()
	text, err := os.ReadFile("../../examples/api-config.yaml")
	must(t, err)
	d := s.parse(t, string(text))
	for i := range d.APIs.Value {
		setBackend(d, i, s.backend.URL())
	}
	return d
}

func (s *site) parse(t *testing.T, text string) *desired.File {
	t.Helper()
	d, err := desired.Parse(desired.FromSystem(os.LookupEnv, nil), desired.Input{Name: "api-config.yaml", Data: []byte(text)})
	must(t, err)
	return d
}

func setBackend(d *desired.File, api int, address string) {
	d.APIs.Value[api].Value.Endpoints.Value.Production.Value.URL.Value = address
}

// files are those of an agent that has been here before.
func (s *site) files() bootstrap.Files {
	return bootstrap.Files{Keys: keysfile.Files{JSON: filepath.Join(filepath.Dir(s.isHome), "keys.json")}}
}

// run does one bootstrap, and also returns the requests that changed something.
func (s *site) run(t *testing.T, settings bootstrap.Settings, d *desired.File) (bootstrap.Result, []string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	s.requests.take()
	result, err := apply.Bootstrap(ctx, testLog(t), s.client, settings, s.files(), d)
	if err != nil {
		t.Fatal(err)
	}
	return result, s.requests.take()
}

// check makes the checks with a token, and those of the keys, on the result of a bootstrap. handler is what the agent next to IS says.
func (s *site) check(t *testing.T, hc *http.Client, settings bootstrap.Settings, result bootstrap.Result, handler bool, wait time.Duration) ([]verify.Check, error) {
	t.Helper()
	var cfg config.Config
	cfg.Server.Product, cfg.Server.Name, cfg.Trust.Peers, cfg.Trust.ExchangeDir = config.AM, "wso2am", []string{"wso2is"}, t.TempDir()
	cfg.Bootstrap.KeysFile = s.files().Keys.JSON
	_, err := exchange.Exchange{Dir: cfg.Trust.ExchangeDir, Name: "wso2is"}.SayClosing(exchange.Closing{Handler: handler})
	must(t, err)
	subject := verify.Subject{Config: cfg, Settings: settings, Servers: bootstrap.Connect(hc, settings), Result: &result}
	return verify.All(t.Context(), testLog(t), subject, verify.Selection{Write: true, Wait: wait,
		Only: []string{"keys.accepted", "app", "token.signature", "token.issuer", "api", "gateway.wrong-token", "gateway.revoked"}})
}

func (s *site) verify(t *testing.T, settings bootstrap.Settings, result bootstrap.Result) []verify.Check {
	t.Helper()
	var answered atomic.Bool
	hc := *s.client
	hc.Transport = altering{s.client.Transport, func(req *http.Request, resp *http.Response) {
		if req.URL.Host == host(t, s.am.GatewayURL()) && resp.StatusCode == http.StatusOK {
			body, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Error(err)
			}
			replaced(resp, resp.StatusCode, string(body))
			if strings.Contains(string(body), `"nonce"`) { // which only the back end answers
				answered.Store(true)
			}
		}
	}}
	checks, err := s.check(t, &hc, settings, result, true, 20*time.Second)
	if err != nil {
		t.Error(err)
	}
	for _, c := range checks {
		if c.Verdict != verify.Pass {
			t.Errorf("check %+v", c)
		}
	}
	if !answered.Load() {
		t.Error("no back end has answered")
	}
	return checks
}

// of returns the first result of a check.
func of(t *testing.T, checks []verify.Check, id string) verify.Check {
	t.Helper()
	for _, c := range checks {
		if c.ID == id {
			return c
		}
	}
	t.Fatalf("no %s in %+v", id, checks)
	return verify.Check{}
}

func testLog(t *testing.T) *slog.Logger {
	return slog.New(slog.NewTextHandler(t.Output(), nil))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTheWholeWayWorksAndASecondRunChangesNothing(t *testing.T) {
	for _, keyManager := range []string{"WSO2-IS", bootstrap.ResidentKeyManager} {
		t.Run("keys from "+keyManager, func(t *testing.T) {
			s := open(t, wso2sim.Delays{})
			settings := s.settings(keyManager)
			first, _ := s.run(t, settings, s.desired(t))
			s.verify(t, settings, first)
			second, requests := s.run(t, settings, s.desired(t))
			if second.Changes != 0 || len(requests) > 0 {
				t.Errorf("the second run made %d changes, by %q", second.Changes, requests)
			}
			if second.ConsumerKey != first.ConsumerKey || second.ConsumerSecret != first.ConsumerSecret {
				t.Error("the second run found other keys")
			}
			s.verify(t, settings, second)
		})
	}
}
