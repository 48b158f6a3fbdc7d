package agent

import (
	"context"
	"slices"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/notify"
	"wso2agent/internal/seed"
	"wso2agent/internal/server"
)

// applySeed brings what the seed step has taken from the product's image onto the config volume.
func (a Agent) applySeed(ctx context.Context) error {
	s := seed.Seed{Volume: a.cfg.ConfigDir, Product: a.cfg.Product}
	if a.cfg.Given("TRUSTSTORE_PASS") {
		s.TruststorePassword = a.cfg.TruststorePass
	}
	return s.Bring(ctx, a.log, ControlDir(a.cfg), a.lock)
}

// databaseState reads whether the server's database is new. text is that of its deployment.toml.
func databaseState(cfg config.Config, text []byte) (server.DatabaseState, error) {
	started, _, err := notify.Control{Dir: ControlDir(cfg)}.Started()
	if err != nil {
		return "", err
	}
	return server.DatabaseFilesOf(cfg, ControlDir(cfg)).State(text, started.Since)
}

// readFiles are the files that others may change while the agent runs, except for those of the peers.
func readFiles(cfg config.Config) []string {
	paths := append(config.SecretFiles(), cfg.TruststorePath(), cfg.DeploymentTOML(), cfg.TLSCAFile, cfg.TLSCACertFile, cfg.TLSCAKeyFile)
	paths = append(paths, cfg.KeystorePaths()...)
	if cfg.Bootstrap {
		paths = append(paths, cfg.APIConfig)
	}
	if cfg.TLSMode == "files" {
		paths = append(paths, identity.PEMFiles(cfg.TLSFilesDir)...)
	}
	slices.Sort(paths)
	return slices.DeleteFunc(slices.Compact(paths), func(path string) bool { return path == "" })
}
