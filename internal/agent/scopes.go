package agent

import (
	"context"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/scopes"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/verify"
)

// unauthorizedMetric is the number of applications of API-M that lack scopes of APIs in IS.
const unauthorizedMetric = "wso2agent_scopes_unauthorized_applications"

// scopesLife keeps the applications of API-M authorized in IS for the scopes of APIs.
type scopesLife struct {
	life
	servers servers
	gate    *gate // of authorize_all_scopes, which opens when all applications are authorized
	watch   scopes.Watch
}

func (a Agent) scopes(health *telemetry.Health) *scopesLife {
	return &scopesLife{life: a.life(health, scopesCondition), servers: a.servers(), gate: a.upgrade, watch: scopes.Watch{Keeper: scopes.Keeper{Log: a.log}}}
}

// turn takes one look at IS, and reports what follows from it.
func (l *scopesLife) turn(ctx context.Context, unreadable error) time.Duration {
	closes := l.gate.waits.Load()
	var is verify.IdentityServer
	err := unreadable
	if err == nil && scopes.Authorizes(l.cfg, closes) {
		is, err = l.servers.is(l.cfg)
	}
	closed, polled, err := l.watch.Look(ctx, l.cfg, closes, is.OAuth, is.Authorization, err)
	if polled {
		l.gate.open.Store(closed)
	}
	if ctx.Err() == nil {
		ok, message := l.watch.State(l.cfg, closes, err)
		l.health.Advise(scopesCondition, ok, message)
		if n, known := l.watch.Unauthorized(); known {
			l.health.Gauge(unauthorizedMetric, "Applications of API-M that lack scopes of APIs in IS.", float64(n))
		} else {
			l.health.DropGauge(unauthorizedMetric)
		}
		l.watch.Report(err)
	}
	return l.watch.Wait(l.cfg, closes)
}

// keepRoles binds scopes of APIs to roles of IS until ctx ends, next to API-M, where the record of the key manager's user is.
func (a Agent) keepRoles(ctx context.Context, health *telemetry.Health) {
	l, servers, roles := a.life(health, rolesCondition), a.servers(), bootstrap.RoleBinder{}
	l.keep(ctx, func(ctx context.Context, unreadable error) time.Duration {
		if unreadable != nil { // the trust life reports it
			return l.cfg.Watch.Poll
		}
		hc, err := servers.connect(l.cfg)
		ok, message := roles.Turn(ctx, l.log, hc, bootstrap.SettingsOf(l.cfg, a.accounts), err)
		if ctx.Err() == nil {
			health.Advise(rolesCondition, ok, message)
		}
		return a.rolesEvery
	})
}

// securityLife verifies that API subscribers cannot administer IS, after each start of IS.
type securityLife struct {
	life
	servers servers
	guard   verify.Guard
}

func (a Agent) security(health *telemetry.Health) *securityLife {
	start := func(context.Context) time.Time { return time.Time{} }
	if a.cfg.Server.Product == config.IS {
		start = func(ctx context.Context) time.Time { s, _, _ := a.ownServer().Started(ctx); return s.Since }
	}
	return &securityLife{life: a.life(health, securityCondition), servers: a.servers(), guard: verify.Guard{Log: a.log, Start: start}}
}

func (l *securityLife) turn(ctx context.Context, unreadable error) time.Duration {
	if unreadable == nil { // if not, the trust life reports it
		is, err := l.servers.is(l.cfg)
		security, authorizer := l.guard.Look(ctx, l.cfg, is, err)
		l.advise(securityCondition, security)
		l.advise(scopesCondition, authorizer)
	}
	return l.cfg.Watch.Poll
}

func (l *securityLife) advise(condition string, f *verify.Finding) {
	if f != nil && l.health.Advise(condition, f.OK, f.Message) {
		f.Log()
	}
}
