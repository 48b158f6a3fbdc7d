package verify

import (
	"slices"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/trust"
)

func TestOfWhichTokensTheGatewayMustKnowTheRevocation(t *testing.T) {
	for name, c := range map[string]struct {
		is         trust.Closing
		keyManager string
		promised   bool
	}{
		"IS runs with the handler":             {trust.Closing{Handler: true}, "WSO2-IS", true},
		"nobody can tell since when IS runs":   {trust.Closing{Handler: true, Restart: trust.RestartByHand}, "WSO2-IS", true},
		"the handler came late":                {trust.Closing{Handler: true, Restart: trust.RestartDue}, "WSO2-IS", false},
		"the keys are those of another server": {trust.Closing{Handler: true}, "Keycloak", false},
		"there is none":                        {trust.Closing{}, "WSO2-IS", false},
	} {
		if got := promised(c.is, c.keyManager == "WSO2-IS"); got != c.promised {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestAnAPIThatDidNotPassCountsAsChangedUntilItPasses(t *testing.T) {
	v := &Memory{}
	changed := func() (ids []string) {
		apis := []bootstrap.PublishedAPI{{ID: "a"}, {ID: "b"}, {ID: "c", Changed: true}}
		v.recall(apis)
		for _, api := range apis {
			if api.Changed {
				ids = append(ids, api.ID)
			}
		}
		return ids
	}
	called := v.note([]Check{{API: "a", Called: true, Verdict: Fail}, {API: "b", Verdict: Pass}, {Name: Revocation, Verdict: Warn}})
	if got := changed(); called != 1 || !slices.Equal(got, []string{"a", "c"}) || v.revocation.Verdict != Warn {
		t.Errorf("%d called, changed are %v, %+v", called, got, v.revocation)
	}
	v.note(nil) // a verification that got no token
	if got := changed(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("after one without checks: %v", got)
	}
	v.note([]Check{{API: "a", Called: true, Verdict: Pass}})
	if got := changed(); !slices.Equal(got, []string{"c"}) {
		t.Errorf("after it has passed: %v", got)
	}
}
