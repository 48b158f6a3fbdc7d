package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/rotation"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/testenv"
	"wso2agent/internal/wso2sim"
	"wso2agent/internal/wso2sim/speccheck"
)

// place is a folder with the volumes of two stand-ins and their agents.
type place struct {
	t       *testing.T
	dir     string
	log     *testenv.Buffer
	backend *wso2sim.Backend
	am      *wso2sim.AM
	is      *wso2sim.IS
	delays  wso2sim.Delays
	faults  *wso2sim.Faults // of IS; may be nil

	amRequests *wso2sim.RequestLog // may be nil
	amFaults   *wso2sim.Faults     // may be nil

	mu    sync.Mutex
	cfg   map[string]config.Config
	fails map[string]error
}

// serverKeys are the keys of the servers by product, made once for all tests: making them takes longer than all else that a
// home needs. Each home has certificates of its own.
var serverKeys = sync.OnceValues(func() (map[string]*rsa.PrivateKey, error) {
	keys := map[string]*rsa.PrivateKey{}
	for _, product := range []string{config.IS, config.AM} {
		key, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			return nil, err
		}
		keys[product] = key
	}
	return keys, nil
})

const apiConfig = `rest_apis:
  - {name: Payment API, context: /payments, version: 1.0.0, backend_url: "BACKEND"}
application: {name: Agent Application}
subscriptions:
  - api_name: Payment API
`

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, dir: t.TempDir(), log: &testenv.Buffer{}, cfg: map[string]config.Config{}, fails: map[string]error{}}
	for _, folder := range []string{"exchange", "output", "config", "secrets"} {
		if err := os.Mkdir(filepath.Join(p.dir, folder), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := serverKeys()
	if err != nil {
		t.Fatal(err)
	}
	for _, product := range []string{config.IS, config.AM} {
		if err := wso2sim.UnpackWith(p.home(product), product, wso2sim.UnpackOptions{Rounds: 10, Key: keys[product]}); err != nil {
			t.Fatal(err)
		}
		if err := os.CopyFS(filepath.Join(p.volume(product), "repository"), os.DirFS(filepath.Join(p.home(product), "repository"))); err != nil {
			t.Fatal(err)
		}
		p.cfg[product] = p.settings(product)
	}
	p.settingsOfIS("")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(p.log)
		}
	})
	return p
}

func (p *place) home(product string) string   { return filepath.Join(p.dir, product, "home") }
func (p *place) volume(product string) string { return filepath.Join(p.dir, product, "volume") }
func (p *place) keysFile() string             { return filepath.Join(p.dir, "output", "application-keys.json") }

// settings are what the environment of the product's agent would give.
func (p *place) settings(product string) config.Config {
	for name, value := range map[string]string{
		"PRODUCT": product, "EXCHANGE_DIR": filepath.Join(p.dir, "exchange"), "CONFIG_DIR": p.volume(product), "SERVER_HOME": p.home(product),
		"API_CONFIG": filepath.Join(p.dir, "config", "api-config.yaml"), "KEYS_FILE": p.keysFile(), "KEY_MANAGER_NAME": "WSO2-IS",
		"SETTINGS": "none", "POLL_INTERVAL": "50ms", "QUIET_MIN": "20ms", "LISTEN_ADDR": "127.0.0.1:0", "INIT_TIMEOUT": "30s",
		"TLS_SUCCESSORS": "0", "RELOAD": "off", // tests of successors set them
		"MAX_RESTARTS": "1000000", // certificates change faster here than any server may
	} {
		p.t.Setenv(name, value)
	}
	cfg, err := config.Load("PRODUCT")
	if err != nil {
		p.t.Fatal(err)
	}
	return cfg
}

// settingsOfIS adds to the settings of IS what an agent with SETTINGS=merge makes so that nobody administers it. The rest of
// that, such as the host name, does not fit servers on free ports.
func (p *place) settingsOfIS(more string) {
	p.t.Helper()
	path := p.cfg[config.IS].DeploymentTOML()
	shipped, err := os.ReadFile(filepath.Join(p.home(config.IS), "repository/conf/deployment.toml"))
	if err != nil {
		p.t.Fatal(err)
	}
	entry := "\n[[resource.access_control]]\ncontext = \"(.*)/wso2/scim(.*)\"\nhttp_method = \"all\"\nsecure = true\nscopes = [\"internal_user_mgt_create\", \"internal_login\"]\n"
	if err := os.WriteFile(path, append(shipped, []byte(more+entry)...), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// set changes a setting of the product's agent, as a changed secret file would while it runs.
func (p *place) set(product string, change func(*config.Config)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cfg := p.cfg[product]
	change(&cfg)
	p.cfg[product] = cfg
}

// fail makes the settings of the product's agent unreadable, with nil readable again.
func (p *place) fail(product string, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails[product] = err
}

// wake makes running agents look again, as the change of a secret's file does.
func (p *place) wake() {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, "config", "woken"), []byte(time.Now().String()), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

func (p *place) agent(product string) Agent {
	p.t.Helper()
	load := func() (config.Config, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return p.cfg[product], p.fails[product]
	}
	cfg, err := load()
	if err != nil {
		p.t.Fatal(err)
	}
	a := New(cfg, load, slog.New(slog.NewTextHandler(p.log, nil)))
	a.waitInVain = 100 * time.Millisecond // most of the tests have no handler of revoked tokens
	return a
}

// initBoth runs both init containers, as a first start does.
func (p *place) initBoth() {
	p.t.Helper()
	errs := make(chan error, 2)
	for _, product := range []string{config.IS, config.AM} {
		go func() { errs <- p.agent(product).Init(p.t.Context()) }()
	}
	for range 2 {
		if err := <-errs; err != nil {
			p.t.Fatal(err)
		}
	}
}

// startServers starts both stand-ins with what their volumes hold, without delays, and tells the sidecars as agent exec
// would.
func (p *place) startServers() {
	p.t.Helper()
	var err error
	wrap := speccheck.Wrap(p.t)
	options := func(product string) wso2sim.Options {
		return wso2sim.Options{Home: p.home(product), ConfigVolume: p.volume(product), Listen: "127.0.0.1:0", Gateway: "127.0.0.1:0", Wrap: wrap, Delays: p.delays}
	}
	if p.backend, err = wso2sim.StartBackend("127.0.0.1:0"); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.backend.Close() })
	if p.is, err = wso2sim.StartIS(p.t.Context(), p.withFaults(options(config.IS))); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.is.Close() })
	am := options(config.AM)
	am.Requests, am.Faults = p.amRequests, p.amFaults
	if p.am, err = wso2sim.StartAM(p.t.Context(), am); err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.am.Close() })
	for _, s := range []interface{ Wait(context.Context) error }{p.is, p.am} {
		if err := s.Wait(p.t.Context()); err != nil {
			p.t.Fatal(err)
		}
	}
	for _, product := range []string{config.IS, config.AM} {
		p.set(product, func(c *config.Config) {
			c.IS.Host, c.IS.Port = hostPort(p.t, p.is.URL())
			c.AM.Host, c.AM.Port = hostPort(p.t, p.am.URL())
			c.Gateway.Host, c.Gateway.Port = hostPort(p.t, p.am.GatewayURL())
			c.KeyManager.TokenEndpoint = p.is.URL() + "/oauth2/token"
		})
		p.supervise(product)
	}
	p.configure(apiConfig)
}

func (p *place) withFaults(o wso2sim.Options) wso2sim.Options {
	o.Faults = p.faults
	return o
}

// supervise says what agent exec says after a start.
func (p *place) supervise(product string) {
	p.t.Helper()
	wanted, err := p.agent(product).control().Wanted()
	if err != nil {
		p.t.Fatal(err)
	}
	p.started(product, wanted)
}

// started says that the server was started with a generation.
func (p *place) started(product, generation string) {
	p.t.Helper()
	data, _ := json.Marshal(notify.Started{Generation: generation, PID: 1, Since: time.Now(), Starts: 1})
	path := filepath.Join(p.agent(product).control().Dir, "started.json")
	if _, err := file.Write(path, data, 0o644, filepath.Dir(path)); err != nil { // whole: a running sidecar may be reading it
		p.t.Fatal(err)
	}
}

// configure writes the API configuration, with the backend's address in it.
func (p *place) configure(content string) {
	p.t.Helper()
	content = string(bytes.ReplaceAll([]byte(content), []byte("BACKEND"), []byte(p.backend.URL())))
	if err := os.WriteFile(filepath.Join(p.dir, "config", "api-config.yaml"), []byte(content), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// until waits for a condition that other goroutines bring about.
func (p *place) until(what string, holds func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("not within 30 s: %s", what)
		}
	}
}

func hostPort(t *testing.T, address string) (string, int) {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(u.Host)
	if err != nil {
		t.Fatal(err)
	}
	n, _ := strconv.Atoi(port)
	return host, n
}

// acknowledge says for both servers what their agents would say: that they run with what is on disk.
func (p *place) acknowledge() {
	p.t.Helper()
	for _, product := range []string{config.IS, config.AM} {
		a := p.agent(product)
		k := &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: a.restarter()}
		if err := k.once(p.t.Context(), a); err != nil {
			p.t.Fatal(err)
		}
	}
}

// run starts the loops of both sidecars, and returns the health of the one beside API-M.
func (p *place) run() *telemetry.Health {
	p.t.Helper()
	health, _ := p.runAndStop()
	return health
}

// runAndStop is run, and returns what ends the loops.
func (p *place) runAndStop() (health *telemetry.Health, stop func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	var loops sync.WaitGroup
	stop = func() { cancel(); loops.Wait() }
	p.t.Cleanup(stop)
	is, am := p.agent(config.IS), p.agent(config.AM)
	health = telemetry.NewHealth(time.Hour, trustCondition, restartCondition, bootstrapCondition)
	loops.Go(func() { is.keepTrust(ctx, telemetry.NewHealth(time.Hour)) })
	loops.Go(func() { am.keepTrust(ctx, health) })
	loops.Go(func() { am.keepState(ctx, health) })
	return health, stop
}

func (p *place) condition(h *telemetry.Health, name string) telemetry.Condition {
	for _, c := range h.Conditions() {
		if c.Name == name {
			return c
		}
	}
	return telemetry.Condition{}
}

func (p *place) ok(h *telemetry.Health, name string) bool        { return p.condition(h, name).OK }
func (p *place) message(h *telemetry.Health, name string) string { return p.condition(h, name).Message }

// view is what passes have led to.
type view struct {
	rotation.Decision
	own keystore.Certificate // that a start of the server presents
}

// pass does passes as an init would, until no other has to follow, and says nothing to agent exec. started is what the server runs with;
// nil for a server that does not run.
func (a Agent) pass(ctx context.Context, started *notify.Started) (v view, err error) {
	for range maxPasses {
		r, err := a.read(ctx, started, started != nil && started.Generation != "", rotation.Memory{})
		if err != nil {
			return v, err
		}
		r.snapshot.Settings.Init, r.snapshot.Settings.StartAnyway = true, false
		d := rotation.Decide(r.snapshot)
		d.Messages = slices.DeleteFunc(d.Messages, func(m rotation.Message) bool { return m.Topic == "TLS_MODE" }) // for tests that count those of the sidecar
		k := trustKeeper{restarter: silent{}, init: true}
		d.Actions = slices.DeleteFunc(d.Actions, func(a rotation.Action) bool {
			_, note := a.(rotation.Note)
			return note
		})
		if err := k.execute(ctx, a, r, d); err != nil || !d.Again {
			return view{d, r.catalog[r.snapshot.Keystore.Own.Fingerprint]}, err
		}
	}
	return v, errors.New("no rest")
}

// silent is a restarter that does nothing.
type silent struct{ notify.None }

func (silent) Request(context.Context, string) error { return nil }

// ControlDir is the folder that an agent shares with agent exec.
func ControlDir(cfg config.Config) string { return notify.ControlOf(cfg).Dir }
