package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/server"
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
	if err == nil && s.Keystore == config.TLSStoreFile && s.Alias == identity.Alias {
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
	return &server.TLSKeystore{File: config.TLSStoreFile, Type: "PKCS12", Password: password, Alias: identity.Alias, KeyPassword: password}
}

func (a Agent) settingsFile() server.SettingsFile {
	return server.SettingsFile{Path: a.cfg.DeploymentTOML(), WorkDir: filepath.Join(a.cfg.ConfigDir, file.WorkDir)}
}

// atStores returns the agent with the stores that the server's settings name, as they are now. It changes no file.
func (a Agent) atStores(ctx context.Context) (Agent, error) {
	text, err := a.settingsFile().Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	return a.withStores(text)
}

// withStores returns the agent with the stores that the text of deployment.toml names. Without a text, those of the environment
// stay as they are.
func (a Agent) withStores(text []byte) (Agent, error) {
	if text == nil {
		return a, nil
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
func (a Agent) needs(text []byte) (server.Needs, error) {
	n := Needs(a.cfg)
	state, err := databaseState(a.cfg, text)
	n.Used = state != server.NewDatabase
	n.KeepListener = !a.accounts.AM.Worked(wso2.Secret(a.cfg.AMAdminPass))
	return n, err
}

// tlsRefused says why the server's settings name another keystore for TLS than the agent's, and will go on to; empty where they
// name it, or can be made to.
func (a Agent) tlsRefused(ctx context.Context, named bool, password string, text []byte) (why string, err error) {
	if named {
		return "", nil
	}
	if a.cfg.Settings == "none" {
		return "SETTINGS is none, and [keystore.tls] of the server's deployment.toml does not name " + config.TLSStoreFile, nil
	}
	needs, err := a.needs(text)
	if err != nil {
		return "", err
	}
	needs.TLS = tlsKeystore(password)
	changes, _, err := a.settingsFile().Plan(ctx, needs, a.cfg.Settings == "override")
	for _, c := range changes {
		if c.Action == server.Kept && strings.HasPrefix(c.Setting, "keystore.tls.") {
			return fmt.Sprintf("somebody has set up [keystore.tls] in the server's deployment.toml (line %d); SETTINGS=override replaces it", c.Line), nil
		}
	}
	return "", err
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
