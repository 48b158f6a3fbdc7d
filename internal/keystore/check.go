package keystore

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"fmt"
	"strings"
	"unicode/utf8"

	"wso2agent/internal/javacert"
	"wso2agent/internal/remedy"
)

// maxAlias keeps an alias within what both formats and people can hold, in characters.
const maxAlias = 1024

// toPKCS12 is the remedy for a store that this package does not open in its present format.
const toPKCS12 = "convert the store with keytool -importkeystore -deststoretype PKCS12"

// sniff tells the format from the first bytes. The products ship PKCS#12 in files named .jks, so names say nothing.
func sniff(data []byte) (Format, error) {
	starts := func(magic string) bool { return bytes.HasPrefix(data, []byte(magic)) }
	switch {
	case len(data) == 0:
		return "", fmt.Errorf("no bytes at all: %w", ErrTorn)
	case starts("\xfe\xed\xfe\xed"):
		return JKS, nil
	case starts("\xce\xce\xce\xce"):
		return "", remedy.Add(fmt.Errorf("it is a JCEKS store: %w", ErrFormat), toPKCS12)
	case starts("-----BEGIN"):
		return "", fmt.Errorf("it is PEM text, not a keystore: %w", ErrFormat)
	case data[0] == 0x30: // SEQUENCE
		return PKCS12, nil
	case len(data) < 4 && strings.HasPrefix("\xfe\xed\xfe\xed", string(data)):
		return "", fmt.Errorf("%d bytes of a JKS store: %w", len(data), ErrTorn)
	default:
		return "", fmt.Errorf("it begins like neither PKCS#12 nor JKS: %w", ErrFormat)
	}
}

// javaLower lower-cases an alias as Java does before it stores or compares one. Go differs in one letter.
func javaLower(alias string) string {
	return strings.ToLower(strings.ReplaceAll(alias, "\u0130", "i\u0307"))
}

func sameAlias(a, b string) bool { return javaLower(a) == javaLower(b) }

func checkAlias(alias string) error {
	switch {
	case alias == "":
		return fmt.Errorf("the alias is empty: %w", ErrFormat)
	case !utf8.ValidString(alias):
		return fmt.Errorf("the alias %q is not UTF-8: %w", alias, ErrFormat)
	case utf8.RuneCountInString(alias) > maxAlias:
		return fmt.Errorf("the alias has over %d characters: %w", maxAlias, ErrTooLarge)
	}
	return nil
}

// Belongs reports whether a certificate is that of a private key: their public keys are equal.
func Belongs(key crypto.Signer, c *x509.Certificate) bool {
	public, ok := key.Public().(interface{ Equal(crypto.PublicKey) bool })
	return ok && public.Equal(c.PublicKey)
}

// checkChain makes sure that the first certificate is the key's: a server with another one fails every handshake.
func checkChain(key crypto.Signer, chain []Certificate) error {
	if key == nil || len(chain) == 0 {
		return fmt.Errorf("a key entry needs a private key and its certificate: %w", ErrFormat)
	}
	for _, c := range chain {
		if err := javacert.Check(c.DER); err != nil {
			return err
		}
	}
	leaf, err := chain[0].Parse()
	if err != nil {
		return fmt.Errorf("%w: %w", err, ErrFormat)
	}
	if !Belongs(key, leaf) {
		return fmt.Errorf("the first certificate (%s) is not that of the key: %w", leaf.Subject, ErrFormat)
	}
	return nil
}
