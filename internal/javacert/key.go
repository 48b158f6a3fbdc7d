package javacert

import (
	"bytes"
	"crypto/ecdh"
	"math/bits"
)

// Sizes of RSA keys, in bits. Java reads 512 to 16384, and does not use less than 1024 (jdk.certpath.disabledAlgorithms).
const (
	javaMinRSA = 512
	minRSA     = 1024
	maxRSA     = 16384
)

// Object identifiers, as the bytes that stand in DER.
const (
	oidRSA     = "\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01" // 1.2.840.113549.1.1.1
	oidEC      = "\x2a\x86\x48\xce\x3d\x02\x01"         // 1.2.840.10045.2.1
	oidP256    = "\x2a\x86\x48\xce\x3d\x03\x01\x07"     // 1.2.840.10045.3.1.7
	oidP384    = "\x2b\x81\x04\x00\x22"                 // 1.3.132.0.34
	oidP521    = "\x2b\x81\x04\x00\x23"                 // 1.3.132.0.35
	oidEd25519 = "\x2b\x65\x70"                         // 1.3.101.112
	oidEd448   = "\x2b\x65\x71"                         // 1.3.101.113

	oidPKCS1 = "\x2a\x86\x48\x86\xf7\x0d\x01\x01" // 1.2.840.113549.1.1
	oidPSS   = oidPKCS1 + "\x0a"
	oidMGF1  = oidPKCS1 + "\x08"
	oidECDSA = "\x2a\x86\x48\xce\x3d\x04"         // 1.2.840.10045.4
	oidSHA2  = "\x60\x86\x48\x01\x65\x03\x04\x02" // 2.16.840.1.101.3.4.2
	rsaMD5   = oidPKCS1 + "\x04"
	rsaSHA1  = oidPKCS1 + "\x05"
)

// checkKey looks at the public key. Since its elements are read in DER to the end, the key is equal to Java's own encoding of
// it, which Java compares.
func checkKey(key element) error {
	r := reader{rest: key.body}
	algorithm := r.into(tagSequence)
	bitString := r.take(tagBitString)
	if r.end() != nil || len(bitString.body) < 2 || bitString.body[0] != 0 {
		return unlisted("its public key is not in DER")
	}
	content := bitString.body[1:]
	switch oid := algorithm.take(tagOID); string(oid.body) {
	case oidRSA:
		if null := algorithm.take(tagNull); algorithm.end() != nil || len(null.body) != 0 {
			return unlisted("the parameters of its RSA key are not NULL")
		}
		return checkRSA(content)
	case oidEC:
		curve := algorithm.take(tagOID)
		if algorithm.end() != nil || !isPoint(string(curve.body), content) {
			return unlisted("its EC key is not an uncompressed point on P-256, P-384 or P-521")
		}
		return nil
	case oidEd25519, oidEd448:
		size := map[string]int{oidEd25519: 32, oidEd448: 57}[string(oid.body)]
		if algorithm.end() != nil || len(content) != size {
			return unlisted("its EdDSA key does not have the form of RFC 8410")
		}
		return nil
	}
	return unlisted("its key is not for RSA, EC (P-256, P-384, P-521), Ed25519 or Ed448")
}

// checkRSA looks at the sizes of the numbers only: to calculate with them can cost seconds.
func checkRSA(key []byte) error {
	outer := reader{rest: key}
	r := outer.into(tagSequence)
	n, e := r.take(tagInteger).body, r.take(tagInteger).body
	if r.end() != nil || outer.end() != nil || !isInteger(n) || !isInteger(e) || n[0] >= 0x80 || e[0] >= 0x80 {
		return unlisted("the numbers of its RSA key are not in DER, or not positive")
	}
	n = bytes.TrimPrefix(n, []byte{0})
	if len(n) == 0 {
		return refused("the modulus of its RSA key is 0")
	}
	switch size := 8*len(n) - bits.LeadingZeros8(n[0]); {
	case size <= javaMinRSA-8 || size > maxRSA: // Java counts whole bytes
		return refused("its RSA key has %d bits; %d to %d are possible", size, minRSA, maxRSA)
	case size < minRSA:
		return unlisted("its RSA key has %d bits, less than %d", size, minRSA)
	case len(e) == 1 && e[0] < 3:
		return refused("the public exponent of its RSA key is %d, less than 3", e[0])
	case n[len(n)-1]&1 == 0 || e[len(e)-1]&1 == 0:
		return unlisted("its RSA key has an even modulus or exponent")
	case !isSmall(e):
		return unlisted("the public exponent of its RSA key has %d bytes", len(e))
	}
	return nil
}

func isPoint(curve string, point []byte) bool {
	var err error
	switch curve {
	case oidP256:
		_, err = ecdh.P256().NewPublicKey(point)
	case oidP384:
		_, err = ecdh.P384().NewPublicKey(point)
	case oidP521:
		_, err = ecdh.P521().NewPublicKey(point)
	default:
		return false
	}
	return err == nil
}

// checkSignatureAlgorithm looks at how the certificate was signed. MD5 and SHA-1 are on the list, because old root
// certificates are signed so, and nobody verifies the signature of a root.
func checkSignatureAlgorithm(algorithm element) error {
	r := reader{rest: algorithm.body}
	oid := string(r.take(tagOID).body)
	switch oid {
	case rsaMD5, rsaSHA1, oidPKCS1 + "\x0b", oidPKCS1 + "\x0c", oidPKCS1 + "\x0d", oidPKCS1 + "\x0e":
		if r.more() && len(r.take(tagNull).body) != 0 || r.end() != nil {
			return unlisted("the parameters of its signature algorithm are not NULL")
		}
		return nil
	case oidECDSA + "\x01", oidECDSA + "\x03\x01", oidECDSA + "\x03\x02", oidECDSA + "\x03\x03", oidECDSA + "\x03\x04", oidEd25519, oidEd448:
		if r.end() != nil {
			return unlisted("its signature algorithm has parameters")
		}
		return nil
	case oidPSS:
		if parameters := r.take(tagSequence); r.end() != nil || !isPSS(parameters.body) {
			return unlisted("the parameters of RSASSA-PSS, its signature algorithm, are not SHA-256, SHA-384 or SHA-512 with MGF1 of the same")
		}
		return nil
	}
	return unlisted("it is not signed with RSA, ECDSA, Ed25519 or Ed448")
}

// isPSS reads RSASSA-PSS-params (RFC 4055, section 3.1): the same hash twice, and the length of a salt.
func isPSS(body []byte) bool {
	r := reader{rest: body}
	hash := r.into(tagContext0)
	first := hash.take(tagSequence)
	mask := r.into(tagContext0 + 1).into(tagSequence)
	generator := mask.take(tagOID)
	second := mask.take(tagSequence)
	length := r.into(tagContext0 + 2)
	salt := length.take(tagInteger)
	for _, r := range []*reader{hash, mask, length, &r} {
		if r.end() != nil {
			return false
		}
	}
	algorithm := reader{rest: first.body}
	oid := algorithm.take(tagOID).body
	if algorithm.more() && len(algorithm.take(tagNull).body) != 0 || algorithm.end() != nil {
		return false
	}
	known := len(oid) == len(oidSHA2)+1 && string(oid[:len(oidSHA2)]) == oidSHA2 && oid[len(oidSHA2)] >= 1 && oid[len(oidSHA2)] <= 3
	return known && string(generator.body) == oidMGF1 && bytes.Equal(first.raw, second.raw) && isSmall(salt.body)
}
