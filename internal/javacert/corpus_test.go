package javacert

import (
	"crypto/ecdh"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// Named is a certificate and what is special about it.
type Named struct {
	Name string
	DER  []byte
}

// Corpus are certificates of every form that is on the list. They are the same in every run: the keys are
// fixed, the signatures deterministic, or those of other algorithms, which nobody verifies here.
func Corpus(t testing.TB) (all []Named) {
	t.Helper()
	add := func(name string, change func(*x509.Certificate), edits ...func(*node)) {
		all = append(all, Named{name, makeCertificate(t, change, edits...)})
	}
	none := func(*x509.Certificate) {}
	add("a leaf", none)
	add("a CA", func(c *x509.Certificate) {
		c.IsCA, c.MaxPathLen, c.KeyUsage = true, 2, x509.KeyUsageCertSign|x509.KeyUsageCRLSign
	})
	add("a CA without limits", func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.SubjectKeyId = true, x509.KeyUsageDecipherOnly, []byte{1, 2}
	})
	add("all names", func(c *x509.Certificate) {
		c.IPAddresses = []net.IP{{10, 0, 0, 1}, net.ParseIP("fd00::1")}
		c.EmailAddresses = []string{"a@example.com"}
		c.URIs = []*url.URL{{Scheme: "spiffe", Host: "example.com", Path: "/ns/a"}}
	})
	add("no subject", func(c *x509.Certificate) { // Go makes the names critical then
		c.Subject = pkix.Name{}
		c.IPAddresses = []net.IP{{10, 0, 0, 1}}
		c.EmailAddresses = []string{"a@example.com"}
		c.URIs = []*url.URL{{Scheme: "https", Host: "a.example.com", Path: "/x"}}
	})
	add("name constraints", func(c *x509.Certificate) {
		c.IsCA, c.PermittedDNSDomainsCritical = true, true
		c.PermittedDNSDomains, c.ExcludedDNSDomains = []string{"example.com"}, []string{".a.example.com"}
		c.PermittedIPRanges = []*net.IPNet{{IP: net.IP{10, 0, 0, 0}, Mask: net.CIDRMask(8, 32)}}
		c.PermittedEmailAddresses, c.ExcludedEmailAddresses = []string{"example.com"}, []string{"a@example.com", ".b.com"}
	})
	add("usages and where to ask", func(c *x509.Certificate) {
		c.ExtKeyUsage, c.UnknownExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning), []asn1.ObjectIdentifier{{1, 2, 3, 4}}
		c.OCSPServer, c.IssuingCertificateURL = []string{"http://ocsp.example.com"}, []string{"http://a.example.com/ca.crt"}
		c.CRLDistributionPoints, c.AuthorityKeyId = []string{"http://a.example.com/a.crl"}, []byte{1, 2, 3}
	})
	add("policies", func(c *x509.Certificate) {
		c.ExtraExtensions = policyExtensions(true)
	})
	add("policies that are not critical", func(c *x509.Certificate) { c.ExtraExtensions = policyExtensions(false) })
	add("extensions that nobody reads", func(c *x509.Certificate) {
		for i, oid := range []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 11129, 2, 4, 2}, {2, 16, 840, 1, 113730, 1, 1}, {2, 16, 840, 1, 113730, 1, 13}, {2, 5, 29, 16}, {2, 5, 29, 18}, {1, 3, 6, 1, 5, 5, 7, 48, 1, 5}, {1, 3, 6, 1, 5, 5, 7, 1, 24}} {
			value := [][]byte{{4, 1, 0}, {3, 2, 6, 0x40}, {0x16, 1, 'a'}, {0x30, 0}, {0x30, 3, 0x82, 1, 'a'}, {5, 0}, {0x30, 3, 2, 1, 5}}[i]
			c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: oid, Value: value})
		}
	})
	add("a long life", func(c *x509.Certificate) {
		c.NotBefore, c.NotAfter = time.Date(1960, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	})
	add("texts of all kinds", none, func(n *node) {
		*n.field(fieldSubject) = constructed(tagSequence,
			attribute("\x55\x04\x06", tagPrintable, "DE"), attribute("\x55\x04\x0a", tagUTF8, "Größe 日本"), attribute("\x55\x04\x0b", tagT61, "T\xe9l\xe9"),
			attribute("\x55\x04\x03", tagBMP, "\x00a\x00b"), attribute("\x09\x92\x26\x89\x93\xf2\x2c\x64\x01\x19", tagIA5, "example"),
			attribute("\x55\x04\x05", tagNumeric, "123"), attribute(oidPKCS1[:7]+"\x09\x01", tagIA5, "a@example.com"))
	})
	add("two attributes in one place", none, func(n *node) {
		pair := attribute("\x55\x04\x03", tagUTF8, "a")
		pair.children = append(pair.children, attribute("\x55\x04\x0b", tagUTF8, "").children...)
		*n.field(fieldIssuer) = constructed(tagSequence, pair)
	})
	add("unique identifiers", none, func(n *node) {
		at := len(n.tbs().children) - 1
		n.tbs().children = slices.Insert(n.tbs().children, at, primitive(tagUniqueIssuer, "\x00\x01\x02"), primitive(tagUniqueSubject, "\x04\x10"))
	})
	add("version 1", none, asVersion1)
	add("a negative serial number", none, func(n *node) { *n.field(0) = primitive(tagInteger, "\x80\x01\x02") })
	for name, key := range keys() {
		add("a key of "+name, none, func(n *node) { *n.field(fieldKey) = key() })
	}
	for name, algorithm := range signatureAlgorithms() {
		add("signed with "+name, none, func(n *node) {
			*n.field(fieldAlgorithm) = algorithm()
			n.children[1] = algorithm()
		})
	}
	slices.SortFunc(all, func(a, b Named) int { return strings.Compare(a.Name, b.Name) }) // maps have no order
	return all
}

func attribute(oid string, tag byte, text string) *node {
	return constructed(tagSet, constructed(tagSequence, primitive(tagOID, oid), primitive(tag, text)))
}

func asVersion1(n *node) {
	n.tbs().children = n.tbs().children[1:7]
}

func policyExtensions(critical bool) []pkix.Extension {
	policy := func(parts ...*node) *node {
		return constructed(tagSequence, append([]*node{primitive(tagOID, "\x2a\x03\x04")}, parts...)...)
	}
	cps := constructed(tagSequence, primitive(tagOID, "\x2b\x06\x01\x05\x05\x07\x02\x01"), primitive(tagIA5, "http://example.com/cps"))
	notice := constructed(tagSequence, primitive(tagOID, "\x2b\x06\x01\x05\x05\x07\x02\x02"), constructed(tagSequence, primitive(tagUTF8, "a notice")))
	values := map[int]*node{
		32: constructed(tagSequence, policy(), policy(constructed(tagSequence, cps, notice))),
		33: constructed(tagSequence, policy(primitive(tagOID, "\x2a\x03\x05"))),
		36: constructed(tagSequence, primitive(0x80, "\x00"), primitive(0x81, "\x02")),
		54: primitive(tagInteger, "\x03"),
	}
	var all []pkix.Extension
	for _, id := range []int{32, 33, 36, 54} {
		all = append(all, pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, id}, Critical: critical, Value: values[id].encode()})
	}
	return all
}

// keys are public keys by their kind.
func keys() map[string]func() *node {
	all := map[string]func() *node{}
	for name, size := range map[string]int{"RSA 1024": 128, "RSA 2048": 256, "RSA 4096": 512, "RSA 16384": 2048} {
		all[name] = func() *node { return rsaKey(strings.Repeat("\x5b", size-1)+"\x5b", "\x01\x00\x01") }
		if size != 256 {
			all[name] = func() *node { return rsaKey("\x00"+strings.Repeat("\xd3", size), "\x03") }
		}
	}
	for name, c := range map[string]struct {
		curve ecdh.Curve
		size  int
		oid   string
	}{"P-384": {ecdh.P384(), 48, oidP384}, "P-521": {ecdh.P521(), 66, oidP521}} {
		key, err := c.curve.NewPrivateKey(append(make([]byte, c.size-1), 7))
		if err != nil {
			panic(err) // 7 is a key
		}
		all[name] = func() *node {
			return constructed(tagSequence, constructed(tagSequence, primitive(tagOID, oidEC), primitive(tagOID, c.oid)),
				primitive(tagBitString, "\x00"+string(key.PublicKey().Bytes())))
		}
	}
	for name, c := range map[string]struct {
		oid  string
		size int
	}{"Ed25519": {oidEd25519, 32}, "Ed448": {oidEd448, 57}} {
		all[name] = func() *node {
			return constructed(tagSequence, constructed(tagSequence, primitive(tagOID, c.oid)), primitive(tagBitString, "\x00"+strings.Repeat("\x11", c.size)))
		}
	}
	return all
}

func signatureAlgorithms() map[string]func() *node {
	all := map[string]func() *node{}
	for name, oid := range map[string]string{"RSA with MD5": rsaMD5, "RSA with SHA-1": rsaSHA1, "RSA with SHA-256": oidPKCS1 + "\x0b"} {
		all[name] = func() *node { return constructed(tagSequence, primitive(tagOID, oid), primitive(tagNull, "")) }
		all[name+", without parameters"] = func() *node { return constructed(tagSequence, primitive(tagOID, oid)) }
	}
	for name, oid := range map[string]string{"ECDSA with SHA-1": oidECDSA + "\x01", "ECDSA with SHA-512": oidECDSA + "\x03\x04", "Ed25519": oidEd25519, "Ed448": oidEd448} {
		all[name] = func() *node { return constructed(tagSequence, primitive(tagOID, oid)) }
	}
	for name, parameters := range map[string][]*node{"PSS": {primitive(tagNull, "")}, "PSS, without parameters of the hash": nil} {
		all[name] = func() *node {
			hash := constructed(tagSequence, append([]*node{primitive(tagOID, oidSHA2+"\x01")}, parameters...)...)
			return constructed(tagSequence, primitive(tagOID, oidPSS), constructed(tagSequence, constructed(0xa0, hash),
				constructed(0xa1, constructed(tagSequence, primitive(tagOID, oidMGF1), hash)), constructed(0xa2, primitive(tagInteger, "\x20"))))
		}
	}
	return all
}

// makeCertificate makes a certificate of version 3, self-signed by a fixed key, and changes it.
func makeCertificate(t testing.TB, change func(*x509.Certificate), edits ...func(*node)) []byte {
	t.Helper()
	scalar := sha256.Sum256([]byte("a key that everybody knows"))
	key, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar[:])
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(0x1234567890abcdef), Subject: pkix.Name{CommonName: "wso2is", Organization: []string{"Example"}, Country: []string{"DE"}},
		DNSNames: []string{"wso2is", "localhost"}, KeyUsage: x509.KeyUsageDigitalSignature, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore:   time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), NotAfter: time.Date(2036, 1, 1, 0, 0, 0, 0, time.UTC),
	}
	issuer := *c
	change(c)
	der, err := x509.CreateCertificate(nil, c, &issuer, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	if len(edits) == 0 {
		return der
	}
	tree := treeOf(der)
	for _, edit := range edits {
		edit(tree)
	}
	return tree.encode()
}
