package wso2

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAnAPIIsWrittenAndReadWhole(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	made, err := p.CreateAPIObject(ctx, simpleAPI("Pay", "1.0.0"))
	made.has(t, err, "Pay", map[string]any{"version": "1.0.0", "lifeCycleStatus": StateCreated})

	read, err := p.APIObject(ctx, made.ID)
	read.has(t, err, "Pay", map[string]any{"id": made.ID, "cacheTimeout": 300.0})
	read.Fields["description"] = "changed"
	written, err := p.UpdateAPIObject(ctx, read.ID, read.Fields)
	written.has(t, err, "Pay", map[string]any{"description": "changed", "context": "/pay"})

	next, err := p.CopyAPI(ctx, made.ID, "2.0.0")
	next.has(t, err, "Pay", map[string]any{"version": "2.0.0", "description": "changed"})
	if next.ID == made.ID {
		t.Error("the copy is the original")
	}
	if _, err := p.CopyAPI(ctx, made.ID, "2.0.0"); !HasCode(err, CodeVersionExists) || !IsPermanent(err) {
		t.Errorf("copy again: %v", err)
	}
	must(t, p.DeleteAPI(ctx, next.ID))
	if _, err := p.APIObject(ctx, next.ID); !HasStatus(err, http.StatusNotFound) {
		t.Errorf("read a deleted API: %v", err)
	}
}

func TestTheListOfAPIsSaysWhenEachHasChanged(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	made, err := p.CreateAPIObject(ctx, simpleAPI("Pay", "1.0.0"))
	must(t, err)
	listed := func(than string) API {
		for {
			list, err := p.APIs(ctx)
			must(t, err)
			if len(list) == 1 && list[0].UpdatedTime != than {
				return list[0]
			}
			time.Sleep(20 * time.Millisecond) // the index is behind
		}
	}
	first := listed("")
	if first.Type != "HTTP" || first.Provider != "admin" || first.Context != "/pay" || first.UpdatedTime == "" || first.LifeCycle != StateCreated {
		t.Errorf("entry %+v", first)
	}
	read, err := p.APIObject(ctx, made.ID)
	must(t, err)
	read.Fields["description"] = "changed"
	_, err = p.UpdateAPIObject(ctx, made.ID, read.Fields)
	must(t, err)
	listed(first.UpdatedTime)
}

func TestWhatExistsIsKnownWithoutALag(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	_, err := p.CreateAPIObject(ctx, simpleAPI("Pay", "1.0.0"))
	must(t, err)
	for name, tt := range map[string]struct {
		ask  func() (bool, error)
		want bool
	}{
		"an API": {func() (bool, error) { return p.HasAPI(ctx, "Pay") }, true},
		"no API": {func() (bool, error) { return p.HasAPI(ctx, "Other") }, false},
	} {
		if got, err := tt.ask(); got != tt.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if _, err := NewPublisher(hc, base, admin).HasAPI(ctx, "Pay"); !HasStatus(err, http.StatusUnauthorized) {
		t.Errorf("with a wrong password: %v", err)
	}
}

func TestALifecycleSaysWhatItAllows(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	made, err := p.CreateAPIObject(ctx, simpleAPI("Pay", "1.0.0"))
	must(t, err)
	allowed := func() (string, []string) {
		l, err := p.Lifecycle(ctx, made.ID)
		must(t, err)
		var actions []string
		for _, a := range l.Transitions {
			actions = append(actions, a.Action)
		}
		slices.Sort(actions)
		return l.State, actions
	}
	if state, actions := allowed(); state != "Created" || !slices.Equal(actions, []string{"Deploy as a Prototype", "Publish"}) {
		t.Errorf("%s, %q", state, actions)
	}
	_, err = p.ChangeLifecycle(ctx, made.ID, "Publish")
	must(t, err)
	if state, actions := allowed(); state != "Published" || !slices.Contains(actions, "Deprecate") {
		t.Errorf("%s, %q", state, actions)
	}
	silent, hc := serve(t, answering(200, `{}`))
	if _, err := NewPublisher(hc, silent, admin).Lifecycle(ctx, "x"); !errors.Is(err, ErrNoDocument) || IsPermanent(err) {
		t.Errorf("an answer without a state: %v", err)
	}
}

func TestSubscribersOfAnAPIAreNamed(t *testing.T) {
	base, hc := manager(t)
	p, d, ctx := NewPublisher(hc, base, shipped), NewDevPortal(hc, base, shipped), t.Context()
	made, err := p.CreateAPIObject(ctx, simpleAPI("Pay", "1.0.0"))
	must(t, err)
	_, err = p.ChangeLifecycle(ctx, made.ID, "Publish")
	must(t, err)
	if who, err := p.Subscribers(ctx, made.ID); err != nil || len(who) != 0 {
		t.Errorf("before: %+v, %v", who, err)
	}
	app, err := d.CreateApplicationObject(ctx, map[string]any{"name": "shop", "throttlingPolicy": "Unlimited"})
	must(t, err)
	_, err = d.Subscribe(ctx, app.ID, made.ID, "Unlimited")
	must(t, err)
	who, err := p.Subscribers(ctx, made.ID)
	if err != nil || len(who) != 1 {
		t.Fatalf("%+v, %v", who, err)
	}
	s := who[0]
	if s.Application.Name != "shop" || s.Application.ID != app.ID || s.Application.Owner != "admin" || s.Policy != "Unlimited" ||
		s.Status != "UNBLOCKED" || s.Subscription == "" {
		t.Errorf("subscriber %+v", s)
	}
	if err := p.DeleteAPI(ctx, made.ID); err == nil {
		t.Error("an API with subscriptions was deleted")
	}
}

func TestARevisionIsDeployedInSeveralEnvironmentsAtOnce(t *testing.T) {
	base, hc := manager(t)
	p, a, ctx := NewPublisher(hc, base, shipped), NewAdmin(hc, base, shipped), t.Context()
	must(t, a.call(ctx, request{op: "create an environment", method: http.MethodPost, path: "/environments", body: map[string]any{
		"name": "second", "displayName": "Second", "provider": "wso2", "vhosts": []map[string]any{{"host": "second.example"}},
	}}, nil))
	environments, err := a.Environments(ctx)
	must(t, err)
	var names []string
	for _, e := range environments {
		names = append(names, e.Name)
	}
	if slices.Sort(names); !slices.Equal(names, []string{"Default", "second"}) {
		t.Errorf("environments %q", names)
	}
	made, err := p.CreateAPIObject(ctx, simpleAPI("Pay", "1.0.0"))
	must(t, err)
	revision, err := p.CreateRevision(ctx, made.ID, "first")
	must(t, err)
	must(t, p.DeployRevision(ctx, made.ID, revision, Deployment{"Default", "localhost", true}, Deployment{"second", "second.example", true}))
	revisions, err := p.Revisions(ctx, made.ID)
	if err != nil || len(revisions) != 1 || len(revisions[0].Deployments) != 2 {
		t.Errorf("revisions %+v, %v", revisions, err)
	}
	base, hc = serve(t, answering(200, `{}`)) // as from a server that starts
	if revisions, err := NewPublisher(hc, base, shipped).Revisions(ctx, made.ID); !errors.Is(err, ErrNoDocument) {
		t.Errorf("revisions without a list: %+v, %v", revisions, err)
	}
}

func TestSharedScopesAreManaged(t *testing.T) {
	base, hc := manager(t)
	p, ctx := NewPublisher(hc, base, shipped), t.Context()
	scope := map[string]any{"name": "pay:read", "displayName": "Read", "description": "", "bindings": []string{"Internal/creator"}}
	made, err := p.CreateSharedScope(ctx, scope)
	made.has(t, err, "pay:read", map[string]any{"displayName": "Read"})
	if _, err := p.CreateSharedScope(ctx, scope); !HasCode(err, CodeScopeExists) || !strings.Contains(err.Error(), "choose another name") {
		t.Errorf("create again: %v", err)
	}
	scope["displayName"] = "Read it"
	changed, err := p.UpdateSharedScope(ctx, made.ID, scope)
	changed.has(t, err, "pay:read", map[string]any{"displayName": "Read it", "id": made.ID})
	list, err := p.SharedScopes(ctx)
	if err != nil || len(list) != 1 || list[0].ID != made.ID || !slices.Equal(list[0].Fields["bindings"].([]any), []any{"Internal/creator"}) {
		t.Errorf("list %+v, %v", list, err)
	}
	if users, err := p.SharedScopeUsers(ctx, made.ID); err != nil || len(users) != 0 {
		t.Errorf("unused: %+v, %v", users, err)
	}

	api := simpleAPI("Pay", "1.0.0")
	api["scopes"] = []map[string]any{{"scope": map[string]any{"name": "pay:read"}, "shared": true}}
	api["operations"] = []map[string]any{{"target": "/pay", "verb": "GET", "scopes": []string{"pay:read"}}}
	user, err := p.CreateAPIObject(ctx, api)
	must(t, err)
	if users, err := p.SharedScopeUsers(ctx, made.ID); err != nil || !slices.Equal(users, []ScopeUser{{"Pay", "1.0.0", "/pay/1.0.0"}}) {
		t.Errorf("used: %+v, %v", users, err)
	}
	if err := p.DeleteSharedScope(ctx, made.ID); !HasCode(err, CodeScopeInUse) || !strings.Contains(err.Error(), "take the scope out") {
		t.Errorf("delete a used one: %v", err)
	}
	must(t, p.DeleteAPI(ctx, user.ID))
	must(t, p.DeleteSharedScope(ctx, made.ID))
}

func TestNumbersOfAnObjectComeBackAsTheyWere(t *testing.T) {
	base, hc := serve(t, answering(200, `{"id":"1","name":"n","lastUpdatedTimestamp":1795772571778}`))
	o, err := NewPublisher(hc, base, admin).APIObject(t.Context(), "1")
	must(t, err)
	text, err := json.Marshal(o.Fields["lastUpdatedTimestamp"])
	if err != nil || string(text) != "1795772571778" {
		t.Errorf("%s, %v", text, err)
	}
}
