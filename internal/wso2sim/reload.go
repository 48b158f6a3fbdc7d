package wso2sim

import (
	"crypto/rand"
	"crypto/tls"
	"log/slog"
	"sync/atomic"
	"time"
)

// tomcatStep is the periodicEventDelay of Tomcat: nothing periodic happens more often.
const tomcatStep = 10 * time.Second

// The loggers of what a reload of Tomcat logs.
const (
	certificateLogger = "org.apache.tomcat.util.net.NioEndpoint.certificate"
	trustLogger       = "org.apache.tomcat.util.net.SSLUtilBase"
)

// secured is the TLS of one port, whose certificate may be replaced while it serves.
type secured struct {
	config *tls.Config
	leaf   atomic.Pointer[tls.Certificate]
}

// secure makes the TLS of a port that presents what the server has read at its start, until it is replaced.
func (s *server) secure(maxVersion uint16) *secured {
	c := &secured{}
	c.leaf.Store(&s.tls)
	c.config = s.presenting(maxVersion, func() (*tls.Certificate, error) { return c.leaf.Load(), nil })
	return c
}

// presenting is the TLS of a port that asks for the certificate of each handshake. It speaks HTTP/1.1 alone, as the
// products' connectors.
func (s *server) presenting(maxVersion uint16, configured func() (*tls.Certificate, error)) *tls.Config {
	return &tls.Config{
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return s.shown(configured) },
		MinVersion:     tls.VersionTLS12, MaxVersion: maxVersion, NextProtos: []string{"http/1.1"},
	}
}

// replace has every new connection get another certificate. Established ones stay, and no new one resumes a session
// from before: the products make a new SSLContext.
func (c *secured) replace(pair tls.Certificate) {
	c.leaf.Store(&pair)
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails
	c.config.SetSessionTicketKeys([][32]byte{key})
}

// period is how long a wait of the products' reloads takes here.
func (s *server) period(d time.Duration) time.Duration {
	return max(time.Millisecond, scale(d, s.reloadScale))
}

// reloadAsTomcat runs the listeners of the management port: every checkPeriod, looked at every tomcatStep, as
// TLSCertificateReloadListener.checkCertificatesForRenewal counts it.
func (s *server) reloadAsTomcat(c *secured) {
	for _, l := range s.reloadListeners {
		s.work.Go(func() {
			began, next := time.Now(), time.Duration(0)
			for s.sleep(s.period(tomcatStep)) {
				if time.Since(began) > next {
					next += s.period(l.period)
					s.reloadStore(c, l.daysBefore)
				}
			}
		})
	}
}

// reloadStore loads the key store and the truststore again, changed or not. A store that cannot be loaded leaves the
// certificate that is presented now. Whether the key fits its certificate nobody looks at.
func (s *server) reloadStore(c *secured, daysBefore int) {
	if c.leaf.Load().Leaf.NotAfter.After(time.Now().AddDate(0, 0, daysBefore)) {
		return
	}
	_, pair, err := readKey(s.home, s.listener)
	if err != nil {
		s.logAs(reloadListenerClass, slog.LevelError, "the certificate was not loaded again", "error", err)
		return
	}
	trusted, err := readTrusted(s.home, s.trusted)
	if err != nil {
		s.logAs(reloadListenerClass, slog.LevelError, "the certificate was not loaded again", "error", err)
		return
	}
	for _, t := range trusted {
		if t.NotAfter.Before(time.Now()) {
			s.logAs(trustLogger, slog.LevelWarn, "a trusted certificate is not valid", "subject", t.Subject.String(), "not_after", t.NotAfter)
		}
	}
	c.replace(pair)
	s.logAs(certificateLogger, slog.LevelInfo, "the certificate was loaded from the key store", "store", s.listener.file, "alias", s.listener.alias)
}
