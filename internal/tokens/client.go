// Package tokens is how a person or a script gets a token by the grants of OAuth 2.0, and what a token says.
package tokens

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/remedy"
	"wso2agent/internal/wso2"
)

// Grants are the grants that [Client] knows, by short names.
var Grants = []string{"client_credentials", "password", "refresh_token", "authorization_code", "device_code", "jwt-bearer", "token-exchange"}

// GrantType returns the grant_type of a grant in [Grants].
func GrantType(grant string) string {
	if slices.Contains(Grants[4:], grant) { // RFC 8628, RFC 7523, RFC 8693
		return "urn:ietf:params:oauth:grant-type:" + grant
	}
	return grant
}

// Client is an OAuth client at the key manager that has made it.
type Client struct {
	HTTP          *http.Client
	ID            string
	Secret        wso2.Secret // empty: a public client
	TokenEndpoint string
}

// Endpoint is another endpoint of the client's key manager, such as "revoke". Both products have all of them side by side, also behind a
// reverse proxy.
func (c Client) Endpoint(name string) string {
	return c.TokenEndpoint[:strings.LastIndexByte(c.TokenEndpoint, '/')+1] + name
}

// Token gets a token with the parameters of a grant, which [GrantType] names. Scopes that are not granted are no error.
func (c Client) Token(ctx context.Context, grant string, scopes []string, parameters url.Values) (wso2.Token, error) {
	form := url.Values{"grant_type": {GrantType(grant)}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	for name, values := range parameters {
		form[name] = values
	}
	token, err := wso2.RequestToken(ctx, c.HTTP, c.TokenEndpoint, c.ID, c.Secret, form)
	switch {
	case wso2.HasCodeText(err, wso2.CodeTextUnauthorizedClient):
		return token, remedy.Add(err, "add %s to grant_types of the application's key in the API configuration, and run agent apply", GrantType(grant))
	case err == nil && token.AccessToken == "":
		return token, fmt.Errorf("fetch a token: %s answered without a token", c.TokenEndpoint)
	}
	return token, err
}

// Revoke ends a token of the client (RFC 7009). The key manager answers in the same way for a token that it does not know.
func (c Client) Revoke(ctx context.Context, token wso2.Secret) error {
	return wso2.RevokeToken(ctx, c.HTTP, c.Endpoint("revoke"), c.ID, c.Secret, token)
}

// Device gets a token for a person who logs in on another device (RFC 8628). show tells the person the code and the address. Device asks at
// the interval that the key manager names, and less often whenever it says slow_down, until the code has expired or the person has had time
// as long as wait.
func (c Client) Device(ctx context.Context, scopes []string, wait time.Duration, show func(wso2.DeviceCode)) (wso2.Token, error) {
	d, err := wso2.AuthorizeDevice(ctx, c.HTTP, c.Endpoint("device_authorize"), c.ID, c.Secret, scopes...)
	if err != nil {
		return wso2.Token{}, err
	}
	show(d)
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	parameters := url.Values{"device_code": {string(d.Code)}, "client_id": {c.ID}}
	for {
		select {
		case <-ctx.Done():
			return wso2.Token{}, fmt.Errorf("wait until a person has entered the code %s: %w", d.UserCode, ctx.Err())
		case <-time.After(d.Interval):
		}
		token, err := c.Token(ctx, "device_code", nil, parameters)
		var e *wso2.Error
		switch {
		case err == nil:
			return token, nil
		case wso2.HasCodeText(err, "authorization_pending"):
		case wso2.HasCodeText(err, "slow_down"):
			d.Interval += 5 * time.Second // section 3.5
		case errors.As(err, &e) && e.Status == 0 && ctx.Err() == nil:
			d.Interval *= 2 // no answer: section 3.5 wants a back-off
		case wso2.HasCodeText(err, "expired_token"):
			return token, remedy.Add(err, "nobody has logged in with the code %s in time: try again", d.UserCode)
		case wso2.HasCodeText(err, "access_denied"):
			return token, remedy.Add(err, "the person has refused")
		default:
			return token, err
		}
	}
}
