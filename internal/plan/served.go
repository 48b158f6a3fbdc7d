package plan

import (
	"slices"
	"time"
)

// Served is what a call of an API through the gateway depends on, as the servers have the API.
type Served struct {
	Operations  []ServedOperation
	Policies    []string // of its subscriptions; none if any valid token will do
	KeyManagers []string // whose tokens it takes; "all" stands for all
	Called      bool     // over HTTPS with an access token in the header Authorization, for production
	Backend     string   // the only address to which the gateway sends calls; empty if there are several
	Deployed    time.Time
}

// ServedOperation is an operation of an API.
type ServedOperation struct {
	Target, Verb string
	Scopes       []string `json:",omitempty"`
	Open         bool     `json:",omitempty"` // it takes calls without a token
}

// ServedOf returns what a call depends on. Deployed is when the youngest deployed revision was made.
func ServedOf(o Object, revisions []Revision) (s Served) {
	for _, op := range objectsAt(o, "operations") {
		s.Operations = append(s.Operations, ServedOperation{textAt(op, "target", ""), textAt(op, "verb", ""), listAt(op, "scopes"), textAt(op, "authType", "") == "None"})
	}
	endpoints, _ := o[configKey].(map[string]any)
	production, sandbox := endpoints["production_endpoints"], endpoints["sandbox_endpoints"]
	if address := addressOf(production); sandbox == nil || addressOf(sandbox) == address {
		s.Backend = address
	}
	s.Policies, s.KeyManagers = listAt(o, "policies"), listAt(o, "keyManagers")
	header := textAt(o, "authorizationHeader", "")
	s.Called = (production != nil || sandbox == nil) && slices.Contains(textsAt(o, "transport"), "https") && slices.Contains(textsAt(o, "securityScheme"), "oauth2") && (header == "" || header == "Authorization")
	for _, r := range revisions {
		if len(r.Deployments) > 0 && r.Created.After(s.Deployed) {
			s.Deployed = r.Created
		}
	}
	return s
}

// addressOf returns the address of an endpoint; "" for a list of them.
func addressOf(endpoint any) string {
	one, _ := endpoint.(map[string]any)
	return textAt(one, "url", "")
}

// listAt returns the texts at a path in the order of the server.
func listAt(o Object, path string) (texts []string) {
	list, _ := at(o, path).([]any)
	for _, item := range list {
		if text, is := item.(string); is {
			texts = append(texts, text)
		}
	}
	return texts
}
