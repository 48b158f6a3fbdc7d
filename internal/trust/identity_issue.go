package trust

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

// skew is how far a certificate reaches back, for peers whose clock is late.
const skew = 5 * time.Minute

// Bounds of an issued certificate.
const (
	maxSANs       = 100 // so that some of them fit into one published file
	maxCommonName = 64  // characters (RFC 5280 appendix A.1, ub-common-name)
	maxDNSName    = 253 // characters (RFC 1035 section 2.3.4, in text)
)

// dnsForm is a host name, or a wildcard for one label of it. There is no underscore: Java sends no such name to a server
// and its URLs have no such host.
var dnsForm = regexp.MustCompile(`^(\*\.)?[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$`)

// Issuing says how a TLS identity is made.
type Issuing struct {
	Key KeyKind // ECDSAP256 if empty
	// Validity is how long the certificate lasts from Now on, a year if zero. Every renewal costs a restart of the server and
	// of each of its peers, a minute each, and a shorter life wins nothing where the key can be rotated at any time
	// and the peers trust this very certificate.
	Validity time.Duration
	// CACert and CAKey are the issuing CA in PEM, its own issuers behind it; both empty for a self-signed certificate.
	CACert, CAKey []byte
	Now           time.Time
}

// Year is the life of a certificate where nothing else is said.
const Year = 365 * 24 * time.Hour

func (o Issuing) kind() KeyKind {
	if o.Key == "" {
		return ECDSAP256
	}
	return o.Key
}

// Issue makes a new key and a certificate for names: host names, wildcards and IP addresses, of which the first is the
// common name, too; localhost is added. It lasts no longer than its CA does.
//
// A self-signed certificate is no CA: Java trusts a certificate that is in its truststore as it is, and a stolen key
// cannot sign others for who trusts it.
//
// Errors name the setting and the remedy, and wrap ErrBeingWritten where the CA's key and certificate do not belong
// together.
func Issue(names []string, o Issuing) (Identity, error) {
	ca, err := o.ca()
	if err != nil {
		return Identity{}, err
	}
	template, err := o.template(names)
	if err != nil {
		return Identity{}, fmt.Errorf("issue a TLS certificate: %w", err)
	}
	key, err := generate(o.kind())
	if err != nil {
		return Identity{}, fmt.Errorf("issue a TLS certificate: %w", err)
	}
	if template.SubjectKeyId, err = keyID(key.Public()); err != nil {
		return Identity{}, fmt.Errorf("issue a TLS certificate: %w", err)
	}
	if o.kind() != ECDSAP256 {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment // for the RSA key exchange of TLS 1.2
	}
	if ca != nil {
		return ca.sign(template, key, o.Now)
	}
	template.AuthorityKeyId = template.SubjectKeyId
	leaf, err := create(template, template, key, key)
	if err != nil {
		return Identity{}, err
	}
	return newIdentity(key, []*x509.Certificate{leaf}), nil
}

// template is the certificate without what depends on its key and its CA.
func (o Issuing) template(names []string) (*x509.Certificate, error) {
	if len(names) == 0 {
		return nil, errors.New("it has no name; give the server's (SERVER_NAME)")
	}
	if len(names[0]) > maxCommonName {
		return nil, fmt.Errorf("its first name, %q, is longer than the %d characters of a common name; put a shorter one first", names[0], maxCommonName)
	}
	names = withLocalhost(names)
	if len(names) > maxSANs {
		return nil, fmt.Errorf("%d names, at most %d fit; take some out of TLS_NAMES, or use a wildcard", len(names), maxSANs)
	}
	validity := o.Validity
	if validity == 0 {
		validity = Year
	}
	if validity < 0 {
		return nil, fmt.Errorf("it would last %s; set TLS_VALIDITY to a time above zero", validity)
	}
	serial := make([]byte, 16)
	rand.Read(serial)  // never fails
	serial[15] |= 0x01 // RFC 5280 section 4.1.2.2: not zero
	c := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: names[0]},
		NotBefore:    o.Now.Add(-skew).UTC().Truncate(time.Second),
		NotAfter:     o.Now.Add(validity).UTC().Truncate(time.Second),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		// A server is its peers' client as well, and may be asked for its certificate there.
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		if ip, err := netip.ParseAddr(name); err == nil && ip.Zone() == "" {
			c.IPAddresses = append(c.IPAddresses, ip.Unmap().AsSlice())
		} else if dnsForm.MatchString(name) && len(name) <= maxDNSName {
			c.DNSNames = append(c.DNSNames, name)
		} else {
			return nil, fmt.Errorf("%q is no name for it: a host name of letters, digits, hyphens and dots, or an IP address; correct SERVER_NAME or TLS_NAMES", name)
		}
	}
	return c, nil
}

// withLocalhost are the names of an issued certificate, without doubles.
func withLocalhost(names []string) (all []string) {
	for _, name := range append(slices.Clone(names), localhost) {
		if !slices.ContainsFunc(all, func(other string) bool { return strings.EqualFold(other, name) }) {
			all = append(all, name)
		}
	}
	return all
}

// keyID names a key as RFC 7093 section 2, method 1 has it.
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}

func generate(kind KeyKind) (crypto.Signer, error) {
	if kind == ECDSAP256 {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if bits := kind.bits(); bits > 0 {
		return rsa.GenerateKey(rand.Reader, bits)
	}
	return nil, fmt.Errorf("%q is no kind of key; set TLS_KEY to %s, %s, %s or %s", kind, ECDSAP256, RSA2048, RSA3072, RSA4096)
}

func create(template, issuer *x509.Certificate, key, by crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		return nil, fmt.Errorf("issue a TLS certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

// ca reads the issuing CA; nil if there is none.
func (o Issuing) ca() (*Identity, error) {
	if len(o.CACert) == 0 && len(o.CAKey) == 0 {
		return nil, nil
	}
	key, err := parseKey("TLS_CA_KEY_FILE", o.CAKey)
	if err != nil {
		return nil, fmt.Errorf("read the issuing CA: %w", err)
	}
	certs, err := parseChain("TLS_CA_CERT_FILE", o.CACert)
	if err == nil {
		err = checkAll("TLS_CA_CERT_FILE", certs)
	}
	if err != nil {
		return nil, fmt.Errorf("read the issuing CA: %w", err)
	}
	chain, left := assemble(key, certs, nil)
	switch {
	case chain == nil:
		return nil, fmt.Errorf("read the issuing CA: TLS_CA_KEY_FILE holds the key of none of the certificates in TLS_CA_CERT_FILE (%w?); put the two that belong together there", ErrBeingWritten)
	case len(left) > 0:
		return nil, fmt.Errorf("read the issuing CA: in TLS_CA_CERT_FILE %s is none of its issuers; take it out", left[0].Subject)
	case !mayIssue(chain[0]):
		return nil, fmt.Errorf("read the issuing CA: %s is no CA certificate, or may not sign others (basic constraints, key usage); give another in TLS_CA_CERT_FILE", chain[0].Subject)
	}
	ca := newIdentity(key, chain)
	return &ca, nil
}

// sign makes the CA issue a certificate for key.
func (i Identity) sign(template *x509.Certificate, key crypto.Signer, now time.Time) (Identity, error) {
	ca := i.leaf
	switch {
	case !now.Before(i.end()):
		return Identity{}, fmt.Errorf("issue a TLS certificate: the CA %s, or its issuer, expired on %s; renew it (TLS_CA_CERT_FILE)", ca.Subject, i.end().UTC().Format(time.DateOnly))
	case now.Before(ca.NotBefore):
		return Identity{}, fmt.Errorf("issue a TLS certificate: the CA %s is valid from %s on; look at the clock of this machine", ca.Subject, ca.NotBefore.UTC().Format(time.RFC3339))
	case ca.Subject.String() == template.Subject.String():
		return Identity{}, fmt.Errorf("issue a TLS certificate: the CA has the name of the server, %s, so it would look self-signed; give one of them another name", ca.Subject)
	}
	if i.end().Before(template.NotAfter) {
		template.NotAfter = i.end()
	}
	if ca.NotBefore.After(template.NotBefore) {
		template.NotBefore = ca.NotBefore
	}
	leaf, err := create(template, ca, key, i.key)
	if err != nil {
		return Identity{}, err
	}
	// A client would refuse what the CA is not allowed to issue: names beyond its constraints, or TLS at all.
	roots := x509.NewCertPool()
	roots.AddCert(ca)
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: now}); err != nil {
		return Identity{}, fmt.Errorf("issue a TLS certificate: the CA %s may not issue it: %w; take the name out of TLS_NAMES, or use another CA", ca.Subject, err)
	}
	id := newIdentity(key, []*x509.Certificate{leaf})
	id.Chain = append(id.Chain, i.Chain...)
	return id, nil
}
