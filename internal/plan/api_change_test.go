package plan

import (
	"slices"
	"strings"
	"testing"
)

func TestTheShortestLegalWayOfTheLifecycle(t *testing.T) {
	for _, tt := range []struct {
		have, want string
		offered    []string
		way        string
		fails      string
	}{
		{"PUBLISHED", "PUBLISHED", nil, "", ""},
		{"CREATED", "PUBLISHED", []string{"Publish", "Deploy as a Prototype"}, "Publish", ""},
		{"CREATED", "RETIRED", nil, "Publish, Deprecate, Retire", ""},
		{"PROTOTYPED", "BLOCKED", nil, "Publish, Block", ""},
		{"BLOCKED", "PUBLISHED", []string{"Deprecate", "Re-Publish"}, "Re-Publish", ""},
		{"BLOCKED", "CREATED", nil, "Re-Publish, Demote to Created", ""},
		{"BLOCKED", "RETIRED", nil, "Deprecate, Retire", ""},
		{"PUBLISHED", "PROTOTYPED", nil, "Deploy as a Prototype", ""},
		{"DEPRECATED", "RETIRED", nil, "Retire", ""},
		{"DEPRECATED", "PUBLISHED", nil, "", "DEPRECATED has no way back"},
		{"RETIRED", "PUBLISHED", nil, "", "can only be deleted"},
		{"CREATED", "PUBLISHED", []string{}, "", "waits for approval"},
		{"CREATED", "PROTOTYPED", []string{"Publish"}, "Publish, Deploy as a Prototype", ""},
		{"BLOCKED", "PUBLISHED", []string{"Deprecate"}, "", "offers only these actions: Deprecate"},
		{"NEW", "PUBLISHED", nil, "", `no state "NEW"`},
	} {
		way, err := Lifecycle(tt.have, tt.want, tt.offered)
		if got := strings.Join(way, ", "); got != tt.way || (err != nil) != (tt.fails != "") || err != nil && !strings.Contains(err.Error(), tt.fails) {
			t.Errorf("%s to %s with %v: %q, %v; want %q, %q", tt.have, tt.want, tt.offered, got, err, tt.way, tt.fails)
		}
	}
}

// TestRecordedStatesOfferTheActionsOfTheTable holds the table against what API-M offered in each state.
func TestRecordedStatesOfferTheActionsOfTheTable(t *testing.T) {
	seen := map[string]bool{}
	for _, x := range apiExchanges(t, "apim-4.5.0-lifecycle.har") {
		if x.method != "GET" || x.status != 200 || !strings.HasSuffix(x.url, "/lifecycle-state") {
			continue
		}
		state := strings.ToUpper(textAt(x.got, "state", ""))
		seen[state] = true
		var offered, known []string
		for _, transition := range objectsAt(x.got, "availableTransitions") {
			offered = append(offered, textAt(transition, "event", ""))
		}
		for _, a := range lifecycle[state] {
			known = append(known, a.name)
		}
		if !slices.Equal(set(offered), set(known)) {
			t.Errorf("%s: API-M offers %v in %s, the table has %v", x.step, offered, state, known)
		}
	}
	for state := range lifecycle {
		if !seen[state] {
			t.Errorf("no recorded step shows what API-M offers in %s", state)
		}
	}
}

func TestASaveOfAnAPIWithLocalScopesEndsTokens(t *testing.T) {
	local := APIBody(apiFile(t, "scopes: [{name: write, local: true, roles: [editor]}, read]"), nil, nil)
	bare := APIBody(apiFile(t, "scopes: [{name: write, local: true}]"), nil, nil)
	shared := APIBody(apiFile(t, "scopes: [read]"), nil, nil)
	for _, tt := range []struct {
		name, file string
		have       Object
		reason     string // empty: no tokens end
	}{
		{"a new API without scopes", "", nil, ""},
		{"a new API with a shared scope", "scopes: [read]", nil, ""},
		{"a new API with a local scope that nobody gets", "scopes: [{name: write, local: true}]", nil, ""},
		{"a new API whose local scope has a role", "scopes: [{name: write, local: true, roles: [editor]}]", nil, "users with the roles editor end"},
		{"another description, a local scope", "description: Text", local, "local scopes (write) again: API-M's applications lose them, and tokens of users with the roles editor end"},
		{"the local scope goes", "scopes: [read]", local, "(write)"},
		{"another role of a local scope", "scopes: [{name: write, local: true, roles: [admin]}]", local, "roles admin, editor"},
		{"another description, a local scope without roles", "description: Text", bare, "API-M's applications lose them"},
		{"another description, a shared scope", "description: Text", shared, ""},
		{"the first local scope", "scopes: [{name: write, local: true, roles: [editor]}]", shared, "(write)"},
	} {
		ends, reason := EndsTokens(apiFile(t, tt.file), tt.have)
		if ends != (tt.reason != "") || !strings.Contains(reason, tt.reason) {
			t.Errorf("%s: %v, %q; want %q", tt.name, ends, reason, tt.reason)
		}
		if strings.Contains(reason, "read") {
			t.Errorf("%s: a shared scope is named: %s", tt.name, reason)
		}
	}
}

func TestFieldsOfThePortalNeedNoRevision(t *testing.T) {
	alone := []string{
		"description", "tags", "categories", "business_information.business_owner", "visibility", "visible_roles", "access_control",
		"access_control_roles", "subscription_availability",
	}
	for _, row := range apiTable {
		twin := slices.Contains(alone, row.path) || strings.HasPrefix(row.path, "business_information.")
		if row.path == "policies" {
			continue
		}
		if got := NeedsRevision([]Difference{{Path: row.path}}); got == twin {
			t.Errorf("%s: a revision is needed: %v", row.path, got)
		}
	}
	policies := func(have ...string) []Difference { return []Difference{{Path: "tags"}, {Path: "policies", Have: have}} }
	if NeedsRevision(nil) || NeedsRevision(policies("Gold")) {
		t.Error("tags and policies need a revision")
	}
	if !NeedsRevision(policies(subscriptionless)) || !NeedsRevision(policies()) {
		t.Error("an API that needed no subscription needs no revision")
	}
	if !NeedsRevision([]Difference{{Path: "tags"}, {Path: "endpoints.production.security.password"}}) {
		t.Error("a new password at the backend needs no revision")
	}
}
