package handshake

import (
	"bytes"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/notify"
)

// TestHandshakesWithBrokenKeystores: Java clients connect to every port all the time, while somebody offers bad keystores to
// running servers through agent exec, and then breaks the keystore in their homes. The test makes the requests of the sidecar,
// which would not offer a bad keystore.
func TestHandshakesWithBrokenKeystores(t *testing.T) {
	t.Parallel()
	p := build(t)
	for name, standIns := range map[string]bool{"Tomcat": false, "stand-ins": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, p, options{verify: true, issue: true, standIns: standIns, successors: 1, alone: true})
			w.refuseBadKeystores()
			w.takeGoodKeystores()
			w.keepWhatCannotBeOpened()
			w.nothingFailed()
			for _, s := range w.sides() {
				w.loadKeyThatDoesNotFit(s)
			}
			w.stop()
		})
	}
}

// TestHandshakesFailWithoutTrust shows that clients count what these tests forbid: somebody puts a keystore into the home of a
// running server that is good in every way, except that no client trusts its certificate.
func TestHandshakesFailWithoutTrust(t *testing.T) {
	t.Parallel()
	w := newWorld(t, build(t), options{verify: true, issue: true, successors: 1, alone: true})
	w.nothingFailed()
	began, persons := time.Now(), w.sign(w.is, nil, nil)
	w.putHome(w.is, w.store(plain(password), identity.Alias, persons))
	for _, p := range w.probes() {
		if p.to != w.is {
			continue
		}
		w.until(p.name+": connections fail", func() bool { return len(w.seen(p).Failed) >= 3 })
		w.failedOnly(p, 0, began, time.Now(), "PKIX path")
	}
	if !w.is.serves(leafOf(persons)) {
		t.Error("IS does not serve the certificate that somebody has put there")
	}
	for _, p := range w.probes() {
		w.t.Logf("%s: %s", p.name, w.seen(p))
		if failed := w.seen(p).Failed; p.to != w.is && len(failed) > 0 {
			t.Errorf("%s: %s", p.name, failed[0])
		}
	}
	w.stop()
}

// offered is a keystore that somebody puts on the config volume.
type offered struct {
	name string
	data []byte
	leaf string // the fingerprint that the request names
	want string // a part of the reason for which agent exec refuses it
}

func plain(password string) keystore.Options {
	return keystore.Options{Format: keystore.PKCS12, Password: password, MAC: keystore.NoMAC, Certificates: keystore.Clear, KeyRounds: 1000}
}

func leafOf(s signed) string { return keystore.Certificate{DER: s.cert.Raw}.Fingerprint().String() }

// badKeystores are all kinds of keystores that agent exec refuses. Package place has the same list.
func (w *world) badKeystores(s *side) (bad []offered) {
	w.t.Helper()
	jks := plain(password)
	jks.Format = keystore.JKS // states the chain; of a PKCS#12 file, Java builds it by names
	add := func(name, want string, format keystore.Options, chain ...signed) {
		bad = append(bad, offered{name, w.store(format, identity.Alias, chain...), leafOf(chain[0]), want})
	}
	ca := func(c *x509.Certificate) {
		c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.Subject.CommonName, c.DNSNames = true, true, x509.KeyUsageCertSign, "CA", nil
	}
	good := w.sign(s, nil, nil)
	whole := w.store(plain(password), identity.Alias, good)
	bad = append(bad,
		offered{"no bytes", []byte{}, leafOf(good), "torn"},
		offered{"half of it", whole[:len(whole)/2], leafOf(good), "torn"},
		offered{"some text", []byte("keystore"), leafOf(good), "unsupported"},
		offered{"another alias", w.store(plain(password), "other", good), leafOf(good), "alias not found"},
		offered{"another certificate than the requested one", whole, leafOf(w.sign(s, nil, nil)), "the sidecar requested"},
	)
	mismatched, shown := w.mismatched(s)
	bad = append(bad, offered{"a key with the certificate of another key", mismatched, shown, "belongs to another key"})
	add("another password", "the running server has another password", plain("changed1"), good)
	add("without the name of the server", "does not have the name "+s.name, plain(password), w.sign(s, nil, func(c *x509.Certificate) { c.DNSNames = []string{"localhost"} }))
	add("expired", "expired at", plain(password), w.sign(s, nil, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }))
	add("not yet valid", "is valid only from", plain(password), w.sign(s, nil, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(time.Hour) }))
	expired := w.sign(s, nil, func(c *x509.Certificate) { ca(c); c.NotAfter = time.Now().Add(-time.Minute) })
	add("an expired CA", "certificate 2 of its chain, CN=CA, expired at", jks, w.sign(s, &expired, nil), expired)
	root, noCA := w.sign(s, nil, ca), w.sign(s, nil, func(c *x509.Certificate) { c.Subject.CommonName = "no CA" })
	add("a chain with another CA of the same name", "has not signed the one before it", jks, w.sign(s, &root, nil), w.sign(s, nil, ca))
	add("an issuer that is no CA", "has not signed the one before it", jks, w.sign(s, &noCA, nil), noCA)
	add("a chain that has the leaf twice", "in the chain twice", jks, noCA, noCA)
	return bad
}

// mismatched is a keystore whose key belongs to another certificate of the same size, and the fingerprint of the certificate in it.
func (w *world) mismatched(s *side) (data []byte, leaf string) {
	w.t.Helper()
	one, other := w.sign(s, nil, nil), w.sign(s, nil, nil)
	for len(one.cert.Raw) != len(other.cert.Raw) { // the size of a signature varies
		other = w.sign(s, nil, nil)
	}
	data = bytes.ReplaceAll(w.store(plain(password), identity.Alias, one), one.cert.Raw, other.cert.Raw)
	if !bytes.Contains(data, other.cert.Raw) {
		w.t.Fatal("the certificate is not replaced")
	}
	return data, leafOf(other)
}

// homeKeystore is the keystore that a running server loads, and volumeKeystore the one that the sidecar writes.
func (s *side) homeKeystore() string { return filepath.Join(s.home, securityDir, config.TLSStoreFile) }
func (s *side) volumeKeystore() string {
	return filepath.Join(s.volume, securityDir, config.TLSStoreFile)
}

func (w *world) get(path string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// putHome writes into the home of a server past the agent, as a person does.
func (w *world) putHome(s *side, data []byte) {
	w.t.Helper()
	if err := os.WriteFile(s.homeKeystore(), data, 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) leaf(data []byte) string {
	w.t.Helper()
	id, err := identity.FromKeystore(data, password, identity.Alias)
	if err != nil {
		w.t.Fatal(err)
	}
	return id.Leaf().Fingerprint().String()
}

// offer puts a keystore on the config volume of a server, and requests that the server loads it.
func (w *world) offer(s *side, generation string, o offered) {
	w.t.Helper()
	_, err := file.Write(s.volumeKeystore(), o.data, 0o600, s.control().Dir)
	if err == nil {
		_, err = s.control().AskReload(notify.Reload{Generation: generation, Certificate: o.leaf})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// answer waits for what agent exec says of an offer.
func (w *world) answer(s *side, generation string, o offered) (answer notify.Placed) {
	w.t.Helper()
	w.until(fmt.Sprintf("agent exec of %s answers the offer of a keystore: %s", s.name, o.name), func() bool {
		started, ok, err := s.control().Started()
		if !ok || err != nil || started.Placed == nil || started.Placed.Generation != generation {
			return false
		}
		answer = *started.Placed
		return true
	})
	return answer
}

// refuseBadKeystores offers every bad keystore to both servers.
func (w *world) refuseBadKeystores() {
	w.t.Helper()
	bad, before := map[*side][]offered{}, map[*side][]byte{}
	for _, s := range w.sides() {
		bad[s], before[s] = w.badKeystores(s), w.get(s.homeKeystore())
	}
	for i := range bad[w.is] {
		generation := fmt.Sprint("bad-", i)
		for _, s := range w.sides() {
			w.offer(s, generation, bad[s][i])
		}
		for _, s := range w.sides() {
			if got := w.answer(s, generation, bad[s][i]); !strings.Contains(got.Error, bad[s][i].want) {
				w.t.Errorf("%s, %s: agent exec answers %q, want %q", s.name, bad[s][i].name, got.Error, bad[s][i].want)
			}
			if !bytes.Equal(w.get(s.homeKeystore()), before[s]) {
				w.t.Errorf("%s, %s: the keystore in the home has changed", s.name, bad[s][i].name)
			}
			if !s.serves(w.leaf(before[s])) {
				w.t.Errorf("%s, %s: not every port serves the old certificate", s.name, bad[s][i].name)
			}
		}
	}
	w.untilConnected()
	w.nothingFailed()
	w.t.Logf("each server has refused %d keystores", len(bad[w.is]))
}

// takeGoodKeystores offers each server its successor, which all servers trust since their start.
func (w *world) takeGoodKeystores() {
	w.t.Helper()
	good := map[*side]offered{}
	for _, s := range w.sides() {
		found := s.successors()
		if len(found) != 1 {
			w.t.Fatalf("the successors of %s are %v", s.name, found)
		}
		data := w.get(found[0])
		good[s] = offered{name: "the successor", data: data, leaf: w.leaf(data)}
		w.offer(s, "good", good[s])
	}
	for s, o := range good {
		if got := w.answer(s, "good", o); got.Error != "" || !bytes.Equal(w.get(s.homeKeystore()), o.data) {
			w.t.Errorf("%s: the good keystore is not in the home: %s", s.name, got.Error)
		}
		w.until("all ports of "+s.name+" serve the successor", func() bool { return s.serves(o.leaf) })
	}
	w.untilConnected()
}

// breakUntil breaks the keystore in a home as often as agent exec repairs it, until something is seen. Then it waits until
// the good one is there again, and all ports serve it.
func (w *world) breakUntil(s *side, broken []byte, what string, seen func() bool) {
	w.t.Helper()
	good := w.get(s.homeKeystore())
	times := 0
	w.until(what, func() bool {
		if seen() {
			return true
		}
		if now, err := os.ReadFile(s.homeKeystore()); err == nil && bytes.Equal(now, good) {
			w.putHome(s, broken)
			times++
		}
		return false
	})
	w.until("agent exec repairs the home of "+s.name, func() bool {
		now, err := os.ReadFile(s.homeKeystore())
		return err == nil && bytes.Equal(now, good) && s.serves(w.leaf(good))
	})
	w.t.Logf("%s: broken and repaired %d times", what, times)
}

// keepWhatCannotBeOpened breaks the keystores in the homes so that a server cannot open them. It keeps its certificate then.
func (w *world) keepWhatCannotBeOpened() {
	w.t.Helper()
	for _, s := range w.sides() {
		good := w.get(s.homeKeystore())
		for _, c := range []struct {
			name   string
			broken []byte
		}{
			{"half of it", good[:len(good)/2]},
			{"no bytes", nil},
			{"another password", w.store(plain("changed1"), identity.Alias, w.sign(s, nil, nil))},
		} {
			before := w.failedLoads(s)
			w.breakUntil(s, c.broken, s.name+" cannot load its keystore: "+c.name, func() bool { return w.failedLoads(s) > before })
		}
	}
	w.untilConnected()
}

// failedLoads is how often a server has logged that it cannot load its keystore.
func (w *world) failedLoads(s *side) int {
	w.t.Helper()
	return strings.Count(string(w.get(filepath.Join(w.dir, s.name+".log"))), "TLSCertificateReloadListener")
}

// loadKeyThatDoesNotFit puts a keystore into a home that opens, and whose key does not fit its certificate. If the server loads it
// before agent exec repairs it, every handshake fails until the server loads the good one. No client trusts the certificate either, and
// the JDK of these clients checks that first. Another one may report the signature, or an alert of the server. The repair has the gateway
// look at its keystore too, so the gateway can load the next broken one.
func (w *world) loadKeyThatDoesNotFit(s *side) {
	w.t.Helper()
	broken, _ := w.mismatched(s)
	before := map[*probe]int{}
	for _, p := range w.probes() {
		before[p] = len(w.seen(p).Failed)
	}
	began := time.Now()
	peer := s.peer.probes[0]
	w.breakUntil(s, broken, "handshakes with "+s.name+" fail", func() bool { return len(w.seen(peer).Failed) > before[peer] })
	ended := time.Now()
	w.untilConnected()
	for _, p := range w.probes() {
		failed := w.seen(p).Failed[before[p]:]
		w.t.Logf("%s: %d failed while %s had a key that does not fit", p.name, len(failed), s.name)
		if p.to == s {
			w.failedOnly(p, before[p], began, ended, "javax.net.ssl.SSL")
		} else if len(failed) > 0 {
			w.t.Errorf("%s: %s", p.name, failed[0])
		}
	}
}

// probes are the clients of both servers.
func (w *world) probes() (all []*probe) {
	for _, s := range w.sides() {
		all = append(all, s.probes...)
	}
	return all
}

// nothingFailed prints what all clients have seen so far, and fails if a connection failed or a server restarted.
func (w *world) nothingFailed() {
	w.t.Helper()
	for _, s := range w.sides() {
		if n := w.starts(s).Count - 1; n != 0 {
			w.t.Errorf("%s was restarted %d times", s.name, n)
		}
	}
	w.allGood(w.probes())
}

// failedOnly fails unless every failure of a client since the first skip ones has one of the reasons, began after a time, and began
// before another one.
func (w *world) failedOnly(p *probe, skip int, after, before time.Time, reasons ...string) {
	w.t.Helper()
	for _, line := range w.seen(p).Failed[skip:] {
		word, _, _ := strings.Cut(line, " ")
		began, err := time.Parse(time.RFC3339Nano, word)
		known := slices.ContainsFunc(reasons, func(reason string) bool { return strings.Contains(line, reason) })
		if err != nil || !known || began.Before(after.Add(-clientTimeout)) || began.After(before) {
			w.t.Errorf("%s: want a failure by %q between %s and %s: %s", p.name, reasons, after.UTC().Format(time.RFC3339Nano), before.UTC().Format(time.RFC3339Nano), line)
			return
		}
	}
}

// clientTimeout is how long a client waits for each answer: a handshake that began so long before may fail after.
const clientTimeout = 30 * time.Second

// loads reports whether a server serves, and agent exec has found that it loads a new certificate.
func (w *world) loads(s *side) bool {
	started, ok, err := s.control().Started()
	return ok && err == nil && started.Serves == notify.ServesNow && started.Reloads && s.serves(started.Certificate)
}
