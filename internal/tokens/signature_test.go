package tokens

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"
)

// keySet reads public keys from a key set that go-jose writes.
func keySet(t *testing.T, keys ...jose.JSONWebKey) []Key {
	t.Helper()
	text, err := json.Marshal(jose.JSONWebKeySet{Keys: keys})
	if err != nil {
		t.Fatal(err)
	}
	set, err := ParseKeys(text)
	if err != nil || len(set.Keys) != len(keys) {
		t.Fatalf("%d keys of %s: %v", len(set.Keys), text, err)
	}
	return set.Keys
}

// signedBy signs a token with a key, with go-jose.
func signedBy(t *testing.T, alg jose.SignatureAlgorithm, key any, id string) string {
	t.Helper()
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(`{"iss":"https://is"}`))
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// TestSignaturesOfAnotherImplementation: go-jose signs with each algorithm, and this package verifies. A token fails as soon as the
// signature, the claims, the algorithm or the key is another one.
func TestSignaturesOfAnotherImplementation(t *testing.T) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	private, public := map[string]any{"RS": rsaKey, "PS": rsaKey}, map[string]any{"RS": rsaKey.Public(), "PS": rsaKey.Public()}
	for alg, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521()} {
		key, err := ecdsa.GenerateKey(curve, rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		private[alg], public[alg] = key, key.Public()
	}
	for _, alg := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512"} {
		t.Run(alg, func(t *testing.T) {
			kind := alg
			if private[kind] == nil {
				kind = alg[:2]
			}
			token := signedBy(t, jose.SignatureAlgorithm(alg), private[kind], "k")
			j, err := Decode(token)
			if err != nil || !j.Signed() || j.Algorithm() != alg || j.KeyID() != "k" {
				t.Fatalf("%+v, %v", j, err)
			}
			for other, key := range public {
				if set := keySet(t, jose.JSONWebKey{Key: key, KeyID: "k"}); j.SignedBy(set[0]) != (key == public[kind]) {
					t.Errorf("signed by the key for %s: %t", other, j.SignedBy(set[0]))
				}
			}
			key := keySet(t, jose.JSONWebKey{Key: public[kind], KeyID: "k"})[0]
			parts := strings.Split(token, ".")
			for _, i := range []int{0, len(j.signature) / 2, len(j.signature) - 1} {
				j.signature[i] ^= 1
				if j.SignedBy(key) {
					t.Errorf("byte %d of the signature is another one, and the token is verified", i)
				}
				j.signature[i] ^= 1
			}
			claims := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"https://no"}`))
			for name, text := range map[string]string{
				"other claims":        parts[0] + "." + claims + "." + parts[2],
				"no signature":        parts[0] + "." + parts[1] + ".",
				"a longer signature":  token + "AA",
				"a shorter signature": token[:len(token)-4],
			} {
				if changed, err := Decode(text); err != nil || changed.SignedBy(key) {
					t.Errorf("%s: verified, or %v", name, err)
				}
			}
		})
	}
}

// TestOnlyPublicKeysVerify: an algorithm without a public key, and an extension that has to be understood, verify nothing.
func TestOnlyPublicKeysVerify(t *testing.T) {
	for _, header := range []string{
		`{"alg":"none"}`, `{"alg":"HS256"}`, `{"alg":"RS2567"}`, `{"alg":"RS255"}`, `{"alg":"XS256"}`, `{"alg":256}`, `{}`, `{"alg":"EdDSA"}`, `{"alg":"RS256","crit":["x"]}`,
	} {
		j, err := Decode(base64.RawURLEncoding.EncodeToString([]byte(header)) + ".e30.AAAA")
		if err != nil || j.Signed() {
			t.Errorf("%s: signed, or %v", header, err)
		}
	}
}

func TestKeysThatNoTokenHasAreLeftOut(t *testing.T) {
	keys, err := ParseKeys([]byte(`{"keys":[{"kty":"oct","k":"AAAA"},{"kty":"OKP","crv":"Ed25519","x":"AAAA"},{"kty":"EC","crv":"secp256k1"}]}`))
	if err != nil || len(keys.Keys) != 0 || len(keys.leftOut) != 0 {
		t.Errorf("%v, %v", keys, err)
	}
	if keys, err := ParseKeys([]byte(`{"keys":7}`)); err == nil {
		t.Errorf("%v", keys)
	}
}

// TestAKeyThatMayNotVerifyIsLeftOut: the other keys of the set verify as before. The error names the flaw if no other key has the id.
func TestAKeyThatMayNotVerifyIsLeftOut(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	jwk := func(key jose.JSONWebKey) string {
		text, err := json.Marshal(key)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	good, bySmall := signedBy(t, jose.RS256, private, "k"), signedBy(t, jose.RS256, small, "k")
	signs := jwk(jose.JSONWebKey{Key: private.Public(), KeyID: "k", Use: "sig", Algorithm: "RS256"})
	mayNot := `the issuer's key "k" may not verify a signature: `
	for name, tc := range map[string]struct{ key, token, want string }{
		"an RSA key of 1024 bits":      {jwk(jose.JSONWebKey{Key: small.Public(), KeyID: "k"}), bySmall, mayNot + "it has 1024 bits"},
		"a key that encrypts":          {jwk(jose.JSONWebKey{Key: private.Public(), KeyID: "k", Use: "enc"}), good, mayNot + `its use is "enc"`},
		"a key for another algorithm":  {jwk(jose.JSONWebKey{Key: private.Public(), KeyID: "k", Algorithm: "PS256"}), good, `the issuer's key "k" is for PS256, and the token names RS256`},
		"another key":                  {strings.Replace(signs, `"kid":"k"`, `"kid":"other"`, 1), good, `the issuer has no key "k"`},
		"no base64":                    {`{"kid":"k","kty":"RSA","n":"!","e":"AQAB"}`, good, mayNot},
		"an exponent of 32 bits":       {`{"kid":"k","kty":"RSA","n":"AAAA","e":"AAAAAQAAAAA"}`, good, mayNot},
		"a point that is on no curve":  {`{"kid":"k","kty":"EC","crv":"P-256","x":"AAAA","y":"AAAA"}`, good, mayNot},
		"no base64 in x":               {`{"kid":"k","kty":"EC","crv":"P-256","x":"!","y":"AAAA"}`, good, mayNot},
		"no base64 in y":               {`{"kid":"k","kty":"EC","crv":"P-256","x":"AAAA","y":"!"}`, good, mayNot},
		"a number instead of a text":   {`{"kid":"k","kty":"RSA","n":7}`, good, mayNot},
		"a text instead of a key":      {`"k"`, good, `the issuer has no key "k"`},
		"a malformed key with no id":   {`{"kty":"RSA","n":"!"}`, good, `the issuer has no key "k"`},
		"an id that is a number":       {`{"kid":7,"kty":"RSA"}`, good, `the issuer has no key "k"`},
		"nothing instead of a key":     {`null`, good, `the issuer has no key "k"`},
		"a small key with another id":  {jwk(jose.JSONWebKey{Key: small.Public(), KeyID: "other"}), bySmall, `the issuer has no key "k"`},
		"a key that has not signed it": {signs, bySmall, `the issuer's key "k" has not signed the token`},
	} {
		t.Run(name, func(t *testing.T) {
			j, err := Decode(tc.token)
			if err != nil {
				t.Fatal(err)
			}
			if err := j.Verify([]byte(`{"keys":[` + tc.key + `]}`)); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
				t.Errorf("verified, or %v; want %s", err, tc.want)
			}
			if j, err = Decode(good); err != nil {
				t.Fatal(err)
			}
			for _, set := range []string{tc.key + "," + signs, signs + "," + tc.key} {
				if err := j.Verify([]byte(`{"keys":[` + set + `]}`)); err != nil {
					t.Errorf("with a good key in the set: %v", err)
				}
			}
		})
	}
}

// FuzzParseKeys: a key set comes from an address that somebody has typed. No key of it verifies a signature of zeros.
func FuzzParseKeys(f *testing.F) {
	f.Add([]byte(`{"keys":[{"kid":"k","kty":"RSA","n":"AAAA","e":"AQAB"}]}`))
	f.Add([]byte(`{"keys":[{"kid":"k","kty":"EC","crv":"P-256","x":"AA","y":"AA"},{"kty":"oct"}]}`))
	f.Add([]byte(`{"keys":[{"kid":"k","kty":"RSA","n":"","e":""}]}`))
	j, err := Decode("eyJhbGciOiJSUzI1NiJ9.e30." + strings.Repeat("A", 342))
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, set []byte) {
		keys, _ := ParseKeys(set)
		for _, key := range keys.Keys {
			if j.SignedBy(key) {
				t.Errorf("%s has signed zeros", set)
			}
		}
	})
}
