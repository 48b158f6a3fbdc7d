package config

import (
	"net"
	"path/filepath"
	"slices"
	"strconv"

	"wso2agent/internal/file"
)

// securityDir is the folder in which the products keep their stores, below their home and below the config volume.
const securityDir = "repository/resources/security"

// KeystorePaths returns the paths at which the agent looks for the keystore of the server, in order: on the config volume, then
// below the home of the server. Each path is there once, also if the settings name the home as the config volume.
func (c Config) KeystorePaths() []string { return c.StorePaths(c.Keystore.File) }

// StorePaths returns these paths for any store of the server.
func (c Config) StorePaths(name string) []string {
	if filepath.IsAbs(name) {
		return []string{name}
	}
	return slices.Compact([]string{
		filepath.Join(c.Server.ConfigDir, securityDir, name),
		filepath.Join(c.Server.Home, securityDir, name),
	})
}

// TruststorePath returns the path of the truststore that the agent edits.
func (c Config) TruststorePath() string {
	if filepath.IsAbs(c.Truststore.File) {
		return c.Truststore.File
	}
	return filepath.Join(c.Server.ConfigDir, securityDir, c.Truststore.File)
}

// WithStores returns the settings with the stores that deployment.toml names, except for those that a variable sets. An empty
// alias stands for the only key.
func (c Config) WithStores(keystore, keystorePass, alias, truststore, truststorePass string) Config {
	fill := func(value *string, name, otherwise string) {
		if !c.given[name] {
			*value = otherwise
		}
	}
	fill(&c.Keystore.File, "KEYSTORE_FILE", keystore)
	fill(&c.Keystore.Pass, "KEYSTORE_PASS", keystorePass)
	fill(&c.Keystore.Alias, "KEYSTORE_ALIAS", alias)
	fill(&c.Truststore.File, "TRUSTSTORE_FILE", truststore)
	fill(&c.Truststore.Pass, "TRUSTSTORE_PASS", truststorePass)
	return c
}

// TLSStoreFile is the name of the keystore that the agent makes with TLS_MODE=issue and TLS_MODE=files.
const TLSStoreFile = "wso2agent-tls.p12"

// TLSStorePath returns the path of TLSStoreFile on the config volume.
func (c Config) TLSStorePath() string {
	return filepath.Join(c.Server.ConfigDir, securityDir, TLSStoreFile)
}

// DeploymentTOML returns the path of the settings file of the server, on the config volume.
func (c Config) DeploymentTOML() string {
	return filepath.Join(c.Server.ConfigDir, "repository/conf/deployment.toml")
}

// AMAddress, ISAddress and GatewayAddress return host:port.
func (c Config) AMAddress() string      { return address(c.AM.Host, c.AM.Port) }
func (c Config) ISAddress() string      { return address(c.IS.Host, c.IS.Port) }
func (c Config) GatewayAddress() string { return address(c.Gateway.Host, c.Gateway.Port) }

// DatabaseAddress returns host:port of the database that the server needs to start. It is empty with DATABASE=embedded.
func (c Config) DatabaseAddress() string {
	if c.Database.Kind != "postgres" {
		return ""
	}
	return address(c.Database.Host, c.Database.Port)
}

// Container returns the name of the container of the server, for advice to people.
func (c Config) Container() string {
	if c.Server.Product == IS {
		return c.IS.Container
	}
	return c.AM.Container
}

func address(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}

// WorkDir returns the folder of the agent's own files. It is at the top of the config volume or, for a truststore outside of it,
// next to the truststore, because it must be on the same file system.
func (c Config) WorkDir() string {
	if dir := c.VolumeWorkDir(c.TruststorePath()); dir != "" {
		return dir
	}
	return filepath.Join(filepath.Dir(c.TruststorePath()), file.WorkDir)
}

// VolumeWorkDir returns WorkDir for any store. It is empty if the store is not on the config volume.
func (c Config) VolumeWorkDir(store string) string {
	volume, err := filepath.Abs(c.Server.ConfigDir)
	if err != nil {
		return ""
	}
	path, err := filepath.Abs(store)
	if err != nil {
		return ""
	}
	if rel, err := filepath.Rel(volume, path); err != nil || !filepath.IsLocal(rel) {
		return ""
	}
	return filepath.Join(c.Server.ConfigDir, file.WorkDir)
}
