package server

import (
	"context"
	"fmt"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
)

// TLSPassword returns the password of the TLS keystore that the agent makes. named reports whether the text of the server's
// deployment.toml names that keystore; the password is then the one in the text. Otherwise the password is that of the primary
// keystore, which is one secret less. A later change of the primary password does not change it.
func TLSPassword(cfg config.Config, text []byte) (password string, named bool, err error) {
	s, err := ReadStores(cfg.Release, text, func(name string) bool { return name == "TRUSTSTORE_FILE" || name == "TRUSTSTORE_PASS" })
	if err == nil && s.Keystore == config.TLSStoreFile && s.Alias == identity.Alias {
		return s.KeystorePassword, true, nil
	}
	if cfg.Given("KEYSTORE_PASS") {
		return cfg.Keystore.Pass, false, nil
	}
	primary, err := ReadPrimary(cfg.Release, text)
	return primary.Password, false, err
}

// TLSKeystoreOf returns the TLS keystore that the agent makes, as the settings of the server name it.
func TLSKeystoreOf(password string) *TLSKeystore {
	return &TLSKeystore{File: config.TLSStoreFile, Type: "PKCS12", Password: password, Alias: identity.Alias, KeyPassword: password}
}

// TLSRefused returns why the settings of the server do not name the TLS keystore with the given password, and will not. It
// returns an empty text if they do, or if the agent can make them do so. text and named are as of TLSPassword.
func TLSRefused(ctx context.Context, cfg config.Config, text []byte, password string, named bool) (why string, err error) {
	if named {
		return "", nil
	}
	if cfg.Settings.Mode == "none" {
		return "SETTINGS is none, and [keystore.tls] of the server's deployment.toml does not name " + config.TLSStoreFile, nil
	}
	needs, err := OwnNeeds(cfg, text)
	if err != nil {
		return "", err
	}
	needs.TLS = TLSKeystoreOf(password)
	changes, _, err := SettingsFileOf(cfg).Plan(text, needs, cfg.Settings.Mode == "override")
	for _, c := range changes {
		if c.Action == Kept && strings.HasPrefix(c.Setting, "keystore.tls.") {
			return fmt.Sprintf("somebody has set up [keystore.tls] in the server's deployment.toml (line %d); SETTINGS=override replaces it", c.Line), nil
		}
	}
	return "", err
}
