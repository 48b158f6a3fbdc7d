package up

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/plan"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

// handshakeTimeout bounds the connection and the handshake that show a certificate.
const handshakeTimeout = 10 * time.Second

// defaultPort is the port of the REST APIs of both servers.
const defaultPort = "9443"

// CheckURL returns the mistake in the address of a server.
func CheckURL(text string) error {
	_, err := addressOf(text)
	return err
}

// addressOf returns host:port of the address of a server. The mistake does not repeat the address, which may have a password in it.
func addressOf(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Path != "" && u.Path != "/" {
		return "", errors.New("it must be like https://localhost:9443, without a path")
	}
	if u.Port() == "" {
		return net.JoinHostPort(u.Hostname(), defaultPort), nil
	}
	return u.Host, nil
}

// loopback reports whether a host is this machine.
func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// onThisMachine reports whether the address of a server is of this machine.
func onThisMachine(address string) bool {
	u, err := url.Parse(address)
	return err == nil && loopback(u.Hostname())
}

// shipped reports whether a certificate is like those that WSO2 ships in wso2carbon.p12 (IS 7.1.0) and wso2carbon.jks (API-M 4.5.0). All
// servers of a version have its key, and everybody can download it. The subject finds those of other versions too; a certificate of somebody
// else with this subject only costs a question.
func shipped(c keystore.Certificate) bool {
	parsed, err := c.Parse()
	return err == nil && parsed.Subject.CommonName == "localhost" && slices.Contains(parsed.Subject.Organization, "WSO2")
}

// errSeen ends a handshake once it has shown a certificate.
var errSeen = errors.New("the certificate is seen")

// Presented returns the certificate that the server at address (host:port) presents. It verifies nothing, and so it sends nothing: it ends
// the handshake as soon as it has the certificate.
func Presented(ctx context.Context, address string) (c keystore.Certificate, err error) {
	ctx, cancel := context.WithTimeout(ctx, handshakeTimeout)
	defer cancel()
	dialer := tls.Dialer{NetDialer: &net.Dialer{}, Config: &tls.Config{
		InsecureSkipVerify: true, // VerifyConnection refuses every connection
		MinVersion:         tls.VersionTLS12,
		VerifyConnection: func(state tls.ConnectionState) error {
			if len(state.PeerCertificates) == 0 {
				return errors.New("the server presents no certificate")
			}
			c = keystore.Certificate{DER: slices.Clone(state.PeerCertificates[0].Raw)}
			return errSeen
		},
	}}
	conn, err := dialer.DialContext(ctx, "tcp", address)
	if err == nil { // cannot be: the handshake fails
		conn.Close()
	}
	if errors.Is(err, errSeen) {
		return c, nil
	}
	return c, fmt.Errorf("read the certificate of the server at %s: %w", address, err)
}

// ErrNobody says that there is nobody to answer a question.
var ErrNobody = errors.New("there is no terminal on which somebody can answer")

// Shown is a certificate that a person is asked about.
type Shown struct {
	Server      string // IS or API-M
	Product     string
	URL         string
	Subject     string
	Names       []string // for which the certificate is valid
	Expires     time.Time
	Fingerprint keystore.Fingerprint
	Shipped     bool // WSO2 ships it, so everybody has its key
}

// identify makes sure that the certificate of each server is that server's: its keystore has it, a pin names it, or a person says so.
func (o Options) identify(is, am side) error {
	var ask []Shown
	for _, s := range []side{is, am} {
		unknown, err := Identify(s.Side, o.Pins[s.Product])
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrPermanent, s.title(), err)
		}
		if _, err := (trust.PeerPins{s.name(): o.Pins[s.Product]}).WithoutCAs(s.name(), []keystore.Certificate{s.Certificate}); err != nil {
			return fmt.Errorf("%w: %w", ErrPermanent, err)
		}
		if unknown {
			ask = append(ask, shown(s))
		} else {
			o.say("%s: certificate %s: %s", s.title(), short(s.Certificate.Fingerprint().String()), proof(s))
		}
	}
	if len(ask) == 0 {
		return nil
	}
	err := o.Confirm(ask)
	if !errors.Is(err, ErrNobody) {
		return err
	}
	err = fmt.Errorf("a person must confirm that the server at %s is the right one, and %w", ask[0].URL, err)
	for _, a := range ask {
		if a.Shipped {
			err = remedy.Add(err, "give %s a key of its own, because everybody has the one that WSO2 ships; or use the port that its container publishes on this machine; or, if you trust the network, add --pin %s=%s", a.Server, a.Product, a.Fingerprint)
			continue
		}
		err = remedy.Add(err, "compare the certificate of %s (%s, until %s) with its keystore, and add --pin %s=%s", a.Server, plan.Escaped(a.Subject), a.Expires.UTC().Format(time.DateOnly), a.Product, a.Fingerprint)
	}
	return err
}

func proof(s side) string {
	if s.Editable && (s.Near || !shipped(s.Certificate)) {
		return "its keystore has it, in " + s.place.String()
	}
	return "pinned"
}

func shown(s side) Shown {
	a := Shown{Server: s.title(), Product: s.Product, URL: s.Target.URL, Fingerprint: s.Certificate.Fingerprint(), Shipped: shipped(s.Certificate)}
	if c, err := s.Certificate.Parse(); err == nil {
		a.Subject, a.Expires, a.Names = c.Subject.String(), c.NotAfter, c.DNSNames
		for _, ip := range c.IPAddresses {
			a.Names = append(a.Names, ip.String())
		}
	}
	return a
}

// Identify reports whether a person must say that the certificate is that of the server. A keystore does not show it if it has a
// certificate that WSO2 ships, unless the server must be the one of these files anyway. An error says that it cannot be.
func Identify(s Side, pins []keystore.Fingerprint) (unknown bool, err error) {
	is := s.Certificate.Fingerprint()
	switch {
	case s.Editable && s.Shown.Fingerprint() != is:
		return false, remedy.Add(fmt.Errorf("the server at %s presents the certificate %s, and its keystore has %s", s.URL, s.Shown.Fingerprint(), is),
			"correct the address or the name of the container; if the keystore is new, restart the server first")
	case len(pins) > 0 && !slices.Contains(pins, is):
		return false, remedy.Add(fmt.Errorf("its certificate is %s, which is not pinned", is), "correct --pin, or look who answers at %s", s.URL)
	}
	shows := s.Editable && (s.Near || !shipped(s.Certificate))
	return !shows && len(pins) == 0, nil
}
