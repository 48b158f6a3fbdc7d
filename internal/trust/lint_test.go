//go:debug rsa1024min=0

package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

// lintStore makes a store in the clear, so that tests can change its bytes.
func lintStore(t *testing.T, format keystore.Format) *keystore.Store {
	t.Helper()
	store, err := keystore.New(keystore.Options{Format: format, Password: password, MAC: keystore.NoMAC, Certificates: keystore.Clear, KeyRounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

// template is a certificate that nothing is wrong with.
func template(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: lintDay().AddDate(1, 0, 0)}
}

// lintDay is the day on which the tests' stores are looked at.
func lintDay() time.Time { return time.Unix(1_800_000_000, 0) }

// sign makes a certificate out of a template; by itself if there is no issuer.
func sign(t *testing.T, c *x509.Certificate, key crypto.Signer, issuer *x509.Certificate, by crypto.Signer) keystore.Certificate {
	t.Helper()
	if issuer == nil {
		issuer, by = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, issuer, key.Public(), by)
	if err != nil {
		t.Fatal(err)
	}
	return keystore.Certificate{DER: der}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func self(t *testing.T, c *x509.Certificate) keystore.Certificate {
	return sign(t, c, newKey(t), nil, nil)
}

func trustThem(t *testing.T, store *keystore.Store, certs map[string]keystore.Certificate) {
	t.Helper()
	for alias, c := range certs {
		if err := store.SetTrusted(alias, c, lintDay()); err != nil {
			t.Fatal(err)
		}
	}
}

func encode(t *testing.T, store *keystore.Store) []byte {
	t.Helper()
	data, err := store.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// lint writes a store and says what is found, as "severity check alias".
func lint(t *testing.T, name string, data []byte, pass string) (found []string, report Report) {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	report, err := Store{Path: path, Password: pass, Setting: "TRUSTSTORE_PASS"}.Lint(t.Context(), lintDay())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range report.Findings {
		found = append(found, strings.TrimSpace(string(f.Severity)+" "+f.Check+" "+f.Alias))
	}
	slices.Sort(found)
	return found, report
}

func TestLintFindsWhatIsWrongWithCertificates(t *testing.T) {
	good, expired, early, soon := template("good"), template("expired"), template("early"), template("soon")
	expired.NotAfter = lintDay().AddDate(0, 0, -1)
	early.NotBefore = lintDay().AddDate(0, 0, 1)
	soon.NotAfter = lintDay().Add(ExpiryWarning)
	same := self(t, good)
	for name, c := range map[string]struct {
		certs map[string]keystore.Certificate
		want  []string
	}{
		"nothing":             {map[string]keystore.Certificate{"a": same}, nil},
		"expired":             {map[string]keystore.Certificate{"a": self(t, expired)}, []string{"warning expired a"}},
		"not yet valid":       {map[string]keystore.Certificate{"a": self(t, early)}, []string{"warning not-yet-valid a"}},
		"expires soon":        {map[string]keystore.Certificate{"a": self(t, soon)}, []string{"warning expires-soon a"}},
		"two aliases for one": {map[string]keystore.Certificate{"a": same, "b": same}, []string{"info same-certificate b"}},
	} {
		store := lintStore(t, keystore.JKS) // keeps its aliases in order
		trustThem(t, store, c.certs)
		if found, report := lint(t, "store.jks", encode(t, store), password); !slices.Equal(found, c.want) || report.Failed() {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
	}
}

// keyPair is a key whose certificates have the same size for every name of the same length.
func keyPair(t *testing.T, c *x509.Certificate) (ed25519.PrivateKey, keystore.Certificate) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, sign(t, c, key, nil, nil)
}

func TestLintFindsWhatIsWrongWithKeys(t *testing.T) {
	expired := template("old")
	expired.NotAfter = lintDay().AddDate(0, 0, -1)
	key, leaf := keyPair(t, template("key"))
	_, other := keyPair(t, template("key"))
	oldKey, oldLeaf := keyPair(t, expired)
	if len(other.DER) != len(leaf.DER) {
		t.Fatal("the certificates have different sizes")
	}
	with := func(format keystore.Format, key crypto.Signer, leaf keystore.Certificate, pass string) []byte {
		store := lintStore(t, format)
		if err := store.SetKey("server", key, []keystore.Certificate{leaf}, pass, lintDay()); err != nil {
			t.Fatal(err)
		}
		return encode(t, store)
	}
	whole := with(keystore.PKCS12, key, leaf, password)
	for name, c := range map[string]struct {
		data []byte
		want []string
	}{
		"nothing":                       {whole, nil},
		"another key's certificate":     {bytes.ReplaceAll(whole, leaf.DER, other.DER), []string{"error key server"}},
		"expired":                       {with(keystore.PKCS12, oldKey, oldLeaf, password), []string{"error expired server"}},
		"a password of its own":         {with(keystore.PKCS12, key, leaf, "another"), []string{"error password server"}},
		"a password of its own, in JKS": {with(keystore.JKS, key, leaf, "another"), []string{"warning name", "warning password server"}},
	} {
		found, report := lint(t, "store.p12", c.data, password)
		if !slices.Equal(found, c.want) {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
		if wantFailed := len(c.want) > 0 && strings.HasPrefix(c.want[0], "error"); report.Failed() != wantFailed {
			t.Errorf("%s: failed %t", name, report.Failed())
		}
	}
}

func TestLintTellsWhyAStoreDoesNotOpen(t *testing.T) {
	store := lintStore(t, keystore.JKS)
	trustThem(t, store, map[string]keystore.Certificate{"a": self(t, template("a"))})
	data := encode(t, store)
	for name, c := range map[string]struct {
		data []byte
		pass string
		want string
	}{
		"a wrong password":   {data, "wrong", "error password"},
		"half a file":        {data[:len(data)/2], password, "error torn"},
		"an empty file":      {nil, password, "error torn"},
		"text":               {[]byte("wso2carbon\n"), password, "error format"},
		"an entry of no use": {bytes.Replace(data, []byte("\x00\x00\x00\x02\x00\x01a"), []byte("\x00\x00\x00\x09\x00\x01a"), 1), password, "error damaged"},
		"a file too large":   {make([]byte, storeLimit+1), password, "error too-large"},
	} {
		if found, report := lint(t, "store.jks", c.data, c.pass); !slices.Equal(found, []string{c.want}) || !report.Failed() {
			t.Errorf("%s: found %q, want %q", name, found, c.want)
		}
	}
	if _, err := (Store{Path: filepath.Join(t.TempDir(), "none"), Named: true}).Lint(t.Context(), lintDay()); err == nil {
		t.Error("a file that is not there is looked into")
	}
}

func TestLintTellsWhatANameDoesNot(t *testing.T) {
	for name, want := range map[string][]string{"a.jks": {"info name"}, "a.p12": nil, "a": nil} {
		if found, _ := lint(t, name, encode(t, lintStore(t, keystore.PKCS12)), password); !slices.Equal(found, want) {
			t.Errorf("PKCS#12 in %s: found %q, want %q", name, found, want)
		}
	}
	for name, want := range map[string][]string{"a.JKS": nil, "a.pfx": {"warning name"}} {
		if found, _ := lint(t, name, encode(t, lintStore(t, keystore.JKS)), password); !slices.Equal(found, want) {
			t.Errorf("JKS in %s: found %q, want %q", name, found, want)
		}
	}
}

// TestLintKnowsTheAnchorsThatJavaRefuses asks Java, too: a client with that truststore meets a server's certificate.
func TestLintKnowsTheAnchorsThatJavaRefuses(t *testing.T) {
	ca, cannotSign, noCA := template("ca"), template("ca"), template("ca")
	ca.IsCA, ca.BasicConstraintsValid, ca.KeyUsage = true, true, x509.KeyUsageCertSign
	cannotSign.IsCA, cannotSign.BasicConstraintsValid, cannotSign.KeyUsage = true, true, x509.KeyUsageDigitalSignature
	key := newKey(t)
	leaf := sign(t, template("leaf"), newKey(t), ca, key)
	weak, err := rsa.GenerateKey(rand.Reader, 768)
	if err != nil {
		t.Fatal(err)
	}
	weakCA, weakLeaf := sign(t, ca, weak, nil, nil), sign(t, template("leaf"), key, ca, weak)
	renewed := template("server")
	renewed.SerialNumber = big.NewInt(2)
	stale, fresh := self(t, template("server")), self(t, template("server"))
	issuer := func(c *x509.Certificate) keystore.Certificate { return sign(t, c, key, nil, nil) }
	cases := []struct {
		name    string
		trusted map[string]keystore.Certificate
		server  keystore.Certificate
		java    string // part of what Java says of server
		want    []string
	}{
		{"a CA", map[string]keystore.Certificate{"ca": issuer(ca), "leaf": leaf}, leaf, "trusted", nil},
		{"a CA that may not sign", map[string]keystore.Certificate{"ca": issuer(cannotSign)}, leaf,
			"does not have keyCertSign bit set in KeyUsage extension", []string{"warning anchor ca"}},
		{"no CA", map[string]keystore.Certificate{"ca": issuer(noCA)}, leaf, "is not a CA certificate", nil},
		{"no CA, beside what it has issued", map[string]keystore.Certificate{"ca": issuer(noCA), "leaf": leaf}, leaf, "trusted", []string{"info anchor ca"}},
		{"a stale certificate alone", map[string]keystore.Certificate{"server": stale}, fresh, "signature check failed", nil},
		{"a stale certificate beside the new one", map[string]keystore.Certificate{"server": stale, "server2": fresh}, fresh, "trusted",
			[]string{"info anchor server", "info anchor server2"}},
		{"a stale one of the same key", map[string]keystore.Certificate{"server": issuer(template("server"))}, issuer(renewed), "is not a CA certificate", nil},
		{"a weak key", map[string]keystore.Certificate{"ca": weakCA}, weakLeaf, "Algorithm constraints check failed", []string{"warning anchor ca", "warning java ca"}},
	}
	dir := t.TempDir()
	args := []string{"testdata/Anchors.java", password}
	for i, c := range cases {
		trusted := map[string][]byte{}
		for alias, cert := range c.trusted {
			trusted[alias] = cert.DER
		}
		data := testenv.JKS(password, trusted) // the agent writes no weak key into a store
		if found, _ := lint(t, "store.jks", data, password); !slices.Equal(found, c.want) {
			t.Errorf("%s: found %q, want %q", c.name, found, c.want)
		}
		base := filepath.Join(dir, string(rune('a'+i)))
		for path, content := range map[string][]byte{
			base + ".p12": data, base + ".pem": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.server.DER}),
		} {
			if err := os.WriteFile(path, content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		args = append(args, base+".p12", base+".pem")
	}
	out, err := exec.Command(testenv.Command(t, "java"), args...).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != len(cases) {
		t.Fatalf("java: %v\n%s", err, out)
	}
	for i, c := range cases {
		if !strings.Contains(lines[i], c.java) {
			t.Errorf("%s: Java says %q, want %q", c.name, lines[i], c.java)
		}
	}
}
