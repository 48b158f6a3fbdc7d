package wso2sim

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" // x5t of RFC 7515 is a SHA-1
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"strings"
)

// signer makes tokens as both products do: JWTs of RFC 9068, signed RS256.
type signer struct {
	key  *rsa.PrivateKey
	cert *x509.Certificate
	// hexThumbprint is API Manager's habit of putting the hexadecimal SHA-256 into x5t, where IS has the SHA-1.
	hexThumbprint bool
}

var b64 = base64.RawURLEncoding

// kid is the products' own: the hexadecimal SHA-256 of the certificate, in base64url, with the algorithm behind it.
func (s *signer) kid() string { return s.thumbprint() + "_RS256" }

func (s *signer) thumbprint() string {
	sum := sha256.Sum256(s.cert.Raw)
	return b64.EncodeToString([]byte(hex.EncodeToString(sum[:])))
}

func (s *signer) x5t() string {
	if s.hexThumbprint {
		return s.thumbprint()
	}
	sum := sha1.Sum(s.cert.Raw)
	return b64.EncodeToString(sum[:])
}

// sign makes a JWT; typ is left out of the header if empty, as in ID tokens.
func (s *signer) sign(typ string, claims map[string]any) (string, error) {
	header := map[string]any{"x5t": s.x5t(), "kid": s.kid(), "alg": "RS256"}
	if typ != "" {
		header["typ"] = typ
	}
	var parts []string
	for _, part := range []map[string]any{header, claims} {
		text, err := json.Marshal(part)
		if err != nil {
			return "", fmt.Errorf("write a token: %w", err)
		}
		parts = append(parts, b64.EncodeToString(text))
	}
	signed := strings.Join(parts, ".")
	sum := sha256.Sum256([]byte(signed))
	signature, err := rsa.SignPKCS1v15(rand.Reader, s.key, crypto.SHA256, sum[:])
	if err != nil {
		return "", fmt.Errorf("sign a token: %w", err)
	}
	return signed + "." + b64.EncodeToString(signature), nil
}

// jwk is a public key as /oauth2/jwks shows it.
type jwk struct {
	Kty     string   `json:"kty"`
	X5tS256 string   `json:"x5t#S256"`
	E       string   `json:"e"`
	Use     string   `json:"use"`
	Kid     string   `json:"kid"`
	X5c     []string `json:"x5c"`
	Alg     string   `json:"alg"`
	N       string   `json:"n"`
}

type jwks struct {
	Keys []jwk `json:"keys"`
}

func (s *signer) jwks() jwks {
	sum := sha256.Sum256(s.cert.Raw)
	return jwks{[]jwk{{
		Kty: "RSA", X5tS256: b64.EncodeToString(sum[:]), Use: "sig", Kid: s.kid(), Alg: "RS256",
		X5c: []string{base64.StdEncoding.EncodeToString(s.cert.Raw)},
		E:   b64.EncodeToString(big.NewInt(int64(s.key.E)).Bytes()),
		N:   b64.EncodeToString(s.key.N.Bytes()),
	}}}
}

// key finds a public key by its id; nil if there is none.
func (k jwks) key(kid string) *rsa.PublicKey {
	for _, candidate := range k.Keys {
		if candidate.Kid != kid || candidate.Kty != "RSA" {
			continue
		}
		n, errN := b64.DecodeString(candidate.N)
		e, errE := b64.DecodeString(candidate.E)
		if errN == nil && errE == nil && len(e) > 0 && len(e) <= 4 {
			return &rsa.PublicKey{N: new(big.Int).SetBytes(n), E: int(new(big.Int).SetBytes(e).Int64())}
		}
	}
	return nil
}

// pinnedKey is the key of a certificate in PEM, as it is or in base64 once more; nil if there is none.
func pinnedKey(text string) *rsa.PublicKey {
	if decoded, err := base64.StdEncoding.DecodeString(text); err == nil {
		text = string(decoded)
	}
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		return nil
	}
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil
	}
	key, _ := certificate.PublicKey.(*rsa.PublicKey)
	return key
}

// parsedJWT is a token taken apart and not yet believed.
type parsedJWT struct {
	kid, alg  string
	claims    jwtClaims
	signed    string
	signature []byte
}

type jwtClaims struct {
	Issuer  string     `json:"iss"`
	Azp     string     `json:"azp"`
	Subject string     `json:"sub"`
	Scope   scopeClaim `json:"scope"`
	ID      string     `json:"jti"`
	Expiry  int64      `json:"exp"`

	Audience any `json:"aud"` // a text, or a list of texts
}

// scopeClaim is the claim scope: an array, or a text with blanks between the scopes. API-M takes both (DefaultJWTTransformer of
// carbon-apimgt).
type scopeClaim []string

func (c *scopeClaim) UnmarshalJSON(data []byte) error {
	var text string
	if json.Unmarshal(data, &text) == nil {
		*c = strings.Fields(text)
		return nil
	}
	return json.Unmarshal(data, (*[]string)(c))
}

var errNoJWT = errors.New("not a JWT")

func parseJWT(token string) (parsedJWT, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return parsedJWT{}, errNoJWT
	}
	var raw [3][]byte
	for i, part := range parts {
		decoded, err := b64.DecodeString(part)
		if err != nil {
			return parsedJWT{}, errNoJWT
		}
		raw[i] = decoded
	}
	var header struct{ Kid, Alg string }
	p := parsedJWT{signed: parts[0] + "." + parts[1], signature: raw[2]}
	if json.Unmarshal(raw[0], &header) != nil || json.Unmarshal(raw[1], &p.claims) != nil {
		return parsedJWT{}, errNoJWT
	}
	p.kid, p.alg = header.Kid, header.Alg
	return p, nil
}

// signedBy says whether the token bears the signature of key.
func (p parsedJWT) signedBy(key *rsa.PublicKey) bool {
	sum := sha256.Sum256([]byte(p.signed))
	return key != nil && p.alg == "RS256" && rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], p.signature) == nil
}
