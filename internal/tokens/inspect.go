package tokens

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
)

// ErrOpaque: a token is no JWT, so that only the server that has issued it knows what it means.
var ErrOpaque = errors.New("the token is opaque: it is no JWT")

// JWT is what a token says. Nothing of it is verified.
type JWT struct {
	Header, Claims map[string]any // numbers are of type json.Number

	claims    []byte // JSON
	signed    string // header and claims as in the token
	signature []byte // empty if there is none
}

// Decode takes a signed token apart (RFC 7519). What is none is [ErrOpaque].
func Decode(token string) (JWT, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return JWT{}, ErrOpaque
	}
	j := JWT{signed: parts[0] + "." + parts[1]}
	j.signature, _ = decode(parts[2])
	for i, into := range []*map[string]any{&j.Header, &j.Claims} {
		text, err := base64.RawURLEncoding.DecodeString(parts[i])
		if err != nil {
			return JWT{}, ErrOpaque
		}
		d := json.NewDecoder(bytes.NewReader(text))
		d.UseNumber()
		if d.Decode(into) != nil || *into == nil {
			return JWT{}, ErrOpaque
		}
		j.claims = text
	}
	return j, nil
}

// Text returns a claim that is a text; empty for any other.
func (j JWT) Text(claim string) string {
	text, _ := j.Claims[claim].(string)
	return text
}

// ClientID is the client that the token was issued to. IS and API-M write it into azp and client_id.
func (j JWT) ClientID() string {
	if id := j.Text("client_id"); id != "" {
		return id
	}
	return j.Text("azp")
}

// time returns a claim that is a time, in seconds since 1970 (RFC 7519, section 2).
func (j JWT) time(claim string) (time.Time, bool) {
	n, _ := j.Claims[claim].(json.Number)
	seconds, err := n.Float64()
	if err != nil || seconds < 0 || seconds > 1<<40 {
		return time.Time{}, false
	}
	return time.Unix(int64(seconds), 0), true
}

// Expires is when the token ends; ok is false if it does not say.
func (j JWT) Expires() (at time.Time, ok bool) { return j.time("exp") }

// Invalid says why a token is not valid at a time; empty if it is. The signature is not part of it.
func (j JWT) Invalid(now time.Time) string {
	exp, expires := j.time("exp")
	nbf, starts := j.time("nbf")
	switch {
	case expires && !now.Before(exp):
		return "the token has expired"
	case starts && now.Before(nbf):
		return "the token is not valid yet"
	}
	return ""
}

// When says in words when the token was issued, and how long it is valid.
func (j JWT) When(now time.Time) []string {
	words := []string{}
	if at, ok := j.time("iat"); ok {
		if now.Before(at) {
			words = append(words, "issued "+span(at.Sub(now))+" in the future")
		} else {
			words = append(words, "issued "+span(now.Sub(at))+" ago")
		}
	}
	if at, ok := j.time("nbf"); ok && now.Before(at) {
		words = append(words, "valid in "+span(at.Sub(now)))
	}
	if at, ok := j.time("exp"); ok {
		if now.Before(at) {
			words = append(words, "expires in "+span(at.Sub(now)))
		} else {
			words = append(words, "expired "+span(now.Sub(at))+" ago")
		}
	} else {
		words = append(words, "does not expire")
	}
	return words
}

func span(d time.Duration) string { return d.Round(time.Second).String() }

// ReadClaims reads the claims into a struct with tags of encoding/json.
func (j JWT) ReadClaims(into any) error { return json.Unmarshal(j.claims, into) }

// Verify verifies the signature with a key set (RFC 7515, RFC 7517). The error says what is wrong.
func (j JWT) Verify(set json.RawMessage) error {
	if !j.Signed() {
		return fmt.Errorf("the token has no signature that can be verified: algorithm %q", fmt.Sprint(j.Header["alg"]))
	}
	keys, err := ParseKeys(set)
	if err != nil {
		return fmt.Errorf("read the key set: %w", err)
	}
	return keys.Verify(j)
}

// Skew says in words how much this machine's clock at least differs from that of a server, which says date in an answer, in whole seconds, to
// a request between sent and received.
func Skew(date, sent, received time.Time) string {
	ahead, behind := sent.Sub(date.Add(time.Second)).Truncate(time.Second), date.Sub(received).Truncate(time.Second)
	switch {
	case ahead > 0:
		return "this machine's clock is " + ahead.String() + " or more ahead of the key manager's"
	case behind > 0:
		return "this machine's clock is " + behind.String() + " or more behind the key manager's"
	}
	return "this machine's clock agrees with the key manager's, to the second"
}
