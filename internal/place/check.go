package place

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// checks are the conditions that a TLS keystore must meet before a running server gets it. A server that loads a key with the certificate of
// another key fails every handshake from then on.
type checks struct {
	password    string // of the store and of the key
	name        string // of the server, which its peers look for in the certificate; empty if it is not known
	certificate string // the fingerprint that the leaf must have; empty for any
}

// read returns the bytes of a good keystore. If somebody is writing the file, it reads the file again.
func (c checks) read(ctx context.Context, path string) ([]byte, error) {
	data, err := file.ReadStable(ctx, path, fileLimit, func(data []byte) error { return c.check(data, time.Now()) })
	if err != nil {
		return nil, fmt.Errorf("check the TLS keystore %w", err)
	}
	return data, nil
}

// check returns why a server cannot present the identity in a keystore. Errors name the reason and the remedy.
func (c checks) check(data []byte, now time.Time) error {
	id, err := identity.FromKeystore(data, c.password, identity.Alias)
	switch {
	case errors.Is(err, keystore.ErrPassword):
		return remedy.Add(fmt.Errorf("the running server has another password for it: %w", err), "restart the server, which then reads its deployment.toml again")
	case err != nil:
		return remedy.Add(err, "put a good keystore there, or request a new certificate with agent certs rotate")
	}
	if err := signs(data, c.password, id.Certificate()); err != nil {
		return remedy.Add(err, "put a keystore with the key of the certificate there, or request a new certificate with agent certs rotate")
	}
	if err := inOrder(id.Chain, now); err != nil {
		return err
	}
	if c.name != "" && len(id.Missing([]string{c.name})) > 0 {
		return remedy.Add(fmt.Errorf("its certificate %s does not have the name %s", id.Leaf().Fingerprint().Short(), c.name),
			"request a new certificate with agent certs rotate, or have it issued for this name")
	}
	if leaf := id.Leaf().Fingerprint().String(); c.certificate != "" && leaf != c.certificate {
		return remedy.Add(fmt.Errorf("its certificate is %s, and the sidecar requested %s", leaf, c.certificate), "wait until the sidecar requests the other one")
	}
	return nil
}

// signs makes a signature with the key of the keystore, and verifies it with the certificate, as a handshake does.
func signs(data []byte, password string, leaf *x509.Certificate) error {
	store, err := keystore.Open(data, password)
	if err != nil {
		return err
	}
	key, err := store.PrivateKey(identity.Alias, password)
	if err != nil {
		return err
	}
	return fits(key, leaf)
}

func fits(key crypto.Signer, leaf *x509.Certificate) error {
	message := []byte("agent exec checks that the key fits the certificate")
	digest, options := message, crypto.SignerOpts(crypto.Hash(0))
	algorithm := x509.PureEd25519
	switch leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		algorithm = x509.SHA256WithRSA
	case *ecdsa.PublicKey:
		algorithm = x509.ECDSAWithSHA256
	case ed25519.PublicKey:
	default:
		return fmt.Errorf("its certificate has a key of type %T, which cannot sign", leaf.PublicKey)
	}
	if algorithm != x509.PureEd25519 {
		sum := sha256.Sum256(message)
		digest, options = sum[:], crypto.SHA256
	}
	signature, err := key.Sign(rand.Reader, digest, options)
	if err == nil {
		err = leaf.CheckSignature(algorithm, message, signature)
	}
	if err != nil {
		return fmt.Errorf("its key does not fit its certificate %s: %w", leaf.Subject, err)
	}
	return nil
}

// inOrder checks that each certificate of a chain is valid now, and that the next one is its issuer.
func inOrder(chain []keystore.Certificate, now time.Time) error {
	const again = "have the certificate issued again"
	certificates := make([]*x509.Certificate, len(chain))
	for i, raw := range chain {
		c, err := raw.Parse()
		if err != nil {
			return remedy.Add(fmt.Errorf("certificate %d of its chain cannot be read: %w", i+1, err), again)
		}
		switch {
		case now.Before(c.NotBefore):
			return remedy.Add(fmt.Errorf("certificate %d of its chain, %s, is valid only from %s on", i+1, c.Subject, c.NotBefore.Format(time.RFC3339)),
				"correct the clock of this machine, or wait")
		case now.After(c.NotAfter):
			return remedy.Add(fmt.Errorf("certificate %d of its chain, %s, expired at %s", i+1, c.Subject, c.NotAfter.Format(time.RFC3339)), again)
		case slices.ContainsFunc(certificates[:i], c.Equal):
			return remedy.Add(fmt.Errorf("certificate %d of its chain, %s, is in the chain twice", i+1, c.Subject), again)
		case i > 0 && !(javacert.MaySign(c) && javacert.Signed(certificates[i-1], c)):
			return remedy.Add(fmt.Errorf("certificate %d of its chain, %s, has not signed the one before it, %s", i+1, c.Subject, certificates[i-1].Subject),
				"put the leaf first, then the issuer of each certificate")
		}
		certificates[i] = c
	}
	return nil
}
