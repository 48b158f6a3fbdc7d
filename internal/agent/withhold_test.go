package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/keystore"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
)

// publishes makes a peer of API-M's publish a certificate, without an agent of its own.
func (p *place) publishes(name string, certs ...keystore.Certificate) {
	p.t.Helper()
	if _, err := (trust.Exchange{Dir: filepath.Join(p.dir, "exchange"), Name: name}).Publish(certs); err != nil {
		p.t.Fatal(err)
	}
}

// another is a certificate that nobody has seen.
func (p *place) another(name string) keystore.Certificate {
	p.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		p.t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		p.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		p.t.Fatal(err)
	}
	return keystore.Certificate{DER: der}
}

// served makes agent exec keep the truststore that API-M serves with now.
func (p *place) served() trust.StartGuard {
	p.t.Helper()
	w := server.StartGuardOf(p.agent(config.AM).cfg, slog.New(slog.NewTextHandler(p.log, nil)))
	if err := w.Served(context.Background(), w.Starting(context.Background())); err != nil {
		p.t.Fatal(err)
	}
	return w
}

func (s *side) imports() telemetry.Condition { return s.p.condition(s.k.health, importsCondition) }

func TestACertificateWithWhichTheServerDidNotStartIsNotImportedAgainUntilItsOwnerPublishesAnother(t *testing.T) {
	p, _, am := bothRunning(t)
	w := p.served()
	before, err := os.ReadFile(p.agent(config.AM).cfg.TruststorePath())
	if err != nil {
		t.Fatal(err)
	}
	bad := p.another("wso2is")
	p.publishes("wso2is", bad)
	am.once()
	if !p.trusts(config.AM, bad) || !am.restart() || !am.imports().OK {
		t.Fatal("the peer's new certificate is not imported")
	}
	if !w.Failed(t.Context(), w.Starting(t.Context())) {
		t.Fatal("a failed start takes no way back")
	}
	for range 3 {
		am.once()
		if p.trusts(config.AM, bad) || am.restart() {
			t.Fatal("the certificate is imported again, or the server restarted for it")
		}
	}
	after, err := os.ReadFile(p.agent(config.AM).cfg.TruststorePath())
	if err != nil || string(after) != string(before) {
		t.Errorf("the truststore is not the former one (%v)", err)
	}
	if c := am.imports(); c.OK || !c.Advisory || !strings.Contains(c.Message, "certificate "+bad.Fingerprint().Short()+" of wso2is is not imported") {
		t.Errorf("condition %+v", c)
	}
	if told := p.lines("the agent does not import a certificate with which the server did not start", "server=wso2is", "refused.json"); len(told) != 1 {
		t.Errorf("told %d times: %q", len(told), told)
	}
	if told := p.lines("its former truststore is restored", "certificates=map[wso2is:["+bad.Fingerprint().String()); len(told) != 1 {
		t.Errorf("agent exec's word: %q", told)
	}
	if err := w.Served(t.Context(), w.Starting(t.Context())); err != nil {
		t.Fatal(err)
	}
	next := p.another("wso2is")
	p.publishes("wso2is", next, bad)
	am.once()
	if p.trusts(config.AM, bad) || !p.trusts(config.AM, next) {
		t.Error("next to the refused certificate a good one is not imported, or the refused one is")
	}
	p.publishes("wso2is", next)
	am.once()
	if c := am.imports(); !c.OK {
		t.Errorf("the refused certificate is gone, and %+v", c)
	}
}

func TestInitDoesNotImportWhatTheServerDidNotStartWith(t *testing.T) {
	p, _, am := bothRunning(t)
	w := p.served()
	bad := p.another("wso2is")
	p.publishes("wso2is", bad)
	am.once()
	if !w.Failed(t.Context(), w.Starting(t.Context())) {
		t.Fatal("a failed start takes no way back")
	}
	if err := p.agent(config.AM).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.trusts(config.AM, bad) || len(p.lines("the agent does not import a certificate with which the server did not start")) == 0 {
		t.Error("init imports it, or does not say that it does not")
	}
}

func TestRefusalsThatCannotBeReadAreNamedAndImportNothing(t *testing.T) {
	p, _, am := bothRunning(t)
	path := trust.RefusalsPath(p.agent(config.AM).cfg.WorkDir())
	p.write(path, "{")
	next := p.another("wso2is")
	p.publishes("wso2is", next)
	err := am.k.once(t.Context(), p.agent(config.AM))
	if err == nil || !strings.Contains(err.Error(), "remove "+path) || p.trusts(config.AM, next) {
		t.Errorf("error %v", err)
	}
}

func TestOnePeersStormDelaysThatPeerAlone(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.set(config.AM, func(c *config.Config) {
		c.Trust.Peers, c.Restart.Max, c.Restart.Window = []string{"wso2is", "other"}, 5, 10*time.Minute
	})
	p.publishes("other", p.another("other"))
	wanted, err := p.agent(config.AM).control().Wanted()
	if err != nil {
		t.Fatal(err)
	}
	var am *side
	restarts := 0
	pass := func() {
		am.once()
		if am.restart() {
			restarts++
			am.once()
		}
	}
	p.inBubble(t, func() {
		am = p.sidecar(config.AM)
		am.r.started.Generation = wanted
		pass()
		restarts = 0
		var last keystore.Certificate
		for range 65 {
			last = p.another("wso2is")
			p.publishes("wso2is", last)
			pass()
			time.Sleep(time.Second)
		}
		if restarts != 3 {
			t.Errorf("%d restarts in 65 s of one new certificate each second, want 3", restarts)
		}
		if p.trusts(config.AM, last) {
			t.Error("the last one is imported at once")
		}
		if told := p.lines("a peer's certificate changes too often", "peer=wso2is"); len(told) != 1 {
			t.Errorf("told %d times: %q", len(told), told)
		}
		if c := am.imports(); c.OK || !strings.Contains(c.Message, "the certificate of wso2is changes too often, and its next one is imported at") {
			t.Errorf("condition %+v", c)
		}

		other := p.another("other")
		p.publishes("other", other)
		pass()
		if !p.trusts(config.AM, other) || restarts != 4 {
			t.Errorf("the other peer's change waits, too (%d restarts)", restarts)
		}

		if am.k.due() {
			t.Error("a pass is due before the wait is over")
		}
		am.k = &trustKeeper{health: telemetry.NewHealth(time.Hour), restarter: am.r} // a killed sidecar comes back
		pass()
		if p.trusts(config.AM, last) {
			t.Error("a sidecar that comes back has forgotten the wait")
		}
		time.Sleep(5 * time.Minute)
		if !am.k.due() {
			t.Error("no pass is due when the wait is over")
		}
		pass()
		if !p.trusts(config.AM, last) || restarts != 5 {
			t.Errorf("after the wait the last certificate is not imported (%d restarts)", restarts)
		}
	})
}

func TestHonestRotationsOfAPeerAreImportedAtOnce(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.set(config.AM, func(c *config.Config) { c.Restart.Max, c.Restart.Window = 5, 10*time.Minute })
	wanted, err := p.agent(config.AM).control().Wanted()
	if err != nil {
		t.Fatal(err)
	}
	p.inBubble(t, func() {
		am := p.sidecar(config.AM)
		am.r.started.Generation = wanted
		am.once()
		old := p.published("wso2is")[0]
		for i := range 6 { // two in ten minutes, for half an hour
			next := p.another("wso2is")
			p.publishes("wso2is", old, next) // announced
			am.once()
			if !p.trusts(config.AM, next) || !am.restart() {
				t.Fatalf("rotation %d: the announced certificate is not imported at once", i)
			}
			p.publishes("wso2is", next, old) // switched
			am.once()
			p.publishes("wso2is", next) // retired
			am.once()
			if p.trusts(config.AM, old) || am.restart() {
				t.Fatalf("rotation %d: the old one is not removed at once, or costs a restart", i)
			}
			old = next
			time.Sleep(5 * time.Minute)
		}
		if told := p.lines("changes too often"); len(told) > 0 {
			t.Errorf("%q", told)
		}
	})
}
