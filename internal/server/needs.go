package server

import (
	"os"

	"wso2agent/internal/config"
	"wso2agent/internal/notify"
)

// NeedsOf returns what the deployment.toml of the server must contain, by the agent's settings. It is for a file that no server
// uses yet.
func NeedsOf(cfg config.Config) Needs {
	n := Needs{
		Product: cfg.Server.Product, Hostname: cfg.IS.Host, User: cfg.AM.AdminUser, Password: cfg.AM.AdminPass,
		AMHost: cfg.AM.Host, AMPort: cfg.AM.Port, AMUser: cfg.AM.AdminUser, AMPassword: cfg.AM.AdminPass,
		SideBySide: cfg.Settings.TokensSideBySide, EventWait: cfg.EventWait(), ServerAdmin: cfg.Settings.ServerAdmin, SecretsEnv: cfg.Settings.SecretsEnv,
		PublicHost: cfg.Public.AMHost, ProxyPort: cfg.Public.ProxyPort, AllScopes: cfg.Scopes.Mode == "all",
		Reload: cfg.Server.Product == config.AM && cfg.TLS.Reload == "auto" && cfg.TLS.Mode != "none",
	}
	if cfg.Server.Product == config.IS {
		n.User, n.Password = cfg.IS.AdminUser, cfg.IS.AdminPass
	}
	if cfg.Database.Kind == "postgres" {
		n.Database = &Database{Host: cfg.Database.Host, Port: cfg.Database.Port, Pool: cfg.Database.Pool, Own: cfg.Database.AMName, Shared: cfg.Database.SharedName,
			Schema: cfg.Database.AMSchema, User: cfg.Database.AMUser, Password: cfg.Database.AMPassword, PasswordEnv: "AM_DB_PASSWORD"}
		if cfg.Server.Product == config.IS {
			n.Database.Own, n.Database.Schema, n.Database.User = cfg.Database.ISName, cfg.Database.ISSchema, cfg.Database.ISUser
			n.Database.Password, n.Database.PasswordEnv = cfg.Database.ISPassword, "IS_DB_PASSWORD"
			if cfg.Release.AgentDatabase {
				n.Database.Agents = cfg.Database.AgentsName
			}
		}
	}
	return n
}

// OwnNeeds is NeedsOf for the file on the config volume, which has the given text and whose server may have used its database.
func OwnNeeds(cfg config.Config, text []byte) (Needs, error) {
	n := NeedsOf(cfg)
	state, err := ReadDatabase(cfg, text)
	n.Used = state != NewDatabase
	if err != nil {
		return n, err
	}
	key, err := readKey(cfg, text)
	n.EncryptionKey = key.needed(n.SecretsEnv)
	return n, err
}

// NeedsWithoutSidecar is OwnNeeds for a caller that is not the sidecar. It includes the TLS keystore that the agent has made. A
// setting that waits for the sidecar stays: authorize_all_scopes until the sidecar has authorized all applications, and the
// password of the listener until the sidecar has tried the new one.
func NeedsWithoutSidecar(cfg config.Config, text []byte) (Needs, error) {
	n, err := OwnNeeds(cfg, text)
	n.KeepAllScopes, n.KeepListener = true, true
	if err != nil {
		return n, err
	}
	if _, err := os.Stat(cfg.TLSStorePath()); err != nil || cfg.TLS.Mode == "none" {
		return n, nil
	}
	password, _, err := TLSPassword(cfg, text)
	if err == nil {
		n.TLS = TLSKeystoreOf(password)
	}
	return n, err
}

// ReadDatabase reads whether the database of the server is new. text is that of its deployment.toml.
func ReadDatabase(cfg config.Config, text []byte) (DatabaseState, error) {
	control := notify.ControlOf(cfg)
	started, _, err := control.Started()
	if err != nil {
		return "", err
	}
	return databaseFilesOf(cfg, control.Dir).State(text, started.Since)
}
