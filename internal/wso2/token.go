package wso2

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
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
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	return fetch(ctx, hc, endpoint, clientID, clientSecret, form)
}

// FetchUserToken gets a token for a user by the user's password (RFC 6749, section 4.3). A client that may not do that is
// [CodeTextNoGrant].
func FetchUserToken(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret Secret, user string, password Secret) (Token, error) {
	form := url.Values{"grant_type": {"password"}, "username": {user}, "password": {string(password)}}
	return fetch(ctx, hc, endpoint, clientID, clientSecret, form, password)
}

func fetch(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret Secret, form url.Values, secrets ...Secret) (Token, error) {
	var t struct {
		AccessToken Secret `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"`
		Scope       string `json:"scope"`
	}
	err := caller{http: hc, base: endpoint}.call(ctx, request{
		op: "fetch a token", method: http.MethodPost, cred: clientCredentials(clientID, clientSecret),
		form: form, secrets: append(secrets, clientSecret),
	}, &t)
	return Token{t.AccessToken, time.Duration(t.ExpiresIn) * time.Second, strings.Fields(t.Scope)}, err
}

// CheckClient asks a token endpoint whether it takes a client's credentials, without getting a token, which would end the one
// that the client has: with a refresh token that does not exist. The server looks at the client first (IS 7.1: 401
// invalid_client), and then refuses the refresh token or the grant, which proves the client. An error is a refused client,
// or one where that was not found out.
func CheckClient(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret Secret) error {
	err := caller{http: hc, base: endpoint}.call(ctx, request{
		op: "check the client's credentials", method: http.MethodPost, cred: clientCredentials(clientID, clientSecret),
		form: url.Values{"grant_type": {"refresh_token"}, "refresh_token": {rand.Text()}}, secrets: []Secret{clientSecret},
	}, nil)
	var e *Error
	if errors.As(err, &e) && e.Status == http.StatusBadRequest && (strings.HasPrefix(e.Description, "invalid_grant") ||
		strings.HasPrefix(e.Description, "unauthorized_client") || strings.HasPrefix(e.Description, "unsupported_grant_type")) {
		return nil
	}
	if err == nil {
		return fmt.Errorf("check the client's credentials (%s): it was given a token for a refresh token that does not exist", endpoint)
	}
	return err
}

// RevokeToken ends a token of a client's own (RFC 7009) at a revocation endpoint.
func RevokeToken(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret, token Secret) error {
	return caller{http: hc, base: endpoint}.call(ctx, request{
		op: "revoke a token", method: http.MethodPost, cred: clientCredentials(clientID, clientSecret),
		form: url.Values{"token": {string(token)}}, secrets: []Secret{clientSecret, token},
	}, nil)
}

// clientCredentials are a client's, for Basic authentication. RFC 6749, section 2.3.1: id and secret are form-encoded before.
func clientCredentials(clientID string, clientSecret Secret) *Credentials {
	return &Credentials{User: url.QueryEscape(clientID), Password: Secret(url.QueryEscape(string(clientSecret)))}
}
