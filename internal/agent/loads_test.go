package agent

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
	homes "wso2agent/internal/place"
	"wso2agent/internal/server"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/testenv"
	"wso2agent/internal/trust"
)

// password is that of the stores, as the products ship them.
const password = "wso2carbon"

// loader is a sidecar with a server that loads a new certificate while it runs, and with an agent exec that does what it is asked.
// The server has one TLS port. API-M has the gateway there, too.
type loader struct {
	*side
	shows   atomic.Pointer[tls.Certificate]
	looks   atomic.Int64 // connections to the port
	starts  int
	stuck   bool   // the port keeps its certificate until the next start
	refuses string // why agent exec places no keystore
	done    int    // requests to load that were answered
}

// loaders is a place with two servers that run with what their agents have prepared.
func loaders(t *testing.T, also ...func(*config.Config)) (p *place, is, am *loader) {
	t.Helper()
	testenv.WithoutRace(t)
	p = newPlace(t)
	ports := map[string]net.Listener{}
	for _, product := range []string{config.IS, config.AM} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { listener.Close() })
		ports[product] = listener
		port := listener.Addr().(*net.TCPAddr).Port
		p.set(product, func(c *config.Config) {
			c.Settings.Mode, c.TLS.Mode, c.AM.Host, c.IS.Host = "merge", "issue", "localhost", "localhost"
			c.IS.Port, c.AM.Port, c.Gateway.Host, c.Gateway.Port = port, port, "localhost", port
			c.TLS.Successors, c.TLS.Reload = 3, "auto"
			for _, change := range also {
				change(c)
			}
		})
	}
	p.initBoth()
	for _, product := range []string{config.IS, config.AM} {
		l := &loader{side: p.sidecar(product)}
		l.start()
		go l.serve(ports[product])
		if product == config.IS {
			is = l
		} else {
			am = l
		}
	}
	settle(is, am)
	is.starts, am.starts = 0, 0
	return p, is, am
}

func (l *loader) serve(listener net.Listener) {
	secure := tls.NewListener(listener, &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return l.shows.Load(), nil }})
	for {
		conn, err := secure.Accept()
		if err != nil {
			return
		}
		l.looks.Add(1)
		go func() { conn.(*tls.Conn).Handshake(); conn.Close() }()
	}
}

// installed is the TLS certificate in the keystore on the config volume.
func (l *loader) installed() (c tls.Certificate, leaf keystore.Certificate) {
	l.p.t.Helper()
	data, err := os.ReadFile(l.p.agent(l.product).cfg.TLSStorePath())
	if err != nil {
		l.p.t.Fatal(err)
	}
	i, err := identity.FromKeystore(data, password, identity.Alias)
	if err != nil {
		l.p.t.Fatal(err)
	}
	store, err := keystore.Open(data, password)
	if err != nil {
		l.p.t.Fatal(err)
	}
	if c.PrivateKey, err = store.PrivateKey(identity.Alias, password); err != nil {
		l.p.t.Fatal(err)
	}
	for _, cert := range i.Chain {
		c.Certificate = append(c.Certificate, cert.DER)
	}
	return c, i.Leaf()
}

// start starts the server with what is on disk, and reports what agent exec reports.
func (l *loader) start() {
	l.p.t.Helper()
	cfg := l.p.agent(l.product).cfg
	wanted := l.r.onDisk
	if wanted == "" {
		var err error
		if wanted, err = l.p.agent(l.product).control().Wanted(); err != nil {
			l.p.t.Fatal(err)
		}
	}
	trusts, certificate := homes.HomeOf(cfg, slog.New(slog.NewTextHandler(l.p.log, nil))).Starting(l.p.t.Context())
	c, leaf := l.installed()
	if certificate != leaf.Fingerprint().String() || trusts == nil {
		l.p.t.Fatalf("a start of %s presents %s and trusts %v", l.product, certificate, trusts)
	}
	l.shows.Store(&c)
	l.starts++
	l.r.started = notify.Started{Generation: wanted, PID: l.starts, Since: time.Now(), Starts: l.starts, Serves: notify.ServesNow, Trusts: trusts, Certificate: certificate, Reloads: true}
}

// step does a pass, and then what it has asked for. It reports whether anything has happened.
func (l *loader) step() (busy bool) {
	l.p.t.Helper()
	logged := len(l.p.log.String())
	l.once()
	switch n := len(l.r.asked); {
	case n > 0 && l.r.asked[n-1] != l.r.started.Generation && l.r.running == l.r.asked[n-1]:
		l.start()
		return true
	case len(l.r.loads) == l.done:
		return len(l.k.last.Actions) > 0 || len(l.p.log.String()) > logged
	}
	l.done = len(l.r.loads)
	r := l.r.loads[l.done-1]
	if r.Served {
		l.r.started.Generation, l.r.started.Loading = r.Generation, nil
		return true
	}
	l.r.started.Placed = &notify.Placed{Generation: r.Generation, Certificate: r.Certificate, At: time.Now(), Error: l.refuses}
	c, leaf := l.installed()
	if leaf.Fingerprint().String() != r.Certificate {
		l.p.t.Errorf("%s is to load %s, and the keystore has %s", l.product, r.Certificate, leaf.Fingerprint())
	}
	if l.refuses == "" {
		l.r.started.Loading = append(l.r.started.Loading, r.Certificate)
	}
	if !l.stuck && l.refuses == "" {
		l.shows.Store(&c)
	}
	return true
}

// settle has both agents and what surrounds them work until nothing happens any more.
func settle(is, am *loader) {
	is.p.t.Helper()
	for range 20 {
		first, second := is.step(), am.step()
		if !first && !second {
			return
		}
	}
	is.p.t.Fatal("it comes to no rest")
}

func (l *loader) served() keystore.Certificate {
	return keystore.Certificate{DER: l.shows.Load().Certificate[0]}
}

// pool are the names of the keystores of the successors.
func (l *loader) pool() (names []string) {
	l.p.t.Helper()
	entries, err := os.ReadDir(l.poolFolder())
	if err != nil && !os.IsNotExist(err) {
		l.p.t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			l.p.t.Errorf("%s: %v, %v", e.Name(), info, err)
		}
		names = append(names, e.Name())
	}
	return names
}

func (l *loader) poolFolder() string {
	return filepath.Join(ControlDir(l.p.agent(l.product).cfg), "identity", "successors")
}

// ahead are the certificates that the server's agent publishes for later.
func (l *loader) ahead() []keystore.Certificate {
	l.p.t.Helper()
	cfg := l.p.agent(l.product).cfg
	certs, err := trust.ExchangeOf(cfg).Successors(l.p.t.Context(), cfg.Server.Name)
	if err != nil {
		l.p.t.Fatal(err)
	}
	return certs
}

func (l *loader) name() string { return l.p.agent(l.product).cfg.Server.Name }

// rotate asks for a new certificate.
func (l *loader) rotate() {
	l.p.t.Helper()
	if err := server.RequestIdentity(l.p.t.Context(), l.p.agent(l.product).cfg, false); err != nil {
		l.p.t.Fatal(err)
	}
}

// restarts checks how often each server has started since the last call.
func restarts(t *testing.T, when string, is, am *loader, want [2]int) {
	t.Helper()
	if got := [2]int{is.starts, am.starts}; got != want {
		t.Errorf("%s: IS and API-M have restarted %v times, want %v", when, got, want)
	}
	is.starts, am.starts = 0, 0
}

func TestInitMakesThePoolAndEveryServerTrustsItFromItsFirstStartOn(t *testing.T) {
	p, is, am := loaders(t)
	for _, l := range []*loader{is, am} {
		names, ahead := l.pool(), l.ahead()
		if len(names) != 3 || len(ahead) != 4 || ahead[0].Fingerprint() != l.served().Fingerprint() {
			t.Fatalf("%s has %v in its pool, and publishes %d certificates for later", l.product, names, len(ahead))
		}
		if info, err := os.Stat(l.poolFolder()); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("the folder of the pool: %v, %v", info, err)
		}
		for i, c := range ahead[1:] {
			if !slices.Contains(names, c.Fingerprint().Short()+".p12") {
				t.Errorf("%s publishes %s, which is not in its pool", l.product, c.Fingerprint().Short())
			}
			parsed, err := c.Parse()
			if want := time.Duration(i+2) * identity.Year; err != nil || parsed.IsCA || time.Until(parsed.NotAfter) > want || time.Until(parsed.NotAfter) < want-time.Hour {
				t.Errorf("successor %d of %s: %v, until %v, CA %t", i+1, l.product, err, parsed.NotAfter, parsed.IsCA)
			}
		}
		if certs := p.published(l.name()); len(certs) != 1 {
			t.Errorf("agents of older versions read %d certificates of %s, and would restart for them", len(certs), l.product)
		}
		for _, other := range []*loader{is, am} {
			said, err := p.agent(other.product).exchange().Trusts(t.Context(), other.name())
			for _, c := range ahead {
				if f := c.Fingerprint().String(); err != nil || !slices.Contains(other.r.started.Trusts, f) || !slices.Contains(said.Fingerprints, f) || !p.trusts(other.product, c) {
					t.Errorf("%s does not trust %s of %s, or does not say so: %v", other.product, f, l.product, err)
				}
			}
		}
		if c := p.condition(l.k.health, "successors"); !c.OK || !c.Advisory || !strings.HasPrefix(c.Message, "all running servers trust 3 successors") {
			t.Errorf("%s: the condition is %+v", l.product, c)
		}
	}
	before := p.read(filepath.Join(is.poolFolder(), is.pool()[0]))
	p.initBoth()
	if len(is.pool()) != 3 || p.read(filepath.Join(is.poolFolder(), is.pool()[0])) != before {
		t.Error("another init changes the pool")
	}
	settle(is, am)
	restarts(t, "after that", is, am, [2]int{})
}

func TestARotationToASuccessorLoadsItAndRestartsNobody(t *testing.T) {
	p, is, am := loaders(t)
	for n := range 3 {
		old := map[*loader]keystore.Certificate{is: is.served(), am: am.served()}
		for _, l := range []*loader{is, am} { // both at once
			l.r.loads, l.done = nil, 0
			l.rotate()
		}
		settle(is, am)
		for _, l := range []*loader{is, am} {
			next := l.served()
			_, onDisk := l.installed()
			if next.Fingerprint() == old[l].Fingerprint() || onDisk.Fingerprint() != next.Fingerprint() {
				t.Fatalf("rotation %d: %s has not rotated", n, l.product)
			}
			if got := l.r.loads; len(got) != 2 || got[0].Served || !got[1].Served || got[0].Certificate != next.Fingerprint().String() || got[1].Generation != got[0].Generation {
				t.Errorf("rotation %d: agent exec of %s is asked for %+v", n, l.product, got)
			}
			if certs := p.published(l.name()); len(certs) < 2 || certs[0].Fingerprint() != next.Fingerprint() || certs[1].Fingerprint() != old[l].Fingerprint() {
				t.Errorf("rotation %d: %s publishes %d certificates, and not the new one first", n, l.product, len(certs))
			}
			for _, other := range []*loader{is, am} {
				if !slices.Contains(other.r.started.Trusts, next.Fingerprint().String()) {
					t.Errorf("rotation %d: the running %s did not trust what %s serves now", n, other.product, l.product)
				}
			}
			if len(l.pool()) != 3 || l.r.started.Generation != l.k.last.Generation {
				t.Errorf("rotation %d: %s has %d successors; in step: %t", n, l.product, len(l.pool()), l.r.started.Generation == l.k.last.Generation)
			}
		}
		restarts(t, "a rotation to a successor", is, am, [2]int{})
	}
	if c := p.condition(is.k.health, "successors"); c.OK || !c.Advisory {
		t.Errorf("with a pool that is used up the condition is %+v", c)
	}
	if c := p.condition(is.k.health, "ports"); !c.Advisory || !strings.Contains(c.Message, short(is.r.started.Certificate)) || !strings.Contains(c.Message, "it expires at ") {
		t.Errorf("about the ports that keep the certificate of the start: %+v", c)
	}
	if !is.k.health.Ready() {
		t.Error("the agent is not ready")
	}
	is.rotate()
	settle(is, am)
	restarts(t, "after the last successor that everybody trusts", is, am, [2]int{1, 1})
}

func short(fingerprint string) string {
	return strings.ToLower(strings.ReplaceAll(fingerprint, ":", ""))[:8]
}

func TestAServerWhosePortDoesNotServeTheNewCertificateRestartsInTurn(t *testing.T) {
	for name, c := range map[string]struct {
		fault  func(*loader)
		late   bool // only after 90 s
		reason string
	}{
		"a port keeps the old one":        {func(l *loader) { l.stuck = true }, true, "it is not served by localhost:"},
		"agent exec refuses the keystore": {func(l *loader) { l.refuses = "its key does not fit its certificate" }, false, "its key does not fit its certificate"},
		"a port does not answer":          {func(l *loader) { l.stuck = true; l.shows.Store(&tls.Certificate{}) }, true, "(no answer)"},
	} {
		t.Run(name, func(t *testing.T) {
			p, is, am := loaders(t)
			c.fault(is)
			is.rotate()
			settle(is, am)
			if c.late {
				restarts(t, "in the first seconds", is, am, [2]int{})
				if is.k.memory.Reload.Since.IsZero() || time.Until(is.k.last.Wake) > 2*time.Second {
					t.Fatalf("it does not wait for the port: %+v", is.k.memory.Reload)
				}
				is.k.memory.Reload.Since = time.Now().Add(-91 * time.Second)
			}
			settle(is, am)
			restarts(t, "after that", is, am, [2]int{1, 0})
			if lines := p.lines("level=ERROR", "does not load the new certificate, and has to restart for it", c.reason); len(lines) != 1 {
				t.Errorf("the reason is logged %d times:\n%s", len(lines), p.log)
			}
			_, next := is.installed()
			if is.served().Fingerprint() != next.Fingerprint() || !is.k.health.Ready() {
				t.Error("after the restart it is not ready, or serves another certificate")
			}
			am.rotate()
			settle(is, am)
			restarts(t, "a rotation of the other one", is, am, [2]int{})
		})
	}
}

// TestSuccessorsAreNotRetiredWhileAPortServesThem: somebody restores the keystore of before while the server loads a successor.
func TestSuccessorsAreNotRetiredWhileAPortServesThem(t *testing.T) {
	p, is, am := loaders(t)
	path, first := p.agent(config.IS).cfg.TLSStorePath(), is.served()
	before := p.read(path)
	is.rotate()
	for range 20 {
		if is.step(); len(is.r.started.Loading) > 0 {
			break
		}
	}
	second := is.served()
	if second.Fingerprint() == first.Fingerprint() {
		t.Fatal("the server does not load the successor")
	}
	p.write(path, before)
	retires := func() bool {
		r, err := trust.LoadRotation(ControlDir(p.agent(config.IS).cfg))
		if err != nil {
			t.Fatal(err)
		}
		_, retires := r.Retired[second.Fingerprint().String()]
		return retires
	}
	is.once()
	if published := p.published(is.name()); retires() || len(published) != 2 || published[1].Fingerprint() != second.Fingerprint() {
		t.Errorf("a port serves %s, and published are %d certificates", second.Fingerprint().Short(), len(published))
	}
	settle(is, am)
	if is.served().Fingerprint() != first.Fingerprint() || !retires() || len(is.r.started.Loading) > 0 {
		t.Errorf("in the end the server serves %s, and the agent retires %s: %t", is.served().Fingerprint().Short(), second.Fingerprint().Short(), retires())
	}
	restarts(t, "after the keystore was restored", is, am, [2]int{0, 0})
}

// TestThePortsAreLookedAtMoreOftenThanTheFolders: nothing on any volume changes when a port begins to serve a certificate.
func TestThePortsAreLookedAtMoreOftenThanTheFolders(t *testing.T) {
	p, is, _ := loaders(t)
	p.set(config.IS, func(c *config.Config) { c.Watch.Poll = time.Hour })
	a := p.agent(config.IS)
	report := func(s notify.Started) {
		if _, err := file.SaveJSON(filepath.Join(a.control().Dir, "started.json"), s, 0o644, ControlDir(a.cfg)); err != nil {
			t.Fatal(err)
		}
	}
	report(is.r.started)
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	t.Cleanup(func() { cancel(); loop.Wait() })
	loop.Go(func() { a.keepTrust(ctx, telemetry.NewHealth(time.Hour)) })
	is.rotate()
	var asked notify.Reload
	p.until("agent exec is asked to place the keystore", func() (ok bool) {
		asked, ok, _ = a.control().Reload()
		return ok
	})
	s := is.r.started
	s.Placed = &notify.Placed{Generation: asked.Generation, Certificate: asked.Certificate, At: time.Now()}
	report(s)
	before, looks, since := is.looks.Load(), int64(0), time.Now()
	p.until("the agent has looked at the port, and all changes of files are seen", func() bool {
		if n := is.looks.Load(); n != looks {
			looks, since = n, time.Now()
		}
		return looks > before && time.Since(since) > 500*time.Millisecond
	})
	c, _ := is.installed()
	is.shows.Store(&c)
	p.until("the agent notices that the port serves it", func() bool {
		r, ok, err := a.control().Reload()
		return err == nil && ok && r.Served && r.Certificate == asked.Certificate
	})
}

func TestADamagedSuccessorIsPutAsideAndReplaced(t *testing.T) {
	p, is, am := loaders(t)
	before := is.pool()
	p.write(filepath.Join(is.poolFolder(), before[1]), "rubbish")
	settle(is, am)
	after := is.pool()
	if len(after) != 3 || slices.Contains(after, before[1]) || len(is.ahead()) != 4 {
		t.Errorf("the pool was %v and is %v", before, after)
	}
	if p.read(filepath.Join(filepath.Dir(is.poolFolder()), "unreadable", before[1])) != "rubbish" {
		t.Error("what somebody has put there is lost")
	}
	if n := len(p.lines("level=WARN", before[1])); n == 0 {
		t.Errorf("it is not logged:\n%s", p.log)
	}
	for _, c := range is.ahead() {
		if !p.trusts(config.AM, c) || !p.trusts(config.IS, c) {
			t.Errorf("%s is not trusted on disk", c.Fingerprint().Short())
		}
	}
	restarts(t, "for a spare certificate", is, am, [2]int{})
	is.rotate()
	settle(is, am)
	restarts(t, "with the two that are left", is, am, [2]int{})
}

func TestTroubleWithThePoolKeepsNoPeersCertificateOut(t *testing.T) {
	p, is, _ := loaders(t)
	p.write(filepath.Join(is.poolFolder(), is.pool()[1]), "rubbish")
	p.write(filepath.Join(filepath.Dir(is.poolFolder()), "unreadable"), "in the way of the folder")
	next := p.replaceKey(config.AM, "wso2am", time.Now().Add(time.Hour))
	if _, err := p.agent(config.AM).exchange().Publish([]keystore.Certificate{p.published("wso2am")[0], next}); err != nil {
		t.Fatal(err)
	}
	var tried [2]time.Time // a minute before the agent tries again
	for i := range tried {
		if err := is.k.once(t.Context(), p.agent(config.IS)); err != nil {
			t.Errorf("the pool stops the pass: %v", err)
		}
		tried[i] = is.k.memory.Retry
	}
	if tried[0].IsZero() || tried[0] != tried[1] {
		t.Errorf("within a minute the agent tries again: %v", tried)
	}
	if !p.trusts(config.IS, next) {
		t.Error("the certificate that the peer announces is not imported")
	}
	if c := p.condition(is.k.health, "identity"); !c.OK {
		t.Errorf("the certificate in use is in trouble: %s", c.Message)
	}
	if c := p.condition(is.k.health, "successors"); c.OK || !c.Advisory || !strings.Contains(c.Message, "put aside a successor that cannot be read") {
		t.Errorf("the pool is in no trouble: %+v", c)
	}
	if is.k.last.Wake.IsZero() || time.Until(is.k.last.Wake) > time.Minute {
		t.Errorf("the pool is tried again at %s", is.k.last.Wake)
	}
	if n := strings.Count(p.log.String(), "the agent cannot keep the successors of the certificate"); n != 1 {
		t.Errorf("the trouble is logged %d times", n)
	}
	if !p.trusts(config.IS, is.served()) || len(p.published("wso2is")) != 1 {
		t.Error("the certificate in use has changed")
	}
}

func TestFewerSuccessorsAreTakenBackEverywhere(t *testing.T) {
	p, is, am := loaders(t)
	all := is.ahead()
	for _, wanted := range []int{1, 0} {
		p.set(config.IS, func(c *config.Config) { c.TLS.Successors = wanted })
		settle(is, am)
		for i, c := range all[1:] {
			kept := i < wanted
			if p.trusts(config.IS, c) != kept || p.trusts(config.AM, c) != kept || slices.Contains(is.pool(), c.Fingerprint().Short()+".p12") != kept {
				t.Errorf("with TLS_SUCCESSORS=%d successor %d is in the pool %v; trusted by IS %t, by API-M %t", wanted, i+1, is.pool(), p.trusts(config.IS, c), p.trusts(config.AM, c))
			}
		}
		if got := is.ahead(); len(got) != map[int]int{1: 2, 0: 0}[wanted] {
			t.Errorf("with TLS_SUCCESSORS=%d it publishes %d certificates for later", wanted, len(got))
		}
		if !p.trusts(config.AM, is.served()) {
			t.Error("the certificate in use is not trusted any more")
		}
	}
	if len(am.pool()) != 3 {
		t.Errorf("the other server has %d successors", len(am.pool()))
	}
	restarts(t, "for that", is, am, [2]int{})
}

func TestAfterATheftNoSuccessorIsUsedOrTrusted(t *testing.T) {
	p, is, am := loaders(t)
	stolen := is.ahead()
	if err := server.RequestIdentity(t.Context(), p.agent(config.IS).cfg, true); err != nil {
		t.Fatal(err)
	}
	settle(is, am)
	restarts(t, "to trust a certificate that is new to all", is, am, [2]int{1, 1})
	for _, c := range stolen[1:] {
		if p.trusts(config.IS, c) || p.trusts(config.AM, c) || slices.Contains(is.pool(), c.Fingerprint().Short()+".p12") {
			t.Errorf("%s is still there", c.Fingerprint().Short())
		}
	}
	if slices.ContainsFunc(stolen, func(c keystore.Certificate) bool { return c.Fingerprint() == is.served().Fingerprint() }) || len(is.pool()) != 3 {
		t.Errorf("it serves one that was stolen, or has %d successors", len(is.pool()))
	}
	is.rotate()
	settle(is, am)
	restarts(t, "the next rotation", is, am, [2]int{})
}

// authority writes a CA, and gives its certificate and what issues a certificate of it into a folder as cert-manager does.
func authority(t *testing.T, dir string) (ca keystore.Certificate, issue func(folder string)) {
	t.Helper()
	cert, key := newAuthority(t)
	for name, data := range map[string][]byte{"ca.crt": pemOf("CERTIFICATE", cert.Raw), "ca.key": keyPEM(t, key)} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return keystore.Certificate{DER: cert.Raw}, func(folder string) { writeTLS(t, folder, cert, key) }
}

// writeTLS writes a new certificate for localhost and wso2is into a folder: of a CA, or self-signed without one.
func writeTLS(t *testing.T, folder string, ca *x509.Certificate, by *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "wso2is"}, DNSNames: []string{"wso2is", "wso2am", "localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(1000 * time.Hour)}
	files := map[string][]byte{"tls.key": keyPEM(t, key)}
	if ca == nil {
		ca, by = template, key
	} else {
		files["ca.crt"] = pemOf("CERTIFICATE", ca.Raw)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	files["tls.crt"] = pemOf("CERTIFICATE", der)
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(folder, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWithACAEveryRenewalIsLoadedWithoutARestart(t *testing.T) {
	for _, mode := range []string{"issue", "files"} {
		t.Run("TLS_MODE="+mode, func(t *testing.T) {
			dir := t.TempDir()
			ca, issue := authority(t, dir)
			folders := map[string]string{config.IS: t.TempDir(), config.AM: t.TempDir()}
			for _, folder := range folders {
				issue(folder)
			}
			p, is, am := loaders(t, func(c *config.Config) {
				c.Trust.Mode, c.TLS.Mode, c.Watch.QuietMin = "ca", mode, time.Millisecond
				if mode == "issue" {
					c.TLS.CACertFile, c.TLS.CAKeyFile = filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key")
				} else {
					c.TLS.FilesDir = folders[c.Server.Product]
				}
			})
			for _, l := range []*loader{is, am} {
				if f := ca.Fingerprint().String(); !slices.Contains(l.r.started.Trusts, f) {
					t.Errorf("the CA of its own certificate is not in the truststore of %s at its first start", l.product)
				}
				if len(l.pool()) != 0 || len(l.ahead()) != 0 {
					t.Errorf("%s has successors: %v", l.product, l.pool())
				}
			}
			for range 2 {
				before := is.served()
				if mode == "issue" {
					is.rotate()
				} else {
					issue(folders[config.IS])
				}
				settle(is, am)
				if is.served().Fingerprint() == before.Fingerprint() || p.published("wso2is")[0].Fingerprint() != is.served().Fingerprint() {
					t.Fatal("the renewed certificate is not served, or not published as the one in use")
				}
			}
			restarts(t, "for renewals", is, am, [2]int{})
		})
	}
}

func TestFilesWithoutACARestartThePeersInTurnAndTheOwnerUnlessItTrustsTheCertificate(t *testing.T) {
	for name, c := range map[string]struct {
		trusted bool // the owner trusts it already
		want    [2]int
	}{
		"nobody trusts the next one": {false, [2]int{1, 1}},
		"the owner trusts it":        {true, [2]int{0, 1}},
	} {
		t.Run(name, func(t *testing.T) {
			folder := t.TempDir()
			writeTLS(t, folder, nil, nil)
			p, is, am := loaders(t, func(c *config.Config) {
				if c.Server.Product == config.IS {
					c.TLS.Mode, c.TLS.FilesDir, c.Watch.QuietMin = "files", folder, time.Millisecond
				}
			})
			before := is.served()
			writeTLS(t, folder, nil, nil)
			if c.trusted { // a person has imported it before the start
				pem, err := identity.ReadPEM(t.Context(), folder, time.Millisecond)
				if err != nil {
					t.Fatal(err)
				}
				is.r.started.Trusts = append(is.r.started.Trusts, pem.Leaf().Fingerprint().String())
			}
			settle(is, am)
			if is.served().Fingerprint() == before.Fingerprint() || !slices.Contains(am.r.started.Trusts, is.served().Fingerprint().String()) {
				t.Error("the renewed certificate is not served, or the running peer does not trust it")
			}
			restarts(t, "for the renewal", is, am, c.want)
			if n := len(p.lines("level=ERROR")); n != 0 {
				t.Errorf("%d errors are logged", n)
			}
		})
	}
}

func TestSuccessorsThatAreNotPinnedAreNotImported(t *testing.T) {
	p, is, am := loaders(t)
	pinned := []keystore.Certificate{is.served(), is.ahead()[2]}
	p.set(config.AM, func(c *config.Config) {
		c.Trust.Pins = config.Pins{"wso2is": {pinned[0].Fingerprint(), pinned[1].Fingerprint()}}
	})
	settle(is, am)
	for i, c := range is.ahead() {
		if want := i == 0 || i == 2; p.trusts(config.AM, c) != want {
			t.Errorf("API-M trusts certificate %d of IS: %t", i, !want)
		}
	}
	is.rotate()
	settle(is, am)
	if is.served().Fingerprint() != pinned[1].Fingerprint() {
		t.Error("the rotation does not take the successor that the peer trusts")
	}
	restarts(t, "a rotation to the pinned one", is, am, [2]int{})
	is.rotate()
	settle(is, am)
	if is.served().Fingerprint() != pinned[1].Fingerprint() {
		t.Error("it has switched to a certificate that the peer does not trust")
	}
	restarts(t, "a rotation to one that nobody has pinned", is, am, [2]int{})
}
