package agent

import (
	"context"
	"net/http"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/wso2"
)

// keepsNotices reports whether the server is an API-M to which IS sends a notice of each revoked token.
func (a Agent) keepsNotices() bool {
	return a.cfg.Server.Product == config.AM && len(a.cfg.Trust.Peers) > 0
}

// gapsMetric is the number of outages of API-M.
const gapsMetric = "wso2agent_revocation_gaps_total"

// countGap adds an outage of API-M to the metrics. A count of zero only makes the metrics visible.
func countGap(health *telemetry.Health, o notify.Outage, count float64) {
	health.Count(gapsMetric, "Times in which API-M did not serve and could not receive notices of revoked tokens from IS.", count)
	health.Count("wso2agent_revocation_gap_seconds_total", "Length of all those times together.", o.To.Sub(o.From).Seconds())
}

// tellGap reports what an outage of API-M may have cost: IS sends the notice of a revoked token once, and does not know later
// which notices did not arrive.
func (k *trustKeeper) tellGap(a Agent, started notify.Started) {
	if !a.keepsNotices() {
		return
	}
	if o, ended := k.outages.See(started, k.memory.Asked != "", time.Now()); ended {
		countGap(k.health, o, 1)
		a.log.Warn("API-M did not serve, and IS sends its notices of revoked tokens once: a token that was revoked meanwhile stays valid at the gateway until it expires",
			"from", o.From.UTC().Format(time.RFC3339), "to", o.To.UTC().Format(time.RFC3339), "requested by this agent", o.Planned,
			"remedy", "if such a token must not work, block the subscriptions of its application until it has expired")
	}
}

// keepListener tries a new password of API-M's administrator on API-M before IS's settings get it, until ctx ends. IS sends
// notices of revoked tokens with that password, and a wrong one would end them.
func (a Agent) keepListener(ctx context.Context, health *telemetry.Health) {
	l, s, told := a.life(health, "listener"), a.servers(), ""
	l.keep(ctx, func(ctx context.Context, unreadable error) time.Duration {
		if unreadable != nil || !a.listener.waits.Load() {
			return l.cfg.Watch.Poll
		}
		hc, err := s.connect(l.cfg)
		if err == nil {
			c := bootstrap.SettingsOf(l.cfg, a.accounts)
			err = wso2.NewPublisher(hc, c.AMURL, c.AMCredentials).Ready(ctx)
		}
		a.listener.open.Store(err == nil)
		if wso2.HasStatus(err, http.StatusUnauthorized) && told != l.cfg.AM.AdminPass {
			told = l.cfg.AM.AdminPass
			l.log.Error("API-M refuses AM_ADMIN_PASS: IS goes on sending notices of revoked tokens with the password that it has", "error", err)
		}
		return l.cfg.Watch.Poll
	})
}
