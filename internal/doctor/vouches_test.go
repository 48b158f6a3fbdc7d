package doctor

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

// A truststore with the CA of a server needs no entry with the server's certificate.
func TestACAVouchesForWhatItHasSigned(t *testing.T) {
	made := func(name string, isCA bool, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour), IsCA: isCA, BasicConstraintsValid: true}
		if parent == nil {
			parent, signer = c, key
		}
		der, err := x509.CreateCertificate(rand.Reader, c, parent, key.Public(), signer)
		if err == nil {
			c, err = x509.ParseCertificate(der)
		}
		if err != nil {
			t.Fatal(err)
		}
		return c, key
	}
	ca, caKey := made("ca", true, nil, nil)
	leaf, leafKey := made("wso2am", false, ca, caKey)
	other, _ := made("ca", true, nil, nil) // of the same name
	below, _ := made("below", false, leaf, leafKey)
	for _, c := range []struct {
		name           string
		entry, subject *x509.Certificate
		want           bool
	}{
		{"itself", leaf, leaf, true}, {"its CA", ca, leaf, true}, {"another CA of the same name", other, leaf, false}, {"one that is no CA", leaf, below, false}, {"the certificate of its CA", leaf, ca, false},
	} {
		entry := keystore.Entry{Kind: keystore.TrustedCertificate, Chain: []keystore.Certificate{{DER: c.entry.Raw}}}
		if got := vouches(entry, keystore.Certificate{DER: c.subject.Raw}); got != c.want {
			t.Errorf("%s: %v", c.name, got)
		}
	}
	if vouches(keystore.Entry{}, keystore.Certificate{DER: leaf.Raw}) {
		t.Error("an entry without a certificate vouches")
	}
}
