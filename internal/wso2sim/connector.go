package wso2sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// connector is what API Manager's IS 7 connector sends to IS. It holds no lock: IS may call API Manager back.
type connector struct {
	client     *http.Client
	presenting *http.Client // presents a certificate; nil where the connector cannot
}

// remoteClient is a client as IS shows it.
type remoteClient struct {
	ID         string   `json:"client_id"`
	Secret     string   `json:"client_secret"`
	Grants     []string `json:"grant_types"`
	Redirects  []string `json:"redirect_uris"`
	Properties object   `json:"-"`
}

// clientRequest is what an application asks of a key manager.
type clientRequest struct {
	name, displayName string
	grants            []string
	callback          string
	id, secret        string            // preset, or empty
	settings          map[string]string // of extSettings, as texts
}

// statusError is an answer that is no success.
type statusError struct {
	what   string
	status int
}

func (e *statusError) Error() string {
	return fmt.Sprintf("%s: %d %s", e.what, e.status, http.StatusText(e.status))
}

var (
	errClientGone = errors.New("the key manager does not know the client")
	errNoAnswer   = errors.New("call the key manager") // it cannot be reached or trusted, or is silent
)

// call sends a request with the credentials of the key manager's configuration and reads the answer into out, which
// may be nil.
func (c *connector) call(ctx context.Context, dto *keyManagerDTO, method, address string, body, out any) error {
	var payload io.Reader
	if body != nil {
		text, err := json.Marshal(body)
		if err != nil {
			return fmt.Errorf("write the request for %s: %w", address, err)
		}
		payload = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, method, address, payload)
	if err != nil {
		return fmt.Errorf("call the key manager: %w", err)
	}
	req.Header.Set("Content-Type", "application/json")
	if c.presenting != nil && dto.AdditionalProperties[authenticationProperty] == mutualTLS {
		user, _ := dto.AdditionalProperties[identityUser].(string)
		req.Header.Set(identityUserHeader, user)
		return exchange(c.presenting, req, out)
	}
	user, _ := dto.AdditionalProperties["Username"].(string)
	password, _ := dto.AdditionalProperties["Password"].(string)
	req.SetBasicAuth(user, password)
	return c.do(req, out)
}

func (c *connector) do(req *http.Request, out any) error { return exchange(c.client, req, out) }

// exchange sends a request and reads the answer into out, which may be nil.
func exchange(client *http.Client, req *http.Request, out any) error {
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	if err != nil {
		return fmt.Errorf("read the answer of %s: %w", req.URL, err)
	}
	if resp.StatusCode == http.StatusUnauthorized && len(text) == 0 {
		return errClientGone
	}
	if resp.StatusCode/100 != 2 {
		return &statusError{req.Method + " " + req.URL.String(), resp.StatusCode} // the body may hold a secret
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(text, out); err != nil {
		return fmt.Errorf("read the answer of %s: %w", req.URL, err)
	}
	return nil
}

// register makes a client in IS. That of another application with the same name is in the way.
func (c *connector) register(ctx context.Context, dto *keyManagerDTO, ask clientRequest) (remoteClient, error) {
	body := object{
		"client_name": ask.name, "ext_application_display_name": ask.displayName, "grant_types": ask.grants,
		"redirect_uris": redirectURIs(ask.callback), "token_type_extension": "JWT", "ext_allowed_audience": "organization",
	}
	if ask.id != "" {
		body["ext_param_client_id"] = ask.id
	}
	if ask.secret != "" {
		body["ext_param_client_secret"] = ask.secret
	}
	ask.addSettings(body)
	return c.client7(ctx, dto, http.MethodPost, value(dto.ClientRegistrationEndpoint), body)
}

// addSettings adds what is known of the additional properties, as the numbers and booleans that they stand for.
func (ask *clientRequest) addSettings(body object) {
	for name, text := range ask.settings {
		if seconds, err := strconv.Atoi(text); err == nil {
			body[name] = seconds
		} else {
			body[name] = text == "true"
		}
	}
}

func redirectURIs(callback string) []string {
	return slices.DeleteFunc(strings.Split(callback, ","), func(uri string) bool { return uri == "" })
}

// retrieveTries is how often the connector asks IS for a client without an answer: Retryer.Default of Feign, which WSO2IS7KeyManager of
// apim-km-wso2is v2.1.2 does not replace. The pauses of it, 1.2 s in all, are left out.
const retrieveTries = 5

func (c *connector) retrieve(ctx context.Context, dto *keyManagerDTO, id string) (client remoteClient, err error) {
	for range retrieveTries {
		client, err = c.client7(ctx, dto, http.MethodGet, value(dto.ClientRegistrationEndpoint)+"/"+url.PathEscape(id), nil)
		if !errors.Is(err, errNoAnswer) || ctx.Err() != nil {
			break
		}
	}
	return client, err
}

func (c *connector) update(ctx context.Context, dto *keyManagerDTO, id string, ask clientRequest) (remoteClient, error) {
	body := object{
		"client_name": ask.name, "ext_application_display_name": ask.displayName, "grant_types": ask.grants, "token_type_extension": "JWT",
	}
	if ask.callback != "" { // or else the client keeps those that it has
		body["redirect_uris"] = redirectURIs(ask.callback)
	}
	ask.addSettings(body)
	return c.client7(ctx, dto, http.MethodPut, value(dto.ClientRegistrationEndpoint)+"/"+url.PathEscape(id), body)
}

func (c *connector) remove(ctx context.Context, dto *keyManagerDTO, id string) error {
	return c.call(ctx, dto, http.MethodDelete, value(dto.ClientRegistrationEndpoint)+"/"+url.PathEscape(id), nil, nil)
}

// client7 reads a client and picks what the DevPortal shows of it as additional properties.
func (c *connector) client7(ctx context.Context, dto *keyManagerDTO, method, address string, body any) (remoteClient, error) {
	var raw json.RawMessage
	var found remoteClient
	if err := c.call(ctx, dto, method, address, body, &raw); err != nil {
		return found, err
	}
	all := object{}
	if err := errors.Join(json.Unmarshal(raw, &found), json.Unmarshal(raw, &all)); err != nil {
		return found, fmt.Errorf("read the client of %s: %w", address, err)
	}
	found.Properties = object{}
	for _, name := range []string{
		"ext_public_client", "ext_pkce_mandatory", "ext_refresh_token_lifetime", "ext_id_token_lifetime",
		"ext_application_token_lifetime", "ext_user_token_lifetime", "ext_pkce_support_plain",
	} {
		found.Properties[name] = all[name]
	}
	return found, nil
}

// issuedToken is what a token endpoint gives.
type issuedToken struct {
	Access  string `json:"access_token"`
	Scope   string `json:"scope"`
	Expires int64  `json:"expires_in"`
}

// token fetches a token for the client itself.
func (c *connector) token(ctx context.Context, dto *keyManagerDTO, id, secret string, scopes []string) (issuedToken, error) {
	form := url.Values{"grant_type": {"client_credentials"}}
	if len(scopes) > 0 {
		form.Set("scope", strings.Join(scopes, " "))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, value(dto.TokenEndpoint), strings.NewReader(form.Encode()))
	if err != nil {
		return issuedToken{}, fmt.Errorf("ask for a token: %w", err)
	}
	req.SetBasicAuth(id, secret)
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	var token issuedToken
	err = c.do(req, &token)
	return token, err
}

// keySet fetches the public keys of a key manager.
func (c *connector) keySet(ctx context.Context, address string) (jwks, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return jwks{}, fmt.Errorf("fetch the keys of a key manager: %w", err)
	}
	var keys jwks
	err = c.do(req, &keys)
	return keys, err
}
