package agent

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
)

// tls sets the settings of IS's agent that have to do with its identity.
func (p *place) tls(mode, settings string) {
	p.set(config.IS, func(c *config.Config) { c.TLS.Mode, c.Settings.Mode = mode, settings })
}

// runs starts a side's server with what is on disk, as somebody would by hand.
func (s *side) runs() {
	s.p.t.Helper()
	v, err := s.p.agent(s.product).pass(s.p.t.Context(), &s.r.started)
	if err != nil {
		s.p.t.Fatal(err)
	}
	s.r.started.Generation = v.Generation
}

// beside holds what a living agent exec holds, which says that the server started with the generation.
func (p *place) beside(product string, started notify.Started) {
	p.t.Helper()
	p.started(product, started.Generation)
	leave, ok, err := file.TryLock(filepath.Join(ControlDir(p.agent(product).cfg), "running"))
	if err != nil || !ok {
		p.t.Fatal(ok, err)
	}
	p.t.Cleanup(leave)
}

func TestInitBesideARunningServerSwitchesNothing(t *testing.T) {
	p, is, am := bothIssued(t)
	p.beside(config.IS, is.r.started)
	store := p.read(p.agent(config.IS).cfg.TLSStorePath())
	p.set(config.IS, func(c *config.Config) { c.TLS.Names = []string{"other.example.com"} })
	p.initBoth()
	if p.read(p.agent(config.IS).cfg.TLSStorePath()) != store {
		t.Error("init has switched to a certificate that no peer knows of")
	}
	if certs := p.published("wso2is"); len(certs) != 2 {
		t.Errorf("%d certificates are published, and not the old and the new one", len(certs))
	}
	// A setting that every start reads: one that comes anyway has it, and until then the server goes on.
	p.set(config.IS, func(c *config.Config) { c.Public.ProxyPort = 443 })
	p.initBoth()
	reads, err := p.agent(config.IS).control().Reads()
	if wanted, _ := p.agent(config.IS).control().Wanted(); err != nil || wanted != is.r.started.Generation || reads == wanted {
		t.Errorf("the server runs with %s, is to run with %s, and reads %s: %v", is.r.started.Generation, wanted, reads, err)
	}
	// The sidecar goes on from there.
	am.once()
	am.restart()
	am.once()
	is.once()
	if p.read(p.agent(config.IS).cfg.TLSStorePath()) == store || !is.restart() {
		t.Error("the rotation is not completed")
	}
}

func TestInitWithdrawsNoRestartThatIsAskedFor(t *testing.T) {
	p, is, _ := bothIssued(t)
	p.beside(config.IS, is.r.started)
	p.set(config.IS, func(c *config.Config) { c.Public.ProxyPort = 443 })
	is.once()
	asked := is.r.asked[len(is.r.asked)-1]
	if _, err := p.agent(config.IS).control().Want(asked); err != nil || asked == is.r.started.Generation {
		t.Fatal(asked, err)
	}
	p.initBoth()
	if wanted, err := p.agent(config.IS).control().Wanted(); wanted != asked || err != nil {
		t.Errorf("wanted is %s after init, %v", wanted, err)
	}
}

func TestWhereNobodyKnowsWhatTheServerPresentsNoCertificateOfItsGoes(t *testing.T) {
	p, is, _ := bothIssued(t)
	p.set(config.IS, func(c *config.Config) {
		c.Restart.Method, c.Rotate.Grace, c.Rotate.Timeout = "none", time.Nanosecond, time.Nanosecond
	})
	is.r.started, is.r.known = notify.Started{}, false
	seen := []string{p.published("wso2is")[0].Fingerprint().String()}
	for range 3 {
		if err := server.RequestIdentity(t.Context(), p.agent(config.IS).cfg, false); err != nil {
			t.Fatal(err)
		}
		is.once()
		is.once()
		text := ""
		for _, c := range p.published("wso2is") {
			text += c.Fingerprint().String() + "\n"
		}
		for _, fingerprint := range seen {
			if !strings.Contains(text, fingerprint) {
				t.Errorf("%s is gone, and the server may present it:\n%s", fingerprint, text)
			}
		}
		seen = strings.Fields(text)
	}
	if len(seen) != 4 {
		t.Errorf("%d certificates are published after three rotations", len(seen))
	}
	// A start that is known of ends it.
	p.initBoth()
	is.once()
	if certs := p.published("wso2is"); len(certs) != 1 {
		t.Errorf("%d certificates are published after an init", len(certs))
	}
}

func TestAKeystoreThatAnEarlierModeHasLeftIsNotPresented(t *testing.T) {
	p, is, am := bothIssued(t)
	left := p.published("wso2is")[0]
	p.tls("none", "merge")
	is.once()
	am.once()
	am.restart()
	am.once()
	is.once()
	if !is.restart() {
		t.Fatal("the server is not restarted for its own keystore")
	}
	is.once()
	p.set(config.IS, func(c *config.Config) { c.Rotate.Grace = time.Nanosecond })
	is.once()
	p.set(config.IS, func(c *config.Config) { c.Rotate.Grace = time.Hour })
	p.tls("issue", "merge")
	is.once()
	if is.restart() {
		t.Error("the server is restarted before its peer knows of the certificate")
	}
	certs := p.published("wso2is")
	if len(certs) != 2 || certs[0].Fingerprint() == left.Fingerprint() || certs[1].Fingerprint() == left.Fingerprint() {
		t.Errorf("%d certificates are published, the old one's fingerprint is %s", len(certs), left.Fingerprint())
	}
	for range 3 {
		am.once()
		am.restart()
		is.once()
		is.restart()
	}
	if now := p.published("wso2is")[0]; now.Fingerprint() != certs[1].Fingerprint() {
		t.Error("the announced certificate is not the one in use")
	}
}

func TestAnotherPrimaryPasswordLeavesTheIdentityAlone(t *testing.T) {
	p, is, am := bothIssued(t)
	path := p.agent(config.IS).cfg.DeploymentTOML()
	text := p.read(path)
	changed := strings.Replace(text, "[keystore.primary]", "[keystore.primary]\npassword = \"another\"", 1)
	if changed == text || strings.Count(changed, "[keystore.primary]") != 1 {
		t.Fatal("the stock settings have no [keystore.primary] any more")
	}
	changed = strings.Replace(changed, "\nfile_name = \"wso2carbon.p12\"\npassword = \"wso2carbon\"", "\nfile_name = \"wso2carbon.p12\"", 1)
	if err := os.WriteFile(path, []byte(changed), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("KEYSTORE_PASS", "another")
	given := p.settings(config.IS)
	p.set(config.IS, func(c *config.Config) {
		names := c.TLS.Names
		*c = given
		c.Settings.Mode, c.TLS.Mode, c.AM.Host, c.IS.Host, c.TLS.Names = "merge", "issue", "wso2am", "wso2is", names
	})
	before := p.published("wso2is")
	is.once()
	after := p.published("wso2is")
	if len(after) != 1 || after[0].Fingerprint() != before[0].Fingerprint() || !strings.Contains(p.read(path), config.TLSStoreFile) {
		t.Errorf("%d certificates are published; the settings:\n%s", len(after), p.read(path))
	}
	am.once()
	if am.restart() {
		t.Error("the peer is restarted for nothing")
	}
}

func TestAKeystoreThatIsLostIsMadeAnewAtOnce(t *testing.T) {
	p, is, am := bothIssued(t)
	path := p.agent(config.IS).cfg.TLSStorePath()
	if err := os.WriteFile(path, []byte("no keystore"), 0o600); err != nil {
		t.Fatal(err)
	}
	is.once()
	if i := mustIdentity(t, p, config.IS); i.Leaf().Fingerprint() == p.published("wso2is")[0].Fingerprint() {
		t.Error("the lost certificate is said to be on disk")
	}
	if is.restart() || len(is.r.held) == 0 {
		t.Error("the restart is not held until the peer trusts the new certificate")
	}
	am.once()
	am.restart()
	am.once()
	is.once()
	if !is.restart() {
		t.Error("the server is not restarted when the peer trusts the new certificate")
	}
}

func TestTLSModeWithoutEffectIsSaidAndRestartsNobody(t *testing.T) {
	for name, prepare := range map[string]func(p *place){
		"SETTINGS=none": func(p *place) { p.tls("issue", "none") },
		"a keystore of somebody's": func(p *place) {
			p.tls("issue", "merge")
			path := p.agent(config.IS).cfg.DeploymentTOML()
			p.write(path, p.read(path)+"\n[keystore.tls]\nfile_name = \"wso2carbon.p12\"\npassword = \"wso2carbon\"\nalias = \"wso2carbon\"\nkey_password = \"wso2carbon\"\ntype = \"PKCS12\"\n")
		},
	} {
		t.Run(name, func(t *testing.T) {
			p, is, am := bothRunning(t)
			p.set(config.IS, func(c *config.Config) { c.AM.Host, c.IS.Host = "wso2am", "wso2is" })
			prepare(p)
			is.runs()
			is.once()
			is.once()
			am.once()
			if n := strings.Count(p.log.String(), "TLS_MODE has no effect on this server"); n != 1 {
				t.Errorf("said %d times", n)
			}
			if is.restart() || am.restart() || len(p.published("wso2is")) != 1 {
				t.Error("a certificate is announced that will never be in use")
			}
			if _, err := os.Stat(filepath.Join(ControlDir(p.agent(config.IS).cfg), "identity", "next.p12")); err == nil {
				t.Error("a key is made for nothing")
			}
			p.write(p.agent(config.IS).cfg.TLSStorePath(), "left by somebody")
			if err := server.RequestIdentity(t.Context(), p.agent(config.IS).cfg, false); err == nil || !strings.Contains(err.Error(), "SETTINGS=override") {
				t.Errorf("a rotation is asked for: %v", err)
			}
		})
	}
}

func TestTroubleWithTheOwnIdentityKeepsNoPeersCertificateOut(t *testing.T) {
	p, is, am := bothIssued(t)
	p.set(config.IS, func(c *config.Config) {
		c.TLS.CACertFile, c.TLS.CAKeyFile = filepath.Join(p.dir, "gone.crt"), filepath.Join(p.dir, "gone.key")
	})
	if err := server.RequestIdentity(t.Context(), p.agent(config.AM).cfg, false); err != nil {
		t.Fatal(err)
	}
	am.once()
	next := p.published("wso2am")[1]
	err := is.k.once(t.Context(), p.agent(config.IS))
	if err == nil || !strings.Contains(err.Error(), "TLS_CA_CERT_FILE") {
		t.Errorf("the trouble is not told: %v", err)
	}
	if !p.trusts(config.IS, next) || !is.restart() {
		t.Error("the peer's certificate is not trusted")
	}
	// The next start is not held up by it either.
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Error(err)
	}
	if !strings.Contains(p.log.String(), "the server keeps the TLS certificate that it has") {
		t.Error("init says nothing of it")
	}
}

func TestAKeystoreThatSomebodyReplacesComesBeforeTheOneThatWaits(t *testing.T) {
	p, is, am := bothIssued(t)
	old := p.published("wso2is")[0]
	if err := server.RequestIdentity(t.Context(), p.agent(config.IS).cfg, false); err != nil {
		t.Fatal(err)
	}
	is.once()
	waits := p.published("wso2is")[1]
	byHand, err := identity.Issue(identity.Spec{Names: []string{"wso2is", "localhost", "gateway.example.com", "192.0.2.7"}}, time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	if err := identity.FilesOf(p.agent(config.IS).cfg, "wso2carbon").Install(byHand); err != nil {
		t.Fatal(err)
	}
	is.once()
	if certs := p.published("wso2is"); is.restart() || certs[0].Fingerprint() != old.Fingerprint() || certs[1].Fingerprint() != byHand.Leaf().Fingerprint() {
		t.Error("the server is restarted before its peer trusts what it would present, or that is not announced")
	}
	for range 4 {
		am.once()
		am.restart()
		am.once()
		is.once()
		is.restart()
	}
	if now := p.published("wso2is")[0]; now.Fingerprint() != waits.Fingerprint() {
		t.Error("the one that waited did not come after it")
	}
}
