package handshake

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
	"wso2agent/internal/trust"
)

// TestHandshakesWithoutARestart: with successors, both servers rotate at once, again and again, and nothing restarts. Java
// clients that have read their truststores once, at the start, connect to every port all the time. Tomcat loads its keystore as
// the template says, in a shorter period; the gateway of the Java server is a stand-in.
func TestHandshakesWithoutARestart(t *testing.T) {
	t.Parallel()
	p, n := build(t), rotations(t, 2) // the second one finds a pool that the agents have refilled
	t.Run("none fails while Java servers load new certificates", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, p, options{verify: true, issue: true, successors: successorsFor(t, n)})
		untouched := w.watchTruststores()
		w.rotateBothAtOnce(n)
		untouched()
		w.nothingRestarted(n)
	})
	t.Run("none fails while stand-ins load new certificates, and no call does", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, p, options{verify: true, issue: true, standIns: true, successors: successorsFor(t, n)})
		calls := w.call()
		untouched := w.watchTruststores()
		w.rotateBothAtOnce(n)
		untouched()
		calls()
		w.nothingRestarted(n)
	})
}

// successorsFor is how many successors n rotations need for none of them to restart a server.
func successorsFor(t *testing.T, n int) int {
	t.Helper()
	const most = 12 // of TLS_SUCCESSORS
	if n > most {
		t.Fatalf("%d rotations without a restart need as many successors, and %d is the most", n, most)
	}
	return n
}

// ports are the addresses at which a server presents its certificate.
func (s *side) ports() (addresses []string) {
	for _, port := range []string{s.port, s.gateway} {
		if port != "" {
			addresses = append(addresses, "127.0.0.1:"+port)
		}
	}
	return addresses
}

// served is the fingerprint of the certificate at an address.
func served(address string) (string, error) {
	conn, err := tls.Dial("tcp", address, &tls.Config{InsecureSkipVerify: true}) // it is only looked at
	if err != nil {
		return "", err
	}
	defer conn.Close()
	return keystore.Certificate{DER: conn.ConnectionState().PeerCertificates[0].Raw}.Fingerprint().String(), nil
}

// serves reports whether all ports of a server present a certificate.
func (s *side) serves(fingerprint string) bool {
	return !slices.ContainsFunc(s.ports(), func(address string) bool {
		got, err := served(address)
		return err != nil || got != fingerprint
	})
}

// rotateBothAtOnce rotates the certificates of both servers n times. Each command must say that no server restarts.
func (w *world) rotateBothAtOnce(n int) {
	w.t.Helper()
	for i := range n {
		began, before := time.Now(), map[*side]string{}
		for _, s := range w.sides() {
			c, _ := w.published(s)
			before[s] = c.Fingerprint().String()
		}
		for _, s := range w.sides() {
			if said := askToRotate(w, s); !strings.HasPrefix(said, "no restart: ") {
				w.t.Errorf("rotation %d of %s costs something:\n%s", i+1, s.name, said)
			}
		}
		w.until(fmt.Sprintf("all ports serve the certificates of rotation %d, agent exec has confirmed them, and the pools are full again", i+1), func() bool {
			return !slices.ContainsFunc(w.sides(), func(s *side) bool {
				now, ok := w.published(s)
				return !ok || now.Fingerprint().String() == before[s] || !w.confirmed(s, now) || !s.serves(now.Fingerprint().String()) ||
					len(s.successors()) != w.options.successors
			})
		})
		w.untilConnected()
		w.t.Logf("rotation %d of both at once: %s", i+1, time.Since(began).Round(10*time.Millisecond))
	}
}

// successors are the files of a server's pool.
func (s *side) successors() []string {
	paths, _ := filepath.Glob(filepath.Join(s.control().Dir, "identity/successors/*.p12")) // the pattern is good
	return paths
}

// confirmed reports whether agent exec says that the running server has a certificate, and no start is due.
func (w *world) confirmed(s *side, c keystore.Certificate) bool {
	started, ok, err := s.control().Started()
	if !ok || err != nil || started.Placed == nil {
		return false
	}
	return started.Placed.Error == "" && started.Placed.Certificate == c.Fingerprint().String() && started.Placed.Generation == started.Generation
}

// nothingRestarted stops everything, prints all counts, and fails if a connection did or a server started twice.
func (w *world) nothingRestarted(rotations int) {
	w.t.Helper()
	for _, s := range w.sides() {
		if n := w.starts(s).Count - 1; n != 0 {
			w.t.Errorf("%s was restarted %d times", s.name, n)
		}
	}
	w.stop()
	for _, s := range w.sides() {
		w.t.Logf("%s was restarted %d times in %d rotations of both", s.name, w.starts(s).Count-1, rotations)
		w.allGood(s.probes)
	}
}

// watchTruststores looks again and again whether the truststore of each config volume has what each port presents at that
// moment. The function that it returns ends that, and fails if an entry was missing, if the certificate of a server's start is
// gone from its own truststore, or if somebody has changed the truststore of a home, which a running server has read.
func (w *world) watchTruststores() (end func()) {
	w.t.Helper()
	homes, starts := map[*side][]byte{}, map[*side]string{}
	for _, s := range w.sides() {
		var err error
		if homes[s], err = os.ReadFile(filepath.Join(s.home, securityDir, s.truststore())); err != nil {
			w.t.Fatal(err)
		}
		started, _, err := s.control().Started()
		if starts[s] = started.Certificate; err != nil || starts[s] == "" {
			w.t.Fatalf("the certificate of the start of %s is not known: %v", s.name, err)
		}
	}
	stop, done := make(chan struct{}), make(chan struct{})
	looked, missing := 0, map[string]bool{}
	look := func() {
		for _, s := range w.sides() {
			for _, address := range s.ports() {
				f, err := served(address)
				if err != nil {
					continue // the Java clients count that
				}
				for _, other := range w.sides() {
					looked++
					if trusted, err := w.trusted(other); err != nil || !slices.Contains(trusted, f) {
						missing[fmt.Sprintf("the truststore of %s lacks %s, which %s presents at %s: %v", other.name, f, s.name, address, err)] = true
					}
				}
			}
		}
	}
	go func() {
		defer close(done)
		for {
			look()
			select {
			case <-stop:
				return
			case <-time.After(300 * time.Millisecond):
			}
		}
	}()
	return func() {
		w.t.Helper()
		close(stop)
		<-done
		for text := range missing {
			w.t.Error(text)
		}
		for _, s := range w.sides() {
			trusted, err := w.trusted(s)
			if err != nil || !slices.Contains(trusted, starts[s]) {
				w.t.Errorf("the truststore of %s lacks the certificate of its start: %v", s.name, err)
			}
			if now, err := os.ReadFile(filepath.Join(s.home, securityDir, s.truststore())); err != nil || !bytes.Equal(now, homes[s]) {
				w.t.Errorf("the truststore in the home of %s was changed: %v", s.name, err)
			}
		}
		w.t.Logf("looked %d times whether a truststore has what a port presents", looked)
	}
}

// trusted are the fingerprints of all entries in the truststore of a server's config volume.
func (w *world) trusted(s *side) (fingerprints []string, err error) {
	_, entries, err := (trust.Store{Path: filepath.Join(s.volume, securityDir, s.truststore()), Password: password}).List(w.t.Context())
	for _, e := range entries {
		if e.Kind == keystore.TrustedCertificate {
			fingerprints = append(fingerprints, e.Chain[0].Fingerprint().String())
		}
	}
	return fingerprints, err
}
