package agent

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/file"
)

// lines are those of the log with the given words in them.
func (p *place) lines(words ...string) (found []string) {
	for line := range strings.Lines(p.log.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}

func TestFilesThatNeverChangeForTheAgentAreToldOnceEach(t *testing.T) {
	p := newPlace(t)
	secret := filepath.Join(p.dir, "secrets", "pass")
	p.set(config.AM, func(c *config.Config) {
		c.SecretFiles = []string{secret, "/run/secrets/no-such-secret", secret}
		c.TLS.Mode, c.TLS.FilesDir, c.Trust.CAFile = "files", "/no-such-tls", "/no-such-folder/ca.pem"
	})
	a := p.agent(config.AM)
	file.Mounts{
		"/":                           "/",
		a.cfg.Bootstrap.File:          "/home/me/api-config.yaml",
		secret:                        "/..2026_11_22_12_00_00.713/pass",
		"/run/secrets/no-such-secret": "/home/me/secrets/pass",
		"/no-such-tls":                "/..2026_11_22_12_00_00.713/tls",
		"/no-such-folder":             "/var/lib/docker/volumes/cas/_data",
		"/etc/hosts":                  "/var/lib/docker/containers/1/hosts",
	}.Warn(a.log, readFiles(a.cfg))
	for path, says := range map[string]string{
		a.cfg.Bootstrap.File:          "level=WARN mounted by itself; mount the folder that it is in",
		secret:                        "level=WARN by subPath; mount the whole volume as a folder",
		"/run/secrets/no-such-secret": "level=INFO a secret is mounted as a single file; docker compose restart",
		"/no-such-tls/tls.crt":        "level=WARN by subPath; mount the whole volume as a folder",
		"/no-such-tls/tls.key":        "level=WARN by subPath; mount the whole volume as a folder",
		"/no-such-tls/ca.crt":         "level=WARN by subPath; mount the whole volume as a folder",
	} {
		level, rest, _ := strings.Cut(says, " ")
		what, remedy, _ := strings.Cut(rest, "; ")
		if len(p.lines("file="+path)) != 1 || len(p.lines("file="+path, level, what, remedy)) != 1 {
			t.Errorf("of %s is told: %v", path, p.lines("file="+path))
		}
	}
	if all := p.lines(); len(all) != 6 {
		t.Errorf("%d lines", len(all))
	}
}

func TestOrdinaryMountsAreNothingToTellOf(t *testing.T) {
	p := newPlace(t)
	a := p.agent(config.AM)
	file.Mounts{"/": "/", p.volume(config.AM): "/var/lib/docker/volumes/am-config/_data", filepath.Join(p.dir, "exchange"): "/",
		filepath.Join(p.dir, "config"): "/var/lib/kubelet/pods/7d/volumes/kubernetes.io~configmap/api"}.Warn(a.log, readFiles(a.cfg))
	file.Mounts(nil).Warn(a.log, readFiles(a.cfg))
	if all := p.lines(); len(all) != 0 {
		t.Errorf("told: %v", all)
	}
}

func TestOnlyFoldersThatSettingsNameAreWatched(t *testing.T) {
	p := newPlace(t)
	for _, caFile := range []string{"", "/etc/own/ca.pem"} {
		p.set(config.AM, func(c *config.Config) { c.Trust.CAFile = caFile })
		a := p.agent(config.AM)
		folders := a.watch(append(bootstrap.Folders(a.cfg), a.trustFolders()...)...).Folders
		if slices.ContainsFunc(folders, func(f string) bool { return !filepath.IsAbs(f) }) {
			t.Errorf("with TLS_CA_FILE=%q: %q", caFile, folders)
		}
		if slices.Contains(folders, "/etc/own") != (caFile != "") {
			t.Errorf("with TLS_CA_FILE=%q: %q", caFile, folders)
		}
	}
}
