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

func TestAnECKeyInAPKCS12ServesBothPortsOfAPIManager(t *testing.T) {
	p := newPair(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "wso2am"}, DNSNames: []string{"wso2am"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: defaultPassword})
	if err == nil {
		err = store.SetKey(defaultAlias, key, []keystore.Certificate{{DER: der}}, defaultPassword, time.Now())
	}
	var encoded []byte
	if err == nil {
		encoded, err = store.Encode()
	}
	security := filepath.Join(p.amHome, securityDir)
	if err == nil {
		err = os.WriteFile(filepath.Join(security, "tls.p12"), encoded, 0o600)
	}
	if err == nil {
		err = replaceIn(filepath.Join(p.amHome, settingsFile), "[keystore.tls]\nfile_name = \"wso2carbon.jks\"\ntype = \"JKS\"",
			"[keystore.tls]\nfile_name = \"tls.p12\"\ntype = \"PKCS12\"")
	}
	if err != nil {
		t.Fatal(err)
	}
	importLeaf(t, filepath.Join(security, "tls.p12"), filepath.Join(security, "client-truststore.jks"), "wso2am")
	p.startAM()
	for _, at := range []string{p.am.URL(), p.am.GatewayURL()} {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(at, "https://"), &tls.Config{InsecureSkipVerify: true}) // what is shown is looked at, not trusted
		if err != nil {
			t.Fatal(err)
		}
		shown := conn.ConnectionState().PeerCertificates[0]
		conn.Close()
		if !bytes.Equal(shown.Raw, der) {
			t.Errorf("%s shows %s", at, shown.Subject)
		}
	}
	send(t, "GET", p.am.URL()+"/api/am/gateway/v2/server-startup-healthcheck", anonymous, nil).want(t, 200)
}
