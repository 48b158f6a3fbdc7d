package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
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
	return identity.FilesOf(cfg, "").Request(time.Now())
}

// Restarts returns the servers that restart for a new certificate that the agent issues, in this order: the peers, which have to
// trust it, then the own server. Peers that trust the CA that will sign it, which this server has published, do not restart.
func Restarts(ctx context.Context, cfg config.Config) (names []string, err error) {
	all := append(slices.Clone(cfg.Peers), cfg.ServerName)
	if cfg.Trust != "ca" || cfg.TLSCACertFile == "" {
		return all, nil
	}
	own := trust.ExchangeOf(cfg).Statement(ctx, cfg.ServerName)
	ca, err := identity.ReadCA(cfg.TLSCACertFile, cfg.TLSCAKeyFile)
	if err := cmp.Or(own.Err, own.CAErr, err); err != nil {
		return nil, err
	}
	if own.CA != nil && ca.Certificate().Fingerprint() == own.CA.Fingerprint() {
		return []string{cfg.ServerName}, nil
	}
	return all, nil
}
