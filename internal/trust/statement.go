package trust

import (
	"context"
	"errors"

	"wso2agent/internal/keystore"
)

// Statement is what the agent of one server has published about its certificates, what the server trusts and the turn to restart.
// What cannot be read has its zero value, and an error next to it.
type Statement struct {
	Name         string                 // of the server
	Certificates []keystore.Certificate // the one in use first
	Err          error                  // wraps ErrNotPublished if there are no certificates yet
	CA           *keystore.Certificate  // that has signed the certificate in use; nil if none is published
	CAErr        error                  // why the published CA does not count
	// Successors are the certificates that the server may present after later rotations.
	Successors    []keystore.Certificate
	SuccessorsErr error
	Trusts        Trusts
	TrustsErr     error
	Turn          Turn
	TurnErr       error
}

// Statement reads what the named server's agent has published. It reads the certificates before the successors, and an agent
// publishes them in the other order: who finds its first certificates finds its successors too. Successors stay published until
// after the switch, so no reader misses one that moves to the certificates.
func (e Exchange) Statement(ctx context.Context, name string) Statement {
	s := Statement{Name: name}
	if s.Certificates, s.Err = e.Certificates(ctx, name); s.Err == nil {
		var ca keystore.Certificate
		var ok bool
		if ca, ok, s.CAErr = e.CA(ctx, name, s.Certificates[0]); ok {
			s.CA = &ca
		}
	}
	s.Successors, s.SuccessorsErr = e.Successors(ctx, name)
	s.Trusts, s.TrustsErr = e.Trusts(ctx, name)
	s.Turn, s.TurnErr = e.Turn(ctx, name)
	return s
}

// Believed returns the certificates to trust of those in a peer's statement. If the peer has pins, they are the pinned ones, and a
// CA counts only with a pin. asCA is TRUST=ca: then it is the published CA alone. If the peer has published no CA that counts, it
// is the certificates themselves, and caErr gives the reason. err says why some or all of the certificates are refused.
func (s Statement) Believed(pins PeerPins, asCA bool) (accepted []keystore.Certificate, caErr, err error) {
	if s.Err != nil {
		return nil, nil, s.Err
	}
	certs := s.Certificates
	var isCA error
	switch {
	case !asCA:
		certs, isCA = pins.WithoutCAs(s.Name, certs)
	case s.CA != nil:
		certs = []keystore.Certificate{*s.CA}
	default:
		caErr = s.CAErr
	}
	accepted, err = pins.Check(s.Name, certs)
	return accepted, caErr, errors.Join(isCA, err)
}
