//go:build compose

package compose

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Certificates of a CA of one's own, as docs/certificates.md says.
func TestCertificatesFromFiles(t *testing.T) {
	w := newParallelWorld(t, "files")
	files := t.TempDir()
	if err := os.Chmod(files, 0o755); err != nil {
		t.Fatal(err)
	}
	example, err := os.ReadFile(filepath.Join(w.dir, "examples/api-config.yaml"))
	if err == nil {
		err = os.WriteFile(filepath.Join(files, "api-config.yaml"), example, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	w.env["FILES_DIR"], w.env["TLS_MODE"] = files, "files"
	w.env["IS_TLS_FILES_DIR"], w.env["AM_TLS_FILES_DIR"] = "/config/tls/is", "/config/tls/am"
	ca := newAuthority(t)
	w.place(files, "am", am.user, ca, "wso2am", "localhost")
	first := w.place(files, "is", "0:0", ca, "wso2is", "localhost")
	w.in("a key that the agent may not read ends up with a line that says so", func(w *world) {
		w.env["INIT_TIMEOUT"] = "5s" // of API-M's, which waits for IS's certificate
		defer delete(w.env, "INIT_TIMEOUT")
		w.upEndsAt("is-init", 1, []string{"/config/tls/is/tls.key: permission denied", "runs as 802:802"})
	})
	var made string
	w.in("they are there from the first start", func(w *world) {
		w.root(files, "chown 802:802 is/tls.key")
		w.up()
		w.works()
		w.wantStarts(1, 1)
		if !bytes.Equal(w.presented(is, ca), first) {
			w.t.Error("IS presents another certificate than the one in its files")
		}
		made = w.made()
	})
	w.in("replaced, they are announced, trusted and used, for one restart of each server", func(w *world) {
		next := w.place(files, "is", is.user, ca, "wso2is", "localhost")
		w.eventually(2*time.Minute, "IS presents the new certificate", func() bool { return bytes.Equal(w.presented(is, ca), next) })
		w.ready("wso2is", "wso2am", "is-agent", "am-agent")
		w.works()
		w.wantStarts(2, 2)
		w.wantMade(made)
	})
}

// authority is a CA that has certificates made for both servers.
type authority struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA of the company"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{key, cert}
}

// issue makes a certificate, and gives it, its key and the CA's own as the files that hold them.
func (a authority) issue(t *testing.T, names []string) (der []byte, files map[string][]byte) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: names[0]}, DNSNames: names,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	der, err = x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return der, map[string][]byte{
		"tls.crt": pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		"tls.key": pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}),
		"ca.crt":  pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw}),
	}
}

// place puts a new certificate for a server into its folder, the key for one user alone, and returns the certificate.
func (w *world) place(files, folder, user string, ca authority, names ...string) []byte {
	w.t.Helper()
	der, content := ca.issue(w.t, names)
	for _, dir := range []string{"next", folder} {
		if err := os.MkdirAll(filepath.Join(files, "tls", dir), 0o755); err != nil {
			w.t.Fatal(err)
		}
	}
	for name, data := range content {
		if err := os.WriteFile(filepath.Join(files, "tls/next", name), data, 0o600); err != nil {
			w.t.Fatal(err)
		}
	}
	owner, group, _ := strings.Cut(user, ":")
	w.root(files, "install -m 644 next/tls.crt next/ca.crt "+folder+"; install -m 600 -o "+owner+" -g "+group+" next/tls.key "+folder)
	return der
}

// root runs a command in the folder tls, as a person does with sudo.
func (w *world) root(files, command string) {
	w.t.Helper()
	w.docker("run", "--rm", "-u", "0", "-v", filepath.Join(files, "tls")+":/tls", "-w", "/tls", "--entrypoint", "sh", is.image, "-ec", command)
}

// presented is the certificate that a server shows to somebody who trusts the CA alone; nil where it is down.
func (w *world) presented(p product, ca authority) []byte {
	w.t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	_, port, _ := strings.Cut(strings.TrimSpace(w.must("port", p.service, "9443")), ":")
	conn, err := tls.DialWithDialer(&net.Dialer{Timeout: 5 * time.Second}, "tcp", "127.0.0.1:"+port, &tls.Config{RootCAs: pool, ServerName: p.service})
	if err != nil {
		return nil
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Raw
}
