package scopes

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"wso2agent/internal/wso2"
)

func connectorApp(n int, kind string) wso2.ISApplication {
	name := fmt.Sprintf("a_user_%08x-0000-4000-8000-000000000000_%s", n, kind)
	return wso2.ISApplication{ID: fmt.Sprintf("app-%d", n), ClientID: fmt.Sprintf("client-%d", n), Name: name, Description: "Service Provider for application " + name}
}

func TestManagedApplicationsAreThoseOfTheConnectorAndOfTheSettings(t *testing.T) {
	production := connectorApp(1, "PRODUCTION")
	with := func(change func(*wso2.ISApplication)) wso2.ISApplication {
		app := production
		change(&app)
		return app
	}
	named := func(name string) wso2.ISApplication {
		return wso2.ISApplication{ID: "x", ClientID: "y", Name: name, Description: "Service Provider for application " + name}
	}
	tests := []struct {
		name    string
		app     wso2.ISApplication
		clients []string
		want    bool
	}{
		{"production keys", production, nil, true},
		{"sandbox keys", connectorApp(2, "SANDBOX"), nil, true},
		{"an owner of another user store or tenant", named("PRIMARY/ann@x_00000001-0000-4000-8000-000000000000_PRODUCTION"), nil, true},
		{"a description that somebody has written", with(func(a *wso2.ISApplication) { a.Description = "the shop's" }), nil, false},
		{"a name that only ends so", named("shop_PRODUCTION"), nil, false},
		{"no owner", named("_00000001-0000-4000-8000-000000000000_PRODUCTION"), nil, false},
		{"an id that is none", named("ann_0000000g-0000-4000-8000-000000000000_PRODUCTION"), nil, false},
		{"something behind the name", named("ann_00000001-0000-4000-8000-000000000000_PRODUCTION2"), nil, false},
		{"a mapped client, by its id", wso2.ISApplication{ID: "x", ClientID: "mapped", Name: "shop"}, []string{"mapped"}, true},
		{"IS's own console", wso2.ISApplication{ID: "c", ClientID: "CONSOLE", Name: "Console"}, []string{"mapped"}, false},
		{"an application without a client", wso2.ISApplication{ID: "s", Name: "saml"}, []string{""}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Managed(tt.app, tt.clients); got != tt.want {
				t.Errorf("managed: %v, want %v", got, tt.want)
			}
		})
	}
}

// carryOut changes a state in the same way as IS does for the actions.
func carryOut(t *testing.T, s State, actions []Action) State {
	t.Helper()
	after := State{Resource: s.Resource, Scopes: s.Scopes}
	for _, app := range s.Applications {
		app.Scopes = slices.Clone(app.Scopes)
		for _, a := range actions {
			if a.Application.ID != app.ID {
				continue
			}
			if a.First == app.Authorized {
				t.Fatalf("POST or PATCH does not fit: %+v for %+v", a, app)
			}
			if len(a.Scopes) == 0 {
				t.Fatalf("an action without scopes authorizes nothing: %+v", a)
			}
			app.Authorized = true
			for _, name := range a.Scopes {
				i := slices.IndexFunc(s.Scopes, func(sc wso2.Scope) bool { return sc.Name == name })
				if i < 0 {
					t.Fatalf("IS refuses the scope %s", name)
				}
				app.Scopes = append(app.Scopes, s.Scopes[i])
			}
		}
		after.Applications = append(after.Applications, app)
	}
	return after
}

func TestTheActionsLeadToAllAuthorizedAndTouchNothingElse(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := State{Resource: "resource"}
		if r.IntN(20) == 0 {
			s.Resource = ""
		}
		for i := range r.IntN(6) {
			s.Scopes = append(s.Scopes, wso2.Scope{ID: fmt.Sprintf("id-%d", i), Name: fmt.Sprintf("scope:%d", i)})
		}
		var clients []string
		for n := range r.IntN(8) {
			app := Application{ISApplication: connectorApp(n, []string{"PRODUCTION", "SANDBOX"}[r.IntN(2)])}
			switch r.IntN(4) {
			case 0: // somebody else's
				app.Description = "mine"
			case 1: // mapped
				app.Name, app.Description = "mapped", ""
				clients = append(clients, app.ClientID)
			}
			app.Authorized = r.IntN(2) == 0
			for _, sc := range s.Scopes {
				switch {
				case !app.Authorized:
				case r.IntN(3) == 0:
					app.Scopes = append(app.Scopes, sc)
				case r.IntN(4) == 0: // of a scope that was made again since
					app.Scopes = append(app.Scopes, wso2.Scope{ID: "old-" + sc.ID, Name: sc.Name})
				}
			}
			s.Applications = append(s.Applications, app)
		}
		actions := Decide(s, clients)
		after := carryOut(t, s, actions)
		for i, app := range after.Applications {
			before := s.Applications[i]
			if !Managed(app.ISApplication, clients) || s.Resource == "" {
				if len(app.Scopes) != len(before.Scopes) || app.Authorized != before.Authorized {
					t.Fatalf("seed %d: %+v was touched", seed, app)
				}
				continue
			}
			for _, sc := range s.Scopes {
				if !slices.Contains(app.Scopes, sc) {
					t.Fatalf("seed %d: %s lacks %s", seed, app.Name, sc.Name)
				}
			}
			for _, sc := range before.Scopes {
				if !slices.Contains(app.Scopes, sc) {
					t.Fatalf("seed %d: %s lost %s", seed, app.Name, sc.ID)
				}
			}
		}
		if again := Decide(after, clients); len(again) > 0 {
			t.Fatalf("seed %d: a second decision is %+v", seed, again)
		}
	}
}
