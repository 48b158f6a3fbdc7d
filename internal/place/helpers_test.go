package place

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/seed"
	"wso2agent/internal/testenv"
)

const (
	password = "wso2carbon"
	settings = `[keystore.tls]
file_name = "wso2agent-tls.p12"
type = "PKCS12"
password = "wso2carbon"
alias = "tls"
key_password = "wso2carbon"

[truststore]
file_name = "client-truststore.jks"
password = "wso2carbon"

[transport.passthru_https.listener]
ssl_profile_interval = "60000"
`
	template = `<?xml version="1.0"?>
<Server port="8005">
<Listener className="org.apache.catalina.security.TLSCertificateReloadListener" checkPeriod="60" daysBefore="36500"/>
</Server>
`
)

// world is a config volume and a home of API-M, as the entrypoint leaves them.
type world struct {
	t            *testing.T
	volume, home string
	log          *testenv.Buffer
	*Home
}

// newWorld makes a world whose server has started with id. more are further settings of the agent.
func newWorld(t *testing.T, id identity.Identity, more ...string) *world {
	t.Helper()
	w := &world{t: t, volume: t.TempDir(), home: t.TempDir(), log: &testenv.Buffer{}}
	t.Setenv("PRODUCT", "am")
	t.Setenv("SERVER_NAME", "wso2am")
	t.Setenv("CONFIG_DIR", w.volume)
	t.Setenv("SERVER_HOME", w.home)
	t.Setenv("TLS_MODE", "issue")
	for i := 0; i < len(more); i += 2 {
		t.Setenv(more[i], more[i+1])
	}
	cfg, err := config.Load()
	if err != nil {
		t.Fatal(err)
	}
	w.Home = HomeOf(cfg, slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	w.put(w.volume, settingsFile, []byte(settings))
	w.put(w.home, settingsFile, []byte(settings))
	w.put(w.home, seed.TomcatTemplate, []byte(template))
	w.put(w.home, listenersFile, []byte("<profiles/>"))
	w.put(w.volume, securityDir+"/client-truststore.jks", encoded(t, newStore(t, keystore.JKS)))
	w.install(id)
	w.put(w.home, keystoreFile, w.get(w.volume, keystoreFile))
	return w
}

const keystoreFile = securityDir + "/" + config.TLSStoreFile

func (w *world) put(dir, name string, data []byte) {
	w.t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o640); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) get(dir, name string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// install puts an identity on the config volume, as the sidecar does.
func (w *world) install(id identity.Identity) { w.put(w.volume, keystoreFile, stored(w.t, id)) }

// served is the identity of the keystore in the home.
func (w *world) served() identity.Identity {
	w.t.Helper()
	id, err := identity.FromKeystore(w.get(w.home, keystoreFile), password, identity.Alias)
	if err != nil {
		w.t.Fatal(err)
	}
	return id
}

func fingerprint(id identity.Identity) string { return id.Leaf().Fingerprint().String() }

func issue(t testing.TB, names ...string) identity.Identity {
	t.Helper()
	return issueAt(t, time.Now(), names...)
}

func issueAt(t testing.TB, now time.Time, names ...string) identity.Identity {
	t.Helper()
	id, err := identity.Issue(identity.Spec{Names: names}, now, 0)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func stored(t testing.TB, id identity.Identity) []byte {
	t.Helper()
	data, err := id.Encode(keystore.PKCS12, identity.Alias, password)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func newStore(t testing.TB, format keystore.Format) *keystore.Store {
	t.Helper()
	store, err := keystore.New(keystore.Options{Format: format, Password: password, MAC: keystore.NoMAC, Certificates: keystore.Clear, KeyRounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func encoded(t testing.TB, store *keystore.Store) []byte {
	t.Helper()
	data, err := store.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// signed is a key with its certificate for wso2am. by signs it; nil for a self-signed one. change alters it.
type signed struct {
	key  ed25519.PrivateKey
	cert *x509.Certificate
}

func sign(t testing.TB, by *signed, change func(*x509.Certificate)) signed {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wso2am"}, DNSNames: []string{"wso2am"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), BasicConstraintsValid: true}
	if change != nil {
		change(c)
	}
	if by == nil {
		by = &signed{key, c}
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, key.Public(), by.key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return signed{key, parsed}
}

// chained is the bytes of a keystore with the key of the first certificate. A JKS states the chain; of a PKCS#12 file, Java
// builds it by names.
func chained(t testing.TB, format keystore.Format, chain ...signed) []byte {
	t.Helper()
	store := newStore(t, format)
	var certificates []keystore.Certificate
	for _, s := range chain {
		certificates = append(certificates, keystore.Certificate{DER: s.cert.Raw})
	}
	if err := store.SetKey(identity.Alias, chain[0].key, certificates, password, time.Now()); err != nil {
		t.Fatal(err)
	}
	return encoded(t, store)
}

// mismatched is a keystore whose key belongs to another certificate of the same size.
func mismatched(t testing.TB) []byte {
	t.Helper()
	one, other := sign(t, nil, nil), sign(t, nil, nil)
	data := bytes.ReplaceAll(chained(t, keystore.PKCS12, one), one.cert.Raw, other.cert.Raw)
	if bytes.Contains(data, one.cert.Raw) || !bytes.Contains(data, other.cert.Raw) {
		t.Fatal("the certificate is not replaced")
	}
	return data
}
