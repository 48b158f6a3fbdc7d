package tokens

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"
)

// Key is a public key that verifies signatures.
type Key struct {
	ID        string
	algorithm string           // the only one that the key is for, such as RS256; empty: any that fits its type
	public    crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
}

// KeySet is a key set (RFC 7517).
type KeySet struct {
	Keys    []Key            // those that may verify signatures
	leftOut map[string]error // why others may not, by their ids
}

// ParseKeys reads a key set. It leaves out keys of types and curves that no algorithm of a token has, keys for another use, and keys
// that are malformed (RFC 7517, section 5).
func ParseKeys(set []byte) (KeySet, error) {
	var text struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(set, &text); err != nil {
		return KeySet{}, err
	}
	keys := KeySet{leftOut: map[string]error{}}
	for _, raw := range text.Keys {
		var k jwk
		var public crypto.PublicKey
		err := json.Unmarshal(raw, &k)
		if err == nil {
			public, err = k.public()
		}
		switch {
		case err != nil:
			keys.leftOut[k.ID] = err
		case public != nil:
			keys.Keys = append(keys.Keys, Key{k.ID, k.Algorithm, public})
		}
	}
	return keys, nil
}

// jwk is a key as a key set has it (RFC 7517, section 4; RFC 7518, section 6). Its numbers are big-endian bytes in base64url.
type jwk struct {
	ID        string `json:"kid"`
	Type      string `json:"kty"`
	Use       string `json:"use"`
	Algorithm string `json:"alg"`
	N         string `json:"n"`
	E         string `json:"e"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	Y         string `json:"y"`
}

// leastBits is the size of the smallest RSA key that may sign (RFC 7518, sections 3.3 and 3.5).
const leastBits = 2048

// public returns nil if no algorithm of a token has keys of this type or curve. The error says why the key may not verify signatures.
func (k jwk) public() (crypto.PublicKey, error) {
	if k.Use != "" && k.Use != "sig" {
		return nil, fmt.Errorf("its use is %q, not sig", k.Use)
	}
	switch k.Type {
	case "RSA":
		n, err := decode(k.N)
		if err != nil {
			return nil, err
		}
		e, err := decode(k.E)
		exponent := new(big.Int).SetBytes(e)
		if err != nil || exponent.BitLen() > 31 {
			return nil, fmt.Errorf("the exponent %q is not a number of 31 bits", k.E)
		}
		public := &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}
		if bits := public.N.BitLen(); bits < leastBits {
			return nil, fmt.Errorf("it has %d bits, and a key that signs has at least %d", bits, leastBits)
		}
		return public, nil
	case "EC":
		for _, curve := range []elliptic.Curve{elliptic.P256(), elliptic.P384(), elliptic.P521()} {
			if curve.Params().Name == k.Curve {
				return k.point(curve)
			}
		}
	}
	return nil, nil
}

// point returns the key of an elliptic curve.
func (k jwk) point(curve elliptic.Curve) (crypto.PublicKey, error) {
	x, err := decode(k.X)
	if err != nil {
		return nil, err
	}
	y, err := decode(k.Y)
	if err != nil {
		return nil, err
	}
	return ecdsa.ParseUncompressedPublicKey(curve, slices.Concat([]byte{4}, x, y))
}

func decode(text string) ([]byte, error) {
	return base64.RawURLEncoding.DecodeString(strings.TrimRight(text, "="))
}

// Signed reports whether the token has a signature that a public key can verify. The products use RS256.
func (j JWT) Signed() bool {
	_, hash := j.algorithm()
	_, critical := j.Header["crit"] // an extension that a reader has to know (RFC 7515, section 4.1.11); this one knows none
	return hash != 0 && !critical && len(j.signature) > 0
}

// Algorithm is how the token is signed, such as RS256.
func (j JWT) Algorithm() string { return j.inHeader("alg") }

// KeyID names the key that has signed the token.
func (j JWT) KeyID() string { return j.inHeader("kid") }

func (j JWT) inHeader(name string) string {
	text, _ := j.Header[name].(string)
	return text
}

// algorithm returns the family of the algorithm, which is RS, PS or ES, and its hash function (RFC 7518, section 3.1); "" and 0 for
// any other algorithm, in particular for those without a public key.
func (j JWT) algorithm() (family string, hash crypto.Hash) {
	alg := j.Algorithm()
	if len(alg) != len("RS256") || !slices.Contains([]string{"RS", "PS", "ES"}, alg[:2]) {
		return "", 0
	}
	switch alg[2:] {
	case "256":
		return alg[:2], crypto.SHA256
	case "384":
		return alg[:2], crypto.SHA384
	case "512":
		return alg[:2], crypto.SHA512
	}
	return "", 0
}

// SignedBy reports whether a key has signed the token.
func (j JWT) SignedBy(key Key) bool {
	if !j.Signed() || key.algorithm != "" && key.algorithm != j.Algorithm() {
		return false
	}
	family, hash := j.algorithm()
	digest := hash.New()
	digest.Write([]byte(j.signed))
	sum := digest.Sum(nil)
	switch public := key.public.(type) {
	case *rsa.PublicKey:
		switch family {
		case "RS":
			return rsa.VerifyPKCS1v15(public, hash, sum, j.signature) == nil
		case "PS":
			return rsa.VerifyPSS(public, hash, sum, j.signature, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
		}
	case *ecdsa.PublicKey:
		// Each algorithm has one curve, and both numbers of the signature have its size (RFC 7518, section 3.4).
		curves := map[crypto.Hash]elliptic.Curve{crypto.SHA256: elliptic.P256(), crypto.SHA384: elliptic.P384(), crypto.SHA512: elliptic.P521()}
		size := (public.Params().BitSize + 7) / 8
		if family != "ES" || public.Curve != curves[hash] || len(j.signature) != 2*size {
			return false
		}
		r, s := new(big.Int).SetBytes(j.signature[:size]), new(big.Int).SetBytes(j.signature[size:])
		return ecdsa.Verify(public, sum, r, s)
	}
	return false
}

// Verify verifies that a key of the set with the id that the token names has signed the token. The error says what is wrong.
func (s KeySet) Verify(j JWT) error {
	err := fmt.Errorf("the issuer has no key %q", j.KeyID())
	if flaw := s.leftOut[j.KeyID()]; flaw != nil {
		err = fmt.Errorf("the issuer's key %q may not verify a signature: %w", j.KeyID(), flaw)
	}
	for _, key := range s.Keys {
		if key.ID != j.KeyID() {
			continue
		}
		if j.SignedBy(key) {
			return nil
		}
		err = fmt.Errorf("the issuer's key %q has not signed the token", j.KeyID())
		if key.algorithm != "" && key.algorithm != j.Algorithm() {
			err = fmt.Errorf("the issuer's key %q is for %s, and the token names %s", j.KeyID(), key.algorithm, j.Algorithm())
		}
	}
	return err
}
