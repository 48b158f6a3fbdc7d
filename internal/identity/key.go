package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/keystore"
	"wso2agent/internal/remedy"
)

// KeyKind is a kind of private key that the agent generates (TLS_KEY).
type KeyKind string

// The kinds of keys.
const (
	ECDSAP256 KeyKind = "ecdsa-p256"
	RSA2048   KeyKind = "rsa-2048"
	RSA3072   KeyKind = "rsa-3072"
	RSA4096   KeyKind = "rsa-4096"
)

// minRSA is the least size of an RSA key in bits. Clients refuse a smaller one.
const minRSA = 2048

// bits returns the size of an RSA key, and 0 for other kinds.
func (k KeyKind) bits() int {
	return map[KeyKind]int{RSA2048: 2048, RSA3072: 3072, RSA4096: 4096}[k]
}

// kindOf is empty for a key of a kind that the agent does not generate.
func kindOf(public crypto.PublicKey) KeyKind {
	switch k := public.(type) {
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P256() {
			return ECDSAP256
		}
	case *rsa.PublicKey:
		for _, kind := range []KeyKind{RSA2048, RSA3072, RSA4096} {
			if k.N.BitLen() == kind.bits() {
				return kind
			}
		}
	}
	return ""
}

func generate(kind KeyKind) (crypto.Signer, error) {
	if kind == ECDSAP256 {
		return ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if bits := kind.bits(); bits > 0 {
		return rsa.GenerateKey(rand.Reader, bits)
	}
	return nil, remedy.Add(fmt.Errorf("%q is not a kind of key", kind), "set TLS_KEY to %s, %s, %s or %s", ECDSAP256, RSA2048, RSA3072, RSA4096)
}

// keyID derives the identifier of a key as in RFC 7093, section 2, method 1.
func keyID(public crypto.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:20], nil
}

// parseKey reads one private key in PEM. Errors begin with what, the name of the file, and show nothing of its content.
func parseKey(what string, data []byte) (crypto.Signer, error) {
	blocks, err := keystore.PEMBlocks(data)
	if err != nil {
		return nil, pemError(what, err)
	}
	// openssl ecparam writes the curve before the key, which names it too.
	blocks = slices.DeleteFunc(blocks, func(b *pem.Block) bool { return b.Type == "EC PARAMETERS" })
	if len(blocks) != 1 || !strings.HasSuffix(blocks[0].Type, "PRIVATE KEY") {
		return nil, remedy.Add(fmt.Errorf("%s must hold one private key and nothing else", what), "remove the rest")
	}
	if blocks[0].Type == "ENCRYPTED PRIVATE KEY" || blocks[0].Headers["DEK-Info"] != "" {
		return nil, remedy.Add(fmt.Errorf("%s holds an encrypted private key", what), "provide it without a passphrase, readable by the agent alone")
	}
	key, err := decodeKey(blocks[0].Bytes)
	if err != nil {
		return nil, fmt.Errorf("%s %w", what, err)
	}
	return key, nil
}

// decodeKey goes by content, because labels are often wrong. It does not pass on what the library says about a key.
func decodeKey(der []byte) (crypto.Signer, error) {
	var key any
	var err error
	if key, err = x509.ParsePKCS8PrivateKey(der); err != nil {
		if key, err = x509.ParsePKCS1PrivateKey(der); err != nil {
			if key, err = x509.ParseECPrivateKey(der); err != nil {
				return nil, remedy.Add(errors.New("holds no private key in PKCS#1, PKCS#8 or SEC 1"), "generate it again, or convert it with openssl pkcs8 -topk8 -nocrypt")
			}
		}
	}
	switch k := key.(type) {
	case *rsa.PrivateKey:
		if k.N.BitLen() < minRSA {
			return nil, remedy.Add(fmt.Errorf("holds an RSA key of %d bits, less than %d", k.N.BitLen(), minRSA), "generate a longer one")
		}
		return k, nil
	case *ecdsa.PrivateKey:
		if k.Curve == elliptic.P224() {
			return nil, remedy.Add(errors.New("holds a key on the curve P-224, which Java's TLS does not support"), "generate one on P-256")
		}
		return k, nil
	case ed25519.PrivateKey:
		return k, nil
	}
	return nil, remedy.Add(errors.New("holds a key that cannot sign"), "generate one for RSA or ECDSA")
}
