package agent

import (
	"context"
	"net/http"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/notify"
	home "wso2agent/internal/place"
	"wso2agent/internal/telemetry"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

// servers connects one life to both servers. Its methods take the settings as they are now.
type servers struct {
	accounts   *bootstrap.Accounts
	connection wso2.Connection
}

// connect returns the HTTP client of this life.
func (s *servers) connect(cfg config.Config) (*http.Client, error) {
	s.connection.Routes = cfg.Trust.ConnectTo
	return s.connection.Client(trust.PinsOf(cfg), cfg.Trust.CAFile)
}

// is returns the clients of IS.
func (s *servers) is(cfg config.Config) (verify.IdentityServer, error) {
	hc, err := s.connect(cfg)
	return verify.IdentityServerOf(hc, bootstrap.SettingsOf(cfg, s.accounts)), err
}

func (a Agent) servers() servers { return servers{accounts: a.accounts} }

// keeper returns what restarts the server if agent exec does not run it; nil if RESTART rules that out.
func (a Agent) keeper(health *telemetry.Health) *notify.Keeper {
	s, account := a.servers(), map[string]*wso2.Lockout{config.IS: &a.accounts.IS, config.AM: &a.accounts.AM}[a.cfg.Server.Product]
	return notify.KeeperOf(a.cfg, notify.Access{
		Starting: home.HomeOf(a.cfg, a.log).Starting, Serves: func(ctx context.Context) error { return verify.ProbeNextTo(ctx, a.cfg) },
		Connect: func() (*http.Client, error) { return s.connect(a.cfg) }, Load: a.load, Lockout: account, Count: health.Count,
		While: func(work func()) { health.While("restarts", a.cfg.Watch.Poll, work) }}, a.log)
}
