package agent

import (
	"slices"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
)

// composeSecrets is where Compose and Swarm mount secrets, each as a single file.
const composeSecrets = "/run/secrets/"

// tellMounts warns, once for each, of files that the agent waits for changes of and that cannot change for it. Compose has no
// other way of giving a secret, so there it is no warning.
func (a Agent) tellMounts(mounts file.Mounts, err error) {
	if err != nil {
		a.log.Debug("how files are mounted cannot be read", "error", err)
	}
	for _, path := range a.readFiles() {
		switch mounts.Of(path) {
		case file.SubPath:
			a.log.Warn("a file comes from a ConfigMap or Secret by subPath, which Kubernetes never updates: a change does not arrive, or takes the file away, until the container is restarted; mount the whole volume as a folder", "file", path)
		case file.SingleFile:
			if strings.HasPrefix(path, composeSecrets) {
				a.log.Info("a secret is mounted as a single file: one that replaces it arrives when the container is restarted (docker compose restart)", "file", path)
				continue
			}
			a.log.Warn("a file is mounted by itself: one that replaces it, as most editors and tools do, does not arrive before the container is restarted; mount the folder that it is in", "file", path)
		}
	}
}

// readFiles are the files that others may change while the agent runs, but for those of the peers.
func (a Agent) readFiles() []string {
	paths := append(config.SecretFiles(), a.cfg.TruststorePath(), a.cfg.DeploymentTOML())
	paths = append(paths, a.cfg.KeystorePaths()...)
	if a.cfg.Bootstrap {
		paths = append(paths, a.cfg.APIConfig)
	}
	if a.cfg.TLSMode == "files" {
		paths = append(paths, identity.PEMFiles(a.cfg.TLSFilesDir)...)
	}
	for _, path := range []string{a.cfg.TLSCAFile, a.cfg.TLSCACertFile, a.cfg.TLSCAKeyFile} {
		if path != "" {
			paths = append(paths, path)
		}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}
