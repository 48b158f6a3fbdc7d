package wso2

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Token is an answer of a token endpoint.
type Token struct {
	AccessToken  Secret
	RefreshToken Secret // empty if the grant or the client gets none
	IDToken      Secret // of a user, with the scope openid
	ExpiresIn    time.Duration
	Scopes       []string // that were granted, which may be fewer than were asked for
}

// FetchToken gets a token for a client by its own credentials (RFC 6749, section 4.4) from a token endpoint. Both
// servers revoke the token that the same client got before, so tokens must not be fetched side by side. A scope that is
// not granted is no error: it is missing in the token's Scopes.
func FetchToken(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret Secret, scopes ...string) (Token, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	return RequestToken(ctx, hc, endpoint, clientID, clientSecret, form)
}

// FetchUserToken gets a token for a user by the user's password (RFC 6749, section 4.3). A client that may not do that is
// [CodeTextUnauthorizedClient].
func FetchUserToken(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret Secret, user string, password Secret) (Token, error) {
	return RequestToken(ctx, hc, endpoint, clientID, clientSecret, url.Values{"grant_type": {"password"}, "username": {user}, "password": {string(password)}})
}

// RequestToken gets a token for a client by any grant: form is its grant_type, and the parameters of the grant. See [FetchToken] for what
// both servers do with tokens and scopes. A client without a secret is a public one.
func RequestToken(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret Secret, form url.Values) (Token, error) {
	var t tokenAnswer
	err := caller{http: hc, base: endpoint}.call(ctx, asClient(request{op: "fetch a token", method: http.MethodPost, form: form}, clientID, clientSecret), &t)
	return Token{t.AccessToken, t.RefreshToken, t.IDToken, time.Duration(t.ExpiresIn) * time.Second, Scopes(t.Scope)}, err
}

// Scopes returns the scopes in a member "scope" of an answer or of a token: a text with blanks between them (RFC 6749, section 3.3), or
// a list, as newer versions of IS write it.
func Scopes(value any) (scopes []string) {
	switch value := value.(type) {
	case string:
		return strings.Fields(value)
	case []any:
		for _, each := range value {
			if scope, ok := each.(string); ok {
				scopes = append(scopes, strings.Fields(scope)...)
			}
		}
	}
	return scopes
}

// tokenAnswer is an answer with a token (RFC 6749, section 5.1).
type tokenAnswer struct {
	AccessToken  Secret `json:"access_token"`
	RefreshToken Secret `json:"refresh_token"`
	IDToken      Secret `json:"id_token"`
	ExpiresIn    int    `json:"expires_in"`
	Scope        any    `json:"scope"`
}

func (t *tokenAnswer) check() error {
	if t.AccessToken == "" {
		return errors.New("it has no access_token")
	}
	return nil
}

// secretParameters are the parameters of forms that no error may show.
var secretParameters = []string{"password", "refresh_token", "code", "code_verifier", "device_code", "assertion", "subject_token", "token"}

// asClient makes a form a request of a client: by Basic authentication, or by its id alone if it has no secret (RFC 6749, section 3.2.1).
func asClient(r request, clientID string, clientSecret Secret) request {
	r.form = maps.Clone(r.form)
	for _, name := range secretParameters {
		for _, value := range r.form[name] {
			r.secrets = append(r.secrets, Secret(value))
		}
	}
	if clientSecret == "" {
		r.form.Set("client_id", clientID)
		r.anonymous = true
		return r
	}
	r.cred, r.secrets = clientCredentials(clientID, clientSecret), append(r.secrets, clientSecret)
	return r
}

// DeviceCode is what a device needs to get a token while a person logs in elsewhere (RFC 8628, section 3.2).
type DeviceCode struct {
	Code     Secret
	UserCode string // which the person enters
	Page     string // at this address
	Complete string // the address with the code in it; empty if the server has none
	Expires  time.Duration
	Interval time.Duration // between two requests for the token
}

// AuthorizeDevice begins a login of a person for a client, at a device authorization endpoint.
func AuthorizeDevice(ctx context.Context, hc *http.Client, endpoint, clientID string, clientSecret Secret, scopes ...string) (DeviceCode, error) {
	var d struct {
		Code     Secret `json:"device_code"`
		UserCode string `json:"user_code"`
		Page     string `json:"verification_uri"`
		Complete string `json:"verification_uri_complete"`
		Expires  int    `json:"expires_in"`
		Interval int    `json:"interval"`
	}
	form := url.Values{"client_id": {clientID}} // IS 7.1 wants it next to the credentials
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	c, r := caller{http: hc, base: endpoint}, asClient(request{op: "ask for a device code", method: http.MethodPost, form: form}, clientID, clientSecret)
	err := c.call(ctx, r, &d)
	if err == nil && d.Code == "" {
		err = c.noDocument(r, errors.New("it has no device_code"))
	}
	if d.Interval <= 0 {
		d.Interval = 5 // RFC 8628, section 3.2
	}
	return DeviceCode{d.Code, d.UserCode, d.Page, d.Complete, time.Duration(d.Expires) * time.Second, time.Duration(d.Interval) * time.Second}, err
}

// AuthorizeTarget asks an authorization endpoint what a browser would get, and returns where it redirects to; nil for a page. Nobody is
// logged in by that.
func AuthorizeTarget(ctx context.Context, hc *http.Client, endpoint string, query url.Values) (*url.URL, error) {
	c, r := caller{http: hc, base: endpoint}, request{op: "ask whether a person can log in", method: http.MethodGet, query: query, anonymous: true, accept: "text/html"}
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, c.failed(r, &Error{Err: err, local: true})
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.failed(r, &Error{Err: reason(err)})
	}
	resp.Body.Close()
	to, err := resp.Location()
	if err != nil && resp.StatusCode >= 300 {
		return nil, c.failed(r, &Error{Status: resp.StatusCode})
	}
	return to, nil // without a Location: nil
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
	form := url.Values{"token": {string(token)}}
	return caller{http: hc, base: endpoint}.call(ctx, asClient(request{op: "revoke a token", method: http.MethodPost, form: form}, clientID, clientSecret), nil)
}

// clientCredentials are a client's, for Basic authentication. RFC 6749, section 2.3.1: id and secret are form-encoded before.
func clientCredentials(clientID string, clientSecret Secret) *Credentials {
	return &Credentials{User: url.QueryEscape(clientID), Password: Secret(url.QueryEscape(string(clientSecret)))}
}
