package identity

import (
	"context"
	"os"
	"path/filepath"
	"strings"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
)

// FilesOf returns where the TLS identity of the own server lies, by the settings. password is that of the keystores.
func FilesOf(cfg config.Config, password string) Files {
	return Files{Keystore: cfg.TLSStorePath(), WorkDir: filepath.Join(cfg.Server.ConfigDir, file.WorkDir), Password: password}
}

// OwnOf returns the keystore that a start reads, if it is on the config volume. If it is elsewhere, ok is false.
func OwnOf(cfg config.Config) (own Own, ok bool) {
	path := cfg.KeystorePaths()[0]
	if _, err := os.Stat(path); err != nil || !strings.HasPrefix(path, filepath.Clean(cfg.Server.ConfigDir)+string(filepath.Separator)) {
		return own, false
	}
	return Own{Path: path, WorkDir: filepath.Join(cfg.Server.ConfigDir, file.WorkDir), Password: cfg.Keystore.Pass, Alias: cfg.Keystore.Alias}, true
}

// Found is what a server has as its TLS identity, and what TLS_MODE asks for.
type Found struct {
	Held
	Spec *Spec     // of an identity that the agent issues; nil unless TLS_MODE is issue
	Next *Identity // in TLS_FILES_DIR; nil unless TLS_MODE is files
	Err  error     // why Spec or Next, which is nil then, cannot be had
}

// Find reads what f holds, and what TLS_MODE, which is issue or files, asks for.
func Find(ctx context.Context, cfg config.Config, f Files) (found Found, err error) {
	if found.Held, err = f.Read(ctx); err != nil {
		return found, err
	}
	if cfg.TLS.Mode == "files" {
		next, err := ReadPEM(ctx, cfg.TLS.FilesDir, cfg.Watch.QuietMin)
		if found.Err = err; err == nil {
			found.Next = &next
		}
		return found, ctx.Err()
	}
	ca, err := ReadCA(cfg.TLS.CACertFile, cfg.TLS.CAKeyFile)
	if found.Err = err; err == nil {
		found.Spec = &Spec{Names: append([]string{cfg.Server.Name}, cfg.TLS.Names...), Key: KeyKind(cfg.TLS.Key),
			Validity: cfg.TLS.Validity, RenewBefore: cfg.TLS.RenewBefore, CA: ca}
	}
	return found, ctx.Err()
}
