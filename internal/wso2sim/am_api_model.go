package wso2sim

// apiDTO is an API as the Publisher reads and writes it. Pointers are for what can be null.
type apiDTO struct {
	ID                           string                 `json:"id"`
	Name                         *string                `json:"name"`
	Description                  *string                `json:"description"`
	Context                      *string                `json:"context"`
	Version                      *string                `json:"version"`
	Provider                     *string                `json:"provider"`
	LifeCycleStatus              string                 `json:"lifeCycleStatus"`
	WsdlInfo                     any                    `json:"wsdlInfo"`
	WsdlURL                      *string                `json:"wsdlUrl"`
	ResponseCachingEnabled       *bool                  `json:"responseCachingEnabled"`
	CacheTimeout                 int                    `json:"cacheTimeout"`
	HasThumbnail                 *bool                  `json:"hasThumbnail"`
	IsDefaultVersion             bool                   `json:"isDefaultVersion"`
	IsRevision                   bool                   `json:"isRevision"`
	RevisionedAPIID              *string                `json:"revisionedApiId"`
	RevisionID                   int                    `json:"revisionId"`
	EnableSchemaValidation       bool                   `json:"enableSchemaValidation"`
	EnableSubscriberVerification bool                   `json:"enableSubscriberVerification"`
	Type                         *string                `json:"type" enum:"HTTP|WS|SOAPTOREST|SOAP|GRAPHQL|WEBSUB|SSE|WEBHOOK|ASYNC" strict:""`
	Audience                     *string                `json:"audience" enum:"PUBLIC|SINGLE"`
	Audiences                    []string               `json:"audiences"`
	Transport                    []string               `json:"transport"`
	Tags                         []string               `json:"tags"`
	Policies                     []string               `json:"policies"` // null is an unchecked error
	OrganizationPolicies         []any                  `json:"organizationPolicies"`
	APIThrottlingPolicy          *string                `json:"apiThrottlingPolicy"`
	AuthorizationHeader          *string                `json:"authorizationHeader"`
	APIKeyHeader                 *string                `json:"apiKeyHeader"`
	SecurityScheme               []string               `json:"securityScheme"`
	MaxTps                       *maxTps                `json:"maxTps"`
	Visibility                   string                 `json:"visibility" enum:"PUBLIC|PRIVATE|RESTRICTED" strict:""`
	VisibleRoles                 []string               `json:"visibleRoles"`
	VisibleTenants               []string               `json:"visibleTenants"`
	VisibleOrganizations         []string               `json:"visibleOrganizations"`
	MediationPolicies            []any                  `json:"mediationPolicies"`
	APIPolicies                  *operationPolicies     `json:"apiPolicies"`
	SubscriptionAvailability     *string                `json:"subscriptionAvailability" enum:"CURRENT_TENANT|ALL_TENANTS|SPECIFIC_TENANTS"`
	SubscriptionAvailableTenants []string               `json:"subscriptionAvailableTenants"`
	AdditionalProperties         []apiProperty          `json:"additionalProperties"`
	AdditionalPropertiesMap      map[string]apiProperty `json:"additionalPropertiesMap"`
	Monetization                 any                    `json:"monetization"`
	AccessControl                string                 `json:"accessControl" enum:"NONE|RESTRICTED"`
	AccessControlRoles           []string               `json:"accessControlRoles"`
	BusinessInformation          *businessInfo          `json:"businessInformation"`
	CorsConfiguration            *corsConfig            `json:"corsConfiguration"`
	WebsubSubscription           *websubConfig          `json:"websubSubscriptionConfiguration"`
	WorkflowStatus               *string                `json:"workflowStatus"`
	CreatedTime                  *string                `json:"createdTime"`
	LastUpdatedTimestamp         *string                `json:"lastUpdatedTimestamp"`
	LastUpdatedTime              *string                `json:"lastUpdatedTime"`
	EndpointConfig               object                 `json:"endpointConfig"`
	PrimaryProductionEndpointID  *string                `json:"primaryProductionEndpointId"`
	PrimarySandboxEndpointID     *string                `json:"primarySandboxEndpointId"`
	EndpointImplementationType   *string                `json:"endpointImplementationType" enum:"INLINE|ENDPOINT|MOCKED_OAS"`
	SubtypeConfiguration         *subtypeConfig         `json:"subtypeConfiguration"`
	Scopes                       []apiScope             `json:"scopes"`
	Operations                   []apiOperation         `json:"operations"`
	ThreatProtectionPolicies     any                    `json:"threatProtectionPolicies"`
	Categories                   []string               `json:"categories"`
	KeyManagers                  any                    `json:"keyManagers"`
	ServiceInfo                  any                    `json:"serviceInfo"`
	AdvertiseInfo                *advertiseInfo         `json:"advertiseInfo"`
	GatewayVendor                *string                `json:"gatewayVendor"`
	GatewayType                  *string                `json:"gatewayType"`
	AsyncTransportProtocols      []string               `json:"asyncTransportProtocols"`
	Egress                       *bool                  `json:"egress"`
}

type businessInfo struct {
	BusinessOwner       *string `json:"businessOwner"`
	BusinessOwnerEmail  *string `json:"businessOwnerEmail"`
	TechnicalOwner      *string `json:"technicalOwner"`
	TechnicalOwnerEmail *string `json:"technicalOwnerEmail"`
}

type corsConfig struct {
	Enabled          bool     `json:"corsConfigurationEnabled"`
	AllowOrigins     []string `json:"accessControlAllowOrigins"`
	AllowCredentials bool     `json:"accessControlAllowCredentials"`
	AllowHeaders     []string `json:"accessControlAllowHeaders"`
	AllowMethods     []string `json:"accessControlAllowMethods"`
}

type websubConfig struct {
	Enable           bool   `json:"enable"`
	Secret           string `json:"secret"`
	SigningAlgorithm string `json:"signingAlgorithm"`
	SignatureHeader  string `json:"signatureHeader"`
}

type subtypeConfig struct {
	Subtype       string `json:"subtype"`
	Configuration any    `json:"configuration"`
}

type advertiseInfo struct {
	Advertised                    bool    `json:"advertised"`
	APIExternalProductionEndpoint *string `json:"apiExternalProductionEndpoint"`
	APIExternalSandboxEndpoint    *string `json:"apiExternalSandboxEndpoint"`
	OriginalDevPortalURL          *string `json:"originalDevPortalUrl"`
	APIOwner                      *string `json:"apiOwner"`
	Vendor                        *string `json:"vendor" enum:"WSO2|AWS"`
}

// maxTps bounds what the backend gets. A time unit that is absent or unknown is a second.
type maxTps struct {
	Production         *int64 `json:"production"`
	ProductionTimeUnit string `json:"productionTimeUnit" enum:"SECOND|MINUTE|HOUR"`
	Sandbox            *int64 `json:"sandbox"`
	SandboxTimeUnit    string `json:"sandboxTimeUnit" enum:"SECOND|MINUTE|HOUR"`
	TokenBased         any    `json:"tokenBasedThrottlingConfiguration"`
}

type apiScope struct {
	Scope  scopeDTO `json:"scope"`
	Shared *bool    `json:"shared"`
}

type scopeDTO struct {
	ID          *string  `json:"id"`
	Name        string   `json:"name"`
	DisplayName *string  `json:"displayName"`
	Description *string  `json:"description"`
	Bindings    []string `json:"bindings"`
	UsageCount  *int     `json:"usageCount"`
}

type apiOperation struct {
	ID                        string             `json:"id"`
	Target                    string             `json:"target"`
	Verb                      string             `json:"verb"`
	AuthType                  string             `json:"authType"`
	ThrottlingPolicy          string             `json:"throttlingPolicy"`
	Scopes                    []string           `json:"scopes"`
	UsedProductIDs            []string           `json:"usedProductIds"`
	AmznResourceName          *string            `json:"amznResourceName"`
	AmznResourceTimeout       any                `json:"amznResourceTimeout"`
	AmznResourceContentEncode any                `json:"amznResourceContentEncode"`
	PayloadSchema             *string            `json:"payloadSchema"`
	URIMapping                *string            `json:"uriMapping"`
	OperationPolicies         *operationPolicies `json:"operationPolicies"`
}

// apiProperty is an additional property; the one to display shows in the DevPortal.
type apiProperty struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	Display bool   `json:"display"`
}

const (
	authAny            = "Application & Application User"
	subscriptionless   = "DefaultSubscriptionless"
	unlimited          = "Unlimited"
	mandatoryOAuth     = "oauth_basic_auth_api_key_mandatory"
	allKeyManagers     = "all"
	defaultAuthHeader  = "Authorization"
	defaultGatewayType = "wso2/synapse"
)

// newAPIDTO has what absent fields become.
func newAPIDTO() apiDTO {
	return apiDTO{
		ResponseCachingEnabled: ptr(false), CacheTimeout: 300, HasThumbnail: ptr(false), Type: ptr("HTTP"),
		Audiences: []string{"all"}, Policies: []string{}, Transport: []string{"http", "https"}, AuthorizationHeader: ptr(defaultAuthHeader),
		APIKeyHeader: ptr("ApiKey"), SecurityScheme: []string{mandatoryOAuth, "oauth2"}, Visibility: "PUBLIC",
		VisibleOrganizations: []string{"none"}, SubscriptionAvailability: ptr("CURRENT_TENANT"), AccessControl: "NONE",
		WebsubSubscription:         &websubConfig{SigningAlgorithm: "SHA1", SignatureHeader: "x-hub-signature"},
		EndpointImplementationType: ptr("ENDPOINT"), SubtypeConfiguration: &subtypeConfig{Subtype: "DEFAULT"},
		AdvertiseInfo: &advertiseInfo{Vendor: ptr("WSO2")}, GatewayVendor: ptr("wso2"), GatewayType: ptr(defaultGatewayType),
		Egress: ptr(false), KeyManagers: []any{allKeyManagers},
	}
}

// updatedAPIDTO has what fields become that an update leaves out: for some it is not what a new API has.
func updatedAPIDTO() apiDTO {
	dto := newAPIDTO()
	dto.AuthorizationHeader, dto.GatewayType = nil, nil
	return dto
}

func defaultCORS() *corsConfig {
	return &corsConfig{
		AllowOrigins: []string{"*"},
		AllowHeaders: []string{"authorization", "Access-Control-Allow-Origin", "Content-Type", "SOAPAction", "apikey", "Internal-Key"},
		AllowMethods: []string{"GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"},
	}
}

// verbs are those that an operation of a REST API can have, in the order in which a target has them.
var verbs = []string{"GET", "PUT", "POST", "DELETE", "PATCH", "HEAD", "OPTIONS"}

// keyManagers are the names in the field, which takes anything.
func (dto *apiDTO) keyManagers() []string {
	var names []string
	list, _ := dto.KeyManagers.([]any)
	for _, item := range list {
		if name, ok := item.(string); ok {
			names = append(names, name)
		}
	}
	return names
}
