package wso2

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// Identity is the OAuth server in IS, and the one in API-M, which is of the same family: discovery, keys, clients.
type Identity struct{ caller }

// NewIdentity makes the client of the server at base, such as https://wso2is:9443.
func NewIdentity(hc *http.Client, base string, cred Credentials) *Identity {
	return &Identity{caller{hc, base, &cred}}
}

// Discovery is what the agent needs of the OpenID provider's metadata.
type Discovery struct {
	Issuer string   `json:"issuer"`
	Grants []string `json:"grant_types_supported"` // without implicit, which is a response type
}

func (d *Discovery) check() error {
	if d.Issuer == "" {
		return errors.New("it names no issuer")
	}
	return nil
}

// Discovery reads the OpenID provider's metadata. IS answers 200 with an empty body while it stops; that is an error
// here, as is a document without an issuer.
func (i *Identity) Discovery(ctx context.Context) (Discovery, error) {
	r := request{
		op: "read the OpenID discovery document", method: http.MethodGet,
		path: "/oauth2/token/.well-known/openid-configuration", anonymous: true,
	}
	var d Discovery
	err := i.call(ctx, r, &d)
	return d, err
}

// JWKSURL is where the server's signature keys are.
func (i *Identity) JWKSURL() string { return i.base + "/oauth2/jwks" }

// FetchJWKS reads a JSON Web Key Set (RFC 7517) from an address, as it came.
func FetchJWKS(ctx context.Context, hc *http.Client, address string) (json.RawMessage, error) {
	var set json.RawMessage
	err := caller{http: hc, base: address}.call(ctx, request{op: "read the issuer's keys", method: http.MethodGet}, &set)
	return set, err
}

const registration = "/api/identity/oauth2/dcr/v1.1/register"

// FindClient returns the id of the client that is registered under a name, or "" where there is none. IS says "none"
// by 401 with an empty body; wrong credentials are 401 with a JSON body.
func (i *Identity) FindClient(ctx context.Context, name string) (string, error) {
	var client Registered
	err := i.call(ctx, request{
		op: "find client " + name, method: http.MethodGet, path: registration, query: url.Values{"client_name": {name}},
	}, &client)
	if isAbsent(err) {
		return "", nil
	}
	return client.ID, err
}

// HasClient reports whether IS knows a client, by its id.
func (i *Identity) HasClient(ctx context.Context, id string) (bool, error) {
	_, found, err := i.Registered(ctx, id)
	return found, err
}

// ClientOwner returns the user that owns a client, with its domain, such as admin@carbon.super; "" if IS has no such client.
func (i *Identity) ClientOwner(ctx context.Context, id string) (string, error) {
	client, _, err := i.Registered(ctx, id)
	return client.Owner, err
}

// Registered is a client as its registration shows it.
type Registered struct {
	ID        string   `json:"client_id"`
	Secret    Secret   `json:"client_secret"`
	Name      string   `json:"client_name"`
	Owner     string   `json:"ext_application_owner"` // with its domain, such as admin@carbon.super
	Grants    []string `json:"grant_types"`
	Callbacks []string `json:"redirect_uris"`
	TokenType string   `json:"token_type_extension"`
}

func (r *Registered) check() error { return hasID(r.ID) }

// Registered reads a client by its id; found is false if IS has no such client.
func (i *Identity) Registered(ctx context.Context, id string) (client Registered, found bool, err error) {
	err = i.call(ctx, request{op: "read client " + id, method: http.MethodGet, path: registration + "/" + url.PathEscape(id)}, &client)
	if isAbsent(err) {
		return Registered{}, false, nil
	}
	return client, err == nil, err
}

// TokenEndpoint is where the server issues tokens.
func (i *Identity) TokenEndpoint() string { return i.base + "/oauth2/token" }

// Introspect asks the server what it knows of a token (RFC 7662), of any client. IS wants the administrator, or a user with the right
// internal_oauth2_introspect. The answer has "active", and more if that is true.
func (i *Identity) Introspect(ctx context.Context, token Secret) (map[string]any, error) {
	var answer map[string]any
	r := request{
		op: "introspect a token", method: http.MethodPost, path: "/oauth2/introspect",
		form: url.Values{"token": {string(token)}}, secrets: []Secret{token},
	}
	err := i.call(ctx, r, &answer)
	if _, ok := answer["active"].(bool); err == nil && !ok {
		err = i.noDocument(r, errors.New(`it has no "active"`))
	}
	return answer, err
}

// RegisterClient makes a client with the grant client_credentials and JWTs as tokens, and returns its id and secret. A
// name that is taken is HTTP 400.
func (i *Identity) RegisterClient(ctx context.Context, name string) (id string, secret Secret, err error) {
	var client Registered
	err = i.call(ctx, request{
		op: "register client " + name, method: http.MethodPost, path: registration,
		body: map[string]any{
			"client_name": name, "ext_application_display_name": name, "grant_types": []string{"client_credentials"}, "redirect_uris": []string{},
			"token_type_extension": "JWT", "ext_allowed_audience": "organization",
		},
	}, &client)
	return client.ID, client.Secret, err
}

// SCIM11Users asks SCIM 1.1 for one user with a token, and returns the HTTP status. It is an error where no answer came,
// and where a success is no document, as from a server that stops.
func (i *Identity) SCIM11Users(ctx context.Context, token Secret) (status int, err error) {
	var document json.RawMessage
	err = i.call(ctx, request{
		op: "ask SCIM 1.1 for a user", method: http.MethodGet, path: "/wso2/scim/Users", query: url.Values{"count": {"1"}},
		anonymous: true, token: token, secrets: []Secret{token},
	}, &document)
	var e *Error
	switch {
	case err == nil:
		return http.StatusOK, nil
	case errors.As(err, &e) && e.Err == nil:
		return e.Status, nil
	}
	return 0, err
}

// UserInfoPath is where API-M's connector for IS 7 asks IS for the user of a token. It cannot use the endpoint in IS's discovery document.
const UserInfoPath = "/scim2/Me"

// Me asks IS who the caller is: the owner of a token, or the user of the credentials if there is none.
func (i *Identity) Me(ctx context.Context, token Secret) error {
	_, err := i.object(ctx, request{
		op: "ask IS for the user", method: http.MethodGet, path: UserInfoPath, anonymous: token != "", token: token, secrets: []Secret{token},
	}, keysOfSCIMUser)
	return err
}

// DeleteClient removes a client; one that is not there is no error.
func (i *Identity) DeleteClient(ctx context.Context, id string) error {
	err := i.call(ctx, request{
		op: "delete client " + id, method: http.MethodDelete, path: registration + "/" + url.PathEscape(id),
	}, nil)
	if isAbsent(err) {
		return nil
	}
	return err
}

func isAbsent(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Status == http.StatusUnauthorized && e.empty || e.Status == http.StatusNotFound && e.Code != 0)
}
