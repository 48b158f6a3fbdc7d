package agent

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/rotation"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

func TestBootstrapReachesTheDesiredStateOnceAndASecondRunChangesNothing(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	if err := p.agent(config.AM).Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(p.keysFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("keys: %v, %v", info, err)
	}
	keys, _ := os.ReadFile(p.keysFile())
	if !strings.Contains(string(keys), `"keyManager": "WSO2-IS"`) || !strings.Contains(string(keys), p.is.URL()+"/oauth2/token") {
		t.Errorf("keys = %s", keys)
	}
	if err := p.agent(config.AM).Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	if log := p.log.String(); strings.Count(log, "changes=0") != 2 { // reached, and works
		t.Errorf("the second run made changes:\n%s", log)
	}
	again, _ := os.ReadFile(p.keysFile())
	if string(again) != string(keys) {
		t.Errorf("the keys changed from %s to %s", keys, again)
	}
}

func TestTheResidentKeyManagerIssuesTheKeysByDefault(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	p.set(config.AM, func(c *config.Config) { c.KeyManager.KeysFrom = config.ResidentKeyManager })
	if err := p.agent(config.AM).Bootstrap(t.Context()); err != nil {
		t.Fatal(err)
	}
	keys, _ := os.ReadFile(p.keysFile())
	if !strings.Contains(string(keys), `"keyManager": "Resident Key Manager"`) || !strings.Contains(string(keys), p.am.URL()+"/oauth2/token") {
		t.Errorf("keys = %s", keys)
	}
}

func TestASidecarWithAWrongPasswordKeepsTrustGoingAndRecoversWhenItChanges(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.set(config.AM, func(c *config.Config) { c.AM.AdminPass = "wrong" })
	health := p.run()
	p.until("the bootstrap is given up for now, trust is not", func() bool {
		return strings.Contains(p.message(health, bootstrapCondition), "AM_ADMIN_PASS") && p.ok(health, trustCondition) && p.ok(health, restartCondition)
	})
	if health.Ready() {
		t.Error("ready with a wrong password")
	}
	tries := strings.Count(p.log.String(), "the desired state is not reached")
	if tries != 1 {
		t.Errorf("%d tries with the same password", tries)
	}
	p.set(config.AM, func(c *config.Config) { c.AM.AdminPass = "admin" })
	p.wake()
	p.until("everything is ready", health.Ready)
}

func TestAPasswordThatIsCorrectedDuringAnAttemptCounts(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	address := p.cfg[config.AM].AM.Port
	p.set(config.AM, func(c *config.Config) { c.AM.AdminPass, c.AM.Port = "wrong", 1 }) // nobody answers there: the attempt goes on
	health := p.run()
	p.until("an attempt is under way", func() bool {
		return strings.Contains(p.log.String(), "API-M to answer to the administrator's password")
	})
	p.set(config.AM, func(c *config.Config) { c.AM.AdminPass, c.AM.Port = "admin", address })
	p.wake()
	p.until("everything is ready", health.Ready)
}

func TestAMomentWithoutSettingsIsGotOver(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("everything is ready", health.Ready)
	p.fail(config.AM, errors.New("AM_ADMIN_PASS_FILE names a file that is empty"))
	p.wake()
	p.until("the mistake is told", func() bool { return strings.Contains(p.message(health, bootstrapCondition), "is empty") })
	p.fail(config.AM, nil)
	p.wake()
	p.until("everything is ready again", health.Ready)
}

func TestAKeysFolderThatCannotBeWrittenIsToldBeforeAnythingIsMade(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.acknowledge()
	p.set(config.AM, func(c *config.Config) {
		c.Bootstrap.KeysFile = filepath.Join(p.dir, "config", "api-config.yaml", "keys.json")
	})
	err := p.agent(config.AM).Bootstrap(t.Context())
	if !errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "set KEYS_FILE") || strings.Contains(p.log.String(), "msg=created") {
		t.Errorf("error = %v", err)
	}
}

func TestASidecarPublishesWhatIsAddedToTheConfiguration(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("everything is ready", health.Ready)
	p.configure(strings.Replace(apiConfig, "application:", "  - {name: Order API, context: /orders, version: 1.0.0, backend_url: \"BACKEND\"}\napplication:", 1))
	p.until("the second API is made", func() bool { return len(p.lines("msg=created", `kind=API name="Order API 1.0.0"`)) > 0 })
	p.until("everything is ready again", health.Ready)
	p.configure("rest_apis: [")
	p.until("a broken file is told and does not count as reached", func() bool { return strings.Contains(p.message(health, bootstrapCondition), "api-config.yaml") })
}

func TestASidecarSeesEveryFileOfAFolder(t *testing.T) {
	p := newPlace(t)
	folder := filepath.Join(p.dir, "apis")
	write := func(name, text string) {
		t.Helper()
		os.MkdirAll(folder, 0o755)
		if err := os.WriteFile(filepath.Join(folder, name), []byte(strings.ReplaceAll(text, "BACKEND", p.backend.URL())), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	p.set(config.AM, func(c *config.Config) { c.Bootstrap.File = folder })
	p.initBoth()
	p.startServers()
	write("one.yaml", apiConfig)
	health := p.run()
	p.until("everything is ready", health.Ready)
	write("two.yaml", "apis: [{name: Order API, context: /orders, version: 1.0.0, backend_url: 'BACKEND'}]\n")
	p.until("the API of another file is made", func() bool { return len(p.lines("msg=created", `kind=API name="Order API 1.0.0"`)) > 0 })
	p.until("everything is ready again", health.Ready)
}

func TestOnePeersRubbishKeepsNobodyElseOut(t *testing.T) {
	p := newPlace(t)
	p.set(config.AM, func(c *config.Config) { c.Trust.Peers = []string{"rubbish", "wso2is"} })
	os.Mkdir(filepath.Join(p.dir, "exchange", "rubbish"), 0o755)
	os.WriteFile(filepath.Join(p.dir, "exchange", "rubbish", "certs.pem"), []byte("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"), 0o644)
	is := p.agent(config.IS)
	if _, err := is.pass(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	v, err := p.agent(config.AM).pass(t.Context(), nil)
	if err != nil || len(v.Trusted) != 1 || len(v.Missing) != 1 || v.Missing[0] != "rubbish" {
		t.Errorf("view = %+v, %v", v, err)
	}
	if !strings.Contains(p.log.String(), "a private key") {
		t.Errorf("the private key is not named:\n%s", p.log)
	}
}

func TestAPeerWhoseFileVanishesKeepsItsTrust(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	before, err := p.agent(config.AM).pass(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(p.dir, "exchange", "wso2is")); err != nil {
		t.Fatal(err)
	}
	after, err := p.agent(config.AM).pass(t.Context(), nil)
	if err != nil || after.Generation != before.Generation || len(after.Missing) != 0 {
		t.Errorf("after: %+v, %v", after, err)
	}
}

func TestInitAsAnotherUserRefusesByNameBeforeAnythingIsWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file to another user")
	}
	p := newPlace(t)
	store := p.agent(config.AM).cfg.TruststorePath()
	if err := os.Chown(store, 10001, 10001); err != nil {
		t.Fatal(err)
	}
	before, _ := os.ReadFile(store)
	err := p.agent(config.AM).Init(t.Context())
	if err == nil || !strings.Contains(err.Error(), `user: "10001:10001"`) {
		t.Errorf("error = %v", err)
	}
	if after, _ := os.ReadFile(store); string(after) != string(before) {
		t.Error("the store was changed")
	}
	if _, err := os.Stat(filepath.Join(p.volume(config.AM), ".agent")); !errors.Is(err, os.ErrNotExist) {
		t.Error("something was written to the volume")
	}
	if left, _ := os.ReadDir(filepath.Join(p.dir, "exchange")); len(left) != 0 {
		t.Errorf("something was written to the exchange volume, in the way of the right user: %v", left)
	}
}

// scripted is a restarter under the test's control.
type scripted struct {
	started notify.Started
	known   bool
	asked   []string
	held    []string // running and on disk, in turn
	loads   []notify.Reload
	fails   error  // of what is asked for
	running string // what was asked for last
	onDisk  string
}

func (s *scripted) Hold(_ context.Context, running, onDisk string) error {
	s.held = append(s.held, running, onDisk)
	s.running, s.onDisk = running, onDisk
	return nil
}

func (s *scripted) Reload(_ context.Context, r notify.Reload) error {
	s.loads = append(s.loads, r)
	return nil
}

func (s *scripted) Request(_ context.Context, generation string) error {
	s.asked = append(s.asked, generation)
	if s.fails == nil {
		s.running, s.onDisk = generation, generation
	}
	return s.fails
}
func (s *scripted) Wish(context.Context) (running, onDisk string, err error) {
	return s.running, s.onDisk, nil
}
func (s *scripted) Started(context.Context) (notify.Started, bool, error) {
	return s.started, s.known, nil
}

func TestWhenARestartIsDue(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	a := p.agent(config.AM)
	now, err := a.pass(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name         string
		started      string
		known        bool
		passes, asks int
		acknowledged bool
	}{
		{"the server started with what is on disk", now.Generation, true, 2, 0, true},
		{"it started with something else: once", "other", true, 3, 1, false},
		{"it started before the agent wanted anything: once", "", true, 2, 1, false},
		{"nobody knows: never, since a server may run", "", false, 2, 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			os.Remove(filepath.Join(p.dir, "exchange", "wso2am", "trusts.json"))
			r := &scripted{started: notify.Started{Generation: c.started}, known: c.known}
			k := &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: r}
			for range c.passes {
				if err := k.once(t.Context(), a); err != nil {
					t.Fatal(err)
				}
			}
			said, err := a.exchange().Trusts(t.Context(), "wso2am")
			r.asked = slices.DeleteFunc(r.asked, func(g string) bool { return g == c.started }) // a wish withdrawn
			if len(r.asked) != c.asks || err != nil || (said.Generation == now.Generation) != c.acknowledged {
				t.Errorf("asked %v, acknowledged %+v, %v", r.asked, said, err)
			}
			if len(said.Fingerprints) != map[bool]int{true: 1}[c.acknowledged] {
				t.Errorf("acknowledged fingerprints: %v", said.Fingerprints)
			}
		})
	}
}

func TestARestartWaitsUntilAPersonApprovesIt(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	a := p.agent(config.AM)
	a.cfg.Restart.Approval = "manual"
	now, err := a.pass(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	r := &scripted{started: notify.Started{Generation: "other", PID: 1}, known: true, running: "other", onDisk: "other"}
	health := telemetry.NewHealth(time.Hour)
	k := &trustKeeper{health: health, restarter: r}
	pass := func() {
		t.Helper()
		if err := k.once(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	pass()
	said, err := a.exchange().Trusts(t.Context(), "wso2am")
	if len(r.asked) > 0 || r.running != "other" || r.onDisk != now.Generation || err != nil || !said.After.Equal(trust.Never) {
		t.Fatalf("without an approval: asked for %v, told to run with %s and that %s is on disk, peers told %+v, %v", r.asked, r.running, r.onDisk, said, err)
	}
	for _, generation := range []string{"another", now.Generation} {
		if err := (trust.Approval{Generation: generation, Answer: trust.Approved}).Save(notify.ControlOf(a.cfg).Dir); err != nil {
			t.Fatal(err)
		}
		pass()
		if asked := slices.Contains(r.asked, now.Generation); asked != (generation == now.Generation) {
			t.Errorf("after an approval of %s: asked for %v, and %s is on disk", generation, r.asked, now.Generation)
		}
	}
}

func TestARestartThatIsNoLongerDueIsWithdrawn(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	a := p.agent(config.AM)
	now, err := a.pass(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.control().Want("something else"); err != nil {
		t.Fatal(err)
	}
	p.started(config.AM, now.Generation)
	k := &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: a.restarter()}
	if err := k.once(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if wanted, err := a.control().Wanted(); wanted != now.Generation || err != nil {
		t.Errorf("wanted = %q, %v", wanted, err)
	}
}

func TestARestoredTruststoreMakesAnotherGeneration(t *testing.T) {
	p := newPlace(t)
	store := p.agent(config.AM).cfg.TruststorePath()
	original, err := os.ReadFile(store)
	if err != nil {
		t.Fatal(err)
	}
	p.initBoth()
	before, _ := p.agent(config.AM).pass(t.Context(), nil)
	if err := os.WriteFile(store, original, 0o640); err != nil { // the volume is restored, the server starts with that
		t.Fatal(err)
	}
	after, err := p.agent(config.AM).pass(t.Context(), nil)
	if err != nil || len(after.Trusted) != 1 || after.Generation == before.Generation {
		t.Errorf("imported again: %v, %v; the same generation: %v", after.Trusted, err, after.Generation == before.Generation)
	}
}

func TestARestartWaitsForMissingPeersButNotForEver(t *testing.T) {
	p := newPlace(t)
	a := p.agent(config.AM)
	r := &scripted{known: true}
	k := &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: r, memory: rotation.Memory{Patience: time.Now().Add(time.Hour)}}
	if err := k.once(t.Context(), a); err != nil || len(r.asked) != 0 || !k.last.Wake.Equal(k.memory.Patience) {
		t.Errorf("with a missing peer: asked %v, wakes at %v, %v", r.asked, k.last.Wake, err)
	}
	k.memory.Patience = time.Now()
	k.last.Wake = k.memory.Patience
	if !k.due() {
		t.Error("patience has ended and nothing is due")
	}
	if err := k.once(t.Context(), a); err != nil || len(r.asked) != 1 {
		t.Errorf("after that: asked %v, %v", r.asked, err)
	}
}

// The agent before this one has asked for a restart that agent exec has not made yet, and leaves the turn for it.
func TestARestartThatWaitsForMissingPeersIsAskedForNoLonger(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.set(config.AM, func(c *config.Config) { c.Trust.Peers = append(c.Trust.Peers, "missing") })
	a := p.agent(config.AM)
	p.started(config.AM, "old")
	if _, err := a.control().Want("new"); err != nil {
		t.Fatal(err)
	}
	if err := a.exchange().SayTurn(trust.Turn{Wants: "new", Has: true, Since: time.Now().UTC()}); err != nil {
		t.Fatal(err)
	}
	k := &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: a.restarter(), memory: rotation.Memory{Patience: time.Now().Add(time.Hour)}}
	if err := k.once(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	said, err := a.exchange().Turn(t.Context(), "wso2am")
	if due, dueErr := a.control().Due(notify.Started{Generation: "old"}); due || err != nil || dueErr != nil || said.Has || !k.last.Wake.Equal(k.memory.Patience) {
		t.Errorf("due %v, the turn is %+v, %v, %v", due, said, err, dueErr)
	}
}

func TestAddressesArePinnedToTheServersOfTheExchange(t *testing.T) {
	p := newPlace(t)
	is := keystore.Certificate{}
	is, err := trust.OwnLeaf(t.Context(), p.cfg[config.IS].KeystorePaths(), "wso2carbon", "")
	if err != nil {
		t.Fatal(err)
	}
	p.initBoth()
	base := func(c *config.Config) {
		c.AM.Host, c.AM.Port, c.Gateway.Host, c.Gateway.Port, c.IS.Host, c.IS.Port, c.Trust.Peers = "localhost", 9443, "localhost", 8243, "wso2is", 9443, []string{"wso2is"}
	}
	cases := []struct {
		name    string
		set     func(*config.Config)
		address string
		peer    bool
		pinned  bool // to IS
	}{
		{"IS by its name", func(*config.Config) {}, "wso2is:9443", true, true},
		{"IS by another address", func(c *config.Config) { c.IS.Host, c.IS.Port = "localhost", 9444 }, "localhost:9444", true, true},
		{"API-M beside this agent", func(*config.Config) {}, "localhost:9443", true, false},
		{"the gateway on API-M's host", func(*config.Config) {}, "localhost:8243", true, false},
		{"a gateway elsewhere is no peer", func(c *config.Config) { c.Gateway.Host = "api.example.com" }, "api.example.com:8243", false, false},
		{"anything else is no peer", func(*config.Config) {}, "login.example.com:443", false, false},
		{"without peers IS is none", func(c *config.Config) { c.Trust.Peers = nil }, "wso2is:9443", false, false},
		{"of several peers IS is the one addressed", func(c *config.Config) { c.Trust.Peers = []string{"other", "wso2is"} }, "wso2is:9443", true, true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p.set(config.AM, func(cfg *config.Config) { base(cfg); c.set(cfg) })
			fingerprints, peer, err := trust.PinsOf(p.agent(config.AM).cfg).Pinned(c.address)
			pinned := len(fingerprints) == 1 && fingerprints[0] == is.Fingerprint()
			if err != nil || peer != c.peer || pinned != c.pinned {
				t.Errorf("Pinned(%s) = %v, %v, %v", c.address, fingerprints, peer, err)
			}
		})
	}
}

func TestAServerThatShowsAnotherCertificateThanItPublishedIsNotTalkedTo(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	exchange := trust.Exchange{Dir: filepath.Join(p.dir, "exchange"), Name: "wso2am"}
	other, err := trust.OwnLeaf(t.Context(), p.cfg[config.IS].KeystorePaths(), "wso2carbon", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := exchange.Publish([]keystore.Certificate{other}); err != nil {
		t.Fatal(err)
	}
	a := p.agent(config.AM)
	servers := bootstrap.Connect(wso2.NewHTTPClient(trust.PinsOf(a.cfg), nil), bootstrap.SettingsOf(a.cfg, a.accounts))
	if _, err := servers.Admin.KeyManagers(t.Context()); err == nil || !strings.Contains(err.Error(), other.Fingerprint().String()) {
		t.Errorf("error = %v; want one that tells the expected fingerprint", err)
	}
}
