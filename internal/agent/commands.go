package agent

import (
	"context"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/scopes"
	"wso2agent/internal/trust"
	"wso2agent/internal/verify"
	"wso2agent/internal/wso2"
)

// SyncScopes does one pass: it authorizes every application that lacks scopes of APIs.
func (a Agent) SyncScopes(ctx context.Context) (scopes.Report, error) {
	s := a.servers()
	is, err := s.is(a.cfg)
	if err != nil {
		return scopes.Report{}, err
	}
	k := scopes.Keeper{Clients: a.cfg.ScopesClients, Log: a.log}
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
	return scopes.Lack(ctx, is.Authorization, a.cfg.ScopesClients)
}

// Token requests an access token of the application, with the keys that a bootstrap has written to KEYS_FILE, for people who
// want to call an API. It revokes the application's former token, unless tokens live side by side.
func (a Agent) Token(ctx context.Context) (wso2.Secret, error) {
	client, err := bootstrap.FilesOf(a.cfg).Client()
	if err != nil {
		return "", err
	}
	s := a.servers()
	hc, err := s.connect(a.cfg)
	if err != nil {
		return "", err
	}
	token, err := wso2.FetchToken(ctx, hc, client.TokenEndpoint, client.Key, client.Secret)
	return token.AccessToken, err
}

// ProbeServer asks the own server, from within its container, whether it works. The server must present the certificate that
// its home holds, which it has read at its start. The config volume may hold a newer one, which waits for the peers' trust.
func (a Agent) ProbeServer(ctx context.Context) error {
	a.cfg.ConfigDir = a.cfg.ServerHome
	a, err := a.atStores(ctx)
	if err != nil {
		return err
	}
	own, err := trust.OwnLeaf(ctx, a.cfg.KeystorePaths(), a.cfg.KeystorePass, a.cfg.KeystoreAlias)
	if err != nil {
		return err
	}
	return verify.Probe(ctx, a.cfg, own)
}
