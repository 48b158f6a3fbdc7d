package agent

import (
	"context"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/verify"
)

// securityLife verifies that API subscribers cannot administer IS, after each start of IS.
type securityLife struct {
	life
	servers servers
	guard   verify.Guard
}

func (a Agent) security(health *telemetry.Health) *securityLife {
	if a.cfg.Scopes.Mode == "all" {
		a.log.Warn("SCOPES is all: IS grants every client every scope, so any API subscriber can administer it", "remedy", "set SCOPES=authorize")
	}
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
