package identity

import (
	"crypto"
	"crypto/x509"
	"fmt"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// CA is a certificate authority with its key, which signs the certificates that the agent issues.
type CA struct{ own Identity }

// ReadCA reads the CA from the files that TLS_CA_CERT_FILE and TLS_CA_KEY_FILE name. It returns nil if both names are empty.
// Errors are those of ParseCA, or say which file cannot be read.
func ReadCA(certFile, keyFile string) (*CA, error) {
	if certFile == "" && keyFile == "" {
		return nil, nil
	}
	cert, err := file.Read(certFile, fileLimit)
	if err != nil {
		return nil, fmt.Errorf("read the CA of TLS_CA_CERT_FILE: %w", err)
	}
	key, err := file.Read(keyFile, fileLimit)
	if err != nil {
		return nil, fmt.Errorf("read the CA's key of TLS_CA_KEY_FILE: %w", err)
	}
	return ParseCA(cert, key)
}

// ParseCA makes a CA of the content of its two files: the certificate, with its own issuers in any order, and its key.
// Errors name the setting and the remedy. They wrap file.ErrBeingWritten if a file ends too soon or the key belongs to another
// certificate.
func ParseCA(cert, key []byte) (*CA, error) {
	ca, err := parseCA(cert, key)
	if err != nil {
		return nil, fmt.Errorf("read the issuing CA: %w", err)
	}
	return ca, nil
}

func parseCA(cert, key []byte) (*CA, error) {
	const certFile, keyFile = "TLS_CA_CERT_FILE", "TLS_CA_KEY_FILE"
	signer, err := parseKey(keyFile, key)
	if err != nil {
		return nil, err
	}
	certs, err := parseChain(certFile, cert, keystore.PEM{Max: maxCertificates})
	if err != nil {
		return nil, err
	}
	chain, left := assemble(signer, certs, nil)
	switch {
	case chain == nil:
		return nil, remedy.Add(fmt.Errorf("%s holds the key of none of the certificates in %s (%w?)", keyFile, certFile, file.ErrBeingWritten),
			"put a key and its certificate there")
	case len(left) > 0:
		return nil, remedy.Add(fmt.Errorf("%s holds %s, which is none of the CA's issuers", certFile, left[0].Subject), "remove it")
	case !javacert.MaySign(chain[0]):
		return nil, remedy.Add(fmt.Errorf("%s is not a CA certificate, or may not sign others (basic constraints, key usage)", chain[0].Subject),
			"set another one in %s", certFile)
	}
	return &CA{newIdentity(signer, chain)}, nil
}

// Certificate returns the certificate of the CA.
func (ca CA) Certificate() keystore.Certificate { return ca.own.Leaf() }

// sign makes the CA issue a certificate for key.
func (ca CA) sign(template *x509.Certificate, key crypto.Signer, now time.Time) (Identity, error) {
	issuer, end := ca.own.leaf, ca.own.end()
	switch {
	case !now.Before(end):
		return Identity{}, remedy.Add(fmt.Errorf("the CA %s, or its issuer, expired on %s", issuer.Subject, end.UTC().Format(time.DateOnly)), "renew it (TLS_CA_CERT_FILE)")
	case now.Before(issuer.NotBefore):
		return Identity{}, remedy.Add(fmt.Errorf("the CA %s is not valid before %s", issuer.Subject, issuer.NotBefore.UTC().Format(time.RFC3339)),
			"check the clock of this machine")
	case issuer.Subject.String() == template.Subject.String():
		return Identity{}, remedy.Add(fmt.Errorf("the CA has the same name as the server, %s, so the certificate would look self-signed", issuer.Subject), "rename one of them")
	}
	if end.Before(template.NotAfter) {
		template.NotAfter = end
	}
	if issuer.NotBefore.After(template.NotBefore) {
		template.NotBefore = issuer.NotBefore
	}
	leaf, err := create(template, issuer, key, ca.own.key)
	if err != nil {
		return Identity{}, err
	}
	// A client refuses what the CA is not allowed to issue: names outside its constraints, or certificates for TLS.
	roots := x509.NewCertPool()
	roots.AddCert(issuer)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		return Identity{}, remedy.Add(fmt.Errorf("the CA %s may not issue it: %w", issuer.Subject, err),
			"remove the name from TLS_NAMES, or use another CA")
	}
	id := newIdentity(key, []*x509.Certificate{leaf})
	id.Chain = append(id.Chain, ca.own.Chain...)
	return id, nil
}
