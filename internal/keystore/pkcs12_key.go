package keystore

import (
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
)

// maxKeyBytes bounds a private key in PKCS#8: an RSA key of 16,384 bits takes 9,300 bytes.
const maxKeyBytes = 16 << 10

func isTooLarge(err error) bool { return errors.Is(err, ErrTooLarge) }

// shrouded splits EncryptedPrivateKeyInfo (RFC 5208, section 6).
func (b *bag) shrouded() (algorithm, data []byte, err error) {
	outer := reader{rest: b.value}
	r := outer.into(tagSequence)
	algorithm, data = r.take(tagSequence).body, r.take(tagOctets).body
	return algorithm, data, r.err
}

func (b *bag) scheme() (*scheme, error) {
	algorithm, _, err := b.shrouded()
	if err != nil {
		return nil, err
	}
	return parseScheme(algorithm)
}

// privateKeyInfo decrypts a shrouded key to PKCS#8.
func (b *bag) privateKeyInfo(p password) ([]byte, error) {
	algorithm, data, err := b.shrouded()
	if err != nil {
		return nil, err
	}
	if len(data) > maxKeyBytes {
		return nil, fmt.Errorf("a private key of %d bytes, at most %d are read: %w", len(data), maxKeyBytes, ErrTooLarge)
	}
	s, err := parseScheme(algorithm)
	if err != nil {
		return nil, err
	}
	plain, err := s.decrypt(p, data)
	if err != nil {
		return nil, err
	}
	if _, rest, err := splitElement(plain); err != nil || len(rest) > 0 || plain[0] != tagSequence {
		return nil, fmt.Errorf("what is decrypted is no private key: %w", ErrPassword)
	}
	return plain, nil
}

// parseSigner reads PKCS#8.
func parseSigner(info []byte) (crypto.Signer, error) {
	if len(info) > maxKeyBytes {
		return nil, fmt.Errorf("a private key of %d bytes, at most %d are read: %w", len(info), maxKeyBytes, ErrTooLarge)
	}
	key, err := x509.ParsePKCS8PrivateKey(info)
	if err != nil {
		// The parser's own words could quote the key.
		return nil, fmt.Errorf("it decrypts, but to no RSA, ECDSA or Ed25519 key that Go can use: %w", ErrFormat)
	}
	signer, ok := key.(crypto.Signer)
	if !ok {
		return nil, fmt.Errorf("a key of type %T cannot sign: %w", key, ErrFormat)
	}
	return signer, nil
}

func (p *pkcs12) privateKey(at int, text string) (crypto.Signer, error) {
	b := p.bagAt(p.places[at])
	if b.kind == bagKey {
		return parseSigner(b.value)
	}
	var err error
	for _, reading := range passwords(text) {
		var info []byte
		if info, err = b.privateKeyInfo(reading); err == nil {
			return parseSigner(info)
		}
	}
	return nil, err
}
