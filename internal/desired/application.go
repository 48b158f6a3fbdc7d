package desired

// Application is an application of API-M that calls APIs. Its name identifies it.
type Application struct {
	Name             Text               `yaml:"name" required:"true" form:"application" doc:"The name."`
	Description      Text               `yaml:"description" form:"text512" doc:"What the application is for."`
	ThrottlingPolicy Text               `yaml:"throttling_policy" alias:"throttling_tier" form:"policy" default:"Unlimited" doc:"The application policy."`
	TokenType        Text               `yaml:"token_type" enum:"JWT" default:"JWT" doc:"The kind of tokens. API-M stores only JWT."`
	Attributes       Map                `yaml:"attributes" item:"attribute" form:"value" doc:"Attributes that the configuration of API-M declares."`
	Groups           Texts              `yaml:"groups" item:"group" form:"text255" doc:"The groups that share the application."`
	Subscriptions    List[Subscription] `yaml:"subscriptions" alias:"subscribed_apis" item:"a subscription" short:"api_name" doc:"The APIs that the application may call."`
	Keys             List[Key]          `yaml:"keys" item:"a key" doc:"The keys, one entry for each type and key manager."`
}

// Subscription lets an application call all versions of an API.
type Subscription struct {
	APIName          Text `yaml:"api_name" alias:"api" required:"true" form:"name" doc:"The name of the API."`
	ThrottlingPolicy Text `yaml:"throttling_policy" alias:"throttling_tier,subscription_tier,tier" form:"subscription_policy" default:"Unlimited" doc:"The subscription policy."`
}

// Key is an OAuth client of an application. Type and key manager together identify it.
type Key struct {
	Type                Text     `yaml:"type" required:"true" enum:"PRODUCTION,SANDBOX" doc:"Which endpoints the key reaches."`
	KeyManager          Text     `yaml:"key_manager" form:"key_manager" doc:"The key manager. It defaults to the one that the agent registers."`
	GrantTypes          Texts    `yaml:"grant_types" item:"grant type" form:"grant" doc:"The grant types that the client may use."`
	Callbacks           Texts    `yaml:"callbacks" alias:"callback_urls" item:"callback" form:"callback" doc:"The addresses to which the authorization server may redirect."`
	ApplicationLifetime Number   `yaml:"application_token_lifetime" min:"1" max:"2147483647" doc:"How many seconds a token of the application is valid."`
	UserLifetime        Number   `yaml:"user_token_lifetime" min:"1" max:"2147483647" doc:"How many seconds a token of a user is valid."`
	RefreshLifetime     Number   `yaml:"refresh_token_lifetime" min:"1" max:"2147483647" doc:"How many seconds a refresh token is valid."`
	IDLifetime          Number   `yaml:"id_token_lifetime" min:"1" max:"2147483647" doc:"How many seconds an ID token is valid."`
	PKCE                Switch   `yaml:"pkce_mandatory" default:"false" doc:"Whether the client must use PKCE."`
	PKCEPlain           Switch   `yaml:"pkce_plain" default:"false" doc:"Whether PKCE may use the method plain."`
	PublicClient        Switch   `yaml:"public_client" default:"false" doc:"Whether the client needs no secret."`
	ClientID            Text     `yaml:"client_id" form:"text255" doc:"An existing client that the application is to use."`
	ClientSecret        Password `yaml:"client_secret" doc:"The secret of the existing client."`
}
