package plan

import (
	"reflect"
	"strings"

	"wso2agent/internal/desired"
)

const (
	discoveryPath = "/oauth2/token/.well-known/openid-configuration"
	tokenPath     = "/oauth2/token"
	revokePath    = "/oauth2/revoke"
)

// IdentityServerKeyManager returns what the file would say about IS at an address such as https://wso2is:9443 as key manager, for the
// connector of IS 7 (https://apim.docs.wso2.com, "Configure WSO2 IS 7 as a Key Manager"). Name, issuer, user and password are the
// caller's. The user info endpoint is IS's SCIM endpoint, because the connector cannot use the one in IS's discovery document.
func IdentityServerKeyManager(is string) desired.KeyManager {
	return desired.KeyManager{
		Type:                  given(TypeIS7),
		Enabled:               given(true),
		WellKnown:             given(is + discoveryPath),
		RegistrationEndpoint:  given(is + "/api/identity/oauth2/dcr/v1.1/register"),
		IntrospectionEndpoint: given(is + "/oauth2/introspect"),
		TokenEndpoint:         given(is + tokenPath),
		DisplayTokenEndpoint:  given(is + tokenPath),
		RevokeEndpoint:        given(is + revokePath),
		DisplayRevokeEndpoint: given(is + revokePath),
		UserInfoEndpoint:      given(is + "/scim2/Me"),
		AuthorizeEndpoint:     given(is + "/oauth2/authorize"),
		ScopeEndpoint:         given(is + "/api/identity/oauth2/v1.0/scopes"),
		JWKS:                  given(is + "/oauth2/jwks"),
		GrantTypes: givenList(
			"client_credentials", "password", "refresh_token", "authorization_code",
			"urn:ietf:params:oauth:grant-type:device_code",
			"urn:ietf:params:oauth:grant-type:jwt-bearer",
			"urn:ietf:params:oauth:grant-type:saml2-bearer",
		),
		ConsumerKeyClaim: given("azp"),
		ScopesClaim:      given("scope"),
		ClaimMapping:     desired.List[desired.Claim]{Set: true, Null: true},
		TokenType:        given("DIRECT"),
		TokenGeneration:  given(true),
		AppCreation:      given(true),
		AppMapping:       given(true),
		SelfValidation:   given(true),
		RolesCreation:    given(true),
		Permissions:      given(desired.Permissions{Type: given("PUBLIC")}),
		AdditionalProperties: given(map[string]desired.Text{
			"api_resource_management_endpoint": given(is + "/api/server/v1/api-resources"),
			"is7_roles_endpoint":               given(is + "/scim2/v2/Roles"),
		}),
	}
}

func given[T any](value T) desired.Field[T] { return desired.Field[T]{Set: true, Value: value} }

func givenList(values ...string) desired.Texts {
	var list []desired.Text
	for _, v := range values {
		list = append(list, given(v))
	}
	return given(list)
}

// addressOfIS returns the address of IS that an endpoint of the file has; "" if none has it.
func addressOfIS(want desired.KeyManager) string {
	if is, found := strings.CutSuffix(want.WellKnown.Value, discoveryPath); found {
		return is
	}
	is, _ := strings.CutSuffix(want.TokenEndpoint.Value, tokenPath)
	if is == want.TokenEndpoint.Value {
		return ""
	}
	return is
}

// OverKeyManager returns own with everything that file sets: the file's word about the key manager that the agent registers by itself.
// Additional properties are joined.
func OverKeyManager(own, file desired.KeyManager) desired.KeyManager {
	joined := own
	into, from := reflect.ValueOf(&joined).Elem(), reflect.ValueOf(file)
	for i := range from.NumField() {
		if from.Field(i).FieldByName("Set").Bool() {
			into.Field(i).Set(from.Field(i))
		}
	}
	if own.AdditionalProperties.Set {
		joined.AdditionalProperties = given(map[string]desired.Text{})
		for _, properties := range []map[string]desired.Text{own.AdditionalProperties.Value, file.AdditionalProperties.Value} {
			for name, value := range properties {
				joined.AdditionalProperties.Value[name] = value
			}
		}
	}
	if joined.MutualTLS() { // and the administrator's password goes nowhere
		joined.Username, joined.Password = desired.Text{}, desired.Password{}
	}
	return joined
}
