package trust

import (
	"fmt"

	"wso2agent/internal/javacert"
	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// CheckCA returns nil if the truststore may hold ca in place of leaf: ca is a CA certificate, is allowed to sign others, and
// has signed leaf. Otherwise the error wraps ErrRefused and gives the reason and the remedy.
func CheckCA(leaf, ca keystore.Certificate) error {
	refuse := func(why string) error {
		return remedy.Add(fmt.Errorf("%w the certificate %s as a CA: %s", ErrRefused, ca.Fingerprint(), why), "publish the CA that has signed the leaf, or set TRUST=leaf")
	}
	l, err := leaf.Parse()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrRefused, err)
	}
	c, err := ca.Parse()
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", ErrRefused, err)
	case !javacert.MaySign(c):
		return refuse("it is not a CA certificate, or may not sign certificates")
	case !javacert.Signed(l, c):
		return refuse("it has not signed the leaf " + leaf.Fingerprint().String())
	}
	return nil
}
