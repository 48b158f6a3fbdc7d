// Package agent holds the lives of an agent: init, which prepares a start of the server and exits; run, which stays next to the
// server; and bootstrap, which runs once.
package agent

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"slices"
	"time"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/history"
	"wso2agent/internal/hook"
	"wso2agent/internal/identity"
	"wso2agent/internal/notify"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// Agent is one agent with its settings.
type Agent struct {
	cfg  config.Config
	load func() (config.Config, error) // reads the settings again: a secret's file may have changed
	log  *slog.Logger

	accounts *bootstrap.Accounts // of the administrators, for the whole process
	upgrade  *gate               // of authorize_all_scopes
	holding  *trust.Holding      // of the own server's name
	seen     *trust.Exchange     // what a look at the exchange has found, for the length of a pass
	decoded  *identity.Decoded   // keystores of the agent's own
	listener *gate               // of the password with which IS sends notices of revoked tokens

	hooks *hook.Hooks // nil but in Run

	waitInVain time.Duration // of verify.Selection
	rolesEvery time.Duration // between two passes that bind scopes to roles
}

// New returns an agent with the settings cfg. The agent calls load later, to read the settings again while it runs.
func New(cfg config.Config, load func() (config.Config, error), log *slog.Logger) Agent {
	accounts := &bootstrap.Accounts{}
	if cfg.Database.Kind == "postgres" {
		down := server.PostgresDown(cfg.Database.Host, cfg.Database.Port)
		accounts.AM.Down, accounts.IS.Down = down, down
	}
	return Agent{cfg: cfg, load: load, log: log, accounts: accounts, upgrade: &gate{}, listener: &gate{}, holding: &trust.Holding{}, decoded: &identity.Decoded{}, rolesEvery: bootstrap.RolesEvery}
}

// reload reads the settings again, so that a changed secret counts. If that fails, the old ones stay.
func (a *Agent) reload() error {
	cfg, err := a.load()
	if err == nil {
		a.cfg = cfg
	}
	return err
}

func (a Agent) exchange() trust.Exchange {
	if a.seen != nil {
		return *a.seen
	}
	return trust.ExchangeOf(a.cfg)
}

func (a Agent) truststore() trust.Store {
	return trust.Store{Path: a.cfg.TruststorePath(), Password: a.cfg.Truststore.Pass, Setting: "TRUSTSTORE_PASS"}
}

// supervised reports whether agent exec runs the server.
func (a Agent) supervised() bool { return a.cfg.Restart.Method != "none" }

// trail is the audit trail of this agent.
func (a Agent) trail() hook.Trail {
	return hook.Trail{Trail: history.Trail{Dir: a.control().Dir}, Hooks: a.hooks}
}

func (a Agent) control() notify.Control { return notify.ControlOf(a.cfg) }

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

// watch notices changes in what this agent reads: in the given folders, in those of secrets, and on the exchange volume.
func (a Agent) watch(folders ...string) file.Watch {
	for _, path := range a.cfg.SecretFiles {
		folders = append(folders, filepath.Dir(path))
	}
	slices.Sort(folders)
	return file.Watch{Folders: slices.Compact(folders), Files: a.exchange().Files(append(slices.Clone(a.cfg.Trust.Peers), a.cfg.Server.Name)...), Poll: a.cfg.Watch.Poll, Quiet: a.cfg.Watch.QuietMin, Max: a.cfg.Watch.QuietMax, Log: a.log}
}

// trustFolders are the folders in which a change can concern certificates or the server's start.
func (a Agent) trustFolders() []string {
	folders := []string{filepath.Dir(a.cfg.TruststorePath()), filepath.Dir(a.cfg.DeploymentTOML()), a.control().Dir}
	for _, path := range a.cfg.KeystorePaths() {
		folders = append(folders, filepath.Dir(path))
	}
	if a.cfg.TLS.Mode == "files" {
		folders = append(folders, a.cfg.TLS.FilesDir)
	}
	if a.cfg.TLS.CACertFile != "" {
		folders = append(folders, filepath.Dir(a.cfg.TLS.CACertFile), filepath.Dir(a.cfg.TLS.CAKeyFile))
	}
	return folders
}

// readFiles returns the files that others may change while the agent runs, except for those of the peers.
func readFiles(cfg config.Config) []string {
	paths := append(cfg.SecretFiles, cfg.TruststorePath(), cfg.DeploymentTOML(), cfg.Trust.CAFile, cfg.TLS.CACertFile, cfg.TLS.CAKeyFile)
	paths = append(paths, cfg.KeystorePaths()...)
	if cfg.Bootstrap.Enabled {
		paths = append(paths, cfg.Bootstrap.File)
	}
	if cfg.TLS.Mode == "files" {
		paths = append(paths, identity.PEMFiles(cfg.TLS.FilesDir)...)
	}
	slices.Sort(paths)
	return slices.DeleteFunc(slices.Compact(paths), func(path string) bool { return path == "" })
}

// ended reports whether err only says that the agent was asked to stop.
func ended(ctx context.Context, err error) bool {
	return ctx.Err() != nil && errors.Is(err, ctx.Err())
}
