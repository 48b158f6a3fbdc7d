package trust

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
)

// ErrBeingWritten: two files that belong together do not, or one of them is cut off, as happens while somebody replaces
// them. Who calls reads both again, and believes the error when nothing has changed meanwhile.
var ErrBeingWritten = errors.New("being written")

// localhost is a name of every issued certificate: servers and their health checks call themselves by it.
const localhost = "localhost"

// Identity is a private key with its certificate, as a server shows it in a TLS handshake.
type Identity struct {
	Chain []keystore.Certificate // leaf first, then each one's issuer as far as known

	key  crypto.Signer
	leaf *x509.Certificate
}

// newIdentity takes a chain, leaf first, whose leaf is that of the key.
func newIdentity(key crypto.Signer, chain []*x509.Certificate) Identity {
	id := Identity{key: key, leaf: chain[0]}
	for _, c := range chain {
		id.Chain = append(id.Chain, keystore.Certificate{DER: c.Raw})
	}
	return id
}

// Leaf is the certificate of the key.
func (i Identity) Leaf() keystore.Certificate { return i.Chain[0] }

// Certificate is the leaf, parsed.
func (i Identity) Certificate() *x509.Certificate { return i.leaf }

// Issuer is the certificate of the CA that has signed the leaf; ok is false for a self-signed leaf, and where nobody
// has given it.
func (i Identity) Issuer() (ca keystore.Certificate, ok bool) {
	if len(i.Chain) < 2 {
		return keystore.Certificate{}, false
	}
	return i.Chain[1], true
}

// Missing are those of the names, host names and IP addresses, that a client would not find in the certificate. A
// wildcard counts for the names that it covers, the common name for nothing.
func (i Identity) Missing(names []string) (missing []string) {
	for _, name := range names {
		if i.leaf.VerifyHostname(name) != nil {
			missing = append(missing, name)
		}
	}
	return missing
}

// Stale tells why an issued identity must be issued anew, worded to follow "the certificate"; empty if it need not. That
// is so when it lacks one of the names, or localhost, has another kind of key, comes from another issuer than o says, or
// expires in less than before. The last does not count when a new one could not live longer, because its CA does not:
// else it would be issued again and again. The error is that of an Issue with o.
func (i Identity) Stale(names []string, o Issuing, before time.Duration) (reason string, err error) {
	ca, err := o.ca()
	if err != nil {
		return "", err
	}
	missing := i.Missing(withLocalhost(names))
	switch kind := kindOf(i.key.Public()); {
	case len(missing) > 0:
		return "lacks " + strings.Join(missing, ", "), nil
	case kind != o.kind():
		return fmt.Sprintf("has a key of another kind than %s", o.kind()), nil
	case ca == nil && !bytes.Equal(i.leaf.RawIssuer, i.leaf.RawSubject):
		return "was signed by a CA, and none is set any more", nil
	case ca != nil && !i.follows(ca.Chain):
		return fmt.Sprintf("does not come from the CA that is set, %s", ca.leaf.Subject), nil
	case o.Now.Before(RenewAt(i.leaf, before)):
		return "", nil
	case ca != nil && !ca.end().After(i.leaf.NotAfter):
		return "", nil
	}
	return "expires on " + i.leaf.NotAfter.UTC().Format(time.DateOnly), nil
}

// follows tells whether the issuers in the chain are those of a CA.
func (i Identity) follows(ca []keystore.Certificate) bool {
	return slices.EqualFunc(i.Chain[1:], ca, func(a, b keystore.Certificate) bool { return bytes.Equal(a.DER, b.DER) })
}

// end is when the first certificate of the chain expires.
func (i Identity) end() time.Time {
	end := i.leaf.NotAfter
	for _, raw := range i.Chain {
		if c, err := raw.Parse(); err == nil && c.NotAfter.Before(end) {
			end = c.NotAfter
		}
	}
	return end
}

// RenewAt is when a certificate is to be issued anew: before ahead of its end, but never in the first half of its life,
// so that a short-lived one, as a CA close to its end gives, is not renewed as soon as it is there.
func RenewAt(leaf *x509.Certificate, before time.Duration) time.Time {
	half := leaf.NotAfter.Sub(leaf.NotBefore) / 2
	return leaf.NotAfter.Add(-min(before, half))
}

// CheckCA returns an error that wraps ErrRefused unless ca may be imported in place of leaf: it must be a CA
// certificate, allowed to sign others, and have signed leaf.
func CheckCA(leaf, ca keystore.Certificate) error {
	refuse := func(why string) error {
		return fmt.Errorf("%w the certificate %s as a CA: %s; publish the CA that has signed the leaf, or set TRUST=leaf", ErrRefused, ca.Fingerprint(), why)
	}
	l, err := leaf.Parse()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	c, err := ca.Parse()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case !mayIssue(c):
		return refuse("it is none, or may not sign certificates")
	case !signed(l, c):
		return refuse("it has not signed the leaf " + leaf.Fingerprint().String())
	}
	return nil
}

// mayIssue tells whether Java takes what c has signed (JDK, PKIXValidator.verifyTrustAnchor).
func mayIssue(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0)
}

// signed tells whether issuer has signed c. Whether it was allowed to is not asked. An issuer with a key that is too large has
// signed nothing: to verify a signature with it can take seconds.
func signed(c, issuer *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, issuer.RawSubject) && javacert.Check(issuer.Raw) == nil &&
		issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// belongs tells whether a certificate is that of a key.
func belongs(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// assemble puts a key's certificate first and behind each one its issuer, in whatever order they were given. The chain
// is empty if none is the key's. left are those of own, without doubles, that have no place in it; from known only what
// is needed is taken.
func assemble(key crypto.Signer, own, known []*x509.Certificate) (chain, left []*x509.Certificate) {
	at := slices.IndexFunc(own, func(c *x509.Certificate) bool { return belongs(key, c) })
	if at < 0 {
		return nil, own
	}
	last := own[at]
	chain = []*x509.Certificate{last}
	for !bytes.Equal(last.RawIssuer, last.RawSubject) {
		next := slices.IndexFunc(slices.Concat(own, known), func(c *x509.Certificate) bool { return !contains(chain, c) && signed(last, c) })
		if next < 0 {
			break
		}
		last = slices.Concat(own, known)[next]
		chain = append(chain, last)
	}
	for _, c := range own {
		if !contains(chain, c) && !contains(left, c) {
			left = append(left, c)
		}
	}
	return chain, left
}

func contains(list []*x509.Certificate, c *x509.Certificate) bool {
	return slices.ContainsFunc(list, c.Equal)
}

// KeyKind is a kind of TLS key that the agent makes, as in TLS_KEY.
type KeyKind string

// The kinds of keys.
const (
	ECDSAP256 KeyKind = "ecdsa-p256"
	RSA2048   KeyKind = "rsa-2048"
	RSA3072   KeyKind = "rsa-3072"
	RSA4096   KeyKind = "rsa-4096"
)

// bits are the sizes of the RSA keys among the kinds.
func (k KeyKind) bits() int {
	return map[KeyKind]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}[k]
}

// kindOf is empty for a key that the agent would not make.
func kindOf(public crypto.PublicKey) KeyKind {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return ECDSAP256
		}
	case *rsa.PublicKey:
		for _, kind := range []KeyKind{RSA2048, RSA3072, RSA4096} {
			if k.N.BitLen() == kind.bits() {
				return kind
			}
		}
	}
	return ""
}
