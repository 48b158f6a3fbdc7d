package keystore

import (
	"bytes"
	"crypto/sha1"
	"errors"
	"os"
	"strings"
	"testing"
	"time"
)

// checkOpened holds for every store that opens, whoever wrote it: it encodes to its input, an edit adds what was asked
// for and loses nothing, and the result opens again.
func checkOpened(t *testing.T, data []byte, password string, added Certificate) {
	start := time.Now()
	s, err := Open(data, password)
	if spent := time.Since(start); spent > 5*time.Second { // a second, on a machine that does nothing else
		t.Errorf("open took %s", spent)
	}
	if err != nil {
		checkKnown(t, err)
		return
	}
	if out, err := s.Encode(); err != nil || !bytes.Equal(out, data) {
		t.Fatalf("an unmodified store does not encode to its input: %v", err)
	}
	before := listed(s)
	for _, e := range s.Entries() {
		if e.Kind == KeyEntry {
			if _, err := s.PrivateKey(e.Alias, password); err != nil {
				checkKnown(t, err)
			}
			break
		}
	}
	if _, err := s.Entry("added by the fuzzer"); err == nil {
		return
	}
	if err := s.SetTrusted("added by the fuzzer", added, testTime()); err != nil {
		t.Fatal(err)
	}
	out, err := s.Encode()
	if err != nil {
		checkKnown(t, err)
		return
	}
	again, err := Open(out, password)
	if err != nil {
		t.Fatalf("the edited store does not open: %v", err)
	}
	if err := again.Delete("added by the fuzzer"); err != nil {
		t.Fatal(err)
	}
	after := listed(again)
	for line, n := range before {
		if after[line] != n {
			t.Errorf("%d times before, %d times after: %s", n, after[line], line)
		}
	}
	if len(before) != len(after) {
		t.Errorf("%d entries became %d", len(before), len(after))
	}
}

// listed counts entries by all that is known of them.
func listed(s *Store) map[string]int {
	all := make(map[string]int)
	for _, e := range s.Entries() {
		line := e.Alias + " " + string(e.Kind) + " " + e.Created.UTC().String()
		for _, c := range e.Chain {
			line += " " + c.Fingerprint().Short()
		}
		all[line]++
	}
	return all
}

func checkKnown(t *testing.T, err error) {
	for _, kind := range errorKinds() {
		if errors.Is(err, kind) {
			return
		}
	}
	t.Errorf("an error of no known kind: %v", err)
}

// seedStores are stores of every kind, small, and without derivations worth mentioning.
func seedStores(f *testing.F) [][]byte {
	f.Helper()
	var all [][]byte
	for _, o := range quickStores() {
		s := mustNew(f, o)
		root := newIdentity(f, "root", nil)
		leaf := newIdentity(f, "leaf", &root)
		if err := s.SetKey("key", leaf.key, []Certificate{leaf.certificate(), root.certificate()}, testPassword, testTime()); err != nil {
			f.Fatal(err)
		}
		mustSet(f, s, "größe", root.certificate())
		all = append(all, mustEncode(f, s))
	}
	for _, name := range []string{"a1.p12", "a2.p12", "a3.p12", "a4.p12", "a5.p12", "a6.p12"} {
		data, err := os.ReadFile("testdata/rfc9579/" + name)
		if err != nil {
			f.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

func FuzzOpen(f *testing.F) {
	added := newIdentity(f, "added", nil).certificate()
	for _, data := range seedStores(f) {
		f.Add(data, testPassword)
		f.Add(data, "1234")
		f.Add(data, "")
	}
	f.Fuzz(func(t *testing.T, data []byte, password string) { checkOpened(t, data, password, added) })
}

// FuzzBags gets behind the outer layers, which few random changes survive.
func FuzzBags(f *testing.F) {
	added := newIdentity(f, "added", nil).certificate()
	for _, data := range seedStores(f) {
		s, err := Open(data, testPassword)
		if err != nil || s.Format() != PKCS12 {
			continue
		}
		var content []byte
		for _, safe := range s.codec.(*pkcs12).safes {
			for _, b := range safe.bags {
				content = append(content, b.raw...)
			}
		}
		f.Add(encodeElement(tagSequence, content))
	}
	f.Fuzz(func(t *testing.T, bags []byte) {
		content := encodeElement(tagSequence, contentInfo(oidData, encodeElement(tagOctets, bags)))
		file := encodeElement(tagSequence, encodeInteger(3), contentInfo(oidData, encodeElement(tagOctets, content)))
		checkOpened(t, file, testPassword, added)
	})
}

// FuzzJKS gives its input the digest that makes it load.
func FuzzJKS(f *testing.F) {
	added := newIdentity(f, "added", nil).certificate()
	for _, data := range seedStores(f) {
		if data[0] == 0xfe {
			f.Add(data[:len(data)-sha1.Size])
		}
	}
	f.Add([]byte("\xfe\xed\xfe\xed\x00\x00\x00\x01\x00\x00\x00\x00"))
	f.Fuzz(func(t *testing.T, data []byte) {
		checkOpened(t, signJKS(data, javaPassword(testPassword)), testPassword, added)
	})
}

func FuzzBER(f *testing.F) {
	f.Add([]byte("\x30\x80\x24\x80\x04\x01a\x04\x01b\x00\x00\x02\x01\x03\x00\x00rest"))
	f.Add([]byte("\x30\x05\x24\x03\x04\x01a"))
	for _, data := range seedStores(f) {
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		definite, rest, short, err := toDefinite(data, newBudget())
		if err != nil {
			checkKnown(t, err)
			return
		}
		if short || !bytes.HasSuffix(data, rest) {
			t.Error("the rest is not the rest")
		}
		again, left, _, err := toDefinite(definite, newBudget())
		if err != nil || len(left) > 0 || &again[0] != &definite[0] {
			t.Errorf("%x is still BER: %v", definite, err)
		}
	})
}

func FuzzAlgorithms(f *testing.F) {
	for _, c := range blockCiphers() {
		f.Add(newScheme(c.oid, c.pbe, 1).algorithm())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		e, _, err := splitElement(data)
		if err != nil {
			return
		}
		s, err := parseScheme(e.body)
		if err != nil {
			checkKnown(t, err)
			return
		}
		written, _, err := splitElement(s.algorithm())
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseScheme(written.body)
		if err != nil || again.cost() != s.cost() || again.cipher.oid != s.cipher.oid || again.kdf.keySize != s.kdf.keySize ||
			!bytes.Equal(again.kdf.salt, s.kdf.salt) || !bytes.Equal(again.kdf.prfRaw, s.kdf.prfRaw) || !bytes.Equal(again.iv, s.iv) {
			t.Errorf("%x became %x: %v", e.raw, written.raw, err)
		}
	})
}

func FuzzMAC(f *testing.F) {
	for _, data := range seedStores(f) {
		outer := reader{rest: data}
		r := outer.into(tagSequence)
		r.any()
		r.any()
		if r.more() {
			f.Add(r.any().body)
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := parseMAC(&reader{rest: data})
		if err != nil {
			checkKnown(t, err)
			return
		}
		if m.cost() > 1000 {
			return
		}
		p := passwords(testPassword)[0]
		written := macOver(t, m, p, []byte("content"))
		e, _, err := splitElement(written)
		if err != nil {
			t.Fatal(err)
		}
		again, err := parseMAC(&reader{rest: e.body})
		if err != nil || again.cost() != m.cost() {
			t.Fatalf("%x became %x: %v", data, written, err)
		}
		if ok, err := again.matches(p, []byte("content")); !ok || err != nil {
			t.Errorf("the MAC written does not match: %v", err)
		}
	})
}

func FuzzPrivateKey(f *testing.F) {
	for _, data := range seedStores(f) {
		if s, err := Open(data, testPassword); err == nil {
			switch c := s.codec.(type) {
			case *jks:
				f.Add(c.list[0].key)
			case *pkcs12:
				f.Add(c.bagAt(c.places[0]).value)
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		p := &pkcs12{safes: []*safe{{bags: []bag{{kind: bagShroudedKey, value: data}}}}, places: []place{{}}}
		if s, err := p.safes[0].bags[0].scheme(); err != nil || s.cost() < 1000 {
			if _, err := p.privateKey(0, testPassword); err != nil {
				checkKnown(t, err)
			}
		}
		j := mustNew(t, quick(JKS)).codec.(*jks)
		if err := j.file.Load(bytes.NewReader(jksWithKey(data)), []byte(testPassword)); err != nil {
			t.Fatal(err)
		}
		j.list = []jksEntry{{rawAlias: "key", key: data}}
		if _, err := j.privateKey(0, testPassword); err != nil {
			checkKnown(t, err)
		}
		if _, err := parseSigner(data); err != nil {
			checkKnown(t, err)
		}
	})
}

func FuzzCertificateNames(f *testing.F) {
	f.Add(newIdentity(f, "one", nil).cert.Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		c := Certificate{der}
		parsed, err := c.Parse()
		n, own := certificateNames(der)
		// crypto/x509 overlooks what stands behind the signature; Java does not, and neither is it added here.
		if err == nil && own == nil && (!bytes.Equal(n.issuer, parsed.RawIssuer) || !bytes.Equal(n.subject, parsed.RawSubject)) {
			t.Errorf("crypto/x509 reads %x as another certificate: %v", der, own)
		}
		if own != nil {
			checkKnown(t, own)
		}
	})
}

func FuzzJavaUTF8(f *testing.F) {
	for _, text := range []string{"", "wso2is", "größe", "𝄞", "a\x00b"} {
		f.Add([]byte(encodeJavaUTF8(text)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		text, ok := decodeJavaUTF8(string(raw))
		if !ok || strings.ContainsRune(text, '\ufffd') {
			return
		}
		if again, ok := decodeJavaUTF8(encodeJavaUTF8(text)); !ok || again != text {
			t.Errorf("%x was read as %q, then as %q", raw, text, again)
		}
	})
}

func FuzzFingerprint(f *testing.F) {
	f.Add(Fingerprint{1, 2, 0xff}.String())
	f.Fuzz(func(t *testing.T, text string) {
		print, err := ParseFingerprint(text)
		if err != nil {
			return
		}
		if again, err := ParseFingerprint(print.String()); err != nil || again != print {
			t.Errorf("%q was read as %s: %v", text, print, err)
		}
	})
}
