package bootstrap

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"time"

	"wso2agent/internal/desired"
	"wso2agent/internal/remedy"
	"wso2agent/internal/serviceuser"
	"wso2agent/internal/wso2"
)

// keyManager is what a run knows about IS as key manager.
type keyManager struct {
	issuer   string // from IS's discovery document
	id       string
	changed  bool      // this run has created or updated it, or has tried to
	unusable time.Time // when its verification first failed, or when this run last sent it again
}

// registerKeyManager creates the key manager, or updates the fields that differ. API-M shows the stored password masked, so the run
// cannot compare it. Each update sends the password too.
func (r *run) registerKeyManager(ctx context.Context) error {
	list, err := r.Admin.KeyManagers(ctx)
	if err != nil {
		return err
	}
	if err := RefuseSecondIssuer(ctx, r.Admin, r.AM, list, r.KMName, r.km.issuer, "set KM_NAME to its name"); err != nil {
		return orDeleted(err)
	}
	found, err := r.takeKeyManager(ctx, list)
	if err != nil {
		return err
	}
	if found {
		return r.updateKeyManager(ctx)
	}
	r.km.changed = true // even if no answer comes, because API-M may have created it anyway
	err = r.change("created key manager "+r.KMName, func() error {
		if r.km.id, err = r.Admin.CreateKeyManager(ctx, r.desiredKeyManager()); err != nil {
			return err
		}
		return r.user.Taken()
	})
	if wso2.HasCode(err, wso2.CodeKeyManagerExists) {
		return transient(err) // another run has created it since the list was read, so the next try finds it
	}
	if err != nil {
		return err
	}
	// If two runs create a key manager at the same moment, API-M keeps both. A later list shows both.
	if list, err = r.Admin.KeyManagers(ctx); err == nil {
		_, err = r.takeKeyManager(ctx, list)
	}
	return err
}

// updateKeyManager writes the key manager if it differs from the desired one.
func (r *run) updateKeyManager(ctx context.Context) error {
	stored, err := r.readKeyManager(ctx, r.km.id)
	if err != nil {
		return err
	}
	if stored.Type != wso2.TypeIS7 {
		return Permanent(remedy.Add(fmt.Errorf("key manager %s is of type %s, not %s", r.KMName, stored.Type, wso2.TypeIS7),
			"delete it in API-M's Admin Portal, or register IS under another name (KM_NAME)"))
	}
	if slices.ContainsFunc(r.desired.KeyManagers.Value, func(km desired.Field[desired.KeyManager]) bool { return km.Value.Name.Value == r.KMName }) {
		return nil // the file has the last word, and package apply knows it
	}
	want := r.desiredKeyManager()
	if r.user.User != "" {
		want.AdditionalProperties.Password = wso2.MaskedPassword // as API-M shows it
	}
	_, fields, err := wso2.Merge(stored.Raw, want)
	if err != nil || len(fields) == 0 && r.user.Known {
		return err
	}
	if !r.user.Known {
		fields = append(fields, "additionalProperties.Password")
	}
	r.km.changed = true
	err = r.change(fmt.Sprintf("updated key manager %s: %s", r.KMName, strings.Join(fields, ", ")), func() error {
		return r.sendKeyManager(ctx, stored.Raw)
	})
	if err == nil && stored.User != r.user.User {
		userChanged(r.log, stored.User, r.user.User)
	}
	return err
}

// sendKeyManager overwrites the stored key manager completely, with its password.
func (r *run) sendKeyManager(ctx context.Context, stored json.RawMessage) error {
	want := r.desiredKeyManager()
	whole, _, err := wso2.Merge(stored, want)
	if err != nil {
		return err
	}
	if err := r.Admin.UpdateKeyManager(ctx, r.km.id, whole, want.AdditionalProperties.Password); err != nil {
		return orDeleted(err)
	}
	r.user.Known = true
	return r.user.Taken()
}

// chooseUser finds the user with which the key manager calls IS, and makes it if the agent is to make one.
// A user that the file names counts.
func (r *run) chooseUser(ctx context.Context) (err error) {
	km, ok := ownIn(r.desired, r.KMName)
	if ok && km.Username.Set {
		r.user = KeyManagerUser{Account: serviceuser.Account{User: km.Username.Value, Password: wso2.Secret(km.Password.Value.Reveal())}, Known: true}
		return nil
	}
	if r.lease != nil { // the choice of a user may make the user
		km, kind, err := r.FindUser(ctx, r.Admin)
		if err != nil {
			return err
		}
		has := km.ID != ""
		if has && km.User != "" {
			has, err = r.hasUser(ctx, r.Servers, km, kind)
		}
		if err != nil {
			return err
		}
		if !has {
			return r.changing()
		}
	}
	r.user, err = ChooseUser(ctx, r.log, r.Servers, r.Settings)
	return err
}

// readKeyManager reads a key manager from the list.
func (r *run) readKeyManager(ctx context.Context, id string) (wso2.StoredKeyManager, error) {
	stored, err := r.Admin.KeyManager(ctx, id)
	return stored, orDeleted(err)
}

// desiredKeyManager returns IS as key manager for the connector of IS 7 (https://apim.docs.wso2.com, "Configure WSO2 IS 7 as a Key
// Manager"). It also sets the fields that carbon-apimgt reads as null or false if they are absent. The user info endpoint is IS's
// SCIM endpoint, because the connector cannot use the one in IS's discovery document.
func (r *run) desiredKeyManager() wso2.KeyManager {
	is := r.ISURL
	token, revoke := r.DisplayedEndpoints()
	return wso2.KeyManager{
		Name:                       r.KMName,
		DisplayName:                r.KMName,
		Type:                       wso2.TypeIS7,
		Description:                KeyManagerDescription,
		Enabled:                    true,
		Issuer:                     r.km.issuer,
		WellKnownEndpoint:          is + "/oauth2/token/.well-known/openid-configuration",
		ClientRegistrationEndpoint: is + "/api/identity/oauth2/dcr/v1.1/register",
		IntrospectionEndpoint:      is + "/oauth2/introspect",
		TokenEndpoint:              is + "/oauth2/token",
		DisplayTokenEndpoint:       token,
		RevokeEndpoint:             is + "/oauth2/revoke",
		DisplayRevokeEndpoint:      revoke,
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
			Username:            r.user.User,
			Password:            r.user.Password,
			APIResourceEndpoint: is + "/api/server/v1/api-resources",
			RolesEndpoint:       is + "/scim2/v2/Roles",
			EnableRolesCreation: true,
		},
	}
}

// KeyManagerDescription is the description of the key manager that the agent registers.
const KeyManagerDescription = "WSO2 Identity Server 7, registered by wso2agent"

// DisplayedEndpoints returns the addresses at which people outside get tokens of IS and revoke them. The second one is next to the
// first if that has IS's own path.
func (s Settings) DisplayedEndpoints() (token, revoke string) {
	token = s.KMTokenEndpoint
	if s.ISPublicURL != "" {
		token = strings.TrimSuffix(s.ISPublicURL, "/") + "/oauth2/token"
	}
	base, own := strings.CutSuffix(token, "/oauth2/token")
	if !own {
		base = s.ISURL
	}
	return token, base + "/oauth2/revoke"
}

// Choose finds a key manager, and the issuer and the addresses of its tokens: what the result has of it. Errors are as those of
// [Register].
func Choose(ctx context.Context, log *slog.Logger, servers Servers, settings Settings, name string) (result Result, err error) {
	r, err := newRun(log, servers, settings)
	if err != nil {
		return result, err
	}
	err = r.perform(ctx, step{name: "choose " + name, do: func(ctx context.Context) error {
		result, err = r.choose(ctx, name)
		return err
	}})
	return result, err
}

func (r *run) choose(ctx context.Context, name string) (result Result, err error) {
	list, err := r.Admin.KeyManagers(ctx)
	if err != nil {
		return result, err
	}
	same := KeeperFirst(list, name)
	if len(same) == 0 {
		var names []string
		for _, km := range list {
			names = append(names, km.Name)
		}
		return result, Permanent(remedy.Add(fmt.Errorf("API-M has no key manager %q, only %s", name, strings.Join(names, ", ")), "correct KEY_MANAGER_NAME"))
	}
	stored, err := r.readKeyManager(ctx, same[0].ID)
	if err != nil {
		return result, err
	}
	result = Result{KeyManager: name, KeyManagerID: same[0].ID, Issuer: stored.Issuer, TokenEndpoint: r.TokenEndpointOf(name)}
	if stored.Certificates.Type == "JWKS" {
		result.JWKS = stored.Certificates.Value
	}
	if name == ResidentKeyManager {
		result.JWKS = r.AM.JWKSURL()
		if result.Issuer == "" {
			result.Issuer, err = residentIssuer(ctx, r.AM)
		}
	}
	return result, err
}

// TokenEndpointOf returns the address from which the clients of a key manager get tokens; "" if the settings do not name it. The settings
// must be normalised.
func (s Settings) TokenEndpointOf(keyManager string) string {
	switch keyManager {
	case ResidentKeyManager:
		return s.AMURL + "/oauth2/token"
	case s.KMName, s.KeyManagerName:
		return s.KMTokenEndpoint
	}
	return ""
}
