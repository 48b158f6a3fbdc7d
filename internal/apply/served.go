package apply

import (
	"maps"
	"slices"
	"time"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2"
)

// Served is what a call of an API through the gateway depends on, as the servers have the API.
type Served struct {
	Operations  []wso2.Operation
	Policies    []string // of its subscriptions; none if any valid token will do
	KeyManagers []string // whose tokens it takes; "all" stands for all
	Called      bool     // over HTTPS with an access token in the header Authorization, for production
	Backend     string   // the only address to which the gateway sends calls; empty if there are several
	Deployed    time.Time
}

// servedOf returns what a call depends on. Deployed is when the youngest deployed revision was made.
func servedOf(o plan.Object, revisions []plan.Revision) (s Served) {
	list, _ := o["operations"].([]any)
	for _, item := range list {
		op, _ := item.(map[string]any)
		s.Operations = append(s.Operations, wso2.Operation{Target: textOf(op, "target"), Verb: textOf(op, "verb"), Scopes: textsOf(op, "scopes")})
	}
	endpoints, _ := o["endpointConfig"].(map[string]any)
	production, sandbox := endpoints["production_endpoints"], endpoints["sandbox_endpoints"]
	if address := addressOf(production); sandbox == nil || addressOf(sandbox) == address {
		s.Backend = address
	}
	s.Policies, s.KeyManagers = textsOf(o, "policies"), textsOf(o, "keyManagers")
	header := textOf(o, "authorizationHeader")
	s.Called = (production != nil || sandbox == nil) && slices.Contains(textsOf(o, "transport"), "https") && slices.Contains(textsOf(o, "securityScheme"), "oauth2") && (header == "" || header == "Authorization")
	for _, r := range revisions {
		if len(r.Deployments) > 0 && r.Created.After(s.Deployed) {
			s.Deployed = r.Created
		}
	}
	return s
}

// served returns what calls of the APIs of the file depend on, as they are after the round.
func (r *round) served() map[plan.APIName]Served {
	all := map[plan.APIName]Served{}
	for name, api := range r.have.APIs {
		all[name] = servedOf(api.Object, api.Revisions)
	}
	maps.Copy(all, r.saved)
	return all
}

// addressOf returns the address of an endpoint; "" for a list of them.
func addressOf(endpoint any) string {
	one, _ := endpoint.(map[string]any)
	return textOf(one, "url")
}

func textsOf(o plan.Object, key string) (texts []string) {
	list, _ := o[key].([]any)
	for _, item := range list {
		if text, is := item.(string); is {
			texts = append(texts, text)
		}
	}
	return texts
}
