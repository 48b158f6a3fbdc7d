package agent

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

// nameless is a self-signed certificate without a subject, as openssl req -subj / makes it. Java refuses it.
func nameless(t *testing.T) (keystore.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: []string{"wso2is"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return keystore.Certificate{DER: der}, key
}

func TestFilesWithACertificateThatJavaRefusesEndInitAndTouchNothing(t *testing.T) {
	p := newPlace(t)
	bad, key := nameless(t)
	dir := t.TempDir()
	for name, content := range map[string][]byte{"tls.crt": pemOf("CERTIFICATE", bad.DER), "tls.key": keyPEM(t, key)} {
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p.tls("files", "override")
	p.set(config.IS, func(c *config.Config) { c.TLS.FilesDir = dir })
	a := p.agent(config.IS)
	before := p.read(a.cfg.TruststorePath())
	err := a.Init(t.Context())
	if !errors.Is(err, javacert.ErrRefused) || !strings.Contains(err.Error(), "tls.crt holds a certificate SHA-256") {
		t.Errorf("init says %v", err)
	}
	if p.read(a.cfg.TruststorePath()) != before {
		t.Error("the truststore has changed")
	}
	if _, err := os.Stat(a.cfg.TLSStorePath()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a keystore was made: %v", err)
	}
	if _, err := os.Stat(filepath.Join(a.cfg.Trust.ExchangeDir, "wso2is", "certs.pem")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a certificate is published: %v", err)
	}
}

// TestNoRestartIsAskedForOnATruststoreThatJavaDoesNotLoad: the running server goes on, a restarted one would not come up.
func TestNoRestartIsAskedForOnATruststoreThatJavaDoesNotLoad(t *testing.T) {
	p, is, _ := bothRunning(t)
	bad, _ := nameless(t)
	cfg := p.agent(config.IS).cfg
	broken := testenv.JKS(cfg.Truststore.Pass, map[string][]byte{"somebodys": bad.DER})
	if _, err := file.Write(cfg.TruststorePath(), broken, 0o600, cfg.WorkDir()); err != nil {
		t.Fatal(err)
	}
	p.set(config.IS, func(c *config.Config) { c.Public.ProxyPort = 443 }) // which is due for a restart
	asked := len(is.r.asked)
	err := is.k.once(t.Context(), p.agent(config.IS))
	if !errors.Is(err, javacert.ErrRefused) || !strings.Contains(err.Error(), `"somebodys": certificate SHA-256`) {
		t.Errorf("the pass says %v", err)
	}
	if len(is.r.asked) != asked {
		t.Error("a restart was asked for")
	}
	if p.read(cfg.TruststorePath()) != string(broken) {
		t.Error("the store has changed")
	}
}
