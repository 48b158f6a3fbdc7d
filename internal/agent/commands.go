package agent

import (
	"context"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/scopes"
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
