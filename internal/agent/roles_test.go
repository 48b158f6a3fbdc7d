package agent

import (
	"context"
	"slices"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/wso2"
)

// clients returns clients with which a test reads and changes both servers by hand.
func (p *place) clients() bootstrap.Servers {
	p.t.Helper()
	a := p.agent(config.AM)
	s := a.servers()
	hc, err := s.connect(a.cfg)
	if err != nil {
		p.t.Fatal(err)
	}
	return bootstrap.Connect(hc, bootstrap.SettingsOf(a.cfg, a.accounts))
}

// withScope gives the only API a local scope for the role Internal/creator, as a save in the Publisher does. API-M then makes the scope in
// IS again, without its roles.
func (p *place) withScope(name string) {
	p.t.Helper()
	api := p.api()
	api.Fields["scopes"] = []map[string]any{{"shared": false, "scope": map[string]any{"name": name, "displayName": name, "description": "d", "bindings": []string{"Internal/creator"}}}}
	api.Fields["operations"].([]any)[0].(map[string]any)["scopes"] = []string{name}
	if _, err := p.publisher().UpdateAPIObject(p.t.Context(), api.ID, api.Fields); err != nil {
		p.t.Fatal(err)
	}
}

// hasScope reports whether the role creator of IS has a scope.
func (p *place) hasScope(name string) bool {
	p.t.Helper()
	list, err := p.clients().SCIM.List(p.t.Context(), wso2.SCIMRoles)
	if err != nil {
		p.t.Fatal(err)
	}
	return slices.ContainsFunc(list, func(role wso2.Object) bool {
		permissions, _ := role.Fields["permissions"].([]any)
		return role.Name == "creator" && slices.ContainsFunc(permissions, func(permission any) bool { return permission.(map[string]any)["value"] == name })
	})
}

func TestARunningAgentBindsRolesAgainAfterASaveByHand(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	if at := p.agent(config.AM).cfg.Scopes.At; at != config.IS {
		t.Fatalf("without a setting, SCOPES_AT is %s", at)
	}
	am, is := p.agent(config.AM), p.agent(config.IS)
	am.rolesEvery = 50 * time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	var loops sync.WaitGroup
	defer func() { cancel(); loops.Wait() }()
	loops.Go(func() { is.keepTrust(ctx, telemetry.NewHealth(time.Hour)) })
	loops.Go(func() {
		if err := am.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	p.until("the desired state is reached", func() bool { return p.logged("the desired state is reached") > 0 })
	for n := 1; n <= 2; n++ {
		p.withScope("pay:read")
		p.until("the role has the scope again", func() bool { return p.logged("bound a role of IS to scopes of APIs") >= n && p.hasScope("pay:read") })
	}
}

func TestAFixOfADifferenceBindsRolesAgain(t *testing.T) {
	p := newPlace(t)
	w := p.watch(func(c *config.Config) { c.Bootstrap.Drift = "fix" })
	p.withScope("pay:read")
	p.byHand("http://other.example")
	for turns := 0; p.logged("drift: fixed") == 0; turns++ {
		if turns == 10 {
			t.Fatal("the difference is not fixed")
		}
		w.turn()
	}
	if !p.hasScope("pay:read") {
		t.Error("the role does not have the scope")
	}
}
