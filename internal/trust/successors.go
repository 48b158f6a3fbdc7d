package trust

import (
	"context"
	"errors"
	"fmt"

	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// PublishSuccessors makes certs the certificates that the server may present after later rotations, and none that there are none.
// Peers trust them on disk at once, and the running peers after their next start. Publishing the same again changes nothing. What
// peers would refuse is not published: a certificate that Java refuses, or more than fits into a file.
func (e Exchange) PublishSuccessors(certs []keystore.Certificate) (changed bool, err error) {
	if len(certs) == 0 {
		return e.remove(successorsFile)
	}
	data, err := encodeCertificates(certs)
	if err == nil && (len(certs) > MaxCertificates || len(data) > exchangeLimit) {
		err = remedy.Add(fmt.Errorf("%d of them need %d bytes, and a peer reads %d certificates and %d bytes at most", len(certs), len(data), MaxCertificates, exchangeLimit),
			"lower TLS_SUCCESSORS, or remove names from TLS_NAMES")
	}
	if err != nil {
		return false, fmt.Errorf("publish the successors of this server: %w", err)
	}
	return e.write(successorsFile, data)
}

// Successors returns the certificates that the named server may present after later rotations; none if it has published none.
// Errors wrap ErrRefused, or say why the file cannot be read.
func (e Exchange) Successors(ctx context.Context, name string) (certs []keystore.Certificate, err error) {
	_, err = e.read(ctx, name, successorsFile, func(data []byte) error {
		certs, err = parseCertificates(data)
		return err
	})
	switch {
	case errors.Is(err, ErrNotPublished):
		return nil, nil
	case err != nil:
		return nil, err
	}
	return certs, nil
}

// BelievedSuccessors returns the certificates to trust in advance of those in a peer's statement. CAs are not among them unless
// they are pinned, and if the peer has pins, nothing is that is not pinned. asCA is TRUST=ca: then the published CA stands for all
// certificates that it signs, so there are none as soon as it is believed.
func (s Statement) BelievedSuccessors(pins PeerPins, asCA bool) (accepted []keystore.Certificate) {
	if asCA && s.CA != nil {
		if _, err := pins.Check(s.Name, []keystore.Certificate{*s.CA}); err == nil {
			return nil
		}
	}
	accepted, _ = pins.WithoutCAs(s.Name, s.Successors) // the reasons are for those who publish: nothing depends on a successor yet
	accepted, _ = pins.Check(s.Name, accepted)
	return accepted
}
