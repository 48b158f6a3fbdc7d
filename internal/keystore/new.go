package keystore

import "fmt"

// MAC is the digest that protects a whole PKCS#12 file under its password.
type MAC string

// The MACs that New can give a store.
const (
	MACSHA256 MAC = "" // what Java 17 writes
	NoMAC     MAC = "none"
	MACSHA1   MAC = "SHA-1"
	MACSHA384 MAC = "SHA-384"
	MACSHA512 MAC = "SHA-512"
)

// Encryption is the way in which a PKCS#12 file holds its certificates.
type Encryption string

// The encryptions that New can give a store. Private keys are always encrypted with AES256.
const (
	AES256    Encryption = "" // PBES2, AES-256-CBC, HMAC-SHA256: what Java 17 writes
	Clear     Encryption = "clear"
	RC2With40 Encryption = "RC2-40"
	TripleDES Encryption = "3DES"
)

// defaultRounds is Java 17's number of rounds, for MACs and encryption alike.
const defaultRounds = 10_000

// Options describe a new store. The zero value with a Format is what Java 17 writes by default. All but Format and
// Password are for PKCS#12.
type Options struct {
	Format            Format
	Password          string
	MAC               MAC
	MACRounds         int // 0 is 10,000
	Certificates      Encryption
	CertificateRounds int // 0 is 10,000
	KeyRounds         int // 0 is 10,000
}

// New makes an empty store. Errors wrap ErrFormat for an unknown option, ErrTooLarge for rounds beyond the caps.
func New(o Options) (*Store, error) {
	var c codec
	var err error
	switch o.Format {
	case JKS:
		c, err = newJKS(o.Password)
	case PKCS12:
		c, err = newPKCS12(o)
	default:
		err = fmt.Errorf("unknown format %q, want %s or %s: %w", o.Format, JKS, PKCS12, ErrFormat)
	}
	if err != nil {
		return nil, fmt.Errorf("make a new keystore: %w", err)
	}
	return &Store{format: o.Format, codec: c}, nil
}
