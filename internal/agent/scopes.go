package agent

import (
	"context"
	"time"

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
