package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/scopes"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
	"wso2agent/internal/wso2sim"
)

// keepScopes starts the loop that looks after scopes next to a product, until stop is called.
func (p *place) keepScopes(product string) (health *telemetry.Health, stop func()) {
	p.t.Helper()
	ctx, cancel := context.WithCancel(p.t.Context())
	var loop sync.WaitGroup
	health = telemetry.NewHealth(time.Hour)
	a := p.agent(product)
	loop.Go(func() { l := a.scopes(health); l.keep(ctx, l.turn) })
	loop.Go(func() { l := a.security(health); l.keep(ctx, l.turn) })
	stop = func() { cancel(); loop.Wait() }
	p.t.Cleanup(stop)
	return health, stop
}

// asISAdmin sends a request to IS as its administrator, and reads the answer into out, which may be nil.
func (p *place) asISAdmin(method, path string, body, out any) {
	p.t.Helper()
	a := p.agent(config.IS)
	text, _ := json.Marshal(body)
	req, err := http.NewRequestWithContext(p.t.Context(), method, p.is.URL()+path, bytes.NewReader(text))
	if err != nil {
		p.t.Fatal(err)
	}
	req.SetBasicAuth("admin", "admin")
	req.Header.Set("Content-Type", "application/json")
	resp, err := wso2.NewHTTPClient(trust.PinsOf(a.cfg), nil).Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, _ := io.ReadAll(resp.Body)
	if resp.StatusCode/100 != 2 {
		p.t.Fatalf("%s %s: %d %s", method, path, resp.StatusCode, answer)
	}
	if out != nil {
		if err := json.Unmarshal(answer, out); err != nil {
			p.t.Fatal(err)
		}
	}
}

// scopeOfAPI makes the connector's API resource with one scope.
func (p *place) scopeOfAPI(name string) {
	p.t.Helper()
	p.asISAdmin("POST", "/api/server/v1/api-resources", map[string]any{"name": "User-defined OAuth2 Resource", "identifier": "User-defined-oauth2-resource",
		"requiresAuthorization": true, "scopes": []map[string]string{{"name": name, "displayName": name, "description": name}}}, nil)
}

// subscriberKey is a client as the connector makes it.
type subscriberKey struct {
	ID     string `json:"client_id"`
	Secret string `json:"client_secret"`
}

func (p *place) subscriberKey(n int) (k subscriberKey) {
	p.t.Helper()
	p.asISAdmin("POST", "/api/identity/oauth2/dcr/v1.1/register", map[string]any{"client_name": fmt.Sprintf("ann_%08x-0000-4000-8000-000000000000_PRODUCTION", n),
		"grant_types": []string{"client_credentials"}, "redirect_uris": []string{}, "token_type_extension": "JWT", "ext_allowed_audience": "organization"}, &k)
	return k
}

// gets tells whether a new token of the client has the scope.
func (p *place) gets(k subscriberKey, scope string) bool {
	p.t.Helper()
	token, err := wso2.FetchToken(p.t.Context(), wso2.NewHTTPClient(trust.PinsOf(p.agent(config.IS).cfg), nil), p.is.URL()+"/oauth2/token", k.ID, wso2.Secret(k.Secret), scope)
	if err != nil {
		p.t.Fatal(err)
	}
	return strings.Join(token.Scopes, " ") == scope
}

func (p *place) fastScopes() {
	for _, product := range []string{config.IS, config.AM} {
		p.set(product, func(c *config.Config) { c.Scopes.Interval = 100 * time.Millisecond })
	}
}

func TestTheSidecarNextToISAuthorizesNewKeysAndCatchesUpAfterISWasAway(t *testing.T) {
	for name, at := range map[string]string{"next to IS": config.IS, "next to API-M, where IS has no agent": config.AM} {
		t.Run(name, func(t *testing.T) {
			p := newPlace(t)
			p.initBoth()
			p.startServers()
			p.fastScopes()
			p.set(at, func(c *config.Config) { c.Scopes.At = at })
			p.scopeOfAPI("pay:read")
			first := p.subscriberKey(1)
			health, _ := p.keepScopes(at)
			p.until("the first key has its scope", func() bool { return p.gets(first, "pay:read") })
			p.until("it is said so", func() bool { return p.ok(health, scopesCondition) && p.ok(health, securityCondition) })
			second := p.subscriberKey(2)
			p.until("a new key has its scope", func() bool { return p.gets(second, "pay:read") })

			p.is.Close()
			p.until("that IS is away is said", func() bool { return !p.ok(health, scopesCondition) })
			if !health.Ready() {
				t.Error("the agent is not ready because IS is away")
			}
			p.restartIS("")
			third := p.subscriberKey(3)
			p.until("a key from then has its scope", func() bool { return p.gets(third, "pay:read") })
			p.until("all is well again", func() bool { return p.ok(health, scopesCondition) && p.ok(health, securityCondition) })
			if n := strings.Count(p.log.String(), "cannot be authorized for scopes"); n < 1 || n > 2 { // the reason may change on the way
				t.Errorf("that IS was away is logged %d times", n)
			}
		})
	}
}

func TestWithoutAnIntervalOnlyStartsOfISCount(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	for _, product := range []string{config.IS, config.AM} {
		p.set(product, func(c *config.Config) { c.Scopes.Interval = 0 })
	}
	p.scopeOfAPI("pay:read")
	first := p.subscriberKey(1)
	health, _ := p.keepScopes(config.IS)
	p.until("a pass is done at the start", func() bool { return p.ok(health, scopesCondition) && p.gets(first, "pay:read") })
	second := p.subscriberKey(2)
	time.Sleep(5 * p.cfg[config.IS].Watch.Poll)
	if p.gets(second, "pay:read") {
		t.Error("a new key was looked for")
	}
}

func TestAWrongPasswordIsNotTriedUntilTheAdministratorIsLockedOut(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.fastScopes()
	p.scopeOfAPI("pay:read")
	k := p.subscriberKey(1)
	p.set(config.IS, func(c *config.Config) { c.IS.AdminPass = "wrong" })
	health, _ := p.keepScopes(config.IS)
	p.until("it is held back", func() bool { return strings.Contains(p.message(health, scopesCondition), wso2.ErrHeldBack.Error()) })
	if !health.Ready() || p.ok(health, scopesCondition) {
		t.Errorf("ready %v, %s", health.Ready(), p.message(health, scopesCondition))
	}
	if n := strings.Count(p.log.String(), "cannot be authorized for scopes"); n != 1 {
		t.Errorf("logged %d times", n)
	}
	p.set(config.IS, func(c *config.Config) { c.IS.AdminPass = "admin" })
	p.until("the right one counts at once", func() bool { return p.ok(health, scopesCondition) && p.gets(k, "pay:read") })
}

func TestBootstrapEndsWhereAnySubscriberCanAdministerIS(t *testing.T) {
	const guide = "\n[oauth]\nauthorize_all_scopes = true\n"
	stock := func(p *place) { // without the entry that settingsOfIS makes
		data, err := os.ReadFile(p.home(config.IS) + "/repository/conf/deployment.toml")
		if err == nil {
			err = os.WriteFile(p.cfg[config.IS].DeploymentTOML(), data, 0o644)
		}
		if err != nil {
			p.t.Fatal(err)
		}
	}
	tests := []struct {
		name    string
		prepare func(p *place)
		says    string // in the error; empty: none
		warns   string
	}{
		{"SCIM 1.1", stock, "is first and unchanged", ""},
		{"a person's own setting", func(p *place) { p.settingsOfIS(guide) }, "", "set SETTINGS=override next to IS"},
		{"SCOPES=all", func(p *place) {
			p.settingsOfIS(guide)
			p.set(config.AM, func(c *config.Config) { c.Scopes.Mode = "all" })
		}, "", "set SCOPES=authorize"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := newPlace(t)
			tt.prepare(p)
			p.initBoth()
			p.startServers()
			p.acknowledge()
			err := p.agent(config.AM).Bootstrap(t.Context())
			switch {
			case tt.says == "" && err != nil:
				t.Errorf("error = %v", err)
			case tt.says != "" && (!errors.Is(err, bootstrap.ErrPermanent) || !strings.Contains(err.Error(), "any API subscriber can administer IS") ||
				!strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "\n")):
				t.Errorf("error = %v", err)
			}
			if log := p.log.String(); !strings.Contains(log, tt.warns) {
				t.Errorf("not warned of: %s", tt.warns)
			}
		})
	}
}

func TestAnOpenISIsSaidByBothSidecarsWhichStayReady(t *testing.T) {
	p := newPlace(t)
	data, err := os.ReadFile(p.home(config.IS) + "/repository/conf/deployment.toml")
	if err == nil {
		err = os.WriteFile(p.cfg[config.IS].DeploymentTOML(), data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	p.initBoth()
	p.startServers()
	nextToIS, _ := p.keepScopes(config.IS)
	nextToAM := p.run()
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	am := p.agent(config.AM)
	loop.Go(func() { l := am.security(nextToAM); l.keep(ctx, l.turn) })
	defer func() { cancel(); loop.Wait() }()
	p.until("the sidecar next to API-M is ready", nextToAM.Ready)
	for name, health := range map[string]*telemetry.Health{"IS": nextToIS, "API-M": nextToAM} {
		p.until("the one next to "+name+" says so", func() bool {
			return !p.ok(health, securityCondition) && strings.Contains(p.message(health, securityCondition), "any API subscriber can administer IS")
		})
		if !health.Ready() {
			t.Errorf("the one next to %s is not ready", name)
		}
	}
	if log := p.log.String(); !strings.Contains(log, `level=ERROR msg="any API subscriber can administer IS" why=`) {
		t.Error("no error is logged")
	}
}

// allScopes is what IS's deployment.toml says of authorize_all_scopes, "" for nothing.
func (p *place) allScopes() string {
	p.t.Helper()
	data, err := os.ReadFile(p.cfg[config.IS].DeploymentTOML())
	if err != nil {
		p.t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(data), "authorize_all_scopes = ")
	value, _, _ := strings.Cut(rest, "\n")
	return value
}

func (p *place) closing() trust.Closing {
	p.t.Helper()
	c, ok, err := p.agent(config.AM).exchange().Closing(p.t.Context(), "wso2is")
	if err != nil || !ok {
		p.t.Fatalf("IS's agent says %+v, %v, %v", c, ok, err)
	}
	return c
}

func TestAuthorizeAllScopesGoesWithOneRestartOnceEveryApplicationIsAuthorized(t *testing.T) {
	p, is, _ := bothIssued(t, func(c *config.Config) { c.Scopes.Mode = "all" })
	if p.allScopes() != "true" || p.closing() != (trust.Closing{AllScopes: trust.AllScopesKept, SCIM11: true}) {
		t.Fatalf("SCOPES=all: %q, %+v", p.allScopes(), p.closing())
	}
	p.set(config.IS, func(c *config.Config) { c.Scopes.Mode = "authorize" })
	if err := p.agent(config.IS).Init(t.Context()); err != nil {
		t.Fatal(err)
	}
	if p.allScopes() != "true" || p.closing().AllScopes != trust.AllScopesWaits {
		t.Fatalf("init: %q, %+v", p.allScopes(), p.closing())
	}
	a := p.agent(config.IS)
	is.k.ready = a.upgrade.ready
	once := func() {
		t.Helper()
		if err := is.k.once(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	once()
	if p.allScopes() != "true" || is.k.due() || is.restart() {
		t.Fatalf("before the applications are authorized: %q", p.allScopes())
	}
	if !scopes.Authorizes(a.cfg, a.upgrade.waits.Load()) {
		t.Fatal("nobody authorizes applications")
	}
	a.upgrade.open.Store(true)
	if !is.k.due() {
		t.Error("the pass that takes it out is not due")
	}
	once()
	if p.allScopes() != "false" || p.closing() != (trust.Closing{SCIM11: true, Restart: trust.RestartDue}) {
		t.Fatalf("once they are: %q, %+v", p.allScopes(), p.closing())
	}
	if !is.restart() {
		t.Fatal("no restart is asked for")
	}
	once()
	if is.restart() || p.closing() != (trust.Closing{SCIM11: true}) || is.k.due() {
		t.Errorf("after the restart: %+v", p.closing())
	}
}

func TestAfterAnUpgradeWithRESTARTNoneARestartByHandIsNamed(t *testing.T) {
	p, is, _ := bothIssued(t, func(c *config.Config) { c.Scopes.Mode = "all" })
	p.set(config.IS, func(c *config.Config) { c.Scopes.Mode, c.Restart.Method = "authorize", "none" })
	a := p.agent(config.IS)
	a.upgrade.open.Store(true)
	is.k.restarter = a.restarter()
	if err := is.k.once(t.Context(), a); err != nil {
		t.Fatal(err)
	}
	if p.allScopes() != "false" || p.closing() != (trust.Closing{SCIM11: true, Restart: trust.RestartByHand}) {
		t.Errorf("%q, %+v", p.allScopes(), p.closing())
	}
}

func TestARestartOfARunningISWaitsForAuthorizeAllScopesToGoAlong(t *testing.T) {
	p, is, _ := bothIssued(t, func(c *config.Config) { c.Scopes.Mode = "all" })
	p.set(config.IS, func(c *config.Config) { c.Scopes.Mode, c.Settings.TokensSideBySide = "authorize", true }) // as the entry for SCIM 1.1 would
	a := p.agent(config.IS)
	is.r.started.PID = 1
	once := func() {
		t.Helper()
		if err := is.k.once(t.Context(), a); err != nil {
			t.Fatal(err)
		}
	}
	once()
	if is.restart() {
		t.Fatal("a restart is asked for, and another one would follow")
	}
	if is.k.last.Wake.IsZero() || time.Until(is.k.last.Wake) > a.cfg.Rotate.Timeout {
		t.Errorf("it waits until %s", is.k.last.Wake)
	}
	a.upgrade.open.Store(true)
	once()
	if !is.restart() {
		t.Fatal("no restart is asked for")
	}
	once()
	if is.restart() {
		t.Error("a second restart is asked for")
	}

	p, is, _ = bothIssued(t, func(c *config.Config) { c.Scopes.Mode = "all" })
	p.set(config.IS, func(c *config.Config) { c.Scopes.Mode, c.Settings.TokensSideBySide = "authorize", true })
	a = p.agent(config.IS)
	is.r.started.PID = 1
	is.k.memory.Upgrade = time.Now().Add(-2 * a.cfg.Rotate.Timeout)
	once()
	if !is.restart() {
		t.Error("it waits longer than ROTATE_TIMEOUT")
	}
}

func TestALongIntervalIsNoSilence(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	p.set(config.IS, func(c *config.Config) { c.Scopes.Interval = time.Hour })
	a := p.agent(config.IS)
	health := telemetry.NewHealth(500 * time.Millisecond)
	ctx, cancel := context.WithCancel(t.Context())
	var loop sync.WaitGroup
	loop.Go(func() { l := a.scopes(health); l.keep(ctx, l.turn) })
	defer func() { cancel(); loop.Wait() }()
	p.until("the first look is done", func() bool { return p.ok(health, scopesCondition) })
	for range 10 {
		time.Sleep(100 * time.Millisecond)
		w := httptest.NewRecorder()
		health.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/livez", nil))
		if w.Code != http.StatusOK {
			t.Fatalf("/livez: %s", w.Body)
		}
	}
}

// restartIS starts IS again where it was, with its settings changed.
func (p *place) restartIS(settings string) {
	p.t.Helper()
	address := p.is.URL()
	p.is.Close()
	path := p.home(config.IS) + "/repository/conf/deployment.toml"
	text, err := os.ReadFile(path)
	if err == nil {
		err = os.WriteFile(path, append(text, settings...), 0o644)
	}
	if err == nil {
		p.is, err = wso2sim.StartIS(p.t.Context(), wso2sim.Options{Home: p.home(config.IS), Listen: strings.TrimPrefix(address, "https://")})
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.is.Close() })
	if err := p.is.Wait(p.t.Context()); err != nil {
		p.t.Fatal(err)
	}
}

func TestAnISThatOpensWhileThePasswordIsRefusedIsNotTakenForClosed(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	health := telemetry.NewHealth(time.Hour)
	a := p.agent(config.IS)
	l := a.security(health)
	look := func() {
		if err := l.reload(); err != nil {
			t.Fatal(err)
		}
		l.turn(t.Context(), nil)
	}
	if look(); !p.ok(health, securityCondition) {
		t.Fatal(p.message(health, securityCondition))
	}
	p.set(config.IS, func(c *config.Config) { c.IS.AdminPass = "wrong" })
	p.is.Close()
	look()
	p.restartIS("\n[oauth]\nauthorize_all_scopes = true\n")
	for range 3 {
		look()
		l.guard = a.security(health).guard // another examination is due
	}
	if p.ok(health, securityCondition) || !strings.Contains(p.message(health, securityCondition), "not known") {
		t.Errorf("with a refused password: %s", p.message(health, securityCondition))
	}
	p.set(config.IS, func(c *config.Config) { c.IS.AdminPass = "admin" })
	if look(); p.ok(health, securityCondition) || !strings.Contains(p.message(health, securityCondition), scopes.OpenIS) {
		t.Errorf("with the right one: %s", p.message(health, securityCondition))
	}
}

func TestThatNobodyAuthorizesApplicationsIsSaidNextToAPIManager(t *testing.T) {
	p := newPlace(t)
	p.initBoth()
	p.startServers()
	health := telemetry.NewHealth(time.Hour)
	a := p.agent(config.AM)
	l := a.security(health)
	if l.turn(t.Context(), nil); !p.ok(health, scopesCondition) {
		t.Errorf("with an agent next to IS: %s", p.message(health, scopesCondition))
	}
	if err := os.Remove(p.dir + "/exchange/wso2is/closing.json"); err != nil {
		t.Fatal(err)
	}
	l.turn(t.Context(), nil)
	l.guard.Silence = time.Nanosecond
	if l.turn(t.Context(), nil); p.ok(health, scopesCondition) || !strings.Contains(p.message(health, scopesCondition), "SCOPES_AT=am") {
		t.Errorf("without one: %s", p.message(health, scopesCondition))
	}
}
