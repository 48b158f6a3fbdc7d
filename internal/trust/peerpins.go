package trust

import (
	"errors"
	"fmt"
	"slices"

	"wso2agent/internal/keystore"
)

// PeerPins are the fingerprints that a person has set for a peer, by the peer's name (PEER_PINS). With pins the exchange
// volume is not believed alone: who can write there still cannot make this server trust a certificate of his.
type PeerPins map[string][]keystore.Fingerprint

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
		refused = append(refused, fmt.Errorf("%w a certificate that %s has published: its SHA-256 %s is not pinned; if it is the right one, add %s=%s to PEER_PINS, else look who writes on the exchange volume",
			ErrRefused, name, f, name, f))
	}
	return accepted, errors.Join(refused...)
}
