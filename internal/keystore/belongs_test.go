package keystore

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"testing"
)

func TestACertificateBelongsToTheKeyWithItsPublicKey(t *testing.T) {
	keys := map[string]crypto.Signer{}
	for name, generate := range map[string]func() (crypto.Signer, error){
		"P-256":         func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"another P-256": func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P256(), rand.Reader) },
		"P-384":         func() (crypto.Signer, error) { return ecdsa.GenerateKey(elliptic.P384(), rand.Reader) },
		"RSA":           func() (crypto.Signer, error) { return rsa.GenerateKey(rand.Reader, 2048) },
		"Ed25519":       func() (crypto.Signer, error) { _, key, err := ed25519.GenerateKey(rand.Reader); return key, err },
	} {
		key, err := generate()
		if err != nil {
			t.Fatal(err)
		}
		keys[name] = key
	}
	for name, key := range keys {
		for other, of := range keys {
			if got := Belongs(key, &x509.Certificate{PublicKey: of.Public()}); got != (name == other) {
				t.Errorf("the certificate of %s belongs to %s: %t", other, name, got)
			}
		}
	}
	if Belongs(keys["RSA"], &x509.Certificate{}) {
		t.Error("a certificate without a key belongs to one")
	}
}
