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

// RequestIdentity requests a new TLS identity from the agent next to the server. compromised says that somebody may have read the
// config volume: the agent then also throws away the successors, whose keys lie there. Errors are those of CheckRequest.
func RequestIdentity(ctx context.Context, cfg config.Config, compromised bool) error {
	if err := CheckRequest(ctx, cfg); err != nil {
		return err
	}
	return identity.FilesOf(cfg, "").Request(time.Now(), compromised)
}

// CheckRequest returns an error unless the agent next to the server answers a request for a new TLS identity: it must issue the one
// that the server has, and the settings of the server must name that one.
func CheckRequest(ctx context.Context, cfg config.Config) error {
	if cfg.TLS.Mode != "issue" {
		return remedy.Add(fmt.Errorf("ask for a new certificate: TLS_MODE is %s, and the agent only makes a certificate with TLS_MODE=issue", cfg.TLS.Mode),
			"%s", otherSource(cfg.TLS.Mode))
	}
	if _, err := os.Stat(cfg.TLSStorePath()); err != nil {
		return remedy.Add(fmt.Errorf("ask for a new certificate: there is none yet: %w", err), "run agent init first, or look at CONFIG_DIR")
	}
	text, err := SettingsFile{Path: cfg.DeploymentTOML()}.Read(ctx)
	if err != nil {
		return fmt.Errorf("ask for a new certificate: %w", err)
	}
	if _, named, err := TLSPassword(cfg, text); err != nil || !named {
		return errors.Join(remedy.Add(fmt.Errorf("ask for a new certificate: [keystore.tls] in %s does not name %s, so TLS_MODE has no effect on this server",
			cfg.DeploymentTOML(), config.TLSStoreFile), "set SETTINGS=override, and the agent names it there"), err)
	}
	return nil
}

// otherSource says how a server gets a new certificate that the agent does not make.
func otherSource(mode string) string {
	if mode == "files" {
		return "put the new certificate and its key into TLS_FILES_DIR"
	}
	return "set TLS_MODE=issue for this server, or replace the keystore of the server"
}
