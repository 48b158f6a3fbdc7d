//go:debug rsa1024min=0

package identity

import (
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
	"slices"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

const password = "wso2carbon"

// day is the time at which the tests issue certificates and judge them.
func day() time.Time { return time.Unix(1_800_000_000, 0) }

// plainStore makes a store that is not encrypted, so that tests can change its bytes.
func plainStore(t *testing.T, format keystore.Format) *keystore.Store {
	t.Helper()
	store, err := keystore.New(keystore.Options{Format: format, Password: password, MAC: keystore.NoMAC, Certificates: keystore.Clear, KeyRounds: 1})
	if err != nil {
		t.Fatal(err)
	}
	return store
}

func encode(t *testing.T, store *keystore.Store) []byte {
	t.Helper()
	data, err := store.Encode()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// template is a certificate without a fault.
func template(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Unix(1_700_000_000, 0), NotAfter: day().AddDate(1, 0, 0)}
}

// sign makes a certificate of a template. It is self-signed if there is no issuer.
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

// keyPair is a key whose certificates have the same size for every name of the same length.
func keyPair(t *testing.T, c *x509.Certificate) (ed25519.PrivateKey, keystore.Certificate) {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key, sign(t, c, key, nil, nil)
}

func mustParse(t *testing.T, c keystore.Certificate) *x509.Certificate {
	t.Helper()
	parsed, err := c.Parse()
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

func certPEM(ders ...[]byte) (out []byte) {
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

// keyPEM writes a key under a label, in the form that the label stands for.
func keyPEM(t testing.TB, label string, key crypto.Signer) []byte {
	t.Helper()
	var der []byte
	var err error
	switch label {
	case "RSA PRIVATE KEY":
		der = x509.MarshalPKCS1PrivateKey(key.(*rsa.PrivateKey))
	case "EC PRIVATE KEY":
		der, err = x509.MarshalECPrivateKey(key.(*ecdsa.PrivateKey))
	default:
		der, err = x509.MarshalPKCS8PrivateKey(key)
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: label, Bytes: der})
}

// issuingCA is a CA with its key in PKCS#8.
type issuingCA struct {
	cert      *x509.Certificate
	key       crypto.Signer
	certPEM   []byte
	keyPEM    []byte
	signedPEM []byte // certPEM and those of its issuers
}

// newCA makes a CA that is valid around day. issuer signs it; nil for a root. change may alter its template.
func newCA(t testing.TB, name string, issuer *issuingCA, change func(*x509.Certificate)) issuingCA {
	t.Helper()
	c := template(name)
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.SubjectKeyId = true, true, x509.KeyUsageCertSign, []byte(name)
	c.NotAfter = day().AddDate(10, 0, 0)
	if change != nil {
		change(c)
	}
	key, err := generate(ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	parent, by := c, key
	if issuer != nil {
		parent, by = issuer.cert, issuer.key
	}
	ca := issuingCA{key: key}
	if ca.cert, err = create(c, parent, key, by); err != nil {
		t.Fatal(err)
	}
	ca.certPEM, ca.keyPEM = certPEM(ca.cert.Raw), keyPEM(t, "PRIVATE KEY", key)
	ca.signedPEM = ca.certPEM
	if issuer != nil {
		ca.signedPEM = slices.Concat(ca.certPEM, issuer.signedPEM)
	}
	return ca
}

// spec has a CA sign the certificate.
func (ca issuingCA) spec(t testing.TB) Spec {
	t.Helper()
	parsed, err := ParseCA(ca.signedPEM, ca.keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return Spec{CA: parsed}
}

// mustIssue issues an identity on day, for other names than those of s if there are any.
func mustIssue(t testing.TB, s Spec, names ...string) Identity {
	t.Helper()
	return mustIssueAt(t, s, day(), names...)
}

func mustIssueAt(t testing.TB, s Spec, now time.Time, names ...string) Identity {
	t.Helper()
	s.Names = names
	id, err := Issue(s, now, 0)
	if err != nil {
		t.Fatal(err)
	}
	return id
}
