package agent

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
)

func TestWithoutTheRevocationHandlerTheWarningStaysInTheStatusAndInTheLastLine(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	health := p.run()
	p.until("everything is ready", health.Ready)
	c := p.condition(health, revocationCondition)
	if c.OK || !c.Advisory || !strings.Contains(c.Message, verify.StillValid) || !strings.Contains(c.Message, "ARTIFACTS=default") {
		t.Errorf("condition %+v", c)
	}
	p.until("the last line warns", func() bool {
		return strings.Contains(p.log.String(), `level=WARN msg="everything works, but revoked tokens stay valid`) && strings.Contains(p.log.String(), "APIs=1 called=1")
	})
}

func TestOfWhichTokensTheRevocationIsPromised(t *testing.T) {
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
		if got := (Agent{cfg: config.Config{KMName: "WSO2-IS"}}).promises(c.is, c.keyManager); got != c.promised {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestISsAgentSaysThatTheRevocationHandlerIsThere(t *testing.T) {
	p := newPlace(t)
	volume, _ := p.withArtifacts()
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.closing().Handler {
		t.Fatal("it says so without a handler")
	}
	jar := filepath.Join(volume, filepath.Dir(handlerJar), "wso2is.notification.event.handlers-2.1.2.jar") // in another version
	if err := os.MkdirAll(filepath.Dir(jar), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(jar, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if !p.closing().Handler {
		t.Error("it does not say so with one")
	}
}

func TestAnAPIThatDidNotPassIsVerifiedAsAChangedOneUntilItDoes(t *testing.T) {
	v := &verified{failed: map[string]bool{}}
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
	called := v.note([]verify.Check{{API: "a", Called: true, Verdict: verify.Fail}, {API: "b", Verdict: verify.Pass}, {Name: verify.Revocation, Verdict: verify.Warn}})
	if got := changed(); called != 1 || !slices.Equal(got, []string{"a", "c"}) || v.revocation.Verdict != verify.Warn {
		t.Errorf("%d called, changed are %v, %+v", called, got, v.revocation)
	}
	v.note(nil) // a verification that got no token
	if got := changed(); !slices.Equal(got, []string{"a", "c"}) {
		t.Errorf("after one without checks: %v", got)
	}
	v.note([]verify.Check{{API: "a", Called: true, Verdict: verify.Pass}})
	if got := changed(); !slices.Equal(got, []string{"c"}) {
		t.Errorf("after it has passed: %v", got)
	}
}

func TestTheGatewaysWaitIsMadeNextToAPIMOnly(t *testing.T) {
	p := newPlace(t)
	for _, product := range []string{config.IS, config.AM} {
		p.set(product, func(c *config.Config) { c.Settings, c.AMHost = "merge", "wso2am" })
	}
	p.initBoth()
	for product, want := range map[string]bool{config.IS: false, config.AM: true} {
		text, err := os.ReadFile(p.cfg[product].DeploymentTOML())
		if err != nil || strings.Contains(string(text), "event_waiting_time = 100") != want {
			t.Errorf("%s: %v\n%s", product, err, text)
		}
	}
}
