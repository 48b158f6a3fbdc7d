package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"wso2agent/internal/config"
	"wso2agent/internal/identity"
	"wso2agent/internal/remedy"
)

// RequestIdentity asks the agent next to the server for a new TLS identity. That agent must issue the one that the server has.
func RequestIdentity(ctx context.Context, cfg config.Config) error {
	if cfg.TLS.Mode != "issue" {
		return fmt.Errorf("TLS_MODE is %s: the agent only makes a new certificate where it made the one before, with TLS_MODE=issue", cfg.TLS.Mode)
	}
	if _, err := os.Stat(cfg.TLSStorePath()); err != nil {
		return remedy.Add(fmt.Errorf("ask for a new certificate: there is none yet: %w", err), "run agent init first, or look at CONFIG_DIR")
	}
	text, err := SettingsFile{Path: cfg.DeploymentTOML()}.Read(ctx)
	if err != nil {
		return fmt.Errorf("ask for a new certificate: %w", err)
	}
	if _, named, err := TLSPassword(cfg, text); err != nil || !named {
		return errors.Join(fmt.Errorf("ask for a new certificate: [keystore.tls] in %s does not name %s: TLS_MODE has no effect on this server; with SETTINGS=override the agent names it there",
			cfg.DeploymentTOML(), config.TLSStoreFile), err)
	}
	return identity.FilesOf(cfg, "").Request(time.Now())
}
