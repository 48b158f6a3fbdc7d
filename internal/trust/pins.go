package trust

import (
	"context"
	"errors"
	"net"

	"wso2agent/internal/keystore"
)

// Pins tells which certificates an address must present, by what the server there has published on the exchange
// volume. The volume is asked every time, so that a rotated certificate counts at once.
type Pins struct {
	Exchange  Exchange
	Addresses map[string]string // host:port to the name of the server there
	Names     []string          // servers that are addressed by their own name, on any port
	Peers     PeerPins          // those that a person has set count alone
	CA        bool              // a pin may be that of the CA that has signed the certificate
}

// Pinned returns the fingerprints of the certificates that the server at address (host:port) has published, with those that it may
// present after a later rotation: a switch can come at any time, and must fail no connection. peer is false for an address that
// belongs to no server of the exchange; it is true with no fingerprint while the server there has published nothing and no person has
// pinned a certificate of it.
func (p Pins) Pinned(address string) (fingerprints []keystore.Fingerprint, peer bool, err error) {
	name, ok := p.server(address)
	if !ok {
		return nil, false, nil
	}
	successors := p.successors(name) // before the certificates, as in Statement
	certs, err := p.Exchange.Certificates(context.Background(), name)
	if errors.Is(err, ErrNotPublished) {
		return p.Peers[name], true, nil
	}
	if err == nil {
		certs, err = p.accepted(name, certs)
	}
	if err != nil {
		return nil, true, err
	}
	for _, c := range append(certs, successors...) {
		fingerprints = append(fingerprints, c.Fingerprint())
	}
	return fingerprints, true, nil
}

// successors are the published successors that the pins of a person allow. A file that cannot be read has none: what the server
// presents now does not depend on it.
func (p Pins) successors(name string) []keystore.Certificate {
	certs, err := p.Exchange.Successors(context.Background(), name)
	if err != nil {
		return nil
	}
	certs, _ = p.Peers.WithoutCAs(name, certs)
	certs, _ = p.accepted(name, certs)
	return certs
}

// accepted are the published certificates that the pins of a person allow: those that are pinned themselves, and with CA
// those that a pinned CA has signed. An error says that there is none.
func (p Pins) accepted(name string, certs []keystore.Certificate) (accepted []keystore.Certificate, err error) {
	for _, c := range certs {
		_, refused := p.Peers.Check(name, []keystore.Certificate{c})
		if refused != nil && p.CA {
			if ca, ok, caErr := p.Exchange.CA(context.Background(), name, c); ok && caErr == nil {
				_, refused = p.Peers.Check(name, []keystore.Certificate{ca})
			}
		}
		if refused == nil {
			accepted = append(accepted, c)
		}
		err = errors.Join(err, refused)
	}
	if len(accepted) > 0 {
		err = nil // the import reports the others
	}
	return accepted, err
}

func (p Pins) server(address string) (name string, ok bool) {
	if name, ok := p.Addresses[address]; ok {
		return name, true
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return "", false
	}
	for _, name := range p.Names {
		if name == host {
			return name, true
		}
	}
	return "", false
}
