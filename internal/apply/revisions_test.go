package apply

import (
	"strings"
	"testing"

	"wso2agent/internal/plan"
)

// TestRoomForARevisionTakesAnAPIOutOfNoOtherEnvironment: each revision is written as the environments in which it is, the oldest one first.
func TestRoomForARevisionTakesAnAPIOutOfNoOtherEnvironment(t *testing.T) {
	in := func(names string) (all []plan.Object) {
		for _, name := range strings.Fields(names) {
			all = append(all, plan.Object{"name": name})
		}
		return all
	}
	for _, tc := range []struct {
		what      string
		revisions []string
		to        string
		spare     bool
		old       string // its number
		ok        bool
	}{
		{"one is not deployed", []string{"A", "", "B"}, "B", true, "1", true},
		{"the new one replaces a later one", []string{"A", "B C", "B"}, "B", true, "2", true},
		{"the new one replaces the oldest one", []string{"A B", "C"}, "A B", true, "0", true},
		{"each is in another environment", []string{"A", "C"}, "B", true, "0", false},
		{"each is in another environment, to which a run deploys later", []string{"A", "C"}, "B", false, "0", true},
	} {
		var revisions []plan.Revision
		for i, names := range tc.revisions {
			revisions = append(revisions, plan.Revision{ID: string(rune('0' + i)), Deployments: in(names)})
		}
		old, ok := surplus(revisions, plan.Rollout{To: in(tc.to), Spare: tc.spare})
		if old.ID != tc.old || ok != tc.ok {
			t.Errorf("%s: revision %s, %t, and should be %s, %t", tc.what, old.ID, ok, tc.old, tc.ok)
		}
	}
}
