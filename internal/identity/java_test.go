package identity

import (
	"crypto/x509"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

// javaStores writes the stores that a test gives to Java.
type javaStores struct {
	t   *testing.T
	dir string
	n   int
}

func (s *javaStores) put(data []byte) string {
	s.t.Helper()
	s.n++
	path := filepath.Join(s.dir, fmt.Sprintf("store%d", s.n))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		s.t.Fatal(err)
	}
	return path
}

func (s *javaStores) identity(id Identity, format keystore.Format) string {
	s.t.Helper()
	data, err := id.Encode(format, "TLS", password)
	if err != nil {
		s.t.Fatal(err)
	}
	return s.put(data)
}

func (s *javaStores) trusting(certs ...keystore.Certificate) string {
	s.t.Helper()
	store := plainStore(s.t, keystore.PKCS12)
	for i, c := range certs {
		if err := store.SetTrusted(fmt.Sprintf("peer-%d", i), c, day()); err != nil {
			s.t.Fatal(err)
		}
	}
	return s.put(encode(s.t, store))
}

// handshake is one that Java tries, and part of what it must answer.
type handshake struct{ name, keystore, truststore, host, want string }

// TestJavaMeetsIssuedIdentitiesByEachOfTheirNames makes Java's client look for the name in the certificate, in TLS 1.2 and 1.3, and
// Java's server request the certificate of the client.
func TestJavaMeetsIssuedIdentitiesByEachOfTheirNames(t *testing.T) {
	java := testenv.Command(t, "java")
	s := &javaStores{t: t, dir: t.TempDir()}
	now := time.Now()
	long := func(c *x509.Certificate) { c.NotAfter = now.AddDate(5, 0, 0) }
	root := newCA(t, "root", nil, long)
	between := newCA(t, "between", &root, long)
	ca := func(c issuingCA) keystore.Certificate { return keystore.Certificate{DER: c.cert.Raw} }
	names := []string{"wso2am", "api.example.com", "*.apis.example.com", "127.0.0.1", "fd00::1"}
	ask := []string{"wso2am", "localhost", "api.example.com", "a.apis.example.com", "127.0.0.1", "fd00::1"}
	issue := func(s Spec) Identity { return mustIssueAt(t, s, now, names...) }
	var tries []handshake
	each := func(name, keystore, truststore string) {
		for _, host := range ask {
			tries = append(tries, handshake{name, keystore, truststore, host, "ok"})
		}
		tries = append(tries, handshake{name, keystore, truststore, "wso2is", "No subject alternative DNS name matching wso2is"},
			handshake{name, keystore, truststore, "127.0.0.2", "No subject alternative names matching IP address 127.0.0.2"})
	}
	for _, kind := range []KeyKind{ECDSAP256, RSA2048, RSA3072, RSA4096} {
		id := issue(Spec{Key: kind})
		each(string(kind), s.identity(id, keystore.PKCS12), s.trusting(id.Leaf()))
	}
	old, next, stranger := issue(Spec{}), issue(Spec{}), issue(Spec{})
	each("the old one of two", s.identity(old, keystore.PKCS12), s.trusting(old.Leaf(), next.Leaf()))
	each("the new one of two", s.identity(next, keystore.PKCS12), s.trusting(old.Leaf(), next.Leaf()))
	tries = append(tries, handshake{"not trusted yet", s.identity(next, keystore.PKCS12), s.trusting(old.Leaf()), "wso2am", "PKIX"},
		handshake{"a stranger", s.identity(stranger, keystore.PKCS12), s.trusting(ca(root)), "wso2am", "PKIX"})

	byRoot, byBetween := issue(root.spec(t)), issue(between.spec(t))
	each("by a CA", s.identity(byRoot, keystore.PKCS12), s.trusting(ca(root)))
	each("by a CA, trusted itself", s.identity(byRoot, keystore.PKCS12), s.trusting(byRoot.Leaf()))
	each("by an intermediate CA", s.identity(byBetween, keystore.PKCS12), s.trusting(ca(root)))
	each("by an intermediate CA, which alone is trusted", s.identity(byBetween, keystore.JKS), s.trusting(ca(between)))
	files, err := FromPEM(certPEM(ca(between).DER, byBetween.Leaf().DER), keyPEM(t, "EC PRIVATE KEY", byBetween.key), root.certPEM)
	if err != nil {
		t.Fatal(err)
	}
	each("from files", s.identity(files, keystore.PKCS12), s.trusting(ca(root)))
	tries = append(tries, handshake{"by another CA", s.identity(byRoot, keystore.PKCS12), s.trusting(ca(newCA(t, "root", nil, long))), "wso2am", "PKIX"})

	// What trust.Expiring says of certificates that have expired, or are not valid yet.
	for _, days := range []int{-400, 400} {
		wrong := mustIssueAt(t, Spec{}, now.AddDate(0, 0, days), names...)
		each("pinned, whatever the date", s.identity(wrong, keystore.PKCS12), s.trusting(wrong.Leaf()))
		byCA := mustIssueAt(t, root.spec(t), now.AddDate(0, 0, days), names...)
		tries = append(tries, handshake{"by a CA, with a wrong date", s.identity(byCA, keystore.PKCS12), s.trusting(ca(root)), "wso2am", "PKIX"})
	}
	runHandshakes(t, java, tries)
}

func runHandshakes(t *testing.T, java string, tries []handshake) {
	t.Helper()
	args := []string{"-Duser.language=en", "testdata/Handshakes.java", password}
	protocols := []string{"TLSv1.2", "TLSv1.3"}
	for _, h := range tries {
		for _, protocol := range protocols {
			args = append(args, h.keystore, h.truststore, h.host, protocol)
		}
	}
	cmd := exec.Command(java, args...)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != len(tries)*len(protocols) {
		t.Fatalf("java: %v, %d answers to %d questions\n%s", err, len(lines), len(tries)*len(protocols), stderr.String())
	}
	for i, line := range lines {
		h := tries[i/len(protocols)]
		if !strings.Contains(line, h.want) || h.want == "ok" && line != "ok" {
			t.Errorf("%s, as %s, in %s: Java says %q, want %q", h.name, h.host, protocols[i%len(protocols)], line, h.want)
		}
	}
	t.Logf("%d handshakes", len(lines))
}

func TestKeytoolReadsTheStoreOfEachKindOfKey(t *testing.T) {
	keytool := testenv.Command(t, "keytool")
	s := &javaStores{t: t, dir: t.TempDir()}
	for kind, want := range map[KeyKind]string{
		ECDSAP256: "256-bit EC", RSA2048: "2048-bit RSA", RSA3072: "3072-bit RSA", RSA4096: "4096-bit RSA",
	} {
		id := mustIssue(t, Spec{Key: kind}, "wso2am", "10.0.0.7")
		cmd := exec.Command(keytool, "-J-Duser.language=en", "-list", "-v", "-keystore", s.identity(id, keystore.PKCS12), "-storepass", password)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("keytool: %v\n%s", err, out)
		}
		for _, part := range []string{"Alias name: tls\n", "PrivateKeyEntry", want, id.Leaf().Fingerprint().String(), "DNSName: wso2am",
			"DNSName: localhost", "IPAddress: 10.0.0.7", "serverAuth", "clientAuth", "SubjectKeyIdentifier", "AuthorityKeyIdentifier", "Owner: CN=wso2am"} {
			if !strings.Contains(string(out), part) {
				t.Errorf("%s: keytool's list lacks %q:\n%s", kind, part, out)
			}
		}
	}
}

// TestJavaAcceptsTheExpiredCertificateThatISShips: package trust says so of a certificate that is trusted as it is.
func TestJavaAcceptsTheExpiredCertificateThatISShips(t *testing.T) {
	data, err := os.ReadFile(filepath.Join(testenv.Shared(t, "keystores"), "is-7.1.0/wso2carbon.p12"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := FromKeystore(data, password, "")
	if err != nil {
		t.Fatal(err)
	}
	if !time.Now().After(id.Certificate().NotAfter) {
		t.Fatal("it has not expired")
	}
	s := &javaStores{t: t, dir: t.TempDir()}
	runHandshakes(t, testenv.Command(t, "java"), []handshake{{"as shipped", s.put(data), s.trusting(id.Leaf()), "localhost", "ok"}})
}
