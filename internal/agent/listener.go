package agent

import (
	"context"
	"net/http"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/wso2"
)

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
