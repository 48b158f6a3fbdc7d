package desired

// KeyManager is a key manager of API-M. Its name identifies it.
type KeyManager struct {
	Name                  Text               `yaml:"name" required:"true" form:"key_manager" doc:"The name. Resident Key Manager is the one that API-M brings."`
	Type                  Text               `yaml:"type" enum:"WSO2-IS-7,WSO2-IS,default=resident,KeyCloak,Okta,Auth0,PingFederate,Forgerock,AzureAD" default:"WSO2-IS-7" doc:"The connector. Any server with OpenID Connect works with a connector whose way to register clients it knows, or without app_creation."`
	DisplayName           Text               `yaml:"display_name" form:"text100" doc:"The name that people see."`
	Description           Text               `yaml:"description" form:"text256" doc:"What the key manager is for."`
	Enabled               Switch             `yaml:"enabled" default:"true" doc:"Whether API-M uses it."`
	Issuer                Text               `yaml:"issuer" form:"url" doc:"The issuer in its tokens. No two key managers may have the same."`
	WellKnown             Text               `yaml:"well_known_endpoint" form:"url" doc:"The discovery document."`
	TokenEndpoint         Text               `yaml:"token_endpoint" form:"url" doc:"The endpoint for tokens."`
	RevokeEndpoint        Text               `yaml:"revoke_endpoint" form:"url" doc:"The endpoint that revokes tokens."`
	IntrospectionEndpoint Text               `yaml:"introspection_endpoint" alias:"introspect_endpoint" form:"url" doc:"The endpoint that checks tokens."`
	RegistrationEndpoint  Text               `yaml:"client_registration_endpoint" form:"url" doc:"The endpoint that registers clients."`
	AuthorizeEndpoint     Text               `yaml:"authorize_endpoint" form:"url" doc:"The endpoint at which users log in."`
	UserInfoEndpoint      Text               `yaml:"user_info_endpoint" form:"url" doc:"The endpoint with facts about the user."`
	ScopeEndpoint         Text               `yaml:"scope_management_endpoint" form:"url" doc:"The endpoint that manages scopes."`
	DisplayTokenEndpoint  Text               `yaml:"display_token_endpoint" form:"url" doc:"The endpoint for tokens that people see."`
	DisplayRevokeEndpoint Text               `yaml:"display_revoke_endpoint" form:"url" doc:"The endpoint that revokes tokens, as people see it."`
	JWKS                  Text               `yaml:"jwks_endpoint" form:"url" doc:"The endpoint with the keys that sign its tokens."`
	GrantTypes            Texts              `yaml:"grant_types" alias:"available_grant_types" item:"grant type" form:"grant" doc:"The grant types that the Developer Portal offers."`
	ConsumerKeyClaim      Text               `yaml:"consumer_key_claim" form:"word" default:"azp" doc:"The claim with the client."`
	ScopesClaim           Text               `yaml:"scopes_claim" form:"word" default:"scope" doc:"The claim with the scopes."`
	ClaimMapping          List[Claim]        `yaml:"claim_mapping" item:"a claim" doc:"Names of claims in its tokens and in API-M."`
	TokenType             Text               `yaml:"token_type" enum:"DIRECT,EXCHANGED,BOTH" default:"DIRECT" doc:"Whether clients use its tokens directly, exchange them, or may do both."`
	TokenGeneration       Switch             `yaml:"token_generation" default:"true" doc:"Whether the Developer Portal requests tokens."`
	AppCreation           Switch             `yaml:"app_creation" default:"true" doc:"Whether API-M makes clients there."`
	AppMapping            Switch             `yaml:"map_existing_apps" default:"true" doc:"Whether people may map existing clients."`
	SelfValidation        Switch             `yaml:"self_validation" default:"true" doc:"Whether the gateway checks tokens by their signature."`
	RolesCreation         Switch             `yaml:"roles_creation" alias:"enable_roles_creation" default:"false" doc:"Whether API-M makes missing roles in IS. It needs a user with the rights of an administrator."`
	Permissions           Group[Permissions] `yaml:"permissions" doc:"Who may use the key manager."`
	Username              Text               `yaml:"username" form:"text255" doc:"The user with which API-M calls it."`
	Password              Password           `yaml:"password" doc:"The password of that user."`
	AdditionalProperties  Map                `yaml:"additional_properties" item:"additional property" form:"value" doc:"Further settings of the connector."`
}

// Claim maps a claim of a token to one of API-M.
type Claim struct {
	Remote Text `yaml:"remote" alias:"remote_claim" required:"true" form:"word" doc:"The name in the tokens."`
	Local  Text `yaml:"local" alias:"local_claim" required:"true" form:"word" doc:"The name in API-M."`
}

// Permissions say who may use a key manager.
type Permissions struct {
	Type  Text  `yaml:"type" alias:"permission_type" required:"true" enum:"PUBLIC,ALLOW,DENY" doc:"Everybody, only these roles, or all but these roles."`
	Roles Texts `yaml:"roles" item:"role" form:"role" doc:"The roles."`
}
