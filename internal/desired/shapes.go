package desired

import (
	"cmp"
	"slices"
)

// document is one file in any of the shapes that people have: the native form, and sections of other names that fold into it.
type document struct {
	File
	RestAPIs       List[API]          `yaml:"rest_apis" moves:"true" item:"an API" doc:"REST APIs: entries of apis."`
	GraphQLAPIs    List[API]          `yaml:"graphql_apis" moves:"true" item:"an API" doc:"Entries of apis whose type is GRAPHQL."`
	WebSocketAPIs  List[API]          `yaml:"websocket_apis" moves:"true" item:"an API" doc:"Entries of apis whose type is WS."`
	LLMAPIs        Field[struct{}]    `yaml:"llm_apis" refuse:"the agent does not manage APIs of language models: make them in the Publisher, and remove the section" doc:"The agent refuses this section."`
	Application    Group[Application] `yaml:"application" moves:"true" doc:"The only application: an entry of applications."`
	Subscriptions  List[Subscription] `yaml:"subscriptions" item:"a subscription" short:"api_name" doc:"The subscriptions of the only application."`
	KeyManager     Group[KeyManager]  `yaml:"key_manager" moves:"true" doc:"The only key manager: an entry of key_managers."`
	Defaults       Group[Defaults]    `yaml:"defaults" doc:"Fields of each API of this file that does not have them."`
	GlobalSettings Group[Defaults]    `yaml:"global_settings" doc:"Another name of defaults."`
}

// Defaults are fields for each API of a file that does not have them.
type Defaults struct {
	Visibility               Text                 `yaml:"visibility" moves:"true" enum:"PUBLIC,PRIVATE,RESTRICTED" doc:"Who sees the API in the Developer Portal."`
	SubscriptionAvailability Text                 `yaml:"subscription_availability" moves:"true" enum:"CURRENT_TENANT" doc:"Which tenants may subscribe."`
	Transports               Texts                `yaml:"transport" moves:"true" alias:"transports" item:"transport" enum:"http,https" doc:"The transports at which the gateway serves the API."`
	CORSEnabled              Switch               `yaml:"cors_enabled" moves:"true" doc:"Whether the gateway answers cross-origin requests by itself."`
	CORS                     Group[CORS]          `yaml:"cors" moves:"true" doc:"Cross-origin resource sharing."`
	ResponseCaching          Switch               `yaml:"response_caching" moves:"true" doc:"Whether the gateway caches answers."`
	ThrottlingPolicy         Text                 `yaml:"throttling_tier" moves:"true" alias:"throttling_policy" form:"policy" doc:"The policy that limits all calls of the API."`
	BusinessPlan             Text                 `yaml:"business_plan" moves:"true" form:"subscription_policy" doc:"The only subscription policy that the API offers."`
	Policies                 Texts                `yaml:"throttling_policies" moves:"true" alias:"policies" item:"policy" form:"subscription_policy" doc:"The subscription policies that the API offers."`
	SecuritySchemes          Texts                `yaml:"security_schemes" moves:"true" item:"security scheme" enum:"oauth2,basic_auth,api_key,mutualssl,mutualssl_mandatory,oauth_basic_auth_api_key_mandatory" doc:"How clients authenticate."`
	Environments             List[Environment]    `yaml:"gateway_environments" moves:"true" alias:"environments" item:"an environment" short:"name" doc:"The gateway environments that serve the API."`
	Endpoint                 Group[EndpointTimes] `yaml:"endpoint_config" moves:"true" doc:"Fields of each endpoint that does not have them."`
}

// EndpointTimes are fields for each endpoint that does not have them.
type EndpointTimes struct {
	Timeout    Span   `yaml:"timeout" moves:"true" doc:"How long the gateway waits for an answer."`
	Retries    Number `yaml:"retry_count" moves:"true" alias:"retries" min:"0" max:"100" doc:"How often the gateway calls again before it suspends the backend."`
	RetryDelay Span   `yaml:"retry_delay" moves:"true" doc:"How long the gateway waits before it calls again."`
}

// fold makes one form of a file's shape, except its subscriptions and the tiers of its APIs, which need all files.
func (d *document) fold(problems *Problems) {
	d.section = "apis"
	if d.RestAPIs.Set && !d.APIs.Set {
		d.section = "rest_apis"
	}
	for _, more := range []struct {
		name string
		list List[API]
		kind string
	}{{"rest_apis", d.RestAPIs, ""}, {"graphql_apis", d.GraphQLAPIs, "GRAPHQL"}, {"websocket_apis", d.WebSocketAPIs, "WS"}} {
		for _, api := range more.list.Value {
			d.words[api.At] = more.name
			if more.kind != "" && !api.Value.Type.Set {
				api.Value.Type = Text{Set: true, Value: more.kind, At: api.At}
			}
			d.APIs.Value = append(d.APIs.Value, api)
		}
		d.APIs.Wrong = d.APIs.Wrong || more.list.Wrong
		if more.list.Set && !d.APIs.Set {
			d.APIs.Set, d.APIs.At = true, more.list.At
		}
	}
	d.APIs.Null = d.APIs.Set && len(d.APIs.Value) == 0
	if d.Application.Set && !d.Application.Null {
		prepend(&d.Applications, d.Application)
	}
	if d.KeyManager.Set && !d.KeyManager.Null {
		prepend(&d.KeyManagers, d.KeyManager)
	}
	for i := range d.APIs.Value {
		d.APIs.Value[i].Value.shorts(problems)
		for _, defaults := range []Group[Defaults]{d.Defaults, d.GlobalSettings} {
			if defaults.Set {
				defaults.Value.apply(&d.APIs.Value[i].Value)
			}
		}
	}
}

func prepend[T any](list *List[T], one Field[T]) {
	if !list.Set {
		list.Set, list.At = true, one.At
	}
	list.Null = false
	list.Value = slices.Insert(list.Value, 0, one)
}

// shorts turns the short fields of an API into the ones that they are short for.
func (a *API) shorts(problems *Problems) {
	for _, s := range []struct {
		name string
		from *Text
		to   func() *Group[Endpoint]
	}{
		{"backend_url", &a.BackendURL, func() *Group[Endpoint] { return &a.Endpoints.Value.Production }},
		{"sandbox_url", &a.SandboxURL, func() *Group[Endpoint] { return &a.Endpoints.Value.Sandbox }},
	} {
		url := *s.from
		*s.from = Text{}
		switch endpoint := s.to(); {
		case !url.Set:
		case endpoint.Set:
			problems.Add(url.At, "keep one of them", "%s and the same backend in endpoints (%s) exclude each other", s.name, endpoint.At)
		case url.Null:
			*endpoint = Group[Endpoint]{Set: true, Null: true, At: url.At}
		default:
			*endpoint = Group[Endpoint]{Set: true, At: url.At, Value: Endpoint{URL: url}}
		}
		if url.Set && !a.Endpoints.Set {
			a.Endpoints.Set, a.Endpoints.At = true, url.At
		}
	}
	if a.Timeout.Set {
		a.times(EndpointTimes{Timeout: a.Timeout})
		if !a.Endpoints.Set {
			problems.Add(a.Timeout.At, "add backend_url", "timeout is for a backend, and the API has none")
		}
		a.Timeout = Span{}
	}
}

// times gives each endpoint of an API the fields that it does not have.
func (a *API) times(t EndpointTimes) {
	for _, e := range []*Group[Endpoint]{&a.Endpoints.Value.Production, &a.Endpoints.Value.Sandbox} {
		if e.Set && !e.Null {
			fill(&e.Value.Timeout, t.Timeout)
			fill(&e.Value.Retries, t.Retries)
			fill(&e.Value.RetryDelay, t.RetryDelay)
		}
	}
}

// fill sets a field that is left out.
func fill[T any](field *Field[T], with Field[T]) {
	if !field.Set {
		*field = with
	}
}

// apply gives an API the fields that it does not have.
func (d Defaults) apply(a *API) {
	fill(&a.Visibility, d.Visibility)
	fill(&a.SubscriptionAvailability, d.SubscriptionAvailability)
	if a.Type.Or("HTTP") != "WS" { // which has no transports
		fill(&a.Transports, d.Transports)
	}
	fill(&a.CORS, d.CORS)
	if d.CORSEnabled.Set {
		fill(&a.CORS, Group[CORS]{Set: true, At: d.CORSEnabled.At})
		fill(&a.CORS.Value.Enabled, d.CORSEnabled)
	}
	if d.ResponseCaching.Set {
		fill(&a.ResponseCaching, Group[Caching]{Set: true, At: d.ResponseCaching.At, Value: Caching{Enabled: d.ResponseCaching}})
	}
	fill(&a.ThrottlingPolicy, d.ThrottlingPolicy)
	fill(&a.Policies, d.Policies)
	fill(&a.Policies, one(d.BusinessPlan))
	fill(&a.SecuritySchemes, d.SecuritySchemes)
	fill(&a.Environments, d.Environments)
	a.times(d.Endpoint.Value)
}

// one is a list of one text, or no list if there is no text.
func one(t Text) Texts {
	if !t.Set {
		return Texts{}
	}
	return Texts{Set: true, Null: t.Null, At: t.At, Value: []Text{t}}
}

// subscribe gives the only application the subscriptions of the file's own section.
func (f *File) subscribe(list List[Subscription], problems *Problems) {
	if !list.Set {
		return
	}
	switch apps := f.Applications.Value; {
	case len(apps) == 0 && f.partial: // the application may be in the other file
	case len(apps) == 0:
		problems.Add(f.begin, "", "section application is missing")
	case len(apps) > 1:
		problems.Add(list.At, "move them into the entries of applications", "subscriptions does not say which of the %d applications subscribes", len(apps))
	case apps[0].Value.Subscriptions.Set:
		problems.Add(list.At, "keep one of the lists", "the only application has subscriptions too (%s)", apps[0].Value.Subscriptions.At)
	default:
		apps[0].Value.Subscriptions = list
	}
}

// tiers turns the subscription_tier of APIs into the policy of the only application's subscription. If the file lists no subscriptions
// at all, the application subscribes to each API with a tier. If no subscription can have the tier, it is the one that the API offers.
func (f *File) tiers(problems *Problems) {
	var list *List[Subscription] // of the only application
	positions := map[string]int{}
	listed := len(f.Applications.Value) != 1
	if !listed {
		list = &f.Applications.Value[0].Value.Subscriptions
		listed = list.Set
		for i, s := range slices.Backward(list.Value) { // the first one of a name stays
			positions[s.Value.APIName.Value] = i
		}
	}
	for i := range f.APIs.Value {
		api := &f.APIs.Value[i].Value
		tier := api.SubscriptionTier
		api.SubscriptionTier = Text{}
		if !tier.Set || tier.Null {
			continue
		}
		position, found := positions[api.Name.Value]
		if !found && listed {
			fill(&api.Policies, one(tier))
			continue
		}
		if !found {
			list.Set, list.At = true, cmp.Or(list.At, tier.At)
			positions[api.Name.Value] = len(list.Value)
			list.Value = append(list.Value, Field[Subscription]{Set: true, At: tier.At, Value: Subscription{APIName: api.Name, ThrottlingPolicy: tier}})
			continue
		}
		policy := &list.Value[position].Value.ThrottlingPolicy
		fill(policy, tier)
		if policy.Value != tier.Value && !policy.Wrong && !tier.Wrong {
			problems.Add(tier.At, "keep one of them", "subscription_tier is %s, and the subscription to the API has the policy %s (%s)",
				tier.Shown(), policy.Shown(), policy.At)
		}
	}
}
