package wso2sim

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"strconv"
	"time"
)

// CertificateFault is what is wrong with the certificate that the listeners show.
type CertificateFault string

// What can be wrong with it.
const (
	CertificateExpired CertificateFault = "expired" // the same key and names, and over since yesterday
	CertificateSwapped CertificateFault = "swapped" // another key under the same names, which nobody trusts yet
)

// SetCertificate has the listeners show another certificate in every new handshake; empty for the configured one.
func (f *Faults) SetCertificate(kind CertificateFault) error {
	if kind != "" && kind != CertificateExpired && kind != CertificateSwapped {
		return fmt.Errorf("certificate fault %q, want %q, %q or nothing", kind, CertificateExpired, CertificateSwapped)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.certificate = kind
	return nil
}

// shown is the certificate for a handshake: the configured one, unless a fault has another.
func (s *server) shown(configured func() (*tls.Certificate, error)) (*tls.Certificate, error) {
	s.faults.mu.Lock()
	kind := s.faults.certificate
	s.faults.mu.Unlock()
	if kind == "" {
		return configured()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if made, ok := s.wrongCertificates[kind]; ok {
		return made, nil
	}
	made, err := wrongCertificate(s.tls, kind)
	if err == nil {
		s.wrongCertificates[kind] = made
	}
	return made, err
}

// wrongCertificate is made after the right one.
func wrongCertificate(right tls.Certificate, kind CertificateFault) (*tls.Certificate, error) {
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()), Subject: right.Leaf.Subject, DNSNames: right.Leaf.DNSNames,
		IPAddresses: right.Leaf.IPAddresses, NotBefore: now.Add(-30 * day), NotAfter: now.Add(300 * day),
	}
	key := right.PrivateKey
	if kind == CertificateExpired {
		template.NotAfter = now.Add(-day)
	} else {
		fresh, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			return nil, fmt.Errorf("make another certificate: %w", err)
		}
		key = fresh
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("make another certificate: a key of type %T cannot sign", key)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, signer.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make another certificate: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// faulty has requests meet the faults that wait for them.
func (s *server) faulty(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if ahead := s.faults.ahead(); ahead != 0 {
			w.Header().Set("Date", time.Now().Add(ahead).UTC().Format(http.TimeFormat))
		}
		fault := s.faults.strike(r)
		if fault == nil {
			next.ServeHTTP(w, r)
			return
		}
		s.log.Info("fault", "kind", fault.Kind, "method", r.Method, "path", r.URL.Path)
		switch fault.Kind {
		case FaultDelay:
			if s.await(r, time.Duration(fault.Delay)) {
				next.ServeHTTP(w, r)
			}
		case FaultStatus:
			if fault.RetryAfter > 0 {
				w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
			}
			(&faultOf{fault.Status}).write(w)
		case FaultHang:
			s.await(r, time.Duration(fault.Delay))
			reset(w)
		case FaultHalf:
			sendHalf(w, r, next)
		case FaultReset, FaultCrash:
			if fault.After {
				next.ServeHTTP(&heldAnswer{header: http.Header{}}, r)
			}
			if fault.Kind == FaultCrash {
				s.crash()
				<-s.ctx.Done()
			}
			reset(w)
		}
	})
}

// await waits for a time, or without end if it is none, and says whether client and server are still there.
func (s *server) await(r *http.Request, d time.Duration) bool {
	var over <-chan time.Time
	if d > 0 {
		over = time.After(d)
	}
	select {
	case <-over:
		return true
	case <-r.Context().Done():
	case <-s.ctx.Done():
	}
	return false
}

// faultOf is an error that something in front of the server may well answer.
type faultOf struct{ status int }

func (f *faultOf) write(w http.ResponseWriter) {
	(&fault{status: f.status, code: f.status, message: http.StatusText(f.status), description: http.StatusText(f.status)}).write(w)
}

// sendHalf does what is asked, announces the whole answer, and sends the first half.
func sendHalf(w http.ResponseWriter, r *http.Request, next http.Handler) {
	held := &heldAnswer{header: w.Header(), status: http.StatusOK}
	next.ServeHTTP(held, r)
	w.Header().Set("Content-Length", strconv.Itoa(max(1, held.body.Len())))
	w.WriteHeader(held.status)
	_, _ = w.Write(held.body.Bytes()[:held.body.Len()/2])
	_ = http.NewResponseController(w).Flush() // breaking is what this is for
	panic(http.ErrAbortHandler)
}

// reset has the client see its connection reset.
func reset(w http.ResponseWriter) {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if secure, ok := conn.(*tls.Conn); ok {
		conn = secure.NetConn() // without TLS's own farewell
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // RST instead of FIN
	}
	conn.Close()
}

// door is a port with what it serves.
type door struct {
	port    *port
	handler http.Handler
	tls     *tls.Config  // nil for clear text
	serving *http.Server // nil while it is closed
}

// openOrClose has the doors stand as the faults say. It is called when something has changed.
func (s *server) openOrClose() {
	s.faults.mu.Lock()
	outage := s.faults.outage
	s.faults.mu.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, d := range s.doors {
		var err error
		switch {
		case s.closed:
			return
		case outage && d.serving != nil:
			err = d.shut()
		case !outage && d.serving == nil:
			err = s.serve(d)
		}
		if err != nil {
			s.log.Error("outage", "address", d.port.addr.String(), "error", err)
		}
	}
}

// shut closes the door and holds its port, so that whoever connects is refused and nobody else gets it.
func (d *door) shut() error {
	d.serving.Close()
	d.serving = nil
	again, err := bind(d.port.addr.String())
	if err != nil {
		return err
	}
	d.port.fd = again.fd
	return nil
}
