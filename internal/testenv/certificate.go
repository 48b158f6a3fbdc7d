package testenv

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"
	"time"
)

func newCertificate(name string) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Unix(1_700_000_000, 0),
		NotAfter: time.Unix(1_830_000_000, 0), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// NamelessCA returns a self-signed CA certificate without a subject, and therefore without an issuer, in DER. Go reads it, Java
// does not.
func NamelessCA(t testing.TB) (der []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	c, key := newCertificate(""), newKey(t)
	c.Subject, c.DNSNames = pkix.Name{}, []string{"wso2is"}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return der, key
}

// HugeCA returns a CA certificate with an RSA key of 300,000 bits, and a leaf that claims to be signed with that key, in DER. To
// verify the signature takes seconds. key is the key of the leaf.
func HugeCA(t testing.TB) (ca, leaf []byte, key *ecdsa.PrivateKey) {
	t.Helper()
	huge := newCertificate("huge")
	n := new(big.Int).SetBit(big.NewInt(1), 300_000-1, 1)
	ca, err := x509.CreateCertificate(rand.Reader, huge, newCertificate("root"), &rsa.PublicKey{N: n, E: 65537}, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	key = newKey(t)
	server := newCertificate("wso2is")
	server.IsCA, server.BasicConstraintsValid, server.KeyUsage = false, false, 0
	leaf, err = x509.CreateCertificate(rand.Reader, server, huge, key.Public(), newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	return ca, signedWithRSA(t, leaf, 300_000), key
}

// signedWithRSA replaces the signature of a certificate by an arbitrary one of RSA, with the given number of bits.
func signedWithRSA(t testing.TB, der []byte, bits int) []byte {
	t.Helper()
	// ecdsa-with-SHA256, twice, becomes sha256WithRSAEncryption.
	was, _ := asn1.Marshal(asn1.ObjectIdentifier{1, 2, 840, 10045, 4, 3, 2})
	var fields struct {
		TBS       asn1.RawValue
		Algorithm pkix.AlgorithmIdentifier
		Signature asn1.BitString
	}
	if _, err := asn1.Unmarshal(der, &fields); err != nil {
		t.Fatal(err)
	}
	var tbs struct {
		Version   int `asn1:"explicit,tag:0"`
		Serial    *big.Int
		Algorithm pkix.AlgorithmIdentifier
		Issuer    asn1.RawValue
		Validity  asn1.RawValue
		Subject   asn1.RawValue
		Key       asn1.RawValue
		Rest      []asn1.RawValue `asn1:"explicit,optional,omitempty,tag:3"`
	}
	if _, err := asn1.Unmarshal(fields.TBS.FullBytes, &tbs); err != nil {
		t.Fatal(err)
	}
	rsaSHA256 := pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 1, 11}, Parameters: asn1.NullRawValue}
	tbs.Algorithm, fields.Algorithm = rsaSHA256, rsaSHA256
	signed, err := asn1.Marshal(tbs)
	if err != nil {
		t.Fatal(err)
	}
	fields.TBS = asn1.RawValue{FullBytes: signed}
	fields.Signature = asn1.BitString{Bytes: bytes.Repeat([]byte{0x5a}, bits/8), BitLength: bits}
	changed, err := asn1.Marshal(fields)
	if err != nil || bytes.Contains(changed, was) {
		t.Fatal(err, "the certificate is still signed with ECDSA")
	}
	return changed
}
