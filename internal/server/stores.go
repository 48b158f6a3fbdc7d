package server

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"

	"wso2agent/internal/config"
	"wso2agent/internal/deployment"
	"wso2agent/internal/product"
	"wso2agent/internal/remedy"
	"wso2agent/internal/trust"
)

// Stores are the server's keystore for TLS and its truststore, as its settings name them. A value that the file does not set
// is the product's default.
type Stores struct {
	Keystore, KeystorePassword     string // of the TLS listeners
	Alias                          string // empty if the file names none
	Truststore, TruststorePassword string
}

// ReadStores reads the names and passwords of the stores from the text of a deployment.toml. File names are relative to
// repository/resources/security. given reports whether a variable tells the agent a value, which ReadStores then does not
// read. Errors wrap ErrRefused if the server would refuse the text. For a reference that only the server can follow, the
// error names the variable to set for the agent.
func ReadStores(release product.Release, text []byte, given func(variable string) bool) (Stores, error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return Stores{}, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	defaults := storeDefaults(release)
	// What [keystore.tls] leaves out comes from the primary keystore.
	tlsThenPrimary := [][]string{{"keystore", "tls"}, {"keystore", "primary"}}
	var s Stores
	for _, field := range []struct {
		into     *string
		setting  string
		override string // the agent's variable
		paths    [][]string
	}{
		{&s.Keystore, "file_name", "KEYSTORE_FILE", tlsThenPrimary},
		{&s.KeystorePassword, "password", "KEYSTORE_PASS", tlsThenPrimary},
		{&s.Alias, "alias", "KEYSTORE_ALIAS", tlsThenPrimary},
		{&s.Truststore, "file_name", "TRUSTSTORE_FILE", [][]string{{"truststore"}}},
		{&s.TruststorePassword, "password", "TRUSTSTORE_PASS", [][]string{{"truststore"}}},
	} {
		if given(field.override) {
			continue
		}
		for _, table := range field.paths {
			value, ok, err := doc.Resolved(defaults, append(table[:len(table):len(table)], field.setting)...)
			if err != nil {
				return Stores{}, remedy.Add(fmt.Errorf("read the server's stores from deployment.toml: %w", err),
					"set %s for the agent", field.override)
			}
			if ok {
				*field.into = value
				break
			}
		}
	}
	return s, nil
}

// AtStores returns the settings of the agent with the stores that the deployment.toml on the config volume names now. Without
// that file the settings stay as they are.
func AtStores(ctx context.Context, cfg config.Config) (config.Config, error) {
	text, err := SettingsFileOf(cfg).Read(ctx)
	if errors.Is(err, fs.ErrNotExist) {
		return cfg, nil
	}
	if err != nil {
		return cfg, err
	}
	return WithStores(cfg, text)
}

// WithStores returns the settings of the agent with the stores that the text of a deployment.toml names. Without a text, and
// with an error, the settings stay as they are.
func WithStores(cfg config.Config, text []byte) (config.Config, error) {
	if text == nil {
		return cfg, nil
	}
	s, err := ReadStores(cfg.Release, text, cfg.Given)
	if err != nil {
		return cfg, err
	}
	cfg = cfg.WithStores(s.Keystore, s.KeystorePassword, s.Alias, s.Truststore, s.TruststorePassword)
	if password, named, err := TLSPassword(cfg, text); err == nil && named && s.Keystore == config.TLSStoreFile {
		cfg.Keystore.Pass = password // KEYSTORE_PASS is the primary keystore's
	}
	return cfg, nil
}

// StartGuardOf returns the guard of the server's starts. It finds the truststore anew each time, because the sidecar may change
// the settings that name it.
func StartGuardOf(cfg config.Config, log *slog.Logger) trust.StartGuard {
	return trust.StartGuard{Log: log, Find: func(ctx context.Context) (trust.WayBack, error) {
		cfg, err := AtStores(ctx, cfg)
		return trust.WayBack{Path: cfg.TruststorePath(), WorkDir: cfg.WorkDir()}, err
	}}
}

// PrimaryKeystore is the keystore whose key signs tokens and encrypts secrets.
type PrimaryKeystore struct {
	File, Password string
	Alias          string // empty if the file names none
}

// ReadPrimary reads the server's primary keystore from the text of its deployment.toml. Errors wrap ErrRefused if the server
// would refuse the text.
func ReadPrimary(release product.Release, text []byte) (p PrimaryKeystore, err error) {
	doc, err := deployment.Parse(text)
	if err != nil {
		return p, fmt.Errorf("%w: %w", ErrRefused, err)
	}
	for setting, into := range map[string]*string{"file_name": &p.File, "password": &p.Password, "alias": &p.Alias} {
		if *into, _, err = doc.Resolved(storeDefaults(release), "keystore", "primary", setting); err != nil {
			return p, remedy.Add(fmt.Errorf("read the server's primary keystore from deployment.toml: %w", err), "write it there")
		}
	}
	return p, nil
}

// storeDefaults are the product's own settings of its stores, which apply where the file sets nothing.
func storeDefaults(r product.Release) map[string]string {
	return map[string]string{
		"keystore.primary.file_name": r.Keystore, "keystore.primary.type": r.StoreType, "keystore.primary.password": "wso2carbon",
		"keystore.primary.key_password": "$ref{keystore.primary.password}",
		"truststore.file_name":          r.Truststore, "truststore.type": r.StoreType, "truststore.password": "wso2carbon",
	}
}
