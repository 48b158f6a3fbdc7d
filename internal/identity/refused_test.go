package identity

import (
	"errors"
	"strings"
	"testing"

	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/testenv"
)

// TestWhatJavaRefusesEntersNoKeystore has every way by which a certificate comes into a TLS keystore.
func TestWhatJavaRefusesEntersNoKeystore(t *testing.T) {
	bad, key := testenv.NamelessCA(t)
	huge, leaf, leafKey := testenv.HugeCA(t)
	root := newCA(t, "root", nil, nil)
	id := Identity{Chain: []keystore.Certificate{{DER: bad}}, key: key, leaf: mustParse(t, keystore.Certificate{DER: bad})}
	second := func(_ any, err error) error { return err }
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"from files":            {second(FromPEM(certPEM(bad), keyPEM(t, "PRIVATE KEY", key), nil)), "tls.crt holds a certificate SHA-256"},
		"the issuer of files":   {second(FromPEM(certPEM(leaf), keyPEM(t, "PRIVATE KEY", leafKey), certPEM(root.cert.Raw, huge))), "ca.crt holds a certificate SHA-256"},
		"the CA that issues":    {second(ParseCA(certPEM(bad), keyPEM(t, "PRIVATE KEY", key))), "TLS_CA_CERT_FILE holds a certificate SHA-256"},
		"a keystore of it":      {second(id.Encode(keystore.PKCS12, "tls", password)), "its issuer has no name"},
		"a keystore of it, JKS": {second(id.Encode(keystore.JKS, "tls", password)), "its issuer has no name"},
	} {
		if !errors.Is(c.err, javacert.ErrRefused) || !strings.Contains(c.err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, c.err, c.want)
		}
	}
}

// TestABundleMayHoldWhatNobodyNeeds: ca.crt is often a bundle of public CAs.
func TestABundleMayHoldWhatNobodyNeeds(t *testing.T) {
	bad, _ := testenv.NamelessCA(t)
	root := newCA(t, "root", nil, nil)
	id := mustIssue(t, root.spec(t), "wso2is")
	got, err := FromPEM(certPEM(id.Leaf().DER), keyPEM(t, "PRIVATE KEY", id.key), certPEM(bad, root.cert.Raw))
	if err != nil || len(got.Chain) != 2 {
		t.Errorf("a chain of %d, %v", len(got.Chain), err)
	}
}
