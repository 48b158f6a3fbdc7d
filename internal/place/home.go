// Package place checks the TLS keystore of a server and places it in the server's home folder, from which the running server
// loads it. `agent exec` does that, because only the server's container has the home.
package place

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"

	"wso2agent/internal/config"
	"wso2agent/internal/file"
	"wso2agent/internal/identity"
	"wso2agent/internal/remedy"
	"wso2agent/internal/server"
	"wso2agent/internal/trust"
)

// The most that is read of a keystore and of a text file, in bytes. identity has the same limit.
const fileLimit = 1 << 20

// The folder of the stores, and files of the products, relative to the home.
const (
	securityDir   = "repository/resources/security"
	settingsFile  = "repository/conf/deployment.toml"
	listenersFile = securityDir + "/listenerprofiles.xml"
)

// Home is the home folder of the own server, see notify.Home. It is not safe for use by several goroutines at once.
type Home struct {
	cfg config.Config
	log *slog.Logger
	// name is the server's name that its certificate must have; empty if this container does not know it.
	name string
	// good is the last good keystore that the server could load: of its start, placed since, or put there by a person. It
	// stays in memory because the config volume may have a newer one that the sidecar has not requested yet. Its key is
	// encrypted, and every process of this user can read the same bytes in the home.
	good []byte
	// trouble is the last error that Repair has logged.
	trouble string
}

// HomeOf returns the home of the own server, by the settings (SERVER_HOME).
func HomeOf(cfg config.Config, log *slog.Logger) *Home {
	return &Home{cfg: cfg, log: log, name: cfg.Server.Name}
}

func (h *Home) path(name string) string { return filepath.Join(h.cfg.Server.Home, name) }

func (h *Home) keystore() string { return h.path(securityDir + "/" + config.TLSStoreFile) }

// Starting returns the fingerprints of the certificates that a start of the server trusts (see trusted), and the fingerprint of the
// TLS certificate that it presents. It reads the stores that the deployment.toml of the config volume names. It logs what it
// cannot read, and returns nil or "" for that.
func (h *Home) Starting(ctx context.Context) (trusts []string, certificate string) {
	h.good, h.trouble, h.name = nil, "", h.cfg.Server.Name
	cfg, err := server.AtStores(ctx, h.cfg)
	if err != nil {
		h.log.Warn("cannot find the stores that this start reads", "error", err)
		return nil, ""
	}
	// If the config volume has no keystore, the start reads the one in the home.
	leaf, err := trust.OwnLeaf(ctx, cfg.KeystorePaths(), cfg.Keystore.Pass, cfg.Keystore.Alias)
	var parsed *x509.Certificate
	if err == nil {
		certificate = leaf.Fingerprint().String()
		parsed, err = leaf.Parse()
	}
	if err != nil {
		h.log.Warn("cannot read which TLS certificate this start presents", "error", err)
	}
	if trusts, err = trusted(ctx, cfg, parsed); err != nil {
		h.log.Warn("cannot read which certificates this start trusts", "error", err)
	}
	if parsed != nil && h.wanted() && cfg.Keystore.File == config.TLSStoreFile && cfg.Keystore.Alias == identity.Alias {
		h.remember(ctx, cfg.Keystore.Pass, parsed)
	}
	return trusts, certificate
}

// wanted reports whether the settings allow a reload. A container that has only some of the agent's settings has no TLS_MODE;
// the settings of the server then show whether it has a keystore of the agent.
func (h *Home) wanted() bool {
	return h.cfg.TLS.Reload == "auto" && !(h.cfg.TLS.Mode == "none" && h.cfg.Given("TLS_MODE"))
}

// remember keeps the keystore of the config volume as the one that the server loads at its start, if it is good.
func (h *Home) remember(ctx context.Context, password string, leaf *x509.Certificate) {
	if !h.cfg.Given("SERVER_NAME") && leaf.VerifyHostname(h.name) != nil {
		h.name = "" // the default is not the name of this server
	}
	data, err := checks{password: password, name: h.name}.read(ctx, h.cfg.TLSStorePath())
	if err == nil {
		h.good = data
	} else if !errors.Is(err, fs.ErrNotExist) {
		h.log.Warn("this start reads a TLS keystore that has a fault", "error", err)
	}
}

// running returns the checks of the keystore by the settings that the running server has read. The error says why the server
// does not load the keystore of the agent.
func (h *Home) running(ctx context.Context) (checks, []byte, error) {
	path := h.path(settingsFile)
	text, err := server.SettingsFile{Path: path}.Read(ctx)
	if err != nil {
		return checks{}, nil, remedy.Add(fmt.Errorf("read the settings of the running server: %w", err), "set SERVER_HOME to the home folder of the server in this container")
	}
	password, named, err := server.TLSPassword(h.cfg, text)
	if err == nil && !named {
		err = fmt.Errorf("[keystore.tls] in %s does not name %s", path, config.TLSStoreFile)
	}
	if err != nil {
		return checks{}, nil, remedy.Add(fmt.Errorf("find the TLS keystore of the running server: %w", err), "restart the server with TLS_MODE=issue or files and SETTINGS=merge")
	}
	return checks{password: password, name: h.name}, text, nil
}

// write replaces a file of the home. The temporary file is in the same folder: the home may be on another file
// system than the config volume. If a killed process leaves it, the next write of the file removes it.
func write(path string, data []byte, before []byte) error {
	real, err := filepath.EvalSymlinks(path)
	if errors.Is(err, fs.ErrNotExist) {
		real, err = path, nil
	}
	if err != nil {
		return err
	}
	if before == nil {
		_, err = file.Write(real, data, 0o600, filepath.Dir(real))
	} else {
		_, err = file.Replace(real, before, data, 0o600, filepath.Dir(real))
	}
	if errors.Is(err, fs.ErrPermission) || errors.Is(err, errReadOnly) {
		return remedy.Add(err, "run agent exec as the owner of SERVER_HOME, with a folder there that is not read-only; until then restart the server for a new certificate")
	}
	return err
}
