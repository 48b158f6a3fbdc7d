package desired

// Operation is an operation of an API. Target and verb together identify it.
type Operation struct {
	Target           Text  `yaml:"target" alias:"path" required:"true" form:"target" doc:"The path below the context, or the topic."`
	Verb             Text  `yaml:"verb" alias:"method" required:"true" enum:"GET,POST,PUT,DELETE,PATCH,HEAD,OPTIONS,QUERY,MUTATION,SUBSCRIPTION,SUBSCRIBE,PUBLISH" doc:"The verb. GraphQL has QUERY, MUTATION and SUBSCRIPTION, and WS and SSE have SUBSCRIBE and PUBLISH."`
	Description      Text  `yaml:"description" form:"description" doc:"What the operation does."`
	Auth             Text  `yaml:"auth" alias:"auth_type" enum:"Application & Application User=oauth2|required,Application,None" default:"Application & Application User" doc:"Which tokens the gateway accepts. With None it asks for none."`
	ThrottlingPolicy Text  `yaml:"throttling_policy" alias:"throttling_tier" form:"policy" default:"Unlimited" doc:"The policy that limits the calls of the operation."`
	Scopes           Texts `yaml:"scopes" item:"scope" form:"scope" doc:"The scopes that a token needs."`
}

// Scope is a scope of API-M. Its name identifies it.
type Scope struct {
	Name        Text   `yaml:"name" required:"true" form:"scope" doc:"The name, without spaces."`
	DisplayName Text   `yaml:"display_name" form:"text255" doc:"The name that people see."`
	Description Text   `yaml:"description" form:"text512" doc:"What the scope allows."`
	Roles       Texts  `yaml:"roles" alias:"bindings" item:"role" form:"role" doc:"The roles whose users get the scope."`
	Local       Switch `yaml:"local" default:"false" doc:"Whether only this API has the scope. Each save of an API with local scopes revokes tokens."`
}
