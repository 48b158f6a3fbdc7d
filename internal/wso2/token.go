package wso2

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Token is an access token of a client.
type Token struct {
	AccessToken Secret
	ExpiresIn   time.Duration
	Scopes      []string // that were granted, which may be fewer than were asked for
}

// FetchToken gets a token for a client by its own credentials (RFC 6749, section 4.4) from a token endpoint. Both
// servers revoke the token that the same client got before, so tokens must not be fetched side by side. A scope that is
// not granted is no error: it is missing in the token's Scopes.
func FetchToken(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret Secret, scopes ...string) (Token, error) {
	var t struct {
		AccessToken Secret `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string `json:"scope"`
	}
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	// RFC 6749, section 2.3.1: id and secret are form-encoded before they become Basic credentials.
	cred := Credentials{User: url.QueryEscape(clientID), Password: Secret(url.QueryEscape(string(clientSecret)))}
	err := caller{http: hc, base: endpoint}.call(ctx, request{
		op: "fetch a token", method: http.MethodPost, cred: &cred,
		form: form, secrets: []Secret{clientSecret},
	}, &t)
	return Token{t.AccessToken, time.Duration(t.ExpiresIn) * time.Second, strings.Fields(t.Scope)}, err
}
