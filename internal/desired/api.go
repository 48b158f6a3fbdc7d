package desired

// API is one version of an API. Name and version together identify it.
type API struct {
	Name        Text `yaml:"name" required:"true" form:"name" doc:"The name. The server stores it with single spaces."`
	Version     Text `yaml:"version" required:"true" form:"version" doc:"The version, such as 1.0.0."`
	Context     Text `yaml:"context" required:"true" form:"context" doc:"The path at the gateway, without the version. All versions of an API share it."`
	Type        Text `yaml:"type" enum:"HTTP=rest,GRAPHQL,WS=websocket,SSE" default:"HTTP" doc:"The kind of API."`
	Description Text `yaml:"description" form:"description" doc:"What the API is for."`
	Lifecycle   Text `yaml:"lifecycle" enum:"CREATED,PROTOTYPED,PUBLISHED,BLOCKED,DEPRECATED,RETIRED" default:"PUBLISHED" doc:"The state that the API is to reach."`

	DefaultVersion Switch `yaml:"default_version" default:"false" doc:"Whether calls without a version reach this one."`
	CopyOf         Text   `yaml:"copy_of" form:"version" doc:"The version that the server copies to make this one, with the documents that it has then. Without it the server makes a new API."`

	Tags                 Texts                     `yaml:"tags" item:"tag" form:"tag" doc:"Words by which people find the API."`
	Categories           Texts                     `yaml:"categories" item:"category" form:"word" doc:"Categories of API-M."`
	Business             Group[Business]           `yaml:"business_information" doc:"Who is responsible for the API."`
	AdditionalProperties List[AdditionalProperty]  `yaml:"additional_properties" item:"an additional property" doc:"Properties that you define."`
	Documents            List[Document]            `yaml:"documents" item:"a document" doc:"Documents of the API."`
	Certificates         List[EndpointCertificate] `yaml:"endpoint_certificates" item:"an endpoint certificate" doc:"Certificates that the gateway trusts at the backends."`

	OpenAPI    Text            `yaml:"openapi" form:"source" doc:"The OpenAPI definition: a file, or an address. The operations come from it."`
	Schema     Text            `yaml:"schema" form:"source" doc:"The GraphQL schema: a file, or an address."`
	Operations List[Operation] `yaml:"operations" alias:"resources" item:"an operation" doc:"The operations, unless openapi has them."`
	Scopes     List[Scope]     `yaml:"scopes" item:"a scope" short:"name" doc:"The scopes that the operations use. They are shared, unless local is true."`

	BackendURL       Text             `yaml:"backend_url" moves:"true" form:"backend" doc:"The backend, if there is only one: short for endpoints.production.url."`
	SandboxURL       Text             `yaml:"sandbox_url" moves:"true" form:"backend" doc:"The backend for sandbox keys: short for endpoints.sandbox.url."`
	Timeout          Span             `yaml:"timeout" moves:"true" doc:"How long the gateway waits for a backend: short for timeout of each endpoint."`
	SubscriptionTier Text             `yaml:"subscription_tier" moves:"true" form:"subscription_policy" doc:"The policy with which the only application subscribes to the API."`
	Endpoints        Group[Endpoints] `yaml:"endpoints" doc:"The backends."`

	Visibility               Text  `yaml:"visibility" enum:"PUBLIC,PRIVATE,RESTRICTED" default:"PUBLIC" doc:"Who sees the API in the Developer Portal."`
	VisibleRoles             Texts `yaml:"visible_roles" item:"role" form:"role" doc:"The roles that see an API whose visibility is RESTRICTED."`
	AccessControl            Text  `yaml:"access_control" enum:"NONE,RESTRICTED" default:"NONE" doc:"Who may change the API in the Publisher."`
	AccessControlRoles       Texts `yaml:"access_control_roles" item:"role" form:"role" doc:"The roles that may change an API whose access_control is RESTRICTED."`
	SubscriptionAvailability Text  `yaml:"subscription_availability" enum:"CURRENT_TENANT" default:"CURRENT_TENANT" doc:"Which tenants may subscribe."`

	Policies         Texts             `yaml:"policies" alias:"throttling_policies,subscription_tiers" item:"policy" form:"subscription_policy" doc:"The subscription policies that the API offers."`
	ThrottlingPolicy Text              `yaml:"throttling_policy" alias:"api_throttling_policy" form:"policy" doc:"The policy that limits all calls of the API."`
	RateLimits       Group[RateLimits] `yaml:"rate_limits" doc:"The most requests that the backends get."`
	ResponseCaching  Group[Caching]    `yaml:"response_caching" doc:"Whether the gateway caches answers."`
	CORS             Group[CORS]       `yaml:"cors" doc:"Cross-origin resource sharing."`
	Transports       Texts             `yaml:"transports" alias:"transport" item:"transport" enum:"http,https" default:"http, https" doc:"The transports at which the gateway serves the API."`
	SecuritySchemes  Texts             `yaml:"security_schemes" alias:"security_scheme" item:"security scheme" enum:"oauth2,basic_auth,api_key,mutualssl,mutualssl_mandatory,oauth_basic_auth_api_key_mandatory" default:"oauth2, oauth_basic_auth_api_key_mandatory" doc:"How clients authenticate."`
	AuthHeader       Text              `yaml:"authorization_header" form:"header" default:"Authorization" doc:"The header with the access token."`
	APIKeyHeader     Text              `yaml:"api_key_header" form:"header" default:"ApiKey" doc:"The header with the API key."`
	KeyManagers      Texts             `yaml:"key_managers" item:"key manager" form:"key_manager" default:"all" doc:"The key managers whose tokens the API accepts."`
	SchemaValidation Switch            `yaml:"schema_validation" default:"false" doc:"Whether the gateway checks requests against the definition."`
	Environments     List[Environment] `yaml:"environments" alias:"gateway_environments" item:"an environment" short:"name" doc:"The gateway environments that serve the API."`
}

// Business says who is responsible for an API.
type Business struct {
	Owner               Text `yaml:"business_owner" form:"text120" doc:"The business owner."`
	OwnerEmail          Text `yaml:"business_owner_email" form:"email" doc:"The address of the business owner."`
	TechnicalOwner      Text `yaml:"technical_owner" form:"text120" doc:"The technical owner."`
	TechnicalOwnerEmail Text `yaml:"technical_owner_email" form:"email" doc:"The address of the technical owner."`
}

// AdditionalProperty is a property that people define.
type AdditionalProperty struct {
	Name    Text   `yaml:"name" required:"true" form:"word" doc:"The name, without spaces."`
	Value   Text   `yaml:"value" required:"true" form:"value" doc:"The value."`
	Display Switch `yaml:"display" default:"false" doc:"Whether the Developer Portal shows it."`
}

// RateLimits bound the requests that reach the backends.
type RateLimits struct {
	Production Number `yaml:"production" min:"1" doc:"The most requests to production backends in a time unit."`
	Sandbox    Number `yaml:"sandbox" min:"1" doc:"The most requests to sandbox backends in a time unit."`
	Unit       Text   `yaml:"unit" enum:"SECOND,MINUTE,HOUR" default:"SECOND" doc:"The time unit."`
}

// Caching says whether the gateway caches answers.
type Caching struct {
	Enabled Switch `yaml:"enabled" default:"false" doc:"Whether the gateway caches answers."`
	Timeout Number `yaml:"timeout" min:"1" default:"300" doc:"How many seconds an answer stays in the cache."`
}

// CORS is cross-origin resource sharing.
type CORS struct {
	Enabled     Switch `yaml:"enabled" default:"false" doc:"Whether the gateway answers cross-origin requests by itself."`
	Origins     Texts  `yaml:"allow_origins" alias:"allowed_origins,origins,access_control_allow_origins" item:"origin" form:"value" default:"*" doc:"The origins that may call."`
	Headers     Texts  `yaml:"allow_headers" alias:"allowed_headers,headers,access_control_allow_headers" item:"header" form:"word" doc:"The headers that a call may have."`
	Methods     Texts  `yaml:"allow_methods" alias:"allowed_methods,methods,access_control_allow_methods" item:"method" enum:"GET,PUT,POST,DELETE,PATCH,OPTIONS,HEAD" doc:"The methods that a call may have."`
	Credentials Switch `yaml:"allow_credentials" alias:"credentials,access_control_allow_credentials" default:"false" doc:"Whether a call may have credentials."`
}

// Environment is a gateway environment that serves an API.
type Environment struct {
	Name    Text   `yaml:"name" required:"true" form:"environment" doc:"The name of the environment."`
	VHost   Text   `yaml:"vhost" form:"host" doc:"The virtual host."`
	Display Switch `yaml:"display_on_devportal" default:"true" doc:"Whether the Developer Portal shows this address."`
}
