package keystore

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/javacert"
	"wso2agent/internal/remedy"
)

const testPassword = "changeit"

// quick is a store that opens without spending time on derivations.
func quick(format Format) Options {
	return Options{Format: format, Password: testPassword, MACRounds: 1, CertificateRounds: 1, KeyRounds: 1}
}

func quickStores() map[string]Options {
	plain := quick(PKCS12)
	plain.MAC, plain.Certificates = NoMAC, Clear
	return map[string]Options{"JKS": quick(JKS), "PKCS12": quick(PKCS12), "PKCS12 in the clear": plain}
}

// errorKinds are all errors that callers tell apart; Open gives no other.
func errorKinds() []error {
	return []error{ErrFormat, ErrPassword, ErrDamaged, ErrTorn, ErrTooLarge, ErrAliasTaken, ErrAliasNotFound}
}

func TestBadInputIsNamedForWhatItIs(t *testing.T) {
	jksHeader := "\xfe\xed\xfe\xed\x00\x00\x00\x02"
	for name, c := range map[string]struct {
		data string
		want error
	}{
		"nothing":                      {"", ErrTorn},
		"the first byte of PKCS#12":    {"\x30", ErrTorn},
		"the start of PKCS#12":         {"\x30\x82\x10\x00\x02\x01\x03", ErrTorn},
		"two bytes of JKS":             {"\xfe\xed", ErrTorn},
		"JCEKS":                        {"\xce\xce\xce\xce\x00\x00\x00\x02\x00\x00\x00\x00", ErrFormat},
		"PEM":                          {"-----BEGIN CERTIFICATE-----\n", ErrFormat},
		"text":                         {"password=wso2carbon\n", ErrFormat},
		"digits":                       {"0123456789", ErrFormat},
		"PKCS#12 of version 1":         {"\x30\x03\x02\x01\x01", ErrFormat},
		"PKCS#12 that ends early":      {"\x30\x03\x02\x01\x03", ErrDamaged},
		"PKCS#12 without an end":       {"\x30\x80\x02\x01\x03", ErrTorn},
		"JKS of version 3":             {"\xfe\xed\xfe\xed\x00\x00\x00\x03\x00\x00\x00\x00", ErrFormat},
		"JKS without a digest":         {jksHeader + "\x00\x00\x00\x00", ErrTorn},
		"JKS with a number too large":  {jksHeader + "\x7f\xff\xff\xff", ErrTooLarge},
		"JKS with an entry too many":   {jksHeader + "\x00\x00\x00\x02" + strings.Repeat("\x00", 4), ErrTorn},
		"JKS with an unknown entry":    {jksHeader + "\x00\x00\x00\x01\x00\x00\x00\x09" + strings.Repeat("\x00", 40), ErrDamaged},
		"JKS with a chain beyond it":   {jksHeader + "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00" + strings.Repeat("\x00", 12) + "\x7f\xff\xff\xff", ErrTorn},
		"JKS with a key beyond it":     {jksHeader + "\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00" + strings.Repeat("\x00", 8) + "\xff\xff\xff\xff", ErrTorn},
		"JKS with an alias in Latin-1": {jksHeader + "\x00\x00\x00\x01\x00\x00\x00\x02\x00\x01\xe9" + strings.Repeat("\x00", 60), ErrDamaged},
	} {
		if _, err := Open([]byte(c.data), testPassword); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func TestAStoreThatNeedsConversionHasAHint(t *testing.T) {
	jks := mustEncode(t, mixedStore(t, Options{Format: JKS}))
	for name, c := range map[string]struct {
		data     []byte
		password string
		want     error
		hint     string
	}{
		"JCEKS":                              {[]byte("\xce\xce\xce\xce\x00\x00\x00\x02"), testPassword, ErrFormat, "keytool -importkeystore -deststoretype PKCS12"},
		"a JKS password beyond Latin-1":      {jks, "\u0151", ErrPassword, "keytool -importkeystore -deststoretype PKCS12"},
		"more BER than the agent translates": {sealedFile(t, toBER(t, encodeElement(tagSequence, encodeElement(tagOctets, make([]byte, maxBER))), maxBytes)), testPassword, ErrTooLarge, "rewrite it in DER"},
	} {
		_, err := Open(c.data, c.password)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
			continue
		}
		if text, remedies := remedy.Split(err); strings.Contains(text, c.hint) || !strings.Contains(strings.Join(remedies, "; "), c.hint) {
			t.Errorf("%s: text %q, remedies %q; want %q in a remedy", name, text, remedies, c.hint)
		}
	}
}

func TestACertificateIsNotTakenForAStore(t *testing.T) {
	if _, err := Open(newIdentity(t, "one", nil).cert.Raw, testPassword); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func TestEveryCutOffStoreIsTorn(t *testing.T) {
	for name, o := range quickStores() {
		data := mustEncode(t, mixedStore(t, o))
		for n := range data {
			if _, err := Open(data[:n], testPassword); !errors.Is(err, ErrTorn) {
				t.Fatalf("%s: %d of %d bytes: %v", name, n, len(data), err)
			}
		}
	}
}

func TestAChangedByteIsNeverMoreThanAnError(t *testing.T) {
	for name, o := range quickStores() {
		whole := mixedStore(t, o)
		data := mustEncode(t, whole)
		for i := range data {
			bad := bytes.Clone(data)
			bad[i] ^= 0x55
			s, err := Open(bad, testPassword)
			if err == nil && o.MAC != NoMAC && diff(viewOf(whole.Entries()), viewOf(s.Entries())) != "" {
				t.Errorf("%s: byte %d of %d changes the content unnoticed", name, i, len(data))
			}
			if err == nil {
				if !bytes.Equal(mustEncode(t, s), bad) {
					t.Errorf("%s: byte %d was changed back", name, i)
				}
				continue
			}
			known := false
			for _, kind := range errorKinds() {
				known = known || errors.Is(err, kind)
			}
			if !known || strings.Contains(err.Error(), testPassword) {
				t.Errorf("%s: byte %d: %v", name, i, err)
			}
		}
	}
}

func TestAWrongPasswordIsToldFromDamage(t *testing.T) {
	for name, o := range quickStores() {
		if o.MAC == NoMAC {
			continue
		}
		data := mustEncode(t, mixedStore(t, o))
		for _, wrong := range []string{"", "changeit ", "größe"} {
			if _, err := Open(data, wrong); !errors.Is(err, ErrPassword) {
				t.Errorf("%s with a wrong password: %v", name, err)
			}
		}
		// The end of JKS is its digest; a certificate of PKCS#12 lies somewhere before the MAC.
		at := len(data) - 1
		if o.Format == PKCS12 {
			at = len(data) / 2
		}
		data[at] ^= 1
		if _, err := Open(data, testPassword); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s with a changed byte: %v", name, err)
		}
	}
}

func TestAnEncryptedStoreWithoutMACKnowsAWrongPassword(t *testing.T) {
	o := quick(PKCS12)
	o.MAC = NoMAC
	data := mustEncode(t, mixedStore(t, o))
	mustOpen(t, data, testPassword)
	for _, wrong := range []string{"", "a", "b", "c", "d"} {
		if _, err := Open(data, wrong); !errors.Is(err, ErrPassword) {
			t.Errorf("%q: %v", wrong, err)
		}
	}
}

func TestTheKeyHasAPasswordOfItsOwn(t *testing.T) {
	for name, o := range quickStores() {
		id := newIdentity(t, "one", nil)
		s := mustNew(t, o)
		if err := s.SetKey("one", id.key, []Certificate{id.certificate()}, "another", testTime()); err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Store{s, mustOpen(t, mustEncode(t, s), testPassword)} {
			if key, err := s.PrivateKey("", "another"); err != nil || !id.key.Equal(key) {
				t.Errorf("%s: %v", name, err)
			}
			if _, err := s.PrivateKey("one", testPassword); !errors.Is(err, ErrPassword) {
				t.Errorf("%s with the store's password: %v", name, err)
			}
		}
	}
}

// withRounds makes a store whose file announces these numbers of rounds.
func withRounds(t *testing.T, mac, safe, key int) []byte {
	t.Helper()
	s := mustNew(t, quick(PKCS12))
	id := newIdentity(t, "one", nil)
	if err := s.SetKey("one", id.key, []Certificate{id.certificate()}, testPassword, testTime()); err != nil {
		t.Fatal(err)
	}
	mustEncode(t, s)
	p := s.codec.(*pkcs12)
	// Written by hand: the package itself refuses to write what it refuses to read.
	sealed := encodeElement(tagSequence, encodeOID(oidData), algorithmWith(p.certScheme, safe), encodeElement(tagImplicit0, make([]byte, 16)))
	info := encodeElement(tagSequence, algorithmWith(p.keyScheme, key), encodeElement(tagOctets, make([]byte, 16)))
	b, _ := assembleBag(bagShroudedKey, info, nil)
	raw := b.raw
	if raw == nil { // refused, but the bytes are needed
		raw = encodeElement(tagSequence, encodeOID(oidBag+"\x02"), encodeElement(tagExplicit0, info))
	}
	content := encodeElement(tagSequence,
		contentInfo(oidData, encodeElement(tagOctets, encodeElement(tagSequence, raw))),
		contentInfo(oidEncryptedData, encodeElement(tagSequence, encodeInteger(0), sealed)))
	digest := encodeElement(tagSequence, p.mac.algorithm, encodeElement(tagOctets, make([]byte, 32)))
	macData := encodeElement(tagSequence, digest, encodeElement(tagOctets, []byte("salt")), encodeInteger(mac))
	return encodeElement(tagSequence, encodeInteger(3), contentInfo(oidData, encodeElement(tagOctets, content)), macData)
}

func algorithmWith(s *scheme, rounds int) []byte {
	changed := *s
	changed.kdf.rounds = rounds
	changed.iv = make([]byte, 16)
	return changed.algorithm()
}

func TestTooManyRoundsAreRefusedBeforeAnyIsSpent(t *testing.T) {
	for name, c := range map[string]struct {
		mac, safe, key int
		want           error
	}{
		"as many as allowed": {1, 1, 999_998, ErrPassword},
		"one in all more":    {1, 1, 999_999, ErrTooLarge},
		"one in the MAC":     {1_000_001, 1, 1, ErrTooLarge},
		"one in a safe":      {1, 1_000_001, 1, ErrTooLarge},
		"hours in the MAC":   {1 << 36, 1, 1, ErrTooLarge},
		"hours in a safe":    {1, 1 << 36, 1, ErrTooLarge},
		"in a key":           {1, 1, 1 << 40, ErrTooLarge},
		"in all":             {400_000, 400_000, 400_000, ErrTooLarge},
		"none":               {0, 1, 1, ErrDamaged},
		"beyond any number":  {1, 1 << 60, 1, ErrTooLarge},
	} {
		data := withRounds(t, c.mac, c.safe, c.key)
		start := time.Now()
		_, err := Open(data, testPassword)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
		if spent := time.Since(start); spent > 30*time.Second {
			t.Errorf("%s: refused after %s", name, spent)
		}
	}
	// The sum is known only when there is something to encrypt.
	s := mustNew(t, Options{Format: PKCS12, Password: testPassword, MACRounds: 600_000, CertificateRounds: 600_000})
	mustSet(t, s, "one", newIdentity(t, "one", nil).certificate())
	if _, err := s.Encode(); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a store that could not be opened again is written: %v", err)
	}
}

func TestSizesAreCapped(t *testing.T) {
	if _, err := Open(make([]byte, maxBytes+1), testPassword); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a byte too much: %v", err)
	}
	secret := encodeElement(tagSequence, encodeOID(oidBag+"\x05"), encodeElement(tagExplicit0))
	if _, err := Open(clearFile(bytes.Repeat(secret, maxEntries)), testPassword); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an entry too many in PKCS#12: %v", err)
	}
	jks := []byte("\xfe\xed\xfe\xed\x00\x00\x00\x02\x00\x00\x00\x01\x00\x00\x00\x01\x00\x00")
	jks = append(jks, make([]byte, 8+4)...)
	jks = binary.BigEndian.AppendUint32(jks, maxEntries)
	jks = append(jks, make([]byte, 6*(maxEntries+1)+20)...)
	if _, err := Open(jks, testPassword); !errors.Is(err, ErrTooLarge) {
		t.Errorf("an entry too many in JKS: %v", err)
	}
}

func TestWhatIsNoCertificateIsNotAdded(t *testing.T) {
	good := newIdentity(t, "one", nil)
	for name, der := range map[string][]byte{
		"nothing":          nil,
		"text":             []byte("-----BEGIN CERTIFICATE-----"),
		"a cut one":        good.cert.Raw[:100],
		"one and more":     append(bytes.Clone(good.cert.Raw), 0),
		"a sequence":       {0x30, 0},
		"only its content": good.cert.RawTBSCertificate,
	} {
		s := mustNew(t, quick(PKCS12))
		if err := s.SetTrusted("one", Certificate{der}, testTime()); !errors.Is(err, javacert.ErrUnlisted) || errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.SetKey("one", good.key, []Certificate{{der}}, testPassword, testTime()); !errors.Is(err, javacert.ErrUnlisted) {
			t.Errorf("%s with a key: %v", name, err)
		}
		if len(s.Entries()) != 0 {
			t.Errorf("%s was added", name)
		}
	}
}

func TestAKeyNeedsItsOwnCertificate(t *testing.T) {
	one, two := newIdentity(t, "one", nil), newIdentity(t, "two", nil)
	s := mustNew(t, quick(PKCS12))
	if err := s.SetKey("one", one.key, []Certificate{two.certificate()}, testPassword, testTime()); !errors.Is(err, ErrFormat) {
		t.Errorf("another key's certificate: %v", err)
	}
	if err := s.SetKey("one", one.key, nil, testPassword, testTime()); !errors.Is(err, ErrFormat) {
		t.Errorf("no certificate: %v", err)
	}
	mustSet(t, s, "two", two.certificate())
	if err := s.SetKey("TWO", one.key, []Certificate{one.certificate()}, testPassword, testTime()); !errors.Is(err, ErrAliasTaken) {
		t.Errorf("alias of a trusted certificate: %v", err)
	}
}

func TestBadAliasesAreRefused(t *testing.T) {
	cert := newIdentity(t, "one", nil).certificate()
	for _, alias := range []string{"", "\xff", strings.Repeat("a", maxAlias+1)} {
		for _, format := range []Format{JKS, PKCS12} {
			if err := mustNew(t, quick(format)).SetTrusted(alias, cert, testTime()); err == nil {
				t.Errorf("%s: alias of %d bytes is taken", format, len(alias))
			}
		}
	}
}

func TestAKeyOfAMegabyteIsRefused(t *testing.T) {
	info := encodeElement(tagSequence, newScheme(oidAES+"\x2a", false, 1).withIV().algorithm(), encodeElement(tagOctets, make([]byte, 1<<20)))
	b := new(bags).on(t).add(bagShroudedKey, info, nameAttribute("key"))
	if _, err := mustOpen(t, b.file(), testPassword).PrivateKey("key", testPassword); !errors.Is(err, ErrTooLarge) {
		t.Error(err)
	}
}

func (s *scheme) withIV() *scheme { s.iv = make([]byte, s.cipher.ivSize); return s }
