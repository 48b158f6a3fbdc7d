package wso2sim

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

// fast has Tomcat look every 20 ms, and the gateway at least every 120 ms.
const fast = 0.002

// reloadLine is a listener that reloads at every step of Tomcat.
const reloadLine = `<Listener className="` + reloadListenerClass + `" checkPeriod="1" daysBefore="36500"/>`

// addListener puts a line right after <Server …> of the home's template.
func addListener(t *testing.T, home, line string) {
	t.Helper()
	const server = `xmlns:svns="http://org.wso2.securevault/configuration">`
	if err := replaceIn(filepath.Join(home, catalinaTemplate), server, server+"\n    "+line); err != nil {
		t.Fatal(err)
	}
}

// shownBy is the certificate that a port presents to a new connection.
func shownBy(address string) (*x509.Certificate, error) {
	conn, err := tls.Dial("tcp", strings.TrimPrefix(address, "https://"), &tls.Config{InsecureSkipVerify: true}) // what is shown is looked at, not trusted
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0], nil
}

func mustShow(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	leaf, err := shownBy(address)
	if err != nil {
		t.Fatal(err)
	}
	return leaf
}

// eventuallyShows waits until a port presents a certificate.
func eventuallyShows(t *testing.T, address string, leaf *x509.Certificate) {
	t.Helper()
	eventually(t, address+" presents the new certificate", func() bool {
		shown, err := shownBy(address)
		return err == nil && shown.Equal(leaf)
	})
}

// made is a key store of one key for localhost.
type made struct {
	store []byte
	leaf  *x509.Certificate
}

func makeStore(t *testing.T, alias, password string) made {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: "localhost"}, DNSNames: []string{"localhost"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(300 * day),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	store, err := keystore.New(keystore.Options{
		Format: keystore.PKCS12, Password: password, MAC: keystore.NoMAC, Certificates: keystore.Clear,
	})
	if err == nil {
		err = store.SetKey(alias, key, []keystore.Certificate{{DER: der}}, password, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	data, err := store.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return made{data, leaf}
}

// makeUnfit is a key store whose key does not fit its certificate, which stands in the file in clear text.
func makeUnfit(t *testing.T) made {
	t.Helper()
	one := makeStore(t, defaultAlias, defaultPassword)
	other := makeStore(t, defaultAlias, defaultPassword)
	for len(other.leaf.Raw) != len(one.leaf.Raw) { // signatures differ in length
		other = makeStore(t, defaultAlias, defaultPassword)
	}
	return made{bytes.Replace(one.store, one.leaf.Raw, other.leaf.Raw, 1), other.leaf}
}

// place puts a file into the home as the agent does: written aside, and renamed.
func place(t *testing.T, path string, data []byte) {
	t.Helper()
	err := os.WriteFile(path+".new", data, 0o600)
	if err == nil {
		err = os.Rename(path+".new", path)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// touch gives the profiles of the gateway the present time.
func touch(t *testing.T, home string) {
	t.Helper()
	if err := os.Chtimes(filepath.Join(home, profilesFile), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
}

// tlsStore gives a home a key store for TLS alone, and returns its path; the primary one stays.
func (p *pair) tlsStore(home string) string {
	p.t.Helper()
	path := filepath.Join(home, securityDir, "tls.p12")
	place(p.t, path, makeStore(p.t, defaultAlias, defaultPassword).store)
	if home == p.amHome {
		if err := replaceIn(filepath.Join(home, settingsFile), "[keystore.tls]\nfile_name = \"wso2carbon.jks\"\ntype = \"JKS\"",
			"[keystore.tls]\nfile_name = \"tls.p12\"\ntype = \"PKCS12\""); err != nil {
			p.t.Fatal(err)
		}
		return path
	}
	p.appendSettings(home, "\n[keystore.tls]\nfile_name = \"tls.p12\"\npassword = \"wso2carbon\"\ntype = \"PKCS12\"\n")
	return path
}

// start starts one product of the pair, with fast reloads, and returns its management port.
func (p *pair) start(product string) string {
	p.t.Helper()
	p.reloadScale = fast
	if product == ProductIS {
		p.startIS()
		return p.is.URL()
	}
	p.startAM()
	return p.am.URL()
}

func (p *pair) home(product string) string {
	return map[string]string{ProductIS: p.isHome, ProductAM: p.amHome}[product]
}

func (p *pair) log(product string) *logBuffer {
	return map[string]*logBuffer{ProductIS: p.isLog, ProductAM: p.amLog}[product]
}

// logs waits until a server has logged a line once more.
func (p *pair) logs(product, line string) {
	p.t.Helper()
	before := strings.Count(p.log(product).String(), line)
	eventually(p.t, "the log has once more: "+line, func() bool { return strings.Count(p.log(product).String(), line) > before })
}

func importCert(t *testing.T, into, alias string, cert *x509.Certificate) {
	t.Helper()
	store := open(t, into)
	err := store.SetTrusted(alias, keystore.Certificate{DER: cert.Raw}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	data, err := store.Encode()
	if err != nil {
		t.Fatal(err)
	}
	place(t, into, data)
}
