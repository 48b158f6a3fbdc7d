package server

import (
	"fmt"
	"strings"
	"testing"

	"wso2agent/internal/deployment"
)

func TestAllScopesGoesOnlyWhenItMay(t *testing.T) {
	const earlier = "[server]\nhostname = \"wso2is\"\n\n[oauth]\nauthorize_all_scopes = true\n"
	ours := Record{AllScopesSetting: {Text: "true", Path: "oauth\nauthorize_all_scopes"}} // as an earlier agent wrote it
	tests := []struct {
		name           string
		record         Record
		keep, override bool
		all            bool
		value          string
		action         Action
	}{
		{"what the agent wrote stays for now", ours, true, false, false, "true", Waits},
		{"and goes later", ours, false, false, false, "false", Replaced},
		{"a person's own stays", nil, false, false, false, "true", Kept},
		{"a person's own stays for now, too", nil, true, false, false, "true", Kept},
		{"a person's own that is overridden stays for now", nil, true, true, false, "true", Waits},
		{"and goes later, too", nil, false, true, false, "false", Replaced},
		{"it stays where it is wanted", ours, true, false, true, "true", ""},
		{"a person's own that is wanted is nobody's matter", nil, true, false, true, "true", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := isNeeds()
			n.KeepAllScopes, n.AllScopes = tt.keep, tt.all
			text, changes, record, err := n.Merge([]byte(earlier), tt.record, tt.override)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(string(text), "authorize_all_scopes = "+tt.value+"\n") {
				t.Errorf("want %s:\n%s", tt.value, text)
			}
			var action Action
			for _, c := range changes {
				if c.Setting == AllScopesSetting {
					action = c.Action
				}
			}
			if action != tt.action {
				t.Errorf("action %q, want %q", action, tt.action)
			}
			if tt.action == Waits && record[AllScopesSetting].Text != "true" {
				t.Errorf("the agent does not know that it is to go: %v", record)
			}
			again, _, _, err := n.Merge(text, record, tt.override)
			if err != nil || string(again) != string(text) {
				t.Errorf("a second merge changes it: %v\n%s", err, again)
			}
		})
	}
}

func TestAFreshFileSaysNothingOfAllScopes(t *testing.T) {
	text, _, _ := merge(t, isNeeds(), "[server]\nhostname = \"wso2is\"\n", nil)
	if strings.Contains(text, "authorize_all_scopes") {
		t.Error(text)
	}
}

func TestTheEntryForSCIM11StandsBeforeEveryOther(t *testing.T) {
	const others = "[[resource.access_control]] # ours\ncontext = \"(.*)\"\nhttp_method = \"GET\"\nsecure = false\n\n[[resource.access_control]]\ncontext = \"/b\"\nhttp_method = \"all\"\n"
	first, _, record := merge(t, isNeeds(), others, nil)
	moved := strings.Replace(first, others, "", 1)
	if moved == first {
		t.Fatalf("somebody's entries are not as they were:\n%s", first)
	}
	behind := others + "\n" + moved // somebody puts theirs before it
	for name, text := range map[string]string{"new": first, "behind others": behind, "behind others, by somebody without a record": behind} {
		after, _, next := merge(t, isNeeds(), text, record)
		doc, err := deployment.Parse([]byte(after))
		if err != nil {
			t.Fatal(err)
		}
		elements, err := doc.Elements("resource", "access_control")
		if err != nil || len(elements) != 4 {
			t.Fatalf("%s: %d entries, %v\n%s", name, len(elements), err, after)
		}
		var contexts []string
		for _, e := range elements {
			v, _ := e.Get("context")
			contexts = append(contexts, fmt.Sprint(v.Data))
		}
		if contexts[0] != "(.*)/wso2/scim(.*)" {
			t.Errorf("%s: %q", name, contexts)
		}
		if again, changes, _ := merge(t, isNeeds(), after, next); again != after || len(changes) > 0 {
			t.Errorf("%s: a second merge changes %v", name, changes)
		}
	}
}
