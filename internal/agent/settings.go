package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
	"wso2agent/internal/wso2"
)

// Needs is what the server's deployment.toml has to say, by the agent's settings.
func Needs(cfg config.Config) server.Needs {
	n := server.Needs{
		Product: cfg.Product, Hostname: cfg.ISHost, User: cfg.AMAdminUser, Password: cfg.AMAdminPass,
		AMHost: cfg.AMHost, AMPort: cfg.AMPort, AMUser: cfg.AMAdminUser, AMPassword: cfg.AMAdminPass,
		SideBySide: cfg.TokensSideBySide, EventWait: cfg.EventWait(), ServerAdmin: cfg.ServerAdmin, SecretsEnv: cfg.SecretsEnv,
		PublicHost: cfg.AMPublicHost, ProxyPort: cfg.ProxyPort, AllScopes: cfg.Scopes == "all",
	}
	if cfg.Product == config.IS {
		n.User, n.Password = cfg.ISAdminUser, cfg.ISAdminPass
	}
	if cfg.Database == "postgres" {
		n.Database = &server.Database{Host: cfg.DBHost, Port: cfg.DBPort, Pool: cfg.DatabasePool, Own: cfg.AMDBName, Shared: cfg.SharedDBName,
			Schema: cfg.AMDBSchema, User: cfg.AMDBUser, Password: cfg.AMDBPassword, PasswordEnv: "AM_DB_PASSWORD"}
		if cfg.Product == config.IS {
			n.Database.Own, n.Database.Schema, n.Database.User = cfg.ISDBName, cfg.ISDBSchema, cfg.ISDBUser
			n.Database.Password, n.Database.PasswordEnv = cfg.ISDBPassword, "IS_DB_PASSWORD"
		}
	}
	return n
}

// NeedsOf is Needs for a file on the own config volume, with the TLS keystore that the agent has made there, by the text of
// the file. What waits for the sidecar waits: authorize_all_scopes until it has authorized all applications, the listener's
// password until it has tried it.
func NeedsOf(cfg config.Config, text []byte) (server.Needs, error) {
	n := Needs(cfg)
	n.KeepAllScopes, n.KeepListener = true, true
	state, err := databaseState(cfg, text)
	if err != nil {
		return n, err
	}
	n.Used = state != server.NewDatabase
	if _, err := os.Stat(cfg.TLSStorePath()); err != nil || cfg.TLSMode == "none" {
		return n, nil
	}
	password, _, err := tlsPassword(cfg, text)
	if err != nil {
		return n, err
	}
	n.TLS = tlsKeystore(password)
	return n, nil
}

// tlsPassword is that of the TLS keystore which the agent makes: the one with which the server's settings name it, if named says
// that they do, else that of the primary keystore: one secret less. A primary password that changes later changes nothing
// about it.
func tlsPassword(cfg config.Config, text []byte) (password string, named bool, err error) {
	s, err := server.ReadStores(cfg.Product, text, func(name string) bool { return name == "TRUSTSTORE_FILE" || name == "TRUSTSTORE_PASS" })
	if err == nil && s.Keystore == config.TLSStoreFile && s.Alias == tlsAlias {
		return s.KeystorePassword, true, nil
	}
	if cfg.Given("KEYSTORE_PASS") {
		return cfg.KeystorePass, false, nil
	}
	primary, err := server.ReadPrimary(cfg.Product, text)
	return primary.Password, false, err
}

// tlsKeystore is the keystore that the agent makes, as the server's settings name it.
func tlsKeystore(password string) *server.TLSKeystore {
	return &server.TLSKeystore{File: config.TLSStoreFile, Type: "PKCS12", Password: password, Alias: tlsAlias, KeyPassword: password}
}

func (a Agent) settingsFile() server.SettingsFile {
	return server.SettingsFile{Path: a.cfg.DeploymentTOML(), WorkDir: filepath.Join(a.cfg.ConfigDir, file.WorkDir)}
}

// withStores returns the agent with the stores that the server's settings name. It changes no file. Without settings
// there, those of the environment stay as they are.
func (a Agent) withStores(ctx context.Context) (Agent, error) {
	text, err := a.settingsFile().Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	s, err := server.ReadStores(a.cfg.Product, text, a.cfg.Given)
	if err != nil {
		return a, err
	}
	a.cfg = a.cfg.WithStores(s.Keystore, s.KeystorePassword, s.Alias, s.Truststore, s.TruststorePassword)
	if password, named, err := tlsPassword(a.cfg, text); err == nil && named && s.Keystore == config.TLSStoreFile {
		a.cfg.KeystorePass = password // KEYSTORE_PASS is the primary keystore's
	}
	return a, nil
}

// needs is Needs for the own server, by what is known of its database and of API-M.
func (a Agent) needs(ctx context.Context) (server.Needs, error) {
	n := Needs(a.cfg)
	text, err := a.settingsFile().Read(ctx)
	if err != nil {
		return n, err
	}
	state, err := databaseState(a.cfg, text)
	n.Used = state != server.NewDatabase
	n.KeepListener = !a.accounts.am.Worked(wso2.Secret(a.cfg.AMAdminPass))
	return n, err
}

// mergeSettings makes the needed settings in the server's deployment.toml, and returns those that somebody else has made
// otherwise, and what becomes of those that keep API subscribers out of IS. A TLS keystore is named there once it is
// installed.
func (a Agent) mergeSettings(ctx context.Context, i identity) (kept []server.Change, closing trust.Closing, err error) {
	if a.cfg.Settings == "none" {
		text, err := a.settingsOfServer()
		return nil, closingOf(text, nil), err
	}
	needs, err := a.needs(ctx)
	if err != nil {
		return nil, closing, err
	}
	needs.KeepAllScopes = !a.upgrade.authorized.Load()
	if i.installed != nil || i.refused != "" {
		needs.TLS = tlsKeystore(i.password)
	}
	text, changes, err := a.settingsFile().Apply(ctx, needs, a.cfg.Settings == "override")
	if err != nil {
		return nil, closing, err
	}
	a.listener.waits.Store(slices.ContainsFunc(changes, func(c server.Change) bool {
		return c.Action == server.Waits && c.Setting != server.AllScopesSetting
	}))
	for _, c := range changes {
		switch c.Action {
		case server.Kept, server.Settled:
			kept = append(kept, c)
			continue
		case server.Waits:
			continue
		}
		a.log.Info("setting "+string(c.Action), append([]any{"setting", c.Setting}, shown(c)...)...)
		if c.Setting == server.AllScopesSetting && c.Now == "false" {
			a.log.Info("IS no longer grants every client every scope after its next start: the agent has authorized the applications")
		}
		if c.Action == server.Added && c.Setting == "resource.access_control[(.*)/scim2/Me]" {
			a.log.Info("IS now answers GET /scim2/Me to any valid token, as API-M needs it; a token of the application itself reads the profile of the application's owner")
		}
	}
	return kept, closingOf(text, changes), nil
}

// tlsRefused says why the server's settings name another keystore for TLS than the agent's, and will go on to; empty where they
// name it, or can be made to.
func (a Agent) tlsRefused(ctx context.Context, named bool, password string) (why string, err error) {
	if named {
		return "", nil
	}
	if a.cfg.Settings == "none" {
		return "SETTINGS is none, and [keystore.tls] of the server's deployment.toml does not name " + config.TLSStoreFile, nil
	}
	needs, err := a.needs(ctx)
	if err != nil {
		return "", err
	}
	needs.TLS = tlsKeystore(password)
	_, changes, err := a.settingsFile().Diff(ctx, needs, a.cfg.Settings == "override")
	for _, c := range changes {
		if c.Action == server.Kept && strings.HasPrefix(c.Setting, "keystore.tls.") {
			return fmt.Sprintf("somebody has set up [keystore.tls] in the server's deployment.toml (line %d); SETTINGS=override replaces it", c.Line), nil
		}
	}
	return "", err
}

// tellKept tells of settings that somebody made otherwise.
func (a Agent) tellKept(kept []server.Change) {
	for _, c := range kept {
		if c.Action == server.Settled {
			a.log.Warn("a setting of the server's administrator differs, and stays: the database has an administrator, or may have one; docs/operating.md says how to change his password",
				append([]any{"setting", c.Setting, "line", c.Line}, shown(c)...)...)
			continue
		}
		a.log.Warn("a setting of the server is kept though another is needed; SETTINGS=override replaces it",
			append([]any{"setting", c.Setting, "line", c.Line}, shown(c)...)...)
	}
}

// shown are a change's values for the log.
func shown(c server.Change) []any {
	if c.Secret {
		return nil
	}
	if c.Action == server.Kept || c.Action == server.Settled {
		return []any{"is", c.Was, "needed", c.Now}
	}
	args := []any{"now", c.Now}
	if c.Was != "" {
		args = append(args, "was", c.Was)
	}
	return args
}

// ServerEnvironment is what the server needs in its environment beyond what is there: the secrets to which its
// deployment.toml refers as $env{NAME}, from the agent's own settings. missing are variables that neither has: the server
// would end at its start with no word about them.
func ServerEnvironment(ctx context.Context, cfg config.Config, isSet func(name string) bool) (more map[string]string, missing []string, err error) {
	text, err := server.SettingsFile{Path: cfg.DeploymentTOML()}.Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	doc, err := deployment.Parse(text)
	if err != nil {
		return nil, nil, err
	}
	more = map[string]string{}
	for _, name := range doc.Variables() {
		if isSet(name) {
			continue
		}
		if value, ok := cfg.Secret(name); ok {
			more[name] = value
		} else {
			missing = append(missing, name)
		}
	}
	return more, missing, nil
}
