// Package keystore turns the bytes of a Java keystore into entries and back, and loses nothing on the way.
//
// It reads and writes PKCS#12 (RFC 7292) and JKS, told apart by content and never by a file's name. An edit changes the
// entry concerned: every other entry, with its alias, date, attributes and encrypted bytes, stays as it was, and a
// store that was not edited encodes to the very bytes it was opened from. The package knows no files and no networks.
package keystore

import (
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
)

// What callers tell apart with errors.Is. Every error of this package that is about a store's content wraps one of them.
var (
	// ErrFormat: the bytes are no store of a kind that this package reads, or use an algorithm that it does not have.
	ErrFormat = errors.New("unsupported keystore format")
	// ErrPassword: the password does not open the store or the key.
	ErrPassword = errors.New("wrong password")
	// ErrDamaged: the bytes contradict themselves.
	ErrDamaged = errors.New("damaged keystore")
	// ErrTorn: the bytes end before the length they announce, as a file does that is being written.
	ErrTorn = errors.New("torn keystore: shorter than it says")
	// ErrTooLarge: a size, a count or a number of derivation rounds is beyond the caps of this package.
	ErrTooLarge = errors.New("keystore too large")
	// ErrAliasTaken: the alias belongs to an entry of another kind, which the operation would destroy.
	ErrAliasTaken = errors.New("alias taken")
	// ErrAliasNotFound: the store has no entry with that alias.
	ErrAliasNotFound = errors.New("alias not found")
)

// Caps on what is opened, so that no file can cost more than a few seconds and, in any one call, 64 MiB, counting also
// what is freed on the way. They are checked before the memory or the time is spent. The largest default store of the products has 150 entries, the slowest needs 210,000
// rounds.
const (
	maxBytes   = 16 << 20
	maxEntries = 1 << 16   // entries and certificates of chains, together
	maxRounds  = 1_000_000 // hash or HMAC rounds, over all MACs, safes and keys of one file
	maxNames   = 5 << 20   // bytes of aliases in UTF-8, over all entries
	maxBER     = 4 << 20   // bytes to be rewritten because they are BER, over all layers of a file
)

// Format is a way to write a keystore.
type Format string

// The formats that this package reads and writes.
const (
	JKS    Format = "JKS"
	PKCS12 Format = "PKCS12"
)

// Kind says what an entry holds.
type Kind string

// The kinds of entries.
const (
	KeyEntry           Kind = "key"         // a private key with its certificate chain
	TrustedCertificate Kind = "certificate" // a certificate that Java trusts
	SecretKey          Kind = "secret"      // a symmetric key or a password
	Other              Kind = "other"       // anything else, such as a CRL, or a certificate that Java does not trust
)

// Fingerprint is the SHA-256 of a certificate's DER.
type Fingerprint [sha256.Size]byte

// String writes the fingerprint as keytool does: upper case, a colon between the bytes.
func (f Fingerprint) String() string {
	const digits = "0123456789ABCDEF"
	text := make([]byte, 0, 3*len(f))
	for i, b := range f {
		if i > 0 {
			text = append(text, ':')
		}
		text = append(text, digits[b>>4], digits[b&15])
	}
	return string(text)
}

// Short is the first eight hexadecimal digits, in lower case: enough to tell a server's certificates apart in an alias.
func (f Fingerprint) Short() string { return hex.EncodeToString(f[:4]) }

// ParseFingerprint reads 64 hexadecimal digits, in any case, with or without colons between the bytes.
func ParseFingerprint(s string) (Fingerprint, error) {
	var f Fingerprint
	digits := s
	if strings.Contains(s, ":") {
		if len(s) != 3*len(f)-1 {
			return f, fmt.Errorf("read fingerprint %q: want %d pairs of hexadecimal digits with a colon between them", s, len(f))
		}
		for i := 2; i < len(s); i += 3 {
			if s[i] != ':' {
				return f, fmt.Errorf("read fingerprint %q: want a colon after every two digits, or none at all", s)
			}
		}
		digits = strings.ReplaceAll(s, ":", "")
	}
	raw, err := hex.DecodeString(digits)
	if err != nil || len(raw) != len(f) {
		return f, fmt.Errorf("read fingerprint %q: want the %d hexadecimal digits of a SHA-256", s, 2*len(f))
	}
	return Fingerprint(raw), nil
}

// Certificate is a certificate as it stands in a store. It stays raw on purpose: truststores hold certificates that
// Go's parser refuses (a negative serial number, say) and Java takes, and those must be listed and survive.
type Certificate struct {
	DER []byte // not to be changed: it may share memory with the store
}

// Fingerprint is the SHA-256 of the certificate.
func (c Certificate) Fingerprint() Fingerprint { return sha256.Sum256(c.DER) }

// Parse reads the certificate with crypto/x509, which refuses some that Java accepts.
func (c Certificate) Parse() (*x509.Certificate, error) {
	parsed, err := x509.ParseCertificate(c.DER)
	if err != nil {
		return nil, fmt.Errorf("parse certificate %s: %w", c.Fingerprint(), err)
	}
	return parsed, nil
}

// Entry is what stands under one alias.
type Entry struct {
	Alias   string // as the store has it; an unnamed PKCS#12 entry gets the number that Java gives it
	Kind    Kind
	Chain   []Certificate // leaf first; exactly one for a trusted certificate; empty for a secret
	Created time.Time     // zero where the format records none, as PKCS#12 does for trusted certificates
}
