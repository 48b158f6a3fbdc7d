package identity

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/file"
	"wso2agent/internal/keystore"
)

func TestAnIssuedCertificateIsForTheServerAlone(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	for name, o := range map[string]Spec{
		"self-signed": {}, "RSA": {Key: RSA2048}, "signed by a CA": root.spec(t),
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
		if !c.NotBefore.Equal(day().Add(-5*time.Minute)) || !c.NotAfter.Equal(day().AddDate(0, 0, 365)) {
			t.Errorf("%s: from %s to %s", name, c.NotBefore, c.NotAfter)
		}
		authority := c.SubjectKeyId
		if o.CA != nil {
			authority = root.cert.SubjectKeyId
		}
		if len(c.SubjectKeyId) != 20 || !bytes.Equal(c.AuthorityKeyId, authority) {
			t.Errorf("%s: key %x, authority %x", name, c.SubjectKeyId, c.AuthorityKeyId)
		}
		again := mustIssue(t, o, "wso2am")
		if again.Certificate().SerialNumber.Cmp(c.SerialNumber) == 0 || keystore.Belongs(again.key, c) {
			t.Errorf("%s: serial number or key of another certificate", name)
		}
	}
}

func TestTheCertificateEndsWithItsCA(t *testing.T) {
	end := day().AddDate(0, 0, 40)
	root := newCA(t, "root", nil, func(c *x509.Certificate) { c.NotAfter = end })
	between := newCA(t, "between", &root, func(c *x509.Certificate) { c.NotBefore = day().Add(-time.Minute) })
	id := mustIssue(t, between.spec(t), "wso2am")
	if c := id.Certificate(); !c.NotAfter.Equal(end) || !c.NotBefore.Equal(between.cert.NotBefore) {
		t.Errorf("from %s to %s", c.NotBefore, c.NotAfter)
	}
	if ca, ok := id.Issuer(); !ok || !bytes.Equal(ca.DER, between.cert.Raw) || len(id.Chain) != 3 {
		t.Errorf("a chain of %d, the issuer %t", len(id.Chain), ok)
	}
}

func TestIssuingRefusesWhatNobodyWouldAccept(t *testing.T) {
	changed := func(change func(*x509.Certificate)) Spec { return newCA(t, "root", nil, change).spec(t) }
	for name, c := range map[string]struct {
		names []string
		spec  Spec
		want  string
	}{
		"no name":                         {nil, Spec{}, "SERVER_NAME"},
		"a URL":                           {[]string{"https://wso2am"}, Spec{}, `"https://wso2am" cannot be a name`},
		"an empty name":                   {[]string{"wso2am", ""}, Spec{}, `"" cannot be a name`},
		"an underscore":                   {[]string{"wso2_am"}, Spec{}, `"wso2_am" cannot be a name`},
		"two dots":                        {[]string{"wso2..am"}, Spec{}, "cannot be a name"},
		"an address with a zone":          {[]string{"fe80::1%eth0"}, Spec{}, "cannot be a name"},
		"a first name too long":           {[]string{strings.Repeat("a", 63) + ".example.com"}, Spec{}, "put a shorter one first"},
		"a name too long":                 {[]string{"a", strings.Repeat("a.", 127) + "a"}, Spec{}, "cannot be a name"},
		"too many names":                  {strings.Split("a"+strings.Repeat(",a", 5)+manyNames(100), ","), Spec{}, "101 names"},
		"no time":                         {[]string{"a"}, Spec{Validity: -1}, "TLS_VALIDITY"},
		"a kind of key unknown":           {[]string{"a"}, Spec{Key: "rsa-1024"}, "TLS_KEY"},
		"a CA that has expired":           {[]string{"a"}, changed(func(c *x509.Certificate) { c.NotAfter = day().Add(-time.Hour) }), "expired on"},
		"a CA that is not valid yet":      {[]string{"a"}, changed(func(c *x509.Certificate) { c.NotBefore = day().Add(time.Hour) }), "clock"},
		"a CA for other names":            {[]string{"a"}, changed(func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example.com"} }), "may not issue it"},
		"a CA for other purposes":         {[]string{"a"}, changed(func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }), "may not issue it"},
		"a CA with the name of its child": {[]string{"root"}, newCA(t, "root", nil, nil).spec(t), "would look self-signed"},
	} {
		c.spec.Names = c.names
		_, err := Issue(c.spec, day(), 0)
		if err == nil || !strings.HasPrefix(err.Error(), "issue a TLS certificate: ") || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error = %v, want %q", name, err, c.want)
		}
		if errors.Is(err, file.ErrBeingWritten) {
			t.Errorf("%s: being written: %v", name, err)
		}
	}
}

func TestOnlyACAIsReadAsOne(t *testing.T) {
	root, other := newCA(t, "root", nil, nil), newCA(t, "other", nil, nil)
	changed := func(change func(*x509.Certificate)) issuingCA { return newCA(t, "root", nil, change) }
	with := func(certs, key []byte) issuingCA { return issuingCA{signedPEM: certs, keyPEM: key} }
	for name, c := range map[string]struct {
		ca   issuingCA
		want string
		torn bool
	}{
		"a CA without its key":     {with(root.certPEM, nil), "TLS_CA_KEY_FILE is empty", true},
		"a CA's key alone":         {with(nil, root.keyPEM), "TLS_CA_CERT_FILE is empty", true},
		"another CA's key":         {with(root.certPEM, other.keyPEM), "TLS_CA_KEY_FILE holds the key of none", true},
		"a stranger beside the CA": {with(slices.Concat(root.certPEM, other.certPEM), root.keyPEM), "CN=other, which is none of the CA's issuers", false},
		"no CA":                    {changed(func(c *x509.Certificate) { c.IsCA, c.KeyUsage = false, 0 }), "is not a CA certificate", false},
		"a CA that may not sign":   {changed(func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCRLSign }), "may not sign others", false},
		"rubbish":                  {with([]byte("x"), []byte("y")), "is not PEM", false},
	} {
		_, err := ParseCA(c.ca.signedPEM, c.ca.keyPEM)
		if err == nil || !strings.HasPrefix(err.Error(), "read the issuing CA: ") || !strings.Contains(err.Error(), c.want) || errors.Is(err, file.ErrBeingWritten) != c.torn {
			t.Errorf("%s: error = %v, want %q, being written %t", name, err, c.want, c.torn)
		}
	}
}

func TestTheCAIsReadFromTheFilesOfTheSettings(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	cert, key := filepath.Join(t.TempDir(), "ca.crt"), filepath.Join(t.TempDir(), "ca.key")
	if ca, err := ReadCA("", ""); ca != nil || err != nil {
		t.Errorf("no files: %v, %v", ca, err)
	}
	for _, want := range []string{"TLS_CA_CERT_FILE", "TLS_CA_KEY_FILE"} {
		if _, err := ReadCA(cert, key); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %q", err, want)
		}
		if err := os.WriteFile(cert, root.certPEM, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(key, root.keyPEM, 0o600); err != nil {
		t.Fatal(err)
	}
	if ca, err := ReadCA(cert, key); err != nil || !bytes.Equal(ca.own.Leaf().DER, root.cert.Raw) {
		t.Errorf("error = %v", err)
	}
}

func manyNames(n int) (list string) {
	for i := range n - 1 {
		list += fmt.Sprintf(",n%d", i)
	}
	return list
}
