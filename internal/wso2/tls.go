package wso2

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// Bounds of one request. The first REST call after API-M's start takes 5 to 30 s, so the whole may take longer.
const (
	connectTimeout = 5 * time.Second
	tlsTimeout     = 10 * time.Second
	requestTimeout = 60 * time.Second
)

// Pins knows the certificates that peers have published.
type Pins interface {
	// Pinned returns the fingerprints of the certificates that the server at address (host:port) may show, and
	// whether that address is a peer's at all. A peer without fingerprints has published none yet.
	Pinned(address string) (fps []keystore.Fingerprint, peer bool, err error)
}

// NewHTTPClient makes the client for all requests. A peer's certificate is accepted by its fingerprint alone: the
// products' default certificates carry neither the right name nor, for IS, a date that is still valid. The certificate
// of any other address is verified by name against roots (nil: the system's). There is no third way: http:// is
// refused, redirects are not followed, proxies of the environment are not used.
func NewHTTPClient(pins Pins, roots *x509.CertPool) *http.Client {
	return newHTTPClient(pins, roots, nil)
}

func newHTTPClient(pins Pins, roots *x509.CertPool, routes map[string]string) *http.Client {
	d := dialer{pins: pins, roots: roots, routes: routes}
	return &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{
			DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
				return nil, fmt.Errorf("connect to %s: %w", address, ErrPlaintext)
			},
			DialTLSContext: d.dial,
			MaxIdleConns:   16,
			// As many as a run that applies a desired state has in flight. net/http keeps two by default, and closes the others, which
			// costs a TLS handshake for every second request.
			MaxIdleConnsPerHost: 8,
			IdleConnTimeout:     30 * time.Second,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

type dialer struct {
	pins   Pins
	roots  *x509.CertPool
	routes map[string]string // see Connection.Routes
}

// dial connects to address and verifies the server there.
func (d dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	config, err := d.config(address)
	if err != nil {
		return nil, err
	}
	raw, err := (&net.Dialer{Timeout: connectTimeout}).DialContext(ctx, network, cmp.Or(d.routes[address], address))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tlsTimeout)
	defer cancel()
	conn := tls.Client(raw, config)
	if err := conn.HandshakeContext(ctx); err != nil {
		raw.Close()
		return nil, handshakeError(address, err)
	}
	return conn, nil
}

// config is how the server at address is verified. The pins are asked at each connection, since peers rotate.
func (d dialer) config(address string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	fps, peer, err := d.pins.Pinned(address)
	if err != nil {
		return nil, fmt.Errorf("look up the certificate of %s: %w", address, err)
	}
	if !peer {
		return &tls.Config{ServerName: host, RootCAs: d.roots, MinVersion: tls.VersionTLS12}, nil
	}
	if len(fps) == 0 {
		return nil, fmt.Errorf("connect to %s: %w", address, ErrNoPinYet)
	}
	return &tls.Config{
		ServerName:         host,
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, // in place of names and dates: the fingerprint, below
		VerifyConnection:   func(state tls.ConnectionState) error { return checkPin(address, state, fps) },
	}, nil
}

// checkPin accepts a connection whose leaf certificate is one of those published.
func checkPin(address string, state tls.ConnectionState, expected []keystore.Fingerprint) error {
	if len(state.PeerCertificates) == 0 {
		return fmt.Errorf("%s showed no certificate: %w", address, ErrNotPinned)
	}
	shown := keystore.Certificate{DER: state.PeerCertificates[0].Raw}.Fingerprint()
	names := make([]string, len(expected))
	for i, fp := range expected {
		if fp == shown {
			return nil
		}
		names[i] = fp.String()
	}
	return remedy.Add(fmt.Errorf("%s shows the certificate %s, published is %s: %w", address, shown, strings.Join(names, " or "), ErrNotPinned),
		"if somebody has changed its certificate, the agent next to it must publish the new one, and the server must be restarted with it. If not, something else answers at this address")
}

// handshakeError adds what to do to a failed handshake.
func handshakeError(address string, err error) error {
	var unknown x509.UnknownAuthorityError
	var name x509.HostnameError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.Is(err, ErrNotPinned):
		return err
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired: // no CA helps; the stock certificate of IS is such a one
		return remedy.Add(fmt.Errorf("verify the certificate of %s, which is no peer: %w", address, err),
			"give the server a new certificate (TLS_MODE=issue for the agent next to it), or set EXCHANGE_DIR and PRODUCT, and the agent accepts the certificate that is published there, or pin this certificate in PEER_PINS")
	case errors.As(err, &unknown), errors.As(err, &name), errors.As(err, &invalid):
		return remedy.Add(fmt.Errorf("verify the certificate of %s, which is no peer: %w", address, err),
			"put its CA into TLS_CA_FILE, pin its certificate in PEER_PINS, or use the address of a peer")
	}
	return fmt.Errorf("TLS handshake with %s: %w", address, err)
}
