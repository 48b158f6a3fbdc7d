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
		Product: cfg.Product, Hostname: cfg.ISHost, User: cfg.AMAdminUser, Password: cfg.AMAdminPass,
		AMHost: cfg.AMHost, AMPort: cfg.AMPort, AMUser: cfg.AMAdminUser, AMPassword: cfg.AMAdminPass,
		SideBySide: cfg.TokensSideBySide, EventWait: cfg.EventWait(), ServerAdmin: cfg.ServerAdmin, SecretsEnv: cfg.SecretsEnv,
		PublicHost: cfg.AMPublicHost, ProxyPort: cfg.ProxyPort, AllScopes: cfg.Scopes == "all",
	}
	if cfg.Product == config.IS {
		n.User, n.Password = cfg.ISAdminUser, cfg.ISAdminPass
	}
	if cfg.Database == "postgres" {
		n.Database = &Database{Host: cfg.DBHost, Port: cfg.DBPort, Pool: cfg.DatabasePool, Own: cfg.AMDBName, Shared: cfg.SharedDBName,
			Schema: cfg.AMDBSchema, User: cfg.AMDBUser, Password: cfg.AMDBPassword, PasswordEnv: "AM_DB_PASSWORD"}
		if cfg.Product == config.IS {
			n.Database.Own, n.Database.Schema, n.Database.User = cfg.ISDBName, cfg.ISDBSchema, cfg.ISDBUser
			n.Database.Password, n.Database.PasswordEnv = cfg.ISDBPassword, "IS_DB_PASSWORD"
		}
	}
	return n
}

// OwnNeeds is NeedsOf for the file on the config volume, which has the given text and whose server may have used its database.
func OwnNeeds(cfg config.Config, text []byte) (Needs, error) {
	n := NeedsOf(cfg)
	state, err := ReadDatabase(cfg, text)
	n.Used = state != NewDatabase
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
	if _, err := os.Stat(cfg.TLSStorePath()); err != nil || cfg.TLSMode == "none" {
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
