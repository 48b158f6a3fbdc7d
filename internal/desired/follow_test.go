package desired

import (
	"errors"
	"strings"
	"testing"
)

// TestAMistakeIsReportedWithoutWhatFollowsFromIt has files with one mistake of which others would follow.
func TestAMistakeIsReportedWithoutWhatFollowsFromIt(t *testing.T) {
	const subscribed = "applications: [{name: App, subscriptions: [Orders]}]\n"
	unnamed := strings.Replace(api(""), "Orders", "${X}", 1)
	for _, c := range []struct {
		name  string
		files []string
		want  string // a part of the only mistake
	}{
		{"a file that is no YAML may have the application", []string{api(""), "subscriptions: [Orders]\n", "applications: [\n"}, "f3:1:"},
		{"a file that is no YAML may have the API", []string{"apis: [\n", subscribed}, "f1:1:"},
		{"a file that is no YAML may have the scope", []string{api("operations: [{target: /a, verb: GET, scopes: [read]}]"), "scopes: {\n"}, "f2:1:"},
		{"an empty file", []string{"", subscribed}, "f1:1:1: it is empty"},
		{"the name of an API", []string{unnamed + subscribed}, `name "${X}" needs`},
		{"the name of a scope", []string{api("scopes: ['${X}']\noperations: [{target: /a, verb: GET, scopes: [read]}]")}, `name "${X}" needs`},
		{"the name of a shared scope", []string{api("operations: [{target: /a, verb: GET, scopes: [read]}]") + "scopes: [{name: '${X}'}]\n"}, `name "${X}" needs`},
		{"whether a scope is local", []string{api("scopes: [{name: a, local: '${X}'}]") + "  - {name: B, version: '1', context: /b, backend_url: 'http://b', scopes: [{name: a, local: true}]}\n"}, `local "${X}" needs`},
		{"the type of an API", []string{api("type: ${X}\nopenapi: o.yaml\nschema: s.graphql")}, `type "${X}" needs`},
		{"the type of an API with operations", []string{bare("type: ${X}\nendpoints: {production: {url: 'ws://a'}}\noperations: [{target: a, verb: SUBSCRIBE}]")}, `type "${X}" needs`},
		{"the state of an API", []string{bare("lifecycle: ${X}")}, `lifecycle "${X}" needs`},
		{"a schema", []string{api("type: GRAPHQL\nschema: ${X}")}, `schema "${X}" needs`},
		{"visibility", []string{api("visibility: ${X}\nvisible_roles: [a]")}, `visibility "${X}" needs`},
		{"roles that are no list", []string{api("visibility: RESTRICTED\nvisible_roles: a")}, "visible_roles must be a list"},
		{"policies that are no list", []string{api("policies: Gold") + subscribed}, "policies must be a list"},
		{"a policy that is offered", []string{api("policies: ['${X}']") + subscribed}, `policy "${X}" needs`},
		{"a policy of a subscription", []string{api("policies: [Gold]") + "applications: [{name: App, subscriptions: [{api: Orders, tier: '${X}'}]}]\n"}, `tier "${X}" needs`},
		{"a tier", []string{api("subscription_tier: ${X}") + "applications: [{name: App, subscriptions: [{api: Orders, tier: Gold}]}]\n"}, `subscription_tier "${X}" needs`},
		{"whether the cache is on", []string{api("response_caching: {enabled: '${X}', timeout: 3}")}, `enabled "${X}" needs`},
		{"whether CORS is on", []string{api("cors: {enabled: '${X}', allow_origins: ['*']}")}, `enabled "${X}" needs`},
		{"the type of a document", []string{api("documents: [{name: D, summary: s, content: x, type: '${X}', other_type: y}]")}, `type "${X}" needs`},
		{"the other type of a document", []string{api("documents: [{name: D, summary: s, content: x, type: OTHER, other_type: '${X}'}]")}, `other_type "${X}" needs`},
		{"the type of endpoints", []string{bare("endpoints: {type: '${X}', production: {urls: ['http://a']}}")}, `type "${X}" needs`},
		{"endpoints that are no mapping", []string{bare("endpoints: x")}, "endpoints must be a mapping"},
		{"urls that are no list", []string{bare("endpoints: {type: failover, production: {urls: 'http://a'}}")}, "urls must be a list"},
		{"the longest suspension", []string{bare("endpoints: {production: {url: 'http://o', suspend: {initial: 2s, maximum: '${X}'}}}")}, `maximum "${X}" needs`},
		{"a grant type of a backend", []string{bare(security + "{type: OAUTH, grant_type: '${X}', token_url: 'http://t', client_id: c, client_secret: s, username: u, password: p}")}, `grant_type "${X}" needs`},
		{"callbacks that are no list", []string{key("grant_types: [implicit]\ncallbacks: x")}, "callbacks must be a list"},
		{"the type of a key manager", []string{km("type: ${X}")}, `type "${X}" needs`},
		{"the roles of permissions", []string{km("permissions: {type: DENY, roles: x}")}, "roles must be a list"},
		{"APIs that are no list", []string{"apis: {name: Orders}\n" + subscribed}, "apis must be a list"},
		{"REST APIs that are no list", []string{"rest_apis: {name: Orders}\n" + subscribed}, "rest_apis must be a list"},
		{"an API that is a text", []string{"apis: [Orders]\n" + subscribed}, "an API must be a mapping"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parse(c.files...)
			var problems Problems
			if !errors.As(err, &problems) || len(problems) != 1 || !strings.Contains(problems[0].String(), c.want) {
				t.Errorf("got %v, want only %q", err, c.want)
			}
		})
	}
}
