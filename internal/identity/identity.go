// Package identity holds the TLS identity of a server: a private key with its certificate. It issues one, reads one from PEM
// files, and keeps it in a keystore. Package rotation decides what to do next.
//
// It knows nothing of other servers: how they learn of a certificate is the business of package trust.
package identity

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"slices"
	"time"

	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
)

// Identity is a private key with its certificate, as a server presents it in a TLS handshake.
type Identity struct {
	Chain []keystore.Certificate // leaf first, then the issuer of each certificate, as far as it is known

	key  crypto.Signer
	leaf *x509.Certificate
}

// newIdentity takes a chain whose first certificate belongs to the key.
func newIdentity(key crypto.Signer, chain []*x509.Certificate) Identity {
	id := Identity{key: key, leaf: chain[0]}
	for _, c := range chain {
		id.Chain = append(id.Chain, keystore.Certificate{DER: c.Raw})
	}
	return id
}

// Leaf returns the certificate of the key.
func (i Identity) Leaf() keystore.Certificate { return i.Chain[0] }

// Certificate returns the leaf, parsed.
func (i Identity) Certificate() *x509.Certificate { return i.leaf }

// Issuer returns the certificate of the CA that has signed the leaf. ok is false for a self-signed leaf, and if the chain
// does not hold the CA.
func (i Identity) Issuer() (ca keystore.Certificate, ok bool) {
	if len(i.Chain) < 2 {
		return keystore.Certificate{}, false
	}
	return i.Chain[1], true
}

// Same reports whether a and b are there and have the same leaf.
func Same(a, b *Identity) bool {
	return a != nil && b != nil && sameCertificate(a.Leaf(), b.Leaf())
}

// SameChain reports whether i and other have the same leaf and the same issuers.
func (i Identity) SameChain(other Identity) bool {
	return slices.EqualFunc(i.Chain, other.Chain, sameCertificate)
}

func sameCertificate(a, b keystore.Certificate) bool { return bytes.Equal(a.DER, b.DER) }

// Missing returns those of the names, host names and IP addresses, that a client does not find in the certificate. A
// wildcard stands for the names that it covers. The common name does not count.
func (i Identity) Missing(names []string) (missing []string) {
	for _, name := range names {
		if i.leaf.VerifyHostname(name) != nil {
			missing = append(missing, name)
		}
	}
	return missing
}

// end returns the time at which the first certificate of the chain expires.
func (i Identity) end() time.Time {
	end := i.leaf.NotAfter
	for _, raw := range i.Chain {
		if c, err := raw.Parse(); err == nil && c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

// assemble puts the certificate of the key first, and then the issuer of each certificate. The order of own and known does
// not matter. The chain is empty if no certificate of own belongs to the key. left are the certificates of own, without
// duplicates, that have no place in the chain. From known, assemble takes only what the chain needs.
func assemble(key crypto.Signer, own, known []*x509.Certificate) (chain, left []*x509.Certificate) {
	at := slices.IndexFunc(own, func(c *x509.Certificate) bool { return keystore.Belongs(key, c) })
	if at < 0 {
		return nil, own
	}
	all := slices.Concat(own, known)
	last := own[at]
	chain = []*x509.Certificate{last}
	for !selfIssued(last) {
		next := slices.IndexFunc(all, func(c *x509.Certificate) bool { return !contains(chain, c) && javacert.Signed(last, c) })
		if next < 0 {
			break
		}
		last = all[next]
		chain = append(chain, last)
	}
	for _, c := range own {
		if !contains(chain, c) && !contains(left, c) {
			left = append(left, c)
		}
	}
	return chain, left
}

// selfIssued reports whether a certificate names itself as its issuer.
func selfIssued(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

func contains(list []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(list, c.Equal)
}
