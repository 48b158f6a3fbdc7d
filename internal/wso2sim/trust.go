package wso2sim

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// errPKIX is what a Java client says of a server that its truststore does not vouch for.
var errPKIX = errors.New("PKIX path building failed: unable to find valid certification path to requested target")

// truststore decides about servers as the JDK's default trust manager does.
type truststore struct {
	exact map[string]bool // by DER
	roots *x509.CertPool
}

func newTruststore(certs []*x509.Certificate) *truststore {
	t := &truststore{exact: map[string]bool{}, roots: x509.NewCertPool()}
	for _, c := range certs {
		t.exact[string(c.Raw)] = true
		t.roots.AddCert(c)
	}
	return t
}

// verify accepts a chain, leaf first. A leaf that stands in the truststore itself is trusted whatever its dates say
// (sun.security.validator.SimpleValidator and PKIXValidator both stop at a trusted leaf); any other needs a path to a
// certificate in it that may sign.
func (t *truststore) verify(chain []*x509.Certificate) error {
	if len(chain) == 0 {
		return fmt.Errorf("%w (the server sent no certificate)", errPKIX)
	}
	if t.exact[string(chain[0].Raw)] {
		return nil
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots: t.roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	if err != nil {
		return fmt.Errorf("%w (%s)", errPKIX, chain[0].Subject)
	}
	return nil
}

// hostnames is how a client compares the name it called with the certificate it got.
type hostnames int

const (
	allowAll        hostnames = iota // API Manager's clients: any name will do
	strictHostnames                  // IS's sender of revocation notices
)

// trusting is the TLS of an outgoing call. Go's own verification is replaced, not removed: VerifyConnection runs on
// every handshake and asks the truststore that is current then.
func trusting(current func() *truststore, names hostnames) *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // Go refuses an expired leaf that Java trusts; see VerifyConnection
		VerifyConnection: func(state tls.ConnectionState) error {
			if err := current().verify(state.PeerCertificates); err != nil {
				return err
			}
			if names == allowAll {
				return nil
			}
			leaf := state.PeerCertificates[0]
			if err := leaf.VerifyHostname(state.ServerName); err != nil {
				return fmt.Errorf("SSLPeerUnverifiedException: certificate for <%s> doesn't match any of the subject alternative names: %v",
					state.ServerName, leaf.DNSNames)
			}
			return nil
		},
	}
}

// trusts says whether the truststore has the leaf, or a path from it.
func (t *truststore) trusts(c tls.Certificate) bool {
	var chain []*x509.Certificate
	for _, der := range c.Certificate {
		parsed, err := x509.ParseCertificate(bytes.Clone(der))
		if err != nil {
			return false
		}
		chain = append(chain, parsed)
	}
	return t.verify(chain) == nil
}
