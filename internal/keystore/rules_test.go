package keystore

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"path/filepath"
	"testing"
	"time"
)

// bags makes SafeContents out of pieces, as no one tool would.
type bags struct {
	t     *testing.T
	all   []bag
	safes []*safe
}

// next begins another safe.
func (b *bags) next() *bags {
	b.safes, b.all = append(b.safes, &safe{bags: b.all}), nil
	return b
}

func (b *bags) add(kind byte, value []byte, attributes ...[]byte) *bags {
	b.t.Helper()
	made, err := newBag(kind, value, attributes...)
	if err != nil {
		b.t.Fatal(err)
	}
	b.all = append(b.all, made)
	return b
}

func (b *bags) cert(c Certificate, attributes ...[]byte) *bags {
	return b.add(bagCertificate, certificateValue(c), attributes...)
}

func (b *bags) key(id identity, attributes ...[]byte) *bags {
	b.t.Helper()
	info, err := x509.MarshalPKCS8PrivateKey(id.key)
	if err != nil {
		b.t.Fatal(err)
	}
	data, algorithm, err := newScheme(oidAES+"\x2a", false, 1).encrypt(passwords(testPassword)[0], info)
	if err != nil {
		b.t.Fatal(err)
	}
	return b.add(bagShroudedKey, encodeElement(tagSequence, algorithm, encodeElement(tagOctets, data)), attributes...)
}

// file writes the bags in the clear, with a MAC.
func (b *bags) file() []byte {
	b.t.Helper()
	s := mustNew(b.t, quick(PKCS12))
	s.codec.(*pkcs12).safes = append(b.safes, &safe{bags: b.all})
	return mustEncode(b.t, s)
}

// TestEntriesAreWhatJavaSees compares with Java on files that leave room for doubt.
func TestEntriesAreWhatJavaSees(t *testing.T) {
	root := newIdentity(t, "root", nil)
	one, two, lone := newIdentity(t, "one", &root), newIdentity(t, "two", &root), newIdentity(t, "lone", nil)
	name, id, trust := nameAttribute, keyIDAttribute, trustedAttribute()
	rootCert, oneCert, twoCert, loneCert := root.certificate(), one.certificate(), two.certificate(), lone.certificate()
	plain := identity{key: one.key}
	plainRoot, otherPlainRoot := plainCertificate(t, root.cert.Subject.CommonName, two.key), plainCertificate(t, root.cert.Subject.CommonName, lone.key)
	plainOne := plainCertificate(t, "one", one.key, root.cert.Subject.CommonName)
	otherRoot := newIdentity(t, root.cert.Subject.CommonName, nil).certificate()
	cases := map[string]*bags{
		"the leaf stands last": new(bags).on(t).cert(loneCert, name("trusted"), trust).cert(rootCert).
			cert(oneCert, id([]byte("1"))).key(one, name("key"), id([]byte("1"))),
		"two keys, the leaves crossed": new(bags).on(t).key(one, name("one"), id([]byte("1"))).key(two, name("two"), id([]byte("2"))).
			cert(twoCert, id([]byte("2"))).cert(oneCert, id([]byte("1"))).cert(rootCert),
		"a key and its leaf without localKeyID":    new(bags).on(t).key(lone, name("key")).next().cert(loneCert),
		"a leaf without localKeyID before its key": new(bags).on(t).cert(loneCert).next().key(lone, name("key")),
		"no localKeyID, an issuer first":           new(bags).on(t).key(one, name("key")).next().cert(oneCert).cert(rootCert),
		"no localKeyID, the leaf found by alias":   new(bags).on(t).key(one, name("key"), id([]byte("1"))).cert(rootCert).cert(oneCert, name("KEY")),
		"one localKeyID on two certificates": new(bags).on(t).key(one, name("key"), id([]byte("1"))).
			cert(oneCert, name("key"), id([]byte("1"))).cert(twoCert, name("other"), id([]byte("1"))).cert(rootCert),
		"two certificates with the alias of the key": new(bags).on(t).key(lone, name("key"), id([]byte("1"))).
			cert(rootCert).cert(twoCert, name("key")).cert(loneCert, name("Key")),
		"two issuers with one name": new(bags).on(t).cert(oneCert, id([]byte("1"))).cert(rootCert).cert(otherRoot).
			key(one, name("key"), id([]byte("1"))),
		"two issuers with one name and no identifiers": new(bags).on(t).cert(plainRoot, name("r"), trust).cert(plainOne, id([]byte("1"))).cert(otherPlainRoot).
			key(plain, name("key"), id([]byte("1"))),
		"two issuers without identifiers for one that names one": new(bags).on(t).cert(oneCert, id([]byte("1"))).cert(otherPlainRoot).cert(plainRoot).
			key(one, name("key"), id([]byte("1"))),
		"only an issuer of another key": new(bags).on(t).cert(oneCert, id([]byte("1"))).cert(otherRoot).
			key(one, name("key"), id([]byte("1"))),
		"two issuers with one name, the other way": new(bags).on(t).cert(oneCert, id([]byte("1"))).cert(otherRoot).cert(rootCert).
			key(one, name("key"), id([]byte("1"))),
		"one localKeyID on two certificates without a name": new(bags).on(t).key(two, name("key"), id([]byte("1"))).
			cert(oneCert, id([]byte("1"))).cert(twoCert, id([]byte("1"))).cert(rootCert),
		"entries without names": new(bags).on(t).cert(loneCert, trust).key(one, id([]byte("1"))).cert(oneCert, id([]byte("1"))).
			cert(rootCert, trust).cert(twoCert, trust, name("named")),
		"an alias that stands twice":        new(bags).on(t).cert(oneCert, name("twice"), trust).cert(twoCert, name("TWICE"), trust),
		"certificates that are not trusted": new(bags).on(t).cert(oneCert, name("one")).cert(twoCert).cert(loneCert, name("lone"), trust),
		"an issuer that is trusted":         new(bags).on(t).cert(rootCert, name("root"), trust).cert(oneCert, id([]byte("1"))).key(one, name("key"), id([]byte("1"))),
		"a trusted certificate with the key's ID": new(bags).on(t).cert(oneCert, id([]byte("1"))).cert(rootCert).
			key(one, name("key"), id([]byte("1"))).cert(loneCert, name("l"), id([]byte("1")), trust),
	}
	var files []string
	names := make(map[string]string)
	for name, b := range cases {
		file := write(t, "store", b.file())
		files, names[file] = append(files, file), name
	}
	views := javaViews(t, testPassword, files...)
	for _, file := range files {
		if d := diff(views[file], viewOf(mustOpen(t, readFile(t, file), testPassword).Entries())); d != "" {
			t.Errorf("%s; Java sees something else:\n%s", names[file], d)
		}
	}
}

// plainCertificate is one without extensions; by itself if no issuer is named.
func plainCertificate(t *testing.T, name string, key *ecdsa.PrivateKey, issuer ...string) Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotAfter: time.Now().Add(time.Hour)}
	parent := template
	for _, n := range issuer {
		parent = &x509.Certificate{Subject: pkix.Name{CommonName: n}}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return Certificate{der}
}

func (b *bags) on(t *testing.T) *bags { b.t = t; return b }

func TestDeletingAnAliasThatStandsTwiceDeletesBoth(t *testing.T) {
	one, two := newIdentity(t, "one", nil).certificate(), newIdentity(t, "two", nil).certificate()
	s := mustOpen(t, new(bags).on(t).cert(one, nameAttribute("twice"), trustedAttribute()).cert(two, nameAttribute("twice"), trustedAttribute()).file(), testPassword)
	if err := s.Delete("twice"); err != nil || len(s.Entries()) != 0 {
		t.Errorf("%d entries are left, %v", len(s.Entries()), err)
	}
}

// TestReplacingKeepsTheAttributes: what an entry bears beside its certificate is not ours.
func TestReplacingKeepsTheAttributes(t *testing.T) {
	one, two := newIdentity(t, "one", nil).certificate(), newIdentity(t, "two", nil).certificate()
	own := encodeAttribute("\x2a\x03\x04", encodeElement(tagOctets, []byte("kept")))
	s := mustOpen(t, new(bags).on(t).cert(one, own, nameAttribute("One"), trustedAttribute()).file(), testPassword)
	mustSet(t, s, "one", two)
	data := mustEncode(t, s)
	if s = mustOpen(t, data, testPassword); !bytes.Contains(data, own) || s.Entries()[0].Alias != "One" || len(s.Entries()) != 1 {
		t.Errorf("the attributes were lost, or the alias %q changed", s.Entries()[0].Alias)
	}
}

// TestUnknownBagsAreKept: CRLs, nested safes, certificates of other kinds and bags of no known kind.
func TestUnknownBagsAreKept(t *testing.T) {
	odd := new(bags).on(t).
		add(4, encodeElement(tagSequence), nameAttribute("crl")).
		add(6, encodeElement(tagSequence), nameAttribute("nested")).
		add(bagCertificate, encodeElement(tagSequence, encodeOID(oidPKCS+"\x09\x16\x02"), encodeElement(tagExplicit0))).
		add(99, encodeElement(tagInteger, []byte{1})).
		cert(newIdentity(t, "one", nil).certificate(), nameAttribute("one"), trustedAttribute())
	data := odd.file()
	s := mustOpen(t, data, testPassword)
	if len(s.Entries()) != 5 || s.Entries()[0].Kind != Other || s.Entries()[0].Alias != "crl" {
		t.Errorf("entries %v", s.Entries())
	}
	mustSet(t, s, "crl", newIdentity(t, "two", nil).certificate())
	edited := mustEncode(t, s)
	for _, b := range odd.all {
		if !bytes.Contains(edited, b.raw) {
			t.Errorf("a bag is gone: %x", b.raw)
		}
	}
	// Java does not see the CRL, so its alias is free; what is under it is then the certificate.
	if e, err := mustOpen(t, edited, testPassword).Entry("crl"); err != nil || e.Kind != TrustedCertificate {
		t.Errorf("%v, %v", e.Kind, err)
	}
	if err := s.Delete("nested"); !errors.Is(err, ErrAliasTaken) {
		t.Errorf("delete what is no certificate: %v", err)
	}
}

// TestACertificateThatGoRefusesIsListedAndKept: Java takes a negative serial number, crypto/x509 does not.
func TestACertificateThatGoRefusesIsListedAndKept(t *testing.T) {
	odd := Certificate{bytes.Clone(newIdentity(t, "odd", nil).cert.Raw)}
	serial := bytes.Index(odd.DER, []byte{0xa0, 3, 2, 1, 2, tagInteger}) + 7
	odd.DER[serial] |= 0x80
	if _, err := odd.Parse(); err == nil {
		t.Fatal("crypto/x509 takes it")
	}
	var files []string
	want := view{"odd": "certificate " + odd.Fingerprint().String()}
	for name, o := range quickStores() {
		s := mustNew(t, o)
		mustSet(t, s, "odd", odd)
		data := mustEncode(t, s)
		if d := diff(want, viewOf(mustOpen(t, data, testPassword).Entries())); d != "" {
			t.Errorf("%s:\n%s", name, d)
		}
		files = append(files, write(t, "store", data))
	}
	views := javaViews(t, testPassword, files...)
	for _, file := range files {
		if d := diff(want, views[file]); d != "" {
			t.Errorf("%s, as Java sees it:\n%s", filepath.Base(file), d)
		}
	}
}

func TestTheOnlyKeyNeedsNoName(t *testing.T) {
	s := mixedStore(t, quick(PKCS12))
	if _, err := s.Leaf(""); !errors.Is(err, ErrAliasNotFound) || !bytes.Contains([]byte(err.Error()), []byte(`"server", "other"`)) && !bytes.Contains([]byte(err.Error()), []byte(`"other", "server"`)) {
		t.Errorf("two keys: %v", err)
	}
	if _, err := s.Leaf("root"); !errors.Is(err, ErrAliasNotFound) {
		t.Errorf("a trusted certificate: %v", err)
	}
	if _, err := s.PrivateKey("root", testPassword); !errors.Is(err, ErrAliasNotFound) {
		t.Errorf("the key of a trusted certificate: %v", err)
	}
}

func TestReplacingAKeyTakesItsCertificatesAndNoOthers(t *testing.T) {
	root := newIdentity(t, "root", nil)
	one, two, three := newIdentity(t, "one", &root), newIdentity(t, "two", &root), newIdentity(t, "three", nil)
	s := mustNew(t, quick(PKCS12))
	for alias, id := range map[string]identity{"one": one, "two": two} {
		if err := s.SetKey(alias, id.key, []Certificate{id.certificate(), root.certificate()}, testPassword, testTime()); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.SetKey("ONE", three.key, []Certificate{three.certificate()}, testPassword, testTime()); err != nil {
		t.Fatal(err)
	}
	s = mustOpen(t, mustEncode(t, s), testPassword)
	if e, _ := s.Entry("two"); len(e.Chain) != 2 {
		t.Errorf("the other key has %d certificates", len(e.Chain))
	}
	if e, _ := s.Entry("one"); len(e.Chain) != 1 || e.Chain[0].Fingerprint() != three.certificate().Fingerprint() || !e.Created.Equal(testTime()) && e.Created.Sub(testTime()) > 3e6 {
		t.Errorf("the key has %d certificates, created %s", len(e.Chain), e.Created)
	}
	if bytes.Contains(s.codec.(*pkcs12).safes[1].raw, one.cert.Raw) || len(s.Entries()) != 2 {
		t.Errorf("something is left over: %v", viewOf(s.Entries()))
	}
}

func TestFingerprints(t *testing.T) {
	const colons = "9B:F7:82:53:A0:CB:31:54:D7:F6:1E:53:A2:62:FA:E1:2C:2D:A7:E0:0C:B2:60:3E:EB:1B:D6:09:3A:F9:81:FE"
	for _, text := range []string{colons, "9bf78253a0cb3154d7f61e53a262fae12c2da7e00cb2603eeb1bd6093af981fe"} {
		f, err := ParseFingerprint(text)
		if err != nil || f.String() != colons || f.Short() != "9bf78253" {
			t.Errorf("%s was read as %s (%s), %v", text, f, f.Short(), err)
		}
	}
	for _, text := range []string{"", "9B", colons + ":00", colons[:len(colons)-1], "9BF7:82:53" + colons[10:], colons[:3] + "G" + colons[4:], ":" + colons[1:]} {
		if f, err := ParseFingerprint(text); err == nil {
			t.Errorf("%q was read as %s", text, f)
		}
	}
}

// TestSafesNotConcernedStayAsTheyAre: also their encrypted bytes, which a fresh salt would change.
func TestSafesNotConcernedStayAsTheyAre(t *testing.T) {
	s := mustNew(t, quick(PKCS12))
	p := s.codec.(*pkcs12)
	for _, names := range [][]string{{"one"}, {"two"}, {"three"}} {
		b := new(bags).on(t).cert(newIdentity(t, names[0], nil).certificate(), nameAttribute(names[0]), trustedAttribute())
		p.safes = append(p.safes, &safe{scheme: p.certScheme, prefix: encodeInteger(0), bags: b.all})
	}
	data := mustEncode(t, s)
	s = mustOpen(t, data, testPassword)
	mustSet(t, s, "two", newIdentity(t, "new", nil).certificate())
	edited := mustEncode(t, s)
	before, after := mustOpen(t, data, testPassword).codec.(*pkcs12), mustOpen(t, edited, testPassword).codec.(*pkcs12)
	for i, concerned := range []bool{false, true, false} {
		if same := bytes.Equal(before.safes[i].raw, after.safes[i].raw); same == concerned {
			t.Errorf("safe %d: concerned %t, same bytes %t", i, concerned, same)
		}
	}
	if again := mustEncode(t, s); !bytes.Equal(again, edited) {
		t.Error("two calls of Encode give other bytes")
	}
	if bytes.Equal(mustEncode(t, mustOpen(t, data, testPassword)), edited) {
		t.Error("the edit changed nothing")
	}
}

// TestEveryEncodingHasItsOwnMAC: also after an edit of a store that was encoded before.
func TestEveryEncodingHasItsOwnMAC(t *testing.T) {
	s := mustNew(t, quick(PKCS12))
	for n, name := range []string{"one", "two", "three"} {
		mustSet(t, s, name, newIdentity(t, name, nil).certificate())
		if got := mustOpen(t, mustEncode(t, s), testPassword).Entries(); len(got) != n+1 {
			t.Errorf("%d entries after %d edits", len(got), n+1)
		}
	}
}

func TestBytesBehindPKCS12AreKept(t *testing.T) {
	s := mustNew(t, quick(PKCS12))
	mustSet(t, s, "one", newIdentity(t, "one", nil).certificate())
	s = mustOpen(t, append(mustEncode(t, s), "\n\n"...), testPassword)
	mustSet(t, s, "two", newIdentity(t, "two", nil).certificate())
	if data := mustEncode(t, s); !bytes.HasSuffix(data, []byte("\n\n")) || len(mustOpen(t, data, testPassword).Entries()) != 2 {
		t.Error("they were lost")
	}
}

func TestOptionsThatMakeNoStoreAreRefused(t *testing.T) {
	for name, o := range map[string]Options{
		"no format":         {},
		"a format":          {Format: "JCEKS"},
		"a MAC":             {Format: PKCS12, MAC: "MD5"},
		"an encryption":     {Format: PKCS12, Certificates: "RC4"},
		"a password in JKS": {Format: JKS, Password: "日本"},
	} {
		if _, err := New(o); !errors.Is(err, ErrFormat) && !errors.Is(err, ErrPassword) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, o := range map[string]Options{
		"too many rounds":    {Format: PKCS12, KeyRounds: 1_000_001},
		"less than no round": {Format: PKCS12, MACRounds: -1},
	} {
		if _, err := New(o); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
