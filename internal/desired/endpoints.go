package desired

// Endpoints are the backends of an API.
type Endpoints struct {
	Type       Text            `yaml:"type" enum:"http,address,load_balance,failover,default,ws" doc:"The kind of endpoint. It defaults to http, to ws for a WS API, and to load_balance for several urls."`
	Production Group[Endpoint] `yaml:"production" doc:"The backend for production keys."`
	Sandbox    Group[Endpoint] `yaml:"sandbox" doc:"The backend for sandbox keys."`
	Sessions   Text            `yaml:"session_management" enum:"transport,soap,simpleClientSession" doc:"What keeps the calls of a client at one backend of load_balance."`
}

// Endpoint is a backend for one kind of keys.
type Endpoint struct {
	URL           Text                `yaml:"url" form:"backend" doc:"The address of the backend."`
	URLs          Texts               `yaml:"urls" item:"url" form:"backend" doc:"The addresses for load_balance; for failover the first one, then those that replace it."`
	Security      Group[EndpointAuth] `yaml:"security" doc:"How the gateway authenticates at the backend."`
	Timeout       Span                `yaml:"timeout" doc:"How long the gateway waits for an answer."`
	TimeoutAction Text                `yaml:"timeout_action" enum:"fault,discard" doc:"What the gateway does after the timeout."`
	Retries       Number              `yaml:"retries" alias:"retry_count" min:"0" max:"100" doc:"How often the gateway calls again before it suspends the backend."`
	RetryDelay    Span                `yaml:"retry_delay" doc:"How long the gateway waits before it calls again."`
	RetryCodes    List[int]           `yaml:"retry_codes" item:"retry code" min:"100000" max:"999999" doc:"The error codes of the gateway after which it calls again."`
	Suspend       Group[Suspension]   `yaml:"suspend" doc:"How long a backend that fails gets no calls."`
}

// Suspension says how long a backend that fails gets no calls.
type Suspension struct {
	Codes   List[int] `yaml:"codes" item:"suspend code" min:"100000" max:"999999" doc:"The error codes of the gateway that suspend the backend."`
	Initial Span      `yaml:"initial" doc:"The first time."`
	Maximum Span      `yaml:"maximum" doc:"The longest time."`
	Factor  Number    `yaml:"factor" min:"1" max:"100" doc:"By what each further time is longer."`
}

// EndpointAuth says how the gateway authenticates at a backend.
type EndpointAuth struct {
	Type         Text     `yaml:"type" required:"true" enum:"BASIC,OAUTH=token|oauth2,APIKEY=api_key" doc:"The kind of authentication."`
	Username     Text     `yaml:"username" form:"text255" doc:"The user, for BASIC."`
	Password     Password `yaml:"password" doc:"The password, for BASIC."`
	TokenURL     Text     `yaml:"token_url" form:"url" doc:"The token endpoint, for OAUTH."`
	GrantType    Text     `yaml:"grant_type" enum:"CLIENT_CREDENTIALS,PASSWORD" default:"CLIENT_CREDENTIALS" doc:"The grant type, for OAUTH. PASSWORD also needs username and password."`
	ClientID     Text     `yaml:"client_id" form:"text255" doc:"The client, for OAUTH."`
	ClientSecret Password `yaml:"client_secret" doc:"The secret of the client, for OAUTH."`
	KeyName      Text     `yaml:"key_name" form:"word" doc:"The name of the header or parameter, for APIKEY."`
	KeyValue     Password `yaml:"key_value" doc:"The API key, for APIKEY."`
	KeyIn        Text     `yaml:"key_in" enum:"HEADER,QUERY_PARAMETER=query" default:"HEADER" doc:"Where the API key goes, for APIKEY."`
}
