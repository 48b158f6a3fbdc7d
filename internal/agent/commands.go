package agent

import (
	"cmp"
	"context"
	"slices"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/scopes"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// SyncScopes does one pass: it authorizes every application that lacks scopes of APIs.
func (a Agent) SyncScopes(ctx context.Context) (scopes.Report, error) {
	s := a.servers()
	is, err := s.is(a.cfg)
	if err != nil {
		return scopes.Report{}, err
	}
	k := scopes.Keeper{Clients: a.cfg.Scopes.Clients, Log: a.log}
	return k.Poll(ctx, is.Authorization)
}

// ReadScopes reads which applications there are and what they lack, and changes nothing. missing are those of SCOPES_CLIENTS
// that IS does not have.
func (a Agent) ReadScopes(ctx context.Context) (state scopes.State, lack []scopes.Action, missing []string, err error) {
	s := a.servers()
	is, err := s.is(a.cfg)
	if err != nil {
		return state, nil, nil, err
	}
	return scopes.Lack(ctx, is.Authorization, a.cfg.Scopes.Clients)
}

// Token requests an access token of the application, with the keys that a bootstrap has written to KEYS_FILE, for people who
// want to call an API. It revokes the application's former token, unless tokens live side by side.
func (a Agent) Token(ctx context.Context) (wso2.Secret, error) {
	s := a.servers()
	hc, err := s.connect(a.cfg)
	if err != nil {
		return "", err
	}
	return bootstrap.FilesOf(a.cfg).Token(ctx, hc)
}

// Restarts returns the servers that restart for a new certificate that the agent issues, in this order: the peers, which have to
// trust it, then the own server. Peers that trust the CA that will sign it, which this server has published, do not restart.
func Restarts(ctx context.Context, cfg config.Config) (names []string, err error) {
	all := append(slices.Clone(cfg.Trust.Peers), cfg.Server.Name)
	if cfg.Trust.Mode != "ca" || cfg.TLS.CACertFile == "" {
		return all, nil
	}
	own := trust.ExchangeOf(cfg).Statement(ctx, cfg.Server.Name)
	ca, err := identity.ReadCA(cfg.TLS.CACertFile, cfg.TLS.CAKeyFile)
	if err := cmp.Or(own.Err, own.CAErr, err); err != nil {
		return nil, err
	}
	if own.CA != nil && ca.Certificate().Fingerprint() == own.CA.Fingerprint() {
		return []string{cfg.Server.Name}, nil
	}
	return all, nil
}
