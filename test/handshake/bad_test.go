package handshake

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
)

const agentsKeystore = securityDir + "/wso2agent-tls.p12"

// survivesBadKeystores breaks the keystore of IS in ways that the products are known for: on the config volume, from which it
// must not get into the home, and then in the home, where it must be repaired. Java connects meanwhile.
func (w *world) survivesBadKeystores() {
	w.t.Helper()
	s := w.is
	onVolume, inHome := filepath.Join(s.volume, agentsKeystore), filepath.Join(s.home, agentsKeystore)
	good := w.read(inHome)
	certificate, _ := w.published(s)
	for _, bad := range []struct {
		name   string
		data   []byte // nil: the file is missing
		loaded bool   // a Tomcat that reads it before it is repaired fails handshakes: see loadsTooEarly
	}{
		{"half-written", good[:len(good)/2], false},
		{"empty", []byte{}, false},
		{"missing", nil, false},
		{"another password", w.encode(good, "tls", "changed1", false), false},
		{"another alias", w.encode(good, "other", password, false), false},
		{"a key that does not fit", w.encode(good, "tls", password, true), true},
	} {
		w.replace(onVolume, bad.data)
		time.Sleep(3 * time.Second) // three polls of agent exec, and a reload of Tomcat
		w.untilConnected()
		if now := w.read(inHome); !bytes.Equal(now, good) {
			w.t.Errorf("%s on the config volume: the home has another keystore", bad.name)
		}
		w.t.Logf("%s on the config volume: replaced by the agent %t", bad.name, !bytes.Equal(w.maybe(onVolume), bad.data))
		w.replace(onVolume, good)
		if !bad.loaded {
			w.isRepaired(bad.name, inHome, good, bad.data)
		}
		w.untilConnected()
		if !s.serves(certificate.Fingerprint().String()) {
			w.t.Errorf("%s: another certificate is served", bad.name)
		}
	}
}

func (w *world) maybe(path string) []byte {
	data, _ := os.ReadFile(path)
	return data
}

// isRepaired breaks the keystore in a home and waits until it is as before.
func (w *world) isRepaired(how, path string, good, bad []byte) {
	w.t.Helper()
	w.replace(path, bad)
	w.until("the home is repaired: "+how, func() bool { now, err := os.ReadFile(path); return err == nil && bytes.Equal(now, good) })
}

// encode returns the identity of a keystore in another one, with the key of another certificate if it shall not fit.
func (w *world) encode(good []byte, alias, pass string, unfit bool) []byte {
	w.t.Helper()
	check := func(err error) {
		w.t.Helper()
		if err != nil {
			w.t.Fatal(err)
		}
	}
	from, err := keystore.Open(good, password)
	check(err)
	key, err := from.PrivateKey("tls", password)
	check(err)
	leaf, err := from.Leaf("tls")
	check(err)
	store, err := keystore.New(keystore.Options{Format: keystore.PKCS12, Password: pass, MAC: keystore.MACSHA1, Certificates: keystore.Clear})
	check(err)
	check(store.SetKey(alias, key, []keystore.Certificate{leaf}, pass, time.Now()))
	data, err := store.Encode()
	check(err)
	if !unfit {
		return data
	}
	parsed, err := leaf.Parse()
	check(err)
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	parsed.PublicKey = other.Public() // CreateCertificate wants the key of the issuer to fit
	der, err := x509.CreateCertificate(rand.Reader, parsed, parsed, other.Public(), other)
	check(err)
	if len(der) != len(leaf.DER) {
		return w.encode(good, alias, pass, unfit) // signatures differ by a byte or two
	}
	swapped := bytes.Replace(data, leaf.DER, der, 1)
	if bytes.Equal(swapped, data) {
		w.t.Fatal("the certificate is not in the clear")
	}
	return swapped
}

func (w *world) read(path string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// replace puts bytes in the place of a file, by a rename; nil removes it.
func (w *world) replace(path string, data []byte) {
	w.t.Helper()
	var err error
	if data == nil {
		err = os.Remove(path)
	} else {
		_, err = file.Write(path, data, 0o640, filepath.Dir(path))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// loadsTooEarly puts into the home of a running server first a key that does not fit, which agent exec must repair, and then a
// good keystore with a certificate that nobody trusts. agent exec leaves what a person puts there. So the server loads it, and
// clients must refuse it: the ones of all other tests would see that too.
func (w *world) loadsTooEarly(s *side) {
	w.t.Helper()
	inHome := filepath.Join(s.home, agentsKeystore)
	good := w.read(inHome)
	certificate, _ := w.published(s)
	again := func() bool { return s.serves(certificate.Fingerprint().String()) }
	w.isRepaired("a key that does not fit", inHome, good, w.encode(good, "tls", password, true))
	w.until("the server serves its own certificate after the repair", again)
	w.untilConnected()
	before := len(w.outcomes(s.peer).Failed)
	w.replace(inHome, w.newIdentity(s))
	w.until("connections fail", func() bool { return len(w.outcomes(s.peer).Failed) > before+10 })
	w.replace(inHome, good)
	w.until("the server serves its own certificate again", again)
	w.untilConnected()
	o := w.outcomes(s.peer)
	w.t.Logf("%s: %s; %d of them by a key that did not fit", s.peer.probes[0].name, o, before)
	for _, line := range o.Failed[before:] {
		if !strings.Contains(line, "PKIX path") {
			w.t.Errorf("failed in another way than by a certificate that is not trusted: %s", line)
			break
		}
	}
	if n := w.starts(s).Count; n != 1 {
		w.t.Errorf("%s was started %d times", s.name, n)
	}
}
