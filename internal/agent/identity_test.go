package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"wso2agent/internal/rotation"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/server"
)

// bothIssued is a place in which both servers run with identities that their agents have issued.
func bothIssued(t *testing.T, also ...func(*config.Config)) (p *place, is, am *side) {
	t.Helper()
	p = newPlace(t)
	for _, product := range []string{config.IS, config.AM} {
		p.set(product, func(c *config.Config) {
			c.Settings.Mode, c.TLS.Mode, c.AM.Host, c.IS.Host = "merge", "issue", "wso2am", "wso2is"
			c.TLS.Names = []string{"gateway.example.com", "192.0.2.7"}
			for _, change := range also {
				change(c)
			}
		})
	}
	p.initBoth()
	is, am = p.sidecar(config.IS), p.sidecar(config.AM)
	for _, s := range []*side{is, am} {
		wanted, err := p.agent(s.product).control().Wanted()
		if err != nil {
			t.Fatal(err)
		}
		s.r.started.Generation = wanted
		s.once()
	}
	return p, is, am
}

func (p *place) published(name string) []keystore.Certificate {
	p.t.Helper()
	certs, err := p.agent(config.AM).exchange().Certificates(p.t.Context(), name)
	if err != nil {
		p.t.Fatal(err)
	}
	return certs
}

func TestInitIssuesAnIdentityWithTheRightNamesAndTouchesNoOtherKey(t *testing.T) {
	p, is, am := bothIssued(t)
	for product, name := range map[string]string{config.IS: "wso2is", config.AM: "wso2am"} {
		certs := p.published(name)
		leaf, err := certs[0].Parse()
		if err != nil || len(certs) != 1 {
			t.Fatal(err, len(certs))
		}
		for _, host := range []string{name, "localhost", "gateway.example.com", "192.0.2.7"} {
			if err := leaf.VerifyHostname(host); err != nil {
				t.Error(err)
			}
		}
		for _, other := range []string{config.IS, config.AM} {
			if !p.trusts(other, certs[0]) {
				t.Errorf("%s does not trust %s", other, name)
			}
		}
		text := p.read(p.agent(product).cfg.DeploymentTOML())
		stores, err := server.ReadStores(p.agent(product).cfg.Release, []byte(text), func(string) bool { return false })
		if err != nil || stores.Keystore != config.TLSStoreFile || stores.Alias != identity.Alias {
			t.Errorf("%s: stores %+v, %v", name, stores, err)
		}
		if info, err := os.Stat(p.agent(product).cfg.TLSStorePath()); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the TLS keystore: %v, %v", info, err)
		}
	}
	const primary = "repository/resources/security/wso2carbon.jks"
	if p.read(filepath.Join(p.volume(config.AM), primary)) != p.read(filepath.Join(p.home(config.AM), primary)) {
		t.Error("the primary keystore was touched")
	}
	if is.restart() || am.restart() {
		t.Error("a restart after a first start with everything in place")
	}
	// Running it again issues nothing.
	before := p.published("wso2is")[0].Fingerprint()
	p.initBoth()
	if p.published("wso2is")[0].Fingerprint() != before {
		t.Error("a second init issued another certificate")
	}
}

func TestAnIssuedIdentityIsRotatedOnRequestInTheOrderThatFailsNoHandshake(t *testing.T) {
	p, is, am := bothIssued(t)
	old := p.published("wso2is")[0]
	installed := func() string { return p.read(p.agent(config.IS).cfg.TLSStorePath()) }
	store := installed()
	if err := server.RequestIdentity(t.Context(), p.agent(config.IS).cfg, false); err != nil {
		t.Fatal(err)
	}
	is.once()
	certs := p.published("wso2is")
	if len(certs) != 2 || certs[0].Fingerprint() != old.Fingerprint() {
		t.Fatalf("%d certificates are published", len(certs))
	}
	next := certs[1]
	if installed() != store {
		t.Fatal("the new key is on the config volume before the switch: a server that crashes would present it")
	}
	if is.restart() {
		t.Error("the owner is restarted for its own announcement")
	}
	if installed() != store {
		t.Fatal("the switch came before the peer trusts the new certificate")
	}
	am.once()
	if !am.restart() {
		t.Fatal("the peer is not restarted")
	}
	am.once()
	is.once()
	if installed() == store || !is.restart() {
		t.Fatal("the switch is not made though the peer trusts the new certificate")
	}
	if !p.trusts(config.IS, next) {
		t.Error("the owner does not trust itself after the switch")
	}
	is.once()
	am.once()
	if is.restart() || am.restart() {
		t.Error("a restart too many")
	}
	certs = p.published("wso2is")
	if certs[0].Fingerprint() != next.Fingerprint() || len(certs) != 2 {
		t.Errorf("after the switch %d certificates are published", len(certs))
	}
	if _, err := os.Stat(filepath.Join(ControlDir(p.agent(config.IS).cfg), "identity", "next.p12")); err == nil {
		t.Error("a copy of the key is left")
	}
	if _, err := os.Stat(filepath.Join(ControlDir(p.agent(config.IS).cfg), "rotate")); err == nil {
		t.Error("the request still stands")
	}
}

func TestACertificateIsIssuedAnewBeforeItEndsAndForOtherNames(t *testing.T) {
	p, is, _ := bothIssued(t, func(c *config.Config) { c.TLS.Validity = time.Minute })
	p.set(config.IS, func(c *config.Config) { c.TLS.Validity = identity.Year })
	is.once()
	if next, err := p.published("wso2is")[1].Parse(); err != nil || time.Until(next.NotAfter) < 24*time.Hour {
		t.Errorf("no certificate is announced though the one in use ends: %v", err)
	}
	p, is, _ = bothIssued(t)
	p.set(config.IS, func(c *config.Config) { c.TLS.Names = []string{"other.example.com"} })
	is.once()
	if len(p.published("wso2is")) != 2 || !strings.Contains(p.log.String(), "other.example.com") {
		t.Error("no certificate is announced though a name is missing")
	}
	if at := mustIdentity(t, p, config.AM).RenewAt(30 * 24 * time.Hour); time.Until(at) < 24*time.Hour {
		t.Errorf("a new certificate is to be renewed at %v", at)
	}
}

func mustIdentity(t *testing.T, p *place, product string) *identity.Identity {
	t.Helper()
	r, err := p.agent(product).read(t.Context(), nil, false, rotation.Memory{})
	if err != nil || r.found.Installed == nil {
		t.Fatal(err)
	}
	return r.found.Installed
}

func TestFilesBecomeTheIdentityAndAChangeOfThemRotates(t *testing.T) {
	p := newPlace(t)
	tls := filepath.Join(p.dir, "tls")
	write := func(name string, validity time.Duration) {
		t.Helper()
		dir := filepath.Join(p.dir, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for file, content := range pemFiles(t, "wso2is", validity) {
			if err := os.WriteFile(filepath.Join(dir, file), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// As Kubernetes does: a link that is swapped.
		if err := os.Symlink(dir, tls+".new"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(tls+".new", tls); err != nil {
			t.Fatal(err)
		}
	}
	write("first", time.Hour)
	p.set(config.IS, func(c *config.Config) {
		c.Settings.Mode, c.TLS.Mode, c.TLS.FilesDir, c.AM.Host, c.IS.Host = "merge", "files", tls, "wso2am", "wso2is"
	})
	p.initBoth()
	is := p.sidecar(config.IS)
	is.r.started.Generation, _ = p.agent(config.IS).control().Wanted()
	is.once()
	first := p.published("wso2is")
	write("second", 2*time.Hour)
	is.once()
	second := p.published("wso2is")
	if len(first) != 1 || len(second) != 2 || second[0].Fingerprint() != first[0].Fingerprint() {
		t.Errorf("%d, then %d certificates are published", len(first), len(second))
	}
	// A key of the next and the certificate of the last: nothing changes, and it is said.
	if err := os.WriteFile(filepath.Join(p.dir, "second", "tls.key"), pemFiles(t, "wso2is", time.Hour)["tls.key"], 0o600); err != nil {
		t.Fatal(err)
	}
	p.set(config.IS, func(c *config.Config) { c.Watch.QuietMin = time.Millisecond })
	err := is.k.once(t.Context(), p.agent(config.IS))
	if err == nil || !strings.Contains(err.Error(), "TLS_FILES_DIR") {
		t.Errorf("a pair that does not fit: %v", err)
	}
}

// pemFiles are what cert-manager leaves in a Secret.
func pemFiles(t *testing.T, name string, validity time.Duration) map[string][]byte {
	t.Helper()
	ca, caKey := newAuthority(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(validity)}
	der, err := x509.CreateCertificate(rand.Reader, template, ca, key.Public(), caKey)
	if err != nil {
		t.Fatal(err)
	}
	return map[string][]byte{"tls.crt": pemOf("CERTIFICATE", der), "tls.key": keyPEM(t, key), "ca.crt": pemOf("CERTIFICATE", ca.Raw)}
}

func newAuthority(t *testing.T) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(100000 * time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	ca, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return ca, key
}

func keyPEM(t *testing.T, key *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pemOf("PRIVATE KEY", der)
}

func pemOf(label string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

func TestACAIsTrustedInPlaceOfItsCertificates(t *testing.T) {
	p := newPlace(t)
	ca, caKey := newAuthority(t)
	for name, data := range map[string][]byte{"ca.crt": pemOf("CERTIFICATE", ca.Raw), "ca.key": keyPEM(t, caKey)} {
		if err := os.WriteFile(filepath.Join(p.dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, product := range []string{config.IS, config.AM} {
		p.set(product, func(c *config.Config) {
			c.Settings.Mode, c.TLS.Mode, c.Trust.Mode, c.AM.Host, c.IS.Host = "merge", "issue", "ca", "wso2am", "wso2is"
			c.TLS.CACertFile, c.TLS.CAKeyFile = filepath.Join(p.dir, "ca.crt"), filepath.Join(p.dir, "ca.key")
		})
	}
	p.initBoth()
	is, am := p.sidecar(config.IS), p.sidecar(config.AM)
	for _, s := range []*side{is, am} {
		s.r.started.Generation, _ = p.agent(s.product).control().Wanted()
		s.once()
	}
	authority := keystore.Certificate{DER: ca.Raw}
	if !p.trusts(config.AM, authority) || p.trusts(config.AM, p.published("wso2is")[0]) {
		t.Error("API-M does not trust the CA, or the certificate beside it")
	}
	if err := server.RequestIdentity(t.Context(), p.agent(config.IS).cfg, false); err != nil {
		t.Fatal(err)
	}
	restarts := func(want ...string) {
		t.Helper()
		prospect, unreadable, err := server.ReadProspect(t.Context(), p.agent(config.IS).cfg)
		var names []string
		for _, r := range prospect.Cost() {
			names = append(names, r.Server)
		}
		if err != nil || len(unreadable) > 0 || !slices.Equal(names, want) {
			t.Errorf("%v are said to restart, %v, %v, want %v", names, unreadable, err, want)
		}
	}
	restarts("wso2is")
	is.once()
	is.once()
	if !is.restart() {
		t.Error("the owner waits, though its peer trusts the CA of both certificates")
	}
	am.once()
	if am.restart() {
		t.Error("the peer is restarted for a certificate of a CA that it trusts")
	}
	p.set(config.IS, func(c *config.Config) { c.Trust.Mode = "leaf" })
	restarts("wso2am", "wso2is")
}
