package actual

import (
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/plan"
	"wso2agent/internal/wso2sim"
)

// TestAPlanSaysThatAKeyMayExist: API-M does not show a key while IS answers it with errors.
func TestAPlanSaysThatAKeyMayExist(t *testing.T) {
	s := start(t, nil)
	keys := func(types string) plan.Wanted {
		return s.read("applications: [{name: Shop, keys: ["+types+"]}, {name: Other, keys: [{type: SANDBOX}]}]", t.TempDir())
	}
	s.create(s.read("applications: [{name: Shop, keys: [{type: PRODUCTION}]}]", t.TempDir()))
	want := keys("{type: PRODUCTION}, {type: SANDBOX}, {type: PRODUCTION, key_manager: Resident Key Manager}")
	marked := func() (all []string) {
		t.Helper()
		c, have := Connect(s.client, s.settings), s.have(want)
		changes, _ := plan.Make(want, have)
		hidden := MarkHidden(t.Context(), c, want, have, changes)
		for _, change := range changes {
			if change.Kind != plan.KindKey {
				continue
			}
			all = append(all, string(change.Action)+" "+change.Name+" of "+change.Of)
		}
		if marks := strings.Contains(strings.Join(all, "\n"), "unsure "); marks != hidden {
			t.Errorf("a key may exist: %t, and the changes are %q", hidden, all)
		}
		return all
	}
	expect := func(what string, asked int, lines ...string) {
		t.Helper()
		s.isRequests.Reset()
		defer func() {
			t.Helper()
			if n := s.isRequests.Counts()["GET /api/identity/oauth2/dcr/v1.1/register"]; n != asked {
				t.Errorf("%s: IS was asked for %d clients by name, not %d: %v", what, n, asked, s.isRequests.Counts())
			}
			if n := s.isRequests.Counts()["POST /oauth2/token"]; n > 0 {
				t.Errorf("%s: IS was asked for a token", what)
			}
		}()
		if got := marked(); !slices.Equal(got, lines) {
			t.Errorf("%s: the plan is\n  %s\nand should be\n  %s", what, strings.Join(got, "\n  "), strings.Join(lines, "\n  "))
		}
	}
	sandbox, resident := "create sandbox of key manager WSO2-IS of application Shop", "create production of key manager Resident Key Manager of application Shop"
	other := "create sandbox of key manager WSO2-IS of application Other"
	expect("API-M shows the key", 1, sandbox, resident, other)
	_, err := s.isFaults.Add(wso2sim.Fault{Kind: wso2sim.FaultStatus, Status: 503, Method: "GET", Path: "/api/identity/oauth2/dcr/v1.1/register/*"})
	must(t, err)
	hidden := " production of key manager WSO2-IS of application Shop"
	expect("API-M hides the key", 2, "unsure"+hidden, sandbox, resident, other)
	s.settings.ISCredentials = reading(s.settings.ISURL, "IS", "unknown", "x", RightsFor(want).IS)
	expect("the agent may not ask IS", 0, "create"+hidden, sandbox, resident, other)
}
