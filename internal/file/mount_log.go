package file

import (
	"log/slog"
	"strings"
)

// composeSecrets is the folder in which Compose and Swarm mount secrets, each as a single file.
const composeSecrets = "/run/secrets/"

// WarnOfMounts is Warn for the mounts that this process sees.
func WarnOfMounts(log *slog.Logger, paths []string) {
	mounts, err := ReadMounts()
	if err != nil {
		log.Debug("the agent cannot read how files are mounted", "error", err)
	}
	mounts.Warn(log, paths)
}

// Warn logs, once for each path, that a new version of the file does not arrive in this container. Compose can mount a secret
// only as a single file, so there the line is no warning.
func (m Mounts) Warn(log *slog.Logger, paths []string) {
	for _, path := range paths {
		switch m.Of(path) {
		case SubPath:
			log.Warn("a file comes from a ConfigMap or Secret by subPath, which Kubernetes never updates: a change does not arrive, or removes the file, until the container restarts; mount the whole volume as a folder", "file", path)
		case SingleFile:
			if strings.HasPrefix(path, composeSecrets) {
				log.Info("a secret is mounted as a single file: a new one arrives when the container restarts (docker compose restart)", "file", path)
				continue
			}
			log.Warn("a file is mounted by itself: a new file in its place, as most editors and tools write it, does not arrive before the container restarts; mount the folder that it is in", "file", path)
		}
	}
}
