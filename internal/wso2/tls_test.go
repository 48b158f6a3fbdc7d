package wso2

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// pins is what peers have published, by address.
type pins map[string][]keystore.Fingerprint

func (p pins) Pinned(address string) ([]keystore.Fingerprint, bool, error) {
	fps, peer := p[address]
	return fps, peer, nil
}

// identity is a certificate and its key.
type identity struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (i identity) fingerprint() keystore.Fingerprint {
	return keystore.Certificate{DER: i.cert.Raw}.Fingerprint()
}

// issue makes a certificate for 127.0.0.1 and the names, signed by issuer, or by itself where that is nil.
func issue(t *testing.T, issuer *identity, change func(*x509.Certificate)) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "test"},
		NotBefore:    time.Now().Add(-time.Hour),
		NotAfter:     time.Now().Add(time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},

		BasicConstraintsValid: true,
	}
	change(template)
	signer := identity{template, key}
	if issuer != nil {
		signer = *issuer
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer.cert, &key.PublicKey, signer.key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return identity{cert, key}
}

// serveAs starts a server that shows the identity's certificate, and returns its address.
func serveAs(t *testing.T, id identity) string {
	t.Helper()
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Write([]byte(`{"issuer":"it"}`))
	}))
	s.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{id.cert.Raw}, PrivateKey: id.key}}}
	s.Config.ErrorLog = discardLog()
	s.StartTLS()
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func expiredAndWronglyNamed(c *x509.Certificate) {
	c.NotBefore, c.NotAfter = time.Now().Add(-48*time.Hour), time.Now().Add(-24*time.Hour)
	c.IPAddresses, c.DNSNames = nil, []string{"somewhere.example"}
}

func asCA(c *x509.Certificate) { c.IsCA, c.KeyUsage = true, x509.KeyUsageCertSign }

func asIs(*x509.Certificate) {}

func discovery(hc *http.Client, address string) error {
	_, err := NewIdentity(hc, "https://"+address, Credentials{}).Discovery(context.Background())
	return err
}

func TestAPeerIsKnownByItsFingerprintAlone(t *testing.T) {
	shipped := issue(t, nil, expiredAndWronglyNamed)
	other := issue(t, nil, asIs)
	address := serveAs(t, shipped)

	t.Run("its published certificate is accepted, though expired and wrongly named", func(t *testing.T) {
		hc := NewHTTPClient(pins{address: {other.fingerprint(), shipped.fingerprint()}}, nil)
		if err := discovery(hc, address); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("another certificate is refused, and both fingerprints are told", func(t *testing.T) {
		roots := x509.NewCertPool()
		roots.AddCert(shipped.cert) // does not help: a peer is never accepted by a CA
		err := discovery(NewHTTPClient(pins{address: {other.fingerprint()}}, roots), address)
		if !errors.Is(err, ErrNotPinned) {
			t.Fatalf("got %v, want ErrNotPinned", err)
		}
		for _, want := range []string{shipped.fingerprint().String(), other.fingerprint().String(), "restarted"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("the error does not tell %q: %v", want, err)
			}
		}
		if text, hints := remedy.Split(err); len(hints) != 1 || !strings.Contains(hints[0], "must publish the new one") || strings.Contains(text, "must publish") {
			t.Errorf("%q with the hints %q", text, hints)
		}
	})
	t.Run("without a published certificate nothing is sent, and a later try may succeed", func(t *testing.T) {
		err := discovery(NewHTTPClient(pins{address: nil}, nil), address)
		if !errors.Is(err, ErrNoPinYet) || IsPermanent(err) {
			t.Fatalf("got %v (permanent: %v), want a passing ErrNoPinYet", err, IsPermanent(err))
		}
	})
}

func TestAnAddressThatIsNoPeerIsVerifiedByName(t *testing.T) {
	ca := issue(t, nil, asCA)
	roots := x509.NewCertPool()
	roots.AddCert(ca.cert)
	tests := []struct {
		name   string
		server identity
		hint   string // a part of what to do; empty: the certificate is accepted
	}{
		{"the right name, signed by the CA, is accepted", issue(t, &ca, asIs), ""},
		{"another name is refused", issue(t, &ca, func(c *x509.Certificate) {
			c.IPAddresses, c.DNSNames = nil, []string{"somewhere.example"}
		}), "TLS_CA_FILE"},
		{"an expired certificate is refused", issue(t, &ca, func(c *x509.Certificate) {
			c.NotAfter = time.Now().Add(-time.Minute)
		}), "give the server a new certificate"},
		{"a self-signed certificate is refused", issue(t, nil, asIs), "TLS_CA_FILE"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			address := serveAs(t, tt.server)
			err := discovery(NewHTTPClient(pins{"somewhere:9443": {tt.server.fingerprint()}}, roots), address)
			if (tt.hint == "") != (err == nil) {
				t.Fatalf("got %v", err)
			}
			if err == nil {
				return
			}
			if _, hints := remedy.Split(err); len(hints) != 1 || !strings.Contains(hints[0], tt.hint) {
				t.Errorf("the hints are %q, want one with %q", hints, tt.hint)
			}
		})
	}
}

func TestAPlaintextAddressIsRefusedForGood(t *testing.T) {
	called := false
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { called = true }))
	defer s.Close()
	hc := NewHTTPClient(pins{}, nil)
	_, err := NewIdentity(hc, s.URL, Credentials{User: "admin", Password: "hunter2"}).Discovery(t.Context())
	if !errors.Is(err, ErrPlaintext) || !IsPermanent(err) || called {
		t.Fatalf("got %v (server called: %v), want a permanent ErrPlaintext", err, called)
	}
}

func TestThePinsAreAskedAtEachConnection(t *testing.T) {
	id := issue(t, nil, asIs)
	address := serveAs(t, id)
	published := pins{address: nil}
	hc := NewHTTPClient(published, nil)
	if err := discovery(hc, address); !errors.Is(err, ErrNoPinYet) {
		t.Fatalf("got %v, want ErrNoPinYet", err)
	}
	published[address] = []keystore.Fingerprint{id.fingerprint()}
	if err := discovery(hc, address); err != nil {
		t.Fatalf("after the peer published its certificate: %v", err)
	}
}
