package javacert_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

// stockCertificates are all certificates of a store, those of key entries too.
func stockCertificates(t testing.TB, path, password string) (ders [][]byte) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	store, err := keystore.Open(data, password)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	for _, e := range store.Entries() {
		for _, c := range e.Chain {
			ders = append(ders, c.DER)
		}
	}
	return ders
}

func productCertificates(t testing.TB) (ders [][]byte) {
	t.Helper()
	for _, name := range []string{"is-7.1.0/wso2carbon.p12", "is-7.1.0/client-truststore.p12", "apim-4.5.0/wso2carbon.jks", "apim-4.5.0/client-truststore.jks"} {
		ders = append(ders, stockCertificates(t, testenv.Shared(t, "keystores", name), "wso2carbon")...)
	}
	return ders
}

// javaCAs are the public CAs that the installed Java ships.
func javaCAs(t testing.TB) [][]byte {
	t.Helper()
	java, err := filepath.EvalSymlinks(java(t))
	if err != nil {
		t.Fatal(err)
	}
	return stockCertificates(t, filepath.Join(filepath.Dir(java), "../lib/security/cacerts"), "changeit")
}

// java is the one on the PATH, or JAVA.
func java(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("JAVA"); path != "" {
		return path
	}
	return testenv.Command(t, "java")
}

// TestUsefulCertificatesAreAccepted: none is refused of those that people have.
func TestUsefulCertificatesAreAccepted(t *testing.T) {
	for name, c := range map[string]struct {
		ders  func(testing.TB) [][]byte
		least int
	}{
		"every form on the list": {func(t testing.TB) (ders [][]byte) {
			for _, c := range javacert.Corpus(t) {
				ders = append(ders, c.DER)
			}
			return ders
		}, 25},
		"the default stores of IS and API-M": {productCertificates, 500},
		"the public CAs that Java ships":     {javaCAs, 50},
		"made by openssl":                    {madeByOpenSSL, 10},
		"made by keytool":                    {madeByKeytool, 5},
	} {
		t.Run(name, func(t *testing.T) {
			ders := c.ders(t)
			refused := 0
			for _, der := range ders {
				if err := javacert.Check(der); err != nil {
					refused++
					t.Errorf("%v\n%s", err, asPEM(der))
				}
			}
			t.Logf("%d of %d refused", refused, len(ders))
			if len(ders) < c.least {
				t.Errorf("only %d certificates", len(ders))
			}
		})
	}
}

func madeByOpenSSL(t testing.TB) (ders [][]byte) {
	openssl, dir := testenv.Command(t, "openssl"), t.TempDir()
	rsa := []string{"-newkey", "rsa:2048", "-subj", "/C=DE/O=Größe/CN=wso2is"}
	for _, args := range [][]string{
		rsa,
		{"-newkey", "rsa:3072", "-utf8", "-subj", "/emailAddress=a@example.com/DC=com/DC=example/UID=a/serialNumber=1"},
		{"-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-subj", "/CN=a"},
		{"-newkey", "rsa:2048", "-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32", "-sha384", "-subj", "/CN=a+OU=b"},
		{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-subj", "/CN=a"},
		{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384", "-sha1", "-subj", "/CN=a"},
		{"-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521", "-sha512", "-subj", "/CN=a"},
		{"-newkey", "ed25519", "-subj", "/CN=a"},
		{"-newkey", "ed448", "-subj", "/CN=a"},
		append(rsa, "-addext", "subjectAltName=DNS:a_b,DNS:*.example.com,IP:10.0.0.1,IP:fd00::1,email:a@example.com,URI:urn:a:b,otherName:1.3.6.1.4.1.311.20.2.3;UTF8:a@b,RID:1.2.3"),
		append(rsa, "-addext", "keyUsage=critical,digitalSignature,keyEncipherment", "-addext", "extendedKeyUsage=critical,serverAuth,1.2.3.4"),
		append(rsa, "-addext", "nameConstraints=critical,permitted;DNS:example.com,permitted;IP:10.0.0.0/255.0.0.0,excluded;email:.example.com"),
		append(rsa, "-addext", "certificatePolicies=1.2.3.4,2.5.29.32.0", "-addext", "policyConstraints=critical,requireExplicitPolicy:3", "-addext", "inhibitAnyPolicy=critical,2"),
		append(rsa, "-addext", "crlDistributionPoints=URI:http://a/b.crl", "-addext", "authorityInfoAccess=OCSP;URI:http://a/b", "-addext", "issuerAltName=DNS:a", "-addext", "nsComment=a", "-addext", "nsCertType=server", "-addext", "tlsfeature=status_request"),
		append(rsa, "-set_serial", "0"), append(rsa, "-set_serial", "-5"), append(rsa, "-days", "40000"),
	} {
		out := filepath.Join(dir, "cert.der")
		cmd := exec.Command(openssl, append([]string{"req", "-x509", "-nodes", "-outform", "DER", "-out", out, "-keyout", filepath.Join(dir, "key")}, args...)...)
		if log, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v: %v\n%s", args, err, log)
		}
		der, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		ders = append(ders, der)
	}
	return ders
}

func madeByKeytool(t testing.TB) [][]byte {
	keytool, store := testenv.Command(t, "keytool"), filepath.Join(t.TempDir(), "store.p12")
	for i, args := range []string{
		"-keyalg RSA", "-keyalg RSA -keysize 4096 -ext BC:critical=ca:true,pathlen:1 -ext KU:critical=keyCertSign,cRLSign", "-keyalg EC -groupname secp384r1",
		"-keyalg Ed25519", "-keyalg Ed448", "-keyalg RSA -sigalg RSASSA-PSS",
		"-keyalg EC -groupname secp256r1 -ext SAN:critical=dns:a,ip:10.0.0.1,email:a@b,uri:https://a/b -ext EKU:critical=serverAuth -ext IAN=dns:a -ext SIA=caRepository:uri:http://a",
	} {
		cmd := exec.Command(keytool, append([]string{"-genkeypair", "-keystore", store, "-storetype", "PKCS12", "-storepass", "changeit", "-alias", fmt.Sprint("a", i), "-dname", "CN=wso2is, O=Größe"}, strings.Fields(args)...)...)
		if log, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", args, err, log)
		}
	}
	return stockCertificates(t, store, "changeit")
}
