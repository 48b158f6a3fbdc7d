package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
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
		p.set(s.product, func(c *config.Config) { c.RotateGrace = time.Nanosecond })
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

// down stops the server as agent exec does before a start that waits; up starts it with what was asked for.
func (s *side) down() { s.r.started = notify.Started{} }
func (s *side) up()   { s.r.started = notify.Started{Generation: s.r.asked[len(s.r.asked)-1], PID: 1} }

func TestTwoServersWhoseKeysAreReplacedAtOnceAreDownAtTheSameTime(t *testing.T) {
	p, is, am := bothRunning(t)
	for _, s := range []*side{is, am} {
		s.r.started.PID = 1
		p.replaceKey(s.product, "next", time.Now().Add(time.Hour))
	}
	is.once()
	am.once() // has IS's on disk, and says so
	if len(is.r.asked) > 1 || len(am.r.asked) > 1 {
		t.Fatalf("one is restarted before the other has its certificate on disk: %v, %v", is.r.asked, am.r.asked)
	}
	is.once() // has API-M's on disk too, and knows that API-M waits for IS
	if !is.r.waits {
		t.Fatal("IS is not asked to go down and wait")
	}
	is.down()
	is.once()
	if !is.r.waits {
		t.Fatal("IS starts while API-M still runs with its old trust")
	}
	am.once()
	if !am.r.waits {
		t.Fatal("API-M does not follow")
	}
	is.once()
	if !is.r.waits {
		t.Fatal("IS starts while API-M is still stopping")
	}
	am.down()
	am.once()
	if am.r.waits {
		t.Fatal("API-M waits though both are down")
	}
	am.up()
	am.once()
	is.once()
	if is.r.waits {
		t.Fatal("IS waits though API-M has started with the new trust")
	}
	is.up()
	is.once()
	am.once()
	for _, s := range []*side{is, am} {
		if s.r.asked[len(s.r.asked)-1] != s.r.started.Generation {
			t.Error("a restart too many")
		}
	}
	said, err := p.agent(config.AM).exchange().Trusts(t.Context(), "wso2is")
	if err != nil || said.Down || len(said.Waits) > 0 {
		t.Errorf("at the end IS still says %+v, %v", said, err)
	}
}

func TestAServerThatNeverHadToWaitGoesDownTogetherWithTheOneThatWaitsForIt(t *testing.T) {
	p, is, am := bothRunning(t)
	for _, s := range []*side{is, am} {
		s.r.started.PID = 1
		p.replaceKey(s.product, "next", time.Now().Add(time.Hour))
	}
	if _, err := p.agent(config.AM).pass(t.Context(), &am.r.started); err != nil { // announces, and has to wait for nobody's answer:
		t.Fatal(err)
	}
	is.once() // has API-M's on disk, and waits for API-M
	am.once()
	if !am.r.waits {
		t.Error("API-M starts alone, while IS runs on with its old trust")
	}
	is.once()
	if !is.r.waits {
		t.Error("IS does not go down though API-M waits for it")
	}
}

func TestAPeerThatIsPassedOverIsNotWaitedForWhileDown(t *testing.T) {
	p, is, _ := bothRunning(t)
	p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	is.once()
	p.set(config.IS, func(c *config.Config) { c.RotateTimeout = time.Nanosecond })
	is.once()
	if is.r.waits || !is.restart() {
		t.Error("the server stays down for a peer that never says anything")
	}
}

func TestASilentPeerHoldsARotationForASetTimeOnly(t *testing.T) {
	p, is, _ := bothRunning(t)
	next := p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	is.once()
	if is.restart() || is.k.due() {
		t.Fatal("it does not wait")
	}
	p.set(config.IS, func(c *config.Config) { c.RotateTimeout = time.Nanosecond })
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
	p.set(config.IS, func(c *config.Config) { c.Peers = nil })
	p.replaceKey(config.IS, "next", time.Now().Add(time.Hour))
	is.once()
	if !is.restart() {
		t.Error("it waits for nobody")
	}
}

func TestAnIssuedCertificateIsSwitchedAfterTheKeystoreThatIsReplacedAtTheSameTime(t *testing.T) {
	p, is, am := bothIssued(t, func(c *config.Config) {
		if c.Product == config.AM {
			c.TLSMode = "none"
		}
	})
	installed := func() string { return p.read(p.agent(config.IS).cfg.TLSStorePath()) }
	old := installed()
	if err := RequestRotation(t.Context(), p.agent(config.IS).cfg); err != nil {
		t.Fatal(err)
	}
	next := p.replaceKey(config.AM, "next", time.Now().Add(time.Hour))
	is.once()
	am.once() // has IS's on disk, and waits for IS
	is.once()
	if installed() != old {
		t.Fatal("IS switches, and API-M's running server does not trust that")
	}
	if !is.restart() || !p.trusts(config.IS, next) {
		t.Fatal("IS is not restarted to trust what API-M waits for")
	}
	is.once()
	am.once()
	if !am.restart() {
		t.Fatal("API-M still waits")
	}
	am.once()
	is.once()
	if installed() == old || !is.restart() {
		t.Fatal("IS does not switch though API-M trusts its next certificate")
	}
}

func TestAServerGoesDownWithTheOthersThoughAnotherIdentityWaits(t *testing.T) {
	p, is, am := bothIssued(t)
	for _, s := range []*side{is, am} {
		s.r.started.PID = 1
		a := p.agent(s.product)
		byHand, err := trust.Issue([]string{a.cfg.ServerName, "gateway.example.com", "192.0.2.7"}, trust.Issuing{Key: "ecdsa-p256", Validity: trust.Year, Now: time.Now()})
		if err != nil {
			t.Fatal(err)
		}
		if err := a.writeIdentity(a.cfg.TLSStorePath(), byHand, "wso2carbon"); err != nil {
			t.Fatal(err)
		}
	}
	if err := RequestRotation(t.Context(), p.agent(config.IS).cfg); err != nil {
		t.Fatal(err)
	}
	is.once()
	am.once()
	is.once()
	if !is.r.waits {
		t.Fatal("IS is not asked to go down and wait")
	}
	is.down()
	is.once()
	if !is.r.waits {
		t.Error("IS starts while API-M still runs with its old trust")
	}
}
