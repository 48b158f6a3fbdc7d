package doctor_test

import (
	"archive/zip"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wso2agent/internal/apply"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/doctor"
	"wso2agent/internal/keystore"
	"wso2agent/internal/scopes"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// site is two stand-ins that work together, with their config volumes and the exchange volume, and nothing wrong with them.
type site struct {
	dir                  string
	is                   *wso2sim.IS
	am                   *wso2sim.AM
	isFaults, amFaults   *wso2sim.Faults
	isLeaf, amLeaf       keystore.Certificate
	requests             *wso2sim.RequestLog // of API-M
	isRequests           *wso2sim.RequestLog
	clock                time.Duration // how far the clocks of both servers are ahead
	clockOfIS            time.Duration // how much further that of IS is
	exchange, apiConfig  string
	logs                 string                             // folder
	answer               func(*http.Request) *http.Response // to a request of the doctor, instead of a server; nil: none
	env                  map[string]string
	volumeOfAM, volumeIS string
}

// encryptionKey is that of IS, as a person or an agent has set it.
const encryptionKey = "\n[encryption]\nkey = \"0123456789abcdef0123456789abcdef\"\n"

const stores = "repository/resources/security"

// desiredState is what both servers are brought to.
const desiredState = `apis:
  - name: Pay Orders
    context: /orders
    version: 1.0.0
    endpoints: {production: {url: "http://127.0.0.1:9/orders"}}
    policies: [Unlimited]
    scopes: [{name: "orders:read", roles: [admin]}]
    operations: [{target: "/*", verb: GET, scopes: ["orders:read"]}]
applications:
  - name: Shop
    subscriptions: [{api_name: Pay Orders}]
    keys: [{key_manager: WSO2-IS, type: PRODUCTION, grant_types: [client_credentials]}]
`

// newSite starts the stand-ins, and brings them to the desired state.
func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{dir: t.TempDir(), isFaults: wso2sim.NewFaults(), amFaults: wso2sim.NewFaults(), requests: wso2sim.NewRequestLog(), isRequests: wso2sim.NewRequestLog()}
	s.exchange, s.apiConfig, s.logs = s.path("exchange"), s.path("api-config.yaml"), s.path("logs")
	must(t, os.MkdirAll(s.logs, 0o755))
	must(t, os.WriteFile(filepath.Join(s.logs, "wso2carbon.log"), nil, 0o600))
	must(t, os.MkdirAll(s.exchange, 0o755))
	must(t, os.WriteFile(s.apiConfig, []byte(desiredState), 0o600))
	isHome, amHome := s.path("home-is"), s.path("home-am")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(t, err)
	for product, home := range map[string]string{wso2sim.ProductIS: isHome, wso2sim.ProductAM: amHome} {
		must(t, wso2sim.UnpackWith(home, product, wso2sim.UnpackOptions{Rounds: 10, Key: key}))
	}
	s.isLeaf = renew(t, filepath.Join(isHome, stores, "wso2carbon.p12"), key, "wso2is")
	s.amLeaf = renew(t, filepath.Join(amHome, stores, "wso2carbon.jks"), key, "wso2am")
	for _, path := range []string{filepath.Join(isHome, stores, "client-truststore.p12"), filepath.Join(amHome, stores, "client-truststore.jks")} {
		edit(t, path, func(store *keystore.Store) error {
			if err := store.SetTrusted("wso2is", s.isLeaf, time.Now()); err != nil {
				return err
			}
			return store.SetTrusted("wso2am", s.amLeaf, time.Now())
		})
	}
	s.volumeIS, s.volumeOfAM = s.path("volume-is"), s.path("volume-am")
	for from, to := range map[string]string{isHome: s.volumeIS, amHome: s.volumeOfAM} {
		for _, folder := range []string{stores, "repository/conf"} {
			must(t, os.CopyFS(filepath.Join(to, folder), os.DirFS(filepath.Join(from, folder))))
		}
	}
	s.is, err = wso2sim.StartIS(t.Context(), wso2sim.Options{Home: isHome, Listen: "127.0.0.1:0", Faults: s.isFaults, Requests: s.isRequests, Wrap: s.dated})
	must(t, err)
	t.Cleanup(func() { s.is.Close() })
	s.am, err = wso2sim.StartAM(t.Context(), wso2sim.Options{Home: amHome, Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Faults: s.amFaults, Requests: s.requests, Wrap: s.dated})
	must(t, err)
	t.Cleanup(func() { s.am.Close() })
	must(t, s.is.Wait(t.Context()))
	must(t, s.am.Wait(t.Context()))
	both := []string{s.isLeaf.Fingerprint().String(), s.amLeaf.Fingerprint().String()}
	for name, leaf := range map[string]keystore.Certificate{"wso2is": s.isLeaf, "wso2am": s.amLeaf} {
		e := trust.Exchange{Dir: s.exchange, Name: name}
		_, err := e.Publish([]keystore.Certificate{leaf})
		must(t, err)
		_, err = e.Acknowledge(trust.Trusts{Generation: "g", Fingerprints: both})
		must(t, err)
	}
	s.env = map[string]string{"EXCHANGE_DIR": s.exchange, "API_CONFIG": s.apiConfig, "KEYS_FILE": s.path("output/keys.json"), "KEY_MANAGER_NAME": "WSO2-IS", "RESTART": "exec",
		"ARTIFACT_DIR": s.path("artifacts"), "KM_TOKEN_ENDPOINT": s.is.URL() + "/oauth2/token", "VHOST": "localhost"}
	for prefix, address := range map[string]string{"IS": s.is.URL(), "AM": s.am.URL(), "GW": s.am.GatewayURL()} {
		u, err := url.Parse(address)
		must(t, err)
		s.env[prefix+"_HOST"], s.env[prefix+"_PORT"] = u.Hostname(), u.Port()
	}
	jar := filepath.Join(s.path("artifacts"), "repository/components/dropins/wso2is.notification.event.handlers-2.0.5.jar")
	must(t, os.MkdirAll(filepath.Dir(jar), 0o755))
	f, err := os.Create(jar)
	must(t, err)
	must(t, zip.NewWriter(f).Close())
	must(t, f.Close())
	for _, product := range []string{config.IS, config.AM} {
		cfg := s.config(t, product, nil)
		text, err := server.ReadOwn(t.Context(), cfg)
		must(t, err)
		if product == config.IS {
			text = append(text, encryptionKey...)
			must(t, os.WriteFile(cfg.DeploymentTOML(), text, 0o600))
		}
		needs, err := server.OwnNeeds(cfg, text)
		must(t, err)
		_, _, err = server.SettingsFileOf(cfg).Apply(t.Context(), needs, true)
		must(t, err)
	}
	s.reach(t)
	return s
}

func (s *site) path(name string) string { return filepath.Join(s.dir, name) }

// dated changes the clock of a server, as its answers show it.
func (s *site) dated(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ahead := s.clock
		if host, _, _ := net.SplitHostPort(r.Host); s.is != nil && r.Host == s.env["IS_HOST"]+":"+s.env["IS_PORT"] && host != "" {
			ahead += s.clockOfIS
		}
		if ahead != 0 {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		}
		next.ServeHTTP(w, r)
	})
}

// reach brings both servers to the desired state.
func (s *site) reach(t *testing.T) {
	t.Helper()
	cfg := s.config(t, config.AM, nil)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	files := bootstrap.FilesOf(cfg)
	want, err := files.Desired()
	must(t, err)
	_, err = apply.Bootstrap(ctx, slog.New(slog.DiscardHandler), s.client(cfg), s.settings(cfg), files, want)
	must(t, err)
	keeper := scopes.Keeper{Log: slog.New(slog.DiscardHandler)}
	report, err := keeper.Poll(ctx, s.servers(cfg).Scopes)
	must(t, err)
	must(t, report.Err())
}

// config returns the settings of an agent next to a server; with the product "" of one that runs anywhere.
func (s *site) config(t *testing.T, product string, more map[string]string) config.Config {
	t.Helper()
	set := map[string]string{"PRODUCT": product, "CONFIG_DIR": "", "SERVER_HOME": "", "PEERS": "", "SERVER_NAME": ""}
	switch product {
	case config.IS:
		set["CONFIG_DIR"], set["SERVER_HOME"] = s.volumeIS, s.path("home-is")
	case config.AM:
		set["CONFIG_DIR"], set["SERVER_HOME"] = s.volumeOfAM, s.path("home-am")
	}
	for name, value := range s.env {
		set[name] = value
	}
	for name, value := range more {
		set[name] = value
	}
	for name, value := range set {
		t.Setenv(name, value)
	}
	cfg, err := config.Load()
	must(t, err)
	return cfg
}

func (s *site) settings(cfg config.Config) bootstrap.Settings {
	if cfg.Server.Product == "" {
		cfg = cfg.For(config.AM)
	}
	return bootstrap.SettingsOf(cfg, &bootstrap.Accounts{})
}

// client returns a client that trusts both servers by what they have published.
func (s *site) client(cfg config.Config) *http.Client {
	return wso2.NewHTTPClient(trust.PinsOf(cfg), nil)
}

func (s *site) servers(cfg config.Config) bootstrap.Servers {
	return bootstrap.Connect(s.client(cfg), s.settings(cfg))
}

// reader returns a reader of the facts, as agent doctor has it.
func (s *site) reader(cfg config.Config) *doctor.Reader {
	settings, err := s.settings(cfg).Normalised()
	if err != nil {
		panic(err)
	}
	hc := s.client(cfg)
	hc.Transport = answering{hc.Transport, s}
	r := &doctor.Reader{Config: cfg, HTTP: hc, Settings: settings, Logs: []string{s.logs}}
	r.Desired, _ = bootstrap.FilesOf(cfg).Desired()
	return r
}

// answering answers requests as the site says.
type answering struct {
	http.RoundTripper
	site *site
}

func (a answering) RoundTrip(r *http.Request) (*http.Response, error) {
	if a.site.answer != nil {
		if resp := a.site.answer(r); resp != nil {
			return resp, nil
		}
	}
	return a.RoundTripper.RoundTrip(r)
}

// renew gives the key of a keystore a certificate for the names of a server, valid for a year.
func renew(t *testing.T, path string, key *rsa.PrivateKey, name string) (leaf keystore.Certificate) {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name, "localhost"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(365 * 24 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	must(t, err)
	leaf = keystore.Certificate{DER: der}
	edit(t, path, func(store *keystore.Store) error {
		return store.SetKey("wso2carbon", key, []keystore.Certificate{leaf}, "wso2carbon", time.Now())
	})
	return leaf
}

func edit(t *testing.T, path string, change func(*keystore.Store) error) {
	t.Helper()
	data, err := os.ReadFile(path)
	must(t, err)
	store, err := keystore.Open(data, "wso2carbon")
	must(t, err)
	must(t, change(store))
	data, err = store.Encode()
	must(t, err)
	must(t, os.WriteFile(path, data, 0o600))
}
