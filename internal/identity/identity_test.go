package identity

import (
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

func TestWhatACertificateLacksIsWhatAClientWouldNotFind(t *testing.T) {
	id := mustIssue(t, Spec{}, "wso2am", "10.0.0.7", "*.apis.example.com")
	found := []string{"wso2am", "WSO2AM", "localhost", "10.0.0.7", "a.apis.example.com", "*.apis.example.com"}
	lacks := []string{"wso2is", "10.0.0.8", "apis.example.com", "a.b.apis.example.com", ""}
	if got := id.Missing(slices.Concat(found, lacks)); !slices.Equal(got, lacks) {
		t.Errorf("missing %q, want %q", got, lacks)
	}
}

func TestAPrintedIdentityShowsNoKey(t *testing.T) {
	id := mustIssue(t, Spec{Key: RSA2048}, "wso2am")
	secret := id.key.(*rsa.PrivateKey).D
	for _, verb := range []string{"%v", "%+v", "%#v", "%s"} {
		if text := fmt.Sprintf(verb, id); strings.Contains(text, secret.String()) || strings.Contains(text, new(big.Int).Set(secret).Text(16)) {
			t.Errorf("%s shows the key", verb)
		}
	}
}

func TestIdentitiesAreTheSameByTheirLeafAndTheirChain(t *testing.T) {
	root := newCA(t, "root", nil, nil)
	a, b := mustIssue(t, root.spec(t), "wso2am"), mustIssue(t, root.spec(t), "wso2am")
	alone := a
	alone.Chain = a.Chain[:1]
	if !Same(&a, &alone) || Same(&a, &b) || Same(nil, &a) || Same(&a, nil) || Same(nil, nil) {
		t.Error("the leaf does not decide, or no identity is the same as one")
	}
	if !a.SameChain(a) || a.SameChain(alone) || alone.SameChain(a) || a.SameChain(b) {
		t.Error("another chain is the same")
	}
}
