package trust

import (
	"errors"
	"fmt"
	"slices"

	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// PeerPins are the fingerprints that a person has set for a peer, by the peer's name (PEER_PINS). With pins the exchange
// volume is not believed alone: who can write there still cannot make this server trust a certificate of his.
type PeerPins map[string][]keystore.Fingerprint

// WithoutCAs returns those of the certificates, which the named peer has published, that are no CA or are pinned. Java
// takes whatever a trusted CA has signed, for any host: who publishes a CA in the place of a server's certificate makes
// more trusted than that server. A certificate of X.509 version 1 cannot say that it is no CA, and Java takes it for one (JDK,
// PKIXValidator.verifyTrustAnchor). For each other one the error, which wraps ErrRefused, tells the remedy.
func (p PeerPins) WithoutCAs(name string, certs []keystore.Certificate) (accepted []keystore.Certificate, err error) {
	var refused []error
	for _, c := range certs {
		parsed, parseErr := c.Parse()
		if parseErr == nil && (parsed.BasicConstraintsValid && parsed.IsCA || parsed.Version < 3) && !slices.Contains(p[name], c.Fingerprint()) {
			what := "CA:TRUE"
			if parsed.Version < 3 {
				what = "X.509 version 1, which Java takes for a CA"
			}
			refused = append(refused, remedy.Add(
				fmt.Errorf("%w the certificate %s that %s has published: it is a CA (%s), and this server would trust everything that it signs", ErrRefused, c.Fingerprint(), name, what),
				"give the server a certificate without CA:TRUE, or add %s=%s to PEER_PINS, or set TRUST=ca to trust CAs", name, c.Fingerprint()))
			continue
		}
		accepted = append(accepted, c)
	}
	return accepted, errors.Join(refused...)
}

// Check returns those of the certificates, which the named peer has published, that are pinned, in their order: all of
// them where the peer has no pin. For each other one the error, which wraps ErrRefused, tells the fingerprint and the
// remedy; what was accepted may be used all the same. With TRUST=ca the pin of the CA alone is enough.
func (p PeerPins) Check(name string, certs []keystore.Certificate) (accepted []keystore.Certificate, err error) {
	pins := p[name]
	if len(pins) == 0 {
		return certs, nil
	}
	var refused []error
	for _, c := range certs {
		f := c.Fingerprint()
		if slices.Contains(pins, f) {
			accepted = append(accepted, c)
			continue
		}
		refused = append(refused, remedy.Add(fmt.Errorf("%w a certificate that %s has published: its SHA-256 %s is not pinned", ErrRefused, name, f),
			"if it is the right one, add %s=%s to PEER_PINS, else look who writes on the exchange volume", name, f))
	}
	return accepted, errors.Join(refused...)
}
