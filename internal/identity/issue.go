package identity

import (
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/javacert"
	"wso2agent/internal/remedy"
)

// localhost is a name in every issued certificate: servers and their health checks call themselves by it.
const localhost = "localhost"

// skew is how long before now a certificate begins to be valid, for peers whose clock is late.
const skew = 5 * time.Minute

// Bounds of an issued certificate.
const (
	maxSANs       = 100 // so that several certificates fit into one published file
	maxCommonName = 64  // characters (RFC 5280 appendix A.1, ub-common-name)
)

// Year is the validity of a certificate if nobody sets another one.
const Year = 365 * 24 * time.Hour

// Spec describes the identity that the agent issues for its server.
type Spec struct {
	// Names are host names, wildcards and IP addresses. The first one is the common name too. Issue adds localhost.
	Names []string
	Key   KeyKind // ECDSAP256 if empty
	// Validity is how long the certificate is valid from its issue on; Year if zero. A renewal that its peers cannot know
	// ahead restarts the server and each of its peers. A shorter life gains nothing, because the key can be rotated at any time
	// and the peers trust exactly this certificate.
	Validity time.Duration
	// RenewBefore is how long before its end the certificate is issued again.
	RenewBefore time.Duration
	CA          *CA // signs the certificate; nil for a self-signed one
}

func (s Spec) kind() KeyKind {
	if s.Key == "" {
		return ECDSAP256
	}
	return s.Key
}

// Issue generates a key and a certificate for it, which the server presents after turn further rotations: 0 for now, 1 for a
// successor that follows next. The certificate is valid from now on, because peers trust it at once. It also covers its turn: it ends
// s.Validity later for each turn, but no later than its CA.
//
// A self-signed certificate is not a CA: Java trusts a certificate that is in its truststore as it is, and a stolen key
// cannot sign other certificates for those who trust it.
//
// Errors name the setting and the remedy.
func Issue(s Spec, now time.Time, turn int) (Identity, error) {
	id, err := s.issue(now, turn)
	if err != nil {
		return Identity{}, fmt.Errorf("issue a TLS certificate: %w", err)
	}
	return id, nil
}

func (s Spec) issue(now time.Time, turn int) (Identity, error) {
	template, err := s.template(now, turn)
	if err != nil {
		return Identity{}, err
	}
	key, err := generate(s.kind())
	if err != nil {
		return Identity{}, err
	}
	if template.SubjectKeyId, err = keyID(key.Public()); err != nil {
		return Identity{}, err
	}
	if s.kind() != ECDSAP256 {
		template.KeyUsage |= x509.KeyUsageKeyEncipherment // for the RSA key exchange of TLS 1.2
	}
	if s.CA != nil {
		return s.CA.sign(template, key, now)
	}
	template.AuthorityKeyId = template.SubjectKeyId
	leaf, err := create(template, template, key, key)
	if err != nil {
		return Identity{}, err
	}
	return newIdentity(key, []*x509.Certificate{leaf}), nil
}

// template returns the certificate without what depends on its key and its CA.
func (s Spec) template(now time.Time, turn int) (*x509.Certificate, error) {
	if len(s.Names) == 0 {
		return nil, remedy.Add(errors.New("it has no name"), "set the name of the server (SERVER_NAME)")
	}
	if len(s.Names[0]) > maxCommonName {
		return nil, remedy.Add(fmt.Errorf("its first name, %q, is longer than the %d characters of a common name", s.Names[0], maxCommonName),
			"put a shorter one first")
	}
	names := withLocalhost(s.Names)
	if len(names) > maxSANs {
		return nil, remedy.Add(fmt.Errorf("it has %d names, more than %d", len(names), maxSANs), "remove some from TLS_NAMES, or use a wildcard")
	}
	validity := s.Validity
	if validity == 0 {
		validity = Year
	}
	if validity < 0 {
		return nil, remedy.Add(fmt.Errorf("its validity is %s", validity), "set TLS_VALIDITY to a time above zero")
	}
	end := now
	for range turn + 1 { // the product may be too long for a time.Duration
		end = end.Add(validity)
	}
	serial := make([]byte, 16)
	rand.Read(serial)  // never fails
	serial[15] |= 0x01 // RFC 5280 section 4.1.2.2: not zero
	c := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		Subject:      pkix.Name{CommonName: names[0]},
		NotBefore:    now.Add(-skew).UTC().Truncate(time.Second),
		NotAfter:     end.UTC().Truncate(time.Second),
		KeyUsage:     x509.KeyUsageDigitalSignature,
		// A server is also a client of its peers, which may ask it for its certificate.
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		BasicConstraintsValid: true,
	}
	for _, name := range names {
		switch ip, ok := javacert.ServerName(name); {
		case !ok:
			return nil, remedy.Add(fmt.Errorf("%q cannot be a name in it: use a host name of letters, digits, hyphens and dots, or an IP address", name),
				"correct SERVER_NAME or TLS_NAMES")
		case ip.IsValid():
			c.IPAddresses = append(c.IPAddresses, ip.AsSlice())
		default:
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	return c, nil
}

// withLocalhost returns the names of an issued certificate, without duplicates.
func withLocalhost(names []string) (all []string) {
	for _, name := range append(slices.Clone(names), localhost) {
		if !slices.ContainsFunc(all, func(other string) bool { return strings.EqualFold(other, name) }) {
			all = append(all, name)
		}
	}
	return all
}

func create(template, issuer *x509.Certificate, key, by crypto.Signer) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), by)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}
