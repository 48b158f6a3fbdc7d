package wso2sim

import "slices"

// keyManagerDTO is a key manager as the Admin API reads and writes it.
type keyManagerDTO struct {
	ID                         *string        `json:"id"`
	Name                       *string        `json:"name"`
	DisplayName                *string        `json:"displayName"`
	Type                       *string        `json:"type"`
	Description                *string        `json:"description"`
	WellKnownEndpoint          *string        `json:"wellKnownEndpoint"`
	IntrospectionEndpoint      *string        `json:"introspectionEndpoint"`
	ClientRegistrationEndpoint *string        `json:"clientRegistrationEndpoint"`
	TokenEndpoint              *string        `json:"tokenEndpoint"`
	DisplayTokenEndpoint       *string        `json:"displayTokenEndpoint"`
	RevokeEndpoint             *string        `json:"revokeEndpoint"`
	DisplayRevokeEndpoint      *string        `json:"displayRevokeEndpoint"`
	UserInfoEndpoint           *string        `json:"userInfoEndpoint"`
	AuthorizeEndpoint          *string        `json:"authorizeEndpoint"`
	Endpoints                  []kmEndpoint   `json:"endpoints"`
	Certificates               *kmCertificate `json:"certificates"`
	Issuer                     *string        `json:"issuer"`
	Alias                      *string        `json:"alias"`
	ScopeManagementEndpoint    *string        `json:"scopeManagementEndpoint"`
	AvailableGrantTypes        []string       `json:"availableGrantTypes"`
	EnableTokenGeneration      *bool          `json:"enableTokenGeneration"`
	EnableTokenEncryption      *bool          `json:"enableTokenEncryption"`
	EnableTokenHashing         *bool          `json:"enableTokenHashing"`
	EnableMapOAuthConsumerApps *bool          `json:"enableMapOAuthConsumerApps"`
	EnableOAuthAppCreation     *bool          `json:"enableOAuthAppCreation"`
	EnableSelfValidationJWT    *bool          `json:"enableSelfValidationJWT"`
	ClaimMapping               []kmClaim      `json:"claimMapping"`
	ConsumerKeyClaim           *string        `json:"consumerKeyClaim"`
	ScopesClaim                *string        `json:"scopesClaim"`
	TokenValidation            []kmValidation `json:"tokenValidation"`
	Enabled                    *bool          `json:"enabled"`
	Global                     *bool          `json:"global"`
	AdditionalProperties       object         `json:"additionalProperties"`
	Permissions                *kmPermissions `json:"permissions"`
	TokenType                  *string        `json:"tokenType" enum:"EXCHANGED|DIRECT|BOTH"`
	AllowedOrganizations       []string       `json:"allowedOrganizations"`
}

type kmEndpoint struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

type kmCertificate struct {
	Type  *string `json:"type" enum:"JWKS|PEM"`
	Value string  `json:"value"`
}

type kmClaim struct {
	RemoteClaim string `json:"remoteClaim"`
	LocalClaim  string `json:"localClaim"`
}

// kmValidation is a way of telling which tokens are the key manager's.
type kmValidation struct {
	ID     *int    `json:"id"`
	Enable *bool   `json:"enable"`
	Type   *string `json:"type" enum:"REFERENCE|JWT|CUSTOM"`
	Value  any     `json:"value"`
}

// The types of certificates of a key manager: an address with its keys, or a certificate as it is.
const (
	certificateJWKS = "JWKS"
	certificatePEM  = "PEM"
)

type kmPermissions struct {
	PermissionType *string  `json:"permissionType" enum:"PUBLIC|ALLOW|DENY"`
	Roles          []string `json:"roles"`
}

// keyManagerTypes are those that an installation has connectors for, with the additional properties that each marks as required. The
// stand-in registers all of them, and uses those of IS alone.
var keyManagerTypes = map[string][]string{
	typeResident:   nil,
	typeIS5:        {"Username", "Password"},
	typeIS7:        {"Username", "Password", "api_resource_management_endpoint", "is7_roles_endpoint"},
	"Auth0":        {"client_id", "client_secret", "audience"},
	"AzureAD":      {"microsoft_graph_api_endpoint", "v1.0", "azure_ad_client_id", "azure_ad_client_secret"},
	"Forgerock":    {"client_id", "client_secret"},
	"KeyCloak":     {"client_id", "client_secret"},
	"Okta":         {"apiKey", "client_id", "client_secret"},
	"PingFederate": {"username", "password", "client_id", "client_secret"},
}

// newKeyManagerDTO has what absent fields become. enabled stays null on purpose: without it the product fails.
func newKeyManagerDTO() keyManagerDTO {
	no, yes, direct := false, true, "DIRECT"
	return keyManagerDTO{
		EnableTokenEncryption: &no, EnableTokenHashing: ptr(false), EnableMapOAuthConsumerApps: ptr(false),
		EnableOAuthAppCreation: ptr(false), EnableSelfValidationJWT: &yes, Global: ptr(false), TokenType: &direct,
		Permissions: &kmPermissions{PermissionType: ptr("PUBLIC")},
	}
}

func ptr[T any](v T) *T { return &v }

// normalize turns absent lists into empty ones and adds what the server derives.
func normalize(dto *keyManagerDTO) {
	dto.Endpoints, dto.AvailableGrantTypes = orEmpty(dto.Endpoints), orEmpty(dto.AvailableGrantTypes)
	dto.ClaimMapping, dto.TokenValidation = orEmpty(dto.ClaimMapping), orEmpty(dto.TokenValidation)
	dto.AllowedOrganizations = orEmpty(dto.AllowedOrganizations)
	if dto.Permissions == nil || dto.Permissions.PermissionType == nil {
		dto.Permissions = &kmPermissions{PermissionType: ptr("PUBLIC")}
	}
	if dto.Certificates != nil && dto.Certificates.Type == nil {
		dto.Certificates = nil // kept without a type, and never shown or used
	}
	dto.Permissions.Roles = orEmpty(dto.Permissions.Roles)
	if dto.AdditionalProperties == nil {
		dto.AdditionalProperties = object{}
	}
	dto.AdditionalProperties["self_validate_jwt"] = dto.EnableSelfValidationJWT != nil && *dto.EnableSelfValidationJWT
}

// check asks for what the connector's definition marks as required.
func (dto *keyManagerDTO) check(b Behaviour) error {
	required, known := keyManagerTypes[value(dto.Type)]
	if !known {
		return &fault{status: 400, code: 901400, message: "Key Manager Type not configured", description: "Key Manager Type not configured"}
	}
	endpoints := map[string]*string{
		"client_registration_endpoint": dto.ClientRegistrationEndpoint, "introspection_endpoint": dto.IntrospectionEndpoint,
		"token_endpoint": dto.TokenEndpoint, "revoke_endpoint": dto.RevokeEndpoint,
	}
	for name, at := range endpoints {
		listed := slices.ContainsFunc(dto.Endpoints, func(e kmEndpoint) bool { return e.Name == name && e.Value != "" })
		if value(at) == "" && !listed {
			return errKMConfig
		}
	}
	if value(dto.Type) == typeIS7 && b.MutualTLS {
		required = dto.authentication(required)
	}
	for _, name := range required {
		if text, _ := dto.AdditionalProperties[name].(string); text == "" {
			return errKMConfig
		}
	}
	return nil
}
