package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/javacert"
)

// Files of a TLS identity as a Secret of type kubernetes.io/tls has them.
const (
	TLSCertFile = "tls.crt" // the certificate, its issuers behind it
	TLSKeyFile  = "tls.key"
	TLSCAFile   = "ca.crt" // may be missing
)

// Bounds of what is read as PEM.
const (
	maxPEM      = 64 << 10 // bytes of one file
	maxChainPEM = 32       // certificates in one file
	minRSATLS   = 2048     // bits of an RSA key; clients refuse less
)

// FromPEM makes an identity of the content of tls.crt, tls.key and ca.crt, of which the last may be empty. The key may be
// in PKCS#1, PKCS#8 or SEC 1, the certificates in any order that can be sorted. Of ca.crt only the issuers of the leaf are
// taken; it may be a bundle.
//
// Errors name the file, the reason and the remedy, and never show a key. They wrap ErrBeingWritten where a file ends too
// soon or the key is that of another certificate: read all three again.
func FromPEM(cert, key, ca []byte) (Identity, error) {
	signer, err := parseKey(TLSKeyFile, key)
	if err != nil {
		return Identity{}, fmt.Errorf("read the TLS identity: %w", err)
	}
	certs, err := parseChain(TLSCertFile, cert)
	if err == nil {
		err = checkAll(TLSCertFile, certs)
	}
	if err != nil {
		return Identity{}, fmt.Errorf("read the TLS identity: %w", err)
	}
	var known []*x509.Certificate
	if len(bytes.TrimSpace(ca)) > 0 {
		if known, err = parseChain(TLSCAFile, ca); err != nil {
			return Identity{}, fmt.Errorf("read the TLS identity: %w", err)
		}
	}
	chain, left := assemble(signer, certs, known)
	switch refused := refusedIssuer(chain, known); {
	case refused != nil:
		return Identity{}, fmt.Errorf("read the TLS identity: %w", checkAll(TLSCAFile, []*x509.Certificate{refused}))
	case chain == nil:
		return Identity{}, fmt.Errorf("read the TLS identity: %s is not the key of %s, whose certificate is %s (%w?); if it stays so, put the two that belong together there",
			TLSKeyFile, TLSCertFile, certs[0].Subject, ErrBeingWritten)
	case len(left) > 0:
		return Identity{}, fmt.Errorf("read the TLS identity: in %s %s has signed none of the others; take it out, or put what is between them in", TLSCertFile, left[0].Subject)
	case !servesTLS(chain[0]):
		return Identity{}, fmt.Errorf("read the TLS identity: the certificate %s in %s is not for servers (extended key usage); have it issued with server auth", chain[0].Subject, TLSCertFile)
	}
	return newIdentity(signer, chain), nil
}

// checkAll returns an error unless Java reads all of them. It begins with what, the file's name.
func checkAll(what string, certs []*x509.Certificate) error {
	for _, c := range certs {
		if err := javacert.Check(c.Raw); err != nil {
			return fmt.Errorf("%s holds a %w", what, err)
		}
	}
	return nil
}

// refusedIssuer is the one of known that has the name of the issuer that the chain lacks, and that Java does not read; nil if
// there is none. Others like it in a bundle are in nobody's way.
func refusedIssuer(chain, known []*x509.Certificate) *x509.Certificate {
	if len(chain) == 0 {
		return nil
	}
	last := chain[len(chain)-1]
	for _, c := range known {
		if !bytes.Equal(last.RawIssuer, last.RawSubject) && bytes.Equal(last.RawIssuer, c.RawSubject) && javacert.Check(c.Raw) != nil {
			return c
		}
	}
	return nil
}

// servesTLS tells whether clients accept the certificate from a server.
func servesTLS(c *x509.Certificate) bool {
	return len(c.ExtKeyUsage)+len(c.UnknownExtKeyUsage) == 0 ||
		slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageServerAuth) || slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageAny)
}

// pemBlocks splits a PEM file, with any text between the blocks, as openssl writes it. Errors are worded to follow the
// file's name.
func pemBlocks(data []byte) (blocks []*pem.Block, err error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return nil, fmt.Errorf("is empty (%w?)", ErrBeingWritten)
	}
	if len(data) > maxPEM {
		return nil, fmt.Errorf("has %d bytes, at most %d are read; put only what belongs to this server there", len(data), maxPEM)
	}
	begun := bytes.Count(data, []byte("-----BEGIN "))
	for {
		block, rest := pem.Decode(data)
		if block == nil {
			break
		}
		blocks, data = append(blocks, block), rest
	}
	switch {
	case begun == 0:
		return nil, errors.New("is no PEM; convert it with openssl")
	case len(blocks) != begun: // the decoder passes over what it cannot read
		return nil, fmt.Errorf("is cut off, or damaged (%w?); if it stays so, write it again", ErrBeingWritten)
	}
	return blocks, nil
}

// parseChain reads certificates and nothing else. Errors begin with what, the file's name.
func parseChain(what string, data []byte) (certs []*x509.Certificate, err error) {
	blocks, err := pemBlocks(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", what, err)
	}
	if len(blocks) > maxChainPEM {
		return nil, fmt.Errorf("%s holds %d certificates, at most %d are read; put only what belongs to this server there", what, len(blocks), maxChainPEM)
	}
	for _, b := range blocks {
		if b.Type != "CERTIFICATE" {
			return nil, fmt.Errorf("%s holds a %.40q, only certificates belong there; take it out", what, b.Type)
		}
		c, err := x509.ParseCertificate(b.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s holds a certificate that cannot be read: %w; have it issued anew", what, err)
		}
		certs = append(certs, c)
	}
	return certs, nil
}

// parseKey reads one private key. Errors begin with what, the file's name, and show nothing of its content.
func parseKey(what string, data []byte) (crypto.Signer, error) {
	blocks, err := pemBlocks(data)
	if err != nil {
		return nil, fmt.Errorf("%s %w", what, err)
	}
	// openssl ecparam writes the curve in front of the key, which names it, too.
	blocks = slices.DeleteFunc(blocks, func(b *pem.Block) bool { return b.Type == "EC PARAMETERS" })
	if len(blocks) != 1 || !strings.HasSuffix(blocks[0].Type, "PRIVATE KEY") {
		return nil, fmt.Errorf("%s must hold one private key and nothing else; take out the rest", what)
	}
	if blocks[0].Type == "ENCRYPTED PRIVATE KEY" || blocks[0].Headers["DEK-Info"] != "" {
		return nil, fmt.Errorf("%s holds an encrypted private key; give it without a passphrase, readable by the agent alone", what)
	}
	key, err := decodeKey(blocks[0].Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s %w", what, err)
	}
	return key, nil
}

// decodeKey goes by content, since labels are often wrong. What the library says of a key is not passed on.
func decodeKey(der []byte) (crypto.Signer, error) {
	var key any
	var err error
	if key, err = x509.ParsePKCS8PrivateKey(der); err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(der); err != nil {
			if key, err = x509.ParseECPrivateKey(der); err != nil {
				return nil, errors.New("holds no private key in PKCS#1, PKCS#8 or SEC 1; make it anew, or convert it with openssl pkcs8 -topk8 -nocrypt")
			}
		}
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSATLS {
			return nil, fmt.Errorf("holds an RSA key of %d bits, less than %d; make a longer one", k.N.BitLen(), minRSATLS)
		}
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P224() {
			return nil, errors.New("holds a key on the curve P-224, which Java's TLS does not have; make one on P-256")
		}
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, errors.New("holds a key that cannot sign; make one for RSA or ECDSA")
}
