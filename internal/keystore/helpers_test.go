package keystore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

const realPassword = "wso2carbon"

// realStore is a default file of the products, and what it must hold.
type realStore struct {
	file    string
	keys    int
	trusted int
	leaf    string // fingerprint of the key's certificate
	mac     bool
}

func realStores() []realStore {
	return []realStore{
		{"is-7.1.0/wso2carbon.p12", 1, 142, "9B:F7:82:53:A0:CB:31:54:D7:F6:1E:53:A2:62:FA:E1:2C:2D:A7:E0:0C:B2:60:3E:EB:1B:D6:09:3A:F9:81:FE", true},
		{"is-7.1.0/client-truststore.p12", 0, 144, "", true},
		{"apim-4.5.0/wso2carbon.jks", 1, 148, "1E:1B:CD:EB:0A:46:47:21:50:C5:55:42:A9:CC:02:F3:94:81:E5:DD:1E:6E:A4:93:C8:2B:02:3C:BE:03:B4:4C", false},
		{"apim-4.5.0/client-truststore.jks", 0, 150, "", false},
	}
}

func readReal(t testing.TB, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(testenv.Shared(t, "keystores", file))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustOpen(t testing.TB, data []byte, password string) *Store {
	t.Helper()
	s, err := Open(data, password)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustNew(t testing.TB, o Options) *Store {
	t.Helper()
	s, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func mustEncode(t testing.TB, s *Store) []byte {
	t.Helper()
	data, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func mustSet(t testing.TB, s *Store, alias string, cert Certificate) {
	t.Helper()
	if err := s.SetTrusted(alias, cert, testTime()); err != nil {
		t.Fatal(err)
	}
}

func testTime() time.Time { return time.UnixMilli(1_700_000_000_123) }

// identity is a key with its certificate.
type identity struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func (i identity) certificate() Certificate { return Certificate{DER: i.cert.Raw} }

// newIdentity makes a certificate under name, signed by issuer, or by itself if there is none.
func newIdentity(t testing.TB, name string, issuer *identity) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true,
	}
	parent, signer := template, key
	if issuer != nil {
		parent, signer = issuer.cert, issuer.key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{key, cert}
}

// view is what a store holds, alias by alias, in words that keytool's output can be turned into as well.
type view map[string]string

func viewOf(entries []Entry) view {
	v := make(view)
	for _, e := range entries {
		if e.Kind == Other {
			continue // Java does not see it
		}
		line := string(e.Kind)
		for _, c := range e.Chain {
			line += " " + c.Fingerprint().String()
		}
		v[javaLower(e.Alias)] = line
	}
	return v
}

func (v view) with(alias string, kind Kind, cert Certificate) view {
	changed := v.without(alias)
	changed[alias] = string(kind) + " " + cert.Fingerprint().String()
	return changed
}

func (v view) without(alias string) view {
	changed := make(view)
	for a, line := range v {
		if a != alias {
			changed[a] = line
		}
	}
	return changed
}

func diff(want, got view) string {
	var out strings.Builder
	for alias, line := range want {
		if got[alias] != line {
			out.WriteString(alias + ": want " + line + ", got " + got[alias] + "\n")
		}
	}
	for alias, line := range got {
		if _, ok := want[alias]; !ok {
			out.WriteString(alias + ": unexpected " + line + "\n")
		}
	}
	return out.String()
}

func write(t testing.TB, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// run runs a program to its end and returns what it prints.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := tryRun(t, name, args...)
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

func tryRun(t testing.TB, name string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.Command(testenv.Command(t, name), args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	return out.String(), err
}

// keytoolView lists a store with keytool.
func keytoolView(t testing.TB, data []byte, password string) view {
	t.Helper()
	out := run(t, "keytool", "-J-Duser.language=en", "-list", "-v", "-keystore", write(t, "store", data), "-storepass", password)
	kinds := map[string]Kind{"trustedCertEntry": TrustedCertificate, "PrivateKeyEntry": KeyEntry, "SecretKeyEntry": SecretKey}
	v := make(view)
	alias := ""
	for line := range strings.Lines(out) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch name {
		case "Alias name":
			alias = value
		case "Entry type":
			v[alias] = string(kinds[value])
		case "SHA256":
			v[alias] += " " + value
		}
	}
	return v
}

// keytoolSigns proves that Java can still use the private key.
func keytoolSigns(t testing.TB, data []byte, alias, password string) {
	t.Helper()
	out := run(t, "keytool", "-certreq", "-alias", alias, "-keystore", write(t, "store", data), "-storepass", password)
	if !strings.Contains(out, "BEGIN NEW CERTIFICATE REQUEST") {
		t.Errorf("keytool made no certificate request with the key %q:\n%s", alias, out)
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
