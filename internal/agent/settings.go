package agent

import (
	"context"

	"wso2agent/internal/server"
	"wso2agent/internal/wso2"
)

func (a Agent) settingsFile() server.SettingsFile { return server.SettingsFileOf(a.cfg) }

// atStores returns the agent with the stores that the server's settings name now. It changes no file.
func (a Agent) atStores(ctx context.Context) (_ Agent, err error) {
	a.cfg, err = server.AtStores(ctx, a.cfg)
	return a, err
}

// withStores returns the agent with the stores that the text of deployment.toml names.
func (a Agent) withStores(text []byte) (_ Agent, err error) {
	a.cfg, err = server.WithStores(a.cfg, text)
	return a, err
}

// needs returns what the own server needs in the text of its deployment.toml, by what is known of its database and of API-M.
func (a Agent) needs(text []byte) (server.Needs, error) {
	n, err := server.OwnNeeds(a.cfg, text)
	n.KeepListener = !a.accounts.AM.Worked(wso2.Secret(a.cfg.AM.AdminPass))
	return n, err
}
