package verify

import (
	"cmp"
	"context"
	"log/slog"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/scopes"
)

// Guard verifies from time to time that API subscribers cannot administer IS. Only one goroutine uses it.
type Guard struct {
	Log   *slog.Logger
	Start func(context.Context) time.Time // of the IS next to this agent; zero if unknown

	// Silence is how long an agent next to IS may make no statement before the guard reports that no agent runs there; 0 is 30 s.
	Silence time.Duration

	examination Examination
	unsaid      time.Time // since when no agent next to IS has made a statement
}

// Finding is what a look has found.
type Finding struct {
	OK      bool
	Message string
	Log     func() // logs the finding; for one that differs from the last
}

// Look asks without a password whether IS serves, and examines IS when that is due. Next to API-M it also finds out whether anybody
// authorizes applications. A non-nil unusable means that there is no connection. A finding is nil if the last one is still valid.
func (g *Guard) Look(ctx context.Context, cfg config.Config, is IdentityServer, unusable error) (security, authorizer *Finding) {
	if unusable == nil {
		_, unusable = is.OAuth.Discovery(ctx)
	}
	if unusable != nil {
		g.examination.Away()
		return nil, nil
	}
	due := g.examination.Due(time.Now(), g.Start(ctx))
	if !scopes.May(cfg) && cfg.Scopes.Mode != "all" {
		authorizer = g.authorizer(ctx, cfg)
	}
	if due {
		security = g.examine(ctx, cfg, is)
	}
	return security, authorizer
}

func (g *Guard) examine(ctx context.Context, cfg config.Config, is IdentityServer) *Finding {
	j, err := Examine(ctx, g.Log, cfg, is)
	if ctx.Err() != nil {
		return nil
	}
	wait := g.examination.Found(time.Now(), j, err)
	if err != nil {
		return &Finding{Message: "not known: " + err.Error(), Log: func() {
			g.Log.Debug("the agent does not know whether API subscribers can administer IS, trying again", "wait", wait.String(), "error", err)
		}}
	}
	return &Finding{j.Openness == Closed, j.String(), func() { j.Log(g.Log) }}
}

// defaultSilence is the default of Guard.Silence.
const defaultSilence = 30 * time.Second

// authorizer finds out whether an agent next to IS authorizes applications. Without such an agent nobody does. The finding is nil
// while that is not known.
func (g *Guard) authorizer(ctx context.Context, cfg config.Config) *Finding {
	const nobody, remedy = "nobody authorizes applications of API-M for scopes of APIs: no agent runs next to IS", "set SCOPES_AT=am next to API-M"
	switch _, said, err := closing(ctx, cfg); {
	case said:
		g.unsaid = time.Time{}
		return &Finding{true, "the agent next to IS authorizes applications", func() {}}
	case err != nil:
	case g.unsaid.IsZero():
		g.unsaid = time.Now()
	case time.Since(g.unsaid) >= cmp.Or(g.Silence, defaultSilence):
		return &Finding{false, nobody + "; " + remedy, func() { g.Log.Warn(nobody, "remedy", remedy) }}
	}
	return nil
}
