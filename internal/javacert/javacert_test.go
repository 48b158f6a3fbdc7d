package javacert

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/remedy"
)

// TestWhatJavaRefusesIsRefused has the classes of faults that made whole truststores unreadable.
func TestWhatJavaRefusesIsRefused(t *testing.T) {
	none := func(*x509.Certificate) {}
	setKey := func(n, e string) func(*node) {
		return func(tree *node) { *tree.field(fieldKey) = rsaKey(n, e) }
	}
	critical := func(oid, value string) func(*node) {
		return func(tree *node) {
			list := tree.extensions()
			list.children = slices.DeleteFunc(list.children, func(e *node) bool { return string(e.children[0].body) == oid })
			list.children = append(list.children, constructed(tagSequence, primitive(tagOID, oid), primitive(tagBoolean, "\xff"), primitive(tagOctets, value)))
		}
	}
	big := strings.Repeat("\x5b", 256)
	for name, c := range map[string]struct {
		change func(*x509.Certificate)
		edit   func(*node)
		is     error
		want   string
	}{
		"an empty issuer":                  {none, func(n *node) { *n.field(fieldIssuer) = constructed(tagSequence) }, ErrRefused, "its issuer has no name"},
		"an empty subject":                 {none, func(n *node) { *n.field(fieldSubject) = constructed(tagSequence) }, ErrUnlisted, "no critical subject alternative name"},
		"an empty subject in version 1":    {none, func(n *node) { asVersion1(n); n.tbs().children[4] = constructed(tagSequence) }, ErrRefused, "its subject has no name"},
		"a short RSA key":                  {none, setKey(strings.Repeat("\x5b", 32), "\x03"), ErrRefused, "its RSA key has 255 bits"},
		"a weak RSA key":                   {none, setKey(strings.Repeat("\x5b", 127), "\x03"), ErrUnlisted, "its RSA key has 1015 bits"},
		"a huge RSA key":                   {none, setKey(strings.Repeat("\x5b", 300_000/8), "\x03"), ErrRefused, "its RSA key has 299999 bits"},
		"an exponent of 1":                 {none, setKey(big, "\x01"), ErrRefused, "exponent of its RSA key is 1"},
		"an even exponent":                 {none, setKey(big, "\x04"), ErrUnlisted, "even"},
		"a huge exponent":                  {none, setKey(big, "\x01\x00\x00\x00\x01"), ErrUnlisted, "exponent of its RSA key has 5 bytes"},
		"a modulus that is not in DER":     {none, setKey("\x00"+big, "\x03"), ErrUnlisted, "not in DER"},
		"a critical usage without a value": {none, critical(oidKeyUsage, ""), ErrRefused, "2.5.29.15 is empty"},
		"garbage in critical constraints":  {none, critical(oidBasicConstraints, "garbage"), ErrRefused, "2.5.29.19 is empty, or of another type"},
		"a critical alternative issuer":    {none, critical(oidExtension+"\x12", "garbage"), ErrUnlisted, "critical extension 2.5.29.18"},
		"a critical extension not known":   {none, critical("\x2a\x03\x04", "\x05\x00"), ErrUnlisted, "critical extension 1.2.3.4"},
		"a usage that is not well-formed":  {none, critical(oidKeyUsage, "\x03\x02\x09\x80"), ErrUnlisted, "2.5.29.15 has a form"},
		"an extension twice":               {none, func(n *node) { l := n.extensions(); l.children = append(l.children, l.children[0]) }, ErrUnlisted, "2.5.29.15 twice"},
		"no extension in the list":         {none, func(n *node) { n.extensions().children = []*node{} }, ErrUnlisted, "there are none in it"},
		"extensions in version 1":          {none, func(n *node) { n.tbs().children = n.tbs().children[1:] }, ErrRefused, "version 1"},
		"version 2":                        {none, func(n *node) { n.tbs().children[0].children[0].body = []byte{1} }, ErrUnlisted, "another X.509 version"},
		"a key for DSA": {none, func(n *node) {
			(*n.field(fieldKey)).children[0].children[0].body = []byte{0x2a, 0x86, 0x48, 0xce, 0x38, 4, 1}
		}, ErrUnlisted, "not for RSA"},
		"a point that is not on its curve": {none, func(n *node) { b := (*n.field(fieldKey)).children[1]; b.body = slices.Clone(b.body); b.body[40] ^= 1 }, ErrUnlisted, "its EC key"},
		"two signature algorithms":         {none, func(n *node) { *n.field(fieldAlgorithm) = signatureAlgorithms()["Ed25519"]() }, ErrUnlisted, "another signature algorithm"},
		"a name that is not text": {none, func(n *node) {
			*n.field(fieldIssuer) = constructed(tagSequence, attribute("\x55\x04\x03", tagInteger, "\x01"))
		}, ErrUnlisted, "its issuer"},
		"a text that is not in its letters": {none, func(n *node) {
			*n.field(fieldIssuer) = constructed(tagSequence, attribute("\x55\x04\x03", tagUTF8, "\xff"))
		}, ErrUnlisted, "its issuer"},
		"the 30th of February": {none, func(n *node) { (*n.field(fieldValidity)).children[0].body = []byte("260230000000Z") }, ErrUnlisted, "validity"},
		"a long serial number": {none, func(n *node) { *n.field(0) = primitive(tagInteger, strings.Repeat("\x01", 65)) }, ErrUnlisted, "serial number has 65 bytes"},
		"a length in a long form": {none, func(n *node) {
			(*n.field(fieldIssuer)).wrong = func(h []byte) []byte { return []byte{h[0], 0x81, h[1]} }
		}, ErrUnlisted, "shortest form"},
		"a certificate that is too long": {func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: []int{1, 2, 3}, Value: make([]byte, maxBytes)}}
		}, func(*node) {}, ErrUnlisted, "more than 65536"},
	} {
		err := Check(makeCertificate(t, c.change, c.edit))
		if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "certificate SHA-256 ") {
			t.Errorf("%s: %v, want %v and %q", name, err, c.is, c.want)
		}
	}
}

func TestARefusedCertificateHasAHint(t *testing.T) {
	err := Check(makeCertificate(t, func(*x509.Certificate) {}, func(n *node) { *n.field(fieldIssuer) = constructed(tagSequence) }))
	if err == nil {
		t.Fatal("it is accepted")
	}
	text, remedies := remedy.Split(err)
	if want := []string{"have the certificate issued again without that"}; !slices.Equal(remedies, want) || strings.Contains(text, "issued again") {
		t.Errorf("text %q, remedies %q; want %q", text, remedies, want)
	}
}

// TestAGoodCertificateIsWhole: neither a part of it is accepted, nor anything behind it.
func TestAGoodCertificateIsWhole(t *testing.T) {
	der := Corpus(t)[0].DER
	for n := range der {
		if Check(der[:n]) == nil {
			t.Errorf("%d of its %d bytes are accepted", n, len(der))
		}
	}
	if Check(append(slices.Clone(der), 0)) == nil {
		t.Error("a byte behind it is accepted")
	}
}

// TestCheckOfAHugeKeyDoesNotCalculate counts allocations, for a time depends on the machine: numbers are not even made.
func TestCheckOfAHugeKeyDoesNotCalculate(t *testing.T) {
	der := makeCertificate(t, func(*x509.Certificate) {}, func(n *node) {
		*n.field(fieldKey) = rsaKey(strings.Repeat("\x5b", 60_000), strings.Repeat("\x5b", 1000))
	})
	if Check(der) == nil {
		t.Fatal("a key of 479,999 bits is accepted")
	}
	allocations := testing.AllocsPerRun(10, func() { Check(der) })
	if allocations > 30 {
		t.Errorf("%v allocations", allocations)
	}
}

// FuzzCheck looks for inputs that end in a panic, or in an error that says nothing or too much.
func FuzzCheck(f *testing.F) {
	for _, c := range Corpus(f) {
		f.Add(c.DER)
	}
	f.Fuzz(func(t *testing.T, der []byte) {
		before := bytes.Clone(der)
		err := Check(der)
		if !bytes.Equal(before, der) {
			t.Error("the certificate was changed")
		}
		if err == nil {
			if Check(append(bytes.Clone(der), 0)) == nil {
				t.Error("what is behind it was not looked at")
			}
			return
		}
		if errors.Is(err, ErrRefused) == errors.Is(err, ErrUnlisted) {
			t.Errorf("an error of no class, or of both: %v", err)
		}
		if len(err.Error()) > 600 {
			t.Errorf("an error of %d bytes", len(err.Error()))
		}
	})
}

func BenchmarkCheck(b *testing.B) {
	der := Corpus(b)[0].DER
	for b.Loop() {
		if err := Check(der); err != nil {
			b.Fatal(err)
		}
	}
}
