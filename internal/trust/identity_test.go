package trust

import (
	"bytes"
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/keystore"
)

// issuingCA is a CA, its key in PKCS#8. issuer signs it; nil for a root.
type issuingCA struct {
	cert      *x509.Certificate
	key       crypto.Signer
	certPEM   []byte
	keyPEM    []byte
	signedPEM []byte // certPEM and those of its issuers
}

// newCA makes a CA that is valid around the tests' day, after change has had its way with it.
func newCA(t testing.TB, name string, issuer *issuingCA, change func(*x509.Certificate)) issuingCA {
	t.Helper()
	c := template(name)
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.SubjectKeyId = true, true, x509.KeyUsageCertSign, []byte(name)
	c.NotAfter = lintDay().AddDate(10, 0, 0)
	if change != nil {
		change(c)
	}
	key, err := generate(ECDSAP256)
	if err != nil {
		t.Fatal(err)
	}
	parent, by := c, key
	if issuer != nil {
		parent, by = issuer.cert, issuer.key
	}
	ca := issuingCA{key: key}
	if ca.cert, err = create(c, parent, key, by); err != nil {
		t.Fatal(err)
	}
	ca.certPEM, ca.keyPEM = certPEM(ca.cert.Raw), keyPEM(t, "PRIVATE KEY", key)
	ca.signedPEM = ca.certPEM
	if issuer != nil {
		ca.signedPEM = slices.Concat(ca.certPEM, issuer.signedPEM)
	}
	return ca
}

func certPEM(ders ...[]byte) (out []byte) {
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func mustIssue(t testing.TB, o Issuing, names ...string) Identity {
	t.Helper()
	if o.Now.IsZero() {
		o.Now = lintDay()
	}
	id, err := Issue(names, o)
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func (ca issuingCA) issuing() Issuing {
	return Issuing{CACert: ca.signedPEM, CAKey: ca.keyPEM, Now: lintDay()}
}

func TestAnIssuedCertificateIsForTheServerAlone(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	for name, o := range map[string]Issuing{
		"self-signed": {Now: lintDay()}, "RSA": {Now: lintDay(), Key: RSA2048}, "signed by a CA": root.issuing(),
	} {
		id := mustIssue(t, o, "wso2am", "API.example.com", "10.0.0.7", "fd00::1", "*.apis.example.com", "wso2AM")
		c := id.Certificate()
		if c.Subject.String() != "CN=wso2am" || !slices.Equal(c.DNSNames, []string{"wso2am", "API.example.com", "*.apis.example.com", "localhost"}) ||
			fmt.Sprint(c.IPAddresses) != "[10.0.0.7 fd00::1]" {
			t.Errorf("%s: names %s %q %v", name, c.Subject, c.DNSNames, c.IPAddresses)
		}
		usage := x509.KeyUsageDigitalSignature
		if o.Key == RSA2048 {
			usage |= x509.KeyUsageKeyEncipherment
		}
		if c.IsCA || !c.BasicConstraintsValid || c.KeyUsage != usage || len(c.ExtKeyUsage) != 2 || !servesTLS(c) {
			t.Errorf("%s: CA %t, usage %b, extended %v", name, c.IsCA, c.KeyUsage, c.ExtKeyUsage)
		}
		if c.SerialNumber.Sign() <= 0 || c.SerialNumber.BitLen() < 64 || c.SerialNumber.BitLen() > 128 {
			t.Errorf("%s: serial number %s", name, c.SerialNumber)
		}
		if !c.NotBefore.Equal(lintDay().Add(-5*time.Minute)) || !c.NotAfter.Equal(lintDay().AddDate(0, 0, 365)) {
			t.Errorf("%s: from %s to %s", name, c.NotBefore, c.NotAfter)
		}
		authority := c.SubjectKeyId
		if len(o.CACert) > 0 {
			authority = root.cert.SubjectKeyId
		}
		if len(c.SubjectKeyId) != 20 || !bytes.Equal(c.AuthorityKeyId, authority) {
			t.Errorf("%s: key %x, authority %x", name, c.SubjectKeyId, c.AuthorityKeyId)
		}
		again := mustIssue(t, o, "wso2am")
		if again.Certificate().SerialNumber.Cmp(c.SerialNumber) == 0 || belongs(again.key, c) {
			t.Errorf("%s: serial number or key of another certificate", name)
		}
	}
}

func TestWhatACertificateLacksIsWhatAClientWouldNotFind(t *testing.T) {
	id := mustIssue(t, Issuing{}, "wso2am", "10.0.0.7", "*.apis.example.com")
	found := []string{"wso2am", "WSO2AM", "localhost", "10.0.0.7", "a.apis.example.com", "*.apis.example.com"}
	lacks := []string{"wso2is", "10.0.0.8", "apis.example.com", "a.b.apis.example.com", ""}
	if got := id.Missing(slices.Concat(found, lacks)); !slices.Equal(got, lacks) {
		t.Errorf("missing %q, want %q", got, lacks)
	}
}

func TestTheCertificateEndsWithItsCA(t *testing.T) {
	end := lintDay().AddDate(0, 0, 40)
	root := newCA(t, "root", nil, func(c *x509.Certificate) { c.NotAfter = end })
	between := newCA(t, "between", &root, func(c *x509.Certificate) { c.NotBefore = lintDay().Add(-time.Minute) })
	id := mustIssue(t, between.issuing(), "wso2am")
	if c := id.Certificate(); !c.NotAfter.Equal(end) || !c.NotBefore.Equal(between.cert.NotBefore) {
		t.Errorf("from %s to %s", c.NotBefore, c.NotAfter)
	}
	if ca, ok := id.Issuer(); !ok || !bytes.Equal(ca.DER, between.cert.Raw) || len(id.Chain) != 3 {
		t.Errorf("a chain of %d, the issuer %t", len(id.Chain), ok)
	}
}

func TestIssuingRefusesWhatNobodyWouldAccept(t *testing.T) {
	root, other := newCA(t, "root", nil, nil), newCA(t, "other", nil, nil)
	changed := func(change func(*x509.Certificate)) Issuing { return newCA(t, "root", nil, change).issuing() }
	with := func(certs, key []byte) Issuing { return Issuing{CACert: certs, CAKey: key, Now: lintDay()} }
	for name, c := range map[string]struct {
		names []string
		o     Issuing
		want  string
	}{
		"no name":                         {nil, Issuing{}, "SERVER_NAME"},
		"a URL":                           {[]string{"https://wso2am"}, Issuing{}, `"https://wso2am" is no name`},
		"an empty name":                   {[]string{"wso2am", ""}, Issuing{}, `"" is no name`},
		"an underscore":                   {[]string{"wso2_am"}, Issuing{}, `"wso2_am" is no name`},
		"two dots":                        {[]string{"wso2..am"}, Issuing{}, "is no name"},
		"an address with a zone":          {[]string{"fe80::1%eth0"}, Issuing{}, "is no name"},
		"a first name too long":           {[]string{strings.Repeat("a", 63) + ".example.com"}, Issuing{}, "put a shorter one first"},
		"a name too long":                 {[]string{"a", strings.Repeat("a.", 127) + "a"}, Issuing{}, "is no name"},
		"too many names":                  {strings.Split("a"+strings.Repeat(",a", 5)+manyNames(100), ","), Issuing{}, "101 names"},
		"no time":                         {[]string{"a"}, Issuing{Validity: -1}, "TLS_VALIDITY"},
		"a kind of key unknown":           {[]string{"a"}, Issuing{Key: "rsa-1024"}, "TLS_KEY"},
		"a CA without its key":            {[]string{"a"}, with(root.certPEM, nil), "TLS_CA_KEY_FILE is empty"},
		"a CA's key alone":                {[]string{"a"}, with(nil, root.keyPEM), "TLS_CA_CERT_FILE is empty"},
		"another CA's key":                {[]string{"a"}, with(root.certPEM, other.keyPEM), "TLS_CA_KEY_FILE holds the key of none"},
		"a stranger beside the CA":        {[]string{"a"}, with(slices.Concat(root.certPEM, other.certPEM), root.keyPEM), "CN=other is none of its issuers"},
		"no CA":                           {[]string{"a"}, changed(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 }), "is no CA certificate"},
		"a CA that may not sign":          {[]string{"a"}, changed(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), "may not sign others"},
		"a CA that has expired":           {[]string{"a"}, changed(func(c *x509.Certificate) { c.NotAfter = lintDay().Add(-time.Hour) }), "expired on"},
		"a CA that is not valid yet":      {[]string{"a"}, changed(func(c *x509.Certificate) { c.NotBefore = lintDay().Add(time.Hour) }), "clock"},
		"a CA for other names":            {[]string{"a"}, changed(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }), "may not issue it"},
		"a CA for other purposes":         {[]string{"a"}, changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), "may not issue it"},
		"a CA with the name of its child": {[]string{"root"}, root.issuing(), "would look self-signed"},
	} {
		if c.o.Now.IsZero() {
			c.o.Now = lintDay()
		}
		_, err := Issue(c.names, c.o)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want %q", name, err, c.want)
		}
		if torn := name == "another CA's key" || strings.Contains(c.want, "is empty"); errors.Is(err, ErrBeingWritten) != torn {
			t.Errorf("%s: being written %t: %v", name, !torn, err)
		}
	}
}

func manyNames(n int) (list string) {
	for i := range n - 1 {
		list += fmt.Sprintf(",n%d", i)
	}
	return list
}

func TestACertificateIsRenewedOnceAndForAReason(t *testing.T) {
	root, other := newCA(t, "root", nil, nil), newCA(t, "other", nil, nil)
	dying := newCA(t, "dying", nil, func(c *x509.Certificate) { c.NotAfter = lintDay().AddDate(0, 0, 10) })
	renewed := newCA(t, "dying", nil, nil)
	self, rsa := Issuing{}, Issuing{Key: RSA2048}
	names := []string{"wso2am", "10.0.0.7", "*.example.com"}
	days := func(n int) time.Time { return lintDay().AddDate(0, 0, n) }
	for name, c := range map[string]struct {
		was, is Issuing
		names   []string
		now     time.Time
		want    string
	}{
		"just issued":                          {self, self, names, days(0), ""},
		"issued with RSA":                      {rsa, rsa, names, days(0), ""},
		"issued by a CA":                       {root.issuing(), root.issuing(), names, days(0), ""},
		"a name too many":                      {self, self, names[:1], days(0), ""},
		"a new name":                           {self, self, append(names, "b"), days(0), "lacks b"},
		"another kind of key":                  {self, rsa, names, days(0), "has a key of another kind than rsa-2048"},
		"a CA from now on":                     {self, root.issuing(), names, days(0), "does not come from the CA that is set, CN=root"},
		"another CA":                           {other.issuing(), root.issuing(), names, days(0), "does not come from the CA"},
		"no CA any more":                       {root.issuing(), self, names, days(0), "was signed by a CA, and none is set any more"},
		"a moment before it is time":           {self, self, names, days(335).Add(-time.Second), ""},
		"time":                                 {self, self, names, days(335), "expires on 2028-01-15"},
		"expired":                              {self, self, names, days(400), "expires on 2028-01-15"},
		"a clock that went back":               {self, self, names, days(-100), ""},
		"a CA that dies with it":               {dying.issuing(), dying.issuing(), names, days(8), ""},
		"a CA that was renewed at last":        {dying.issuing(), renewed.issuing(), names, days(8), "does not come from the CA"},
		"a short life, of which half is to go": {Issuing{Validity: 24 * time.Hour}, self, names, days(0).Add(11 * time.Hour), ""},
	} {
		id := mustIssue(t, c.was, names...)
		c.is.Now = c.now
		reason, err := id.Stale(c.names, c.is, 30*24*time.Hour)
		if reason == "" && c.want != "" || !strings.HasPrefix(reason, c.want) || c.want == "" && reason != "" || err != nil {
			t.Errorf("%s: %q, %v, want %q", name, reason, err, c.want)
		}
	}
	if _, err := mustIssue(t, self, "a").Stale(names, Issuing{CACert: []byte("x"), CAKey: []byte("y")}, 0); err == nil {
		t.Error("a CA that cannot be read is no error")
	}
}

func TestOnlyACAThatHasSignedTheLeafTakesItsPlace(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	leaf := mustIssue(t, root.issuing(), "wso2am")
	alone := mustIssue(t, Issuing{}, "wso2am")
	der := func(c issuingCA) keystore.Certificate { return keystore.Certificate{DER: c.cert.Raw} }
	namesake := newCA(t, "root", nil, nil)
	for name, c := range map[string]struct {
		leaf, ca keystore.Certificate
		want     string
	}{
		"its CA":                   {leaf.Leaf(), leaf.Chain[1], ""},
		"a CA of the same name":    {leaf.Leaf(), der(namesake), "it has not signed the leaf"},
		"another CA":               {leaf.Leaf(), der(newCA(t, "other", nil, nil)), "it has not signed the leaf"},
		"a self-signed leaf":       {alone.Leaf(), alone.Leaf(), "it is none"},
		"the leaf itself":          {leaf.Leaf(), leaf.Leaf(), "it is none"},
		"rubbish in place of a CA": {leaf.Leaf(), keystore.Certificate{DER: []byte("x")}, "parse certificate"},
		"rubbish as leaf":          {keystore.Certificate{DER: []byte("x")}, der(root), "parse certificate"},
	} {
		err := CheckCA(c.leaf, c.ca)
		if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestAnIdentityComesBackFromItsKeystore(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	between := newCA(t, "between", &root, nil)
	for _, o := range []Issuing{{}, {Key: RSA2048}, between.issuing()} {
		for _, format := range []keystore.Format{keystore.PKCS12, keystore.JKS} {
			id := mustIssue(t, o, "wso2am")
			data, err := id.Encode(format, "tls", password)
			if err != nil {
				t.Fatal(err)
			}
			for _, alias := range []string{"tls", "TLS", ""} {
				got, err := LoadIdentity(data, password, alias)
				if err != nil || !belongs(got.key, id.leaf) || !slices.EqualFunc(got.Chain, id.Chain, func(a, b keystore.Certificate) bool { return bytes.Equal(a.DER, b.DER) }) {
					t.Errorf("%s: a chain of %d, %v", format, len(got.Chain), err)
				}
				if reason, err := got.Stale([]string{"wso2am"}, Issuing{Key: o.Key, CACert: o.CACert, CAKey: o.CAKey, Now: lintDay()}, time.Hour); reason != "" || err != nil {
					t.Errorf("%s: stale: %s, %v", format, reason, err)
				}
			}
			if _, err := LoadIdentity(data, "wrong", "tls"); !errors.Is(err, keystore.ErrPassword) {
				t.Errorf("%s with a wrong password: %v", format, err)
			}
			if _, err := LoadIdentity(data, password, "other"); !errors.Is(err, keystore.ErrAliasNotFound) {
				t.Errorf("%s under another alias: %v", format, err)
			}
			if _, err := LoadIdentity(data[:len(data)/2], password, "tls"); err == nil {
				t.Errorf("half of a %s store is read", format)
			}
		}
	}
	if _, err := mustIssue(t, Issuing{}, "a").Encode("BKS", "tls", password); !errors.Is(err, keystore.ErrFormat) {
		t.Errorf("a format unknown: %v", err)
	}
}

func TestALoadedKeyMustBeThatOfItsCertificate(t *testing.T) {
	store := lintStore(t, keystore.PKCS12)
	key, leaf := keyPair(t, template("key"))
	_, other := keyPair(t, template("key"))
	if err := store.SetKey("tls", key, []keystore.Certificate{leaf}, password, lintDay()); err != nil {
		t.Fatal(err)
	}
	data := bytes.ReplaceAll(encode(t, store), leaf.DER, other.DER)
	if _, err := LoadIdentity(data, password, "tls"); !errors.Is(err, keystore.ErrDamaged) {
		t.Errorf("error = %v", err)
	}
}

func TestAPrintedIdentityShowsNoKey(t *testing.T) {
	id := mustIssue(t, Issuing{Key: RSA2048}, "wso2am")
	secret := id.key.(*rsa.PrivateKey).D
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, id); strings.Contains(text, secret.String()) || strings.Contains(text, new(big.Int).Set(secret).Text(16)) {
			t.Errorf("%s shows the key", verb)
		}
	}
}
