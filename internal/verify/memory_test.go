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
	v.note([]Check{{API: "a", Verdict: Fail}, {API: "b", Verdict: Pass}})
	if got := changed(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("changed are %v", got)
	}
	v.note([]Check{{API: "a", Verdict: Skip}}) // it was not called, because the gateway does not have it
	if got := changed(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("after one that was skipped: %v", got)
	}
	v.note(nil) // a verification that got no token
	if got := changed(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("after one without checks: %v", got)
	}
	v.note([]Check{{API: "a", Verdict: Pass}})
	if got := changed(); !slices.Equal(got, []string{"c"}) {
		t.Errorf("after it has passed: %v", got)
	}
}

// What a revoked token shows says more than whether the handler is there.
func TestWhatIsKnownOfRevokedTokens(t *testing.T) {
	handler := func(v Verdict) Check { return Check{ID: isHandler, Verdict: v, Name: "handler", Evidence: "seen"} }
	revoked := func(v Verdict) Check {
		return Check{ID: revokedRefused, Verdict: v, Name: "refused", Evidence: "tried"}
	}
	for name, c := range map[string]struct {
		checks  []Check
		ok      bool
		message string
	}{
		"read-only":                     {[]Check{handler(Pass)}, true, "handler"},
		"read-only, without handler":    {[]Check{handler(Warn)}, false, "seen; "},
		"nobody knows":                  {[]Check{handler(Skip)}, true, "not verified"},
		"a token was revoked":           {[]Check{handler(Skip), revoked(Pass)}, true, "refused"},
		"the handler does not work":     {[]Check{handler(Pass), revoked(Fail)}, false, "tried; "},
		"no token could be revoked":     {[]Check{handler(Warn), revoked(Skip)}, false, "seen; "},
		"nothing was verified so far":   {nil, true, "not verified"},
		"no handler, and it is missing": {[]Check{handler(Warn), revoked(Warn)}, false, "tried; "},
	} {
		m := &Memory{}
		m.note(c.checks)
		if ok, message := m.Revoked(); ok != c.ok || message != c.message {
			t.Errorf("%s: %v, %q", name, ok, message)
		}
	}
}
