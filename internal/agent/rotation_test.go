package agent

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/testenv"
	"wso2agent/internal/trust"
)

// side is a product's sidecar with a supervised server under the test's control.
type side struct {
	p       *place
	product string
	r       *scripted
	k       *trustKeeper
}

func (p *place) sidecar(product string) *side {
	r := &scripted{known: true}
	return &side{p, product, r, &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: r}}
}

// once does one pass, and starts the server anew if that was asked for.
func (s *side) once() {
	s.p.t.Helper()
	if err := s.k.once(s.p.t.Context(), s.p.agent(s.product)); err != nil {
		s.p.t.Fatal(err)
	}
}

// restarts says how often another generation was asked for than the one that runs, and starts the server with it.
func (s *side) restart() bool {
	if n := len(s.r.asked); n > 0 && s.r.asked[n-1] != s.r.started.Generation {
		s.r.started.Generation = s.r.asked[n-1]
		return true
	}
	return false
}

// replaceKey puts another key and certificate into the product's keystore, as somebody would by hand.
func (p *place) replaceKey(product, name string, notAfter time.Time) keystore.Certificate {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.replaceBy(product, key, name, notAfter)
}

// replaceBy is replaceKey with a key of the test.
func (p *place) replaceBy(product string, key crypto.Signer, name string, notAfter time.Time) keystore.Certificate {
	p.t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: notAfter}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: "wso2carbon"})
	if err != nil {
		p.t.Fatal(err)
	}
	leaf := keystore.Certificate{DER: der}
	if err := store.SetKey("wso2carbon", key, []keystore.Certificate{leaf}, "wso2carbon", time.Now()); err != nil {
		p.t.Fatal(err)
	}
	data, err := store.Encode()
	if err != nil {
		p.t.Fatal(err)
	}
	path := p.agent(product).cfg.KeystorePaths()[0]
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		p.t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		p.t.Fatal(err)
	}
	return leaf
}

// trusts tells whether the product's truststore on disk has a certificate under an alias of the agent's.
func (p *place) trusts(product string, c keystore.Certificate) bool {
	p.t.Helper()
	_, entries, err := p.agent(product).truststore().List(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return slices.ContainsFunc(entries, func(e keystore.Entry) bool {
		return e.Kind == keystore.TrustedCertificate && e.Chain[0].Fingerprint() == c.Fingerprint()
	})
}

// bothRunning is a place in which both servers run with what is on disk.
func bothRunning(t *testing.T) (p *place, is, am *side) {
	p = newPlace(t)
	p.initBoth()
	is, am = p.sidecar(config.IS), p.sidecar(config.AM)
	for _, s := range []*side{is, am} {
		wanted, err := p.agent(s.product).control().Wanted()
		if err != nil {
			t.Fatal(err)
		}
		s.r.started = notify.Started{Generation: wanted}
		s.once()
	}
	return p, is, am
}

func TestARotationSwitchesOnlyWhenThePeerTrustsTheNewCertificate(t *testing.T) {
	p, is, am := bothRunning(t)
	old, err := p.agent(config.IS).pass(t.Context(), &is.r.started)
	if err != nil {
		t.Fatal(err)
	}
	next := p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	runs := is.r.started.Generation

	is.once()
	if is.restart() {
		t.Fatal("the owner is restarted before the peer knows of the new certificate")
	}
	if held := is.r.held; len(held) != 2 || held[0] != runs || held[1] == runs {
		t.Errorf("held %v, the server runs with %s", held, runs)
	}
	if !p.trusts(config.IS, next) {
		t.Error("the owner does not trust its own new certificate")
	}
	am.once()
	if !p.trusts(config.AM, next) || !p.trusts(config.AM, old.own) {
		t.Error("the peer does not trust both")
	}
	is.once()
	if is.restart() {
		t.Fatal("the owner is restarted before the peer's running server trusts the new certificate")
	}
	if !am.restart() {
		t.Fatal("the peer is not restarted for the new certificate")
	}
	am.once()
	is.once()
	if !is.restart() {
		t.Fatal("the owner is not restarted though the peer trusts the new certificate")
	}
	is.once()
	am.once()
	if am.restart() || is.restart() {
		t.Error("a restart too many")
	}
	if certs, err := p.agent(config.AM).exchange().Certificates(t.Context(), "wso2is"); err != nil || certs[0].Fingerprint() != next.Fingerprint() || len(certs) != 2 {
		t.Errorf("after the switch %d certificates are published, %v", len(certs), err)
	}

	// After the grace period the old one goes, and nobody is restarted for that.
	for _, s := range []*side{is, am} {
		p.set(s.product, func(c *config.Config) { c.Rotate.Grace = time.Nanosecond })
	}
	is.once()
	am.once()
	if p.trusts(config.AM, old.own) || !p.trusts(config.AM, next) {
		t.Error("the peer still trusts the old certificate, or not the new one")
	}
	if am.restart() || is.restart() {
		t.Error("a restart because something is no longer trusted")
	}
}

func TestAServerThatCrashesWhileItsRestartIsHeldHasSwitched(t *testing.T) {
	p, is, am := bothRunning(t)
	next := p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	is.once()
	is.r.started.Generation = is.r.held[1] // as agent exec notes it at a start meanwhile
	is.once()
	if is.restart() {
		t.Error("it is restarted once more")
	}
	certs, err := p.agent(config.AM).exchange().Certificates(t.Context(), "wso2is")
	if err != nil || certs[0].Fingerprint() != next.Fingerprint() {
		t.Errorf("the new certificate is not published as the one in use: %v", err)
	}
	am.once()
	if !am.restart() || !p.trusts(config.AM, next) {
		t.Error("the peer does not follow")
	}
}

// TestBothServersRotateAtOnce has both certificates changed at once, by the agents or by hand, in many orders of the steps of
// agents, agent execs and servers. One server must restart twice: whoever restarts first cannot present its new certificate,
// which the other does not trust before its own restart.
func TestBothServersRotateAtOnce(t *testing.T) {
	for name, c := range map[string]struct {
		place  func(*testing.T) (*place, *side, *side)
		rotate func(*two, *modelled)
	}{
		"the agents issue the certificates": {
			func(t *testing.T) (*place, *side, *side) { return bothIssued(t) },
			func(w *two, s *modelled) { s.note(server.RequestIdentity(w.t.Context(), s.agent().cfg, false)) },
		},
		"somebody replaces the keystores": {
			bothRunning,
			func(w *two, s *modelled) { w.replaceKey(s.product, s.name, time.Now().Add(time.Hour)) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, _, _ := c.place(t)
			for _, product := range []string{config.IS, config.AM} {
				p.set(product, func(c *config.Config) { c.Rotate.Grace = time.Nanosecond })
			}
			w, orders := newTwo(p, 0), uint64(4)
			if testenv.Race() { // make test-allocations tries all
				orders = 1
			}
			for order := range orders {
				w.random, w.story = mathrand.New(mathrand.NewPCG(order, 0)), nil
				before := map[string]keystore.Fingerprint{}
				for _, s := range w.servers {
					before[s.name], s.starts = s.shows, 0
					c.rotate(w, s)
				}
				w.meanwhile(60)
				w.settle()
				for _, s := range w.servers {
					if s.shows == before[s.name] {
						w.fault("%s still presents the old certificate", s.name)
					}
				}
				if is, am := w.servers[0], w.servers[1]; is.starts != 1 || am.starts != 2 {
					w.fault("IS was restarted %d times, want 1, and API-M %d times, want 2", is.starts, am.starts)
				}
				if len(w.bad) > 0 {
					t.Fatalf("order %d: %s\nwhat had happened:\n%s\n%s", order, strings.Join(w.bad, "\n"), strings.Join(w.story, "\n"), p.log.String())
				}
			}
		})
	}
}

// The second in the order of names waits for the first, though it learns of the other's certificate before that claims the turn:
// it would have to restart twice.
func TestOfTwoServersThatRotateAtOnceTheFirstByNameRestartsFirst(t *testing.T) {
	p, is, am := bothRunning(t)
	old := p.read(p.agent(config.AM).cfg.KeystorePaths()[0])
	p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	next := p.replaceKey(config.AM, "next", time.Now().Add(time.Hour))
	if _, err := p.agent(config.AM).pass(t.Context(), &am.r.started); err != nil { // it announces, and comes no further
		t.Fatal(err)
	}
	is.once()
	is.once()
	if is.restart() {
		t.Fatal("IS is restarted first")
	}
	am.once()
	if !am.restart() || p.read(p.agent(config.AM).cfg.KeystorePaths()[0]) != old {
		t.Fatal("API-M is not restarted with the keystore that it had")
	}
	if n := len(p.lines("level=INFO", "the old keystore is back in place", "fingerprint="+next.Fingerprint().String())); n != 1 {
		t.Errorf("that the keystore is back is logged %d times", n)
	}
	am.once()
	is.once()
	if !is.restart() {
		t.Fatal("IS is not restarted, with its new certificate")
	}
	is.once()
	am.once()
	if !am.restart() || p.published("wso2am")[0].Fingerprint() == next.Fingerprint() {
		t.Fatal("API-M does not switch, or says so too early")
	}
	am.once()
	if p.published("wso2am")[0].Fingerprint() != next.Fingerprint() {
		t.Error("API-M has not switched")
	}
}

func TestServersWhoseSettingsChangeAtOnceRestartOneAfterTheOther(t *testing.T) {
	p, _, _ := bothRunning(t)
	w := newTwo(p, 0)
	for order := range uint64(10) {
		w.random, w.story = mathrand.New(mathrand.NewPCG(order, 0)), nil
		for _, s := range w.servers {
			s.starts = 0
			path := s.agent().cfg.DeploymentTOML()
			w.write(path, w.read(path)+fmt.Sprintf("# change %d\n", order))
		}
		w.meanwhile(40)
		w.servers[w.random.IntN(2)].freshSidecar() // one of the agents is killed, and comes back
		w.meanwhile(40)
		w.settle()
		for _, s := range w.servers {
			if s.starts != 1 {
				w.fault("%s was restarted %d times", s.name, s.starts)
			}
		}
		if len(w.bad) > 0 {
			t.Fatalf("order %d: %s\nwhat had happened:\n%s\n%s", order, strings.Join(w.bad, "\n"), strings.Join(w.story, "\n"), p.log.String())
		}
	}
}

// TestAPeerThatDoesNotFinishItsRestartHoldsAnotherForASetTimeOnly: its agent is gone, or its server does not come up.
func TestAPeerThatDoesNotFinishItsRestartHoldsAnotherForASetTimeOnly(t *testing.T) {
	p, is, _ := bothRunning(t)
	if err := p.agent(config.AM).exchange().SayTurn(trust.Turn{Wants: "g", Has: true, Since: time.Now().Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	path := p.agent(config.IS).cfg.DeploymentTOML()
	p.write(path, p.read(path)+"# changed\n")
	is.once()
	is.once()
	if is.restart() || is.k.due() {
		t.Fatal("it does not wait")
	}
	if held := is.r.held; len(held) < 2 || held[0] != is.r.started.Generation || is.k.last.Wake.IsZero() || time.Until(is.k.last.Wake) > 10*time.Minute {
		t.Errorf("held %v, looks again at %v", held, is.k.last.Wake)
	}
	if n := len(p.lines("level=INFO", "waits until others serve again", "others=[wso2am]")); n != 1 {
		t.Errorf("the wait is logged %d times", n)
	}
	p.set(config.IS, func(c *config.Config) { c.Rotate.Timeout = time.Nanosecond })
	is.once()
	if !is.restart() {
		t.Fatal("it waits for ever")
	}
	if n := len(p.lines("level=ERROR", "has not finished its restart", "peers=[wso2am]")); n != 1 {
		t.Errorf("that both may be down is logged %d times", n)
	}
}

// A peer restarts again and again, or writes that it does.
func TestAPeerThatClaimsTheTurnAgainAndAgainHoldsAnotherForASetTimeOnly(t *testing.T) {
	p, is, _ := bothRunning(t)
	claims := 0
	claim := func() {
		claims++
		if err := p.agent(config.AM).exchange().SayTurn(trust.Turn{Wants: "g", Has: true, Since: time.Now().Add(time.Duration(claims) * time.Hour)}); err != nil {
			t.Fatal(err)
		}
	}
	path := p.agent(config.IS).cfg.DeploymentTOML()
	p.write(path, p.read(path)+"# changed\n")
	for range 3 {
		claim()
		is.once()
	}
	if is.restart() || is.k.memory.Queued.IsZero() {
		t.Fatal("it does not wait")
	}
	is.k.memory.Queued = time.Now().Add(-2 * p.cfg[config.IS].Rotate.Timeout)
	claim()
	is.once()
	if !is.restart() {
		t.Fatal("it waits for ever")
	}
	if n := len(p.lines("level=ERROR", "has not finished its restart", "peers=[wso2am]", "waited=20m0s")); n != 1 {
		t.Errorf("that both may be down is logged %d times", n)
	}
}

func TestTheTurnIsKeptUntilTheServerServes(t *testing.T) {
	p, is, am := bothRunning(t)
	change := func(s *side) {
		path := p.agent(s.product).cfg.DeploymentTOML()
		p.write(path, p.read(path)+"# changed\n")
	}
	trusted := func() trust.Trusts {
		said, err := p.agent(config.AM).exchange().Trusts(t.Context(), "wso2is")
		if err != nil {
			t.Fatal(err)
		}
		return said
	}
	change(is)
	before := trusted()
	is.once()
	if !is.restart() {
		t.Fatal("no restart is asked for")
	}
	change(am)
	is.r.started.Serves, is.r.started.Since = notify.ServesNot, time.Now()
	is.once()
	am.once()
	if am.restart() || p.ok(is.k.health, restartCondition) {
		t.Fatal("API-M is restarted, or IS's agent is ready, before IS serves")
	}
	if trusted().Generation != before.Generation {
		t.Error("IS's agent says what the running IS trusts before it serves")
	}
	change(is) // again, while it starts
	is.once()
	if is.restart() {
		t.Fatal("the server is stopped in the middle of its start")
	}
	is.r.started.Serves = notify.ServesNow
	is.once()
	if !is.restart() {
		t.Fatal("the second change is forgotten")
	}
	is.once()
	am.once()
	if !am.restart() {
		t.Error("API-M waits though IS serves")
	}
}

func TestASilentPeerHoldsARotationForASetTimeOnly(t *testing.T) {
	p, is, _ := bothRunning(t)
	next := p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	is.once()
	if is.restart() || is.k.due() {
		t.Fatal("it does not wait")
	}
	p.set(config.IS, func(c *config.Config) { c.Rotate.Timeout = time.Nanosecond })
	is.once()
	if !is.restart() {
		t.Fatal("it waits for ever")
	}
	if log := p.log.String(); !strings.Contains(log, "not every peer trusts it") || !strings.Contains(log, "peers=[wso2am]") {
		t.Errorf("nothing is said:\n%s", log)
	}
	is.once()
	if certs, err := p.agent(config.IS).exchange().Certificates(t.Context(), "wso2is"); err != nil || certs[0].Fingerprint() != next.Fingerprint() {
		t.Errorf("after the switch: %v", err)
	}
}

func TestAnAgentThatWasKilledGoesOnWithARotation(t *testing.T) {
	p, is, am := bothRunning(t)
	p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	since := func() string { return p.read(filepath.Join(p.volume(config.IS), ".agent", "rotation.json")) }
	is.once()
	before := since()
	for range 3 { // each time as a new process
		is = &side{p, config.IS, &scripted{known: true, started: is.r.started}, &trustKeeper{health: telemetry.NewHealth(time.Hour)}}
		is.k.restarter = is.r
		is.once()
		if is.restart() {
			t.Fatal("a new process does not wait")
		}
	}
	if since() != before {
		t.Errorf("the waiting began anew: %s, before %s", since(), before)
	}
	am.once()
	am.restart()
	am.once()
	is.once()
	if !is.restart() {
		t.Error("the rotation is not completed")
	}
}

func TestWithoutAPeerNothingIsWaitedFor(t *testing.T) {
	p, is, _ := bothRunning(t)
	p.set(config.IS, func(c *config.Config) { c.Trust.Peers = nil })
	p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	is.once()
	if !is.restart() {
		t.Error("it waits for nobody")
	}
}
