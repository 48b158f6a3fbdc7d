package wso2

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
)

// TypeIS7 is the connector of API-M for Identity Server 7. "WSO2-IS" is the one for IS 5 and 6 and does not work.
const TypeIS7 = "WSO2-IS-7"

// Admin is API-M's Admin REST API v4.
type Admin struct{ caller }

// NewAdmin makes the client of the API-M at base, such as https://wso2am:9443.
func NewAdmin(hc *http.Client, base string, cred Credentials) *Admin {
	return &Admin{caller{hc, base + "/api/am/admin/v4", &cred}}
}

// KeyManager is a key manager as it is sent: every field is there, because API-M takes an absent one for null or
// false, and never as null. Endpoints stand in fields of their own; a list "endpoints" would be accepted and ignored.
type KeyManager struct {
	Name                       string         `json:"name"`        // at most 100 characters
	DisplayName                string         `json:"displayName"` // what the DevPortal shows
	Type                       string         `json:"type"`
	Description                string         `json:"description"` // at most 256 characters
	Enabled                    bool           `json:"enabled"`
	Issuer                     string         `json:"issuer"` // equals "iss" in the tokens
	WellKnownEndpoint          string         `json:"wellKnownEndpoint"`
	ClientRegistrationEndpoint string         `json:"clientRegistrationEndpoint"`
	IntrospectionEndpoint      string         `json:"introspectionEndpoint"`
	TokenEndpoint              string         `json:"tokenEndpoint"`        // API-M's own way to it
	DisplayTokenEndpoint       string         `json:"displayTokenEndpoint"` // what clients are told
	RevokeEndpoint             string         `json:"revokeEndpoint"`
	DisplayRevokeEndpoint      string         `json:"displayRevokeEndpoint"`
	UserInfoEndpoint           string         `json:"userInfoEndpoint"` // without it the key manager never works
	AuthorizeEndpoint          string         `json:"authorizeEndpoint"`
	ScopeManagementEndpoint    string         `json:"scopeManagementEndpoint"`
	Certificates               Certificates   `json:"certificates"`
	AvailableGrantTypes        []string       `json:"availableGrantTypes"`
	ConsumerKeyClaim           string         `json:"consumerKeyClaim"`
	ScopesClaim                string         `json:"scopesClaim"`
	ClaimMapping               []string       `json:"claimMapping"`
	TokenValidation            []string       `json:"tokenValidation"`
	EnableTokenGeneration      bool           `json:"enableTokenGeneration"`
	EnableTokenEncryption      bool           `json:"enableTokenEncryption"`
	EnableTokenHashing         bool           `json:"enableTokenHashing"`
	EnableOAuthAppCreation     bool           `json:"enableOAuthAppCreation"`
	EnableMapOAuthConsumerApps bool           `json:"enableMapOAuthConsumerApps"`
	EnableSelfValidationJWT    bool           `json:"enableSelfValidationJWT"`
	TokenType                  string         `json:"tokenType"` // DIRECT, EXCHANGED or BOTH
	Permissions                Permissions    `json:"permissions"`
	AdditionalProperties       ConnectorOfIS7 `json:"additionalProperties"`
}

// Certificates tell API-M where the keys are that sign the tokens.
type Certificates struct {
	Type  string `json:"type"` // JWKS or PEM
	Value string `json:"value"`
}

// Permissions tell who may use a key manager.
type Permissions struct {
	PermissionType string   `json:"permissionType"` // PUBLIC, ALLOW or DENY
	Roles          []string `json:"roles"`
}

// ConnectorOfIS7 is what the connector needs besides: IS's administrator and two of its APIs.
type ConnectorOfIS7 struct {
	Username            string `json:"Username,omitempty"` // empty with mutual TLS, and so is the password
	Password            Secret `json:"Password"`           // answers to GET mask it: MaskedPassword
	APIResourceEndpoint string `json:"api_resource_management_endpoint"`
	RolesEndpoint       string `json:"is7_roles_endpoint"`
	EnableRolesCreation bool   `json:"enable_roles_creation"` // a text would be ignored
}

// MarshalJSON writes the password in clear, as the request needs it.
func (c ConnectorOfIS7) MarshalJSON() ([]byte, error) {
	type fields ConnectorOfIS7 // without this method
	return json.Marshal(struct {
		fields
		Password string `json:"Password,omitempty"` // in place of the field above
	}{fields(c), string(c.Password)})
}

// MaskedPassword stands for the password in what API-M shows of a key manager; sent back, it keeps the stored one.
const MaskedPassword Secret = "*****"

// KeyManagerInfo is an entry of the list of key managers, which has neither issuer nor endpoints.
type KeyManagerInfo struct {
	ID      string `json:"id"`
	Name    string `json:"name"`
	Type    string `json:"type"`
	Enabled bool   `json:"enabled"`
	Used    bool   `json:"isUsed"` // by an API or an application
}

func (k *KeyManagerInfo) check() error { return hasID(k.ID) }

// KeyManagers lists all key managers, API-M's own among them. The list has no pages.
func (a *Admin) KeyManagers(ctx context.Context) ([]KeyManagerInfo, error) {
	var p page[KeyManagerInfo]
	r := request{op: "list key managers", method: http.MethodGet, path: "/key-managers"}
	err := a.call(ctx, r, &p)
	return p.List, err
}

// StoredKeyManager is what API-M shows of a key manager, of any type.
type StoredKeyManager struct {
	ID           string          `json:"id"`
	Name         string          `json:"name"`
	Type         string          `json:"type"`
	Issuer       string          `json:"issuer"`
	UserInfo     string          `json:"userInfoEndpoint"`
	WellKnown    string          `json:"wellKnownEndpoint"`
	Certificates Certificates    `json:"certificates"`
	User         string          `json:"-"` // with which the connector of IS calls IS; "" for other types
	MutualTLS    bool            `json:"-"` // the connector of IS presents a certificate, and has no user and no password (API-M 4.6)
	MakesRoles   bool            `json:"-"` // the connector of IS makes roles that IS lacks, under names of its own
	Raw          json.RawMessage `json:"-"` // the whole object, its password masked
}

func (s *StoredKeyManager) check() error { return hasID(s.ID) }

// UnmarshalJSON reads the user out of the additional properties, which differ by type.
func (s *StoredKeyManager) UnmarshalJSON(text []byte) error {
	type fields StoredKeyManager // without this method
	var more struct {
		Properties map[string]any `json:"additionalProperties"`
	}
	if err := errors.Join(json.Unmarshal(text, (*fields)(s)), json.Unmarshal(text, &more)); err != nil {
		return err
	}
	if s.Type == TypeIS7 {
		s.User, _ = more.Properties["Username"].(string)
		s.MutualTLS = more.Properties["Authentication"] == "MutualTLS"
		s.MakesRoles, _ = more.Properties["enable_roles_creation"].(bool) // the connector ignores a text
	}
	return nil
}

// KeyManager reads a key manager.
func (a *Admin) KeyManager(ctx context.Context, id string) (StoredKeyManager, error) {
	return whole(ctx, a.caller, request{
		op: "read key manager " + id, method: http.MethodGet, path: "/key-managers/" + url.PathEscape(id),
	}, func(km *StoredKeyManager) *json.RawMessage { return &km.Raw })
}

// CreateKeyManager makes a key manager and returns its id. API-M loads it some time afterwards, or never: see the
// package bootstrap. The answer has the password in clear and is not kept.
func (a *Admin) CreateKeyManager(ctx context.Context, km KeyManager) (string, error) {
	var made KeyManagerInfo
	err := a.call(ctx, request{
		op: "create key manager " + km.Name, method: http.MethodPost, path: "/key-managers",
		body: km, secrets: []Secret{km.AdditionalProperties.Password},
	}, &made)
	return made.ID, err
}

// UpdateKeyManager writes a whole object, as made by [Merge], and makes API-M load the key manager anew. The name
// cannot change. password is the one in the object, so that no error repeats it.
func (a *Admin) UpdateKeyManager(ctx context.Context, id string, whole json.RawMessage, password Secret) error {
	return a.call(ctx, request{
		op: "update key manager " + id, method: http.MethodPut, path: "/key-managers/" + url.PathEscape(id),
		body: whole, secrets: []Secret{password},
	}, nil)
}

// DeleteKeyManager deletes a key manager that nothing uses; else it is [CodeKeyManagerInUse].
func (a *Admin) DeleteKeyManager(ctx context.Context, id string) error {
	return a.call(ctx, request{
		op: "delete key manager " + id, method: http.MethodDelete, path: "/key-managers/" + url.PathEscape(id),
	}, nil)
}

// Discovered is what API-M has read of an OpenID provider.
type Discovered struct {
	Issuer string
	JWKS   string // address of the keys that sign the tokens
}

// Discover has API-M itself read a discovery document, over its own connection and with its own truststore. It changes nothing. A document
// that API-M cannot read is HTTP 500, as recorded.
func (a *Admin) Discover(ctx context.Context, address string) (Discovered, error) {
	var answer struct {
		Value struct {
			Issuer       string       `json:"issuer"`
			Certificates Certificates `json:"certificates"`
		} `json:"value"`
	}
	err := a.call(ctx, request{
		op: "have API-M read " + address, method: http.MethodPost, path: "/key-managers/discover",
		parts: []part{text("url", address), text("type", TypeIS7)},
	}, &answer)
	return Discovered{answer.Value.Issuer, answer.Value.Certificates.Value}, err
}
