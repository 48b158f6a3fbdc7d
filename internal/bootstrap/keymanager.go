package bootstrap

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"

	"wso2agent/internal/wso2"
)

// keyManager is what a run knows about IS as key manager.
type keyManager struct {
	issuer   string // as IS's discovery document names it
	id       string
	changed  bool      // created or updated in this run, or tried to be
	unusable time.Time // since when the proof fails, or when the key manager was last sent again
}

// registerKeyManager creates the key manager, or updates it where it differs. The stored password is shown masked, so
// it cannot be compared: it is sent along with any other difference.
func (r *run) registerKeyManager(ctx context.Context) error {
	list, err := r.Admin.KeyManagers(ctx)
	if err != nil {
		return err
	}
	if err := r.refuseSecondIssuer(ctx, list); err != nil {
		return err
	}
	found, err := r.takeKeyManager(ctx, list)
	if err != nil {
		return err
	}
	if found {
		return r.updateKeyManager(ctx)
	}
	r.km.changed = true // even where no answer comes: it may have been made all the same
	err = r.change("created key manager "+r.KMName, func() error {
		r.km.id, err = r.Admin.CreateKeyManager(ctx, r.desiredKeyManager())
		return err
	})
	if wso2.HasCode(err, wso2.CodeKeyManagerExists) {
		return transient(err) // somebody made it since the list was read: the next try finds it
	}
	if err != nil {
		return err
	}
	// API-M lets two that create a key manager at the same moment both have it. Who lists later sees both.
	if list, err = r.Admin.KeyManagers(ctx); err == nil {
		_, err = r.takeKeyManager(ctx, list)
	}
	return err
}

// updateKeyManager writes the key manager where it is not as desired.
func (r *run) updateKeyManager(ctx context.Context) error {
	stored, err := r.readKeyManager(ctx, r.km.id)
	if err != nil {
		return err
	}
	if stored.Type != wso2.TypeIS7 {
		return permanent(fmt.Errorf("key manager %s is of type %s, not %s: delete it in API-M's Admin Portal, or register IS under another name (KM_NAME)",
			r.KMName, stored.Type, wso2.TypeIS7))
	}
	want := r.desiredKeyManager()
	want.AdditionalProperties.Password = wso2.MaskedPassword // as it is shown
	_, fields, err := wso2.Merge(stored.Raw, want)
	if err != nil || len(fields) == 0 {
		return err
	}
	r.km.changed = true
	return r.change(fmt.Sprintf("updated key manager %s: %s", r.KMName, strings.Join(fields, ", ")), func() error {
		return r.sendKeyManager(ctx, stored.Raw)
	})
}

// sendKeyManager writes the whole key manager, its password too, over what is stored.
func (r *run) sendKeyManager(ctx context.Context, stored json.RawMessage) error {
	want := r.desiredKeyManager()
	whole, _, err := wso2.Merge(stored, want)
	if err != nil {
		return err
	}
	return orDeleted(r.Admin.UpdateKeyManager(ctx, r.km.id, whole, want.AdditionalProperties.Password))
}

// readKeyManager reads a key manager from the list.
func (r *run) readKeyManager(ctx context.Context, id string) (wso2.StoredKeyManager, error) {
	stored, err := r.Admin.KeyManager(ctx, id)
	return stored, orDeleted(err)
}

// refuseSecondIssuer makes sure that no other key manager has IS's issuer. API-M would accept the second one, and its
// gateway would then take one of the two for all tokens and refuse the clients of the other.
func (r *run) refuseSecondIssuer(ctx context.Context, list []wso2.KeyManagerInfo) error {
	for _, km := range list {
		if km.Name == r.KMName {
			continue
		}
		issuer, err := r.issuerOf(ctx, km)
		if err != nil {
			return err
		}
		if issuer == r.km.issuer {
			return permanent(fmt.Errorf("key manager %q has the issuer %s, as IS has: API-M's gateway would mix up their tokens; %s",
				km.Name, issuer, issuerRemedy(km.Name)))
		}
	}
	return nil
}

func issuerRemedy(name string) string {
	if name == ResidentKeyManager {
		return "give each server a host name of its own ([server] hostname in deployment.toml, as shipped \"localhost\" in both) and restart it"
	}
	return "delete it in API-M's Admin Portal, or set KM_NAME to its name"
}

// issuerOf finds a key manager's issuer; "" where it has none or none is told. API-M's own does not always show it, but
// has a discovery document.
func (r *run) issuerOf(ctx context.Context, km wso2.KeyManagerInfo) (string, error) {
	stored, err := r.readKeyManager(ctx, km.ID)
	if err != nil || stored.Issuer != "" || km.Name != ResidentKeyManager {
		return stored.Issuer, err
	}
	return r.residentIssuer(ctx)
}

func (r *run) residentIssuer(ctx context.Context) (string, error) {
	d, err := r.AM.Discovery(ctx)
	if wso2.HasStatus(err, http.StatusNotFound) {
		return "", nil
	}
	return d.Issuer, err
}

// desiredKeyManager is IS as the connector for IS 7 wants it: https://apim.docs.wso2.com, "Configure WSO2 IS 7 as a Key
// Manager", and the fields that carbon-apimgt takes for null or false when they are absent. User info is IS's SCIM
// endpoint: the connector cannot work with the one that IS's discovery names.
func (r *run) desiredKeyManager() wso2.KeyManager {
	is := r.ISURL
	displayed := r.KMTokenEndpoint
	if r.ISPublicURL != "" {
		displayed = strings.TrimSuffix(r.ISPublicURL, "/") + "/oauth2/token"
	}
	return wso2.KeyManager{
		Name:                       r.KMName,
		DisplayName:                r.KMName,
		Type:                       wso2.TypeIS7,
		Description:                "WSO2 Identity Server 7, registered by wso2agent",
		Enabled:                    true,
		Issuer:                     r.km.issuer,
		WellKnownEndpoint:          is + "/oauth2/token/.well-known/openid-configuration",
		ClientRegistrationEndpoint: is + "/api/identity/oauth2/dcr/v1.1/register",
		IntrospectionEndpoint:      is + "/oauth2/introspect",
		TokenEndpoint:              is + "/oauth2/token",
		DisplayTokenEndpoint:       displayed,
		RevokeEndpoint:             is + "/oauth2/revoke",
		DisplayRevokeEndpoint:      revokeEndpoint(displayed, is),
		UserInfoEndpoint:           is + "/scim2/Me",
		AuthorizeEndpoint:          is + "/oauth2/authorize",
		ScopeManagementEndpoint:    is + "/api/identity/oauth2/v1.0/scopes",
		Certificates:               wso2.Certificates{Type: "JWKS", Value: is + "/oauth2/jwks"},
		AvailableGrantTypes: []string{
			"client_credentials", "password", "refresh_token", "authorization_code",
			"urn:ietf:params:oauth:grant-type:device_code",
			"urn:ietf:params:oauth:grant-type:jwt-bearer",
			"urn:ietf:params:oauth:grant-type:saml2-bearer",
		},
		ConsumerKeyClaim:           "azp",
		ScopesClaim:                "scope",
		ClaimMapping:               []string{},
		TokenValidation:            []string{},
		EnableTokenGeneration:      true,
		EnableOAuthAppCreation:     true,
		EnableMapOAuthConsumerApps: true,
		EnableSelfValidationJWT:    true,
		TokenType:                  "DIRECT",
		Permissions:                wso2.Permissions{PermissionType: "PUBLIC", Roles: []string{}},
		AdditionalProperties: wso2.ConnectorOfIS7{
			Username:            r.ISCredentials.User,
			Password:            r.ISCredentials.Password,
			APIResourceEndpoint: is + "/api/server/v1/api-resources",
			RolesEndpoint:       is + "/scim2/v2/Roles",
			EnableRolesCreation: true,
		},
	}
}

// revokeEndpoint is where people outside revoke tokens: beside the token endpoint, where that is IS's own path.
func revokeEndpoint(tokenEndpoint, is string) string {
	if base, ok := strings.CutSuffix(tokenEndpoint, "/oauth2/token"); ok {
		return base + "/oauth2/revoke"
	}
	return is + "/oauth2/revoke"
}

// chooseKeyManager finds the key manager that makes the application's keys, and what its tokens are known by.
func (r *run) chooseKeyManager(ctx context.Context) error {
	list, err := r.Admin.KeyManagers(ctx)
	if err != nil {
		return err
	}
	same := keeperFirst(list, r.KeyManagerName)
	if len(same) == 0 {
		var names []string
		for _, km := range list {
			names = append(names, km.Name)
		}
		return permanent(fmt.Errorf("API-M has no key manager %q, only %s: correct KEY_MANAGER_NAME", r.KeyManagerName, strings.Join(names, ", ")))
	}
	stored, err := r.readKeyManager(ctx, same[0].ID)
	if err != nil {
		return err
	}
	r.chosen, r.result.KeyManager = same[0].ID, r.KeyManagerName
	r.result.Issuer, r.result.TokenEndpoint = stored.Issuer, r.KMTokenEndpoint
	if stored.Certificates.Type == "JWKS" {
		r.result.JWKS = stored.Certificates.Value
	}
	if r.KeyManagerName == ResidentKeyManager {
		r.result.TokenEndpoint, r.result.JWKS = r.AMURL+"/oauth2/token", r.AM.JWKSURL()
		if r.result.Issuer == "" {
			r.result.Issuer, err = r.residentIssuer(ctx)
		}
	}
	return err
}
