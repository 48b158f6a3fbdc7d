package up

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/docker"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv/engine"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2sim"
)

// running is a stand-in of a server in a container of a stand-in of an engine.
type running struct {
	*engine.Container
	instance *wso2sim.Instance
	restarts int
	refuses  bool // the engine cannot restart it
}

// launch starts a server in the home of a container, which publishes its port. A restart of the container starts it anew.
func launch(t *testing.T, product, name string) *running {
	t.Helper()
	r := &running{Container: boxed(t, product, name)}
	o := wso2sim.Options{Home: filepath.Join(r.Root, map[string]string{"is": isHome, "am": amHome}[product]), Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0"}
	start := func() (err error) {
		if r.instance, err = wso2sim.Launch(context.Background(), product, o); err != nil {
			return err
		}
		return r.instance.Wait(context.Background())
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.instance.Close() })
	o.Listen = hostOf(t, r.instance.URL())
	if product == "am" {
		o.Gateway = hostOf(t, r.instance.GatewayURL())
	}
	r.Ports = map[int]int{9443: portOf(t, r.instance.URL())}
	r.Restart = func() error {
		if r.refuses {
			return errors.New("port is already allocated")
		}
		r.restarts++
		return errors.Join(r.instance.Close(), start())
	}
	return r
}

func hostOf(t *testing.T, address string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

func portOf(t *testing.T, address string) int {
	t.Helper()
	_, text, _ := strings.Cut(hostOf(t, address), ":")
	port, err := strconv.Atoi(text)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// TestServersThatRunAlreadyWorkTogether does the whole way with both stand-ins: a run that the engine stops halfway, one that goes on, and
// one that finds everything done.
func TestServersThatRunAlreadyWorkTogether(t *testing.T) {
	is, am := launch(t, "is", "shop-is"), launch(t, "am", "shop-am")
	e := engine.Start(t, is.Container, am.Container)
	backend, err := wso2sim.StartBackend("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { backend.Close() })
	dir := t.TempDir()
	file := filepath.Join(dir, "apis.yaml")
	text := "rest_apis:\n- {name: Payments, context: /payments, version: 1.0.0, backend_url: '" + backend.URL() + "'}\n" +
		"application: {name: Shop, throttling_policy: Unlimited}\nsubscriptions:\n- {api_name: Payments, throttling_policy: Unlimited}\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, value := range map[string]string{
		"API_CONFIG": file, "KEYS_FILE": filepath.Join(dir, "keys.json"), "KEY_MANAGER_NAME": "WSO2-IS",
		"IS_HOST": "127.0.0.1", "IS_PORT": strconv.Itoa(is.Ports[9443]), "GW_PORT": strconv.Itoa(portOf(t, am.instance.GatewayURL())),
	} {
		t.Setenv(name, value)
	}
	run := func() (Result, string, error) {
		o, out := options(t, e)
		o.IS = Target{Product: config.IS, URL: is.instance.URL(), Container: "shop-is"}
		o.AM = Target{Product: config.AM, URL: am.instance.URL(), Container: "shop-am"}
		r, err := Run(t.Context(), o, func(ctx context.Context, r Reached) (int, error) {
			return Bootstrap(ctx, slog.New(slog.NewTextHandler(io.Discard, nil)), r)
		})
		return r, out.String(), err
	}
	kinds := func(r Result) (all []string) {
		for _, s := range r.Steps {
			all = append(all, string(s.Kind)+" "+s.Server)
		}
		return all
	}
	am.refuses = true
	r, out, err := run()
	if err == nil || !strings.Contains(err.Error(), "API-M in container shop-am") || !strings.Contains(err.Error(), "already allocated") {
		t.Fatalf("a restart that fails: %v", err)
	}
	if want := []string{"import wso2is", "import wso2am", "restart wso2is", "restart wso2am"}; !slices.Equal(kinds(r), want) {
		t.Errorf("%q, want %q\n%s", kinds(r), want, out)
	}
	am.refuses = false
	if r, out, err = run(); err != nil || !slices.Equal(kinds(r), []string{"restart wso2am"}) || r.Changes == 0 {
		t.Fatalf("the run after it: %q, %d changes, %v\n%s", kinds(r), r.Changes, err, out)
	}
	requests := len(e.Requests())
	if r, out, err = run(); err != nil || len(r.Steps) > 0 || r.Changes > 0 || !strings.Contains(out, "both servers trust each other: no certificate to import, no server to restart\n") {
		t.Errorf("another run: %q, %d changes, %v\n%s", kinds(r), r.Changes, err, out)
	}
	for _, request := range e.Requests()[requests:] {
		if strings.HasPrefix(request, "P") { // POST, PUT
			t.Errorf("another run: %s", request)
		}
	}
	if is.restarts != 1 || am.restarts != 1 {
		t.Errorf("%d and %d restarts", is.restarts, am.restarts)
	}
	if got, want := trusts(t, security(is.Container, isHome, "client-truststore.p12"))["wso2am"], trusts(t, security(am.Container, amHome, "client-truststore.jks"))["wso2carbon"]; got != want {
		t.Errorf("IS trusts %s as wso2am, want %s", got, want)
	}
}

func TestAPIMReachesISAtAnAddressOfItsOwn(t *testing.T) {
	own, cert := certificate(t, "is"), certificate(t, "am")
	at := func(product, address string, p place) side {
		s := side{Target: Target{Product: product}, place: p}
		s.Side = Side{Address: address, Certificate: map[string]keystore.Certificate{"is": own, "am": cert}[product]}
		return s
	}
	boxed := func(name, service string) place {
		return &container{facts: docker.Container{Name: name, Labels: map[string]string{"com.docker.compose.service": service}}}
	}
	for name, c := range map[string]struct {
		env    map[string]string
		is, am side
		inner  string // the address in the key manager
		route  string // where this machine reaches it; empty: there
		err    string
	}{
		"both in containers of Compose":    {nil, at("is", "localhost:19443", boxed("shop-is-1", "wso2is")), at("am", "localhost:19444", boxed("shop-am-1", "wso2am")), "wso2is:9443", "localhost:19443", ""},
		"both in containers":               {nil, at("is", "localhost:19443", boxed("is", "")), at("am", "localhost:19444", boxed("am", "")), "is:9443", "localhost:19443", ""},
		"a person says at which":           {map[string]string{"IS_HOST": "sso", "IS_PORT": "443"}, at("is", "localhost:19443", boxed("is", "")), at("am", "localhost:19444", boxed("am", "")), "sso:443", "localhost:19443", ""},
		"both on this machine":             {nil, at("is", "localhost:9443", &home{}), at("am", "localhost:9444", &home{}), "localhost:9443", "", ""},
		"IS elsewhere, API-M in a box":     {nil, at("is", "sso.example:443", nil), at("am", "localhost:9444", boxed("am", "")), "sso.example:443", "", ""},
		"IS on this machine, API-M in one": {nil, at("is", "localhost:9443", &home{}), at("am", "localhost:9444", boxed("am", "")), "", "", "set IS_HOST and IS_PORT"},
	} {
		t.Run(name, func(t *testing.T) {
			for variable, value := range c.env {
				t.Setenv(variable, value)
			}
			cfg, err := config.Load()
			if err != nil {
				t.Fatal(err)
			}
			r, err := Options{Config: cfg}.reached(c.is, c.am)
			if c.err != "" {
				if err == nil || !errors.Is(err, ErrPermanent) || !strings.Contains(err.Error(), c.err) {
					t.Errorf("%v, want %q", err, c.err)
				}
				return
			}
			if err != nil || r.Config.ISAddress() != c.inner || r.Config.Trust.ConnectTo[c.inner] != c.route {
				t.Fatalf("%s by %v, %v", r.Config.ISAddress(), r.Config.Trust.ConnectTo, err)
			}
			if r.Config.KeyManager.TokenEndpoint != "https://"+c.inner+"/oauth2/token" || r.Config.AMAddress() != c.am.Address || r.Config.Gateway.Host != "localhost" {
				t.Errorf("%s, %s, %s", r.Config.KeyManager.TokenEndpoint, r.Config.AMAddress(), r.Config.Gateway.Host)
			}
			for address, want := range map[string]string{c.inner: own.Fingerprint().String(), c.am.Address: cert.Fingerprint().String(), r.Config.GatewayAddress(): cert.Fingerprint().String()} {
				if pins, peer, err := trust.PinsOf(r.Config).Pinned(address); err != nil || !peer || pins[0].String() != want {
					t.Errorf("%s: %v, %t, %v", address, pins, peer, err)
				}
			}
			if _, peer, _ := trust.PinsOf(r.Config).Pinned("elsewhere:443"); peer {
				t.Error("another address is pinned")
			}
		})
	}
}

func TestAnAddressHasASchemeAndNoPath(t *testing.T) {
	for text, want := range map[string]string{
		"https://localhost:9444": "localhost:9444", "https://am.example/": "am.example:9443", "https://[::1]": "[::1]:9443",
		"http://localhost:9443": "", "localhost:9443": "", "https://me:word@localhost": "", "https://localhost/carbon": "", "https://": "", "https://a?b": "", "%": "",
	} {
		got, err := addressOf(text)
		if got != want || (err == nil) != (want != "") || err != nil && strings.Contains(err.Error(), "word") {
			t.Errorf("%s: %s, %v", text, got, err)
		}
	}
}

// TestACertificateIsReadWithoutARequest: nothing is sent to a server that nobody has verified.
func TestACertificateIsReadWithoutARequest(t *testing.T) {
	is := launch(t, "is", "is")
	got, err := Presented(t.Context(), hostOf(t, is.instance.URL()))
	if err != nil || got.Fingerprint() != trusts(t, security(is.Container, isHome, "client-truststore.p12"))["wso2carbon"] {
		t.Errorf("%v", err)
	}
	if asked := is.instance.Requests().List(); len(asked) > 0 {
		t.Errorf("it was asked %v", asked)
	}
	if err := is.instance.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := Presented(t.Context(), strings.TrimPrefix(is.instance.URL(), "https://")); err == nil {
		t.Error("a server that does not run presents a certificate")
	}
}

// TestNothingIsChangedBeforeAServerAnswers: an address may be wrong, or an earlier run may have restarted the server.
func TestNothingIsChangedBeforeAServerAnswers(t *testing.T) {
	h, _ := unpacked(t)
	var out strings.Builder
	o := Options{Config: h.cfg, Out: &out, IS: Target{Product: config.IS, URL: "https://127.0.0.1:1", Home: h.dir}, AM: Target{Product: config.AM, URL: "https://127.0.0.1:1"}}
	ctx, cancel := context.WithTimeoutCause(t.Context(), time.Nanosecond, errors.New("the time is up"))
	defer cancel()
	_, err := Run(ctx, o, func(context.Context, Reached) (int, error) { t.Error("the servers are changed"); return 0, nil })
	if err == nil || !strings.Contains(err.Error(), "the time is up") || !strings.Contains(err.Error(), "correct --is") || !strings.Contains(out.String(), "waiting until it answers") {
		t.Errorf("%v\n%s", err, &out)
	}
	if _, err := os.Stat(filepath.Join(h.dir, ".agent")); !os.IsNotExist(err) {
		t.Errorf("files are changed: %v", err)
	}
	o.IS.Home = ""
	if _, err := Run(t.Context(), o, nil); err == nil || !strings.Contains(err.Error(), "read the certificate of the server at 127.0.0.1:1") || !strings.Contains(err.Error(), "start the server, or correct --is") {
		t.Errorf("without files: %v", err)
	}
}
