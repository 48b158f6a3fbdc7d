// Package javacert knows which X.509 certificates every Java from 11 to 25 reads.
//
// One certificate that Java refuses makes a whole keystore unreadable ("keystore password was incorrect"), and the server
// that needs it does not start. Go's parser and Java's differ in many details, so this package has a list of what is
// allowed, and refuses everything else: whatever Check accepts, Java reads. The reverse does not hold.
//
// The list follows OpenJDK's sun.security.x509 (X509CertImpl, X509CertInfo, CertificateExtensions, AlgorithmId, X500Name),
// sun.security.util (DerValue, DerInputStream, ObjectIdentifier) and sun.security.rsa.RSAKeyFactory. A test compares it with
// the Java that is installed. For other versions it relies on three facts. Java has only become stricter about DER, and the
// list is strict DER. What a version does not know (Ed25519 and Ed448 before Java 15) it keeps as bytes and does not refuse.
// What a version has dropped (curves other than P-256, P-384 and P-521) is not on the list.
package javacert

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"time"

	"wso2agent/internal/remedy"
)

// What callers distinguish with errors.Is. Every error of Check wraps one of them.
var (
	// ErrRefused: Java refuses the certificate, and every keystore that holds it.
	ErrRefused = errors.New("refused by Java, which does not load any keystore that holds it")
	// ErrUnlisted: the certificate is not on the list. Some Java may refuse it.
	ErrUnlisted = errors.New("this certificate is not of a kind that every Java from 11 to 25 is known to read")
)

// maxBytes is the largest certificate that is looked at. A published file has the same limit.
const maxBytes = 64 << 10

// Check returns nil if every Java from 11 to 25 reads the certificate, and a keystore with it. The error names the
// certificate by its SHA-256, the reason and the remedy. It wraps ErrRefused or ErrUnlisted.
//
// The cost is linear in the size of the certificate. No signature is verified, and no number of the certificate is
// calculated with before its size is known to be allowed.
func Check(der []byte) error {
	err := check(der)
	if err == nil {
		return nil
	}
	return remedy.Add(fmt.Errorf("certificate SHA-256 %X: %w", sha256.Sum256(der), err), "have the certificate issued again without that")
}

// refused is for what Java refuses beyond doubt; the test with Java holds that against it.
func refused(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrRefused, fmt.Sprintf(format, args...))
}

func unlisted(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrUnlisted, fmt.Sprintf(format, args...))
}

func check(der []byte) error {
	if len(der) > maxBytes {
		return unlisted("it has %d bytes, more than %d", len(der), maxBytes)
	}
	outer := reader{rest: der}
	whole := outer.into(tagSequence)
	tbs := whole.take(tagSequence)
	algorithm := whole.take(tagSequence)
	signature := whole.take(tagBitString)
	if err := firstError("what stands there", whole.end(), outer.end()); err != nil {
		return err
	}
	if len(signature.body) < 2 || signature.body[0] != 0 {
		return unlisted("its signature is not a whole number of bytes")
	}
	if err := checkSignatureAlgorithm(algorithm); err != nil {
		return err
	}
	return checkSigned(tbs.body, algorithm)
}

// checkSigned looks at the part of the certificate that is signed (RFC 5280, section 4.1.2).
func checkSigned(body []byte, algorithm element) error {
	r := reader{rest: body}
	version := 1
	if r.peek() == tagContext0 {
		// Version 2 is passed over: nobody issues it.
		if e := r.any(); !bytes.Equal(e.body, []byte{tagInteger, 1, 2}) {
			return unlisted("it says that it is of another X.509 version than 1 and 3")
		}
		version = 3
	}
	serial := r.take(tagInteger)
	inner := r.take(tagSequence)
	issuer := r.take(tagSequence)
	validity := r.into(tagSequence)
	from, until := validity.any(), validity.any()
	validityErr := validity.end()
	subject := r.take(tagSequence)
	key := r.take(tagSequence)
	if err := firstError("its signed part", r.err, validityErr); err != nil {
		return err
	}
	switch {
	case !isInteger(serial.body):
		return unlisted("its serial number is not in DER")
	case len(serial.body) > 64:
		return unlisted("its serial number has %d bytes", len(serial.body))
	case !bytes.Equal(inner.raw, algorithm.raw):
		return unlisted("its signed part names another signature algorithm than the certificate itself")
	case len(issuer.body) == 0:
		return refused("its issuer has no name (an empty distinguished name)")
	case len(subject.body) == 0 && version == 1:
		return refused("its subject has no name (an empty distinguished name)")
	}
	if err := checkName("issuer", issuer.body); err != nil {
		return err
	}
	if err := checkName("subject", subject.body); err != nil {
		return err
	}
	for _, t := range []element{from, until} {
		if !isTime(t) {
			return unlisted("a date of its validity is neither a UTCTime nor a GeneralizedTime of whole seconds")
		}
	}
	if err := checkKey(key); err != nil {
		return err
	}
	if version == 1 {
		if r.more() {
			return refused("it is of X.509 version 1 and has extensions or unique identifiers")
		}
		return nil
	}
	return checkOptional(&r, len(subject.body) == 0)
}

// checkOptional looks at what follows the key in version 3.
func checkOptional(r *reader, emptySubject bool) error {
	for _, tag := range []byte{tagUniqueIssuer, tagUniqueSubject} {
		if r.peek() == tag && !isBitString(r.any().body) {
			return unlisted("a unique identifier is not a bit string in DER")
		}
	}
	extensions := list{}
	if r.more() {
		var err error
		if extensions, err = checkExtensions(r.take(tagContext3).body); err != nil {
			return err
		}
	}
	if err := firstError("its signed part", r.end()); err != nil {
		return err
	}
	// X509CertInfo.verifyCert
	if emptySubject && !extensions.critical(oidSubjectAltName) {
		return unlisted("its subject has no name (an empty distinguished name), and it has no critical subject alternative name instead")
	}
	return nil
}

// firstError words the first of the errors that a reader had.
func firstError(what string, errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return unlisted("%s is not in DER, or no part of a certificate: %v", what, err)
		}
	}
	return nil
}

// isTime accepts the only two forms of RFC 5280, section 4.1.2.5. Java accepts more, and normalizes days that do not exist.
func isTime(e element) bool {
	text := string(e.body)
	switch {
	case e.tag == tagUTCTime && len(text) == len("060102150405Z"):
		text = "20" + text // the century is all the same for what follows: both have the same leap years
	case e.tag == tagGeneralizedTime && len(text) == len("20060102150405Z"):
		if text < "0001" { // Java knows no year 0
			return false
		}
	default:
		return false
	}
	_, err := time.Parse("20060102150405Z", text)
	return err == nil
}
