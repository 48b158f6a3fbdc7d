package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/telemetry"
)

// dropTLS takes [keystore.tls] out of the settings, as somebody does who puts a deployment.toml of his own there.
func (p *place) dropTLS(product string) {
	p.t.Helper()
	path := p.agent(product).cfg.DeploymentTOML()
	before, table, found := strings.Cut(p.read(path), "[keystore.tls]")
	if !found {
		p.t.Fatal("the settings have no [keystore.tls]")
	}
	if _, after, more := strings.Cut(table, "\n["); more {
		before += "[" + after
	}
	p.write(path, before)
}

func TestSettingsThatLoseTheKeystoreBesideARunningServerGetItBack(t *testing.T) {
	p, is, am := bothIssued(t)
	old := p.published("wso2is")[0]
	p.dropTLS(config.IS)
	var restarts [2]int
	for range 8 {
		is.once()
		if is.restart() {
			restarts[0]++
		}
		am.once()
		if am.restart() {
			restarts[1]++
		}
	}
	if now := p.published("wso2is")[0]; now.Fingerprint() != old.Fingerprint() || restarts[0] > 1 || restarts[1] > 0 {
		t.Errorf("restarts IS %d, API-M %d; the key that was in use and trusted is gone: %v", restarts[0], restarts[1], now.Fingerprint() != old.Fingerprint())
	}
}

func TestSettingsThatLoseTheKeystoreBeforeAStartGetItBack(t *testing.T) {
	p, _, _ := bothIssued(t)
	old := p.published("wso2is")[0]
	p.dropTLS(config.IS)
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	now := p.published("wso2is")[0]
	if now.Fingerprint() != old.Fingerprint() {
		t.Error("the key that was in use and trusted is overwritten")
	}
	if !p.trusts(config.AM, now) {
		t.Error("IS would present what the running API-M does not trust")
	}
}

func TestAFirstIdentityThatCannotBeHadKeepsNoPeersCertificateOut(t *testing.T) {
	for _, mode := range []string{"files", "issue"} {
		t.Run(mode, func(t *testing.T) {
			p, is, am := bothRunning(t)
			p.set(config.IS, func(c *config.Config) {
				c.Settings.Mode, c.TLS.Mode, c.TLS.FilesDir, c.AM.Host, c.IS.Host = "merge", mode, filepath.Join(p.dir, "none"), "wso2am", "wso2is"
				if mode == "issue" {
					c.TLS.CACertFile, c.TLS.CAKeyFile = filepath.Join(p.dir, "gone.crt"), filepath.Join(p.dir, "gone.key")
				}
			})
			next := p.replaceKey(config.AM, "next", time.Now().Add(time.Hour))
			am.once()
			err := is.k.once(t.Context(), p.agent(config.IS))
			if err == nil || !strings.Contains(err.Error(), "TLS_") {
				t.Errorf("the trouble is not told: %v", err)
			}
			if !p.trusts(config.IS, next) {
				t.Error("the peer's certificate is not trusted")
			}
		})
	}
}

func TestAKeystoreThatIsBeingWrittenIsReadAgain(t *testing.T) {
	p, is, _ := bothIssued(t)
	path := p.agent(config.IS).cfg.TLSStorePath()
	whole := p.read(path)
	p.write(path, whole[:len(whole)/2]) // a copy that is half way
	done := make(chan error, 1)
	time.AfterFunc(50*time.Millisecond, func() { done <- os.WriteFile(path, []byte(whole), 0o600) })
	is.once()
	if err := <-done; err != nil || p.read(path) != whole {
		t.Errorf("another has taken its place, %v", err)
	}
	if len(p.published("wso2is")) != 1 || is.restart() {
		t.Error("another certificate is announced")
	}
}

func TestTroubleWithTheIdentityDoesNotSayThatTrustDoesNotHold(t *testing.T) {
	p, _, _ := bothIssued(t)
	p.set(config.IS, func(c *config.Config) {
		c.TLS.CACertFile, c.TLS.CAKeyFile = filepath.Join(p.dir, "gone.crt"), filepath.Join(p.dir, "gone.key")
	})
	if err := p.agent(config.IS).Init(t.Context()); err != nil { // of a new pod, whose server waits for trust to hold
		t.Fatal(err)
	}
	health := p.keeping(config.IS)
	p.until("the trouble is told", func() bool { return strings.Contains(p.message(health, identityCondition), "TLS_CA_CERT_FILE") })
	if !p.ok(health, trustCondition) || p.ok(health, identityCondition) {
		t.Errorf("trust: %s; identity: %s", p.message(health, trustCondition), p.message(health, identityCondition))
	}
}

func TestTroubleWithTheIdentityIsToldBesideOtherTrouble(t *testing.T) {
	p, is, _ := bothIssued(t)
	p.set(config.IS, func(c *config.Config) {
		c.TLS.CACertFile, c.TLS.CAKeyFile = filepath.Join(p.dir, "gone.crt"), filepath.Join(p.dir, "gone.key")
	})
	is.k.health, is.r.fails = telemetry.NewHealth(time.Hour, identityCondition), errors.New("agent exec cannot be told")
	is.r.running, is.r.onDisk = "", "" // so that the agent has something to say
	if err := is.k.once(t.Context(), p.agent(config.IS)); !errors.Is(err, is.r.fails) {
		t.Errorf("error = %v", err)
	}
	if p.ok(is.k.health, identityCondition) || !strings.Contains(p.message(is.k.health, identityCondition), "TLS_CA_CERT_FILE") {
		t.Errorf("identity: %s", p.message(is.k.health, identityCondition))
	}
}

func TestSomebodysKeystoreAtThePlaceOfTheAgentsStays(t *testing.T) {
	p, is, _ := bothIssued(t)
	a := p.agent(config.IS)
	byHand, err := identity.Issue(identity.Spec{Names: []string{"wso2is"}}, time.Now(), 0)
	if err != nil {
		t.Fatal(err)
	}
	data, err := byHand.Encode(keystore.PKCS12, "mine", "wso2carbon")
	if err != nil {
		t.Fatal(err)
	}
	p.write(a.cfg.TLSStorePath(), string(data))
	p.write(a.cfg.DeploymentTOML(), strings.Replace(p.read(a.cfg.DeploymentTOML()), `alias = "tls"`, `alias = "mine"`, 1))
	is.once()
	is.once()
	if p.read(a.cfg.TLSStorePath()) != string(data) {
		t.Error("somebody's key is overwritten")
	}
	if certs := p.published("wso2is"); certs[len(certs)-1].Fingerprint() != byHand.Leaf().Fingerprint() {
		t.Error("somebody's certificate is not announced")
	}
}

func TestWhatCannotBeReadAtThePlaceOfTheAgentsKeystoreIsPutAside(t *testing.T) {
	p, is, _ := bothIssued(t)
	p.write(p.agent(config.IS).cfg.TLSStorePath(), "somebody's, with another password")
	is.once()
	if aside := p.read(filepath.Join(ControlDir(p.agent(config.IS).cfg), "identity", "unreadable.p12")); aside != "somebody's, with another password" {
		t.Errorf("put aside: %q", aside)
	}
}

func TestANameThatTheFilesLackIsToldOnce(t *testing.T) {
	p := newPlace(t)
	dir := filepath.Join(p.dir, "tls")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, content := range pemFiles(t, "elsewhere", time.Hour) {
		p.write(filepath.Join(dir, name), string(content))
	}
	p.set(config.IS, func(c *config.Config) {
		c.Settings.Mode, c.TLS.Mode, c.TLS.FilesDir, c.AM.Host, c.IS.Host, c.Trust.Peers = "merge", "files", dir, "wso2am", "wso2is", nil
	})
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	is := p.sidecar(config.IS)
	is.r.started.Generation, _ = p.agent(config.IS).control().Wanted()
	for range 3 {
		is.once()
	}
	if n := strings.Count(p.log.String(), "lacks the server's name"); n != 2 {
		t.Errorf("told %d times, and not once by init and once by the sidecar", n)
	}
}

func TestOneSettingOfTheKeystoreThatSomebodyChangesTakesNoneBack(t *testing.T) {
	p, is, _ := bothIssued(t)
	path := p.agent(config.IS).cfg.DeploymentTOML()
	changed := strings.Replace(p.read(path), `alias = "tls"`, `alias = "mine"`, 1)
	p.write(path, changed)
	if err := is.k.once(t.Context(), p.agent(config.IS)); err == nil || !strings.Contains(err.Error(), "mine") {
		t.Errorf("an alias that is not in the keystore: %v", err)
	}
	if p.read(path) != changed {
		t.Errorf("somebody's settings are changed:\n%s", p.read(path))
	}
}
