package keystore

import (
	"bytes"
	"crypto"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/javacert"
)

// Store is an opened keystore. It is not safe for use by several goroutines at once.
type Store struct {
	format    Format
	codec     codec
	unchanged []byte // what the store was opened from; nil after an edit
}

// codec is what the formats do each in their own way. Positions are indexes into entries().
type codec interface {
	entries() []Entry
	privateKey(at int, password string) (crypto.Signer, error)
	addTrusted(alias string, cert Certificate, created time.Time) error
	replaceTrusted(at int, cert Certificate, created time.Time) error
	setKey(k newKey) error
	remove(alias string) error
	encode() ([]byte, error)
}

// newKey is a key entry to be written.
type newKey struct {
	alias    string
	key      crypto.Signer
	chain    []Certificate
	password string
	created  time.Time
}

// Open reads a keystore from its bytes. Which format it is, the first bytes say.
//
// Errors wrap ErrTooLarge, ErrTorn, ErrFormat, ErrDamaged or ErrPassword. A PKCS#12 file without a MAC and with its
// certificates in the clear (as API Manager ships its stores) has nothing to try a password on: a wrong one shows
// when the private key is asked for.
//
// The store keeps data, and so do the entries it lists: who calls must not change it any more.
func Open(data []byte, password string) (*Store, error) {
	if len(data) > maxBytes {
		return nil, fmt.Errorf("open keystore: %d bytes, at most %d are read: %w", len(data), maxBytes, ErrTooLarge)
	}
	format, err := sniff(data)
	if err != nil {
		return nil, fmt.Errorf("open keystore: %w", err)
	}
	var c codec
	if format == JKS {
		c, err = openJKS(data, password)
	} else {
		c, err = openPKCS12(data, password)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s keystore: %w", format, err)
	}
	return &Store{format: format, codec: c, unchanged: data}, nil
}

// Format says how the store is written.
func (s *Store) Format() Format { return s.format }

// Entries lists all entries in the order of the file. Where several bear the same alias, Java sees the last.
func (s *Store) Entries() []Entry { return slices.Clone(s.codec.entries()) }

// Entry finds an entry by its alias, ignoring case as Java does. The error wraps ErrAliasNotFound.
func (s *Store) Entry(alias string) (Entry, error) {
	entries := s.codec.entries()
	at, err := find(entries, alias)
	if err != nil {
		return Entry{}, err
	}
	return entries[at], nil
}

// Leaf is the certificate of the private key under alias: in PKCS#12 the one that carries the key's localKeyID, not
// just the first in the file. An empty alias stands for the only key of the store; if there are several, the error
// names them. Errors wrap ErrAliasNotFound.
func (s *Store) Leaf(alias string) (Certificate, error) {
	entries := s.codec.entries()
	at, err := findKey(entries, alias)
	if err != nil {
		return Certificate{}, fmt.Errorf("find the leaf certificate: %w", err)
	}
	if len(entries[at].Chain) == 0 {
		return Certificate{}, fmt.Errorf("find the leaf certificate: the key %q has no certificate in this store: %w",
			entries[at].Alias, ErrAliasNotFound)
	}
	return entries[at].Chain[0], nil
}

// PrivateKey decrypts the private key under alias; an empty alias stands for the only key. Errors wrap
// ErrAliasNotFound, ErrPassword, ErrDamaged, or ErrFormat for an algorithm that this package does not have.
func (s *Store) PrivateKey(alias, password string) (crypto.Signer, error) {
	entries := s.codec.entries()
	at, err := findKey(entries, alias)
	if err != nil {
		return nil, fmt.Errorf("read the private key: %w", err)
	}
	key, err := s.codec.privateKey(at, password)
	if err != nil {
		return nil, fmt.Errorf("read the private key %q: %w", entries[at].Alias, err)
	}
	return key, nil
}

// SetTrusted adds a trusted certificate, or replaces the one under that alias. It changes nothing at all, so that
// Encode still returns the input, if the same certificate stands there already. The date is kept by JKS only; a zero
// one becomes 1970. Errors wrap ErrAliasTaken if the alias is that of a key or secret, or those of javacert.Check: Java
// refuses a whole store for one certificate.
func (s *Store) SetTrusted(alias string, cert Certificate, created time.Time) error {
	if err := checkAlias(alias); err != nil {
		return fmt.Errorf("set trusted certificate: %w", err)
	}
	if err := javacert.Check(cert.DER); err != nil {
		return fmt.Errorf("set trusted certificate %q: %w", alias, err)
	}
	entries := s.codec.entries()
	at, err := find(entries, alias)
	switch {
	case errors.Is(err, ErrAliasNotFound) || err == nil && entries[at].Kind == Other:
		err = s.codec.addTrusted(javaLower(alias), Certificate{bytes.Clone(cert.DER)}, created)
	case entries[at].Kind != TrustedCertificate:
		err = fmt.Errorf("it is the alias of a %s: choose another alias: %w", entries[at].Kind, ErrAliasTaken)
	case bytes.Equal(entries[at].Chain[0].DER, cert.DER):
		return nil
	default:
		err = s.codec.replaceTrusted(at, Certificate{bytes.Clone(cert.DER)}, created)
	}
	if err != nil {
		return fmt.Errorf("set trusted certificate %q: %w", alias, err)
	}
	s.unchanged = nil
	return nil
}

// Delete removes a trusted certificate. Errors wrap ErrAliasNotFound, or ErrAliasTaken if the alias is not that of a
// trusted certificate: keys and secrets are never deleted.
func (s *Store) Delete(alias string) error {
	entries := s.codec.entries()
	at, err := find(entries, alias)
	if err != nil {
		return fmt.Errorf("delete trusted certificate: %w", err)
	}
	for _, e := range entries {
		if sameAlias(e.Alias, alias) && (e.Kind == KeyEntry || e.Kind == SecretKey) {
			return fmt.Errorf("delete trusted certificate %q: it is the alias of a %s: %w", alias, e.Kind, ErrAliasTaken)
		}
	}
	if entries[at].Kind != TrustedCertificate {
		return fmt.Errorf("delete trusted certificate %q: it is no trusted certificate: %w", alias, ErrAliasTaken)
	}
	if err := s.codec.remove(alias); err != nil {
		return fmt.Errorf("delete trusted certificate %q: %w", alias, err)
	}
	s.unchanged = nil
	return nil
}

// SetKey adds a private key with its certificate chain, leaf first, or replaces the key under that alias. Java wants
// the key's password to be the store's in PKCS#12. Errors wrap ErrAliasTaken if the alias is that of another kind of
// entry, ErrFormat if the leaf is not the certificate of the key, or those of javacert.Check.
func (s *Store) SetKey(alias string, key crypto.Signer, chain []Certificate, password string, created time.Time) error {
	if err := checkAlias(alias); err != nil {
		return fmt.Errorf("set key: %w", err)
	}
	if err := checkChain(key, chain); err != nil {
		return fmt.Errorf("set key %q: %w", alias, err)
	}
	for _, e := range s.codec.entries() {
		if sameAlias(e.Alias, alias) && e.Kind != KeyEntry && e.Kind != Other {
			return fmt.Errorf("set key %q: it is the alias of a %s: %w", alias, e.Kind, ErrAliasTaken)
		}
	}
	own := make([]Certificate, len(chain))
	for i, c := range chain {
		own[i].DER = bytes.Clone(c.DER)
	}
	if err := s.codec.setKey(newKey{javaLower(alias), key, own, password, created}); err != nil {
		return fmt.Errorf("set key %q: %w", alias, err)
	}
	s.unchanged = nil
	return nil
}

// Encode writes the store. A store that was not changed since it was opened gives the input back, byte for byte; two
// calls in a row give the same bytes. Errors wrap ErrTooLarge if the store could not be opened again.
func (s *Store) Encode() ([]byte, error) {
	if s.unchanged != nil {
		return bytes.Clone(s.unchanged), nil
	}
	data, err := s.codec.encode()
	if err != nil {
		return nil, fmt.Errorf("encode %s keystore: %w", s.format, err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("encode %s keystore: %d bytes, at most %d are read again: %w", s.format, len(data), maxBytes, ErrTooLarge)
	}
	return data, nil
}

// find returns the position of the entry that Java has under alias: where several bear the same one, the last; and an
// entry that Java does not see (kind Other) only if there is nothing else.
func find(entries []Entry, alias string) (int, error) {
	found := -1
	for i, e := range entries {
		if sameAlias(e.Alias, alias) && (found < 0 || e.Kind != Other || entries[found].Kind == Other) {
			found = i
		}
	}
	if found < 0 {
		return 0, fmt.Errorf("%q is none of the %d entries of this store: %w", alias, len(entries), ErrAliasNotFound)
	}
	return found, nil
}

// stockAlias is the alias that both products use where nobody names another (keystore.primary.alias in default.json of carbon-kernel
// v4.9.28). The key store of IS 7.0 has a second key next to it.
const stockAlias = "wso2carbon"

// findKey is find for private keys; an empty alias stands for the only one, or of several for the one that the products use.
func findKey(entries []Entry, alias string) (int, error) {
	var keys []int
	var names []string
	for i, e := range entries {
		if e.Kind == KeyEntry {
			keys, names = append(keys, i), append(names, fmt.Sprintf("%q", e.Alias))
		}
	}
	switch {
	case alias != "":
		at, err := find(entries, alias)
		if err == nil && entries[at].Kind != KeyEntry {
			err = fmt.Errorf("%q is the alias of a %s, not of a private key: %w", alias, entries[at].Kind, ErrAliasNotFound)
		}
		return at, err
	case len(keys) == 1:
		return keys[0], nil
	case len(keys) == 0:
		return 0, fmt.Errorf("this store has no private key: %w", ErrAliasNotFound)
	}
	if at, err := find(entries, stockAlias); err == nil && entries[at].Kind == KeyEntry {
		return at, nil
	}
	return 0, fmt.Errorf("this store has several private keys, name one of %s: %w", strings.Join(names, ", "), ErrAliasNotFound)
}
