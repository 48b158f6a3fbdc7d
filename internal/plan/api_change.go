package plan

import (
	"fmt"
	"slices"
	"strings"

	"wso2agent/internal/desired"
)

// EndsTokens reports whether to save an API ends tokens, and why. A save makes every local scope of the API again, also an unchanged
// one. Then no application is authorized for it any more, and tokens of users end who have a role that is bound to it. have is nil for
// a creation. Shared scopes keep both. The caller asks only if it saves the API: a deployment or a lifecycle change ends nothing.
func EndsTokens(want desired.API, have Object) (ends bool, reason string) {
	before := apiScopesOf(have)
	after := apiScopesOf(APIBody(want, have, nil))
	var names, roles []string
	for _, scopes := range []map[string]any{before, after} {
		for name, s := range scopes {
			if local, is := s.(map[string]any); is {
				names, roles = append(names, name), append(roles, local["roles"].([]string)...)
			}
		}
	}
	names, roles = set(names), set(roles)
	switch {
	case len(names) == 0, have == nil && len(roles) == 0:
		return false, ""
	case len(roles) == 0:
		return true, fmt.Sprintf("saving the API makes its local scopes (%s) again, so API-M's applications lose them", strings.Join(names, ", "))
	}
	return true, fmt.Sprintf("saving the API makes its local scopes (%s) again: API-M's applications lose them, and tokens of users with the roles %s end",
		strings.Join(names, ", "), strings.Join(roles, ", "))
}

// Fields of which the gateway knows nothing, by path or by the first part of it. The rest reaches the gateway only with a new revision.
var portalAlone = []string{
	"description", "tags", "categories", "business_information", "visibility", "visible_roles", "access_control", "access_control_roles",
	"subscription_availability", "documents", "endpoint_certificates",
}

// NeedsRevision reports whether differences of an API reach the gateway only with a new revision. Subscription policies do only if the
// API needed no subscription before.
func NeedsRevision(differences []Difference) bool {
	return slices.ContainsFunc(differences, func(d Difference) bool {
		group, _, _ := strings.Cut(d.Path, ".")
		if d.Path == "policies" {
			has, _ := d.Have.([]string)
			return len(has) == 0 || slices.Contains(has, subscriptionless)
		}
		return !slices.Contains(portalAlone, group)
	})
}

// action is a step of the lifecycle of an API.
type action struct{ name, state string }

// lifecycle has the actions that API-M allows in each state.
var lifecycle = map[string][]action{
	"CREATED":    {{"Publish", "PUBLISHED"}, {"Deploy as a Prototype", "PROTOTYPED"}},
	"PROTOTYPED": {{"Publish", "PUBLISHED"}, {"Demote to Created", "CREATED"}},
	"PUBLISHED": {
		{"Block", "BLOCKED"}, {"Deploy as a Prototype", "PROTOTYPED"}, {"Demote to Created", "CREATED"}, {"Deprecate", "DEPRECATED"},
	},
	"BLOCKED":    {{"Re-Publish", "PUBLISHED"}, {"Deprecate", "DEPRECATED"}},
	"DEPRECATED": {{"Retire", "RETIRED"}},
	"RETIRED":    nil,
}

// Lifecycle returns the shortest legal way of actions from one state to another. transitions has the actions that the server offers
// now; the first action is one of them. Without transitions the table of API-M counts.
func Lifecycle(have, want string, transitions []string) ([]string, error) {
	for _, state := range []string{have, want} {
		if _, known := lifecycle[state]; !known {
			return nil, fmt.Errorf("change the lifecycle from %s to %s: API-M has no state %q", have, want, state)
		}
	}
	type way struct {
		state   string
		actions []string
	}
	seen := map[string]bool{have: true}
	for ways := []way{{state: have}}; len(ways) > 0; ways = ways[1:] {
		w := ways[0]
		if w.state == want {
			return w.actions, nil
		}
		for _, a := range lifecycle[w.state] {
			offered := len(w.actions) > 0 || transitions == nil || slices.Contains(transitions, a.name)
			if offered && !seen[a.state] {
				seen[a.state] = true
				ways = append(ways, way{a.state, append(slices.Clone(w.actions), a.name)})
			}
		}
	}
	why := fmt.Sprintf("%s has no way back", have)
	switch {
	case have == "RETIRED":
		why = "a retired API can only be deleted"
	case have != "DEPRECATED":
		why = fmt.Sprintf("the server offers only these actions: %s", strings.Join(transitions, ", "))
		if len(transitions) == 0 {
			why = "the server offers no action, perhaps because a change waits for approval"
		}
	}
	return nil, fmt.Errorf("change the lifecycle from %s to %s: %s", have, want, why)
}
