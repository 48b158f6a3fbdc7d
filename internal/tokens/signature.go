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
	ID     string
	public crypto.PublicKey // *rsa.PublicKey or *ecdsa.PublicKey
}

// ParseKeys reads a key set (RFC 7517). It leaves out keys of types and curves that no algorithm of a token has.
func ParseKeys(set []byte) ([]Key, error) {
	var text struct {
		Keys []jwk `json:"keys"`
	}
	if err := json.Unmarshal(set, &text); err != nil {
		return nil, err
	}
	var keys []Key
	for _, k := range text.Keys {
		public, err := k.public()
		if err != nil {
			return nil, fmt.Errorf("key %q: %w", k.ID, err)
		}
		if public != nil {
			keys = append(keys, Key{k.ID, public})
		}
	}
	return keys, nil
}

// jwk is a key as a key set has it (RFC 7518, section 6). Its numbers are big-endian bytes in base64url.
type jwk struct {
	ID    string `json:"kid"`
	Type  string `json:"kty"`
	N     string `json:"n"`
	E     string `json:"e"`
	Curve string `json:"crv"`
	X     string `json:"x"`
	Y     string `json:"y"`
}

// public returns nil if no algorithm of a token has keys of this type or curve.
func (k jwk) public() (crypto.PublicKey, error) {
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
		return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(exponent.Int64())}, nil
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
	if !j.Signed() {
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

// SignedByOneOf reports whether one of the keys has the id that the token names, and whether such a key has signed the token.
func (j JWT) SignedByOneOf(keys []Key) (known, signed bool) {
	for _, key := range keys {
		if key.ID == j.KeyID() {
			known = true
			signed = signed || j.SignedBy(key)
		}
	}
	return known, signed
}
