package place

import (
	"crypto/x509"
	"slices"
	"strings"
	"testing"
	"time"

	"wso2agent/internal/identity"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

func TestOnlyAGoodKeystorePassesTheChecks(t *testing.T) {
	ca := func(c *x509.Certificate) {
		c.IsCA, c.KeyUsage, c.Subject.CommonName, c.NotAfter = true, x509.KeyUsageCertSign, "CA", time.Now().Add(time.Minute)
	}
	root := sign(t, nil, ca)
	leaf := sign(t, &root, nil)
	noCA := sign(t, nil, func(c *x509.Certificate) { c.Subject.CommonName = "no CA" })
	good := issue(t, "wso2am")
	other, err := good.Encode(keystore.PKCS12, "other", password)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		data []byte
		after,
		certificate, password, server string
		want string // a part of the error; empty: it is good
	}{
		{name: "an issued identity", data: stored(t, good)},
		{name: "with the requested certificate", data: stored(t, good), certificate: fingerprint(good)},
		{name: "a leaf with its CA", data: chained(t, keystore.PKCS12, leaf, root)},
		{name: "a leaf without its CA", data: chained(t, keystore.PKCS12, leaf)},
		{name: "another certificate than the requested one", data: stored(t, good), certificate: fingerprint(issue(t, "wso2am")), want: "the sidecar requested"},
		{name: "no bytes", data: []byte{}, want: "torn"},
		{name: "half of it", data: stored(t, good)[:400], want: "torn"},
		{name: "some text", data: []byte("keystore"), want: "unsupported"},
		{name: "another password", data: stored(t, good), password: "changed1", want: "the running server has another password"},
		{name: "another alias", data: other, want: "alias not found"},
		{name: "a key with the certificate of another key", data: mismatched(t), want: "belongs to another key"},
		{name: "without the name of the server", data: stored(t, issue(t, "wso2is")), want: "does not have the name wso2am"},
		{name: "without the name of the server, which is not known", data: stored(t, issue(t, "wso2is")), server: "unknown"},
		{name: "expired", data: stored(t, issueAt(t, time.Now().Add(-366*24*time.Hour), "wso2am")), want: "expired at"},
		{name: "not yet valid", data: stored(t, issueAt(t, time.Now().Add(time.Hour), "wso2am")), want: "is valid only from"},
		{name: "an expired CA", data: chained(t, keystore.PKCS12, leaf, root), after: "2m", want: "certificate 2 of its chain, CN=CA, expired at"},
		{name: "a chain with another CA of the same name", data: chained(t, keystore.JKS, leaf, sign(t, nil, ca)), want: "has not signed the one before it"},
		{name: "an issuer that is no CA", data: chained(t, keystore.JKS, sign(t, &noCA, nil), noCA), want: "has not signed the one before it"},
		{name: "a chain that has the leaf twice", data: chained(t, keystore.JKS, noCA, noCA), want: "in the chain twice"},
	} {
		t.Run(c.name, func(t *testing.T) {
			checks := checks{password: password, name: "wso2am", certificate: c.certificate}
			if c.password != "" {
				checks.password = c.password
			}
			if c.server == "unknown" {
				checks.name = ""
			}
			after, _ := time.ParseDuration(c.after)
			err := checks.check(c.data, time.Now().Add(after))
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if _, remedies := remedy.Split(err); len(remedies) == 0 {
				t.Errorf("%v has no remedy", err)
			}
		})
	}
}

// Package keystore compares public keys, which a keystore states next to the private one. Only a signature shows the private one.
func TestAKeyFitsACertificateThatVerifiesItsSignature(t *testing.T) {
	one, other := sign(t, nil, nil), sign(t, nil, nil)
	if err := fits(one.key, one.cert); err != nil {
		t.Error(err)
	}
	if err := fits(one.key, other.cert); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("the key of another certificate: %v", err)
	}
	for _, kind := range []identity.KeyKind{identity.ECDSAP256, identity.RSA2048} {
		id, err := identity.Issue(identity.Spec{Names: []string{"wso2am"}, Key: kind}, time.Now(), 0)
		if err != nil {
			t.Fatal(err)
		}
		data := stored(t, id)
		if err := signs(data, password, id.Certificate()); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
		if err := signs(data, password, issue(t, "wso2am").Certificate()); err == nil {
			t.Errorf("%s: the key fits the certificate of another key", kind)
		}
	}
	if err := fits(one.key, &x509.Certificate{PublicKey: "?"}); err == nil || !slices.Contains(strings.Fields(err.Error()), "string,") {
		t.Errorf("a key of an unknown type: %v", err)
	}
}
