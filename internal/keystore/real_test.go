package keystore

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"wso2agent/internal/testenv"
)

func TestRealStoresAreListed(t *testing.T) {
	for _, real := range realStores() {
		t.Run(real.file, func(t *testing.T) {
			data := readReal(t, real.file)
			s := mustOpen(t, data, realPassword)
			count := make(map[Kind]int)
			for _, e := range s.Entries() {
				count[e.Kind]++
			}
			if s.Format() != PKCS12 || count[KeyEntry] != real.keys || count[TrustedCertificate] != real.trusted ||
				len(s.Entries()) != real.keys+real.trusted {
				t.Errorf("got %s with %v", s.Format(), count)
			}
			if !bytes.Equal(mustEncode(t, s), data) {
				t.Error("an unmodified store does not encode to its input")
			}
			if real.leaf == "" {
				if _, err := s.Leaf(""); !errors.Is(err, ErrAliasNotFound) {
					t.Errorf("leaf of a store without keys: %v", err)
				}
				return
			}
			leaf, err := s.Leaf("")
			if err != nil || leaf.Fingerprint().String() != real.leaf {
				t.Errorf("leaf is %s, %v", leaf.Fingerprint(), err)
			}
			checkKey(t, s, "", realPassword, leaf)
		})
	}
}

// checkKey makes the key sign something that its certificate verifies.
func checkKey(t *testing.T, s *Store, alias, password string, leaf Certificate) {
	t.Helper()
	key, err := s.PrivateKey(alias, password)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := leaf.Parse()
	if err != nil {
		t.Fatal(err)
	}
	digest := sha256.Sum256([]byte("signed"))
	signature, err := key.Sign(rand.Reader, digest[:], crypto.SHA256)
	if err != nil {
		t.Fatal(err)
	}
	if err := rsa.VerifyPKCS1v15(cert.PublicKey.(*rsa.PublicKey), crypto.SHA256, digest[:], signature); err != nil {
		t.Error(err)
	}
	if _, err := s.PrivateKey(alias, password+"x"); !errors.Is(err, ErrPassword) {
		t.Errorf("key with a wrong password: %v", err)
	}
}

// TestRealStoresKeepEverythingThroughEdits compares keytool's view before and after: all as it was, plus the change.
func TestRealStoresKeepEverythingThroughEdits(t *testing.T) {
	one, two := newIdentity(t, "one", nil).certificate(), newIdentity(t, "two", nil).certificate()
	for _, real := range realStores() {
		t.Run(real.file, func(t *testing.T) {
			t.Parallel()
			data := readReal(t, real.file)
			before := keytoolView(t, data, realPassword)
			s := mustOpen(t, data, realPassword)
			if d := diff(before, viewOf(s.Entries())); d != "" {
				t.Fatalf("keytool sees another store:\n%s", d)
			}
			existing := s.Entries()[len(s.Entries())/2].Alias
			mustSet(t, s, "WSO2peer", one)
			mustSet(t, s, existing, two)
			if err := s.Delete(s.Entries()[3].Alias); err != nil {
				t.Fatal(err)
			}
			deleted := javaLower(mustOpen(t, data, realPassword).Entries()[3].Alias)
			want := before.with("wso2peer", TrustedCertificate, one).with(javaLower(existing), TrustedCertificate, two).without(deleted)
			edited := mustEncode(t, s)
			if d := diff(want, keytoolView(t, edited, realPassword)); d != "" {
				t.Errorf("keytool sees after the edit:\n%s", d)
			}
			checkUntouched(t, data, edited, realPassword, "wso2peer", existing, deleted)
			if real.keys > 0 {
				keytoolSigns(t, edited, "wso2carbon", realPassword)
			}
		})
	}
}

// checkUntouched compares two PKCS#12 files below Java's view: the bags of all other aliases byte for byte, and how
// the file is protected.
func checkUntouched(t *testing.T, before, after []byte, password string, changed ...string) {
	t.Helper()
	old := mustOpen(t, before, password).codec.(*pkcs12)
	edited := mustOpen(t, after, password).codec.(*pkcs12)
	raws := func(p *pkcs12) (all []string) {
		for _, s := range p.safes {
		bags:
			for _, b := range s.bags {
				for _, alias := range changed {
					if sameAlias(alias, b.name) {
						continue bags
					}
				}
				all = append(all, string(b.raw))
			}
		}
		return all
	}
	was, is := raws(old), raws(edited)
	if len(was) != len(is) {
		t.Fatalf("%d bags became %d", len(was), len(is))
	}
	for i := range was {
		if was[i] != is[i] {
			t.Errorf("bag %d was changed", i)
		}
	}
	if (old.mac == nil) != (edited.mac == nil) || len(old.safes) != len(edited.safes) {
		t.Fatal("a MAC or a safe came or went")
	}
	if old.mac != nil && (old.mac.digest.oid != edited.mac.digest.oid || old.mac.rounds != edited.mac.rounds || bytes.Equal(saltOf(old.mac), saltOf(edited.mac))) {
		t.Error("the MAC has another digest, other rounds or its old salt")
	}
	for i, s := range old.safes {
		e := edited.safes[i]
		if (s.scheme == nil) != (e.scheme == nil) {
			t.Fatalf("safe %d is no longer encrypted as it was", i)
		}
		if s.scheme != nil && (s.scheme.cipher.oid != e.scheme.cipher.oid || s.scheme.kdf.rounds != e.scheme.kdf.rounds || bytes.Equal(s.scheme.kdf.salt, e.scheme.kdf.salt)) {
			t.Errorf("safe %d has another scheme, other rounds or its old salt", i)
		}
	}
}

// saltOf is the salt that counts: PBMAC1 has one of its own.
func saltOf(m *macData) []byte {
	if m.pbmac1 != nil {
		return m.pbmac1.salt
	}
	return m.salt
}

func TestSettingTheSameCertificateAgainChangesNothing(t *testing.T) {
	for _, real := range realStores() {
		data := readReal(t, real.file)
		s := mustOpen(t, data, realPassword)
		for _, e := range s.Entries() {
			if e.Kind == TrustedCertificate {
				mustSet(t, s, e.Alias, e.Chain[0])
			}
		}
		if !bytes.Equal(mustEncode(t, s), data) {
			t.Errorf("%s was changed", real.file)
		}
	}
}

// TestAHundredImportsReplacementsAndDeletionsLoseNothing opens each store anew again and again, as an agent
// does over the years.
func TestAHundredImportsReplacementsAndDeletionsLoseNothing(t *testing.T) {
	one, two := newIdentity(t, "one", nil).certificate(), newIdentity(t, "two", nil).certificate()
	for _, real := range realStores() {
		t.Run(real.file, func(t *testing.T) {
			t.Parallel()
			original := readReal(t, real.file)
			before := keytoolView(t, original, realPassword)
			data := original
			s := mustOpen(t, data, realPassword)
			reopen := func(i int) {
				if !real.mac || i%5 == 0 { // IS's derivations would take a minute
					data = mustEncode(t, s)
					s = mustOpen(t, data, realPassword)
				}
			}
			for i := range 101 {
				mustSet(t, s, "peer", one)
				mustSet(t, s, "peer", two)
				reopen(i)
				if e, err := s.Entry("peer"); err != nil || !bytes.Equal(e.Chain[0].DER, two.DER) {
					t.Fatalf("what was imported is not there: %v", err)
				}
				if err := s.Delete("peer"); err != nil {
					t.Fatal(err)
				}
				reopen(i)
			}
			checkUntouched(t, original, data, realPassword, "peer")
			if d := diff(before, keytoolView(t, data, realPassword)); d != "" {
				t.Errorf("keytool sees:\n%s", d)
			}
			if real.keys > 0 {
				keytoolSigns(t, data, "wso2carbon", realPassword)
			}
		})
	}
}

func TestKeyAliasesAreNotOverwrittenOrDeleted(t *testing.T) {
	data := readReal(t, "is-7.1.0/wso2carbon.p12")
	cert := newIdentity(t, "one", nil).certificate()
	for name, data := range map[string][]byte{"PKCS12": data, "JKS": asJKS(t, data)} {
		s := mustOpen(t, data, realPassword)
		if err := s.SetTrusted("WSO2CARBON", cert, time.Time{}); !errors.Is(err, ErrAliasTaken) {
			t.Errorf("%s: set under the alias of the key: %v", name, err)
		}
		if err := s.Delete("wso2carbon"); !errors.Is(err, ErrAliasTaken) {
			t.Errorf("%s: delete the key: %v", name, err)
		}
		if err := s.Delete("nobody"); !errors.Is(err, ErrAliasNotFound) {
			t.Errorf("%s: delete what is not there: %v", name, err)
		}
		if _, err := s.Entry("nobody"); !errors.Is(err, ErrAliasNotFound) {
			t.Errorf("%s: entry that is not there: %v", name, err)
		}
		if !bytes.Equal(mustEncode(t, s), data) {
			t.Errorf("%s: refused edits changed the store", name)
		}
	}
}

// asJKS converts a store with keytool, as older versions of the products ship it.
func asJKS(t *testing.T, data []byte) []byte {
	t.Helper()
	dir := t.TempDir()
	to := dir + "/true.jks"
	run(t, "keytool", "-importkeystore", "-srckeystore", write(t, "from", data), "-srcstorepass", realPassword,
		"-destkeystore", to, "-deststoretype", "JKS", "-deststorepass", realPassword, "-noprompt")
	return readFile(t, to)
}

func TestTrueJKSKeepsEverythingThroughEdits(t *testing.T) {
	testenv.Command(t, "keytool")
	one, two := newIdentity(t, "one", nil).certificate(), newIdentity(t, "two", nil).certificate()
	for _, real := range realStores() {
		t.Run(real.file, func(t *testing.T) {
			t.Parallel()
			data := asJKS(t, readReal(t, real.file))
			before := keytoolView(t, data, realPassword)
			s := mustOpen(t, data, realPassword)
			if s.Format() != JKS {
				t.Fatalf("format %s", s.Format())
			}
			if !bytes.Equal(mustEncode(t, s), data) {
				t.Error("an unmodified store does not encode to its input")
			}
			dates := make(map[string]time.Time)
			for _, e := range s.Entries() {
				dates[e.Alias] = e.Created
			}
			gone := s.Entries()[7].Alias
			replaced := s.Entries()[9].Alias
			mustSet(t, s, "Peer", one)
			mustSet(t, s, replaced, two)
			if err := s.Delete(gone); err != nil {
				t.Fatal(err)
			}
			edited := mustEncode(t, s)
			want := before.with("peer", TrustedCertificate, one).with(replaced, TrustedCertificate, two).without(gone)
			if d := diff(want, keytoolView(t, edited, realPassword)); d != "" {
				t.Errorf("keytool sees after the edit:\n%s", d)
			}
			again := mustOpen(t, edited, realPassword)
			for _, e := range again.Entries() {
				if e.Alias == "peer" || e.Alias == replaced {
					dates[e.Alias] = testTime()
				}
				if !e.Created.Equal(dates[e.Alias]) {
					t.Errorf("%s was created %s, was %s", e.Alias, e.Created, dates[e.Alias])
				}
			}
			if real.keys > 0 {
				keytoolSigns(t, edited, "wso2carbon", realPassword)
				leaf, err := again.Leaf("wso2carbon")
				if err != nil || leaf.Fingerprint().String() != real.leaf {
					t.Errorf("leaf is %s, %v", leaf.Fingerprint(), err)
				}
				checkKey(t, again, "wso2carbon", realPassword, leaf)
			}
		})
	}
}

func TestTheSameJKSContentGivesTheSameBytes(t *testing.T) {
	certs := []Certificate{newIdentity(t, "a", nil).certificate(), newIdentity(t, "b", nil).certificate(), newIdentity(t, "c", nil).certificate()}
	build := func(order ...int) []byte {
		s := mustNew(t, Options{Format: JKS, Password: "changeit"})
		for _, i := range order {
			mustSet(t, s, string(rune('a'+i)), certs[i])
		}
		return mustEncode(t, s)
	}
	if !bytes.Equal(build(0, 1, 2), build(2, 0, 1)) {
		t.Error("the order of the edits shows in the file")
	}
}
