package agent

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
)

// RequestRotation asks the agent next to the server for a new TLS identity.
func RequestRotation(ctx context.Context, cfg config.Config) error {
	if cfg.TLSMode != "issue" {
		return fmt.Errorf("TLS_MODE is %s: the agent only makes a new certificate where it made the one before, with TLS_MODE=issue", cfg.TLSMode)
	}
	if _, err := os.Stat(cfg.TLSStorePath()); err != nil {
		return remedy.Add(fmt.Errorf("ask for a new certificate: there is none yet: %w", err), "run agent init first, or look at CONFIG_DIR")
	}
	text, err := server.SettingsFile{Path: cfg.DeploymentTOML()}.Read(ctx)
	if err != nil {
		return fmt.Errorf("ask for a new certificate: %w", err)
	}
	if _, named, err := server.TLSPassword(cfg, text); err != nil || !named {
		return errors.Join(fmt.Errorf("ask for a new certificate: [keystore.tls] in %s does not name %s: TLS_MODE has no effect on this server; with SETTINGS=override the agent names it there",
			cfg.DeploymentTOML(), config.TLSStoreFile), err)
	}
	return Agent{cfg: cfg}.identityFiles("").Request(time.Now())
}

// Restarts returns the servers that restart for a new certificate that the agent issues, in this order: the peers, which have to
// trust it, then the own server. Peers that trust the CA that will sign it, which this server has published, do not restart.
func Restarts(ctx context.Context, cfg config.Config) (names []string, err error) {
	a := Agent{cfg: cfg}
	if cfg.Trust == "ca" && cfg.TLSCACertFile != "" {
		certs, err := a.exchange().Certificates(ctx, cfg.ServerName)
		if err != nil {
			return nil, err
		}
		published, ok, err := a.exchange().CA(ctx, cfg.ServerName, certs[0])
		if err != nil {
			return nil, err
		}
		ca, err := identity.ReadCA(cfg.TLSCACertFile, cfg.TLSCAKeyFile)
		if err != nil {
			return nil, err
		}
		if ok && ca.Certificate().Fingerprint() == published.Fingerprint() {
			return []string{cfg.ServerName}, nil
		}
	}
	return append(slices.Clone(cfg.Peers), cfg.ServerName), nil
}

func (a Agent) identityFiles(password string) identity.Files {
	return identity.Files{Keystore: a.cfg.TLSStorePath(), WorkDir: ControlDir(a.cfg), Password: password}
}

func removeIfThere(path string) error {
	_, err := file.Remove(path)
	return err
}
