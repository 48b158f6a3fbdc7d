package server

import (
	"errors"
	"fmt"
	"io/fs"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
)

// OwnCalls says what is wrong if API-M, which accepts AM_ADMIN_PASS, has another password of its administrator in its
// deployment.toml: its calls to itself then fail, and its gateway never becomes healthy. OwnCalls finds nothing if the server is
// not API-M or has no such file, if only the server can tell, or if the server would refuse the text.
func OwnCalls(cfg config.Config) (problem string, err error) {
	if cfg.Server.Product != config.AM {
		return "", nil
	}
	text, err := file.Read(cfg.DeploymentTOML(), settingsLimit)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	user, password, known, err := ReadAdministrator(text, cfg.Secret)
	if err != nil || !known || user != cfg.AM.AdminUser || password == cfg.AM.AdminPass {
		return "", nil
	}
	return fmt.Sprintf("API-M accepts AM_ADMIN_PASS, but [super_admin] password in %s is another: API-M's calls to itself fail with that. "+
		"Write AM_ADMIN_PASS's there (docs/operating.md); API-M then restarts", cfg.DeploymentTOML()), nil
}
