package javacert

import (
	"bytes"
	"crypto/x509"
)

// MaySign reports whether Java accepts a certificate that c has signed (JDK, PKIXValidator.verifyTrustAnchor): c is a CA,
// and its key usage, if it has one, includes the signing of certificates.
func MaySign(c *x509.Certificate) bool {
	return c.BasicConstraintsValid && c.IsCA && (c.KeyUsage == 0 || c.KeyUsage&x509.KeyUsageCertSign != 0)
}

// Signed reports whether issuer has signed c. It does not check whether issuer is allowed to: see MaySign. It is false for
// an issuer that Check refuses, because to verify a signature with a very large key can take seconds.
func Signed(c, issuer *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, issuer.RawSubject) && Check(issuer.Raw) == nil &&
		issuer.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}
