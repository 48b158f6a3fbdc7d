package handshake

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
)

// rotation replaces a server's certificate in some way. It need not wait for anything.
type rotation func(w *world, s *side)

// rotations is how often certificates rotate: as HANDSHAKE_ROTATIONS says, or else so often as a test needs to see everything once.
func rotations(t *testing.T, otherwise int) int {
	t.Helper()
	text := os.Getenv("HANDSHAKE_ROTATIONS")
	if text == "" {
		return otherwise
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		t.Fatalf("HANDSHAKE_ROTATIONS is %q, and must be a number above zero", text)
	}
	return n
}

func TestHandshakes(t *testing.T) {
	t.Parallel()
	p, n := build(t), rotations(t, 3) // of the one server, of the other, of both
	t.Run("none fails while keystores are replaced by hand", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, p, options{verify: true})
		w.rotateInTurn(n, byHand)
		w.noneFailed(n)
	})
	t.Run("none fails while the agents issue new certificates", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, p, options{verify: true, issue: true})
		w.rotateInTurn(n, byCommand)
		w.noneFailed(n)
	})
	t.Run("some fail when a server switches before its peer trusts it", func(t *testing.T) {
		t.Parallel()
		w := newWorld(t, p, options{})
		w.switchTooEarly(w.am)
	})
}

// rotateInTurn rotates n times: the one server's certificate, the other's, both at once. Each time every server restarts
// once, and with both at once API-M twice: it restarts first, and cannot present its new certificate before IS trusts it.
func (w *world) rotateInTurn(n int, rotate rotation) {
	w.t.Helper()
	turns := [][]*side{{w.is}, {w.am}, w.sides()}
	for i := range n {
		began, owners, before := time.Now(), turns[i%len(turns)], map[*side]keystore.Certificate{}
		is, am := w.starts(w.is).Count, w.starts(w.am).Count
		var names []string
		for _, s := range owners {
			before[s], _ = w.published(s)
			names = append(names, s.name)
		}
		for _, s := range owners {
			rotate(w, s)
		}
		w.until("both servers run with rotated certificates and trust each other", func() bool {
			for _, s := range owners {
				if now, ok := w.published(s); !ok || now.Fingerprint() == before[s].Fingerprint() {
					return false
				}
			}
			return w.inStep(w.is) && w.inStep(w.am)
		})
		w.untilConnected()
		is, am = w.starts(w.is).Count-is, w.starts(w.am).Count-am
		if is != 1 || am != len(owners)/2+1 {
			w.t.Errorf("rotation %d, of %s: IS was restarted %d times and API-M %d times", i+1, strings.Join(names, " and "), is, am)
		}
		w.t.Logf("rotation %d, of %s: %s; failed so far: %d of %s, %d of %s", i+1, strings.Join(names, " and "), time.Since(began).Round(10*time.Millisecond),
			len(w.outcomes(w.is).Failed), w.is.name, len(w.outcomes(w.am).Failed), w.am.name)
	}
}

// noneFailed stops everything, prints all counts, and fails if a connection did.
func (w *world) noneFailed(rotations int) {
	w.t.Helper()
	w.stop()
	for _, both := range BothDown(w.starts(w.is), w.starts(w.am)) {
		w.t.Errorf("both servers were down for %s, from %s", both[1].Sub(both[0]), both[0].Format(time.TimeOnly))
	}
	for _, s := range w.sides() {
		w.t.Logf("%s was restarted %d times in %d rotations", s.name, w.starts(s).Count-1, rotations)
		if w.starts(s).Count < 2 {
			w.t.Errorf("%s was never restarted", s.name)
		}
		w.allGood(s.probes)
	}
}

// allGood prints what clients have seen, and fails if that was not good, or if a part was not tried.
func (w *world) allGood(probes []*probe) {
	w.t.Helper()
	for _, p := range probes {
		o := w.seen(p)
		w.t.Logf("%s: %s", p.name, o)
		for _, line := range o.Failed[:min(5, len(o.Failed))] {
			w.t.Errorf("%s: %s", p.name, line)
		}
		if o.TLS12 == 0 || o.TLS13 == 0 && w.speaksTLS13(p) {
			w.t.Errorf("%s: a part of it was not tried", p.name)
		}
	}
}

// switchTooEarly breaks the order on purpose: the owner's agent is away, and somebody replaces the keystore and has the
// server restarted at once. Connections must fail, and must no longer when the agent has come back and the peer trusts
// the new certificate.
func (w *world) switchTooEarly(owner *side) {
	w.t.Helper()
	w.end(owner.agent)
	starts := w.starts(owner).Count
	byHand(w, owner)
	if _, err := owner.control().Want("too-early"); err != nil {
		w.t.Fatal(err)
	}
	w.until("the server was restarted", func() bool { s := w.starts(owner); return s.Count > starts && s.Running() })
	w.until("connections fail", func() bool { return len(w.outcomes(owner.peer).Failed) > 10 })
	w.startAgent(owner)
	w.until("both servers trust each other again", func() bool { return w.inStep(w.is) && w.inStep(w.am) })
	failed := len(w.outcomes(owner.peer).Failed)
	w.untilConnected()
	o, other := w.outcomes(owner.peer), w.outcomes(owner)
	w.t.Logf("%s to %s: %s", owner.peer.name, owner.name, o)
	w.t.Logf("%s to %s: %s", owner.name, owner.peer.name, other)
	for _, line := range o.Failed {
		if !strings.Contains(line, "PKIX path") {
			w.t.Errorf("failed in another way than by a certificate that is not trusted: %s", line)
			break
		}
	}
	if len(o.Failed) != failed || len(other.Failed) > 0 {
		w.t.Errorf("%d failures, and then %d; %d in the other direction: %v", failed, len(o.Failed), len(other.Failed), other.Failed)
	}
}

// byHand replaces the keystore on the config volume with one that has a new key, whole, as a careful person would.
func byHand(w *world, s *side) {
	w.t.Helper()
	if _, err := file.Write(s.keystorePath(), w.newKeystore(s), 0o640, filepath.Join(s.volume, ".by-hand")); err != nil {
		w.t.Fatal(err)
	}
}

// byCommand asks the server's agent for a new certificate.
func byCommand(w *world, s *side) { askToRotate(w, s) }

// askToRotate returns what agent certs rotate says that the rotation costs.
func askToRotate(w *world, s *side) string {
	w.t.Helper()
	cmd := exec.Command(w.programs.agent, "certs", "rotate")
	cmd.Env = w.settings(s)
	out, err := cmd.CombinedOutput()
	if err != nil {
		w.t.Fatalf("agent certs rotate: %v\n%s", err, out)
	}
	return string(out)
}

// newKeystore is a keystore in the format of the server's product with a new key and a certificate of the same name as
// ever.
func (w *world) newKeystore(s *side) []byte {
	format := keystore.Options{Format: keystore.PKCS12, Password: password, MAC: keystore.NoMAC, Certificates: keystore.Clear}
	if s == w.is {
		format = keystore.Options{Format: keystore.PKCS12, Password: password, MAC: keystore.MACSHA1, Certificates: keystore.RC2With40}
	}
	return w.newKey(s, format, "wso2carbon")
}

func (w *world) newKey(s *side, format keystore.Options, alias string) []byte {
	w.t.Helper()
	return w.store(format, alias, w.sign(s, nil, nil))
}

// signed is a key with its certificate.
type signed struct {
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

// sign makes a new key with a certificate of the name that a server's clients look for. by signs it, or its own key if by is
// nil. change alters it before that.
func (w *world) sign(s *side, by *signed, change func(*x509.Certificate)) signed {
	w.t.Helper()
	name := "localhost"
	if w.options.verify {
		name = s.name
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name}, DNSNames: []string{name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	if change != nil {
		change(template)
	}
	if by == nil {
		by = &signed{key, template}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, by.cert, key.Public(), by.key)
	if err != nil {
		w.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		w.t.Fatal(err)
	}
	return signed{key, cert}
}

// store is a keystore with the key of the first certificate of a chain.
func (w *world) store(format keystore.Options, alias string, chain ...signed) []byte {
	w.t.Helper()
	var certificates []keystore.Certificate
	for _, s := range chain {
		certificates = append(certificates, keystore.Certificate{DER: s.cert.Raw})
	}
	store, err := keystore.New(format)
	if err == nil {
		err = store.SetKey(alias, chain[0].key, certificates, format.Password, time.Now())
	}
	if err != nil {
		w.t.Fatal(err)
	}
	data, err := store.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}
