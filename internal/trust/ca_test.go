package trust

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"strings"
	"testing"

	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// testCA is a CA of a test.
type testCA struct {
	own      keystore.Certificate
	template *x509.Certificate
	key      crypto.Signer
}

func newCA(t *testing.T, name string) testCA {
	t.Helper()
	c, key := template(name), newKey(t)
	c.IsCA, c.BasicConstraintsValid, c.KeyUsage, c.SubjectKeyId = true, true, x509.KeyUsageCertSign, []byte(name)
	return testCA{sign(t, c, key, nil, nil), c, key}
}

// issue returns a certificate that the CA has signed.
func (ca testCA) issue(t *testing.T, name string) keystore.Certificate {
	t.Helper()
	return sign(t, template(name), newKey(t), ca.template, ca.key)
}

func certPEM(ders ...[]byte) (out []byte) {
	for _, der := range ders {
		out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
	}
	return out
}

func TestOnlyACAThatHasSignedTheLeafTakesItsPlace(t *testing.T) {
	root := newCA(t, "root")
	leaf, alone := root.issue(t, "wso2am"), certificate(t, "wso2am")
	for name, c := range map[string]struct {
		leaf, ca keystore.Certificate
		want     string
	}{
		"its CA":                   {leaf, root.own, ""},
		"a CA of the same name":    {leaf, newCA(t, "root").own, "it has not signed the leaf"},
		"another CA":               {leaf, newCA(t, "other").own, "it has not signed the leaf"},
		"a self-signed leaf":       {alone, alone, "it is not a CA"},
		"the leaf itself":          {leaf, leaf, "it is not a CA"},
		"rubbish in place of a CA": {leaf, keystore.Certificate{DER: []byte("x")}, "parse certificate"},
		"rubbish as leaf":          {keystore.Certificate{DER: []byte("x")}, root.own, "parse certificate"},
	} {
		err := CheckCA(c.leaf, c.ca)
		if (err == nil) != (c.want == "") || err != nil && (!errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestHowToPublishTheRightCAIsAHint(t *testing.T) {
	text, hints := remedy.Split(CheckCA(certificate(t, "wso2is"), newCA(t, "root").own))
	if want := "publish the CA that has signed the leaf, or set TRUST=leaf"; len(hints) != 1 || hints[0] != want || strings.Contains(text, want) {
		t.Errorf("%q with the hints %q", text, hints)
	}
}
