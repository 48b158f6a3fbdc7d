package tokens

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// sign makes a JWT, and the key set that verifies it.
func sign(t *testing.T, id, claims string) (token string, set json.RawMessage) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign([]byte(claims))
	if err != nil {
		t.Fatal(err)
	}
	if token, err = signed.CompactSerialize(); err != nil {
		t.Fatal(err)
	}
	set, err = json.Marshal(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: id, Algorithm: "RS256", Use: "sig"}}})
	if err != nil {
		t.Fatal(err)
	}
	return token, set
}

func TestATokenIsDecodedAndVerified(t *testing.T) {
	signed, set := sign(t, "k1", `{"iss":"https://is","azp":"app","exp":2000000000123456789}`)
	j, err := Decode(signed)
	if err != nil || j.Text("iss") != "https://is" || j.ClientID() != "app" || j.Header["alg"] != "RS256" || j.Claims["exp"].(json.Number) != "2000000000123456789" {
		t.Fatalf("%v, %v", j, err)
	}
	if err := j.Verify(set); err != nil {
		t.Error(err)
	}
	_, other := sign(t, "k1", "{}")
	_, unknown := sign(t, "k2", "{}")
	parts := strings.Split(signed, ".")
	unsigned, err := Decode("eyJhbGciOiJub25lIn0." + parts[1] + ".")
	if err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		JWT
		set  json.RawMessage
		want string
	}{
		"another key of the same id": {j, other, `the issuer's key "k1" has not signed the token`},
		"a key that is not there":    {j, unknown, `the issuer has no key "k1"`},
		"no key set":                 {j, json.RawMessage("7"), "read the key set"},
		"no signature":               {unsigned, set, `no signature that can be verified: algorithm "none"`},
	} {
		if err := tc.Verify(tc.set); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{"", "5f0c1f2e-9b7f-3a1c-8c39-54a4a7f0c1ab", "a.b.c", "e30.bnVsbA.x", "e30.W10.x"} {
		if _, err := Decode(text); !errors.Is(err, ErrOpaque) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestTimesInWords(t *testing.T) {
	now := time.Unix(1000, 0)
	for claims, want := range map[string]string{
		`{"iat":880,"exp":1723}`:            "issued 2m0s ago, expires in 12m3s|",
		`{"iat":880,"exp":1000}`:            "issued 2m0s ago, expired 0s ago|the token has expired",
		`{"iat":1005,"nbf":1005,"exp":2e3}`: "issued 5s in the future, valid in 5s, expires in 16m40s|the token is not valid yet",
		`{"exp":"soon"}`:                    "does not expire|",
		`{"iat":-5,"exp":1e300}`:            "does not expire|",
	} {
		signed, _ := sign(t, "k", claims)
		j, err := Decode(signed)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(j.When(now), ", ") + "|" + j.Invalid(now); got != want {
			t.Errorf("%s: %s, want %s", claims, got, want)
		}
	}
}

func TestSkewInWords(t *testing.T) {
	sent := time.Unix(1000, 900_000_000)
	received := sent.Add(3 * time.Second) // a slow answer is no skew
	for date, want := range map[int64]string{
		1000: "agrees", 1003: "agrees", 1004: "agrees", 998: "is 1s or more ahead", 940: "is 59s or more ahead", 1005: "is 1s or more behind", 1064: "is 1m0s or more behind",
	} {
		if got := Skew(time.Unix(date, 0), sent, received); !strings.Contains(got, want) {
			t.Errorf("%d: %s, want %s", date, got, want)
		}
	}
}

// FuzzDecode: a token comes from anybody.
func FuzzDecode(f *testing.F) {
	for _, seed := range []string{
		"", "a.b.c", "e30.e30.", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJodHRwczovL25vYm9keS5leGFtcGxlIiwiZXhwIjoxNzk1MDAwMDAwfQ.eA",
		"eyJhbGciOiJub25lIn0.eyJleHAiOjFlOTksImlhdCI6LTEsIm5iZiI6IngifQ.", "e30.eyJleHAiOjEwOTk1MTE2Mjc3NzV9.eA",
	} {
		f.Add(seed)
	}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, token string) {
		j, err := Decode(token)
		if err != nil {
			if !errors.Is(err, ErrOpaque) {
				t.Error(err)
			}
			return
		}
		if words := j.When(now); len(words) == 0 || len(strings.Join(words, " ")) > 200 {
			t.Errorf("%q", words)
		}
		if at, expires := j.Expires(); expires && !now.Before(at) && j.Invalid(now) == "" {
			t.Errorf("it expired at %s, and is valid", at)
		}
		if j.Verify(json.RawMessage(`{"keys":[]}`)) == nil {
			t.Error("verified without a key")
		}
	})
}
